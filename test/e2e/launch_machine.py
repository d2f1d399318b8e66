"""What `tenon run` and `tenon doctor` say where the machine lacks something: the step, the cause, the fix, status 125.

launcher.md section 6. What cannot be taken away here for real is refused by seccomp (forbid.py), with the error that the
policy or the old kernel of the row would give.
"""
import json
import os
import re
import sys

from bench import Skipped, case
from people import AS_USER, open_fuse, people

FORBID = '%s %s ' % (sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'forbid.py'))
APPARMOR = 'install the AppArmor profile of the package ...apparmor_restrict_unprivileged_userns=0...label=disable'
SECCOMP = '...--security-opt seccomp=PROFILE with a profile that allows unshare, ...'
DOCKER = 'in Docker' + SECCOMP
FUSE_MISSING = 'modprobe fuse; in Docker or Podman: --device /dev/fuse'
ANY_USER_NS, NEW_NS, NEW_PID = '0:0x10000000:0x10000000', '0:0xffffffff:0x20000', '0:0xffffffff:0x20000000'
SLAVE, FUSE, BIND, PROC = '3:0x80000:0x80000', '3:0xffffffff:6', '3:0xffffffff:0x5000', '3:0xffffffff:14'
WRITE, READ_WRITE = '2:0xffffffff:0x80001', '2:0xffffffff:0x80002'

# rule, options of run, who (`user`: root needs it not; `root`), the step, the cause, the message, the fix, required
ROWS = (
    ('openat:%s=EPERM' % READ_WRITE, '', 'all', 'open /dev/fuse', 'Operation not permitted', 'no right to /dev/fuse',
     'give it mode 0666 by a udev rule ...--device /dev/fuse', True),
    ('unshare:%s=EPERM' % ANY_USER_NS, '', 'user', 'unshare(CLONE_NEWUSER)', 'Operation not permitted',
     'user name spaces are forbidden here', 'not in a chroot; sysctl kernel.unprivileged_userns_clone=1' + SECCOMP, True),
    ('unshare:%s=ENOSYS' % ANY_USER_NS, '', 'user', 'unshare(CLONE_NEWUSER)', 'Function not implemented',
     'this kernel has no user name spaces', 'a kernel with CONFIG_USER_NS', True),
    ('unshare:%s=EINVAL' % ANY_USER_NS, '', 'user', 'unshare(CLONE_NEWUSER)', 'Invalid argument',
     'this kernel has no user name spaces', 'a kernel with CONFIG_USER_NS', True),
    ('unshare:%s=EUSERS' % ANY_USER_NS, '', 'user', 'unshare(CLONE_NEWUSER)', 'Too many users',
     'no user name space is left', 'sysctl user.max_user_namespaces=15000 (it is 0 or used up)', True),
    ('openat:%s=EACCES' % WRITE, '', 'user', '/proc/self/setgroups', 'Permission denied',
     'AppArmor forbids it (Ubuntu 23.10 and later)', APPARMOR, True),
    ('unshare:%s=EACCES' % NEW_NS, '', 'all', 'unshare(CLONE_NEWNS)', 'Permission denied',
     'mount name spaces are forbidden here', APPARMOR, True),
    ('mount:%s=EACCES' % SLAVE, '', 'all', 'mount / as slave', 'Permission denied', 'mounting is forbidden here', APPARMOR,
     True),
    ('mount:%s=EPERM' % SLAVE, '', 'all', 'mount / as slave', 'Operation not permitted', 'mounting is forbidden here',
     APPARMOR, True),
    ('mount:%s=EPERM' % FUSE, '', 'all', 'mount the FUSE file system', 'Operation not permitted',
     'mounting FUSE is forbidden here', APPARMOR, True),
    ('mount:%s=EINVAL' % FUSE, '', 'user', 'mount the FUSE file system', 'Invalid argument',
     'this kernel lets no user mount FUSE', 'a kernel of 4.18 or later', True),
    ('mount:%s=EPERM' % BIND, '', 'all', 'bind', 'Operation not permitted', 'binding directories is forbidden here',
     DOCKER, True),
    ('pivot_root=EINVAL', '', 'all', 'pivot_root', 'Invalid argument',
     '/ is an initramfs or a shared mount, on which pivot_root never works', 'run it in a chroot made by chroot(1)...', True),
    ('pivot_root=EPERM', '', 'all', 'pivot_root', 'Operation not permitted', 'pivot_root is forbidden here',
     DOCKER, True),
    ('mount_setattr=ENOSYS', '--ro', 'all', 'mount_setattr read-only', 'Function not implemented', 'no --ro',
     'a kernel of 5.12 or later', False),
    ('mount_setattr=EPERM', '--ro', 'all', 'mount_setattr read-only', 'Operation not permitted', 'no --ro',
     DOCKER, False),
    ('unshare:%s=EPERM' % NEW_PID, '--pids', 'all', 'unshare(CLONE_NEWPID)', 'Operation not permitted', 'no pid name spaces',
     'run without --pids; ' + DOCKER, False),
    ('mount:%s=EPERM' % PROC, '--pids', 'all', 'mount a new /proc', 'Operation not permitted',
     '/proc is partly covered here, so no new one may be mounted',
     'run without --pids; in Docker or Podman: --security-opt systempaths=unconfined', False),
)


