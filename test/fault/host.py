"""What can go wrong with an exported directory of the host: a file system below it that hangs, a disk that is full."""
import os
import shutil
import signal
import struct
import time

from bench import Failed, Skipped, case
from people import marked, people, wait_for
from p9 import Client, string

TFLUSH, RFLUSH, TWALK = 108, 109, 110
# The search for leaks stops all threads, and one that hangs in the kernel does not stop.
UNTRACED = 'env ASAN_OPTIONS=detect_leaks=0:exitcode=99 '
ENDS_WITHIN = 8  # seconds: it waits five for its workers


def stop(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


class Hung:
    """A FUSE mount at share/hung of the bench's directory whose server is stopped; beside it a file."""

    def __init__(self, b, who):
        self.place = os.path.join(b.dir, 'share/hung')
        os.makedirs(self.place)
        b.write('share/f', 'beside')
        os.system('chmod -R a+rwX ' + b.dir)
        self.ram = b.export("'#ram'")
        b.shows("echo x | tenon put D f", D=self.ram.dial)
        b.shows("%stenon mount D %s" % (who, self.place), D=self.ram.dial)
        self.pids = marked(self.place)
        b.shows('%scat share/hung/f' % who, 'x\n')
        stop(self.pids)

    def end(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)  # then its mount is dead, not hung
        wait_for('the end of the mount', lambda: not marked(self.place))
        os.system('umount -l %s 2>/dev/null || fusermount3 -uz %s' % (self.place, self.place))


def walk(c, tag, fid, *names):
    c.send(TWALK, struct.pack('<IIH', 0, fid, len(names)) + b''.join(map(string, names)), tag)


@case('a file system below an exported directory hangs: other fids go on, what is stuck can be flushed, the export ends')
def _(b):
    if not shutil.which('fusermount3'):
        raise Skipped('no fusermount3, by which a user mounts')
    for who in people():
        hung = Hung(b, who)
        try:
            e = b.export(os.path.join(b.dir, 'share'), prefix=who + UNTRACED)
            with Client(e.dial) as c:
                for tag in range(100, 180):  # more than there are threads
                    walk(c, tag, tag, 'hung', 'f')
                for _ in range(20):
                    if c.cat('f') != b'beside':
                        raise Failed('a file beside it is not what it was')
                c.put('new', b'made meanwhile')
                c.remove('new')
                for tag in range(100, 180):
                    c.send(TFLUSH, struct.pack('<H', tag), 2000 + tag)
                got = sorted(c.answer()[:2] for _ in range(100, 180))
                if got != [(RFLUSH, 2000 + tag) for tag in range(100, 180)]:
                    raise Failed('flushes are answered by %r' % got)
                walk(c, 7, 300, 'hung', 'f')  # it is stuck when the export ends
                c.cat('f')
                start = time.monotonic()
                e.end()
                if time.monotonic() - start > ENDS_WITHIN:
                    raise Failed('the export ended after %.1f s' % (time.monotonic() - start))
        finally:
            hung.end()
        hung.ram.end()
        os.system('rm -rf %s/share' % b.dir)


# ---- a full disk ----

DISK = "unshare -Urm sh -c 'mount -t tmpfs -o size=1m tmpfs disk && exec \"$@\"' sh "
WRITE = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
block, n = bytes(range(256)) * 16, 0
try:
    while n < 1000:
        n += os.write(fd, block) // len(block)
except OSError as e:
    print(e.strerror)
os.close(fd)
data = open(sys.argv[1], 'rb').read()
print('all there' if n > 10 and data[:n * len(block)] == block * n else 'lost')
"""


@case('a full disk below an exported directory is told with its cause; what was written before is there')
def _(b):
    b.write('write.py', WRITE)
    b.write('first', bytes(range(256)) * 2000)
    os.mkdir(b.dir + '/disk')
    os.system('chmod -R a+rwX ' + b.dir)
    for who in people():
        e = b.export('disk', prefix=who + DISK)
        b.table([
            ('tenon put D first <first', '', '', 0),
            ('cat first first | tenon put D second', '', 'tenon: put: second: file system full\n', 1),
            ('tenon rm D second', '', '', 0),
            ("%stenon run -o create -m '/n/disk=%s' python3 write.py /n/disk/third" % (who, e.dial),
             'No space left on device\nall there\n', '', 0),
            ('tenon cat D first | cmp - first', '', '', 0),
            ('tenon rm D third; tenon put D second <first; tenon cat D second | cmp - first', '', '', 0),
        ], D=e.dial)
        e.end()
