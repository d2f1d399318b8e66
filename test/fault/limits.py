"""Limits that are reached: each has an error of its own, what was there stays, and the rest goes on. product.md 5.

Of a connection (fids, requests, memory) and of a server's client: test/link/limit.c, conns.c, mnt.c. docs/limits.md has all of an
export.
"""
import os
import re
import socket
import struct
import time

from bench import PATIENCE, Failed, case
from people import people
from p9 import NOTAG, Client, Error, connect, me, string

MOUNTS, UNION = 4096, 256  # ns.h: the defaults


def binds(n):
    return ''.join('bind #ram /r%d\n' % i for i in range(n))


def union(n):
    return 'bind #ram /u\n' + 'bind -a #ram /u\n' * (n - 1)


@case('mounts and members of a union have a limit, and the line that goes beyond is named')
def _(b):
    b.write('mounts', binds(MOUNTS + 1), 0o644)
    b.write('union', union(UNION + 1), 0o644)
    os.chmod(b.dir, 0o777)
    LISTEN = "--clean -l 'tcp!127.0.0.1!0' "
    b.shows('tenon export %s -n mounts' % LISTEN, '',
            'tenon: export: mounts:%d:1: /r%d: limit reached: mounts in this name space\n' % (MOUNTS + 1, MOUNTS))
    b.shows('tenon export %s -n union' % LISTEN, '',
            'tenon: export: union:%d:1: /u: limit reached: members of this union\n' % (UNION + 1))
    for who in people():
        # Those that every name space begins with count too.
        b.shows(who + 'tenon run -n mounts touch ran', '',
                re.compile(r'^tenon run: mounts:409\d:1: /r409\d: limit reached: mounts in this name space\n$'), 1)
        b.shows(who + 'tenon run -n union touch ran', '',
                'tenon run: union:%d:1: /u: limit reached: members of this union\n' % (UNION + 1), 1)
    if os.path.exists(b.dir + '/ran'):
        raise Failed('it was run')
    b.write('mounts', binds(MOUNTS - 1))
    b.write('union', union(UNION))
    for name, last in ('mounts', 'r%d' % (MOUNTS - 2)), ('union', 'u'):
        e = b.export('--clean -n ' + name)
        b.shows('tenon ls D %s && tenon ls -d D %s' % (last, last), last + '\n', D=e.dial)
        e.end()


@case('binds without end while a name space lives end with the error; what was there is there')
def _(b):
    os.chmod(b.dir, 0o777)
    b.write('more', 'echo first >/n/u/f\nn=1\nwhile test $n -lt 300 && /bin/echo bind -a \'#ram\' /n/u >/n/ns/ctl; do n=$((n+1)); done\n'
            "echo $n\ntenon bind -a '#ram' /n/u\ncat /n/u/f\ntenon unmount /n/u && ls /n/u && echo gone\n", 0o644)
    for who in people():
        b.shows(who + "tenon run -o create -b '/n/u=#ram' sh more", '%d\nfirst\ngone\n' % UNION,
                '/bin/echo: write error: No space left on device\ntenon: bind: /n/u: ...limit reached: members of this union\n', 0)


@case('an export without descriptors says so, serves what is open, and goes on when some are closed')
def _(b):
    for i in range(100):
        b.write('share/f%d' % i, 'text %d' % i)
    e = b.export('share', prefix='prlimit --nofile=64 ')
    with Client(e.dial) as c:
        fids, words = [], ''
        while not words and len(fids) < 100:
            try:
                fids.append(c.open('f%d' % len(fids)))
            except Error as error:
                words = str(error)
        if words != 'limit reached: open files' or len(fids) < 20:
            raise Failed('%d files, then %r' % (len(fids), words))
        for i, f in enumerate(fids):
            if c.read(f) != b'text %d' % i:
                raise Failed('f%d has lost its text' % i)
        for f in fids:
            c.clunk(f)
        if c.cat('f99') != b'text 99':
            raise Failed('nothing can be opened any more')


OPEN = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))
fds = []
try:
    while len(fds) < 400:
        fds.append(os.open('/n/u/f%d' % (len(fds) % 100), os.O_RDONLY))
except OSError as e:
    print(e.strerror, len(fds) > 20)
print({os.pread(fd, 10, 0) for fd in fds} == {b'text'})
for fd in fds:
    os.close(fd)
