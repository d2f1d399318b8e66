"""What the cases of the FUSE door share: the doorway and its trees, plain file calls, the runner.

doorway.c mounts a name space; each case runs in a process of its own, in a fresh directory of each tree it is for:
`ram` (#ram), `union` (a union whose second member takes what is created), `remote` (#ram behind 9P2000), `host` (#host).
A case's name is the sentence that is true when it passes.
"""
import ctypes
import errno
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

LIBC = ctypes.CDLL(None, use_errno=True)
CASES = []
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
PATIENCE = 120  # seconds a case may take, in a build with sanitizers on a busy machine
EVERYWHERE = ('ram', 'union', 'remote', 'host')
POSIX = ('ram', 'union', 'host', '9P2000.L')  # 9P2000 has no links, no nanoseconds, no renames between directories
PLAIN = ('9P2000',)
PLACES = {'ram': '', 'union': 'u', 'remote': 'r', 'host': 'h'}
# The trees of cases that a doorway has; what else they are called, if what is spoken with the remote is what they are about.
OF_WAY = {'': ('ram', 'union', 'remote', 'host', '9P2000'), ' over a socket': ('remote', '9P2000'),
          ' by 9P2000.L': ('remote', '9P2000.L')}
ALSO = {'9P2000': 'remote', '9P2000.L': 'remote'}


class Skipped(Exception):
    """why a case cannot be tried here"""


def case(sentence, on=EVERYWHERE):
    def add(f):
        CASES.append((sentence, on, f))
        return f
    return add


def once(sentence):
    """A case that has to do with the door alone: its directory is in `ram`."""
    return case(sentence, ('ram',))


# ---- the doorway ----

class Way:
    """A doorway process and its mount."""

    def __init__(self, build, *options):
        self.dir = tempfile.mkdtemp(prefix='door-')
        self.top = os.path.join(self.dir, 'm')
        self.host = os.path.join(self.dir, 'h')
        os.mkdir(self.top)
        os.mkdir(self.host)
        os.chmod(self.dir, 0o755)
        self.err = open(os.path.join(self.dir, 'err'), 'w+')
        self.p = subprocess.Popen([os.path.join(build, 'test/launch/doorway'), self.top, 'host=' + self.host, *options],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, bufsize=0)
        self.left = b''
        if self.line() != 'ready':
            raise RuntimeError('no doorway: ' + self.complaint())

    def line(self):
        end = time.monotonic() + PATIENCE
        while b'\n' not in self.left:
            left = end - time.monotonic()
            if left < 0 or not select.select([self.p.stdout], [], [], left)[0]:
                raise RuntimeError('the doorway does not answer')
            data = os.read(self.p.stdout.fileno(), 4096)
            if not data:
                return None
            self.left += data
        text, self.left = self.left.split(b'\n', 1)
        return text.decode()

    def ask(self, *words):
        self.p.stdin.write((' '.join(map(str, words)) + '\n').encode())
        lines = []
        while (line := self.line()) != '.':
            if line is None:
                raise RuntimeError('the doorway has ended')
            lines.append(line)
        assert not [x for x in lines if x.startswith('error ')], lines
        return lines

    def stats(self):
        return {k: int(v) for k, v in (x.split() for x in self.ask('stats'))}

    def complaint(self):
        self.err.flush()
        with open(self.err.name, errors='replace') as f:
            return f.read()

    def end(self):
        """Unmounts; the doorway ends by itself. Returns what was wrong, or ''."""
        LIBC.umount2(self.top.encode(), 2)
        try:
            self.p.stdin.close()
            status = self.p.wait(30)
        except subprocess.TimeoutExpired:
            self.p.kill()
            status = 'no end within 30 s'
            self.p.wait()
        text = self.complaint()
        self.p.stdout.close()
        self.err.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        return '%s: %s' % (status, text) if status or text.strip() else ''


class Here:
    """What a case gets: a fresh directory `d`, which tree it is in, the doorway, the mount's top."""

    def __init__(self, way, tree, number, build):
        self.way, self.tree, self.top, self.build = way, tree, way.top, build
        self.base = os.path.join(way.top, PLACES[tree])
        self.d = os.path.join(self.base, 'case%d' % number)
        os.mkdir(self.d)
        os.chdir(self.d)

    def path(self, name):
        return os.path.join(self.d, name)


# ---- little things ----

def put(name, data=b'', flags=0, mode=0o666):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | flags, mode)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def get(name):
    with open(name, 'rb', buffering=0) as f:
        return f.read()


def fails(number, call, *args, **named):
    try:
        call(*args, **named)
    except OSError as e:
        assert e.errno == number, 'errno %s, not %s' % (errno.errorcode.get(e.errno, e.errno),
                                                      errno.errorcode[number])
        return
    raise AssertionError('no error, wanted ' + errno.errorcode[number])


def same(a, b):
    assert a == b, '%r, not %r' % (a, b)


def check(r):
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def renameat2(a, b, flags):
    check(LIBC.renameat2(-100, os.fsencode(a), -100, os.fsencode(b), flags))


def fallocate(fd, mode, off, length):
    check(LIBC.fallocate(fd, mode, ctypes.c_int64(off), ctypes.c_int64(length)))


NOREPLACE, EXCHANGE = 1, 2
KEEP_SIZE, PUNCH_HOLE, COLLAPSE, ZERO_RANGE = 1, 2, 8, 16


def run(*command, **named):
    p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=PATIENCE - 10, **named)
    assert p.returncode == 0, '%s: %d: %s' % (command, p.returncode, p.stdout.decode(errors='replace')[-2000:])
    return p.stdout


