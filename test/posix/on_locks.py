"""Record locks of fcntl, of processes and of open files; flock. fcntl(2), flock(2)."""
import contextlib
import errno
import fcntl
import os
import signal

import calls
from suite import Failed, case, children, fails, holds, in_child, opened, put, same, wait_for

RD, WR, UN = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
DENIED = (errno.EAGAIN, errno.EACCES)


def elsewhere(fn):
    """fn in another process, whose failure is the case's."""
    result, why = wait_for(*in_child(fn))
    if result != 'ok':
        raise Failed(why)


def other(fn, *args):
    """fn(fd, ...) in another process, with a descriptor of its own of the file."""
    def there():
        with opened('x', os.O_RDWR) as fd:
            fn(fd, *args)
    elsewhere(there)


def refused(fd, *args, **kw):
    fails(DENIED, calls.lock, fd, *args, **kw)


@contextlib.contextmanager
def locked(*args, data=b'', **kw):
    """A file with a lock of this process."""
    put('x', data)
    with opened('x', os.O_RDWR) as fd:
        calls.lock(fd, *args, **kw)
        yield fd


@case('a write lock keeps every other lock away, by name of its owner', 'fcntl(2): F_SETLK, F_GETLK')
def write_lock():
    def there(fd):
        for kind in (RD, WR):
            refused(fd, kind)
        same('in the way', calls.conflict(fd, RD), (WR, 0, 0, me))
    me = os.getpid()
    with locked(WR):
        other(there)


@case('read locks are shared', 'fcntl(2)')
def read_lock():
    def there(fd):
        calls.lock(fd, RD)
        refused(fd, WR)
    with locked(RD):
        other(there)


@case('locks of ranges that do not meet do not hinder each other', 'fcntl(2)')
def ranges():
    def there(fd):
        calls.lock(fd, WR, 0, 10)
        calls.lock(fd, WR, 20, 0)
        for start, length in ((10, 1), (19, 1), (5, 10), (15, 100), (0, 0)):
            refused(fd, WR, start, length)
    with locked(WR, 10, 10):
        other(there)


@case('unlocking the middle leaves two locks', 'fcntl(2)')
def split():
    def there(fd):
        same('held', [bool(calls.conflict(fd, WR, i, 1)) for i in range(0, 30, 5)], [True, True, False, False, True, True])
    with locked(WR, 0, 30) as fd:
        calls.lock(fd, UN, 10, 10)
        other(there)


@case('a lock becomes another kind', 'fcntl(2)')
def upgraded():
    def reads(fd, may):
        same('in the way', calls.conflict(fd, RD) is None, may)
    with locked(WR) as fd:
        other(reads, False)
        for kind, may in ((RD, True), (WR, False), (UN, True)):
            calls.lock(fd, kind)
            other(reads, may)


@case('closing any descriptor of the file drops the process\'s locks', 'fcntl(2)')
def closed():
    with locked(WR):
        os.close(os.open('x', os.O_RDONLY))
        other(calls.lock, WR)


@case('the end of a process drops its locks', 'fcntl(2)')
def ended():
    put('x')
    elsewhere(lambda: calls.lock(os.open('x', os.O_RDWR), WR))
    with opened('x', os.O_RDWR) as fd:
        calls.lock(fd, WR)


