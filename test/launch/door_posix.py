#!/usr/bin/env python3
"""door_posix.py BUILD [PATTERN]: what POSIX and Linux ask of files that Plan 9's do not have, through the FUSE door:
extended attributes, and locks. doorbench.py has the trees and the runner.

What is expected is what ext4 does: each case that is for `disk` too runs first in a plain directory.
"""
import ctypes
import errno
import fcntl
import os
import select
import signal
import struct
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import doorbench
from doorbench import EVERYWHERE, LIBC, POSIX, Way, case, check, fails, get, in_child, needs, once, put, run, same, together, wait

WITH_XATTRS = POSIX
F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
WAITING = (fcntl.F_SETLKW, F_OFD_SETLKW)
FLOCK = struct.Struct('hhqqi4x')  # struct flock of 64-bit Linux


# ---- extended attributes: getxattr(2), setxattr(2), listxattr(2), removexattr(2) ----

@case('an attribute is set, told, listed and removed, of files and directories', WITH_XATTRS)
def _(h):
    put('f')
    os.mkdir('d')
    for name in 'fd':
        same(os.listxattr(name), [])
        os.setxattr(name, 'user.one', b'first')
        os.setxattr(name, 'user.two', b'2')
        same(sorted(os.listxattr(name)), ['user.one', 'user.two'])
        same((os.getxattr(name, 'user.one'), os.getxattr(name, 'user.two')), (b'first', b'2'))
        os.removexattr(name, 'user.one')
        same(os.listxattr(name), ['user.two'])
        fails(errno.ENODATA, os.getxattr, name, 'user.one')
        fails(errno.ENODATA, os.removexattr, name, 'user.one')


@case('XATTR_CREATE refuses what is there, XATTR_REPLACE what is not', WITH_XATTRS)
def _(h):
    put('f')
    fails(errno.ENODATA, os.setxattr, 'f', 'user.a', b'1', os.XATTR_REPLACE)
    os.setxattr('f', 'user.a', b'1', os.XATTR_CREATE)
    fails(errno.EEXIST, os.setxattr, 'f', 'user.a', b'2', os.XATTR_CREATE)
    os.setxattr('f', 'user.a', b'3', os.XATTR_REPLACE)
    same(os.getxattr('f', 'user.a'), b'3')
    fails(errno.EINVAL, os.setxattr, 'f', 'user.a', b'2', 4)


def sized(call, *args):
    """What a call answers that takes a buffer: (result, errno)."""
    ctypes.set_errno(0)
    n = call(*args)
    return n, errno.errorcode[ctypes.get_errno()] if n < 0 else ''


@case('size 0 asks how much there is, and too small a buffer is ERANGE', WITH_XATTRS)
def _(h):
    put('f')
    os.setxattr('f', 'user.a', b'12345')
    buf = ctypes.create_string_buffer(100)
    same(sized(LIBC.getxattr, b'f', b'user.a', None, 0), (5, ''))
    same(sized(LIBC.getxattr, b'f', b'user.a', buf, 4), (-1, 'ERANGE'))
    same(sized(LIBC.getxattr, b'f', b'user.a', buf, 5), (5, ''))
    same(buf.raw[:6], b'12345\0')
    same(sized(LIBC.listxattr, b'f', None, 0), (7, ''))
    same(sized(LIBC.listxattr, b'f', buf, 6), (-1, 'ERANGE'))
    same(sized(LIBC.listxattr, b'f', buf, 7), (7, ''))
    same(buf.raw[:7], b'user.a\0')


@case('a value of 64 KiB is kept whole, a longer one and a name of more than 255 bytes are refused', ('ram', 'union'))
def _(h):
    put('f')
    value = bytes(range(256)) * 256
    os.setxattr('f', 'user.big', value)
    assert os.getxattr('f', 'user.big') == value
    fails(errno.E2BIG, os.setxattr, 'f', 'user.big', value + b'x')
    os.setxattr('f', 'user.' + 'n' * 250, b'x')
    fails(errno.ERANGE, os.setxattr, 'f', 'user.' + 'n' * 251, b'x')
    assert os.getxattr('f', 'user.big') == value


