"""Programs of Debian's that have the kernel mount an export, as a person types them: by root, and by who is not."""
import contextlib
import os
import pwd
import subprocess
import tempfile

import basics
import on_matrix
from guest import DAEMON, HOST, PATIENCE, Failed, as_user, case

USERS = {'root': 0, 'daemon': DAEMON}


def typed(command, user):
    p = subprocess.run(command, env=dict(os.environ, USER=user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=PATIENCE)
    if p.returncode:
        raise Failed('%s: status %d: %s' % (' '.join(command), p.returncode, p.stdout.decode(errors='backslashreplace').strip()))


def mounted(at):
    with open('/proc/mounts') as f:
        return any(line.split()[1:3] == [at, '9p'] for line in f)


@contextlib.contextmanager
def at_home(user):
    """A directory below the user's: elsewhere 9umount looks for an option `name=`, which Linux calls `uname=` by now."""
    at = tempfile.mkdtemp(prefix='case-', dir=pwd.getpwnam(user).pw_dir)
    os.chown(at, USERS[user], USERS[user])
    try:
        yield at
    finally:
        if mounted(at):
            subprocess.run(['umount', '-l', at])
        os.rmdir(at)


def mounts_uses_unmounts(at, dial, options, user):
    """-> what basics.py says"""
    typed(['9mount'] + options + [dial, at], user)
    assert mounted(at), 'not mounted'
    os.mkdir(at + '/' + user)
    got = basics.some(at + '/' + user, True)
    typed(['9umount', at], user)
    assert not mounted(at), 'still mounted'
    return got


# What 9mount calls 9P2000.u is the kernel's own choice, and that is 9P2000.L nowadays.
for options, version in (('-i', '9p2000'), ('-iu', '9p2000.L')):
    for name, uid in USERS.items():
        @case('9mount %s, 9umount, as %s' % (options, name))
        def _(g, options=options, version=version, name=name, uid=uid):
            g.desk.sh('mkdir tree; chmod 1777 tree')
            port = g.desk.export("'%s/tree'" % g.desk.where())
            with at_home(name) as at:
                got = as_user(uid, mounts_uses_unmounts, at, 'tcp!%s!%d' % (HOST, port), [options], name)
            want = on_matrix.expected(version, 'none', 'directory', name, got)
            wrong = {k: v for k, v in got.items() if v != want.get(k, 'ok')}
            if wrong:
                raise Failed(repr(wrong))


@case('9umount takes away nothing that somebody else has mounted')
def _(g):
    port = g.desk.export("'#ram'")
    with at_home('daemon') as at:
        as_user(DAEMON, typed, ['9mount', 'tcp!%s!%d' % (HOST, port), at], 'daemon')
        try:
            as_user(pwd.getpwnam('bin').pw_uid, typed, ['9umount', at], 'bin')
            raise AssertionError('it is unmounted')
        except Failed as e:
            assert 'not mounted by you' in str(e), e
        assert mounted(at)
        as_user(DAEMON, typed, ['9umount', at], 'daemon')
        assert not mounted(at)
