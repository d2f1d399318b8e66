"""mkdir, mkfifo, mknod, symlink, and umask."""
import errno
import os
import stat

from suite import OTHER, as_user, case, fails, get, given, holds, kind, mode, put, same

MAKERS = {
    'open': (lambda path, perm: os.close(os.open(path, os.O_CREAT | os.O_WRONLY, perm)), stat.S_IFREG),
    'mkdir': (os.mkdir, stat.S_IFDIR),
    'mkfifo': (os.mkfifo, stat.S_IFIFO),
    'mknod': (lambda path, perm: os.mknod(path, perm | stat.S_IFREG), stat.S_IFREG),
}

for call, (make, want) in MAKERS.items():
    @case('%s makes what it says, with the mode that umask leaves' % call, call + '(2), umask(2)', name=call + '-umask')
    def with_umask(make=make, want=want):
        for mask, perm in ((0, 0o777), (0o022, 0o777), (0o077, 0o666), (0o777, 0o777), (0o027, 0o640)):
            os.umask(mask)
            name = '%o-%o' % (mask, perm)
            make(name, perm)
            same(name, (kind(name), mode(name)), (want, perm & ~mask))

    @case('%s gives what it makes to who makes it' % call, call + '(2): NOTES', 'root', name=call + '-owner')
    def owner(make=make):
        with as_user():
            make('x', 0o644)
        st = os.lstat('x')
        same('owner', (st.st_uid, st.st_gid), (OTHER, OTHER))

    @case('in a set-group-ID directory %s gives the directory\'s group' % call, 'inode(7): S_ISGID', 'root',
          name=call + '-setgid-group')
    def setgid_group(make=make, call=call):
        os.mkdir('d')
        given('d', 0, 1234, 0o2777)
        make('d/x', 0o755)
        st = os.lstat('d/x')
        same('the group', st.st_gid, 1234)
        same('set-group-ID', bool(st.st_mode & stat.S_ISGID), call == 'mkdir')


@case('a new directory is empty and has two links; the one it is made in one more', 'mkdir(2), inode(7): st_nlink')
def mkdir_links():
    before = os.stat('.').st_nlink
    os.mkdir('d')
    same('names', os.listdir('d'), [])
    same('links', (os.stat('d').st_nlink, os.stat('.').st_nlink), (2, before + 1))
    os.rmdir('d')
    same('links', os.stat('.').st_nlink, before)


@case('mkdir takes the sticky bit', 'mkdir(2)')
def mkdir_sticky():
    os.mkdir('d', 0o1755)
    same('the mode', mode('d'), 0o1755)


@case('mkdir of ., .. and / is EEXIST', 'mkdir(2): EEXIST')
def mkdir_dots():
    for name in ('.', '..', '/'):
        fails(errno.EEXIST, os.mkdir, name)


@case('a symbolic link says the text it was made with, whatever it is', 'symlink(2)')
def symlink_text():
    for i, text in enumerate(('x', '/', '..', 'a//b/./c/', 'n' * 255, 'n' * 256, 'd/' * 2047)):
        os.symlink(text, 'l%d' % i)
        same('the text', os.readlink('l%d' % i), text)
        st = os.lstat('l%d' % i)
        same('the size', st.st_size, len(text))
        holds('it is no symbolic link', stat.S_ISLNK(st.st_mode))


@case('a symbolic link holds bytes that are no UTF-8', 'symlink(2)')
def symlink_bytes():
    os.symlink(b'\xff\xfe/\x80', b'l')
    same('the text', os.readlink(b'l'), b'\xff\xfe/\x80')


@case('the text of a symbolic link has at most 4095 bytes', 'symlink(2): ENAMETOOLONG')
def symlink_long():
    os.symlink('n' * 4095, 'l')
    same('the text', os.readlink('l'), 'n' * 4095)
    fails(errno.ENAMETOOLONG, os.symlink, 'n' * 4096, 'm')


@case('an empty text for a symbolic link is ENOENT', 'symlink(2): ENOENT')
def symlink_empty():
    fails(errno.ENOENT, os.symlink, '', 'l')


@case('symbolic links are followed, relative to where they stand', 'path_resolution(7)')
def symlink_followed():
    os.makedirs('a/b')
    put('a/x', b'content')
    os.symlink('../x', 'a/b/l')
    same('content', get('a/b/l'), b'content')
    os.symlink(os.path.abspath('a/x'), 'absolute')
    same('content', get('absolute'), b'content')


@case('mode bits of a symbolic link are 0777', 'symlink(7)')
def symlink_mode():
    os.umask(0o077)
    os.symlink('x', 'l')
    same('the mode', mode('l'), 0o777)


@case('readlink of what is no symbolic link is EINVAL', 'readlink(2): EINVAL')
def readlink_others():
    put('x')
    os.mkfifo('f')
    for name in ('x', 'f', '.'):
        fails(errno.EINVAL, os.readlink, name)


@case('mknod makes a fifo', 'mknod(2)')
def mknod_fifo():
    os.mknod('f', stat.S_IFIFO | 0o640)
    same('kind and mode', (kind('f'), mode('f')), (stat.S_IFIFO, 0o640))


@case('mknod makes a socket', 'mknod(2)')
def mknod_socket():
    os.mknod('s', stat.S_IFSOCK | 0o640)
    same('kind and mode', (kind('s'), mode('s')), (stat.S_IFSOCK, 0o640))


for name, bits in (('block', stat.S_IFBLK), ('char', stat.S_IFCHR)):
    @case('root makes a %s device, which keeps its number' % name, 'mknod(2)', 'devices', name='mknod-' + name)
    def mknod_device(bits=bits):
        os.mknod('d', bits | 0o600, os.makedev(7, 77))
        st = os.lstat('d')
        same('kind and number', (stat.S_IFMT(st.st_mode), st.st_rdev), (bits, os.makedev(7, 77)))

    @case('who is not root makes no %s device' % name, 'mknod(2): EPERM', 'root', name='mknod-%s-refused' % name)
    def mknod_refused(bits=bits):
        with as_user():
            fails(errno.EPERM, os.mknod, 'd', bits | 0o600, os.makedev(7, 77))


@case('mknod of a directory is refused', 'mknod(2): EPERM')
def mknod_directory():
    fails(errno.EPERM, os.mknod, 'd', stat.S_IFDIR | 0o755)
