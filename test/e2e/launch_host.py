"""`tenon mount` and `tenon unmount` outside of a name space: ordinary FUSE mounts of the host. product.md section 2.

As root, by mount(2), and as uid 1000, by fusermount3.
"""
import ctypes
import os
import re
import signal
import subprocess
import time

from bench import PATIENCE, Failed, Skipped, case
from people import (AS_USER, go_on, holders, left_of, mounts_of, people, servers_of, sockets_of, stop, tell, wait_for,
                    words_of)


def own_mounts():
    """
    Root's cases mount in a mount name space that this process has alone: whoever starts a name space meanwhile would
    copy a mount of ours, and keep it alive.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.getuid() == 0 and os.readlink('/proc/self/ns/mnt') == os.readlink('/proc/%d/ns/mnt' % os.getppid()):
        if libc.unshare(0x00020000):  # CLONE_NEWNS
            raise OSError(ctypes.get_errno(), 'unshare')
        subprocess.check_call(['mount', '--make-rprivate', '/'])


class Place:
    """A directory to mount on, an export, and who mounts. Whatever happens, nothing stays mounted."""

    def __init__(self, b, who):
        own_mounts()
        self.b, self.who = b, who
        os.chmod(b.dir, 0o777)
        for name in ('share', 'm', 'share/sub'):
            os.makedirs(os.path.join(b.dir, name), exist_ok=True)
            os.chmod(os.path.join(b.dir, name), 0o777)
        b.write('share/f', 'over the wire', 0o666)
        if who:
            subprocess.check_call(['chown', '1000:1000', os.path.join(b.dir, 'm')])
        self.m = os.path.join(b.dir, 'm')
        self.e = b.export('share')
        self.tenon = who + 'tenon '

    def __enter__(self):
        return self

    def __exit__(self, *_):
        tell(self.e.p.pid, signal.SIGCONT)
        for pid in self.servers():
            tell(pid, signal.SIGKILL)
        for command in ('umount -l', 'fusermount3 -u -z'):
            while subprocess.call(command.split() + [self.m], stderr=subprocess.DEVNULL) == 0:
                pass

    def servers(self):
        """The server processes of mounts: `tenon mount` that are still there."""
        return [pid for pid in servers_of(self.b) if b'mount' in words_of(pid)]

    def mount(self, options=''):
        """-> the server process."""
        before = self.servers()
        self.b.shows("%smount %s DIAL m" % (self.tenon, options), DIAL=self.e.dial)
        new = [pid for pid in self.servers() if pid not in before]
        if len(new) != 1:
            raise Failed('%d server processes' % len(new))
        self.devices = {device for device, place in mounts_of(os.getpid()) if place == self.m}
        self.sockets = sockets_of(new[0])
        return new[0]

    def unmount(self):
        """At once, whatever the server does: its bound is ten seconds."""
        start = time.monotonic()
        self.b.shows(self.tenon + 'unmount m')
        seconds = time.monotonic() - start
        if seconds > 2:
            raise Failed('unmount took %.1f s' % seconds)

    def nothing_left(self):
        wait_for(lambda: '%s: left %r' % (self.who, self.left()), lambda: not any(self.left()), 2)

    def left(self):
        mounts = [place for _, place in mounts_of(os.getpid()) if place == self.m]
        return self.servers(), holders(self.devices), left_of(self.sockets), mounts


# As fusermount3 says it at an unmount; a bare container has no such file.
NO_MTAB = 'fusermount3 wants /etc/mtab: ln -s /proc/self/mounts /etc/mtab'


def mounters():
    """What stands in front of a command so that somebody runs it who can mount here, and unmount."""
    can = [who for who in people() if os.path.exists('/etc/mtab') or (os.getuid() == 0 and not who)]
    if not can:
        raise Skipped(NO_MTAB)
    return can


def places(b):
    for who in mounters():
        with Place(b, who) as p:
            yield p


def by_user():
    """Who has no right to mount(2)."""
    if not os.path.exists('/etc/mtab'):
        raise Skipped(NO_MTAB)
    return people()[-1]


@case('outside of tenon run a server\'s tree is mounted for all who look, until it is unmounted')
def _(b):
    for p in places(b):
        b.write('m/below', '')
        p.mount()
        b.shows(p.who + "sh -c 'ls m; cat m/f; echo new >m/made; mkdir m/d; mv m/made m/d/moved'", 'f\nsub\nover the wire')
        b.shows('cat share/d/moved; rm -r share/d', 'new\n')
        b.shows('grep " $PWD/m " /proc/mounts', re.compile(r'^tenon \S+/m fuse\.tenon rw,nosuid,nodev,'))
        p.unmount()
        b.shows('ls m', 'below\n')
        p.nothing_left()


@case('-o means for a mount of the host what it means for any')
def _(b):
    for p in places(b):
        p.mount('-o ro')
        b.shows(p.who + "sh -c 'cat m/f; echo x >m/f'", 'over the wire', '...Read-only file system\n', 2)
        p.unmount()
        for command, cause in (('-o bogus DIAL m', 'bogus: unknown option of a mount'),
                               ('-o before DIAL m', 'before: a mount of the host has no order'),
                               ('-o aname=x DIAL m y', 'aname=x: ANAME is given, too'),
                               ('-a DIAL m', '-a: only inside of tenon run, and without --host'),
                               ("'#ram' m", "'#ram': no dial string; outside of tenon run only those can be mounted")):
            b.shows(p.tenon + 'mount ' + command, '', 'tenon: mount: %s\ntry: tenon mount --help\n' % cause, 2,
                    DIAL=p.e.dial)
        p.nothing_left()


@case('what cannot be mounted is said in one line, and nothing is left')
def _(b):
    for p in places(b):
        b.write('file', '')
        p.mount()
        p.unmount()
        for command, what, cause in (('DIAL missing', 'missing', 'No such file or directory'),
                                     ('DIAL file', 'file', 'Not a directory'),
                                     ('tcp!127.0.0.1!1 m', "'tcp!127.0.0.1!1'", 'cannot connect to ...connection refused'),
                                     ('DIAL m nowhere', "'%s'" % p.e.dial, 'bad attach specifier'),
                                     ('-o aname=nowhere DIAL m', "'%s'" % p.e.dial, 'bad attach specifier')):
            b.shows(p.tenon + 'mount ' + command, '', 'tenon: mount: %s: %s\n' % (what, cause), 1, DIAL=p.e.dial)
        if p.who:
            b.shows(p.tenon + 'mount DIAL /usr', '', 'tenon: mount: /usr: user has no write access to mountpoint /usr\n',
                    1, DIAL=p.e.dial)
        p.nothing_left()


@case('unmount ends mounts of tenon and no others')
def _(b):
    for p in places(b):
        p.mount()
        is_root = not p.who and not os.getuid()
        if is_root:
            b.shows('mount -t tmpfs none share/sub')  # a mount that would go, if it were taken for tenon's
        try:
            for name, cause in (('share/sub', 'not a mount of tenon'), ('share', 'not a mount of tenon'),
                                ('missing', 'No such file or directory'),
                                ('m/sub', 'is below a mount of tenon, not its top' if is_root else '...')):
                b.shows(p.tenon + 'unmount ' + name, '', 'tenon: unmount: %s: %s\n' % (name, cause), 1)
        finally:
            if is_root:
                b.shows('umount -l share/sub')
        b.shows(p.who + 'cat m/f', 'over the wire')
        p.unmount()
        b.shows(p.tenon + 'unmount m', '', 'tenon: unmount: m: not a mount of tenon\n', 1)
        p.nothing_left()


@case('an ordinary user cannot unmount what root has mounted')
def _(b):
    if os.getuid():
        raise Skipped('there is one user alone')
    by_user()
    with Place(b, '') as p:
        p.mount()
        b.shows(AS_USER + 'tenon unmount m', '', re.compile(r'\Atenon: unmount: m: .*\n\Z'), 1)
        b.shows('cat m/f', 'over the wire')
        p.unmount()
        p.nothing_left()


@case('a mount that is in use goes from its name at once; who has it open keeps it until he closes')
def _(b):
    for p in places(b):
        p.mount()
        q = b.start(p.who + "sh -c 'exec 8<m/f; cd m/sub; echo open; read line; cat <&8'", stdin=subprocess.PIPE)
        b.read_until(q, 'open')
        p.unmount()
        b.shows('test -e m/f', status=1)
        assert p.servers()
        q.stdin.write(b'\n')
        q.stdin.close()
        b.read_until(q, 'over the wire')
        assert q.wait(PATIENCE) == 0
        p.nothing_left()


@case('a second mount lies upon the first, and is taken away first; fusermount3 makes none')
def _(b):
    for p in places(b):
        first = p.mount()
        if p.who or os.getuid():
            b.shows(p.tenon + 'mount DIAL m', '', 'tenon: mount: m: a mount of tenon is there already\n', 1, DIAL=p.e.dial)
            p.unmount()
            p.nothing_left()
            continue
        other = b.export("'#ram'")
        b.shows(p.tenon + 'mount DIAL m', DIAL=other.dial)
        b.shows(p.who + "ls m")
        p.unmount()
        b.shows(p.who + 'cat m/f', 'over the wire')
        assert p.servers() == [first]
        p.unmount()
        p.nothing_left()


@case('when the 9P server is killed calls fail within the mount\'s bound, and unmount ends it at once')
def _(b):
    for p in places(b):
        p.mount('-o soft=1')
        p.e.kill()
        start = time.monotonic()
        b.shows(p.who + 'cat m/f', '', re.compile('.'), 1)
        assert time.monotonic() - start < 5
        p.unmount()
        p.nothing_left()


@case('while the 9P server stands still unmount is at once, and who waits gets an error')
def _(b):
    for p in places(b):
        p.mount('-o soft=3')
        stop(p.e.p.pid)
        q = b.start(p.who + "sh -c 'echo begun; cat m/f'")
        b.read_until(q, 'begun')
        p.unmount()
        assert q.wait(PATIENCE) == 1
        p.nothing_left()


@case('when the mount\'s own process is killed calls fail at once, and unmount ends it')
def _(b):
    for p in places(b):
        os.kill(p.mount(), signal.SIGKILL)
        wait_for('the process\'s end', lambda: not p.servers())
        b.shows(p.who + 'cat m/f', '', '...Transport endpoint is not connected\n', 1)
        b.shows(p.tenon + 'mount DIAL m', '', 'tenon: mount: m: Transport endpoint is not connected\n', 1,
                DIAL=p.e.dial)
        p.unmount()
        p.nothing_left()


@case('SIGTERM to the mount\'s own process ends the mount')
def _(b):
    for p in places(b):
        os.kill(p.mount(), signal.SIGTERM)
        p.nothing_left()


@case('SIGTERM to the process of a covered mount leaves the one above alone')
def _(b):
    if os.getuid():
        raise Skipped('only mount(2) lets one lie upon the other')
    with Place(b, '') as p:
        first = p.mount()
        second = p.mount()
        os.kill(first, signal.SIGTERM)
        wait_for('the end of the first', lambda: first not in p.servers())
        b.shows(p.who + 'cat m/f', 'over the wire')
        os.kill(second, signal.SIGTERM)
        wait_for('the end of the second', lambda: not p.servers())
        p.unmount()
        p.nothing_left()


@case('a mount keeps none of its caller\'s descriptors')
def _(b):
    for p in places(b):
        b.shows(p.tenon + 'mount DIAL m 9>&1', DIAL=p.e.dial)  # whose output would not end before the mount
        p.unmount()


@case('a mount whose caller was killed meanwhile is not made')
def _(b):
    for p in places(b):
        p.mount()
        p.unmount()
        stop(p.e.p.pid)
        q = b.start('exec %smount %s m' % (p.tenon, p.e.dial.replace('!', '\\!')))
        wait_for('two processes', lambda: len(p.servers()) == 2)
        q.kill()
        q.wait()
        go_on(p.e.p.pid)
        wait_for('the end', lambda: not p.servers())
        p.nothing_left()


# ---- where the machine lacks something ----

@case('without fusermount3 an ordinary user is told so, and the fix: 125')
def _(b):
    os.makedirs(os.path.join(b.dir, 'bin'))
    with Place(b, by_user()) as p:
        b.shows(p.who + "sh -c 'PATH=$PWD/bin exec $(command -v tenon) mount DIAL m'".replace('DIAL', p.e.dial), '',
                'tenon: mount: m: fusermount3 is missing: apt-get install fuse3\n', 125)
        p.mount()
        b.shows(p.who + "sh -c 'PATH=$PWD/bin exec $(command -v tenon) unmount m'", '',
                'tenon: unmount: m: fusermount3 is missing: apt-get install fuse3\n', 125)
        p.unmount()
        p.nothing_left()


@case('where fusermount3 has no rights the fix is said: 125')
def _(b):
    with Place(b, by_user()) as p:
        b.shows(p.who + 'setpriv --no-new-privs tenon mount DIAL m', '',
                'tenon: mount: m: ...Operation not permitted: fusermount3 must be setuid root, ...', 125, DIAL=p.e.dial)
        b.shows(p.who + 'unshare -Ur tenon mount DIAL m', '',
                'tenon: mount: m: mount(2) is forbidden here: ...--cap-add SYS_ADMIN...', 125, DIAL=p.e.dial)
        assert not p.servers()


@case('without a FUSE device a mount says so, and the fix: 125')
def _(b):
    if os.getuid():
        raise Skipped('only root can take the device away')
    for p in places(b):
        script = b.write('script.sh', 'mount -t tmpfs none /dev && exec %s mount %s m' % (p.tenon, p.e.dial))
        b.shows('unshare -m sh ' + script, '', 'tenon: mount: ...modprobe fuse...--device /dev/fuse\n', 125)


@case('--host inside of tenon run: the tree appears for root; an ordinary user is told what to leave out')
def _(b):
    for p in places(b):
        script = b.write('script.sh', "tenon mount --host '%s' m && cat m/f && tenon unmount --host m && ls m"
                         % p.e.dial)
        b.write('m/below', '')
        if p.who or os.getuid():
            b.shows(p.tenon + 'run sh ' + script, '', 'tenon: mount: m: ...inside, leave out --host\n', 125)
            b.shows(p.tenon + "run sh -c 'tenon mount %s m && cat m/f'" % p.e.dial, 'over the wire')
        else:
            b.shows(p.tenon + 'run sh ' + script, 'over the wirebelow\n')
        wait_for('the end', lambda: not servers_of(b) or not p.servers())


@case('where /etc/mtab is missing an unmount by fusermount3 says so, and the fix: 125')
def _(b):
    if os.path.exists('/etc/mtab'):
        raise Skipped('it is there')
    with Place(b, people()[-1]) as p:
        if os.getuid() == 0 and not p.who:
            raise Skipped('root needs no fusermount3')
        b.shows(p.tenon + "mount '%s' m" % p.e.dial)
        b.shows(p.tenon + 'unmount m', '', 'tenon: unmount: m: ...: ln -s /proc/self/mounts /etc/mtab\n', 125)
