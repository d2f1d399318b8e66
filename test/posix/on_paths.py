"""What every call that takes a name says of a name that leads nowhere: path_resolution(7), and ERRORS of each call."""
import errno
import os

import calls
from suite import OTHER, as_user, case, fails, put


def plain_open(path):
    os.close(os.open(path, os.O_RDONLY))


def create(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))


def link_from(path):
    os.link(path, 'other')


def link_to(path):
    put('source')
    os.link('source', path)


def rename_from(path):
    os.rename(path, 'other')


def rename_to(path):
    put('source')
    os.rename('source', path)


def symlink(path):
    os.symlink('anything', path)


def truncate(path):
    os.truncate(path, 0)


def utime(path):
    calls.utimensat(path, (1, 0), (1, 0))


def chown(path):
    os.chown(path, os.geteuid(), os.getegid())


def access(path):
    calls.raw('faccessat', calls.AT_FDCWD, os.fsencode(path), os.F_OK, calls.AT_EACCESS)


def mkfifo(path):
    os.mkfifo(path)


def chmod(path):
    os.chmod(path, 0o600)


def statfs(path):
    os.statvfs(path)


# Calls on what exists, and calls that make a name.
ON = {'open': plain_open, 'stat': os.stat, 'lstat': os.lstat, 'chmod': chmod, 'chown': chown, 'truncate': truncate,
      'unlink': os.unlink, 'rmdir': os.rmdir, 'link-from': link_from, 'rename-from': rename_from,
      'readlink': os.readlink, 'utimensat': utime, 'access': access, 'chdir': os.chdir, 'statfs': statfs}
MAKES = {'create': create, 'mkdir': os.mkdir, 'symlink': symlink, 'mkfifo': mkfifo, 'link-to': link_to,
         'rename-to': rename_to}
ALL = {**ON, **MAKES}


def nowhere():
    return 'none/x'


def through_a_file():
    put('file')
    return 'file/x'


def long_name():
    return 'n' * 256


def long_name_between():
    return 'n' * 256 + '/x'


def long_path():
    return 'd/' * 2048 + 'x'


def through_a_loop():
    os.symlink('loop', 'loop')
    return 'loop/x'


def through_two():
    os.symlink('b', 'a')
    os.symlink('a', 'b')
    return 'a/x'


def empty():
    return ''


WRONG = {
    'nowhere': (nowhere, errno.ENOENT, 'a directory of the name does not exist', ALL),
    'empty': (empty, errno.ENOENT, 'the name is empty', ALL),
    'through-a-file': (through_a_file, errno.ENOTDIR, 'what stands for a directory in the name is a file', ALL),
    'long-name': (long_name, errno.ENAMETOOLONG, 'the last element has 256 bytes', ALL),
    'long-name-between': (long_name_between, errno.ENAMETOOLONG, 'a directory in the name has 256 bytes', ALL),
    'long-path': (long_path, errno.ENAMETOOLONG, 'the name has 4097 bytes', ALL),
    'through-a-loop': (through_a_loop, errno.ELOOP, 'a symbolic link in the name leads to itself', ALL),
    'through-two': (through_two, errno.ELOOP, 'two symbolic links in the name lead to each other', ALL),
    'absent': (lambda: 'none', errno.ENOENT, 'the name does not exist', ON),
}


for wrong, (prepare, want, says, which) in WRONG.items():
    for call, fn in which.items():
        @case('%s fails with %s when %s' % (call, errno.errorcode[want], says), 'path_resolution(7)',
              name='%s-%s' % (call, wrong))
        def on_a_wrong_name(fn=fn, prepare=prepare, want=want):
            fails(want, fn, prepare())


# ---- who may not search a directory, and who may not write it ----

def closed(perm):
    os.mkdir('d')
    put('d/x')
    os.mkdir('d/sub')
    os.symlink('x', 'd/link')
    os.chown('d/x', OTHER, OTHER)
    os.chmod('d', perm)
    os.chmod('.', 0o777)


for call, fn in ALL.items():
    @case('%s fails with EACCES when the directory may not be searched' % call, 'path_resolution(7): search permission',
          'root', name='%s-no-search' % call)
    def no_search(fn=fn):
        closed(0o666)
        with as_user():
            fails(errno.EACCES, fn, 'd/x')

for call, fn, path in [(c, f, 'd/new') for c, f in MAKES.items()] + [
        ('unlink', os.unlink, 'd/x'), ('rmdir', os.rmdir, 'd/sub'), ('rename-from', rename_from, 'd/x')]:
    @case('%s fails with EACCES when the directory may not be written' % call, 'ERRORS of the call',
          'root', name='%s-no-write' % call)
    def no_write(fn=fn, path=path):
        closed(0o555)
        with as_user():
            fails(errno.EACCES, fn, path)

for call, fn in {c: f for c, f in MAKES.items() if c not in ('create', 'rename-to')}.items():
    @case('%s fails with EEXIST when the name exists' % call, 'ERRORS of the call', name='%s-exists' % call)
    def exists(fn=fn):
        put('here')
        fails(errno.EEXIST, fn, 'here')

    @case('%s fails with EEXIST when the name is a symbolic link that leads nowhere' % call, 'ERRORS of the call',
          name='%s-exists-dangling' % call)
    def exists_dangling(fn=fn):
        os.symlink('nowhere', 'here')
        fails(errno.EEXIST, fn, 'here')


@case('a name of 40 symbolic links in a row is followed', 'path_resolution(7): at most 40')
def forty_links():
    put('l0', b'end')
    for i in range(40):
        os.symlink('l%d' % i, 'l%d' % (i + 1))
    plain_open('l40')


@case('a name of 41 symbolic links in a row fails with ELOOP', 'path_resolution(7): at most 40')
def more_than_forty_links():
    put('l0', b'end')
    for i in range(41):
        os.symlink('l%d' % i, 'l%d' % (i + 1))
    fails(errno.ELOOP, plain_open, 'l41')


@case('a file\'s name with a slash behind it fails with ENOTDIR', 'path_resolution(7): final slash')
def slash_behind_a_file():
    put('file')
    for fn in (plain_open, os.stat, os.lstat, os.unlink, rename_from):
        fails(errno.ENOTDIR, fn, 'file/')


@case('a slash behind the name of a symbolic link to a directory follows it', 'path_resolution(7): final slash')
def slash_behind_a_link():
    os.mkdir('d')
    os.symlink('d', 'l')
    assert os.path.samestat(os.lstat('l/'), os.lstat('d'))


@case('mkdir takes a slash behind the name', 'path_resolution(7): final slash')
def mkdir_slash():
    os.mkdir('d/')
    os.rmdir('d/')


@case('.. of a directory is the one that it stands in, also behind a symbolic link', 'path_resolution(7)')
def dotdot():
    os.makedirs('a/b')
    os.symlink('a/b', 'l')
    assert os.path.samestat(os.stat('l/..'), os.stat('a'))
    assert os.path.samestat(os.stat('a/b/../..'), os.stat('.'))


@case('a name of 4095 bytes works', 'path_resolution(7): PATH_MAX')
def path_max():
    os.mkdir('d')
    put('d/x')
    name = 'd/' + './' * 2046 + 'x'
    assert len(name) == 4095
    os.stat(name)
