"""Many connections: what an idle one costs, and whether others are slower for it. product.md 5, docs/limits.md.

Prints its figures. The server's memory is what smaps_rollup says is its own (Anonymous), before and after.
"""
import os
import resource
import select
import socket
import struct
import time

from bench import Failed, case
from p9 import NOFID, NOTAG, Client, me, string

COST = 4096          # bytes of user memory for an idle connection
RATIO = 1.10         # of a busy one's time beside many, to that alone
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


def rounds(c, f, n):
    """Seconds for n reads, one after the other: the least of several runs, for others compute here too."""
    best = None
    for _ in range(9):
        begun = time.perf_counter()
        for _ in range(n):
            if len(c.read(f, 0, 4096)) != 4096:
                raise Failed('a short read')
        took = time.perf_counter() - begun
        best = took if best is None else min(best, took)
    return best


def cost(b, source, n):
    files(n + 200)
    name = 'tenon-many-%d' % os.getpid()
    b.write('d/f', 'x' * 4096, 0o644)
    e = b.export("%s -l 'unix!@%s' %s" % (os.environ.get('MANY_LIMITS', '--limit conns=%d --limit conns-per-peer=%d' % (n + 10, n + 10)), name, source), listen=False)
    with Client(e.dial, me(), msize=MSIZE) as c:
        if source != 'd':
            c.put('f', b'x' * 4096)
        f = c.open('f')
        for s in attached(e.dial, 100):  # what is there for all is there now
            s.close()
        alone = rounds(c, f, 500)
        time.sleep(3)
        before = anonymous(e.p.pid)
        socks = attached(e.dial, n)
        time.sleep(3)  # the tick that gives back what is not needed
        each = (anonymous(e.p.pid) - before) / n
        beside = rounds(c, f, 500)
        again = alone
        for s in socks:
            s.close()
        time.sleep(1)
        again = rounds(c, f, 500)
        after = anonymous(e.p.pid)
        print('  %s: %d idle connections: %d bytes each; a read alone %.1f us, beside them %.1f us, alone again %.1f us; left %d KiB' %
              (source, n, each, alone / 500 * 1e6, beside / 500 * 1e6, again / 500 * 1e6, (after - before) / 1024), flush=True)
    e.end()
    return each, beside / max(alone, again)


if __name__ == '__main__':
    pass


@case('an idle connection of #ram')
def _(b):
    cost(b, "'#ram'", int(os.environ.get('MANY', 10000)))


@case('an idle connection of a directory')
def _(b):
    cost(b, "d", int(os.environ.get('MANY', 10000)))
