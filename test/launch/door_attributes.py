"""What is said about files through the FUSE door: times, modes, owners, numbers."""
import ctypes
import errno
import os
import stat
import time

from doorbench import LIBC, PLAIN, POSIX, case, check, fails, get, in_child, put, run, same, wait


@case('utimens sets both times to the nanosecond', POSIX)
def _(h):
    put('f')
    os.utime('f', ns=(1234567890123456789, 987654321098765432))
    st = os.stat('f')
    same((st.st_atime_ns, st.st_mtime_ns), (1234567890123456789, 987654321098765432))
    os.utime('f', ns=(-1500000000, -1))
    st = os.stat('f')
    same((st.st_atime_ns, st.st_mtime_ns), (-1500000000, -1))


@case('utimens sets the time of change to the second', PLAIN)
def _(h):
    put('f')
    os.utime('f', ns=(1234567890000000000, 987654321000000000))
    same(os.stat('f').st_mtime, 987654321)


@case('UTIME_NOW and UTIME_OMIT are what they say', POSIX)
def _(h):
    class Timespec(ctypes.Structure):
        _fields_ = [('s', ctypes.c_int64), ('ns', ctypes.c_int64)]
    put('f')
    os.utime('f', (100, 200))
    times = (Timespec * 2)((0, (1 << 30) - 2), (0, (1 << 30) - 1))  # atime: omit, mtime: now
    check(LIBC.utimensat(-100, b'f', times, 0))
    st = os.stat('f')
    same(st.st_atime, 100)
    assert abs(st.st_mtime - time.time()) < 60


@case('touch without a time takes the present one')
def _(h):
    put('f')
    os.utime('f', (1000, 1000))
    run('touch', 'f')
    assert abs(os.stat('f').st_mtime - time.time()) < 60


@case('a write moves the time of change')
def _(h):
    put('f', b'x')
    os.utime('f', (1000, 1000))
    put('f', b'y')
    assert abs(os.stat('f').st_mtime - time.time()) < 60


@case('chmod sets the bits, of files and directories')
def _(h):
    put('f')
    os.mkdir('d')
    for mode in (0o600, 0o755, 0o444, 0o777):
        os.chmod('f', mode)
        same(os.stat('f').st_mode, stat.S_IFREG | mode)
        os.chmod('d', mode | 0o500)
        same(os.stat('d').st_mode, stat.S_IFDIR | mode | 0o500)


@case('chown to the owner that is shown is no change')
def _(h):
    put('f')
    st = os.stat('f')
    os.chown('f', st.st_uid, st.st_gid)
    os.chown('f', -1, -1)
    same(st.st_uid, os.getuid())


@case('who writes a set-uid file and is not privileged takes that bit away', ('ram',))
def _(h):
    put('f', b'x')
    os.chmod('f', 0o6777)
    same(os.stat('f').st_mode & 0o7777, 0o6777)

    def other():
        os.setgroups([])
        os.setgid(4711)
        os.setuid(4711)
        fd = os.open('f', os.O_WRONLY)
        os.write(fd, b'y')
        os.close(fd)
    os.chmod(h.d, 0o755)
    same(wait(in_child(other)), 0)
    same(os.stat('f').st_mode & 0o7777, 0o777)


@case('statvfs tells how much there is, or at least how long names may be')
def _(h):
    v = os.statvfs('.')
    same(v.f_namemax, 255)
    if h.tree != 'remote':
        assert v.f_blocks > 0 and v.f_bavail <= v.f_blocks


@case('truncate by name cuts and extends with zeros')
def _(h):
    put('f', b'0123456789')
    os.truncate('f', 4)
    same(get('f'), b'0123')
    os.truncate('f', 10)
    same(get('f'), b'0123' + bytes(6))
    fails(errno.EISDIR, os.truncate, '.', 0)
    fails(errno.ENOENT, os.truncate, 'no', 0)


@case('st_ino is one number for a file, another for each other one, and that of its entry')
def _(h):
    put('a')
    os.mkdir('b')
    numbers = {os.stat(x).st_ino for x in ('a', 'b', '.')}
    same(len(numbers), 3)
    same({e.name: e.inode() for e in os.scandir('.')}, {x: os.stat(x).st_ino for x in ('a', 'b')})


@case('access tells what open would')
def _(h):
    put('f')
    assert os.access('f', os.R_OK | os.W_OK)
    assert not os.access('f', os.X_OK)
    assert not os.access('no', os.F_OK)
    os.chmod('f', 0o755)
    assert os.access('f', os.X_OK)