@case('an attribute goes with its file: renamed, linked, unlinked while open', WITH_XATTRS)
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o600)
    os.setxattr(fd, 'user.a', b'here')
    os.rename('f', 'g')
    os.link('g', 'h')
    same((os.getxattr('g', 'user.a'), os.getxattr('h', 'user.a')), (b'here', b'here'))
    os.unlink('g')
    os.unlink('h')
    same(os.getxattr(fd, 'user.a'), b'here')
    os.setxattr(fd, 'user.a', b'still')
    same(os.getxattr(fd, 'user.a'), b'still')
    os.close(fd)


@case('cp -a and rsync -aX take attributes along', ('ram', 'host'))
def _(h):
    needs('rsync')
    put('f', b'x')
    os.setxattr('f', 'user.a', b'1')
    run('cp', '-a', 'f', 'copied')
    run('rsync', '-aX', 'f', 'synced')
    same((os.getxattr('copied', 'user.a'), os.getxattr('synced', 'user.a')), (b'1', b'1'))


@case('an empty value is a value', WITH_XATTRS)
def _(h):
    put('f')
    os.setxattr('f', 'user.a', b'')
    same((os.listxattr('f'), os.getxattr('f', 'user.a')), (['user.a'], b''))


@case('where the server has no attributes each call is EOPNOTSUPP, each time', ('9P2000',))
def _(h):
    put('f')
    for _ in range(2):
        fails(errno.EOPNOTSUPP, os.getxattr, 'f', 'user.a')
        fails(errno.EOPNOTSUPP, os.setxattr, 'f', 'user.a', b'')
        fails(errno.EOPNOTSUPP, os.removexattr, 'f', 'user.a')
        fails(errno.EOPNOTSUPP, os.listxattr, 'f')


@case('classes of the kernel are not the server\'s: no capabilities, no access control lists')
def _(h):
    put('f')
    fails(errno.ENODATA, os.getxattr, 'f', 'security.capability')
    fails(errno.EOPNOTSUPP, os.setxattr, 'f', 'security.tenon', b'x')
    fails(errno.EOPNOTSUPP, os.getxattr, 'f', 'system.posix_acl_access')


@case('a hundred writes send a hundred messages: none asks for security.capability', ('remote',))
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b'x' * 100)
    before = h.way.stats()['messages']
    for i in range(100):
        os.pwrite(fd, b'y', i)
    sent = h.way.stats()['messages'] - before
    os.close(fd)
    assert sent <= 110, sent


# ---- owners, modes, copies ----

@case('an owner that 9P2000 cannot set is EPERM, which cp -p and tar pass over', ('9P2000',))
def _(h):
    put('f')
    fails(errno.EPERM, os.chown, 'f', 12345, -1)
    fails(errno.EPERM, os.chown, 'f', -1, 12345)
    run('cp', '-p', 'f', 'g')


@case('chown takes the set-id bits of a file away, and leaves those of a directory', POSIX)
def _(h):
    put('f')
    os.mkdir('d')
    for name in 'fd':
        os.chmod(name, 0o6755)
        os.chown(name, os.getuid(), os.getgid())
    same([oct(os.stat(x).st_mode & 0o7777) for x in 'fd'], ['0o755', '0o6755'])
    os.chmod('f', 0o2745)  # the group may not execute it: a mark, not a right
    os.chown('f', os.getuid(), os.getgid())
    same(oct(os.stat('f').st_mode & 0o7777), '0o2745')


@case('a directory made in a set-gid directory is one itself', ('ram', 'union'))
def _(h):
    os.umask(0o002)
    os.mkdir('d')
    os.chmod('d', 0o2750)
    os.mkdir('d/sub', 0o775)
    same(oct(os.stat('d/sub').st_mode & 0o7777), '0o2775')


@case('a copy within the server is one request, however long', ('host',))
def _(h):
    put('f', b'0123456789' * 100000)
    a, b = os.open('f', os.O_RDONLY), opened('g')
    before = h.way.stats()['requests']
    same(os.copy_file_range(a, b, 1000000, 0, 0), 1000000)
    used = h.way.stats()['requests'] - before
    assert used <= 2, used
    assert get('g') == get('f')
    same(os.copy_file_range(a, b, 10, 999995, 1000000), 5)
    same(os.fstat(b).st_size, 1000005)


# ---- locks ----

