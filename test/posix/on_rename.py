"""rename, and renameat2's flags."""
import errno
import os

import calls
from suite import absent, case, exists, fails, get, holds, identity, mode, opened, put, same

MAKE = {'file': lambda x: put(x, x.encode()), 'directory': os.mkdir, 'symlink': lambda x: os.symlink('to-' + x, x),
        'fifo': os.mkfifo}

for kind, make in MAKE.items():
    @case('rename of a %s gives it another name' % kind, 'rename(2)', name=kind)
    def plain(make=make):
        make('x')
        before = identity('x')
        os.rename('x', 'y')
        absent('x')
        same('the identity', identity('y'), before)
        same('names', os.listdir('.'), ['y'])

    @case('rename moves a %s into another directory' % kind, 'rename(2)', name=kind + '-elsewhere')
    def elsewhere(make=make):
        os.makedirs('a/b')
        make('x')
        before = identity('x')
        os.rename('x', 'a/b/y')
        absent('x')
        same('the identity', identity('a/b/y'), before)

    @case('rename of a %s to its own name changes nothing' % kind, 'rename(2)', name=kind + '-onto-itself')
    def itself(make=make):
        make('x')
        before = identity('x')
        os.rename('x', 'x')
        same('the identity', identity('x'), before)

    for over, make_over in MAKE.items():
        if 'directory' in (kind, over):
            continue

        @case('rename of a %s over a %s replaces it' % (kind, over), 'rename(2)', name='%s-over-%s' % (kind, over))
        def replaces(make=make, make_over=make_over):
            make('x')
            make_over('y')
            before = identity('x')
            os.rename('x', 'y')
            absent('x')
            same('the identity', identity('y'), before)

    if kind != 'directory':
        @case('rename of a %s over a directory is EISDIR' % kind, 'rename(2): EISDIR', name=kind + '-over-directory')
        def over_directory(make=make):
            make('x')
            os.mkdir('d')
            fails(errno.EISDIR, os.rename, 'x', 'd')
            same('names', sorted(os.listdir('.')), ['d', 'x'])

        @case('rename of a directory over a %s is ENOTDIR' % kind, 'rename(2): ENOTDIR', name='directory-over-' + kind)
        def directory_over(make=make):
            make('x')
            os.mkdir('d')
            fails(errno.ENOTDIR, os.rename, 'd', 'x')
            same('names', sorted(os.listdir('.')), ['d', 'x'])


@case('rename of a directory over an empty one replaces it', 'rename(2)')
def over_empty():
    os.mkdir('a')
    put('a/x', b'content')
    os.mkdir('b')
    os.rename('a', 'b')
    same('the content', get('b/x'), b'content')
    absent('a')


@case('rename of a directory over one that is not empty is ENOTEMPTY', 'rename(2): ENOTEMPTY')
def over_full():
    os.mkdir('a')
    os.makedirs('b/c')
    fails((errno.ENOTEMPTY, errno.EEXIST), os.rename, 'a', 'b')
    holds('something is gone', exists('a') and exists('b/c'))


@case('rename of a directory into itself is EINVAL', 'rename(2): EINVAL')
def into_itself():
    os.makedirs('a/b')
    fails(errno.EINVAL, os.rename, 'a', 'a/x')
    fails(errno.EINVAL, os.rename, 'a', 'a/b/x')


@case('rename of a directory over one that it stands in is ENOTEMPTY', 'rename(2)')
def over_parent():
    os.makedirs('a/b')
    fails((errno.ENOTEMPTY, errno.EEXIST), os.rename, 'a/b', 'a')


@case('rename of . or .. is refused', 'rename(2): EBUSY, EINVAL')
def dots():
    os.makedirs('a/b')
    for name in ('a/.', 'a/b/..'):
        fails((errno.EINVAL, errno.EBUSY), os.rename, name, 'c')
        fails((errno.EINVAL, errno.EBUSY), os.rename, 'a', name)


@case('rename of a file over another name of it changes nothing', 'rename(2): both names stay')
def over_own_link():
    put('x', b'content')
    os.link('x', 'y')
    os.rename('x', 'y')
    same('contents', (get('x'), get('y')), (b'content', b'content'))


@case('what is replaced loses a link', 'rename(2)')
def replaced_links():
    put('x')
    os.link('x', 'x2')
    put('y')
    os.rename('y', 'x')
    same('links', os.stat('x2').st_nlink, 1)


