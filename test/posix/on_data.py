"""Content: reads, writes, holes, truncate, allocation, mmap, unlinked open files, statvfs."""
import errno
import mmap
import os
import resource
import signal

import calls
from suite import OTHER, as_user, case, fails, get, given, holds, identity, mode, opened, put, same

RW = os.O_RDWR | os.O_CREAT


@case('a byte written far behind the end leaves zeros before it', 'lseek(2)')
def hole():
    with opened('x', RW) as fd:
        os.pwrite(fd, b'end', 100000)
        same('before', os.pread(fd, 100000, 0), bytes(100000))
    same('the size', os.stat('x').st_size, 100003)


@case('a hole of 1 TiB takes no space to speak of', 'lseek(2), stat(2): st_blocks')
def big_hole():
    with opened('x', RW) as fd:
        os.pwrite(fd, b'end', 1 << 40)
        same('the size', os.fstat(fd).st_size, (1 << 40) + 3)
        same('far in it', os.pread(fd, 10, 1 << 39), bytes(10))
        holds('blocks: %d' % os.fstat(fd).st_blocks, os.fstat(fd).st_blocks < 10000)
        same('the end', os.pread(fd, 10, 1 << 40), b'end')


@case('reading at the end and behind it is the end of the file', 'read(2)')
def at_the_end():
    put('x', b'abc')
    with opened('x', os.O_RDONLY) as fd:
        same('reads', [os.pread(fd, 5, 2), os.pread(fd, 5, 3), os.pread(fd, 5, 10 ** 9)], [b'c', b'', b''])


@case('1 MiB in one write is there for one read', 'write(2), read(2)')
def one_large():
    data = os.urandom(1 << 20)
    with opened('x', RW) as fd:
        same('written', os.write(fd, data), len(data))
        holds('it is not what was written', os.pread(fd, len(data) + 1, 0) == data)


@case('a read sees what another descriptor has just written', 'write(2): POSIX requires')
def coherent():
    with opened('x', RW) as a, opened('x', os.O_RDONLY) as b:
        for i in range(50):
            os.pwrite(a, b'%05d' % i, i % 7)
            same('read', os.pread(b, 5, i % 7), b'%05d' % i)
            same('the size', os.fstat(b).st_size, min(i, 6) + 5)


@case('writev and readv keep the order of their pieces', 'readv(2)')
def vectors():
    with opened('x', RW) as fd:
        os.writev(fd, [b'one', b'', b'three'])
        a, b = bytearray(4), bytearray(10)
        os.lseek(fd, 0, os.SEEK_SET)
        same('read', os.readv(fd, [a, b]), 8)
        same('pieces', (bytes(a), bytes(b[:4])), (b'onet', b'hree'))


@case('a write of nothing changes nothing', 'write(2)')
def write_nothing():
    put('x', b'abc')
    with opened('x', os.O_RDWR) as fd:
        same('written', os.pwrite(fd, b'', 100), 0)
    same('the content', get('x'), b'abc')


@case('a write behind RLIMIT_FSIZE fails with EFBIG', 'write(2): EFBIG, setrlimit(2)')
def file_limit():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    with opened('x', RW) as fd:
        same('written', os.write(fd, bytes(2000)), 1000)
        fails(errno.EFBIG, os.write, fd, b'x')
        fails(errno.EFBIG, os.ftruncate, fd, 1001)


@case('a negative offset is EINVAL', 'lseek(2), pread(2), truncate(2): EINVAL')
def negative():
    put('x', b'abc')
    with opened('x', os.O_RDWR) as fd:
        fails(errno.EINVAL, os.lseek, fd, -1, os.SEEK_SET)
        fails(errno.EINVAL, os.pread, fd, 1, -1)
        fails(errno.EINVAL, os.ftruncate, fd, -1)
        fails(errno.EINVAL, os.truncate, 'x', -1)


@case('SEEK_DATA and SEEK_HOLE: a file without holes has one at its end, none behind it', 'lseek(2)')
def seek_hole():
    put('x', b'abc')
    with opened('x', os.O_RDONLY) as fd:
        same('data', os.lseek(fd, 1, calls.SEEK_DATA), 1)
        same('hole', os.lseek(fd, 0, calls.SEEK_HOLE), 3)
        fails(errno.ENXIO, os.lseek, fd, 3, calls.SEEK_DATA)
        fails(errno.ENXIO, os.lseek, fd, 4, calls.SEEK_HOLE)


# ---- truncate ----

