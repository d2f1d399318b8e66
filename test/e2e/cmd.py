"""#cmd: commands of the host as files. product.md section 3; Inferno's cmd(3).

Over 9P by hand, so that each message is the case's own, and in `tenon run` by a shell.
"""
import os
import re
import signal
import struct
import time

import p9
from bench import Failed, case
from people import marked, people, tell, wait_for


class Command:
    """A directory of #cmd, from the clone to the end of the connection."""

    def __init__(self, client, where=''):
        self.c, self.where = client, where
        self.ctl = client.open(where + '/clone', p9.ORDWR)
        self.dir = '%s/%s' % (where, client.read(self.ctl).decode())

    def say(self, line):
        self.c.write(self.ctl, line.encode())

    def open(self, name, mode=p9.OREAD):
        return self.c.open(self.dir + '/' + name, mode)

    def read(self, name):
        f, got = self.open(name), b''
        while True:
            piece = self.c.read(f, len(got))
            if not piece:
                self.c.clunk(f)
                return got.decode()
            got += piece


def served(b, **kw):
    return p9.Client(b.export("'#cmd'", **kw).dial, p9.me())


def refused(words, fn, *args):
    try:
        fn(*args)
    except p9.Error as e:
        if words not in str(e):
            raise Failed('%r instead of %r' % (str(e), words))
        return
    raise Failed('nothing was refused, %r was to be' % words)


@case('clone gives a directory; exec runs a command with its words; data, stderr and wait tell')
def _(b):
    with served(b) as c:
        cmd = Command(c)
        assert cmd.dir == '/1', cmd.dir
        cmd.say("exec sh -c 'echo \"$0:$1\"; pwd; echo wrong >&2; exit 3' 'a word' 'it''s'\n")
        assert cmd.read('data') == "a word:it's\n%s\n" % b.dir
        assert cmd.read('stderr') == 'wrong\n'
        assert re.fullmatch(r"\d+ \d+ \d+ \d+ 'exit: 3'", cmd.read('wait')), cmd.read('wait')
        assert re.fullmatch(r'cmd/1 2 Done \. sh\n', cmd.read('status')), cmd.read('status')
        b.shows("tenon ls DIAL", '1\nclone\n', DIAL=b.exports[0].dial)
        b.shows("tenon ls DIAL 1", 'ctl\ndata\nstatus\nstderr\nwait\n', DIAL=b.exports[0].dial)
        c.clunk(cmd.ctl)
        b.shows("tenon ls DIAL", 'clone\n', DIAL=b.exports[0].dial)


@case('what is written to data is the command\'s input, which ends when the last writer has closed it')
def _(b):
    with served(b) as c:
        cmd = Command(c)
        cmd.say('exec sort')
        first, second = cmd.open('data', p9.OWRITE), cmd.open('data', p9.ORDWR)
        c.write(first, b'b\n')
        c.write(second, b'a\n')
        c.clunk(first)
        c.clunk(second)
        assert cmd.read('data') == 'a\nb\n'
        assert cmd.read('wait').endswith("''")


@case('dir says where a command runs, nice how nicely; a command that cannot be run is an error of exec, and another can be tried')
def _(b):
    os.mkdir(os.path.join(b.dir, 'sub'))
    with served(b) as c:
        cmd = Command(c)
        cmd.say('dir %s/sub' % b.dir)
        cmd.say('nice 7')
        refused('file does not exist', cmd.say, 'exec no-such-program-here')
        refused('permission denied', cmd.say, 'exec /etc/passwd')
        cmd.say("exec sh -c 'pwd; nice'")
        assert cmd.read('data') == '%s/sub\n%d\n' % (b.dir, min(19, 7 + os.nice(0)))
        cmd = Command(c)
        cmd.say('dir /not/there')
        refused('file does not exist', cmd.say, 'exec true')


@case('wrong lines of ctl, and files that are not to be had yet, are refused with their cause')
def _(b):
    with served(b) as c:
        cmd = Command(c)
        for line in ('', 'frobnicate', 'exec', "exec 'no end", 'nice x', 'nice 99', 'dir'):
            refused('bad arg', cmd.say, line)
        refused('', cmd.say, 'exec a\nexec b')
        refused('', cmd.say, 'exec a\0b')
        refused('', cmd.say, 'exec ' + 'a ' * 300)
        refused('inappropriate use of fd', c.read, cmd.open('data'))
        refused('', cmd.say, 'kill')
        refused('permission denied', cmd.open, 'status', p9.OWRITE)
        refused('file does not exist', c.walk, '/2')
        refused('file does not exist', c.walk, '/01/ctl')
        refused('file does not exist', c.walk, '/1/nothing')
        cmd.say('exec true')
        refused('busy', cmd.say, 'exec true')


@case('there is a limit of directories, each can be had again')
def _(b):
    with served(b) as c:
        all_of = [c.open('/clone', p9.ORDWR) for _ in range(64)]
        refused('limit reached', c.open, '/clone', p9.ORDWR)
        c.clunk(all_of[0])
        assert c.read(c.open('/clone', p9.ORDWR)) == b'65'


