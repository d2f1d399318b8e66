"""Many connections: what an idle one costs, and whether others are slower for it. product.md 5, docs/limits.md.

Prints its figures. The server's memory is what smaps_rollup says is its own (Anonymous), before and after.
"""
import os
import resource
import socket
import struct
import time

from bench import Failed, case
from p9 import NOFID, NOTAG, Client, me, string

MANY = int(os.environ.get('TENON_MANY', 10000))
COST = 4096   # bytes of user memory that an idle connection may take
RATIO = 1.10  # of what a busy one takes beside them, to what it takes alone
MSIZE = 8192


def frame(kind, body, tag=1):
    return struct.pack('<IBH', len(body) + 7, kind, tag) + body


HELLO = frame(100, struct.pack('<I', MSIZE) + string('9P2000'), NOTAG)
ATTACH = frame(104, struct.pack('<II', 0, NOFID) + string(me()) + string(''))


def anonymous(pid):
    with open('/proc/%d/smaps_rollup' % pid) as f:
        return 1024 * next(int(line.split()[1]) for line in f if line.startswith('Anonymous:'))


def files(n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))  # root may; who is not needs `ulimit -Hn`
    elif soft < n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))


def attached(dial, n):
    """n connections that have agreed on a version and attached."""
    name = '\0' + dial.split('!@')[1]
    socks = []
    for at in range(0, n, 100):
        some = []
        for _ in range(at, min(at + 100, n)):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(20)
            s.connect(name)
            s.sendall(HELLO + ATTACH)
            some.append(s)
        for s in some:
            want = len(HELLO) + 20
            while want > 0:
                got = s.recv(want)
                if not got:
                    raise Failed('hung up after %d connections' % len(socks))
                want -= len(got)
        socks += some
    return socks


def processor(pid):
    """Seconds for which the process has run: what else this machine does is not in it."""
    with open('/proc/%d/schedstat' % pid) as f:
        return int(f.read().split()[0]) / 1e9


def batch(e, c, f):
    """Seconds that a read takes, for who asks and of the server's processor."""
    begun, ran = time.perf_counter(), processor(e.p.pid)
    for _ in range(100):
        if len(c.read(f, 0, 4096)) != 4096:
            raise Failed('a short read')
    return (time.perf_counter() - begun) / 100, (processor(e.p.pid) - ran) / 100


def compare(one, other):
    """The least of many short runs of each, in turns: what else this machine does meanwhile meets both."""
    runs = [(batch(*one), batch(*other)) for _ in range(60)]
    return [[min(pair[which][i] for pair in runs) for i in (0, 1)] for which in (0, 1)]


def start(b, source, name):
    e = b.export("--limit conns=%d --limit conns-per-peer=%d -l 'unix!@tenon-many-%d-%s' %s" %
                 (MANY + 200, MANY + 200, os.getpid(), name, source), listen=False)
    c = Client(e.dial, me(), msize=MSIZE)
    if source != 'd':
        c.put('f', b'x' * 4096)
    return e, c, c.open('f')


def measure(b, source):
    files(MANY + 500)
    b.write('d/f', 'x' * 4096, 0o644)
    alone, beside = start(b, source, 'alone'), start(b, source, 'beside')
    e = beside[0]
    for s in attached(e.dial, 100):  # what is there once for all is there now
        s.close()
    time.sleep(3)  # ticks, which give back what is not needed
    before = anonymous(e.p.pid)
    socks = attached(e.dial, MANY)
    time.sleep(3)
    each = (anonymous(e.p.pid) - before) / MANY
    wall, cpu = zip(*compare(alone, beside))
    for s in socks + [alone[1].sock, beside[1].sock]:
        s.close()
    ratio = wall[1] / wall[0], cpu[1] / cpu[0]
    print('  %s: %d idle connections: %d bytes each; a read takes %.1f us alone, %.1f beside them: %.3f; of the server\'s '
          'processor %.1f and %.1f: %.3f' % (source, MANY, each, wall[0] * 1e6, wall[1] * 1e6, ratio[0], cpu[0] * 1e6, cpu[1] * 1e6,
                                           ratio[1]), flush=True)
    if each > COST:
        raise Failed('%d bytes for an idle connection' % each)
    if min(ratio) > RATIO:
        raise Failed('%.3f, %.3f times as long beside %d others' % (*ratio, MANY))


@case('an idle connection of a device costs 4 KiB at most, and another is served beside 10,000 as fast as alone')
def _(b):
    measure(b, "'#ram'")


@case('so does one of a directory')
def _(b):
    measure(b, 'd')