@case('a killed process has no locks left', 'fcntl(2)')
def killed():
    put('x')
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        fd = os.open('x', os.O_RDWR)
        calls.lock(fd, WR)
        os.write(w, b'x')
        signal.pause()
    os.close(w)
    os.read(r, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with opened('x', os.O_RDWR) as fd:
        calls.lock(fd, WR)


@case('a child inherits no locks of a process', 'fcntl(2), fork(2)')
def fork():
    with locked(WR) as fd:
        elsewhere(lambda: refused(fd, WR))


@case('who waits for a lock gets it when it is free', 'fcntl(2): F_SETLKW')
def waits():
    def there():
        with opened('x', os.O_RDWR) as fd:
            os.write(w, b'x')
            calls.lock(fd, WR, command=fcntl.F_SETLKW)
            same('the content', os.pread(fd, 1, 0), b'1')
    r, w = os.pipe()
    with locked(WR, data=b'0') as fd:
        end = in_child(there)
        os.read(r, 1)
        os.pwrite(fd, b'1', 0)
        calls.lock(fd, UN)
        result, why = wait_for(*end)
    same('the other', (result, why), ('ok', ''))


@case('a signal ends the wait for a lock', 'fcntl(2): EINTR')
def interrupted():
    class Woken(Exception):
        pass

    def woken(*_):
        raise Woken

    def there(fd):
        signal.signal(signal.SIGALRM, woken)
        signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
        try:
            calls.lock(fd, WR, command=fcntl.F_SETLKW)
        except Woken:
            signal.setitimer(signal.ITIMER_REAL, 0)
            return
        raise AssertionError('it got the lock')
    with locked(WR):
        other(there)


@case('two that wait for each other: one fails with EDEADLK', 'fcntl(2): EDEADLK')
def deadlock():
    r, w = os.pipe()

    def there():
        with opened('x', os.O_RDWR) as fd:
            calls.lock(fd, WR, 1, 1)
            os.write(w, b'x')
            try:
                calls.lock(fd, WR, 0, 1, command=fcntl.F_SETLKW)
            except OSError as e:
                same('the error', e.errno, errno.EDEADLK)
    with locked(WR, 0, 1) as fd:
        end = in_child(there)
        os.read(r, 1)
        try:
            calls.lock(fd, WR, 1, 1, command=fcntl.F_SETLKW)
        except OSError as e:
            same('the error', e.errno, errno.EDEADLK)
            calls.lock(fd, UN)
        same('the other', wait_for(*end), ('ok', ''))


@case('a read lock wants a descriptor for reading, a write lock one for writing', 'fcntl(2): EBADF')
def direction():
    put('x')
    with opened('x', os.O_RDONLY) as r, opened('x', os.O_WRONLY) as w:
        fails(errno.EBADF, calls.lock, r, WR)
        fails(errno.EBADF, calls.lock, w, RD)
        calls.lock(r, RD)
        calls.lock(w, WR)


@case('a lock may lie behind the end, and be counted from it', 'fcntl(2): l_whence')
def from_the_end():
    with locked(WR, -10, 20, whence=os.SEEK_END, data=bytes(100)):
        other(lambda fd: same('in the way', calls.conflict(fd, WR)[:3], (WR, 90, 20)))


@case('a lock before the beginning of a file is EINVAL', 'fcntl(2): EINVAL')
def before_the_beginning():
    put('x')
    with opened('x', os.O_RDWR) as fd:
        fails(errno.EINVAL, calls.lock, fd, WR, -1, 10)


@case('a lock by one name of a file holds for the other', 'fcntl(2)')
def by_link():
    def there():
        with opened('y', os.O_RDWR) as fd:
            refused(fd, WR)
    with locked(WR):
        os.link('x', 'y')
        elsewhere(there)


@case('locks of open files hinder each other in one process', 'fcntl(2): open file description locks')
def open_file():
    put('x')
    with opened('x', os.O_RDWR) as a, opened('x', os.O_RDWR) as b:
        calls.lock(a, WR, 0, 10, calls.F_OFD_SETLK)
        refused(b, WR, 5, 10, calls.F_OFD_SETLK)
        same('in the way', calls.conflict(b, WR, 5, 10, calls.F_OFD_GETLK), (WR, 0, 10, -1))
        calls.lock(b, WR, 10, 10, calls.F_OFD_SETLK)
        os.close(os.dup(a))
        refused(b, WR, 5, 10, calls.F_OFD_SETLK)


@case('a lock of an open file goes when its last descriptor is closed', 'fcntl(2): open file description locks')
def open_file_closed():
    put('x')
    a = os.open('x', os.O_RDWR)
    calls.lock(a, WR, command=calls.F_OFD_SETLK)
    c = os.dup(a)
    os.close(a)
    with opened('x', os.O_RDWR) as b:
        refused(b, WR, command=calls.F_OFD_SETLK)
        os.close(c)
        calls.lock(b, WR, command=calls.F_OFD_SETLK)


@case('flock: one exclusive, or many shared', 'flock(2)')
def flock():
    put('x')
    with opened('x', os.O_RDWR) as a, opened('x', os.O_RDWR) as b:
        fcntl.flock(a, fcntl.LOCK_EX)
        fails(errno.EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(a, fcntl.LOCK_SH)
        fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fails(errno.EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(a, fcntl.LOCK_UN)
        fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)


@case('flock holds for another process, until the descriptor is closed', 'flock(2)')
def flock_process():
    put('x')

    def there():
        with opened('x', os.O_RDONLY) as fd:
            fails(errno.EWOULDBLOCK, fcntl.flock, fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    with opened('x', os.O_RDWR) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)
        elsewhere(there)
    with opened('x', os.O_RDWR) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Not longer on a slow machine: who waits for half a minute has not been woken.
@case('four processes count to 100 under a lock', 'fcntl(2): F_SETLKW', seconds=30)
def counted():
    put('x', b'0000')

    def count():
        with opened('x', os.O_RDWR) as fd:
            for _ in range(25):
                calls.lock(fd, WR, command=fcntl.F_SETLKW)
                os.pwrite(fd, b'%04d' % (int(os.pread(fd, 4, 0)) + 1), 0)
                calls.lock(fd, UN)
    children(*[count] * 4)
    with opened('x', os.O_RDONLY) as fd:
        same('the count', os.read(fd, 10), b'0100')


@case('a fresh lock on a file without a name works', 'fcntl(2)')
def unlinked():
    with opened('x', os.O_RDWR | os.O_CREAT) as fd:
        os.unlink('x')
        calls.lock(fd, WR)
        holds('it hinders itself', calls.conflict(fd, WR) is None)
