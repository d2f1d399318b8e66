"""Name spaces that run, seen and entered from outside: `tenon ps`, `run --keep`, `--in`, `--end`. product.md section 2; launcher.md
section 2, the end.

Each case as root and, where root runs this, as uid 1000 too.
"""
import json
import os
import signal
import socket
import subprocess
import time

import launch_process
from bench import PATIENCE, case
from people import (Trace, children, go_on, marked, people, servers_of, stop, wait_for, who_is_who, words_of)

WAITS = "sh -c 'echo up; read line' %s"


def started(b, who, options='', program=None, pids=False):
    """-> a tenon run whose program waits for a line, and who is who in it."""
    os.chmod(b.dir, 0o777)
    p = b.start('exec %stenon run %s %s' % (who, options, program or WAITS % ('mark-%d' % os.getpid())),
                stdin=subprocess.PIPE)
    b.read_until(p, 'up')
    return p, who_is_who(p.pid, pids)


def ended(p):
    p.stdin.close()
    return p.wait(PATIENCE)


def space(b, who, server):
    """-> what ps says of the name space that this process serves; None: nothing."""
    for one in json.loads(b.shows(who + 'tenon ps --json', None)):
        if one['server'] == server:
            return one
    return None


@case('ps shows of each name space a process, its program and its mounts')
def _(b):
    for who in people():
        first, one = started(b, who, "-b '/n/ram=#ram'")
        second, two = started(b, who, "--clean -b '/usr=#host/usr' -b '/lib=#host/lib' -b '/lib64=#host/lib64' -b '/bin=#host/usr/bin'",
                              "/bin/sh -c 'echo up; read line' 'a word'")
        found = space(b, who, one['S'])
        assert (found['state'], found['pid']) == ('running', one['CMD']), found
        assert found['program'] == "sh -c 'echo up; read line' mark-%d" % os.getpid(), found
        assert 'bind -c #ram /n/ram' in found['mounts'] and found['connections'] == [], found
        assert found['mounts'] == b.shows('%stenon ns -p %d' % (who, one['CMD']), None).splitlines()[:-1], found
        found = space(b, who, two['S'])
        assert found['program'].endswith("'a word'") and 'bind -c #ram /n/ram' not in found['mounts'], found
        text = b.shows(who + 'tenon ps', None)
        assert "%-7d sh -c 'echo up; read line' mark-%d\n    bind / /\n" % (one['CMD'], os.getpid()) in text, text
        ended(first), ended(second)
        wait_for('both gone', lambda: not space(b, who, one['S']) and not space(b, who, two['S']))


@case('with --pids ps shows a process by its number outside')
def _(b):
    for who in people():
        p, one = started(b, who, '--pids', pids=True)
        assert space(b, who, one['S'])['pid'] == one['pid 1']
        b.shows('%stenon ns -p %d | head -n 1' % (who, one['pid 1']), 'bind / /\n')
        ended(p)


@case('ps shows who has stayed behind when the program has ended')
def _(b):
    for who in people():
        b.write('stay', '')
        p, one = started(b, who, '', "sh -c 'while test -e stay; do sleep 0.01; done & echo up; read line'")
        p.stdin.write(b'\n')
        p.stdin.flush()
        assert p.wait(PATIENCE) == 0
        found = space(b, who, one['S'])
        assert found['pid'] not in (0, one['CMD']), found
        os.unlink(os.path.join(b.dir, 'stay'))
        p.stdin.close()
        wait_for('the end', lambda: not space(b, who, one['S']))


@case('ps shows a connection once, with its state: connected, and lost when the server has gone')
def _(b):
    for who in people():
        e = b.export("'#ram'")
        p, one = started(b, who, "-m '/n/far=%s' -b /n/again=/n/far" % e.dial)
        found = space(b, who, one['S'])['connections']
        assert len(found) == 1, found
        assert (found[0]['dial'], found[0]['state'], found[0]['dialect'], found[0]['losses']) == (
            e.dial, 'connected', '9P2000.L.tenon', 0), found
        e.kill()
        wait_for('the loss', lambda: space(b, who, one['S'])['connections'][0]['state'] == 'lost')
        text = b.shows(who + 'tenon ps', None)
        assert '    connection %s: lost, 9P2000.L.tenon, ' % e.dial in text and ', lost 1 time\n' in text, text
        ended(p)


