"""Calls of Linux that Python's library has not, or not all of: by ctypes. Each raises OSError."""
import ctypes
import fcntl
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EACCESS = 0x200
AT_SYMLINK_FOLLOW = 0x400
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE = 1, 2
F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
SEEK_DATA, SEEK_HOLE = 3, 4
LOCK = struct.Struct('hhqqi4x')  # struct flock where off_t has 64 bits


class Timespec(ctypes.Structure):
    _fields_ = [('sec', ctypes.c_long), ('nsec', ctypes.c_long)]


def check(result, path=None):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result


def rename2(old, new, flags):
    return check(libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags), old)


def link_open(fd, path):
    """Gives a name to what is open."""
    return check(libc.linkat(AT_FDCWD, b'/proc/self/fd/%d' % fd, AT_FDCWD, os.fsencode(path), AT_SYMLINK_FOLLOW), path)


def utimensat(path, atime, mtime, flags=0):
    """Times are (seconds, nanoseconds), or None for both: now."""
    times = None if atime is None else (Timespec * 2)(Timespec(*atime), Timespec(*mtime))
    return check(libc.utimensat(AT_FDCWD, os.fsencode(path), times, flags), path)


def fallocate(fd, mode, offset, length):
    return check(libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)))


def raw(name, *args):
    """A call with any arguments, such as wrong ones."""
    return check(getattr(libc, name)(*args))


def lock(fd, kind, start=0, length=0, command=fcntl.F_SETLK, whence=os.SEEK_SET):
    """-> what the kernel says: type, whence, start, length, pid"""
    return LOCK.unpack(fcntl.fcntl(fd, command, LOCK.pack(kind, whence, start, length, 0)))


def conflict(fd, kind, start=0, length=0, command=fcntl.F_GETLK):
    """-> (type, start, length, pid) of a lock in the way, or None"""
    type_, _, start, length, pid = lock(fd, kind, start, length, command)
    return None if type_ == fcntl.F_UNLCK else (type_, start, length, pid)
