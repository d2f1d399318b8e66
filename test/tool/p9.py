"""A small 9P2000 client for tests that want to say one thing to a server, or to say it wrongly.

    with Client('unix!@name') as c:      also tcp!host!port, unix!/path
        c.put('/dir/file', b'text')

One request at a time, no cleverness: what it cannot do is not worth testing with it.
"""
import os
import pwd
import socket
import struct

OREAD, OWRITE, ORDWR, OTRUNC = 0, 1, 2, 16
DMDIR = 0x80000000
NOFID, NOTAG = 0xffffffff, 0xffff


class Error(Exception):
    """what an Rerror said"""


def string(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack('<H', len(b)) + b


def connect(dial, timeout=10):
    net, rest = dial.split('!', 1)
    if net == 'unix':
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect('\0' + rest[1:] if rest.startswith('@') else rest)
    else:
        host, _, port = rest.rpartition('!')
        s = socket.create_connection((host, int(port)), timeout)
    return s


def me():
    """The user's name, as Tenon has it: who has none is his number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class Client:
    def __init__(self, dial, uname='nobody', aname='', msize=8192, number=None):
        """number: of the user, and the dialect is 9P2000.u; such a client walks, opens and reads."""
        self.sock, self.fid = connect(dial), 0
        dot_u = number is not None
        self.rpc(100, struct.pack('<I', msize) + string('9P2000.u' if dot_u else '9P2000'), tag=NOTAG)
        self.rpc(104, struct.pack('<II', 0, NOFID) + string(uname) + string(aname) + (struct.pack('<I', number) if dot_u else b''))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def exactly(self, n):
        b = b''
        while len(b) < n:
            got = self.sock.recv(n - len(b))
            if not got:
                raise Error('hung up')
            b += got
        return b

    def send(self, kind, body, tag=1):
        self.sock.sendall(struct.pack('<IBH', len(body) + 7, kind, tag) + body)

    def answer(self):
        n, = struct.unpack('<I', self.exactly(4))
        b = self.exactly(n - 4)
        return b[0], struct.unpack('<H', b[1:3])[0], b[3:]

    def rpc(self, kind, body, tag=1):
        self.send(kind, body, tag)
        got, _, b = self.answer()
        if got == 107:
            raise Error(b[2:2 + struct.unpack('<H', b[:2])[0]].decode())
        if got != kind + 1:
            raise Error('answer %d to %d' % (got, kind))
        return b

    def walk(self, path, start=0):
        names = [n for n in path.split('/') if n]
        self.fid += 1
        b = self.rpc(110, struct.pack('<IIH', start, self.fid, len(names)) + b''.join(map(string, names)))
        if struct.unpack('<H', b[:2])[0] < len(names):
            raise Error('file does not exist')
        return self.fid

    def open(self, path, mode=OREAD):
        f = self.walk(path)
        self.rpc(112, struct.pack('<IB', f, mode))
        return f

    def create(self, path, perm, mode=OREAD):
        where, _, name = path.rpartition('/')
        f = self.walk(where)
        self.rpc(114, struct.pack('<I', f) + string(name) + struct.pack('<IB', perm, mode))
        return f

    def read(self, f, offset=0, count=4096):
        return self.rpc(116, struct.pack('<IQI', f, offset, count))[4:]

    def write(self, f, data, offset=0):
        return struct.unpack('<I', self.rpc(118, struct.pack('<IQI', f, offset, len(data)) + data))[0]

    def clunk(self, f):
        self.rpc(120, struct.pack('<I', f))

    def mkdir(self, path, perm=0o775):
        self.clunk(self.create(path, DMDIR | perm))

    def put(self, path, data, perm=0o664):
        f = self.create(path, perm, OWRITE)
        self.write(f, data)
        self.clunk(f)

    def cat(self, path):
        f, data = self.open(path), b''
        while True:
            b = self.read(f, len(data))
            if not b:
                self.clunk(f)
                return data
            data += b

    def mode(self, path):
        f = self.walk(path)
        b = self.rpc(124, struct.pack('<I', f))
        self.clunk(f)
        return struct.unpack('<I', b[2 + 21:2 + 25])[0]

    def chmod(self, path, perm):
        mode = self.mode(path) & ~0o777 | perm
        f = self.walk(path)
        st = b'\xff' * 19 + struct.pack('<I', mode) + b'\xff' * 16 + string('') * 4
        st = struct.pack('<H', len(st)) + st
        self.rpc(126, struct.pack('<I', f) + struct.pack('<H', len(st)) + st)
        self.clunk(f)

    def remove(self, path):
        self.rpc(122, struct.pack('<I', self.walk(path)))
