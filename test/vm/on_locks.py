"""Locks of one file through one export, by two clients: v9fs in here, and Tenon's own on the other side, or v9fs once more."""
import os
import select
import subprocess
import sys
import time

from guest import PATIENCE, Failed, case

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = 'version=9p2000.L,cache=none'
SECONDS = 300  # of sqlite
SOURCES = ["'#ram'", '.']


class Client:
    def ask(self, line):
        self.tell(line)
        return self.hear()


class Near(Client):
    """A locker on a mount of v9fs."""

    def __init__(self, g, port, options=OPTIONS):
        self.g, self.at = g, g.v9fs(port, options)
        self.p = g.start([sys.executable, HERE + '/locker.py'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.ask('open %s/f' % self.at)

    def tell(self, line):
        self.p.stdin.write(line + '\n')

    def hear(self, seconds=PATIENCE):
        return self.p.stdout.readline().strip() if select.select([self.p.stdout], [], [], seconds)[0] else None

    def kill(self):
        self.p.kill()
        self.p.wait()


class Far(Client):
    """A locker in `tenon run` on the other side."""

    def __init__(self, g, port):
        self.desk, m = g.desk, g.desk.where() + '/m'
        self.desk.sh('mkdir -p ' + m)
        self.n = self.desk.start("exec tenon run -m '%s=tcp!127.0.0.1!%d' -- python3 -B %s/locker.py" % (m, port, HERE))
        self.ask('open %s/f' % m)

    def tell(self, line):
        self.desk.tell(self.n, line)

    def hear(self, seconds=PATIENCE):
        return self.desk.hear(self.n, seconds)

    def kill(self):
        self.desk.kill(self.n)


def expect(got, want):
    if got != want:
        raise Failed('%s, not %s' % (got, want))


def export(g, source):
    g.desk.sh('mkdir -p tree')
    return g.desk.export(source if source != '.' else g.desk.where() + '/tree')


PAIRS = {'v9fs and tenon run': (Near, Far), 'tenon run and v9fs': (Far, Near), 'v9fs twice': (Near, Near)}


def each(name, sources=('.',), **kw):
    """A case for each pair and source: fn(g, a, b)."""
    def mark(fn):
        for pair, (A, B) in PAIRS.items():
            for source in sources:
                def with_both(g, A=A, B=B, source=source):
                    port = export(g, source)
                    fn(g, A(g, port), B(g, port))
                case('%s: %s, %s' % (pair, name, source.strip("'").replace('.', 'a directory')), **kw)(with_both)
        return fn
    return mark


@each('ranges exclude each other, and only where they meet', SOURCES)
def _(g, a, b):
    expect(a.ask('lock 0 10 ex try'), 'ok')
    expect(b.ask('lock 5 10 ex try'), 'EAGAIN')
    expect(b.ask('lock 9 1 sh try'), 'EAGAIN')
    expect(b.ask('lock 10 10 ex try'), 'ok')
    expect(b.ask('test 0 100'), 'ex 0 10')
    expect(a.ask('test 10 0'), 'ex 10 10')
    expect(a.ask('unlock 0 5'), 'ok')
    expect(b.ask('lock 0 5 ex try'), 'ok')
    expect(b.ask('lock 0 6 ex try'), 'EAGAIN')
    expect(a.ask('lock 100 0 sh try'), 'ok')
    expect(b.ask('lock 200 1 sh try'), 'ok')
    expect(b.ask('lock 200 1 ex try'), 'EAGAIN')
    expect(a.ask('test 50 1'), 'free')


def gets(client, line, seconds=PATIENCE):
    """Asks until it has it: v9fs, when it waits, asks again only every 30 s."""
    end = time.monotonic() + seconds
    while (said := client.ask(line)) == 'EAGAIN' and time.monotonic() < end:
        time.sleep(0.1)
    expect(said, 'ok')


@each('who waits has it when it is given up')
def _(g, a, b):
    expect(a.ask('lock 0 0 ex wait'), 'ok')
    b.tell('lock 0 0 ex wait')
    expect(a.ask('unlock 0 0'), 'ok')
    expect(b.hear(), 'ok')
    expect(a.ask('lock 7 1 sh try'), 'EAGAIN')


@each('a wait in a circle is refused', SOURCES)
def _(g, a, b):
    expect(a.ask('lock 0 1 ex wait'), 'ok')
    expect(b.ask('lock 1 1 ex wait'), 'ok')
    a.tell('lock 1 1 ex wait')
    b.tell('lock 0 1 ex wait')
    for _ in range(10 * PATIENCE):  # whoever comes second is refused, and gives up what it has
        for one, had in ((a, 0), (b, 1)):
            said = one.hear(0.05)
            if said is not None:
                expect(said, 'EDEADLK')
                return expect(one.ask('unlock %d 1' % had), 'ok')
    raise Failed('nobody is refused')


@each('a close gives up')
def _(g, a, b):
    expect(a.ask('lock 0 0 ex try'), 'ok')
    expect(a.ask('close'), 'ok')
    gets(b, 'lock 0 0 ex try')


@each('a kill gives up')
def _(g, a, b):
    expect(a.ask('lock 0 0 ex try'), 'ok')
    a.kill()
    gets(b, 'lock 0 0 ex try')


@case('an unmount with the end of its last program gives up')
def _(g):
    port = export(g, '.')
    a, b = Near(g, port), Near(g, port)
    expect(a.ask('lock 0 0 ex try'), 'ok')
    g.sh('umount -l ' + a.at)
    g.things.remove(a.at)
    expect(b.ask('lock 0 0 ex try'), 'EAGAIN')
    a.kill()
    gets(b, 'lock 0 0 ex try')


def cut(g, A, B):
    port = export(g, '.')
    relay = g.desk.relay(port)
    a, b = A(g, relay), B(g, port)
    expect(a.ask('lock 0 0 ex try'), 'ok')
    expect(b.ask('lock 0 0 ex try'), 'EAGAIN')
    g.desk.cut(relay)
    gets(b, 'lock 0 0 ex try')
    a.kill()


for pair, clients in PAIRS.items():
    case('%s: a cut link gives up' % pair, *clients)(cut)


@case('sqlite, written by v9fs and by tenon run at once for %d s, is whole and has every row' % SECONDS, seconds=SECONDS + 300)
def _(g):
    port = export(g, '.')
    at, m = g.v9fs(port, OPTIONS), g.desk.where() + '/m'
    g.desk.sh('mkdir -p ' + m)
    far = g.desk.start("exec tenon run -m '%s=tcp!127.0.0.1!%d' -- python3 -B %s/writer.py %s far %d 2>&1" % (m, port, HERE, m, SECONDS))
    near = g.start([sys.executable, HERE + '/writer.py', at, 'near', str(SECONDS)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                   text=True)
    said = near.communicate()[0].strip(), (g.desk.hear(far, 300) or 'nothing').strip()
    if not all(x.isdigit() and int(x) > 0 for x in said):
        raise Failed('v9fs: %s; tenon run: %s' % said)
    status, text = g.desk.sh("python3 -c \"import sqlite3; c = sqlite3.connect('tree/db'); print(c.execute('pragma integrity_check')"
                             ".fetchone()[0], *[x[0] for x in c.execute('select count(*) from t group by who order by who')])\"")
    expect(text.strip(), 'ok %s %s' % (said[1], said[0]))
    print('# %s rows by v9fs, %s by tenon run' % said, flush=True)