for name, change in (('truncate', os.truncate), ('ftruncate', None)):
    def cut(size, change=change):
        if change:
            return change('x', size)
        with opened('x', os.O_RDWR) as fd:
            os.ftruncate(fd, size)

    @case('%s to less cuts, to more fills with zeros' % name, 'truncate(2)', name=name)
    def truncate(cut=cut):
        put('x', b'abcdef')
        cut(3)
        same('the content', get('x'), b'abc')
        cut(5)
        same('the content', get('x'), b'abc\0\0')
        cut(0)
        same('the content', get('x'), b'')

    @case('%s to 1 TiB is the size, and zeros' % name, 'truncate(2)', name=name + '-far')
    def far(cut=cut):
        put('x', b'abc')
        cut(1 << 40)
        same('the size', os.stat('x').st_size, 1 << 40)
        with opened('x', os.O_RDONLY) as fd:
            same('the end', os.pread(fd, 10, (1 << 40) - 3), bytes(3))

    @case('%s does not bring back what was cut' % name, 'truncate(2)', name=name + '-forgets')
    def forgets(cut=cut):
        put('x', b'a' * 10000)
        cut(100)
        cut(10000)
        same('behind the cut', get('x')[100:].strip(b'\0'), b'')


@case('truncate of a directory is EISDIR', 'truncate(2): EISDIR')
def truncate_directory():
    os.mkdir('d')
    fails(errno.EISDIR, os.truncate, 'd', 0)


@case('truncate follows a symbolic link', 'truncate(2)')
def truncate_link():
    put('x', b'abc')
    os.symlink('x', 'l')
    os.truncate('l', 1)
    same('the content', get('x'), b'a')


@case('who may not write a file may not truncate it', 'truncate(2): EACCES', 'root')
def truncate_refused():
    put('x', b'abc', 0o644)
    with as_user():
        fails(errno.EACCES, os.truncate, 'x', 0)
    same('the content', get('x'), b'abc')


@case('ftruncate works by a descriptor whose file may not be written any more', 'ftruncate(2)', 'root')
def truncate_open():
    put('x', b'abc')
    given('x', OTHER, OTHER, 0o600)
    with as_user(), opened('x', os.O_RDWR) as fd:
        os.chmod('x', 0o400)
        os.ftruncate(fd, 1)
    same('the content', get('x'), b'a')


# ---- allocation ----

@case('posix_fallocate makes the file as long, and leaves what is in it', 'posix_fallocate(3)')
def allocate():
    put('x', b'abc')
    with opened('x', os.O_RDWR) as fd:
        os.posix_fallocate(fd, 0, 10000)
    same('the content', get('x'), b'abc' + bytes(9997))


@case('fallocate that keeps the size keeps it', 'fallocate(2)')
def allocate_keep():
    put('x', b'abc')
    with opened('x', os.O_RDWR) as fd:
        calls.fallocate(fd, calls.FALLOC_KEEP_SIZE, 0, 10000)
    same('the content', get('x'), b'abc')


@case('a hole that is punched reads as zeros', 'fallocate(2)')
def punch():
    put('x', b'a' * 20000)
    with opened('x', os.O_RDWR) as fd:
        calls.fallocate(fd, calls.FALLOC_KEEP_SIZE | calls.FALLOC_PUNCH_HOLE, 5000, 10000)
    same('the content', get('x') == b'a' * 5000 + bytes(10000) + b'a' * 5000, True)


@case('copy_file_range copies within the file system', 'copy_file_range(2)')
def copy_range():
    data = os.urandom(50000)
    put('x', data)
    with opened('x', os.O_RDONLY) as a, opened('y', RW) as b:
        done = 0
        while done < 40000:
            n = os.copy_file_range(a, b, 40000 - done, 1000 + done, done)
            holds('nothing was copied', n > 0)
            done += n
    same('the content', get('y') == data[1000:41000], True)


@case('sendfile copies', 'sendfile(2)')
def sendfile():
    put('x', b'abcdef')
    with opened('x', os.O_RDONLY) as a, opened('y', RW) as b:
        same('sent', os.sendfile(b, a, 2, 10), 4)
    same('the content', get('y'), b'cdef')


@case('fsync, fdatasync and fsync of a directory succeed', 'fsync(2)')
def sync():
    with opened('x', RW) as fd:
        os.write(fd, b'abc')
        os.fdatasync(fd)
        os.fsync(fd)
    with opened('.', os.O_RDONLY) as fd:
        os.fsync(fd)


# ---- mmap ----

@case('what a shared map writes is read by read', 'mmap(2): MAP_SHARED')
def map_writes():
    put('x', bytes(10000))
    with opened('x', os.O_RDWR) as fd, mmap.mmap(fd, 10000) as m:
        m[5000:5003] = b'abc'
        m.flush()
        same('read', os.pread(fd, 3, 5000), b'abc')
    same('the file', get('x')[4999:5004], b'\0abc\0')


@case('what write writes is seen in a shared map', 'mmap(2): MAP_SHARED')
def map_reads():
    put('x', bytes(10000))
    with opened('x', os.O_RDWR) as fd, mmap.mmap(fd, 10000) as m:
        same('before', m[5000:5003], bytes(3))
        os.pwrite(fd, b'abc', 5000)
        same('after', m[5000:5003], b'abc')