def lacks(b, before, who, options, step, cause, message, fix, required):
    """before: what takes it away, for the rest of the line."""
    b.shows('%s %stenon run %s touch ran' % (before, who, options), '',
            'tenon run: %s: %s\ntenon run: %s: %s\n' % (step, cause, message, fix), 125)
    assert not os.path.exists(os.path.join(b.dir, 'ran'))
    if options:
        b.shows('%s %stenon run echo without' % (before, who), 'without\n')
    doctor = '...missing ...%s: %s: %s\n         fix: %s...' % (step, cause, message, fix)
    b.shows('%s %stenon doctor' % (before, who), doctor, None, 125 if required else 0)


@case('what a policy or an old kernel refuses, also at the first mount: the step, the cause, the fix, 125')
def _(b):
    os.chmod(b.dir, 0o777)
    for rule, options, for_whom, *rest in ROWS:
        for who in people():
            if for_whom == 'all' or os.getuid() or who:
                lacks(b, FORBID + rule + ' --', who, options, *rest)


def only_root():
    if os.getuid():
        raise Skipped('only root can take it away')
    open_fuse()


def in_own_mounts(commands):
    """What stands before a command that shall run where root has done this to the mounts."""
    return "unshare -m sh -c '%s && exec \"$@\"' sh" % commands


@case('a device that may not be opened, or is none of this kernel, or is missing: 125 and the fix')
def _(b):
    only_root()
    os.chmod(b.dir, 0o777)
    for device, whose, cause, message, fix in (
            ('mknod -m 600 /dev/fuse c 10 229', [AS_USER], 'Permission denied', 'no right to /dev/fuse', '...0666...'),
            ('mknod -m 666 /dev/fuse c 10 253', people(), 'No such device', 'no FUSE in this kernel', FUSE_MISSING),
            ('true', people(), 'No such file or directory', 'no FUSE in this kernel', FUSE_MISSING)):
        for who in whose:
            lacks(b, in_own_mounts('mount -t tmpfs none /dev && ' + device), who, '', 'open /dev/fuse', cause, message, fix,
                  True)


@case('in a chroot an ordinary user has no name spaces: 125 and the fix')
def _(b):
    only_root()
    os.makedirs(os.path.join(b.dir, 'root'))
    os.chmod(b.dir, 0o777)
    before = in_own_mounts('mount --rbind / %s/root && cd %s/root' % (b.dir, b.dir)) + ' chroot .'
    b.shows(before + ' ' + AS_USER + 'tenon run true', '',
            'tenon run: unshare(CLONE_NEWUSER): Operation not permitted\n'
            'tenon run: user name spaces are forbidden here: not in a chroot; ...', 125)


@case('where no user name space is to be had: 125 and the fix')
def _(b):
    open_fuse()
    # The limit of a user name space of our own; without capabilities, so that there is no other way.
    b.shows("unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all "
            "tenon run true'", '',
            'tenon run: unshare(CLONE_NEWUSER): No space left on device\n'
            'tenon run: no user name space is left: sysctl user.max_user_namespaces=...\n', 125)


@case('where no mount name space is to be had: 125 and the fix')
def _(b):
    open_fuse()
    b.shows("unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_mnt_namespaces; exec tenon run true'", '',
            'tenon run: unshare(CLONE_NEWNS): No space left on device\n'
            'tenon run: no mount name space is left: sysctl user.max_mnt_namespaces=15000 (it is 0 or used up)\n', 125)


@case('where /proc is partly covered an ordinary user has no --pids: 125 and the fix')
def _(b):
    only_root()
    os.chmod(b.dir, 0o777)
    lacks(b, in_own_mounts('mount -t tmpfs none /proc/irq'), AS_USER, '--pids', 'mount a new /proc',
          'Operation not permitted', '/proc is partly covered here, so no new one may be mounted',
          'run without --pids; in Docker or Podman: --security-opt systempaths=unconfined', False)


# Linux before 5.2. Below /tmp another file system is mounted, which a user name space may not uncover by a bind.
@case('without open_tree programs run as ever, and a live change says what is missing')
def _(b):
    os.makedirs(os.path.join(b.dir, 'below'))
    os.chmod(b.dir, 0o777)
    b.write('script.sh', 'ls; tenon bind /usr /opt', 0o755)
    covers = '' if os.getuid() else in_own_mounts('mount -t tmpfs none below') + ' '
    for who in people():
        for cause, error, fix in (('ENOSYS', 'Function not implemented', 'a kernel of 5.2 or later'),
                                  ('EPERM', 'Operation not permitted', SECCOMP)):
            before = covers + FORBID + 'open_tree=%s -- ' % cause + who
            b.shows(before + 'tenon run sh script.sh', 'below\nscript.sh\n', 'tenon: bind: /opt: open_tree: %s\n' % error, 1)
            b.shows(before + 'tenon doctor', '...missing  open_tree and move_mount ... open_tree: %s: no live changes\n'
                    '         fix: %s...' % (error, fix))


@case('doctor says the same as JSON')
def _(b):
    open_fuse()
    out = b.shows(FORBID + 'pivot_root=EPERM -- tenon doctor --json', None, None, 125)
    rows = {row['name']: row for row in json.loads(out)}
    bad = rows['bind and pivot_root']
    assert bad['state'] == 'missing' and bad['required'] and bad['step'] == 'pivot_root', bad
    assert bad['error'] == 'Operation not permitted' and 'seccomp=PROFILE' in bad['fix'], bad
    assert [row['state'] for row in rows.values()].count('ok') == len(rows) - 1, rows


@case('what doctor finds in order is in order for run')
def _(b):
    for who in people():
        b.shows(who + 'tenon doctor', re.compile(r'\A(ok .*\n)+\Z'))
        for options in ('', '--pids', '--ro'):
            b.shows(who + 'tenon run %s echo fine' % options, 'fine\n')
