"""Locks of byte ranges between two nodes: two `tenon run`, of two users, import what a third one exports. fcntl(2) says
what has to be; the file is the same one, so it makes no difference that the programs are on two nodes.
"""
import os
import select
import signal
import subprocess
import time

from bench import PATIENCE, Failed, Skipped, case
from people import AS_USER, family, open_fuse, wait_for
from relay import Relay

EXPORTER, USERS = 1001, (1000, 1002)
BOUND = 10  # seconds within which what has gone is known to have gone


def as_uid(uid):
    return AS_USER.replace('1000', str(uid))


class Locker:
    """A program inside of a `tenon run` of its own, with the file open as `f`."""

    def __init__(self, nodes, uid, options='', dial=None, front=None):
        b, self.uid = nodes.b, uid
        command = "python3 '%s/locker.py'" % b.dir
        self.p = subprocess.Popen(
            ['sh', '-c', "exec %stenon run %s -m '/n/far=%s' -- %s" % (front or as_uid(uid), options, dial or nodes.dial, command)],
            cwd=b.dir, env=b.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        nodes.lockers.append(self)
        self.pid = int(self.answer().split()[1])
        self.must('open f /n/far/file')

    def say(self, line):
        self.p.stdin.write((line + '\n').encode())

    def answer(self, patience=PATIENCE):
        got, end = b'', time.monotonic() + patience
        while not got.endswith(b'\n'):
            if not select.select([self.p.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise Failed('no answer within %g s' % patience)
            piece = os.read(self.p.stdout.fileno(), 4096)
            if not piece:
                raise Failed('the program ended: %r' % got)
            got += piece
        return got.decode().strip()

    def does(self, line):
        self.say(line)
        return self.answer()

    def must(self, line, want='ok'):
        got = self.does(line)
        if got not in (want if isinstance(want, tuple) else (want,)):
            raise Failed('`%s` of uid %d: %s, not %s' % (line, self.uid, got, want))

    def answers(self, want):
        got = self.answer()
        if got != want:
            raise Failed('%s, not %s' % (got, want))

    def waits(self):
        """Whether its program sleeps in the system call that waits for a lock."""
        with open('/proc/%d/syscall' % self.pid) as f:
            return f.read().split()[0] == str({'x86_64': 72, 'aarch64': 25}[os.uname().machine])

    def begins(self, line):
        self.say(line)
        wait_for('`%s`: it does not wait' % line, self.waits)

    def gets(self, line, patience=BOUND):
        """The lock, as soon as it is free."""
        end = time.monotonic() + patience
        while True:
            got = self.does(line)
            if got != 'EAGAIN':
                break
            if time.monotonic() > end:
                raise Failed('`%s`: it is still locked after %g s' % (line, patience))
            time.sleep(0.005)
        if got != 'ok':
            raise Failed('`%s`: %s' % (line, got))

    def end(self):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()
        self.p.stdin.close()
        self.p.stdout.close()


def by_a_user(b, tree):
    return b.export("'%s'" % tree, prefix=as_uid(EXPORTER))


class Nodes:
    """One exported file, and whoever locks it. export: how the tree is exported, if not by a user of its own."""

    def __init__(self, b, export=None):
        if os.getuid():
            raise Skipped('only root can be three users')
        open_fuse()
        self.b, self.lockers, self.relays = b, [], []
        os.chmod(b.dir, 0o777)
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'locker.py')) as f:
            b.write('locker.py', f.read(), 0o644)
        tree = os.path.join(b.dir, 'tree')
        os.mkdir(tree)
        b.write('tree/file', '.' * 1000, 0o666)
        for path in (tree, tree + '/file'):
            if not export:
                os.chown(path, EXPORTER, EXPORTER)
        os.chmod(tree, 0o777)
        self.dial = (export or by_a_user)(b, tree).dial

    def two(self, **kw):
        """Of which the first is about to lose what it has."""
        return Locker(self, USERS[0], **kw), Locker(self, USERS[1])

    def relay(self):
        self.relays.append(Relay(self.dial))
        return self.relays[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for x in self.lockers + self.relays:
            x.end()


@case('a range that a program of one node has, none of another gets; the rest of the file it does')
def _(b):
    with Nodes(b) as n:
        one, two = n.two()
        one.must('lock f w 10 10')
        two.must('lock f w 10 1', 'EAGAIN')
        two.must('lock f r 0 11', 'EAGAIN')
        two.must('lock f w 19 0', 'EAGAIN')
        two.must('lock f w 0 10')
        two.must('lock f w 20 0')
        one.must('lock f r 5 1', 'EAGAIN')
        two.must('test f w 0 0', 'w 10 10')
        one.must('test f w 12 1', 'free')
        one.must('lock f r 10 10')
        two.must('lock f r 10 10')
        one.must('lock f w 10 10', 'EAGAIN')
        two.must('lock f u 0 0')
        one.must('lock f w 0 0')
        two.must('lock f r 999 1', 'EAGAIN')
        # What one wrote under its lock the other reads under its own.
        one.must('write f 100 from-one')
        one.must('lock f u 0 0')
        two.must('lock f w 100 8')
        two.must('read f 100 8', 'from-one')


@case('who waits for a lock of another node has it when it is given up')
def _(b):
    with Nodes(b) as n:
        one, two = n.two()
        one.must('lock f w 0 10')
        two.begins('wait f w 0 10')
        one.must('lock f u 0 0')
        start = time.monotonic()
        two.answers('ok')
        if time.monotonic() - start > 2:
            raise Failed('it took %.1f s' % (time.monotonic() - start))
        one.must('lock f r 0 1', 'EAGAIN')


@case('who would wait for a circle of two nodes is told EDEADLK, and the other one gets the lock')
def _(b):
    with Nodes(b) as n:
        one, two = n.two()
        one.must('lock f w 0 1')
        two.must('lock f w 1 1')
        one.begins('wait f w 1 1')
        two.say('wait f w 0 1')
        ready = select.select([one.p.stdout, two.p.stdout], [], [], PATIENCE)[0]
        if not ready:
            raise Failed('both wait for each other')
        # fcntl(2) refuses who closes the circle; which of the two that is depends on whose message is there last.
        refused, other = (one, two) if one.p.stdout in ready else (two, one)
        refused.answers('EDEADLK')
        refused.must('lock f u 0 0')
        other.answers('ok')


def after(n, how, before=None, **kw):
    """One locks, `how` ends that somehow, two gets it. before: what one does first."""
    one, two = n.two(**kw)
    if before:
        one.must(before)
    one.gets('lock f w 0 10')  # who was killed before this may just be ending
    two.must('lock f w 0 10', 'EAGAIN')
    how(one)
    two.gets('lock f w 0 10')
    return one, two


def exit_normally(one):
    one.p.stdin.close()
    assert one.p.wait(PATIENCE) == 0


def close_another(one):
    one.must('open again /n/far/file')
    one.must('close again')


def kill(one):
    os.kill(one.pid, signal.SIGKILL)


@case('a lock goes with the close of any descriptor of its file, with the end of its program, and when that is killed')
def _(b):
    with Nodes(b) as n:
        for how in (lambda one: one.must('close f'), close_another, exit_normally, kill):
            one, two = after(n, how)
            one.end()
            two.end()


@case('a lock goes with its program though another one has inherited the file')
def _(b):
    # fcntl(2): locks are not inherited.
    with Nodes(b) as n:
        after(n, kill, before='spawn f')


@case('a lock goes when its tree is unmounted')
def _(b):
    with Nodes(b) as n:
        def unmount(one):
            b.shows('%stenon unmount -p %d /n/far' % (as_uid(USERS[0]), one.pid))
            one.must('close f', ('ok', 'EIO', 'ESTALE', 'ECONNRESET'))

        after(n, unmount)


@case('a lock goes when the whole name space is killed, whichever of its processes dies')
def _(b):
    with Nodes(b) as n:
        for of_run in (lambda pid: pid, lambda pid: family(pid)[0]):  # who waits outside, and the server
            one, two = after(n, lambda one: os.kill(of_run(one.p.pid), signal.SIGKILL))
            wait_for('the end of the run', lambda: one.p.poll() is not None)
            one.end()
            two.end()


@case('a lock goes with its link, and who had it cannot write by that descriptor any more')
def _(b):
    with Nodes(b) as n:
        relay = n.relay()
        one, two = after(n, lambda one: relay.cut(), dial=relay.dial)
        two.must('write f 0 two')
        relay.mend()
        got = one.does('write f 0 one')
        if got not in ('ESTALE', 'ECONNRESET'):
            raise Failed('it writes: ' + got)
        two.must('read f 0 3', 'two')
        # A descriptor of its own, from then on: it is one among all.
        one.must('open new /n/far/file')
        one.must('lock new w 0 10', 'EAGAIN')
        two.must('lock f u 0 0')
        one.must('lock new w 0 10')


@case('a silent link keeps a lock, as a program that does nothing does; who asks by it has an error within the bound')
def _(b):
    with Nodes(b) as n:
        relay = n.relay()
        one, two = n.two(dial=relay.dial, options='-o soft=2')
        one.must('lock f w 0 10')
        relay.stop()
        two.must('lock f w 0 10', 'EAGAIN')
        start = time.monotonic()
        got = one.does('lock f w 20 10')
        if got not in ('ECONNRESET', 'ETIMEDOUT') or time.monotonic() - start > 3:
            raise Failed('%s after %.1f s' % (got, time.monotonic() - start))
        relay.go_on()
        two.gets('lock f w 0 10')


@case('a lock that was waited for is not had by who has been killed meanwhile')
def _(b):
    with Nodes(b) as n:
        one, two = n.two()
        third = Locker(n, USERS[0])
        one.must('lock f w 0 10')
        two.begins('wait f w 0 10')
        os.kill(two.pid, signal.SIGKILL)
        wait_for('the end of the run', lambda: two.p.poll() is not None)
        one.must('lock f u 0 0')
        third.gets('lock f w 0 10')


# ---- a database ----

# Each row is acknowledged by a line once its commit has returned. `counter` is read and written in the same transaction: a
# writer that read what was not the last one's would lose a step of it.
WRITER = '''import sqlite3, sys, time
db = sqlite3.connect('/n/far/db', timeout=60, isolation_level=None)
print('ready', flush=True)
who, end = sys.stdin.readline().split()
n = 0
while time.monotonic() < float(end):
    db.execute('BEGIN IMMEDIATE')
    db.execute('INSERT INTO rows VALUES (?, ?, ?)', (int(who), n, 'x' * (n * 37 % 3000)))
    db.execute('UPDATE counter SET n = n + 1')
    if n % 50 == 49:
        db.execute('DELETE FROM rows WHERE who = ? AND n < ? AND n % 2', (int(who), n - 200))
    db.execute('COMMIT')
    n += 1
    print(n, flush=True)
    time.sleep(0.005)  # sqlite asks again after pauses: without one here the other would hardly ever find it free
'''


def database(b, seconds, patience):
    """Both nodes write to one database for so long. -> commits of each"""
    import sqlite3
    with Nodes(b) as n:
        b.write('writer.py', WRITER, 0o644)
        path = os.path.join(b.dir, 'tree/db')
        with sqlite3.connect(path) as db:
            db.execute('CREATE TABLE rows (who INTEGER, n INTEGER, text TEXT, PRIMARY KEY (who, n))')
            db.execute('CREATE TABLE counter (n INTEGER)')
            db.execute('INSERT INTO counter VALUES (0)')
        db.close()
        os.chown(path, EXPORTER, EXPORTER)
        os.chmod(path, 0o666)
        writers = []
        for uid in USERS:
            errors = open(os.path.join(b.dir, 'errors-%d' % uid), 'wb+')
            p = b.start("exec %stenon run -m '/n/far=%s' -- python3 '%s/writer.py' 2>'%s'" % (as_uid(uid), n.dial, b.dir, errors.name),
                        stdin=subprocess.PIPE)
            b.read_until(p, 'ready\n')
            writers.append((uid, p))
        end = time.monotonic() + seconds
        for uid, p in writers:
            p.stdin.write(b'%d %f\n' % (uid, end))
            p.stdin.close()
        counts = []
        for uid, p in writers:
            out = read_to_end(p, seconds + patience)
            status = p.wait(PATIENCE)
            if status:
                raise Failed('uid %d: status %d: %s' % (uid, status, b.read('errors-%d' % uid)))
            counts.append(int(out.split()[-1]) if out.split() else 0)
        b.end()
        judge(path, counts)
    return counts


def read_to_end(p, patience):
    out, end = b'', time.monotonic() + patience
    while True:
        if not select.select([p.stdout], [], [], max(0, end - time.monotonic()))[0]:
            raise Failed('not done within %g s' % patience)
        piece = os.read(p.stdout.fileno(), 1 << 16)
        if not piece:
            return out
        out += piece


def judge(path, counts):
    """On the exporter's disk."""
    import sqlite3
    db = sqlite3.connect(path)
    verdict = db.execute('PRAGMA integrity_check').fetchall()
    if verdict != [('ok',)]:
        raise Failed('integrity_check: %r' % verdict[:5])
    counter, = db.execute('SELECT n FROM counter').fetchone()
    if counter != sum(counts):
        raise Failed('%d steps of the counter, of %r commits' % (counter, counts))
    for uid, n in zip(USERS, counts):
        there = {x for x, in db.execute('SELECT n FROM rows WHERE who = ?', (uid,))}
        last = n - n % 50 - 1  # when the older ones were thinned out for the last time
        want = {x for x in range(n) if not (x % 2 and x < last - 200 and n >= 50)}
        wrong = sorted(want ^ there)
        if wrong:
            raise Failed('uid %d, of %d rows: %r' % (uid, n, wrong[:10]))
    db.close()


@case('a database that two nodes write to for five seconds is whole, and each acknowledged row is in it')
def _(b):
    counts = database(b, 5, 60)
    if min(counts) < 10:
        raise Failed('%r commits' % counts)
