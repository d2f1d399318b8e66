"""Calls through the FUSE door: none is ENOSYS, signals end them, many at once are right."""
import ctypes
import errno
import fcntl
import mmap
import os
import random
import select
import signal
import stat
import time

from doorbench import (EXCHANGE, KEEP_SIZE, LIBC, NOREPLACE, PUNCH_HOLE, ZERO_RANGE, asleep_in, block_on, case, check,
                       fallocate, get, in_child, once, put, renameat2, same, together, wait)


# ---- never ENOSYS ----

@case('no call is ENOSYS, the first time or the second')
def _(h):
    put('f', b'0123456789')
    os.mkdir('d')
    fd, d = os.open('f', os.O_RDWR), os.open('d', os.O_RDONLY)
    buf = ctypes.create_string_buffer(4096)
    lock = b'\0' * 32
    calls = {
        'open': lambda: os.close(os.open('f', os.O_RDWR)),
        'O_TMPFILE': lambda: os.close(os.open('.', os.O_RDWR | os.O_TMPFILE)),
        'O_DIRECT': lambda: os.close(os.open('f', os.O_RDWR | os.O_DIRECT)),
        'create': lambda: os.close(os.open('new', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)),
        'mknod': lambda: os.mknod('node', 0o600 | stat.S_IFREG),
        'mknod chr': lambda: os.mknod('chr', 0o600 | stat.S_IFCHR, os.makedev(1, 3)),
        'mkfifo': lambda: os.mkfifo('fifo'),
        'mkdir': lambda: os.mkdir('dir'),
        'rmdir': lambda: os.rmdir('dir'),
        'symlink': lambda: os.symlink('x', 'sym'),
        'readlink': lambda: os.readlink('sym'),
        'link': lambda: os.link('f', 'hard'),
        'rename': lambda: os.rename('new', 'newer'),
        'noreplace': lambda: renameat2('f', 'newer', NOREPLACE),
        'exchange': lambda: renameat2('f', 'newer', EXCHANGE),
        'whiteout': lambda: renameat2('f', 'white', 4),
        'unlink': lambda: os.unlink('newer'),
        'stat': lambda: os.stat('f'),
        'chmod': lambda: os.chmod('f', 0o644),
        'chown': lambda: os.chown('f', 12345, 12345),
        'truncate': lambda: os.truncate('f', 5),
        'utime': lambda: os.utime('f'),
        'access': lambda: os.access('f', os.R_OK) or check(-1),
        'statvfs': lambda: os.statvfs('.'),
        'fsync': lambda: os.fsync(fd),
        'fdatasync': lambda: os.fdatasync(fd),
        'fsync dir': lambda: os.fsync(d),
        'syncfs': lambda: check(LIBC.syncfs(fd)),
        'sync_file_range': lambda: check(LIBC.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), 7)),
        'fallocate': lambda: fallocate(fd, 0, 0, 100),
        'fallocate keep': lambda: fallocate(fd, KEEP_SIZE, 0, 100),
        'fallocate punch': lambda: fallocate(fd, KEEP_SIZE | PUNCH_HOLE, 0, 100),
        'fallocate zero': lambda: fallocate(fd, ZERO_RANGE, 0, 100),
        'seek data': lambda: os.lseek(fd, 0, os.SEEK_DATA),
        'seek hole': lambda: os.lseek(fd, 0, os.SEEK_HOLE),
        'copy_file_range': lambda: os.copy_file_range(fd, fd, 1, 0, 100),
        'getxattr': lambda: os.getxattr('f', 'user.x'),
        'setxattr': lambda: os.setxattr('f', 'user.x', b'1'),
        'listxattr': lambda: os.listxattr('f'),
        'removexattr': lambda: os.removexattr('f', 'user.x'),
        'acl': lambda: os.getxattr('f', 'system.posix_acl_access'),
        'getlk': lambda: fcntl.fcntl(fd, fcntl.F_GETLK, lock),
        'setlk': lambda: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
        'unlk': lambda: fcntl.lockf(fd, fcntl.LOCK_UN),
        'flock': lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
        'ioctl': lambda: fcntl.ioctl(fd, 0x80086601, buf),  # FS_IOC_GETFLAGS
        'ioctl dir': lambda: fcntl.ioctl(d, 0x80086601, buf),
        'fiemap': lambda: fcntl.ioctl(fd, 0xc020660b, bytes(32)),
        'fibmap': lambda: fcntl.ioctl(fd, 1, bytes(4)),
        'poll': lambda: select.select([fd], [fd], [], 0),
        'mmap': lambda: mmap.mmap(fd, 5).close(),
        'lease': lambda: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK),
        'readahead': lambda: check(LIBC.readahead(fd, ctypes.c_int64(0), 10)),
        'fadvise': lambda: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED),
        'getdents': lambda: os.listdir(d),
        'name_to_handle_at': lambda: check(LIBC.name_to_handle_at(-100, b'f', buf, ctypes.byref(ctypes.c_int()), 0)),
        'statx btime': lambda: check(LIBC.statx(-100, b'f', 0, 0xfff, buf)),
    }
    wrong = []
    for name, call in calls.items():
        for turn in ('first', 'second'):
            try:
                call()
            except OSError as e:
                if e.errno == errno.ENOSYS:
                    wrong.append('%s the %s time' % (name, turn))
    os.close(fd)
    os.close(d)
    same(wrong, [])


