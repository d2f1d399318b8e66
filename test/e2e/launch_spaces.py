"""Name spaces that run, seen and entered from outside: `tenon ps`. product.md section 2.

Each case as root and, where root runs this, as uid 1000 too.
"""
import json
import os
import socket
import subprocess

from bench import PATIENCE, case
from people import go_on, people, stop, wait_for, who_is_who

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
        os.chmod(b.dir, 0o777)
        b.write('clean.sh', "tenon run --clean -b '/lib=#host/lib' -b '/lib64=#host/lib64' -b '/usr=#host/usr' "
                '-b "/t=#host$(command -v tenon)" /t ps', 0o755)
        b.shows(who + 'sh clean.sh', '', 'tenon: ps: /proc/net/unix: No such file or directory\n', 1)