@case('ps answers while a change of the name space waits for a server that says nothing')
def _(b):
    with socket.create_server(('127.0.0.1', 0)) as deaf:
        for who in people():
            p, one = started(b, who)
            change = b.start("exec %stenon mount -p %d 'tcp!127.0.0.1!%d' /n/far" % (who, one['CMD'], deaf.getsockname()[1]))
            connection, _ = deaf.accept()
            assert space(b, who, one['S'])['state'] == 'running'
            assert change.poll() is None
            connection.close()
            ended(p)


@case('ps tells of a server that stands still within a second or two, and of the others as ever')
def _(b):
    for who in people():
        p, one = started(b, who)
        q, two = started(b, who)
        stop(one['S'])
        try:
            found = space(b, who, one['S'])
            assert found == {'server': one['S'], 'state': 'no answer'}, found
            assert space(b, who, two['S'])['state'] == 'running'
            text = b.shows(who + 'tenon ps', None)
            assert '?       its server, process %d: no answer\n' % one['S'] in text, text
        finally:
            go_on(one['S'])
        ended(p), ended(q)


@case('ps shows nobody else\'s name spaces, and believes nobody else\'s socket')
def _(b):
    if len(people()) < 2:
        return
    root, user = people()
    p, one = started(b, root)
    q, two = started(b, user)
    assert space(b, user, one['S']) is None and space(b, root, two['S']) is None
    with socket.socket(socket.AF_UNIX) as s:  # root's, by a name of the user's
        s.bind('\0tenon/1000/4026999999')
        s.listen()
        assert space(b, user, os.getpid()) is None
    ended(p), ended(q)


@case('what a terminal would obey is not printed by ps')
def _(b):
    for who in people():
        p, one = started(b, who, '', "sh -c 'echo up; read line' \"$(printf 'a\\033[2Jb\\nc')\"")
        text = b.shows(who + 'tenon ps', None)
        assert "'a?[2Jb?c'" in text and '\033' not in text, text
        ended(p)


@case('ps without a list of sockets says so; an argument is one too many')
def _(b):
    for who in people():
        b.shows(who + 'tenon ps now', '', 'tenon: ps: now: one argument too many\ntry: tenon ps --help\n', 2)
        if 'ASAN_OPTIONS' in os.environ:
            continue  # LeakSanitizer wants /proc as well
        os.chmod(b.dir, 0o777)
        b.write('clean.sh', "tenon run --clean -b '/lib=#host/lib' -b '/lib64=#host/lib64' -b '/usr=#host/usr' "
                '-b "/t=#host$(command -v tenon)" /t ps', 0o755)
        b.shows(who + 'sh clean.sh', '', 'tenon: ps: /proc/net/unix: No such file or directory\n', 1)


# ---- --keep, --in, --end ----

def kept(b, who, name, options='', program='true'):
    os.chmod(b.dir, 0o777)
    b.shows('%stenon run --keep %s %s -- %s' % (who, name, options, program), None)


def end(b, who, name):
    b.shows('%stenon run --end %s' % (who, name))


def names(b, who):
    return [one['keep'] for one in json.loads(b.shows(who + 'tenon ps --json', None)) if 'keep' in one]


def name_of_case(b):
    """Another one for each case: cases of others run at the same time."""
    return 'e2e-%s' % os.path.basename(b.dir).replace('tenon-e2e-', '')


@case('a kept name space goes on when its program has ended, is listed by its name, and is ended by it')
def _(b):
    name = name_of_case(b)
    for who in people():
        trace = Trace(b)
        kept(b, who, name, "-b '/n/ram=#ram'", "sh -c 'echo text >/n/ram/f; exit 0'")
        one = [x for x in json.loads(b.shows(who + 'tenon ps --json', None)) if x.get('keep') == name][0]
        # Only root can look at a server: it is not dumpable.
        trace.of([one['server']] + children(one['server']), *([('mounts',)] if os.getuid() else []))
        assert one['pid'] == 0, one
        assert '-       sh -c' in b.shows(who + 'tenon ps', None) and name in b.shows(who + 'tenon ps', None)
        for i in range(3):
            b.shows("%stenon run --in %s sh -c 'cat /n/ram/f; echo more >>/n/ram/f'" % (who, name), 'text\n' + 'more\n' * i)
        end(b, who, name)
        wait_for(lambda: 'left: %r' % trace.left(), lambda: not trace.left(), 2)
        assert name not in names(b, who)