FAMILY = "sh -c 'setsid sh -c \"sleep 300; :\" MARK & (sh -c \"sleep 300; :\" MARK &) ; echo up; exec sleep MARK' MARK"


def family(b, c, mark, where=''):
    cmd = Command(c, where)
    cmd.say('exec ' + FAMILY.replace('MARK', mark))
    assert c.read(cmd.open('data')) == b'up\n'
    wait_for('all of the family', lambda: len(marked(mark)) >= 3)
    return cmd


def mark_of(b):
    return '300.%d' % (os.getpid() * 1000 + time.monotonic_ns() % 1000)


@case('kill ends the command and all that it has begun, in sessions of their own too')
def _(b):
    with served(b) as c:
        mark = mark_of(b)
        cmd = family(b, c, mark)
        cmd.say('kill')
        assert cmd.read('wait').endswith("'signal: Killed'")
        wait_for('all gone', lambda: not marked(mark), 2)


@case('nothing of a command outlives the last close of its files, its connection, or the export, however that ends')
def _(b):
    for how in 'close', 'connection', 'TERM', 'KILL':
        mark = mark_of(b)
        c = served(b)
        cmd = family(b, c, mark)
        if how == 'close':
            c.clunk(cmd.ctl)
            assert marked(mark), 'the other open file holds it'
            c.clunk(c.fid)
        elif how == 'connection':
            c.sock.close()
        else:
            tell(b.exports[-1].p.pid, getattr(signal, 'SIG' + how))
        wait_for('%s: all gone' % how, lambda: not marked(mark), 3)
        c.sock.close()


@case('a read that waits can be flushed, and the command goes on')
def _(b):
    with served(b) as c:
        for name in 'data', 'stderr', 'wait':
            cmd = Command(c)
            cmd.say('exec cat')
            f = cmd.open(name)
            c.send(116, struct.pack('<IQI', f, 0, 100), tag=7)
            c.send(108, struct.pack('<H', 7), tag=8)
            kinds = []
            while 109 not in kinds:  # Rflush; before it perhaps the answer of what it flushed
                kinds.append(c.answer()[0])
            assert kinds in ([109], [107, 109]), kinds
            w = cmd.open('data', p9.OWRITE)
            c.write(w, b'still there')
            assert c.read(cmd.open('data')) == b'still there'


@case('a command that reads nothing makes its writer wait, and others go on')
def _(b):
    with served(b) as c:
        cmd = Command(c)
        cmd.say('exec sleep 300')
        w = cmd.open('data', p9.OWRITE)
        sent = 0
        for _ in range(40):  # a pipe has 64 KiB
            c.send(118, struct.pack('<IQI', w, 0, 4000) + b'x' * 4000, tag=100 + sent)
            sent += 1
        other = Command(p9.Client(b.exports[0].dial, p9.me()))
        other.say('exec echo there')
        assert other.read('data') == 'there\n'
        other.c.sock.close()


@case('#cmd is off unless it was given on the command line')
def _(b):
    b.shows("tenon cat '#cmd/clone'", '', "tenon: cat: '#cmd/clone': permission denied\n", 1)
    b.write('ns', "bind '#cmd' /cmd\n")
    b.shows('tenon export --clean -n ns </dev/null', '', '...permission denied\n', 1)
    for who in people():
        os.chmod(b.dir, 0o777)
        b.shows(who + "tenon run sh -c \"tenon bind '#cmd' /n/cmd\"", '', '...permission denied\n', 1)
    e = b.export("--clean -b '/x=#ram'")
    refused('', p9.Client, e.dial, p9.me(), '#cmd')


@case('an export by root runs commands of root alone')
def _(b):
    if os.getuid():
        return
    e = b.export("--map-user self '#cmd'")
    with p9.Client(e.dial, 'root') as c:
        Command(c).say('exec true')
    with p9.Client(b.export("'#cmd'").dial, 'nobody') as c:
        refused('', Command(c).say, 'exec true')
    with p9.Client(b.exports[-1].dial, 'no-such-user-here') as c:
        refused('', Command(c).say, 'exec true')


@case('nobody reads what another user\'s command says')
def _(b):
    if os.getuid():
        return
    dial = b.export("'#cmd'").dial
    with p9.Client(dial, 'root') as c, p9.Client(dial, 'nobody') as other:
        cmd = Command(c)
        cmd.say('exec echo secret')
        for name in 'ctl', 'data', 'wait', 'status':
            refused('permission denied', other.open, '%s/%s' % (cmd.dir, name))


SCRIPT = '''exec 3<>/cmd/clone
read n <&3 || :
echo "exec sh -c 'read x; echo got \\$x; test -e /n/only-inside || echo outside'" >&3
echo hello >/cmd/$n/data
cat /cmd/$n/data
'''


@case('in tenon run it is given with -b, and its commands see the host')
def _(b):
    for who in people():
        b.write('script.sh', SCRIPT, 0o755)
        os.chmod(b.dir, 0o777)
        b.shows(who + "tenon run -b '/cmd=#cmd' -b '/n/only-inside=#ram' sh script.sh", 'got hello\noutside\n')
