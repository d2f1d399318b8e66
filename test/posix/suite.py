"""What the cases stand on: the decorator, expectations, other users, and a process for each case that ends with it.

A case is run in a process of its own whose working directory is a new, empty one in the file system under test: it uses
relative names, may change umask, user and limits, and leaves what it likes behind.
"""
import collections
import contextlib
import errno
import os
import select
import shutil
import signal
import stat
import sys
import time
import traceback

Case = collections.namedtuple('Case', 'name says source needs fn seconds')
CASES = []
patience = 30  # seconds, run.py; a case that needs longer hangs
OTHER = 65534  # a user who owns nothing here
THIRD = 65533
NONE = -1


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def case(says, source, needs='', name=None, seconds=0):
    """says: the sentence that is true. source: where that is written. needs: words of NEEDS. The case's name: its
    file's and its function's."""
    def mark(fn):
        subject = fn.__module__.removeprefix('on_')
        full = ('%s-%s' % (subject, name or fn.__name__)).replace('_', '-')
        assert full not in {c.name for c in CASES}, full
        CASES.append(Case(full, says, source, needs.split(), fn, seconds))
        return fn
    return mark


# What a case may need of who runs it. What a file system lacks is no reason to skip: it fails, and that is written down.
NEEDS = {
    'root': lambda: os.geteuid() == 0,
    'user': lambda: os.geteuid() != 0,
    'devices': lambda: os.geteuid() == 0,
}


# ---- expectations ----

def word(number):
    return errno.errorcode.get(number, str(number))


def fails(want, fn, *args, **kw):
    """The call fails with the errno, or one of several."""
    wanted = want if isinstance(want, tuple) else (want,)
    names = ' or '.join(word(x) for x in wanted)
    said = '%s%r' % (getattr(fn, '__name__', 'call'), tuple(short(x) for x in args))
    try:
        got = fn(*args, **kw)
    except OSError as e:
        if e.errno not in wanted:
            raise Failed('%s: %s, want %s' % (said, word(e.errno), names))
        return e
    raise Failed('%s: no error but %r, want %s' % (said, got, names))


def short(x):
    text = repr(x)
    return text if len(text) < 40 else text[:30] + '...(%d)' % len(text)


def same(what, got, want):
    if got != want:
        raise Failed('%s: %s, want %s' % (what, short_of(got), short_of(want)))


def short_of(x):
    text = repr(x)
    return text if len(text) < 160 else text[:150] + '...'


def holds(what, condition):
    if not condition:
        raise Failed(what)


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def kind(path):
    return stat.S_IFMT(os.lstat(path).st_mode)


def identity(x):
    st = os.fstat(x) if isinstance(x, int) else os.lstat(x)
    return st.st_dev, st.st_ino


def exists(path):
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def absent(path):
    holds('%s is still there' % short(path), not exists(path))


# ---- what cases make ----

def put(path, data=b'', perm=0o644):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, perm)
    try:
        done = 0
        while done < len(data):
            done += os.write(fd, data[done:])
    finally:
        os.close(fd)


def get(path):
    with open(path, 'rb', buffering=0) as f:
        return f.read()


@contextlib.contextmanager
def opened(path, flags, perm=0o644):
    fd = os.open(path, flags, perm)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def as_user(uid=OTHER, gid=OTHER, groups=()):
    """The calls of the body are the user's; what root may do, he may not."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def given(path, uid=OTHER, gid=OTHER, perm=None):
    os.chown(path, uid, gid, follow_symlinks=False)
    if perm is not None:
        os.chmod(path, perm)


def children(*fns):
    """Each fn in a process of its own, all at once; one that raises fails the case."""
    ends = [in_child(fn) for fn in fns]
    whys = [wait_for(*end) for end in ends]
    for result, why in whys:
        if result != 'ok':
            raise Failed(why)


# ---- a process for a case ----

def in_child(fn, *args):
    """-> pid, the end of a pipe on which it tells the result."""
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    status = 'ok', ''
    try:
        os.close(read)
        signal.alarm(0)
        fn(*args)
    except Skipped as e:
        status = 'skip', str(e)
    except Failed as e:
        status = 'not ok', str(e)
    except BaseException as e:
        lines = [x.lineno for x in traceback.extract_tb(e.__traceback__)]
        cause = word(e.errno) + ': ' + str(e) if isinstance(e, OSError) else str(e)
        status = 'not ok', '%s %s (lines %r)' % (type(e).__name__, cause, lines[1:])
    try:
        os.write(write, '\0'.join(status).encode(errors='backslashreplace')[:4000])
    finally:
        os._exit(0)


def wait_for(pid, read, seconds=0):
    """-> result, why; the process is gone then."""
    seconds = seconds or patience
    got, end = b'', time.monotonic() + seconds
    while True:
        ready = select.select([read], [], [], max(0, end - time.monotonic()))[0]
        piece = os.read(read, 4096) if ready else b''
        got += piece
        if not piece:
            break
    os.close(read)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if not ready:
        return 'not ok', 'not done within %d s' % seconds
    result, _, why = got.decode().partition('\0')
    return (result, why) if result else ('not ok', 'it died: status %d' % status)


def end_of_group(pid):
    """Whatever the case's process has left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def inside(place, fn):
    os.setpgid(0, 0)
    os.chdir(place)
    os.umask(0o022)
    fn()


def remove(place):
    """rmtree, also of what the case has made unreadable. -> why not, or ''"""
    for _ in range(2):
        try:
            shutil.rmtree(place)
            return ''
        except OSError as e:
            why = '%s is left: %s' % (short(str(e.filename)), word(e.errno))
            for top, dirs, files in os.walk(place):
                for name in dirs:
                    with contextlib.suppress(OSError):
                        os.chmod(os.path.join(top, name), 0o700, follow_symlinks=True)
    return why


def run(c, top, number):
    """-> 'ok' | 'not ok' | 'skip', why"""
    lacking = [x for x in c.needs if not NEEDS[x]()]
    if lacking:
        return 'skip', 'needs ' + ' '.join(lacking)
    place = os.path.join(top, 'case%d' % number)
    try:
        os.mkdir(place)
        os.chmod(place, 0o777)
    except OSError as e:
        return 'not ok', 'no directory for it: ' + str(e)
    pid, read = in_child(inside, place, c.fn)
    result, why = wait_for(pid, read, c.seconds)
    end_of_group(pid)
    left = remove(place)
    return ('not ok', left) if left and result == 'ok' else (result, why)
