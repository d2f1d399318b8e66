"""Extended attributes of the class user. xattr(7), setxattr(2), getxattr(2), listxattr(2), removexattr(2)."""
import ctypes
import errno
import os

import calls
from suite import OTHER, as_user, case, fails, given, opened, put, same

MAKE = {'file': put, 'directory': os.mkdir}
for what, make in MAKE.items():
    @case('an attribute of a %s is set, read, listed and removed' % what, 'xattr(7)', name=what)
    def life(make=make):
        make('x')
        same('names', os.listxattr('x'), [])
        os.setxattr('x', 'user.one', b'value')
        os.setxattr('x', 'user.two', b'')
        same('values', (os.getxattr('x', 'user.one'), os.getxattr('x', 'user.two')), (b'value', b''))
        same('names', sorted(os.listxattr('x')), ['user.one', 'user.two'])
        os.removexattr('x', 'user.one')
        same('names', os.listxattr('x'), ['user.two'])


@case('an attribute that is not there is ENODATA', 'getxattr(2), removexattr(2): ENODATA')
def absent():
    put('x')
    fails(errno.ENODATA, os.getxattr, 'x', 'user.none')
    fails(errno.ENODATA, os.removexattr, 'x', 'user.none')


@case('XATTR_CREATE and XATTR_REPLACE', 'setxattr(2): EEXIST, ENODATA')
def flags():
    put('x')
    fails(errno.ENODATA, os.setxattr, 'x', 'user.a', b'1', os.XATTR_REPLACE)
    os.setxattr('x', 'user.a', b'1', os.XATTR_CREATE)
    fails(errno.EEXIST, os.setxattr, 'x', 'user.a', b'2', os.XATTR_CREATE)
    os.setxattr('x', 'user.a', b'3', os.XATTR_REPLACE)
    same('the value', os.getxattr('x', 'user.a'), b'3')


@case('a value becomes longer and shorter', 'setxattr(2)')
def replaced():
    put('x')
    for n in (1, 1000, 10, 2000, 0):
        os.setxattr('x', 'user.a', b'v' * n)
        same('the value', os.getxattr('x', 'user.a'), b'v' * n)


@case('a value is any bytes', 'xattr(7)')
def any_bytes():
    put('x')
    os.setxattr('x', 'user.a', bytes(range(256)))
    same('the value', os.getxattr('x', 'user.a'), bytes(range(256)))


@case('a name has at most 255 bytes, one without a class is refused', 'xattr(7), setxattr(2): ERANGE, EOPNOTSUPP')
def names():
    put('x')
    os.setxattr('x', 'user.' + 'n' * 250, b'v')
    same('names', os.listxattr('x'), ['user.' + 'n' * 250])
    fails(errno.ERANGE, os.setxattr, 'x', 'user.' + 'n' * 251, b'v')
    fails((errno.EOPNOTSUPP, errno.EINVAL), os.setxattr, 'x', 'plain', b'v')
    fails(errno.EINVAL, os.setxattr, 'x', 'user.', b'v')


@case('a name that is no UTF-8 is kept', 'xattr(7)')
def name_bytes():
    put('x')
    os.setxattr('x', b'user.\xff', b'v')
    same('names', [os.fsencode(x) for x in os.listxattr('x')], [b'user.\xff'])


@case('an attribute belongs to the file, whatever its name', 'xattr(7)')
def of_the_file():
    put('x')
    os.setxattr('x', 'user.a', b'1')
    os.rename('x', 'y')
    same('behind a rename', os.getxattr('y', 'user.a'), b'1')
    with opened('y', os.O_RDWR) as fd:
        os.setxattr(fd, 'user.b', b'2')
        os.unlink('y')
        same('by a descriptor', os.getxattr(fd, 'user.b'), b'2')
    put('y')
    same('a new file', os.listxattr('y'), [])


@case('links of a file have one set of attributes', 'xattr(7)')
def of_links():
    put('x')
    os.link('x', 'y')
    os.setxattr('x', 'user.a', b'1')
    same('the value', os.getxattr('y', 'user.a'), b'1')


@case('a symbolic link has no attributes of the class user', 'xattr(7)')
def of_symlink():
    put('x')
    os.symlink('x', 'l')
    fails(errno.EPERM, os.setxattr, 'l', 'user.a', b'1', follow_symlinks=False)
    os.setxattr('l', 'user.a', b'1')
    same('the value', os.getxattr('x', 'user.a'), b'1')


@case('who may not write a file sets none, who may not read it reads none', 'xattr(7)', 'root')
def permissions():
    put('x')
    os.setxattr('x', 'user.a', b'1')
    os.chmod('x', 0o644)
    with as_user():
        same('the value', os.getxattr('x', 'user.a'), b'1')
        fails(errno.EACCES, os.setxattr, 'x', 'user.a', b'2')
        fails(errno.EACCES, os.removexattr, 'x', 'user.a')
    os.chmod('x', 0o600)
    with as_user():
        fails(errno.EACCES, os.getxattr, 'x', 'user.a')
    given('x', OTHER, OTHER, 0o600)
    with as_user():
        os.setxattr('x', 'user.a', b'3')


@case('a buffer that is too small is ERANGE, one of no size asks for the size', 'getxattr(2): ERANGE')
def small_buffer():
    put('x')
    os.setxattr('x', 'user.a', b'value')
    buf = ctypes.create_string_buffer(4)
    fails(errno.ERANGE, calls.raw, 'getxattr', b'x', b'user.a', buf, 4)
    same('the size', calls.raw('getxattr', b'x', b'user.a', None, 0), 5)
    fails(errno.ERANGE, calls.raw, 'listxattr', b'x', buf, 4)
    same('the size', calls.raw('listxattr', b'x', None, 0), 7)
