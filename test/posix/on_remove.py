"""unlink and rmdir."""
import errno
import os

from suite import OTHER, THIRD, absent, as_user, case, fails, get, given, opened, put, same


for name, make in {'file': put, 'fifo': os.mkfifo, 'symlink': lambda x: os.symlink('anything', x)}.items():
    @case('unlink removes a %s' % name, 'unlink(2)', name='unlink-' + name)
    def unlink(make=make):
        make('x')
        os.unlink('x')
        absent('x')
        same('names', os.listdir('.'), [])
        fails(errno.ENOENT, os.unlink, 'x')

    @case('rmdir of a %s is ENOTDIR' % name, 'rmdir(2): ENOTDIR', name='rmdir-' + name)
    def rmdir_of(make=make):
        make('x')
        fails(errno.ENOTDIR, os.rmdir, 'x')


@case('unlink of a directory is EISDIR', 'unlink(2): EISDIR')
def unlink_directory():
    os.mkdir('d')
    fails(errno.EISDIR, os.unlink, 'd')


@case('unlink of a symbolic link leaves what it leads to', 'unlink(2)')
def unlink_link():
    put('x', b'content')
    os.symlink('x', 'l')
    os.unlink('l')
    same('the content', get('x'), b'content')


@case('unlink does not ask for the permissions of the file', 'unlink(2)', 'root')
def unlink_any():
    put('x', b'', 0)
    with as_user():
        os.unlink('x')
    absent('x')


@case('rmdir removes an empty directory', 'rmdir(2)')
def rmdir():
    os.mkdir('d')
    os.rmdir('d')
    absent('d')


for name, make in {'file': put, 'directory': os.mkdir, 'symlink': lambda x: os.symlink('anything', x)}.items():
    @case('rmdir of a directory with a %s in it is ENOTEMPTY' % name, 'rmdir(2): ENOTEMPTY', name='rmdir-with-' + name)
    def rmdir_full(make=make):
        os.mkdir('d')
        make('d/x')
        fails((errno.ENOTEMPTY, errno.EEXIST), os.rmdir, 'd')


@case('rmdir of a name that ends with . is EINVAL, with .. ENOTEMPTY', 'rmdir(2)')
def rmdir_dots():
    os.makedirs('d/e')
    fails(errno.EINVAL, os.rmdir, 'd/e/.')
    fails((errno.ENOTEMPTY, errno.EEXIST), os.rmdir, 'd/e/..')


@case('a directory becomes removable when the last name in it goes', 'rmdir(2)')
def rmdir_emptied():
    os.mkdir('d')
    put('d/x')
    os.unlink('d/x')
    os.rmdir('d')


@case('rmdir of a directory that one stands in works', 'rmdir(2)')
def rmdir_here():
    os.mkdir('d')
    os.chdir('d')
    os.rmdir('../d')
    fails(errno.ENOENT, os.open, 'x', os.O_CREAT | os.O_WRONLY)
    fails(errno.ENOENT, os.getcwd)


@case('rmdir follows no symbolic link', 'rmdir(2): ENOTDIR')
def rmdir_link():
    os.mkdir('d')
    os.symlink('d', 'l')
    fails(errno.ENOTDIR, os.rmdir, 'l')


@case('a name can be made again at once, as another kind', 'unlink(2)')
def again():
    for _ in range(20):
        put('x')
        os.unlink('x')
        os.mkdir('x')
        os.rmdir('x')
        os.symlink('y', 'x')
        os.unlink('x')


# ---- sticky directories ----

def shared_place(perm, owner_of_file, owner_of_directory):
    os.mkdir('d')
    put('d/x')
    os.mkdir('d/sub')
    for name in ('d/x', 'd/sub'):
        given(name, owner_of_file, owner_of_file, 0o777)
    given('d', owner_of_directory, 0, perm)


STICKY = [('another', 0, 0, False), ('owner-of-file', OTHER, 0, True), ('owner-of-directory', 0, OTHER, True),
          ('third', THIRD, THIRD, False)]
REMOVES = {'unlink': lambda: os.unlink('d/x'), 'rmdir': lambda: os.rmdir('d/sub'),
           'rename': lambda: os.rename('d/x', 'd/y'), 'rename-directory': lambda: os.rename('d/sub', 'd/y'),
           'rename-over': lambda: (put('d/new'), os.rename('d/new', 'd/x'))}
for who, of_file, of_directory, may in STICKY:
    for call, fn in REMOVES.items():
        @case('in a sticky directory %s %s to %s' % (call, 'is allowed' if may else 'is refused with EPERM', who),
              'inode(7): S_ISVTX; unlink(2), rmdir(2), rename(2): EPERM', 'root', name='sticky-%s-%s' % (call, who))
        def sticky(of_file=of_file, of_directory=of_directory, may=may, fn=fn):
            shared_place(0o1777, of_file, of_directory)
            with as_user():
                fn() if may else fails((errno.EPERM, errno.EACCES), fn)

for call, fn in REMOVES.items():
    @case('in a directory for all without the sticky bit %s is allowed to anybody' % call, 'inode(7)', 'root',
          name='unsticky-' + call)
    def unsticky(fn=fn):
        shared_place(0o777, 0, 0)
        with as_user():
            fn()
