"""link: several names of one file."""
import errno
import os
import stat

import calls
from suite import OTHER, absent, as_user, case, exists, fails, get, given, identity, mode, opened, put, same


@case('a link is another name of the same file', 'link(2)')
def same_file():
    put('x', b'content')
    os.link('x', 'y')
    same('the identity', identity('y'), identity('x'))
    put('y', b'changed')
    same('the content', get('x'), b'changed')
    os.chmod('y', 0o600)
    same('the mode', mode('x'), 0o600)


@case('links are counted', 'link(2), stat(2): st_nlink')
def counted():
    put('x')
    for n in range(2, 6):
        os.link('x', 'x%d' % n)
        same('links', os.stat('x').st_nlink, n)
    os.unlink('x')
    same('links', os.stat('x2').st_nlink, 4)
    with opened('x2', os.O_RDONLY) as fd:
        os.unlink('x3')
        same('links by a descriptor', os.fstat(fd).st_nlink, 3)


@case('a file lives as long as one name does', 'unlink(2)')
def lives():
    put('x', b'content')
    os.link('x', 'y')
    os.unlink('x')
    same('the content', get('y'), b'content')


@case('a link into another directory', 'link(2)')
def elsewhere():
    os.mkdir('d')
    put('x', b'content')
    os.link('x', 'd/y')
    same('the identity', identity('d/y'), identity('x'))


@case('no link of a directory, by root neither', 'link(2): EPERM')
def directory():
    os.mkdir('d')
    fails(errno.EPERM, os.link, 'd', 'e')


@case('a link of a symbolic link is of the link itself, or with a flag of what it leads to', 'linkat(2)')
def of_a_symlink():
    put('x')
    os.symlink('x', 'l')
    calls.raw('linkat', calls.AT_FDCWD, b'l', calls.AT_FDCWD, b'm', 0)
    same('itself', identity('m'), identity('l'))
    calls.raw('linkat', calls.AT_FDCWD, b'l', calls.AT_FDCWD, b'n', calls.AT_SYMLINK_FOLLOW)
    same('followed', identity('n'), identity('x'))


@case('a fifo has links', 'link(2)')
def fifo():
    os.mkfifo('f')
    os.link('f', 'g')
    same('the identity', identity('g'), identity('f'))
    same('links', os.stat('f').st_nlink, 2)


@case('a link to a file without a name is ENOENT', 'link(2): ENOENT')
def unlinked():
    with opened('x', os.O_RDWR | os.O_CREAT) as fd:
        os.unlink('x')
        fails(errno.ENOENT, calls.link_open, fd, 'y')
        absent('y')


@case('a link into a directory that may not be written is EACCES', 'link(2): EACCES', 'root')
def refused():
    os.mkdir('d')
    put('x')
    given('x', OTHER, OTHER, 0o644)
    with as_user():
        fails(errno.EACCES, os.link, 'x', 'd/x')


@case('hundred links of a file are all listed', 'link(2)')
def many():
    put('x')
    for i in range(100):
        os.link('x', 'l%d' % i)
    same('links', os.stat('x').st_nlink, 101)
    same('inodes', {e.inode() for e in os.scandir('.')}, {os.stat('x').st_ino})


@case('removing a name does not change the others\' content when one is written later', 'unlink(2)')
def written_later():
    put('x', b'one')
    os.link('x', 'y')
    with opened('x', os.O_WRONLY | os.O_APPEND) as fd:
        os.unlink('x')
        os.write(fd, b'two')
    same('the content', get('y'), b'onetwo')


@case('link follows no symbolic link in the place of the new name', 'link(2): EEXIST')
def onto_symlink():
    put('x')
    os.symlink('nowhere', 'l')
    fails(errno.EEXIST, os.link, 'x', 'l')
    same('made', exists('nowhere'), False)
    same('the kind', stat.S_ISLNK(os.lstat('l').st_mode), True)
