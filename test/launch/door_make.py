"""Files and directories that are made, opened, and removed while they are open, through the FUSE door."""
import errno
import os
import shutil
import stat

from doorbench import POSIX, case, fails, get, put, same, together


# ---- making, opening ----

@case('a created file has what was written, and its length')
def _(h):
    put('f', b'hello')
    same(get('f'), b'hello')
    same(os.stat('f').st_size, 5)
    assert stat.S_ISREG(os.stat('f').st_mode)


@case('O_EXCL refuses a name that is there and makes one that is not')
def _(h):
    put('f', b'x', os.O_EXCL)
    fails(errno.EEXIST, put, 'f', b'', os.O_EXCL)
    same(get('f'), b'x')


@case('opening what is not there is ENOENT, below a file ENOTDIR, a directory for writing EISDIR')
def _(h):
    fails(errno.ENOENT, os.open, 'no', os.O_RDONLY)
    put('f')
    fails(errno.ENOTDIR, os.open, 'f/x', os.O_RDONLY)
    os.mkdir('d')
    fails(errno.EISDIR, os.open, 'd', os.O_WRONLY)
    fails(errno.ENOTDIR, os.open, 'f', os.O_RDONLY | os.O_DIRECTORY)


@case('O_TRUNC empties, and without it the old content stays')
def _(h):
    put('f', b'0123456789')
    fd = os.open('f', os.O_WRONLY)
    os.write(fd, b'ab')
    os.close(fd)
    same(get('f'), b'ab23456789')
    os.close(os.open('f', os.O_WRONLY | os.O_TRUNC))
    same(os.stat('f').st_size, 0)


@case('O_CREAT on a file that is there opens it as it is')
def _(h):
    put('f', b'abc')
    os.chmod('f', 0o640)
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    same(os.read(fd, 10), b'abc')
    os.close(fd)
    same(os.stat('f').st_mode & 0o777, 0o640)


@case('four appending writers lose nothing')
def _(h):
    def writer(i):
        fd = os.open('log', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for k in range(200):
            same(os.write(fd, b'%d %05d\n' % (i, k)), 8)
        os.close(fd)
    put('log')
    together(4, writer)
    lines = get('log').split(b'\n')[:-1]
    same(len(lines), 800)
    for i in range(4):
        same([x for x in lines if x[:1] == b'%d' % i], [b'%d %05d' % (i, k) for k in range(200)])


@case('a file made with mode 0444 can be written by who made it, and its length set by the descriptor')
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o444)
    os.write(fd, b'0123456789')
    os.ftruncate(fd, 4)
    same(os.fstat(fd).st_size, 4)
    same(os.fstat(fd).st_mode & 0o777, 0o444)
    os.close(fd)


@case('the umask holds for files and directories')
def _(h):
    os.umask(0o027)
    put('f', b'', 0, 0o666)
    os.mkdir('d', 0o777)
    same(os.stat('f').st_mode & 0o777, 0o640)
    same(os.stat('d').st_mode & 0o777, 0o750)


# open(2), mkdir(2), mknod(2): mode & ~umask. 9P's create also takes away what the directory does not permit, create(5).
@case('what is made has the permissions asked for, whatever those of its directory are')
def _(h):
    os.umask(0o022)
    os.mkdir('narrow', 0o700)
    put('narrow/f', b'', 0, 0o666)
    os.close(os.open('narrow/x', os.O_RDONLY | os.O_CREAT, 0o755))
    os.close(os.open('narrow/r', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444))
    os.mkdir('narrow/d', 0o755)
    os.mknod('narrow/n', 0o644 | stat.S_IFREG)
    for name, mode in (('f', 0o644), ('x', 0o755), ('r', 0o444), ('d', 0o755), ('n', 0o644)):
        same((name, oct(os.stat('narrow/' + name).st_mode & 0o7777)), (name, oct(mode)))
    put('narrow/f', b'more', 0, 0o600)  # it is there: its permissions stay
    same(os.stat('narrow/f').st_mode & 0o777, 0o644)


@case('a file opened through /proc/self/fd is the same file')
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    os.write(fd, b'abc')
    again = os.open('/proc/self/fd/%d' % fd, os.O_RDONLY)
    same(os.read(again, 10), b'abc')
    same(os.fstat(again).st_ino, os.fstat(fd).st_ino)
    os.close(again)
    os.close(fd)


@case('mkdir makes, refuses what is there, and rmdir refuses what is not empty')
def _(h):
    os.mkdir('d')
    fails(errno.EEXIST, os.mkdir, 'd')
    put('d/f')
    fails(errno.ENOTEMPTY, os.rmdir, 'd')
    fails(errno.EISDIR, os.unlink, 'd')
    fails(errno.ENOTDIR, os.rmdir, 'd/f')
    os.unlink('d/f')
    os.rmdir('d')
    fails(errno.ENOENT, os.stat, 'd')
    fails(errno.ENOENT, os.rmdir, 'd')


@case('names have up to 255 bytes, any but slash and zero')
def _(h):
    names = [b'n' * 255, b'\xff\xfe\x80', b' ', b'\n', b'...', b'-', 'žluť'.encode(), b"'", b'#x', b'*']
    for name in names:
        put(name, name)
    same(sorted(os.listdir(b'.')), sorted(names))
    for name in names:
        same(get(name), name)
    fails(errno.ENAMETOOLONG, put, b'n' * 256)
    fails(errno.ENAMETOOLONG, os.stat, b'n' * 256)
    fails(errno.ENAMETOOLONG, os.mkdir, b'n' * 256)
    fails(errno.ENAMETOOLONG, os.rename, b' ', b'n' * 256)


@case('a directory removed while somebody stands in it is gone: nothing can be made there')
def _(h):
    os.mkdir('d')
    os.chdir('d')
    os.rmdir('../d')
    fails(errno.ENOENT, put, 'f')
    fails(errno.ENOENT, os.stat, '../d/..')
    os.chdir(h.d)
    os.mkdir('d')
    put('d/f')


@case('a tree a hundred directories deep can be made, walked and removed')
def _(h):
    for i in range(100):
        os.mkdir('d')
        os.chdir('d')
    put('f', b'deep')
    os.chdir(h.d)
    same(get('/'.join(['d'] * 100 + ['f'])), b'deep')
    same(os.getcwd(), h.d)
    shutil.rmtree('d')
    same(os.listdir('.'), [])


# ---- removing what is open ----

@case('a file that was unlinked while open is read, written, cut and asked about as before')
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    os.write(fd, b'0123456789')
    os.unlink('f')
    fails(errno.ENOENT, os.stat, 'f')
    same(os.listdir('.'), [])
    same(os.pread(fd, 10, 0), b'0123456789')
    os.pwrite(fd, b'ab', 10)
    same(os.fstat(fd).st_size, 12)
    os.ftruncate(fd, 3)
    same(os.pread(fd, 10, 0), b'012')
    os.fsync(fd)
    os.close(fd)


@case('an unlinked open file and a new one of its name are two files')
def _(h):
    put('f', b'old')
    fd = os.open('f', os.O_RDWR)
    os.unlink('f')
    put('f', b'new file')
    same(os.pread(fd, 10, 0), b'old')
    same(get('f'), b'new file')
    assert os.fstat(fd).st_ino != os.stat('f').st_ino
    os.close(fd)


@case('fstat says that an unlinked file has no name any more', POSIX)
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    os.unlink('f')
    same(os.fstat(fd).st_nlink, 0)
    os.close(fd)
