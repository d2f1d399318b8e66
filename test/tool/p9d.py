"""A small 9P2000 server for tests, in a process of its own: it counts what it is asked, and misbehaves as it is told.

    with Server(Dir(f=File(b'text')), fids_max=256) as s:
        ... s.dial ...
        s.stats()['fids_most']

How a connection misbehaves is said by its aname, HOW/MESSAGE/NAME/N[/...]: when a T-message of that kind comes for the Nth time
for a file of that name, HOW happens, a row of `HOWS`. An empty aname is a server as it should be.
"""
import itertools
import json
import os
import selectors
import signal
import socket
import struct

DMDIR, QTDIR = 0x80000000, 0x80
KINDS = {100: 'version', 102: 'auth', 104: 'attach', 108: 'flush', 110: 'walk', 112: 'open', 114: 'create', 116: 'read',
         118: 'write', 120: 'clunk', 122: 'remove', 124: 'stat', 126: 'wstat'}
NUMBERS = itertools.count(1)


def string(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack('<H', len(b)) + b


class Refused(Exception):
    """what the Rerror says"""


# ---- the tree ----

class File:
    """type: the letter of the device that serves it; 'M' is a file of a disk, read through a page cache."""
    __slots__ = ('data', 'type', 'number', 'perm')
    is_dir = False

    def __init__(self, data=b'', type='M', perm=0o666):
        self.data, self.type, self.perm, self.number = bytearray(data), ord(type), perm, next(NUMBERS)


class Dir:
    """Files by name."""
    __slots__ = ('files', 'type', 'number', 'perm')
    is_dir = True

    def __init__(self, /, **files):
        self.files, self.type, self.perm, self.number = files, ord('M'), 0o777, next(NUMBERS)


def copied(node):
    """The same tree anew: for a connection that is to have one of its own."""
    if not node.is_dir:
        return File(node.data, chr(node.type), node.perm)
    return Dir(**{name: copied(f) for name, f in node.files.items()})


def qid(f):
    return struct.pack('<BIQ', QTDIR if f.is_dir else 0, 0, f.number)


def stat(name, f):
    mode = f.perm | (DMDIR if f.is_dir else 0)
    length = 0 if f.is_dir else len(f.data)
    b = struct.pack('<HI', f.type, 0) + qid(f) + struct.pack('<IIIQ', mode, 1, 1, length) + string(name) + b'\4\0user' * 3
    return struct.pack('<H', len(b)) + b


# ---- how it misbehaves: what is sent instead of the answer, and what becomes of the connection ----

class How:
    """
    bend: a function of the answer's frame and its tag; the bytes that are sent. ever: from then on nothing is answered
    at all. end: then it hangs up. once: the next connection is served as it should be.
    """

    def __init__(self, bend=None, ever=False, end=False, once=True):
        self.bend, self.ever, self.end, self.once = bend, ever, end, once


def with_tag(frame, tag):
    return frame[:5] + struct.pack('<H', tag) + frame[7:]


def sized(frame, n):
    return struct.pack('<I', n) + frame[4:]


HOWS = {
    'busy': How(lambda frame: b'', once=False),  # never answers this; the rest it does
    'mute': How(lambda frame: b'', ever=True, once=False),  # never answers anything any more
    'dead': How(lambda frame: b'', ever=True, once=False),  # nor does a later connection, behind its version
    'hang up': How(lambda frame: b'', end=True),
    'half': How(lambda frame: frame[:len(frame) // 2], end=True),
    'half and mute': How(lambda frame: frame[:len(frame) // 2], ever=True),
    'noise': How(lambda frame: bytes(range(251, 100, -1))),
    'too short': How(lambda frame: sized(frame, 6)),
    'too long': How(lambda frame: sized(frame, 0x7fffffff)),
    'longer than it says': How(lambda frame: sized(frame, len(frame) - 1)),
    'one byte more': How(lambda frame: sized(frame, len(frame) + 1) + b'x'),
    'wrong tag': How(lambda frame: with_tag(frame, 0x1234)),
    'no tag': How(lambda frame: with_tag(frame, 0xffff)),
    'wrong type': How(lambda frame: frame[:4] + bytes([frame[4] ^ 2]) + frame[5:]),
    'a request': How(lambda frame: frame[:4] + bytes([frame[4] - 1]) + frame[5:]),
    'twice': How(lambda frame: frame + frame),
}


# ---- a connection ----

class Fid:
    __slots__ = ('file', 'way', 'mode', 'entries', 'next', 'offset')

    def __init__(self, file, way):
        self.file, self.way, self.mode = file, way, None  # way: (name, directory) pairs from the root


class Conn:
    def __init__(self, server, sock):
        self.server, self.sock, self.fids, self.left, self.how, self.at = server, sock, {}, b'', None, None
        self.mute = self.over = False

    def arrived(self):
        try:
            data = self.sock.recv(1 << 20)
        except OSError:
            data = b''
        if not data:
            self.over = True
            return
        self.left += data
        at, out = 0, []
        while not self.over and len(self.left) - at >= 4:
            size, = struct.unpack_from('<I', self.left, at)
            if len(self.left) - at < size:
                break
            self.take(self.left[at:at + size], out)
            at += size
        self.left = self.left[at:]
        try:
            self.sock.sendall(b''.join(out))
        except OSError:
            self.over = True

    def take(self, frame, out):
        kind, (tag,) = frame[4], struct.unpack_from('<H', frame, 5)
        word = KINDS.get(kind, '?')
        self.server.counts[word] = self.server.counts.get(word, 0) + 1
        if self.mute:
            return
        self.asked = None  # the name of the file that is asked for
        try:
            if self.server.knows and word not in self.server.knows:
                raise Refused('unknown message')
            body = getattr(self, 'do_' + word)(frame[7:])
        except Refused as e:
            kind, body = 106, string(str(e))
        if self.mute:
            return
        answer = struct.pack('<IBH', 7 + len(body), kind + 1, tag) + body
        if self.how and self.at == (word, self.asked):
            self.ahead -= 1
            if self.ahead <= 0:
                answer = self.misbehave(answer)
        out.append(answer)

    def misbehave(self, answer):
        how = HOWS[self.how]
        self.server.done.append(self.aname)
        self.mute, self.over = how.ever, how.end
        if self.how == 'dead':
            self.server.dead.add(self.aname)
        if how.once:
            self.server.good.add(self.aname)
            self.how = None
        return how.bend(answer)

    # ---- the messages ----

    def fid(self, b, at=0):
        f = self.fids.get(struct.unpack_from('<I', b, at)[0])
        if not f:
            raise Refused('unknown fid')
        self.asked = f.way[-1][0] if f.way else '/'
        return f

    def new_fid(self, number, f):
        if number not in self.fids and self.server.fids >= self.server.fids_max:
            self.server.refused += 1
            raise Refused('too many fids')
        self.server.fids += number not in self.fids
        self.fids[number] = f
        self.server.fids_most = max(self.server.fids_most, self.server.fids)

    def do_version(self, b):
        self.msize = min(struct.unpack_from('<I', b)[0], self.server.msize)
        return struct.pack('<I', self.msize) + string('9P2000')

    def do_attach(self, b):
        number, _, n = struct.unpack_from('<IIH', b)
        aname = b[12 + n:].decode()
        if aname.split('/')[0] not in HOWS and aname:
            raise Refused('unknown attach name')
        if aname:
            self.tree = self.server.trees.setdefault(aname, copied(self.server.tree))
        else:
            self.tree = self.server.tree
        self.new_fid(number, Fid(self.tree, ()))
        self.mute = aname in self.server.dead
        if aname and aname not in self.server.good:
            self.how, word, name, n = aname.split('/')[:4]
            self.aname, self.at, self.ahead = aname, (word, name), int(n)
        return qid(self.tree)

    def do_flush(self, b):
        return b''

    def do_walk(self, b):
        f = self.fid(b)
        newfid, n = struct.unpack_from('<IH', b, 4)
        at, file, way, qids = 10, f.file, f.way, []
        for _ in range(n):
            length, = struct.unpack_from('<H', b, at)
            name = b[at + 2:at + 2 + length].decode()
            at += 2 + length
            self.asked = name
            if name == '..':
                file, way = (way[-1][1], way[:-1]) if way else (file, way)
            elif file.is_dir and name in file.files:
                file, way = file.files[name], way + ((name, file),)
            else:
                break
            qids.append(qid(file))
        if n and not qids:
            raise Refused('file does not exist')
        if len(qids) == n:
            self.new_fid(newfid, Fid(file, way))
        return struct.pack('<H', len(qids)) + b''.join(qids)

    def begin(self, f, mode):
        f.mode = mode
        if f.file.is_dir:
            f.entries, f.next, f.offset = None, 0, 0
        elif mode & 16:
            del f.file.data[:]

    def do_open(self, b):
        f = self.fid(b)
        self.begin(f, b[4])
        return qid(f.file) + struct.pack('<I', 0)

    def do_create(self, b):
        f = self.fid(b)
        n, = struct.unpack_from('<H', b, 4)
        name, (perm, mode) = b[6:6 + n].decode(), struct.unpack_from('<IB', b, 6 + n)
        self.asked = name
        if name in f.file.files:
            raise Refused('file already exists')
        made = Dir() if perm & DMDIR else File()
        made.perm = perm & 0o777
        f.file.files[name] = made
        f.file, f.way = made, f.way + ((name, f.file),)
        self.begin(f, mode)
        return qid(made) + struct.pack('<I', 0)

    def do_read(self, b):
        f = self.fid(b)
        offset, count = struct.unpack_from('<QI', b, 4)
        if not f.file.is_dir:
            data = bytes(f.file.data[offset:offset + count])
            return struct.pack('<I', len(data)) + data
        if offset == 0:
            f.entries, f.next, f.offset = [stat(*x) for x in list(f.file.files.items())], 0, 0
        if offset != f.offset:
            raise Refused('bad offset in directory read')
        first, room = f.next, count
        while f.next < len(f.entries) and len(f.entries[f.next]) <= room:
            room -= len(f.entries[f.next])
            f.next += 1
        data = b''.join(f.entries[first:f.next])
        f.offset += len(data)
        return struct.pack('<I', len(data)) + data

    def do_write(self, b):
        f = self.fid(b)
        offset, count = struct.unpack_from('<QI', b, 4)
        f.file.data[offset:offset + count] = b[16:16 + count]
        return struct.pack('<I', count)

    def do_clunk(self, b):
        self.fid(b)
        del self.fids[struct.unpack_from('<I', b)[0]]
        self.server.fids -= 1
        return b''

    def do_remove(self, b):
        f = self.fid(b)
        asked = self.asked
        self.do_clunk(b)
        self.asked = asked
        if f.file.is_dir and f.file.files:
            raise Refused('directory is not empty')
        del f.way[-1][1].files[f.way[-1][0]]
        return b''

    def do_stat(self, b):
        f = self.fid(b)
        st = stat(f.way[-1][0] if f.way else '/', f.file)
        return struct.pack('<H', len(st)) + st

    def do_wstat(self, b):
        f = self.fid(b)
        perm, = struct.unpack_from('<I', b, 6 + 2 + 6 + 13)
        length, n = struct.unpack_from('<QH', b, 6 + 2 + 6 + 13 + 12)
        name = b[49:49 + n].decode()
        if name:
            old, above = f.way[-1]
            if name in above.files:
                raise Refused('file already exists')
            above.files[name] = above.files.pop(old)
            f.way = f.way[:-1] + ((name, above),)
        if perm != 0xffffffff:
            f.file.perm = perm & 0o777
        if length != 0xffffffffffffffff:
            f.file.data[length:] = bytes(max(0, length - len(f.file.data)))
        return b''


# ---- the process ----

class Server:
    """fids_max: more are refused. knows: the words of KINDS that it knows; None: all. msize: the most that it takes."""

    def __init__(self, tree, fids_max=1 << 32, knows=None, msize=1 << 20):
        self.tree, self.fids_max, self.knows, self.msize = tree, fids_max, knows, msize
        self.fids = self.fids_most = self.refused = 0
        self.counts, self.trees, self.good, self.dead, self.done = {}, {}, set(), set(), []
        listener = socket.create_server(('127.0.0.1', 0), backlog=256)
        self.dial = 'tcp!127.0.0.1!%d' % listener.getsockname()[1]
        self.control, end = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.control.close()
                self.run(listener, end)
            finally:
                os._exit(0)
        listener.close()
        end.close()

    def run(self, listener, control):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ready = selectors.DefaultSelector()
        ready.register(listener, selectors.EVENT_READ)
        ready.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is listener:
                    sock = listener.accept()[0]
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    ready.register(sock, selectors.EVENT_READ, Conn(self, sock))
                elif key.fileobj is control:
                    if not control.recv(1):
                        return
                    control.sendall(json.dumps({k: getattr(self, k) for k in ('fids', 'fids_most', 'refused', 'counts', 'done')}
                                               ).encode() + b'\n')
                else:
                    key.data.arrived()
                    if key.data.over:
                        ready.unregister(key.fileobj)
                        key.fileobj.close()
                        self.fids -= len(key.data.fids)

    def stats(self):
        """fids, fids_most, refused (fids); counts of messages by kind; done: where it has misbehaved."""
        self.control.sendall(b'?')
        got = b''
        while not got.endswith(b'\n'):
            piece = self.control.recv(1 << 16)
            if not piece:
                raise RuntimeError('the server has ended')
            got += piece
        return json.loads(got)

    def end(self):
        if self.pid:
            self.control.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