@case('the exit status of --in is the program\'s, what cannot be run gives 126 and 127, identity and directory are the caller\'s')
def _(b):
    name = name_of_case(b)
    b.write('plain', 'no program', 0o644)
    for who in people():
        kept(b, who, name)
        into = '%stenon run --in %s ' % (who, name)
        try:
            b.shows(into + 'sh -c "exit 7"', status=7)
            b.shows(into + './plain', '', 'tenon run: ./plain: Permission denied\n', 126)
            b.shows(into + 'no-such-program-here', '', 'tenon run: no-such-program-here: No such file or directory\n', 127)
            b.shows(into + "sh -c 'kill -TERM $$'; echo $?", '143\n', None, 0)
            for command in ('id -u', 'pwd', 'umask', 'grep CapEff /proc/self/status'):
                assert b.run(into + command).stdout == b.run('%stenon run %s' % (who, command)).stdout, command
        finally:
            end(b, who, name)


@case('a kept name space that nobody is in is shown and altered by its name')
def _(b):
    name = name_of_case(b)
    b.write('a/f', 'A')
    for who in people():
        kept(b, who, name)
        try:
            b.shows("%stenon bind -p %s '#ram' /n/r" % (who, name))
            b.shows("%stenon bind -p %s $PWD/a /srv" % (who, name))
            b.shows('%stenon ns -p %s | tail -n 3' % (who, name), 'bind #ram /n/r\nbind %s/a /srv\ncd /\n' % b.dir)
            b.shows('%stenon run --in %s sh -c "ls -d /n/r; cat /srv/f"' % (who, name), '/n/r\nA')
            b.shows('%stenon unmount -p %s /srv' % (who, name))
            b.shows('%stenon run --in %s cat /srv/f' % (who, name), '', '...No such file or directory\n')
        finally:
            end(b, who, name)


@case('--in PID enters the name space of a process, with --pids its pid name space too')
def _(b):
    for who in people():
        p, one = started(b, who, "-b '/n/ram=#ram'")
        b.shows('%stenon run --in %d sh -c "echo x >/n/ram/x; ls /n/ram"' % (who, one['CMD']), 'x\n')
        ended(p)
        p, one = started(b, who, '--pids', pids=True)
        found = b.shows("%stenon run --in %d sh -c 'readlink /proc/self/ns/pid; exit 4'" % (who, one['pid 1']), 'pid:...\n', status=4)
        assert found != os.readlink('/proc/self/ns/pid') + '\n', found
        ended(p)


@case('--end of a name space that is not kept kills what runs in it')
def _(b):
    for who in people():
        p, one = started(b, who)
        end(b, who, one['CMD'])
        assert p.wait(PATIENCE) == -signal.SIGKILL
        wait_for('all gone', lambda: not servers_of(b), 2)


@case('a name is kept once; wrong names and options that do not go together are said, with 2')
def _(b):
    name = name_of_case(b)
    for who in people():
        kept(b, who, name)
        b.shows('%stenon run --keep %s touch ran' % (who, name), '',
                'tenon run: %s: a name space is kept by this name already\n' % name, 1)
        end(b, who, name)
        for command in '--in %s true', '--end %s':
            b.shows('%stenon run %s' % (who, command % name), '', 'tenon...run: %s: no name space is kept by this name\n' % name, 1)
        try_ = 'try: tenon run --help\n'
        bad = "no name to keep by: a letter, then letters, digits, '.', '_' or '-', 63 at most\n"
        b.table([
            (who + 'tenon run --keep 1st true', '', 'tenon: run: 1st: ' + bad + try_, 2),
            (who + 'tenon run --keep a/b true', '', 'tenon: run: a/b: ' + bad + try_, 2),
            (who + 'tenon run --keep %s true' % ('a' * 64), '', 'tenon: run: %s: ' % ('a' * 64) + bad + try_, 2),
            (who + 'tenon run --keep a --pids true', '', 'tenon: run: --keep: not with --pids, which lets nothing go on\n' + try_, 2),
            (who + 'tenon run --in a --ro true', '', 'tenon: run: --in: no other option goes with it\n' + try_, 2),
            (who + 'tenon run --end a --in b', '', 'tenon: run: --in: no other option goes with it\n' + try_, 2),
            (who + 'tenon run --end a b', '', 'tenon: run: b: one argument too many\n' + try_, 2),
            (who + 'tenon run --in 12x true', '', 'tenon: run: 12x: neither a process number nor a name...' + try_, 2),
            (who + 'tenon run --in 999999999 true', '', 'tenon: run: 999999999: no such process\n', 1),
            (who + "sh -c 'tenon run --in $$ true'", '', 'tenon run: ...: it runs in no name space of tenon run\n', 1),
        ])
    assert not os.path.exists(os.path.join(b.dir, 'ran'))


