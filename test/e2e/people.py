"""Who runs `tenon` in a case, and what the kernel knows of it: processes, mounts, sockets, temporary files."""
import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from bench import PATIENCE, Failed

SETPRIV = 'setpriv --reuid 1000 --regid 1000 --clear-groups '


def as_user():
    """Uid 1000 with a tenon that it can reach: the build's, or a copy of it."""
    build = os.path.abspath(sys.argv[1])
    if subprocess.call(SETPRIV + 'test -x %s/tenon' % build, shell=True) == 0:
        return SETPRIV
    place = tempfile.mkdtemp(prefix='tenon-bin-')
    atexit.register(shutil.rmtree, place, True)
    os.chmod(place, 0o755)
    shutil.copy(os.path.join(build, 'tenon'), place)
    return SETPRIV + 'env PATH=%s:$PATH ' % place


AS_USER = as_user() if os.getuid() == 0 else ''


def people():
    """What stands in front of a command so that somebody runs it."""
    if os.getuid():
        return ['']
    open_fuse()
    return ['', AS_USER]


def open_fuse():
    """As a udev rule would have it."""
    if os.getuid() == 0 and os.path.exists('/dev/fuse'):
        os.chmod('/dev/fuse', 0o666)


def runs(b):
    os.chmod(b.dir, 0o777)
    return [who + 'tenon run ' + options for who in people() for options in ('', '--pids ')]


def wait_for(what, condition, seconds=PATIENCE):
    """what: a text, or what to call for it."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed('%s: not within %g s' % (what() if callable(what) else what, seconds))
        time.sleep(0.005)


def tell(pid, number):
    """A signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


# ---- processes ----

def pids():
    return [int(x) for x in os.listdir('/proc') if x.isdigit()]


def stat_of(pid):
    """-> state, parent, group, session, ... of /proc/PID/stat; None: there is no such process."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()
    except OSError:
        return None


def state_of(pid):
    stat = stat_of(pid)
    return stat[0] if stat else ''


def words_of(pid):
    try:
        with open('/proc/%d/cmdline' % pid, 'rb') as f:
            return f.read().split(b'\0')
    except OSError:
        return []


def marked(mark):
    """Processes that have the mark as an argument."""
    return [pid for pid in pids() if mark.encode() in words_of(pid) and state_of(pid) not in ('Z', '')]


def servers_of(b):
    """Processes of `tenon` that work in the case's directory."""
    found = []
    for pid in pids():
        try:
            exe, cwd = os.readlink('/proc/%d/exe' % pid), os.readlink('/proc/%d/cwd' % pid)
        except OSError:
            continue
        if os.path.basename(exe).startswith('tenon') and cwd == b.dir:
            found.append(pid)
    return found


def children(parent):
    return [pid for pid in pids() if (stat_of(pid) or ' ' * 2)[1] == str(parent)]


def family(front):
    """-> S, CMD of a front: with --pids the keeper is in CMD's place. S has a session of its own."""
    found = [(pid, int((stat_of(pid) or [0] * 4)[3])) for pid in children(front)]
    s = [pid for pid, session in found if session == pid]
    cmd = [pid for pid, session in found if session != pid]
    if len(s) != 1 or len(cmd) != 1:
        raise Failed('children of %d: %r' % (front, found))
    return s[0], cmd[0]


def who_is_who(front, has_pids):
    """-> the processes of a launch by name: front, S, CMD, and with --pids keeper, pid 1."""
    s, cmd = family(front)
    found = {'front': front, 'S': s, 'CMD': cmd}
    if has_pids:
        found['keeper'] = cmd
        found['pid 1'] = children(cmd)[0]
        found['CMD'] = min(children(found['pid 1']))
    return found


# ---- processes in a certain state, so that a race is decided by the test ----

# Numbers of system calls in /proc/PID/syscall, by machine.
CALLS = {'x86_64': {'poll': {7, 271}, 'sendmsg': {46}}, 'aarch64': {'poll': {73}, 'sendmsg': {211}}}


def is_in(pid, call):
    """Whether a process sleeps in the system call."""
    try:
        with open('/proc/%d/syscall' % pid) as f:
            word = f.read().split()[0]
    except OSError:
        return False
    return state_of(pid) == 'S' and word.isdigit() and int(word) in CALLS[os.uname().machine][call]


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_for('the stop of %d' % pid, lambda: state_of(pid) == 'T')


