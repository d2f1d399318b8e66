"""`tenon run` as a process: how it ends, what signals and the terminal do, and that nothing is left when one is killed.

As root and, where root runs this, as uid 1000 too. product.md section 2; launcher.md sections 1 and 2.
"""
import os
import re
import signal
import subprocess
import time

from bench import PATIENCE, Failed, case
from people import (AS_USER, Trace, children, family, go_on, has_pending, is_in, marked, open_fuse, people, runs,
                    servers_of, state_of, stop, switches_of, tell, wait_for, who_is_who, words_of)


@case('the exit status is the program\'s own')
def _(b):
    for run in runs(b):
        b.shows(run + 'true')
        b.shows(run + '-- sh -c "exit 7"', status=7)
        b.shows(run + 'sh -c "echo out; echo err >&2"', 'out\n', 'err\n', 0)


@case('what cannot be run gives 126 and 127')
def _(b):
    b.write('plain', 'no program', 0o644)
    os.chmod(b.dir, 0o777)
    for run in runs(b):
        b.shows(run + './plain', '', 'tenon run: ./plain: Permission denied\n', 126)
        b.shows(run + 'no-such-program-here', '', 'tenon run: no-such-program-here: No such file or directory\n', 127)


@case('a death by a signal is the same death outside')
def _(b):
    for run in runs(b):
        for name, number in (('INT', 130), ('KILL', 137), ('TERM', 143)):
            b.shows('%s sh -c "kill -%s \\$\\$"; echo $?' % (run, name), '%d\n' % number, None, 0)


@case('TERM, HUP, USR1 and USR2 sent to it reach the program')
def _(b):
    for run in runs(b):
        for name in ('TERM', 'HUP', 'USR1', 'USR2'):
            p = b.start('exec ' + run + "sh -c 'trap \"echo got %s; exit 3\" %s; echo ready; while :; do sleep 0.01; done'"
                        % (name, name))
            b.read_until(p, 'ready')
            p.send_signal(getattr(signal, 'SIG' + name))
            b.read_until(p, 'got ' + name)
            assert p.wait(PATIENCE) == 3


@case('a signal to the whole job is the program\'s affair')
def _(b):
    for run in runs(b):
        for name in ('TERM', 'HUP', 'USR1', 'INT', 'QUIT'):
            number = getattr(signal, 'SIG' + name)
            # The program takes its time: nobody else of the job may end it meanwhile.
            p = b.start('exec ' + run + "sh -c 'trap \"sleep 0.2; exit 3\" %s; echo ready; while :; do sleep 0.01; done'"
                        % name)
            b.read_until(p, 'ready')
            os.killpg(p.pid, number)
            status = p.wait(PATIENCE)
            assert status == 3, (run, name, status)
        p = b.start('exec ' + run + "sh -c 'echo ready; exec sleep 100'")
        b.read_until(p, 'ready')
        os.killpg(p.pid, signal.SIGTERM)
        assert p.wait(PATIENCE) == -signal.SIGTERM, run


# As after fg and a ^Z that is quicker than the front: who woke the job woke the program, and it has stopped once more.
@case('a program that has stopped anew when its front is woken stays stopped')
def _(b):
    for run in runs(b):
        p = b.start('exec ' + run + "sh -c 'echo ready; read line; exit 6'", stdin=subprocess.PIPE)
        b.read_until(p, 'ready')
        cmd = who_is_who(p.pid, '--pids' in run)['CMD']
        stop(cmd)
        wait_for('the front\'s own stop', lambda: state_of(p.pid) == 'T')
        go_on(cmd)
        wait_for('the program', lambda: state_of(cmd) != 'T')
        stop(cmd)
        switches = switches_of(p.pid)
        go_on(p.pid)
        wait_for('the front\'s second stop', lambda: switches_of(p.pid) > switches and state_of(p.pid) == 'T')
        assert state_of(cmd) == 'T', run
        go_on(p.pid)
        p.stdin.write(b'\n')
        p.stdin.close()
        assert p.wait(PATIENCE) == 6, run


def ends_behind_pid_1(b, who):
    """-> a front with --pids whose program has ended with 6, and pid 1, which is stopped and has not said so yet."""
    p = b.start('exec %stenon run --pids sh -c "echo up; read line; exit 6"' % who, stdin=subprocess.PIPE)
    b.read_until(p, 'up')
    one = who_is_who(p.pid, True)
    stop(one['CMD'])
    wait_for('the front\'s own stop', lambda: state_of(p.pid) == 'T')
    stop(one['pid 1'])
    go_on(one['CMD'])
    p.stdin.write(b'\n')
    p.stdin.flush()
    wait_for('the program\'s end', lambda: state_of(one['CMD']) == 'Z')
    go_on(p.pid)
    wait_for('the front\'s rest', lambda: is_in(p.pid, 'poll'))
    return p, one


def pid_1_ends_unheard(p, one):
    """Pid 1 says how the program ended, and ends, while the front stands still; then the front goes on."""
    stop(p.pid)
    go_on(one['pid 1'])
    wait_for('the keeper\'s end', lambda: state_of(one['keeper']) == 'Z')
    go_on(p.pid)
    status = p.wait(PATIENCE)
    p.stdin.close()
    assert status == 6, status