@case('two shared maps of a file are one memory', 'mmap(2): MAP_SHARED')
def map_twice():
    put('x', bytes(4096))
    with opened('x', os.O_RDWR) as a, opened('x', os.O_RDWR) as b:
        with mmap.mmap(a, 4096) as m, mmap.mmap(b, 4096) as n:
            m[17] = 42
            same('the other', n[17], 42)


@case('a private map changes nothing of the file', 'mmap(2): MAP_PRIVATE')
def map_private():
    put('x', b'a' * 4096)
    with opened('x', os.O_RDWR) as fd, mmap.mmap(fd, 4096, mmap.MAP_PRIVATE) as m:
        m[0:3] = b'xyz'
    same('the file', get('x'), b'a' * 4096)


@case('a map outlives its descriptor and its file\'s name', 'mmap(2), munmap(2)')
def map_outlives():
    put('x', b'a' * 4096)
    fd = os.open('x', os.O_RDWR)
    m = mmap.mmap(fd, 4096)
    os.close(fd)
    os.unlink('x')
    m[0:3] = b'xyz'
    same('in the map', m[0:4], b'xyza')
    m.close()


@case('a file opened for reading is not mapped shared for writing', 'mmap(2): EACCES')
def map_refused():
    put('x', b'a' * 4096)
    with opened('x', os.O_RDONLY) as fd:
        fails(errno.EACCES, mmap.mmap, fd, 4096)


@case('behind the end of the file a page of a map has zeros, which are not written', 'mmap(2): NOTES')
def map_tail():
    put('x', b'abc')
    with opened('x', os.O_RDWR) as fd, mmap.mmap(fd, 3) as m:
        m[2:3] = b'z'
        m.flush()
    same('the file', get('x'), b'abz')


# ---- without a name ----

@case('a file without a name is read and written until it is closed', 'unlink(2)')
def unlinked():
    with opened('x', RW) as fd:
        os.write(fd, b'abc')
        os.unlink('x')
        os.write(fd, b'def')
        same('read', os.pread(fd, 10, 0), b'abcdef')
        os.ftruncate(fd, 4)
        same('the size', os.fstat(fd).st_size, 4)
        same('names', os.listdir('.'), [])


@case('a file without a name has no link', 'unlink(2), stat(2): st_nlink')
def unlinked_links():
    with opened('x', RW) as fd:
        os.unlink('x')
        same('links', os.fstat(fd).st_nlink, 0)


@case('fchmod, fchown and futimens work on a file without a name', 'unlink(2), chmod(2)')
def unlinked_attributes():
    with opened('x', RW) as fd:
        os.unlink('x')
        os.fchmod(fd, 0o600)
        os.fchown(fd, os.geteuid(), os.getegid())
        os.utime(fd, ns=(5 * 10 ** 9, 6 * 10 ** 9))
        st = os.fstat(fd)
        same('mode and time', (st.st_mode & 0o777, st.st_mtime_ns), (0o600, 6 * 10 ** 9))


@case('a file without a name and a new one of that name are two', 'unlink(2)')
def unlinked_replaced():
    with opened('x', RW) as fd:
        os.write(fd, b'old')
        os.unlink('x')
        put('x', b'new')
        holds('they are one', identity(fd) != identity('x'))
        same('contents', (os.pread(fd, 10, 0), get('x')), (b'old', b'new'))


@case('a file that another was renamed over is read and written until it is closed', 'rename(2)')
def renamed_over():
    with opened('x', RW) as fd:
        os.write(fd, b'old')
        put('y', b'new')
        os.rename('y', 'x')
        os.write(fd, b'er')
        same('contents', (os.pread(fd, 10, 0), get('x')), (b'older', b'new'))


@case('a removed directory that is open is empty, and nothing is made in it', 'rmdir(2)')
def unlinked_directory():
    os.mkdir('d')
    with opened('d', os.O_RDONLY) as fd:
        os.rmdir('d')
        same('names', os.listdir(fd), [])
        fails(errno.ENOENT, os.open, 'x', RW, dir_fd=fd)
        fails(errno.ENOENT, os.mkdir, 'x', dir_fd=fd)


@case('statvfs knows a name\'s greatest length and a size of blocks', 'statvfs(3)')
def statvfs():
    s = os.statvfs('.')
    same('the length', s.f_namemax, 255)
    holds('block size %d' % s.f_frsize, s.f_frsize >= 512)


@case('the size of what is written grows st_blocks', 'stat(2): st_blocks')
def blocks():
    with opened('x', RW) as fd:
        os.write(fd, os.urandom(100000))
        os.fsync(fd)
        holds('blocks: %d' % os.fstat(fd).st_blocks, 195 <= os.fstat(fd).st_blocks < 400)