def needs(program):
    if not shutil.which(program):
        raise Skipped('no ' + program)


def in_child(f, *args):
    """Runs f in a process of its own; returns its pid. Status 1: it raised."""
    pid = os.fork()
    if pid == 0:
        try:
            f(*args)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


def wait(pid, seconds=PATIENCE):
    end = time.monotonic() + seconds
    fd = os.pidfd_open(pid)
    try:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError('no end within %g s' % seconds)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(fd)


def together(n, f):
    """f(0) ... f(n - 1) in processes at the same time."""
    pids = [in_child(f, i) for i in range(n)]
    same([wait(pid) for pid in pids], [0] * n)


def asleep_in(pid, what):
    """Waits until the process is in a call of the kernel whose name has `what` in it."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with open('/proc/%d/wchan' % pid) as f:
            if what in f.read():
                return
        with open('/proc/%d/stat' % pid) as f:
            if f.read().rsplit(')', 1)[1].split()[0] in 'SD':
                try:
                    with open('/proc/%d/syscall' % pid) as g:
                        if g.read().split()[0] == '0':  # read(2)
                            return
                except OSError:
                    pass
    raise AssertionError('it does not wait')


class Dirent(ctypes.Structure):
    _fields_ = [('ino', ctypes.c_uint64), ('off', ctypes.c_int64), ('reclen', ctypes.c_ushort),
                ('type', ctypes.c_ubyte), ('name', ctypes.c_char * 256)]


class Listing:
    """opendir(3) and what belongs to it."""
    LIBC.opendir.restype = LIBC.readdir.restype = ctypes.c_void_p
    LIBC.telldir.restype = ctypes.c_long

    def __init__(self, path):
        self.dir = LIBC.opendir(os.fsencode(path))
        if not self.dir:
            check(-1)

    def next(self):
        ctypes.set_errno(0)
        p = LIBC.readdir(ctypes.c_void_p(self.dir))
        if not p and ctypes.get_errno():
            check(-1)
        return ctypes.cast(p, ctypes.POINTER(Dirent)).contents.name if p else None

    def rest(self):
        names = []
        while (name := self.next()) is not None:
            if name not in (b'.', b'..'):
                names.append(name)
        return names

    def tell(self):
        return LIBC.telldir(ctypes.c_void_p(self.dir))

    def seek(self, at):
        LIBC.seekdir(ctypes.c_void_p(self.dir), ctypes.c_long(at))

    def rewind(self):
        LIBC.rewinddir(ctypes.c_void_p(self.dir))

    def close(self):
        LIBC.closedir(ctypes.c_void_p(self.dir))


def block_on(path):
    fd = os.open(path, os.O_RDONLY)
    os.read(fd, 10)


# ---- the runner ----

def run_case(way, tree, number, f, build):
    """Runs in a process of its own, in a process group of its own. Returns '', 'skip WHY' or what was wrong."""
    out = tempfile.TemporaryFile('w+')
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            os.dup2(out.fileno(), 2)
            f(Here(way, tree, number, build))
            status = 0
        except Skipped as e:
            print(e, file=sys.stderr)
            status = 77
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    late = ''
    fd = os.pidfd_open(pid)
    if not select.select([fd], [], [], PATIENCE)[0]:
        late = 'not done within %d s\n' % PATIENCE
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
    os.close(fd)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    out.seek(0)
    text = out.read()
    out.close()
    if status == 77:
        return 'skip ' + text.strip()
    return '' if status == 0 and not late else late + (text or 'status %d' % status)


def say(word, name, text=''):
    print('%-7s %s' % (word, name) + ''.join('\n        ' + x for x in text.strip().split('\n') if x), flush=True)


def stand_alone():
    """A mount name space of our own: a `tenon run` of another suite would have copies of our mounts, and hold them."""
    if LIBC.unshare(CLONE_NEWNS) or LIBC.mount(b'none', b'/', None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), 'no mount name space')


def main(cases):
    build, pattern = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ''
    if os.getuid() != 0 or not os.access('/dev/fuse', os.R_OK | os.W_OK):
        print('skip    the FUSE door: wants root and /dev/fuse')
        print('0 passed, 0 failed, %d skipped' % len(cases))
        return 0
    stand_alone()
    os.umask(0o022)
    counts = {'ok': 0, 'not ok': 0, 'skip': 0}
    ways = {'': Way(build, 'plain'), ' over a socket': Way(build, 'plain', 'dial=unix!@door-%d' % os.getpid()),
            ' by 9P2000.L': Way(build)}
    number = 0
    try:
        for sentence, on, f in cases:
            for tree in on:
                for how, way in ways.items():
                    if tree not in OF_WAY[how]:
                        continue
                    name = '%s (%s%s)' % (sentence, tree, how) if len(on) > 1 or how else sentence
                    if pattern not in name:
                        continue
                    number += 1
                    start = time.monotonic()
                    wrong = run_case(way, ALSO.get(tree, tree), number, f, build)
                    word = 'skip' if wrong.startswith('skip ') else 'not ok' if wrong else 'ok'
                    counts[word] += 1
                    took = time.monotonic() - start
                    say(word, name + (' [%.1f s]' % took if took > 2 else ''), wrong)
    finally:
        for how, way in ways.items():
            wrong = way.end()
            counts['not ok' if wrong else 'ok'] += 1
            say('not ok' if wrong else 'ok', 'the doorway%s ends clean when it is unmounted' % how, wrong)
    print('%(ok)d passed, %(not ok)d failed, %(skip)d skipped' % counts)
    return 1 if counts['not ok'] else 0
