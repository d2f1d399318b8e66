"""Renames, hard and symbolic links through the FUSE door."""
import errno
import mmap
import os
import stat

from doorbench import EXCHANGE, NOREPLACE, PLAIN, POSIX, case, fails, get, in_child, put, renameat2, run, same, wait


# ---- renaming ----

@case('rename within a directory moves the file')
def _(h):
    put('a', b'x')
    ino = os.stat('a').st_ino
    os.rename('a', 'b')
    same(os.listdir('.'), ['b'])
    same(get('b'), b'x')
    same(os.stat('b').st_ino, ino)
    os.rename('b', 'b')
    same(get('b'), b'x')


@case('rename over an open file replaces it, and who has it open keeps the old one')
def _(h):
    put('old', b'old')
    put('new', b'newer')
    fd = os.open('old', os.O_RDWR)
    os.rename('new', 'old')
    same(os.listdir('.'), ['old'])
    same(get('old'), b'newer')
    same(os.pread(fd, 10, 0), b'old')
    os.pwrite(fd, b'x', 0)
    same(get('old'), b'newer')
    os.close(fd)


@case('rename of an open file: writes go to it under its new name')
def _(h):
    fd = os.open('a', os.O_RDWR | os.O_CREAT, 0o666)
    os.rename('a', 'b')
    os.write(fd, b'abc')
    same(os.fstat(fd).st_size, 3)
    os.close(fd)
    same(get('b'), b'abc')


@case('rename of a directory over an empty one replaces it, over a full one is ENOTEMPTY')
def _(h):
    for d in 'abc':
        os.mkdir(d)
    put('a/f', b'x')
    put('c/g')
    os.rename('a', 'b')
    same(get('b/f'), b'x')
    fails(errno.ENOTEMPTY, os.rename, 'b', 'c')
    same(sorted(os.listdir('.')), ['b', 'c'])


@case('rename of a file over a directory is EISDIR, of a directory over a file ENOTDIR')
def _(h):
    put('f')
    os.mkdir('d')
    fails(errno.EISDIR, os.rename, 'f', 'd')
    fails(errno.ENOTDIR, os.rename, 'd', 'f')
    fails(errno.ENOENT, os.rename, 'no', 'x')


@case('a directory cannot be renamed into itself')
def _(h):
    os.makedirs('d/e')
    fails(errno.EINVAL, os.rename, 'd', 'd/e/x')
    fails(errno.EINVAL, os.rename, 'd', 'd/x')


@case('rename moves files and directories between directories', POSIX)
def _(h):
    os.makedirs('a/sub')
    os.mkdir('b')
    put('a/f', b'x')
    put('a/sub/g', b'y')
    os.rename('a/f', 'b/f2')
    os.rename('a/sub', 'b/sub2')
    same(os.listdir('a'), [])
    same(get('b/f2'), b'x')
    same(get('b/sub2/g'), b'y')


@case('9P2000 renames within a directory only: between two it is EXDEV, and mv copies', PLAIN)
def _(h):
    os.mkdir('a')
    os.mkdir('b')
    put('a/f', b'x')
    fails(errno.EXDEV, os.rename, 'a/f', 'b/f')
    run('mv', 'a/f', 'b/f')
    same(get('b/f'), b'x')
    same(os.listdir('a'), [])


@case('RENAME_NOREPLACE refuses a name that is there')
def _(h):
    put('a', b'a')
    put('b', b'b')
    fails(errno.EEXIST, renameat2, 'a', 'b', NOREPLACE)
    same(get('b'), b'b')
    renameat2('a', 'c', NOREPLACE)
    same(get('c'), b'a')


@case('RENAME_EXCHANGE swaps files, and directories with what is in them', ('ram', 'union', 'host', '9P2000.L'))
def _(h):
    put('a', b'a')
    put('b', b'b')
    renameat2('a', 'b', EXCHANGE)
    same((get('a'), get('b')), (b'b', b'a'))
    os.makedirs('d/in')
    os.mkdir('e')
    put('d/in/f', b'f')
    fd = os.open('d/in', os.O_RDONLY)
    renameat2('d', 'e', EXCHANGE)
    same(get('e/in/f'), b'f')
    same(os.listdir('d'), [])
    same(os.listdir(fd), ['f'])
    put('e/in/g', b'g')
    same(sorted(os.listdir(fd)), ['f', 'g'])
    os.close(fd)
    fails(errno.ENOENT, renameat2, 'a', 'no', EXCHANGE)


@case('RENAME_EXCHANGE and unknown flags are EINVAL where the server cannot', ('9P2000',))
def _(h):
    put('a', b'a')
    put('b', b'b')
    fails(errno.EINVAL, renameat2, 'a', 'b', EXCHANGE)
    same((get('a'), get('b')), (b'a', b'b'))