def setlk(fd, kind, start=0, length=0, command=fcntl.F_SETLK):
    fcntl.fcntl(fd, command, FLOCK.pack(kind, os.SEEK_SET, start, length, 0))


def getlk(fd, kind, start=0, length=0, command=fcntl.F_GETLK):
    """(type, start, length, pid) of what is in the way, or None."""
    found = FLOCK.unpack(fcntl.fcntl(fd, command, FLOCK.pack(kind, os.SEEK_SET, start, length, 0)))
    return None if found[0] == fcntl.F_UNLCK else (found[0], found[2], found[3], found[4])


R, W, U = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK


def opened(name='f'):
    return os.open(name, os.O_RDWR | os.O_CREAT, 0o666)


class Other:
    """A process of its own that does what it is told, call by call; ends with the case."""

    def __init__(self):
        self.ask, theirs = os.pipe(), os.pipe()
        self.answer = theirs
        self.pid = in_child(self.work)
        os.close(self.ask[0])
        os.close(theirs[1])

    def work(self):
        os.close(self.ask[1])
        fds = []
        while True:
            line = b''
            while not line.endswith(b'\n'):
                byte = os.read(self.ask[0], 1)
                if not byte:
                    os._exit(0)
                line += byte
            try:
                result = eval(line, globals(), {'fds': fds})
            except OSError as e:
                result = errno.errorcode[e.errno]
            os.write(self.answer[1], (repr(result) + '\n').encode())

    def start(self, text):
        os.write(self.ask[1], text.encode() + b'\n')

    def result(self, seconds=20):
        end, line = time.monotonic() + seconds, b''
        while not line.endswith(b'\n'):
            left = max(0, end - time.monotonic())
            assert select.select([self.answer[0]], [], [], left)[0], 'no answer within %g s' % seconds
            byte = os.read(self.answer[0], 1)
            assert byte, 'it has ended'
            line += byte
        return eval(line)

    def do(self, text):
        self.start(text)
        return self.result()

    def sleeps(self):
        """Waits until it is in a call that waits for its lock."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with open('/proc/%d/syscall' % self.pid) as f:
                call = f.read().split()
            if call[0] in ('73', '32') or call[0] in ('72', '25') and int(call[2], 16) in WAITING:
                with open('/proc/%d/stat' % self.pid) as f:
                    if f.read().rsplit(')', 1)[1].split()[0] in 'SD':
                        return
        raise AssertionError('it does not wait')


@case('a write lock excludes, read locks are shared, and a range is what it says')
def _(h):
    fd = opened()
    o = Other()
    o.do('fds.append(opened())')
    setlk(fd, W, 10, 10)
    same(o.do('setlk(fds[0], W, 15, 1)'), 'EAGAIN')
    same(o.do('setlk(fds[0], R, 19, 1)'), 'EAGAIN')
    same(o.do('setlk(fds[0], W, 20, 0)'), None)
    fails(errno.EAGAIN, setlk, fd, R, 1 << 40, 1)
    setlk(fd, R, 10, 10)
    same(o.do('setlk(fds[0], R, 0, 20)'), None)
    fails(errno.EAGAIN, setlk, fd, W, 0, 5)
    setlk(fd, U, 0, 15)
    same(o.do('setlk(fds[0], W, 0, 15)'), None)
    same(o.do('setlk(fds[0], W, 0, 16)'), 'EAGAIN')


@case('F_GETLK tells who is in the way, and where')
def _(h):
    fd = opened()
    o = Other()
    o.do('fds.append(opened())')
    same(getlk(fd, W), None)
    o.do('setlk(fds[0], W, 100, 50)')
    o.do('setlk(fds[0], R, 200, 0)')
    same(getlk(fd, W), (W, 100, 50, o.pid))
    same(getlk(fd, R, 120, 1), (W, 100, 50, o.pid))
    same(getlk(fd, W, 150), (R, 200, 0, o.pid))
    same(getlk(fd, R, 150), None)
    same(o.do('getlk(fds[0], W)'), None)


@case('F_SETLKW waits until the lock has gone, and has it then within a moment')
def _(h):
    fd = opened()
    o = Other()
    o.do('fds.append(opened())')
    took = 0
    for _ in range(4):
        setlk(fd, W)
        o.start('setlk(fds[0], W, command=fcntl.F_SETLKW)')
        o.sleeps()
        time.sleep(0.35)  # so long that who only asks again by himself would do so each 200 ms
        start = time.monotonic()
        setlk(fd, U)
        same(o.result(), None)
        took += time.monotonic() - start
        fails(errno.EAGAIN, setlk, fd, R)
        o.do('setlk(fds[0], U)')
    assert took < 0.2, took


@case('who came first has it first')
def _(h):
    fd = opened()
    setlk(fd, W)
    waiting = []
    for _ in range(3):
        o = Other()
        o.do('fds.append(opened())')
        o.start('setlk(fds[0], W, command=fcntl.F_SETLKW)')
        o.sleeps()
        waiting.append(o)
    setlk(fd, U)
    for o in waiting:
        same(o.result(), None)
        same(o.do('setlk(fds[0], U)'), None)


@case('a lock made weaker lets those in who may read')
def _(h):
    fd = opened()
    setlk(fd, W)
    o = Other()
    o.do('fds.append(opened())')
    o.start('setlk(fds[0], R, command=fcntl.F_SETLKW)')
    o.sleeps()
    setlk(fd, R)
    same(o.result(), None)


@case('a signal with a handler ends the wait with EINTR at once, and one may wait again')
def _(h):
    fd = opened()
    setlk(fd, W)

    def waits():
        f = opened()
        signal.signal(signal.SIGUSR1, lambda *a: None)
        signal.siginterrupt(signal.SIGUSR1, True)
        buf = ctypes.create_string_buffer(FLOCK.pack(W, 0, 0, 0, 0))
        same(sized(LIBC.fcntl, f, fcntl.F_SETLKW, buf), (-1, 'EINTR'))
        setlk(f, W, command=fcntl.F_SETLKW)
    o = Other.__new__(Other)
    o.pid = in_child(waits)
    o.sleeps()
    start = time.monotonic()
    os.kill(o.pid, signal.SIGUSR1)
    took = time.monotonic() - start
    assert took < 0.4, took
    o.sleeps()
    setlk(fd, U)
    same(wait(o.pid, 10), 0)


@case('kill -9 of who waits ends him at once, and his lock never comes')
def _(h):
    fd = opened()
    setlk(fd, W)
    o = Other()
    o.do('fds.append(opened())')
    o.start('setlk(fds[0], W, command=fcntl.F_SETLKW)')
    o.sleeps()
    os.kill(o.pid, signal.SIGKILL)
    same(wait(o.pid, 1), -signal.SIGKILL)
    setlk(fd, U)
    o = Other()
    o.do('fds.append(opened())')
    same(o.do('setlk(fds[0], W)'), None)


@case('kill -9 of who has the lock gives it to who waits')
def _(h):
    o = Other()
    o.do('fds.append(opened())')
    o.do('setlk(fds[0], W)')
    p = Other()
    p.do('fds.append(opened())')
    p.start('setlk(fds[0], W, command=fcntl.F_SETLKW)')
    p.sleeps()
    os.kill(o.pid, signal.SIGKILL)
    same(p.result(5), None)
    wait(o.pid)


@case('close of any descriptor of the file drops the process\'s locks, and nobody else\'s')
def _(h):
    fd = opened()
    o, p = Other(), Other()
    for x in (o, p):
        x.do('fds.append(opened())')
    o.do('fds.append(opened())')
    o.do('setlk(fds[0], W, 0, 10)')
    p.do('setlk(fds[0], W, 10, 10)')
    fails(errno.EAGAIN, setlk, fd, W, 0, 10)
    o.do('os.close(fds[1])')
    setlk(fd, W, 0, 10)
    fails(errno.EAGAIN, setlk, fd, W, 10, 10)


@case('a child has none of its parent\'s locks, and its close drops none of them')
def _(h):
    fd = opened()
    setlk(fd, W)
    o = Other()
    same(o.do('setlk(%d, W)' % fd), 'EAGAIN')
    o.do('os.close(%d)' % fd)
    o.do('fds.append(opened())')
    same(o.do('setlk(fds[0], W)'), 'EAGAIN')


@case('two who wait for each other: the second is told EDEADLK')
def _(h):
    fd = opened()
    setlk(fd, W, 0, 1)
    o = Other()
    o.do('fds.append(opened())')
    o.do('setlk(fds[0], W, 1, 1)')
    o.start('setlk(fds[0], W, 0, 1, fcntl.F_SETLKW)')
    o.sleeps()
    fails(errno.EDEADLK, setlk, fd, W, 1, 1, fcntl.F_SETLKW)
    setlk(fd, U)
    same(o.result(), None)


@case('who was interrupted waits for nobody: there is no circle through him')
def _(h):
    fd = opened()
    setlk(fd, W, 0, 1)

    def waits(ready):
        f = opened()
        setlk(f, W, 1, 1)
        signal.signal(signal.SIGUSR1, lambda *a: None)
        signal.siginterrupt(signal.SIGUSR1, True)
        buf = ctypes.create_string_buffer(FLOCK.pack(W, 0, 0, 1, 0))
        same(sized(LIBC.fcntl, f, fcntl.F_SETLKW, buf), (-1, 'EINTR'))
        os.write(ready, b'.')
        time.sleep(60)
    r, w = os.pipe()
    o = Other.__new__(Other)
    o.pid = in_child(waits, w)
    o.sleeps()
    os.kill(o.pid, signal.SIGUSR1)
    same(os.read(r, 1), b'.')
    p = in_child(lambda: (time.sleep(0.3), os.kill(o.pid, signal.SIGKILL)))
    setlk(fd, W, 1, 1, fcntl.F_SETLKW)
    wait(p)
    wait(o.pid)


@case('locks of an open file description go with it, not with the process')
def _(h):
    a, b = opened(), opened()
    setlk(a, W, 0, 10, F_OFD_SETLK)
    fails(errno.EAGAIN, setlk, b, W, 5, 1, F_OFD_SETLK)
    fails(errno.EAGAIN, setlk, b, W, 5, 1)
    same(getlk(b, W, 0, 0, F_OFD_GETLK)[:3], (W, 0, 10))
    dup = os.dup(a)
    os.close(a)
    fails(errno.EAGAIN, setlk, b, W, 5, 1, F_OFD_SETLK)
    o = Other()
    o.do('fds.append(opened())')
    o.start('setlk(fds[0], W, 0, 0, F_OFD_SETLKW)')
    o.sleeps()
    o2 = Other()  # holds copies of dup and b
    os.close(dup)
    o2.do('os.close(%d)' % dup)
    o2.do('os.close(%d)' % b)
    os.kill(o2.pid, signal.SIGKILL)
    wait(o2.pid)
    # o was forked with copies of dup and b too
    same(getlk(b, W, 0, 0, F_OFD_GETLK)[:3], (W, 0, 10))
    os.kill(o.pid, signal.SIGKILL)
    wait(o.pid)
    same(getlk(b, W, 0, 0, F_OFD_GETLK), None)


@case('flock excludes by open file, is shared by dup and fork, and ends with the last close')
def _(h):
    a, b = opened(), opened()
    fcntl.flock(a, fcntl.LOCK_EX)
    fails(errno.EAGAIN, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    dup = os.dup(a)
    fcntl.flock(dup, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(a)
    fails(errno.EAGAIN, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    o = Other()
    os.close(dup)
    fails(errno.EAGAIN, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    o.do('os.close(%d)' % dup)
    fcntl.flock(b, fcntl.LOCK_SH)


@case('flock waits, is interrupted, and goes to who waits')
def _(h):
    fd = opened()
    fcntl.flock(fd, fcntl.LOCK_EX)
    o, p = Other(), Other()
    for x in (o, p):
        x.do('os.close(%d)' % fd)
        x.do('fds.append(opened())')
        x.start('fcntl.flock(fds[0], fcntl.LOCK_EX)')
        x.sleeps()
    os.kill(o.pid, signal.SIGKILL)
    same(wait(o.pid, 1), -signal.SIGKILL)
    start = time.monotonic()
    fcntl.flock(fd, fcntl.LOCK_UN)
    same(p.result(), None)
    assert time.monotonic() - start < 1
    fails(errno.EAGAIN, fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


@case('flock: the last close of who had it gives it to who waits within a moment')
def _(h):
    took = 0
    for _ in range(2):
        fd = opened()
        fcntl.flock(fd, fcntl.LOCK_EX)
        o = Other()
        o.do('os.close(%d)' % fd)
        o.do('fds.append(opened())')
        o.start('fcntl.flock(fds[0], fcntl.LOCK_EX)')
        o.sleeps()
        time.sleep(0.7)  # so long that who only asks again by himself would do so half a second later
        start = time.monotonic()
        os.close(fd)
        same(o.result(), None)
        took += time.monotonic() - start
        o.do('fcntl.flock(fds[0], fcntl.LOCK_UN)')
    assert took < 0.4, took


@case('flock: who asks for the other kind in vain has lost the one he had')
def _(h):
    a, b, c = opened(), opened(), opened()
    fcntl.flock(a, fcntl.LOCK_SH)
    fcntl.flock(b, fcntl.LOCK_SH)
    fails(errno.EAGAIN, fcntl.flock, a, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(b, fcntl.LOCK_UN)
    fcntl.flock(c, fcntl.LOCK_EX | fcntl.LOCK_NB)


@case('flock and fcntl are not in each other\'s way')
def _(h):
    a = opened()
    fcntl.flock(a, fcntl.LOCK_EX)
    o = Other()
    o.do('os.close(%d)' % a)
    o.do('fds.append(opened())')
    same(o.do('setlk(fds[0], W)'), None)


@case('forty processes count a file up under its lock, and none is lost')
def _(h):
    put('n', b'%08d' % 0)

    def count(i):
        for _ in range(25):
            fd = os.open('n', os.O_RDWR)
            setlk(fd, W, 0, 0, fcntl.F_SETLKW)
            n = int(os.pread(fd, 8, 0))
            os.pwrite(fd, b'%08d' % (n + 1), 0)
            os.close(fd)
    together(40, count)
    same(get('n'), b'%08d' % 1000)


@case('locks of the host and of the door exclude each other', ('host',))
def _(h):
    there = os.path.join(h.way.host, os.path.basename(h.d), 'f')
    fd = opened()
    out = os.open(there, os.O_RDWR)
    setlk(fd, W, 0, 10)
    fails(errno.EAGAIN, setlk, out, W, 5, 1, F_OFD_SETLK)
    setlk(out, W, 20, 10, F_OFD_SETLK)
    fails(errno.EAGAIN, setlk, fd, W, 25, 1)
    o = Other()
    o.do('os.close(%d)' % out)
    o.do('fds.append(opened())')
    o.start('setlk(fds[0], W, 20, 1, fcntl.F_SETLKW)')
    o.sleeps()
    setlk(out, U, 0, 0, F_OFD_SETLK)
    same(o.result(2), None)


@once('a closed file sends nothing about locks that its process never had')
def _(h):
    put('f')
    fd = os.open('f', os.O_RDWR)
    before = h.way.stats()['requests']
    os.close(os.dup(fd))
    same(h.way.stats()['requests'], before)
    os.close(fd)


@once('when the kernel ends it while programs wait for locks, it ends, and says nothing')
def _(h):
    way = Way(h.build)
    try:
        os.chdir(way.top)
        fd = opened()
        setlk(fd, W)
        fcntl.flock(fd, fcntl.LOCK_EX)
        o, p = Other(), Other()
        for x, call in ((o, 'setlk(fds[0], W, command=fcntl.F_SETLKW)'), (p, 'fcntl.flock(fds[0], fcntl.LOCK_EX)')):
            x.do('os.close(%d)' % fd)
            x.do('fds.append(opened())')
            x.start(call)
            x.sleeps()
        abort(os.stat('.').st_dev)
        for x in (o, p):
            assert x.result() in ('ECONNABORTED', 'EINTR', 'ENOTCONN'), 'it has another error'
        os.chdir('/')
    finally:
        wrong = way.end()
    same(wrong, '')


def abort(dev):
    """fusectl: what is under way fails, and the door reads ENODEV."""
    where = tempfile.mkdtemp(prefix='fusectl-')
    check(LIBC.mount(b'none', where.encode(), b'fusectl', 0, None))
    try:
        with open('%s/%d/abort' % (where, os.minor(dev)), 'w') as f:
            f.write('1')
    finally:
        check(LIBC.umount2(where.encode(), 2))
        os.rmdir(where)


if __name__ == '__main__':
    sys.exit(doorbench.main(doorbench.CASES))