print(open('/n/u/f99').read())
"""


@case('nor is a launcher without descriptors the end of its name space')
def _(b):
    for i in range(100):
        b.write('share/f%d' % i, 'text', 0o644)
    os.makedirs(b.dir + '/other')
    b.write('open.py', OPEN, 0o644)
    os.system('chmod -R a+rwX ' + b.dir)
    for who in people():
        b.shows("ulimit -Sn 64; ulimit -Hn 500; %stenon run -b /n/u=$PWD/share -a /n/u=$PWD/other python3 open.py" % who,
                'Too many open files True\nTrue\ntext\n')


# ---- of an export's peers ----

VERSION = struct.pack('<IBHI', 19, 100, NOTAG, 8192) + string('9P2000')


def last_words(s):
    """What an Rerror says before the end of the connection; what came before it is skipped."""
    got, words = b'', ''
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
    except ConnectionResetError:
        pass
    while len(got) >= 7:
        n, kind = struct.unpack('<IB', got[:5])
        if kind == 107:
            words = got[9:n].decode()
        got = got[n:]
    return words


def descriptors(e):
    return len(os.listdir('/proc/%d/fd' % e.p.pid))


def settles(e, n):
    """The export has n descriptors again: nobody who was refused or hung up on is left."""
    end = time.monotonic() + PATIENCE
    while descriptors(e) != n:
        if time.monotonic() > end:
            raise Failed('%d descriptors, not %d' % (descriptors(e), n))
        time.sleep(0.05)


@case('an export\'s limits are set by name, and what is none is said')
def _(b):
    b.table([
        ("tenon export --limit nonsense=3 '#ram'", '', 'tenon: export: ...nonsense=3...: not NAME=VALUE; names are conns ...\n...', 2),
        ("tenon export --limit conns '#ram'", '', 'tenon: export: conns: not NAME=VALUE; ...\n...', 2),
        ("tenon export --limit conns=0 '#ram'", '', 'tenon: export: ...conns=0...: conns is from 1 to 1048576\n...', 2),
        ("tenon export --limit conns=-1 '#ram'", '', 'tenon: export: ...: conns is from ...\n...', 2),
        ("tenon export --limit fids=1K '#ram'", '', 'tenon: export: ...: fids is from ...\n...', 2),
        ("tenon export --limit memory=2048G '#ram'", '', 'tenon: export: ...: memory is from ... bytes\n...', 2),
        ("tenon export --limit idle-time=0 '#ram'", '', 'tenon: export: ...: idle-time is from 1 to ... seconds, or none\n...', 2),
    ])
    e = b.export("--limit msize=8K --limit conn-memory=1M --limit idle-time=none '#ram'")
    b.shows('echo kept | tenon put D f; tenon cat D f', 'kept\n', D=e.dial)


@case('too many connections, and too many from one address, are told so; those that are there notice nothing')
def _(b):
    for limit, words in ('conns=3', 'limit reached: connections'), ('conns-per-peer=3', 'limit reached: connections from this address'):
        e = b.export("--limit %s '#ram'" % limit)
        before = descriptors(e)
        clients = [Client(e.dial, me()) for _ in range(3)]
        for _ in range(5):
            with connect(e.dial) as s:
                s.sendall(VERSION)
                if last_words(s) != words:
                    raise Failed('another one is told something else than %r' % words)
        clients[0].put('f', b'text')
        if clients[2].cat('f') != b'text':
            raise Failed('not what was put')
        for c in clients:
            c.sock.close()
        settles(e, before)
        with Client(e.dial, me()) as c:
            if c.cat('f') != b'text':
                raise Failed('the place of those that have gone is free')
        e.end()


@case('who says nothing, half a message, or a byte now and then is hung up on in time; who is idle is not')
def _(b):
    e = b.export("--limit message-time=2 '#ram'")
    with Client(e.dial, me()) as c:
        c.put('f', b'text')
        before = descriptors(e)
        silent, half, slow = connect(e.dial), connect(e.dial), connect(e.dial)
        half.sendall(VERSION + b'\x17\0')
        end = time.monotonic() + PATIENCE
        slow.sendall(VERSION[:4])
        slow.settimeout(0.3)
        got = b''
        while not got and time.monotonic() < end:
            try:
                got = slow.recv(100)
            except socket.timeout:
                slow.sendall(b'\0')
        for s, first in (silent, b''), (half, b''), (slow, got):
            if first and b'limit reached: time for a message' not in first:
                raise Failed('it says %r' % first)
            if not first and last_words(s) != 'limit reached: time for a message':
                raise Failed('another word, or none')
            s.close()
        settles(e, before)
        if c.cat('f') != b'text':
            raise Failed('who was idle meanwhile is not served')
    said = e.text().count('limit reached: time for a message: hung up')
    if said != 3:
        raise Failed('said %d times: %s' % (said, e.text()))


@case('who is idle for longer than idle-time is hung up on')
def _(b):
    e = b.export("--limit idle-time=2 '#ram'")
    with Client(e.dial, me()) as idle, Client(e.dial, me()) as busy:
        busy.put('f', b'text')
        idle.sock.settimeout(0.2)
        end, words = time.monotonic() + PATIENCE, b''
        while not words and time.monotonic() < end:
            try:
                words = idle.sock.recv(1000)
            except socket.timeout:
                busy.cat('f')
        if b'limit reached: time without a message' not in words or busy.cat('f') != b'text':
            raise Failed('it heard %r' % words)


@case('who floods and reads no answer is not read from; memory is bounded, and others are served meanwhile')
def _(b):
    e = b.export("'#ram'")
    with Client(e.dial, me()) as c, Client(e.dial, me()) as flood:
        c.put('f', b'x' * 4096)
        f = flood.open('f')
        before = descriptors(e)
        read = b''.join(struct.pack('<IBHIQI', 23, 116, i, f, 0, 4096) for i in range(1000))
        flood.sock.setblocking(False)
        sent = 0
        idle = 0
        while idle < 50:  # until the export and the kernel take no more
            try:
                sent += flood.sock.send(read[sent % len(read):])
                idle = 0
            except BlockingIOError:
                idle += 1
                if c.cat('f') != b'x' * 4096:
                    raise Failed('others are not served')
            if sent > 1 << 28:
                raise Failed('it takes requests without end')
        with open('/proc/%d/smaps_rollup' % e.p.pid) as smaps:
            anonymous = next(int(line.split()[1]) for line in smaps if line.startswith('Anonymous:'))
        if anonymous > 32 << 10:
            raise Failed('%d KiB' % anonymous)
        flood.sock.close()
        settles(e, before - 1)
        if c.cat('f') != b'x' * 4096:
            raise Failed('others are not served')