@case('a directory that moves takes its link from one parent to the other', 'rename(2), inode(7): st_nlink')
def directory_links():
    os.makedirs('a/d')
    os.mkdir('b')
    os.rename('a/d', 'b/d')
    same('links', (os.stat('a').st_nlink, os.stat('b').st_nlink), (2, 3))


@case('.. of a directory that moved is where it is', 'rename(2)')
def dotdot():
    os.makedirs('a/d')
    os.mkdir('b')
    os.stat('a/d/..')
    os.rename('a/d', 'b/d')
    same('..', identity('b/d/..'), identity('b'))


@case('rename leaves content, mode and time of modification', 'rename(2)')
def leaves():
    put('x', b'content', 0o640)
    os.utime('x', (1000, 2000))
    os.rename('x', 'y')
    st = os.stat('y')
    same('they', (get('y'), st.st_mode & 0o777, st.st_mtime), (b'content', 0o640, 2000.0))


@case('what is open follows a rename', 'rename(2)')
def open_file():
    with opened('x', os.O_RDWR | os.O_CREAT) as fd:
        os.rename('x', 'y')
        os.write(fd, b'content')
        same('the identity', identity(fd), identity('y'))
    same('the content', get('y'), b'content')


@case('a file in a directory that moves is written on', 'rename(2)')
def open_below():
    os.makedirs('a/d')
    os.mkdir('b')
    with opened('a/d/x', os.O_RDWR | os.O_CREAT) as fd:
        os.rename('a/d', 'b/e')
        os.write(fd, b'content')
        os.ftruncate(fd, 5)
    same('the content', get('b/e/x'), b'conte')


@case('who stands in a directory that moves stays in it', 'rename(2)')
def stand_in():
    os.makedirs('a/d')
    top = os.getcwd()
    os.chdir('a/d')
    os.rename('../../a', '../../b')
    put('x', b'content')
    same('the place', os.getcwd(), top + '/b/d')
    same('the content', get(top + '/b/d/x'), b'content')


@case('rename follows no symbolic link at the end of either name', 'rename(2)')
def symlinks():
    put('x', b'x')
    put('y', b'y')
    os.symlink('x', 'lx')
    os.symlink('y', 'ly')
    os.rename('lx', 'ly')
    same('the link', os.readlink('ly'), 'x')
    same('contents', (get('x'), get('y')), (b'x', b'y'))


@case('RENAME_NOREPLACE fails with EEXIST, and moves when nothing is there', 'renameat2(2)')
def no_replace():
    put('x', b'x')
    put('y', b'y')
    fails(errno.EEXIST, calls.rename2, 'x', 'y', calls.RENAME_NOREPLACE)
    same('contents', (get('x'), get('y')), (b'x', b'y'))
    calls.rename2('x', 'z', calls.RENAME_NOREPLACE)
    same('the content', get('z'), b'x')


@case('RENAME_EXCHANGE swaps two names, of any kind', 'renameat2(2)')
def exchange():
    put('x', b'x')
    os.mkdir('d')
    put('d/y', b'y')
    calls.rename2('x', 'd', calls.RENAME_EXCHANGE)
    same('contents', (get('d'), get('x/y')), (b'x', b'y'))


@case('RENAME_EXCHANGE with a name that does not exist is ENOENT', 'renameat2(2)')
def exchange_nothing():
    put('x', b'x')
    fails(errno.ENOENT, calls.rename2, 'x', 'y', calls.RENAME_EXCHANGE)
    same('the content', get('x'), b'x')


@case('flags of renameat2 that exclude each other are EINVAL', 'renameat2(2): EINVAL')
def bad_flags():
    put('x')
    fails(errno.EINVAL, calls.rename2, 'x', 'y', calls.RENAME_EXCHANGE | calls.RENAME_NOREPLACE)


@case('a deep tree moves as a whole', 'rename(2)')
def deep():
    path = 'a' + '/d' * 30
    os.makedirs(path)
    put(path + '/x', b'content')
    os.mkdir('b')
    os.rename('a', 'b/a')
    same('the content', get('b/a' + '/d' * 30 + '/x'), b'content')


@case('a name is free again behind its rename', 'rename(2)')
def free_again():
    for i in range(10):
        put('x', b'%d' % i)
        os.rename('x', 'y%d' % i)
    same('contents', [get('y%d' % i) for i in range(10)], [b'%d' % i for i in range(10)])
