"""chmod, chown and what they take away."""
import errno
import os
import shutil
import stat
import subprocess

from suite import OTHER, THIRD, as_user, case, fails, get, given, kind, mode, opened, put, same

MAKE = {'file': put, 'directory': os.mkdir, 'fifo': os.mkfifo}
for what, make in MAKE.items():
    @case('chmod sets each of the nine bits of a %s' % what, 'chmod(2)', name='chmod-' + what)
    def chmod(make=make):
        make('x')
        before = kind('x')
        for perm in [0, 0o777] + [1 << i for i in range(9)]:
            os.chmod('x', perm)
            same('the mode', mode('x'), perm)
        same('the kind', kind('x'), before)

    for bit in (stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX):
        @case('chmod sets and takes away the bit %04o of a %s' % (bit, what), 'chmod(2)', name='chmod-%s-%04o' % (what, bit))
        def special(make=make, bit=bit):
            make('x')
            os.chmod('x', bit | 0o755)
            same('the mode', mode('x'), bit | 0o755)
            os.chmod('x', 0o755)
            same('the mode', mode('x'), 0o755)

    @case('root gives a %s to others' % what, 'chown(2)', 'root', name='chown-' + what)
    def chown(make=make):
        make('x')
        for uid, gid, want in ((OTHER, 77, (OTHER, 77)), (-1, 88, (OTHER, 88)), (99, -1, (99, 88)), (-1, -1, (99, 88))):
            os.chown('x', uid, gid)
            st = os.stat('x')
            same('owner and group', (st.st_uid, st.st_gid), want)


@case('fchmod and fchown mean the file, whatever it is called', 'fchmod(2), fchown(2)')
def by_descriptor():
    put('x')
    with opened('x', os.O_RDONLY) as fd:
        os.rename('x', 'y')
        os.fchmod(fd, 0o604)
        os.fchown(fd, os.geteuid(), os.getegid())
    same('the mode', mode('y'), 0o604)


@case('chmod follows a symbolic link', 'chmod(2)')
def through_a_link():
    put('x')
    os.symlink('x', 'l')
    os.chmod('l', 0o604)
    same('modes', (mode('x'), mode('l')), (0o604, 0o777))


@case('chown follows a symbolic link, lchown does not', 'chown(2), lchown(2)', 'root')
def lchown():
    put('x')
    os.symlink('x', 'l')
    os.chown('l', 77, 77)
    os.lchown('l', 88, 88)
    same('owners', (os.lstat('x').st_uid, os.lstat('l').st_uid), (77, 88))


@case('the owner sets the mode, nobody else but root', 'chmod(2): EPERM', 'root')
def chmod_others():
    put('x', b'', 0o777)
    given('x', OTHER, OTHER)
    with as_user():
        os.chmod('x', 0o600)
    with as_user(THIRD, THIRD):
        fails(errno.EPERM, os.chmod, 'x', 0o777)
    same('the mode', mode('x'), 0o600)


@case('nobody but root gives a file away', 'chown(2): EPERM', 'root')
def give_away():
    put('x')
    given('x', OTHER, OTHER)
    with as_user():
        fails(errno.EPERM, os.chown, 'x', THIRD, -1)
        fails(errno.EPERM, os.chown, 'x', -1, THIRD)
        os.chown('x', OTHER, OTHER)
    with as_user(THIRD, THIRD):
        fails(errno.EPERM, os.chown, 'x', THIRD, THIRD)


@case('the owner gives a file to a group that he is in', 'chown(2)', 'root')
def own_group():
    put('x')
    given('x', OTHER, OTHER)
    with as_user(groups=(1234,)):
        os.chown('x', -1, 1234)
    same('the group', os.stat('x').st_gid, 1234)


for who in ('owner', 'root'):
    @case('chown by %s takes set-user-ID and set-group-ID from a program' % who, 'chown(2)', 'root', name='chown-clears-' + who)
    def clears(who=who):
        put('x')
        given('x', OTHER, OTHER, 0o6755)
        with as_user(OTHER if who == 'owner' else 0, OTHER if who == 'owner' else 0, (1234,)):
            os.chown('x', -1, 1234)
        same('the mode', mode('x'), 0o755)


@case('chown of a directory leaves its set-group-ID', 'chown(2)', 'root')
def directory_keeps():
    os.mkdir('d')
    os.chmod('d', 0o2755)
    os.chown('d', OTHER, 1234)
    same('the mode', mode('d'), 0o2755)


@case('the owner who is not in the file\'s group sets no set-group-ID', 'chmod(2): CAP_FSETID', 'root')
def setgid_of_others():
    put('x')
    given('x', OTHER, 1234)
    with as_user():
        os.chmod('x', 0o2755)
    same('the mode', mode('x'), 0o755)
    with as_user(groups=(1234,)):
        os.chmod('x', 0o2755)
    same('the mode', mode('x'), 0o2755)


for name, change in {'write': lambda: os.close(written()), 'truncate': lambda: os.truncate('x', 1),
                     'append': lambda: os.close(written(os.O_APPEND))}.items():
    @case('%s by who is not root takes set-user-ID and set-group-ID away' % name, 'write(2), truncate(2), inode(7)', 'root',
          name=name + '-clears')
    def change_clears(change=change):
        put('x', b'abc')
        given('x', OTHER, OTHER, 0o6777)
        with as_user(THIRD, THIRD):
            change()
        same('the mode', mode('x'), 0o777)


def written(more=0):
    fd = os.open('x', os.O_WRONLY | more)
    os.write(fd, b'x')
    return fd


@case('a mode holds for a file through all of its names', 'chmod(2)')
def all_names():
    put('x')
    os.link('x', 'y')
    os.chmod('x', 0o604)
    same('the mode', mode('y'), 0o604)


@case('a set-user-ID program of another is run as him, where the mount allows it', 'execve(2)', 'root')
def setuid_program():
    shutil.copy('/usr/bin/id', 'id')
    given('id', OTHER, OTHER, 0o4755)
    out = subprocess.check_output(['./id', '-u'], text=True).strip()
    nosuid = os.statvfs('.').f_flag & os.ST_NOSUID
    same('the user', out, '0' if nosuid else str(OTHER))