@case('a rename from one member or server to another is EXDEV')
def _(h):
    if h.tree in ('ram', 'union'):
        other = h.top + '/r/x%d' % os.getpid()
    else:
        other = h.top + '/x%d' % os.getpid()
    put('f', b'x')
    fails(errno.EXDEV, os.rename, 'f', other)
    run('mv', 'f', other)
    same(get(other), b'x')
    os.unlink(other)


@case('a directory whose children are known is renamed with them')
def _(h):
    os.makedirs('d/e/f')
    put('d/e/f/x', b'x')
    same(get('d/e/f/x'), b'x')
    fd = os.open('d/e/f/x', os.O_RDWR)
    here = os.open('d/e', os.O_RDONLY)
    os.chdir('d/e/f')
    os.rename(h.path('d'), h.path('D'))
    same(get(h.path('D/e/f/x')), b'x')
    fails(errno.ENOENT, os.stat, h.path('d'))
    same(get('x'), b'x')
    put('y', b'y')
    os.write(fd, b'z')
    same(get(h.path('D/e/f/x')), b'z')
    same(sorted(os.listdir(h.path('D/e/f'))), ['x', 'y'])
    same(os.listdir(here), ['f'])
    os.mkdir(h.path('d'))
    same(os.listdir(h.path('d')), [])
    same(os.getcwd(), h.path('D/e/f'))
    os.close(fd)
    os.close(here)


# ---- links ----

@case('a hard link is the same file under two names', POSIX)
def _(h):
    put('a', b'a')
    os.link('a', 'b')
    same(os.stat('a').st_ino, os.stat('b').st_ino)
    same(os.stat('b').st_nlink, 2)
    put('b', b'through b')
    same(get('a'), b'through b')
    os.unlink('a')
    same(get('b'), b'through b')
    same(os.stat('b').st_nlink, 1)
    put('c')
    fails(errno.EEXIST, os.link, 'b', 'c')
    os.mkdir('d')
    fails(errno.EPERM, os.link, 'd', 'e')


@case('two hard links share one page cache', POSIX)
def _(h):
    put('a', b'0' * 8192)
    os.link('a', 'b')
    with open('a', 'r+b', buffering=0) as f, open('b', 'rb', buffering=0) as g:
        same(g.read(1), b'0')
        m = mmap.mmap(f.fileno(), 8192)
        n = mmap.mmap(g.fileno(), 8192, prot=mmap.PROT_READ)
        m[4096] = ord('x')
        same(n[4096], ord('x'))
        m.close()
        n.close()


@case('rename of one hard link over another leaves both, as rename(2) says', POSIX)
def _(h):
    put('a', b'a')
    os.link('a', 'b')
    os.rename('a', 'b')
    same(sorted(os.listdir('.')), ['a', 'b'])


@case('where the server has no hard links they are refused, and cp -l says so', PLAIN)
def _(h):
    put('a', b'a')
    fails(errno.EXDEV, os.link, 'a', 'b')


@case('symbolic links are made, read, followed, and removed themselves', POSIX)
def _(h):
    put('f', b'x')
    os.symlink('f', 'l')
    same(os.readlink('l'), 'f')
    same(get('l'), b'x')
    assert stat.S_ISLNK(os.lstat('l').st_mode)
    same(os.lstat('l').st_size, 1)
    os.symlink('no', 'dangling')
    fails(errno.ENOENT, os.stat, 'dangling')
    os.symlink('loop', 'loop')
    fails(errno.ELOOP, os.stat, 'loop')
    fails(errno.EEXIST, os.symlink, 'x', 'l')
    fails(errno.EINVAL, os.readlink, 'f')
    os.mkdir('d')
    put('d/g', b'g')
    os.symlink('d', 'ld')
    same(get('ld/g'), b'g')
    os.unlink('ld')
    same(os.listdir('d'), ['g'])
    fails(errno.ELOOP, os.open, 'l', os.O_RDONLY | os.O_NOFOLLOW)


@case('a symbolic link may have a target of 4095 bytes', ('ram', 'union'))
def _(h):
    target = 'x/' * 2047 + 'y'
    os.symlink(target, 'l')
    same(os.readlink('l'), target)


@case('symbolic links are refused where the server has none', PLAIN)
def _(h):
    fails(errno.EOPNOTSUPP, os.symlink, 'a', 'b')


@case('a fifo connects two programs of this machine', POSIX)
def _(h):
    os.mkfifo('p')
    assert stat.S_ISFIFO(os.stat('p').st_mode)
    pid = in_child(lambda: put('p', b'through'))
    same(get('p'), b'through')
    same(wait(pid), 0)
