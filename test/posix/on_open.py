"""open(2) and its flags."""
import errno
import fcntl
import os
import shutil
import socket
import stat
import subprocess

import calls
from suite import OTHER, absent, as_user, case, fails, get, given, holds, identity, kind, mode, opened, put, same

NEW = os.O_WRONLY | os.O_CREAT


@case('O_CREAT makes an empty regular file', 'open(2)')
def creates():
    with opened('x', NEW) as fd:
        same('the size', os.fstat(fd).st_size, 0)
    same('the kind', kind('x'), stat.S_IFREG)


@case('O_CREAT of a file that exists opens it and leaves content and mode', 'open(2)')
def create_existing():
    put('x', b'kept', 0o640)
    with opened('x', NEW, 0o777):
        pass
    same('the content', get('x'), b'kept')
    same('the mode', mode('x'), 0o640)


@case('O_CREAT with O_EXCL of a file that exists fails with EEXIST', 'open(2): O_EXCL')
def exclusive():
    put('x', b'kept')
    fails(errno.EEXIST, os.open, 'x', NEW | os.O_EXCL | os.O_TRUNC)
    same('the content', get('x'), b'kept')


@case('O_CREAT with O_EXCL does not follow a symbolic link that leads nowhere', 'open(2): O_EXCL')
def exclusive_link():
    os.symlink('target', 'l')
    fails(errno.EEXIST, os.open, 'l', NEW | os.O_EXCL)
    absent('target')


@case('O_CREAT through a symbolic link makes what it leads to', 'open(2)')
def create_through_link():
    os.mkdir('d')
    os.symlink('d/target', 'l')
    put('l', b'here')
    same('the target', get('d/target'), b'here')


@case('O_CREAT of a directory is EISDIR', 'open(2): EISDIR')
def create_directory():
    os.mkdir('d')
    fails(errno.EISDIR, os.open, 'd', os.O_RDONLY | os.O_CREAT)
    fails(errno.EEXIST, os.open, 'd', os.O_RDONLY | os.O_CREAT | os.O_EXCL)


@case('a directory is not opened for writing', 'open(2): EISDIR')
def write_directory():
    os.mkdir('d')
    for flags in (os.O_WRONLY, os.O_RDWR):
        fails(errno.EISDIR, os.open, 'd', flags)


@case('read of a directory is EISDIR', 'read(2): EISDIR')
def read_directory():
    with opened('.', os.O_RDONLY) as fd:
        fails(errno.EISDIR, os.read, fd, 10)


@case('O_TRUNC makes a file empty, and leaves its identity', 'open(2): O_TRUNC')
def truncates():
    put('x', b'long content')
    before = identity('x')
    with opened('x', os.O_WRONLY | os.O_TRUNC) as fd:
        same('the size', os.fstat(fd).st_size, 0)
    same('the identity', identity('x'), before)


@case('O_TRUNC of a file that may not be written fails and leaves it', 'open(2): EACCES', 'root')
def truncate_refused():
    put('x', b'kept', 0o444)
    with as_user():
        fails(errno.EACCES, os.open, 'x', os.O_WRONLY | os.O_TRUNC)
    same('the content', get('x'), b'kept')


@case('O_APPEND writes at the end, wherever the offset is', 'open(2): O_APPEND')
def appends():
    put('x', b'one')
    with opened('x', os.O_RDWR | os.O_APPEND) as fd:
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, b'two')
        same('the offset', os.lseek(fd, 0, os.SEEK_CUR), 6)
    same('the content', get('x'), b'onetwo')


@case('two descriptors with O_APPEND do not write over each other', 'open(2): O_APPEND')
def append_twice():
    put('x')
    with opened('x', os.O_WRONLY | os.O_APPEND) as a, opened('x', os.O_WRONLY | os.O_APPEND) as b:
        for _ in range(10):
            os.write(a, b'a')
            os.write(b, b'bb')
    same('the content', get('x'), b'abb' * 10)


@case('pwrite with O_APPEND appends, as Linux does', 'pwrite(2): BUGS')
def append_pwrite():
    put('x', b'one')
    with opened('x', os.O_WRONLY | os.O_APPEND) as fd:
        os.pwrite(fd, b'two', 0)
    same('the content', get('x'), b'onetwo')