# unix(7): who closes with a message unread resets the other end, which hears ECONNRESET before what had come.
@case('with --pids the status comes through though pid 1 never read the front\'s SIGCONT')
def _(b):
    os.chmod(b.dir, 0o777)
    for who in people():
        pid_1_ends_unheard(*ends_behind_pid_1(b, who))


@case('with --pids the status comes through though the keeper\'s end is seen before it')
def _(b):
    os.chmod(b.dir, 0o777)
    for who in people():
        p, one = ends_behind_pid_1(b, who)
        for _ in range(100000):  # until the socket to pid 1 is full: the front waits between its signals and waitpid
            if is_in(p.pid, 'sendmsg'):
                break
            if not has_pending(p.pid, signal.SIGUSR1):
                os.kill(p.pid, signal.SIGUSR1)
        assert is_in(p.pid, 'sendmsg')
        pid_1_ends_unheard(p, one)


@case('identity, directory and environment are the caller\'s')
def _(b):
    for run in runs(b):
        who = run.split('tenon run')[0]
        for command in ('id -u', 'id -g', 'pwd', 'echo "$HOME $PATH"', 'umask', 'cat < /dev/null; ulimit -n',
                        'cd /usr/lib && pwd -P'):
            quoted = "sh -c '%s'" % command
            assert b.run(who + quoted).stdout == b.run(run + quoted).stdout, (run, command)


@case('an ordinary user gets no capability')
def _(b):
    if os.getuid() == 0:
        open_fuse()
        b.shows(AS_USER + 'tenon run grep CapEff /proc/self/status', 'CapEff:\t0000000000000000\n')


@case('a job outlives the program that ended by itself, and the server ends with it')
def _(b):
    for who in people():
        mark = 'mark-%d-job' % os.getpid()
        b.shows(who + "tenon run sh -c 'sh -c \"while :; do sleep 0.01; done\" %s >/dev/null 2>&1 & echo up'" % mark,
                'up\n', None, 0)
        left = marked(mark)
        assert left, who
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        wait_for('the job and the server', lambda: not marked(mark) and not servers_of(b))


# What a program may leave behind: plain children, daemons (a grandchild, in a session of its own), and who made a user
# name space of his own, or also a mount name space.
FAMILY = ('plain', 'session', 'daemon', 'userns', 'mntns')
SCRIPT = '''
sh -c 'sleep 300; :' MARK plain &
setsid sh -c 'sleep 300; :' MARK session </dev/null >/dev/null 2>&1 &
(setsid sh -c '(sh -c "sleep 300; :" MARK daemon &) &' MARK </dev/null >/dev/null 2>&1)
unshare -U sh -c 'sleep 300; :' MARK userns </dev/null >/dev/null 2>&1 &
unshare -Urm sh -c 'sleep 300; :' MARK mntns </dev/null >/dev/null 2>&1 &
echo up; wait; sh -c : MARK
'''


def has_family(mark):
    roles = {words[-2].decode() for words in map(words_of, marked(mark)) if words[:1] == [b'sh'] and len(words) > 2}
    return roles.issuperset(FAMILY)


def start_family(b, run):
    mark = 'mark-%d-%d' % (os.getpid(), time.monotonic_ns())
    script = b.write('family.sh', SCRIPT.replace('MARK', mark), 0o755)
    p = b.start('exec %s sh %s %s' % (run, script, mark))
    b.read_until(p, 'up')
    wait_for('children, daemons and name spaces', lambda: has_family(mark))
    return p, mark


def killed(b, which):
    """Kills one of front, S, CMD and, where there are such, keeper, pid 1."""
    for run in runs(b):
        if which in ('keeper', 'pid 1') and '--pids' not in run:
            continue
        trace = Trace(b)
        p, mark = start_family(b, run)
        one = who_is_who(p.pid, '--pids' in run)
        trace.of(list(one.values()) + marked(mark))
        os.kill(one[which], signal.SIGKILL)
        wait_for('%s: no process is left when %s is killed' % (run, which), lambda: not marked(mark), 2)
        wait_for(lambda: '%s: %s killed: left %r' % (run, which, trace.left()), lambda: not trace.left(), 2)
        status = p.wait(PATIENCE)
        want = 125 if which == 'S' else -signal.SIGKILL
        if status != want:
            raise Failed('%s: %s killed: status %r, want %r' % (run, which, status, want))


@case('nothing is left 2 s after SIGKILL of the front: process, mount, socket, file')
def _(b):
    killed(b, 'front')


@case('nothing is left 2 s after SIGKILL of the server; the front says so and ends with 125')
def _(b):
    killed(b, 'S')


@case('nothing is left 2 s after SIGKILL of the program')
def _(b):
    killed(b, 'CMD')