def switches_of(pid):
    """How often it has given up the processor: it has run when the number is another."""
    with open('/proc/%d/status' % pid) as f:
        return sum(int(line.split()[1]) for line in f if 'ctxt_switches' in line)


def go_on(pid):
    os.kill(pid, signal.SIGCONT)


def has_pending(pid, number):
    with open('/proc/%d/status' % pid) as f:
        mask = re.search(r'^ShdPnd:\s*(\w+)', f.read(), re.M).group(1)
    return bool(int(mask, 16) >> (number - 1) & 1)


# ---- what else a name space is made of ----

def mounts_of(pid):
    """-> (device number, place) of each FUSE file system of tenon that a process has mounted; what the host has, too."""
    try:
        with open('/proc/%d/mountinfo' % pid) as f:
            lines = [line.split() for line in f if ' - fuse tenon ' in line or ' - fuse.tenon ' in line]
    except OSError:
        return set()
    return {(words[2], words[4]) for words in lines}


def now_ticks():
    """The time as stat_of has the starts of processes."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf('SC_CLK_TCK'))


def holders(devices, until=None):
    """Processes that have one of the devices mounted. until: those alone that had begun by then, for numbers are reused."""
    found = [pid for pid in pids() if any(device in devices for device, _ in mounts_of(pid))]
    return [pid for pid in found if until is None or int((stat_of(pid) or [until + 1] * 20)[19]) <= until]


def sockets_of(pid):
    """Inodes of the Unix sockets that a process holds."""
    found = set()
    try:
        for fd in os.listdir('/proc/%d/fd' % pid):
            m = re.match(r'socket:\[(\d+)\]', os.readlink('/proc/%d/fd/%s' % (pid, fd)))
            found.update(m.groups() if m else ())
    except OSError:
        pass
    return found & {line.split()[6] for line in unix_sockets()}


def unix_sockets():
    with open('/proc/net/unix') as f:
        return f.read().splitlines()[1:]


def left_of(sockets):
    """Lines of /proc/net/unix about these inodes."""
    return [line for line in unix_sockets() if line.split()[6] in sockets]


# Where a program may leave files behind. What other tests have there at the same time has their prefixes.
TEMPORARY = ('/tmp', '/var/tmp', '/dev/shm', '/run')
OTHERS = ('tenon-e2e-', 'tenon-bin-', 'tenon-conformance-', 'tenon-oracle-')


def temporary_files(b):
    """What bears tenon's name in the places for temporary files, and all that is in the case's own."""
    found = []
    for place in TEMPORARY:
        found += [os.path.join(place, x) for x in os.listdir(place) if 'tenon' in x and not x.startswith(OTHERS)]
    for top, dirs, files in os.walk(b.temporary):
        found += [os.path.join(top, x) for x in dirs + files]
    return found


def own_temporary(b):
    """From now on TMPDIR, HOME and XDG_RUNTIME_DIR of the case's commands are an empty directory."""
    b.temporary = os.path.join(b.dir, 'temporary')
    os.makedirs(b.temporary, exist_ok=True)
    os.chmod(b.temporary, 0o777)
    b.env.update(TMPDIR=b.temporary, HOME=b.temporary, XDG_RUNTIME_DIR=b.temporary)


class Trace:
    """What there is of a running name space, so that it can be said later that none of it is left."""

    def __init__(self, b):
        own_temporary(b)
        self.b = b
        self.before = temporary_files(b)
        self.devices, self.sockets = set(), set()
        self.time = 0

    def of(self, processes, seen=('processes', 'mounts', 'sockets')):
        """It runs: these are all of its processes. seen: what of them whoever asks can see."""
        for pid in processes:
            self.devices |= {device for device, place in mounts_of(pid) if place == '/'}
            self.sockets |= sockets_of(pid)
        self.time = now_ticks()
        found = self.left()
        if not set(seen) <= set(found):
            raise Failed('of what runs only this is seen: %r' % found)

    def left(self):
        all_of = {'processes': servers_of(self.b), 'mounts': holders(self.devices, self.time),
                  'sockets': left_of(self.sockets),
                  'files': [x for x in temporary_files(self.b) if x not in self.before]}
        return {what: found for what, found in all_of.items() if found}
