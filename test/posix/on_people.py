"""Who may do what: the nine bits, for the owner, the group and others. inode(7), path_resolution(7)."""
import errno
import os

from suite import OTHER, THIRD, as_user, case, fails, get, given, holds, opened, put, same

GROUP = 1234
WHO = {'owner': (6, dict(uid=OTHER, gid=OTHER)), 'group': (3, dict(uid=THIRD, gid=GROUP)),
       'supplementary': (3, dict(uid=THIRD, gid=THIRD, groups=(GROUP,))), 'other': (0, dict(uid=THIRD, gid=THIRD))}


def only(shift, bits):
    """These bits for the class, the opposite ones for both others."""
    return sum((bits if s == shift else bits ^ 7) << s for s in (6, 3, 0))


def does(wanted, fn, *args):
    if not wanted:
        fails(errno.EACCES, fn, *args)
        return
    result = fn(*args)
    if isinstance(result, int):
        os.close(result)


for who, (shift, user) in WHO.items():
    for bits in range(8):
        @case('as %s: what the bits %o of a file grant is allowed, and nothing else' % (who, bits), 'inode(7)', 'root',
              name='file-%s-%o' % (who, bits))
        def file(shift=shift, user=user, bits=bits):
            put('x', b'content')
            given('x', OTHER, GROUP, only(shift, bits))
            with as_user(**user):
                does(bits & 4, os.open, 'x', os.O_RDONLY)
                does(bits & 2, os.open, 'x', os.O_WRONLY)
                does(bits & 6 == 6, os.open, 'x', os.O_RDWR)
                for bit in (4, 2, 1):
                    same('access %d' % bit, os.access('x', bit, effective_ids=True), bool(bits & bit))

        @case('as %s: what the bits %o of a directory grant is allowed, and nothing else' % (who, bits), 'inode(7)', 'root',
              name='directory-%s-%o' % (who, bits))
        def directory(shift=shift, user=user, bits=bits):
            os.mkdir('d')
            put('d/x', b'content', 0o644)
            given('d', OTHER, GROUP, only(shift, bits))
            with as_user(**user):
                does(bits & 4, os.listdir, 'd')
                does(bits & 1, os.stat, 'd/x')
                does(bits & 1, os.open, 'd/x', os.O_RDONLY)
                does(bits & 3 == 3, put, 'd/new')
                does(bits & 3 == 3, os.mkdir, 'd/sub')
                does(bits & 3 == 3, os.unlink, 'd/x')


@case('the owner is judged by his own bits alone, though others have more', 'inode(7)', 'root')
def owner_first():
    put('x', b'content')
    given('x', OTHER, OTHER, 0o077)
    with as_user():
        fails(errno.EACCES, os.open, 'x', os.O_RDONLY)


@case('root reads and writes what nobody may, and runs what somebody may', 'capabilities(7): CAP_DAC_OVERRIDE', 'root')
def root_may():
    put('x', b'content', 0)
    same('the content', get('x'), b'content')
    same('may run', os.access('x', os.X_OK), False)
    os.chmod('x', 0o001)
    same('may run', os.access('x', os.X_OK), True)


@case('what one user makes and writes another reads', 'inode(7)', 'root')
def between_users():
    with as_user():
        put('x', b'content', 0o640)
    with as_user(THIRD, THIRD):
        fails(errno.EACCES, os.open, 'x', os.O_RDONLY)
    with as_user(THIRD, THIRD, (OTHER,)):
        same('the content', get('x'), b'content')


@case('a change of mode holds at once, for others', 'chmod(2)', 'root')
def at_once():
    put('x', b'content', 0o644)
    for _ in range(5):
        with as_user():
            same('the content', get('x'), b'content')
        os.chmod('x', 0o600)
        with as_user():
            fails(errno.EACCES, os.open, 'x', os.O_RDONLY)
        os.chmod('x', 0o644)


@case('each element of a name has to be searchable', 'path_resolution(7)', 'root')
def every_element():
    os.makedirs('a/b/c')
    put('a/b/c/x', b'content')
    for d in ('a', 'a/b', 'a/b/c'):
        os.chmod(d, 0o744)
        with as_user():
            fails(errno.EACCES, os.stat, 'a/b/c/x')
        os.chmod(d, 0o711)
        with as_user():
            os.stat('a/b/c/x')


@case('a descriptor of a directory does not pass its permissions on', 'openat(2)', 'root')
def at_refused():
    os.mkdir('d')
    put('d/x')
    with opened('d', os.O_RDONLY) as fd:
        os.chmod('d', 0o700)
        with as_user():
            fails(errno.EACCES, os.open, 'x', os.O_RDONLY, dir_fd=fd)


@case('a user who may search stands in a directory, and is not thrown out', 'chdir(2)', 'root')
def stand():
    os.mkdir('d')
    os.chmod('d', 0o711)
    with as_user():
        os.chdir('d')
        fails(errno.EACCES, os.listdir, '.')


@case('a group that may not is refused, though others may', 'inode(7)', 'root')
def group_before_others():
    put('x', b'content')
    given('x', 0, GROUP, 0o604)
    with as_user(THIRD, GROUP):
        fails(errno.EACCES, os.open, 'x', os.O_RDONLY)
    with as_user(THIRD, THIRD):
        same('the content', get('x'), b'content')
    holds('the group is another', os.stat('x').st_gid == GROUP)