@case('O_APPEND set by fcntl holds from then on', 'fcntl(2): F_SETFL')
def append_later():
    put('x', b'one')
    with opened('x', os.O_WRONLY) as fd:
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
        os.write(fd, b'two')
    same('the content', get('x'), b'onetwo')


@case('O_DIRECTORY of a file is ENOTDIR, of a directory not', 'open(2): O_DIRECTORY')
def only_directory():
    put('x')
    fails(errno.ENOTDIR, os.open, 'x', os.O_RDONLY | os.O_DIRECTORY)
    with opened('.', os.O_RDONLY | os.O_DIRECTORY):
        pass


@case('O_NOFOLLOW of a symbolic link is ELOOP', 'open(2): O_NOFOLLOW')
def no_follow():
    put('x')
    os.symlink('x', 'l')
    fails(errno.ELOOP, os.open, 'l', os.O_RDONLY | os.O_NOFOLLOW)
    with opened('x', os.O_RDONLY | os.O_NOFOLLOW):
        pass


@case('O_NOFOLLOW follows a symbolic link that is not the last', 'open(2): O_NOFOLLOW')
def no_follow_between():
    os.mkdir('d')
    put('d/x')
    os.symlink('d', 'l')
    with opened('l/x', os.O_RDONLY | os.O_NOFOLLOW):
        pass


@case('O_PATH with O_NOFOLLOW opens the symbolic link itself', 'open(2): O_PATH')
def path_of_link():
    os.symlink('x', 'l')
    with opened('l', os.O_PATH | os.O_NOFOLLOW) as fd:
        holds('it is no symbolic link', stat.S_ISLNK(os.fstat(fd).st_mode))
        same('its target', os.readlink('', dir_fd=fd), 'x')


@case('a descriptor of O_PATH neither reads nor writes', 'open(2): O_PATH')
def path_reads_nothing():
    put('x', b'content')
    with opened('x', os.O_PATH) as fd:
        fails(errno.EBADF, os.read, fd, 1)
        fails(errno.EBADF, os.write, fd, b'x')


@case('a descriptor for reading does not write, one for writing does not read', 'read(2), write(2): EBADF')
def one_way():
    put('x', b'content')
    with opened('x', os.O_RDONLY) as fd:
        fails(errno.EBADF, os.write, fd, b'x')
        fails(errno.EINVAL, os.ftruncate, fd, 0)
    with opened('x', os.O_WRONLY) as fd:
        fails(errno.EBADF, os.read, fd, 1)


@case('O_TMPFILE makes a file without a name, which link gives one', 'open(2): O_TMPFILE')
def temporary():
    with opened('.', os.O_TMPFILE | os.O_RDWR, 0o600) as fd:
        os.write(fd, b'content')
        same('links', os.fstat(fd).st_nlink, 0)
        same('the names', os.listdir('.'), [])
        calls.link_open(fd, 'x')
    same('the content', get('x'), b'content')


@case('a file that is made without the right to write it is written by who made it', 'open(2): mode')
def create_read_only():
    with opened('x', NEW | os.O_EXCL, 0o400) as fd:
        os.write(fd, b'content')
    same('the content', get('x'), b'content')
    same('the mode', mode('x'), 0o400)


@case('a file made with mode 0 is written by the user who made it', 'open(2): mode', 'root')
def create_none():
    with as_user():
        with opened('x', NEW | os.O_EXCL, 0) as fd:
            os.write(fd, b'content')
        fails(errno.EACCES, os.open, 'x', os.O_RDONLY)
    same('the content', get('x'), b'content')


for flags, perm in ((os.O_RDONLY, 0o200), (os.O_WRONLY, 0o400), (os.O_RDWR, 0o400), (os.O_RDWR, 0o200)):
    @case('its owner does not open a file of mode %03o with %d' % (perm, flags), 'open(2): EACCES', 'root',
          name='refused-%d-%03o' % (flags, perm))
    def refused(flags=flags, perm=perm):
        put('x')
        given('x', OTHER, OTHER, perm)
        with as_user():
            fails(errno.EACCES, os.open, 'x', flags)