# At each moment of the set-up: the server may have said what CMD will never read.
@case('a program that is killed before it has begun ends the launch as any killed program does')
def _(b):
    for who in people():
        for moment in range(40):
            p = b.start('exec %stenon run sleep 300.%d' % (who, os.getpid()))
            wait_for('CMD', lambda: len(children(p.pid)) == 2)
            time.sleep(moment / 4000)
            os.kill(family(p.pid)[1], signal.SIGKILL)
            status = p.wait(PATIENCE)
            if status != -signal.SIGKILL:
                raise Failed('%skilled after %g ms: status %r' % (who, moment / 4, status))
        wait_for('all gone', lambda: not marked('300.%d' % os.getpid()) and not servers_of(b), 2)


@case('with --pids nothing is left 2 s after SIGKILL of the keeper, or of pid 1')
def _(b):
    killed(b, 'keeper')
    killed(b, 'pid 1')


@case('nothing is left of a name space that ended by itself: process, mount, socket, file')
def _(b):
    for run in runs(b):
        trace = Trace(b)
        p = b.start('exec %s sh -c "echo up; read line; exit 3"' % run, stdin=subprocess.PIPE)
        b.read_until(p, 'up')
        trace.of(who_is_who(p.pid, '--pids' in run).values())
        p.stdin.write(b'\n')
        p.stdin.close()
        assert p.wait(PATIENCE) == 3
        wait_for(lambda: '%s: left %r' % (run, trace.left()), lambda: not trace.left(), 2)


# The kernel gives the number of a name space that has died to the next one: here to those of the later runs.
@case('who goes on in a mount name space of his own is in no later name space\'s way')
def _(b):
    os.chmod(b.dir, 0o777)
    for who in people():
        mark = '300.%d' % os.getpid()
        script = b.write('leave.sh', 'unshare -Urm sleep %s >/dev/null 2>&1 &\n'
                         'until test "$(readlink /proc/$!/ns/mnt)" != "$(readlink /proc/self/ns/mnt)"; do :; done\n'
                         'echo up; read line' % mark)
        try:
            left = [b.start('exec %stenon run sh %s' % (who, script), stdin=subprocess.PIPE) for _ in range(6)]
            for p in left:
                b.read_until(p, 'up')
            for p in left:
                p.stdin.close()
                p.wait(PATIENCE)
            for _ in range(6):
                start = time.monotonic()
                b.shows(who + "tenon run sh -c 'tenon ns | head -n 1'", 'bind / /\n')
                assert time.monotonic() - start < 4, time.monotonic() - start
            assert len(marked(mark)) >= 6
        finally:
            for pid in marked(mark):
                tell(pid, signal.SIGKILL)
        wait_for('all gone', lambda: not marked(mark) and not servers_of(b))


@case('nothing is left of what runs in a tenon run inside another when the outer server or front is killed')
def _(b):
    os.chmod(b.dir, 0o777)
    for who in people():
        for which, want in ('S', 125), ('front', -signal.SIGKILL):
            p, mark = start_family(b, who + 'tenon run tenon run tenon run')
            os.kill(who_is_who(p.pid, False)[which], signal.SIGKILL)
            wait_for('%s: nothing left when %s is killed' % (who, which),
                     lambda: not marked(mark) and not servers_of(b), 2)
            status = p.wait(PATIENCE)
            if status != want:
                raise Failed('%s: %s killed: status %r, want %r' % (who, which, status, want))


@case('with --pids nothing outlives the program, not even in a mount name space of its own')
def _(b):
    for who in people():
        mark = 'mark-%d-pids' % os.getpid()
        b.shows(who + "tenon run --pids sh -c 'setsid unshare -Urm sh -c \"sleep 300; :\" %s >/dev/null 2>&1 & echo up'"
                % mark, 'up\n', None, 0)
        wait_for('all gone', lambda: not marked(mark), 2)


@case('with --pids one sees only what is inside')
def _(b):
    for who in people():
        b.shows(who + "tenon run --pids sh -c 'echo /proc/[0-9]*'", re.compile(r'^(/proc/\d )*/proc/\d+$', re.M))
        b.shows(who + "tenon run --pids sh -c 'kill -0 %d 2>/dev/null || echo unseen'" % os.getpid(), 'unseen\n')


@case('--ro: no file can be changed, made or removed')
def _(b):
    b.write('file', 'as it was', 0o666)
    os.chmod(b.dir, 0o777)
    for who in people():
        for command in ('echo x > file', 'echo x > new', 'rm file', 'chmod 600 file', 'touch file', 'mkdir d',
                        'echo x > /tmp/x.$$', 'echo x > /dev/shm/x.$$'):
            b.shows("%stenon run --ro sh -c '%s'" % (who, command), '', '...Read-only file system\n',
                    status=2 if '>' in command else 1)
        b.shows(who + "tenon run --ro sh -c 'cat file; echo x > /dev/null && echo ok'", 'as it wasok\n')
    assert b.read('file') == 'as it was'


@case('three tenon run inside one another')
def _(b):
    os.chmod(b.dir, 0o777)
    for who in people():
        b.shows(who + 'tenon run tenon run tenon run sh -c "ls / | grep -x usr; pwd; exit 5"', 'usr\n%s\n' % b.dir,
                status=5)