# ---- signals ----

@once('SIGINT ends a read of a pipe that nobody writes within a second, and the pipe goes on')
def _(h):
    for pipe in ('/pipe', '/rpipe'):
        def blocked():
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            block_on(h.top + pipe + '/data')
        pid = in_child(blocked)
        asleep_in(pid, 'fuse')
        os.kill(pid, signal.SIGINT)
        same(wait(pid, 1), -signal.SIGINT)
        pid = in_child(lambda: put(h.top + pipe + '/data1', b'late', 0))
        fd = os.open(h.top + pipe + '/data', os.O_RDONLY)
        same(os.read(fd, 10), b'late')
        os.close(fd)
        same(wait(pid), 0)


@once('kill -9 ends a read of a pipe within a second')
def _(h):
    for pipe in ('/pipe', '/rpipe'):
        pid = in_child(block_on, h.top + pipe + '/data')
        asleep_in(pid, 'fuse')
        os.kill(pid, signal.SIGKILL)
        same(wait(pid, 1), -signal.SIGKILL)


@once('a blocked read that is interrupted by a handler is EINTR')
def _(h):
    def blocked(pipe):
        got = []
        fd = os.open(h.top + pipe + '/data', os.O_RDONLY)
        signal.signal(signal.SIGUSR1, lambda *a: got.append(1))
        buf = ctypes.create_string_buffer(10)
        same(LIBC.read(fd, buf, 10), -1)  # os.read would try again
        same(ctypes.get_errno(), errno.EINTR)
    for pipe in ('/pipe', '/rpipe'):
        pid = in_child(blocked, pipe)
        asleep_in(pid, 'fuse')
        os.kill(pid, signal.SIGUSR1)
        same(wait(pid, 5), 0)


@case('signals with handlers do not make calls on files of a disk fail with EINTR', ('ram', 'remote', 'host'))
def _(h):
    calls = [0]
    signal.signal(signal.SIGALRM, lambda *a: calls.__setitem__(0, calls[0] + 1))
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    st = ctypes.create_string_buffer(256)
    end = time.monotonic() + 1.5
    try:
        while time.monotonic() < end:
            fd = LIBC.open(b'f', os.O_RDWR | os.O_CREAT, 0o666)
            assert fd >= 0, errno.errorcode[ctypes.get_errno()]
            for f, r in ((lambda: LIBC.write(fd, b'x' * 100, 100), 100), (lambda: LIBC.pread(fd, st, 100, ctypes.c_int64(0)), 100),
                         (lambda: LIBC.fsync(fd), 0), (lambda: LIBC.rename(b'f', b'g'), 0), (lambda: LIBC.close(fd), 0),
                         (lambda: LIBC.unlink(b'g'), 0), (lambda: LIBC.mkdir(b'd', 0o777), 0),
                         (lambda: LIBC.rmdir(b'd'), 0)):
                same((f(), errno.errorcode.get(ctypes.get_errno())), (r, errno.errorcode.get(ctypes.get_errno())))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert calls[0] > 100, calls


# ---- many at once ----

@case('eight processes make, list, rename and remove in one directory')
def _(h):
    os.mkdir('d')

    def work(i):
        rng = random.Random(i)
        mine = {}
        for k in range(150):
            name = 'd/%d-%d' % (i, rng.randrange(20))
            what = rng.randrange(5)
            if what < 2:
                data = rng.randbytes(rng.randrange(10000))
                put(name, data)
                mine[name] = data
            elif what == 2 and name in mine:
                os.unlink(name)
                del mine[name]
            elif what == 3 and mine:
                old = rng.choice(sorted(mine))
                os.rename(old, name)
                mine[name] = mine.pop(old)
            else:
                got = {'d/' + x for x in os.listdir('d') if x.startswith('%d-' % i)}
                same(got, set(mine))
        for name, data in mine.items():
            assert get(name) == data, name
    together(8, work)


@case('eight processes race to make the same file with O_EXCL: one wins')
def _(h):
    def work(i):
        for k in range(50):
            try:
                put('lock%d' % k, b'%d' % i, os.O_EXCL)
                put('won%d-%d' % (k, i))
            except FileExistsError:
                pass
    together(8, work)
    for k in range(50):
        same(len([x for x in os.listdir('.') if x.startswith('won%d-' % k)]), 1)


@case('eight processes race with mkdir: one wins each')
def _(h):
    def work(i):
        for k in range(50):
            try:
                os.mkdir('lock%d' % k)
                put('won%d-%d' % (k, i))
            except FileExistsError:
                pass
    together(8, work)
    for k in range(50):
        same(len([x for x in os.listdir('.') if x.startswith('won%d-' % k)]), 1)


@case('locks of processes hold between them')
def _(h):
    put('n', b'0')

    def work(i):
        fd = os.open('n', os.O_RDWR)
        for k in range(50):
            fcntl.lockf(fd, fcntl.LOCK_EX)
            n = int(os.pread(fd, 10, 0))
            os.pwrite(fd, b'%d' % (n + 1), 0)
            fcntl.lockf(fd, fcntl.LOCK_UN)
        os.close(fd)
    together(4, work)
    same(get('n'), b'200')