@case('what is open stays open when its permissions go', 'open(2)', 'root')
def open_stays():
    put('x', b'content')
    given('x', OTHER, OTHER, 0o600)
    with as_user(), opened('x', os.O_RDWR) as fd:
        os.chmod('x', 0)
        same('read', os.read(fd, 7), b'content')
        os.write(fd, b'more')


@case('descriptors of one open have one offset, of two opens two', 'dup(2), open(2)')
def offsets():
    put('x', b'abcdef')
    with opened('x', os.O_RDONLY) as a, opened('x', os.O_RDONLY) as c:
        b = os.dup(a)
        same('reads', [os.read(a, 2), os.read(b, 2), os.read(c, 2)], [b'ab', b'cd', b'ab'])


@case('openat of a directory that was renamed works', 'openat(2)')
def at_renamed():
    os.mkdir('d')
    put('d/x', b'content')
    with opened('d', os.O_RDONLY | os.O_DIRECTORY) as d:
        os.rename('d', 'e')
        with open(os.open('x', os.O_RDONLY, dir_fd=d), 'rb') as f:
            same('the content', f.read(), b'content')


@case('a fifo opened for writing without a reader fails with ENXIO when it shall not wait', 'open(2): ENXIO')
def fifo_no_reader():
    os.mkfifo('f')
    fails(errno.ENXIO, os.open, 'f', os.O_WRONLY | os.O_NONBLOCK)


@case('what goes into a fifo comes out of it', 'fifo(7)')
def fifo():
    os.mkfifo('f')
    with opened('f', os.O_RDONLY | os.O_NONBLOCK) as r, opened('f', os.O_WRONLY) as w:
        os.write(w, b'through')
        same('read', os.read(r, 100), b'through')


@case('a Unix socket in the file system is bound, connected to, and has its kind', 'unix(7)')
def unix_socket():
    with socket.socket(socket.AF_UNIX) as s, socket.socket(socket.AF_UNIX) as c:
        s.bind('s')
        s.listen(1)
        same('the kind', kind('s'), stat.S_IFSOCK)
        c.connect('s')
        fails(errno.ENXIO, os.open, 's', os.O_RDONLY)


@case('open of 60 files at once', 'open(2)')
def many():
    fds = [os.open('x%d' % i, os.O_RDWR | os.O_CREAT) for i in range(60)]
    for i, fd in enumerate(fds):
        os.write(fd, b'%d' % i)
    for fd in fds:
        os.close(fd)
    same('the contents', [get('x%d' % i) for i in range(60)], [b'%d' % i for i in range(60)])


@case('O_NOATIME is for the owner alone', 'open(2): EPERM', 'root')
def no_atime():
    put('x', b'', 0o644)
    with as_user():
        fails(errno.EPERM, os.open, 'x', os.O_RDONLY | os.O_NOATIME)


@case('O_DIRECT works or is EINVAL', 'open(2): EINVAL')
def direct():
    put('x', b'content')
    try:
        os.close(os.open('x', os.O_RDONLY | os.O_DIRECT))
    except OSError as e:
        same('the error', e.errno, errno.EINVAL)


@case('a program in the file system is run, and is not written meanwhile', 'execve(2), open(2): ETXTBSY')
def text_busy():
    shutil.copy('/bin/sleep', 'program')
    os.chmod('program', 0o755)
    p = subprocess.Popen(['./program', '20'])
    try:
        fails(errno.ETXTBSY, os.open, 'program', os.O_WRONLY)
    finally:
        p.kill()
        p.wait()


@case('a file open for writing is not run', 'execve(2): ETXTBSY')
def busy_text():
    put('program', b'#!/bin/true\n', 0o755)
    with opened('program', os.O_WRONLY):
        fails(errno.ETXTBSY, subprocess.call, './program')
    same('its status', subprocess.call('./program'), 0)


@case('a program that may not be run fails with EACCES, by root also', 'execve(2): EACCES')
def no_execute():
    put('program', b'#!/bin/true\n', 0o644)
    fails(errno.EACCES, subprocess.call, './program')