@case('one who is inside of a name space is told that he cannot enter another')
def _(b):
    name = name_of_case(b)
    for who in people()[1:]:
        kept(b, who, name)
        try:
            b.shows('%stenon run tenon run --in %s true' % (who, name), '',
                    'tenon run: enter the name space: Operation not permitted\n...run it from outside\n', 125)
        finally:
            end(b, who, name)


def families_in(b, who, name):
    """-> a tenon run --in with children, daemons and name spaces, its mark and its processes."""
    mark = 'mark-%d-%d' % (os.getpid(), time.monotonic_ns())
    script = b.write('family.sh', launch_process.SCRIPT.replace('MARK', mark), 0o755)
    p = b.start('exec %stenon run --in %s sh %s %s' % (who, name, script, mark))
    b.read_until(p, 'up')
    wait_for('children, daemons and name spaces', lambda: launch_process.has_family(mark))
    keeper = children(p.pid)[0]
    return p, mark, {'front': p.pid, 'keeper': keeper, 'CMD': [x for x in children(keeper) if mark.encode() in words_of(x)][0]}


@case('nothing is left 2 s after SIGKILL of a --in, its keeper or its program, and the name space goes on')
def _(b):
    name = name_of_case(b)
    for who in people():
        kept(b, who, name)
        try:
            for which in 'front', 'keeper', 'CMD':
                p, mark, one = families_in(b, who, name)
                other = b.start("exec %stenon run --in %s sh -c 'echo up; exec sleep 300'" % (who, name))
                b.read_until(other, 'up')
                os.kill(one[which], signal.SIGKILL)
                wait_for('%s: all gone when %s is killed' % (who, which), lambda: not marked(mark), 2)
                assert p.wait(PATIENCE) == -signal.SIGKILL, which
                assert other.poll() is None
                os.kill(other.pid, signal.SIGTERM)
                assert other.wait(PATIENCE) == -signal.SIGTERM
                b.shows('%stenon run --in %s echo there' % (who, name), 'there\n')
        finally:
            end(b, who, name)
        wait_for('all gone', lambda: not servers_of(b), 2)


@case('nothing is left 2 s after SIGKILL of the server of a kept name space; who is in it by --in says so and ends with 125')
def _(b):
    name = name_of_case(b)
    for who in people():
        kept(b, who, name)
        p, mark, one = families_in(b, who, name)
        server = [x for x in json.loads(b.shows(who + 'tenon ps --json', None)) if x.get('keep') == name][0]['server']
        os.kill(server, signal.SIGKILL)
        wait_for('all gone', lambda: not marked(mark) and not servers_of(b), 2)
        assert p.wait(PATIENCE) == 125


@case('nothing is left of a kept name space when its tenon run is killed')
def _(b):
    name = name_of_case(b)
    for who in people():
        p, one = started(b, who, '--keep ' + name)
        os.kill(one['front'], signal.SIGKILL)
        wait_for('all gone', lambda: not servers_of(b) and not marked('mark-%d' % os.getpid()), 2)
        assert name not in names(b, who)


@case('a kept name space goes on when its program was killed, and what an ordinary --in left behind goes on')
def _(b):
    name = name_of_case(b)
    for who in people():
        p, one = started(b, who, '--keep ' + name)
        os.kill(one['CMD'], signal.SIGKILL)
        assert p.wait(PATIENCE) == -signal.SIGKILL
        try:
            mark = '300.%d' % os.getpid()
            b.shows("%stenon run --in %s sh -c 'sleep %s >/dev/null 2>&1 & echo up'" % (who, name, mark), 'up\n', None, 0)
            assert len(marked(mark)) == 1
        finally:
            end(b, who, name)
        wait_for('the end of what was left', lambda: not marked(mark), 2)


@case('TERM, HUP, USR1 and USR2 sent to a --in reach the program; what goes to the whole job is its affair')
def _(b):
    name = name_of_case(b)
    for who in people():
        kept(b, who, name)
        try:
            for number, send in [(x, os.kill) for x in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)] + [
                    (x, os.killpg) for x in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)]:
                p = b.start("exec %stenon run --in %s sh -c 'trap \"sleep 0.1; exit 3\" %d; echo ready; while :; do sleep 0.01; done'"
                            % (who, name, number))
                b.read_until(p, 'ready')
                send(p.pid, number)
                status = p.wait(PATIENCE)
                assert status == 3, (who, number, status)
        finally:
            end(b, who, name)
