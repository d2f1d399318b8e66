"""Changes under load: how soon every program sees one; and that thousands of them leave name space and kernel alike.

Each case as root and, where root runs this, as uid 1000 too. product.md 2; launcher.md 3, 4.
"""
import collections
import os
import select
import socket
import statistics
import time

from bench import PATIENCE, Failed, case
from launch_live import tree
from launch_process import people

# What a change may take until everybody has seen it, from the end of the command or of the write to /n/ns/ctl. What is
# measured is the end of each reader's first read that showed the new file; the readers pause 20 ms between two reads
# (readers.py), so up to that is the sampling's, not the change's.
SEEN_WITHIN_S = 1.0 if 'ASAN_OPTIONS' in os.environ else 0.1

TRIES = 4

PROCESSES, THREADS = 50, 4
NESTED_PROCESSES, NESTED_THREADS = 8, 2


class Peer:
    """A connection of readers.py: lines as they come."""

    def __init__(self, s):
        self.s = s
        self.got = b''
        self.lines = collections.deque()
        self.words = self.line(time.monotonic() + PATIENCE).split()

    def take(self):
        piece = self.s.recv(65536)
        if not piece:
            raise Failed('a reader has ended')
        *whole, self.got = (self.got + piece).split(b'\n')
        self.lines.extend(x.decode() for x in whole)

    def line(self, end):
        while not self.lines:
            if not select.select([self.s], [], [], max(0, end - time.monotonic()))[0]:
                raise Failed('a reader says nothing')
            self.take()
        return self.lines.popleft()

    def say(self, text):
        self.s.sendall((text + '\n').encode())


class Load:
    """Readers and hands of the groups `outer` and `nested`, inside one tenon run, and one that is nested in it."""

    def __init__(self, b, who, options):
        self.b, self.who = b, who
        name = 'tenon-load-%d-%d' % (os.getpid(), id(self))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind('\0' + name)
        listener.listen(128)
        listener.settimeout(PATIENCE * 3)
        path = os.path.join(b.dir, 'readers.py')
        run = 'python3 %s %s' % (path, name)  # by PATH: an interpreter that everybody may use
        self.p = b.start('exec %stenon run %s sh -c "%s outer %d %d & tenon run %s nested %d %d & wait"' % (
            who, options, run, PROCESSES, THREADS, run, NESTED_PROCESSES, NESTED_THREADS))
        self.readers, self.hands = {'outer': [], 'nested': []}, {}
        for _ in range(PROCESSES + THREADS + NESTED_PROCESSES + NESTED_THREADS + 2):
            try:
                peer = Peer(listener.accept()[0])
            except socket.timeout:
                raise Failed('the readers have not come')
            if peer.words[0] == 'hand':
                self.hands[peer.words[1]] = peer
            else:
                self.readers[peer.words[1]].append(peer)
        listener.close()

    def end(self):
        for peer in sum(self.readers.values(), []) + list(self.hands.values()):
            peer.s.close()
        if self.p.wait(PATIENCE) != 0:
            raise Failed('the readers ended with %d' % self.p.returncode)

    def sights(self, group, want):
        """What each reader of the group says, until it has said `want`: [(begin, end, value)] a reader."""
        end = time.monotonic() + PATIENCE
        said = []
        for peer in self.readers[group]:
            mine = []
            while not mine or mine[-1][2] != want:
                try:
                    begin, done, value = peer.line(end).split(' ', 2)
                except Failed:
                    raise Failed('a reader does not see %s; it has seen %r' % (want, mine))
                mine.append((float(begin), float(done), value))
            said.append(mine)
        return said

    def watch(self, group, name, value):
        for peer in self.readers[group]:
            peer.say('watch ' + name)
        for mine in self.sights(group, value):
            if len(mine) > 1:
                raise Failed('%s was %s before anything was changed' % (name, mine[0][2]))

    def count(self):
        n = 0
        for peer in sum(self.readers.values(), []):
            peer.say('count')
            line = peer.line(time.monotonic() + PATIENCE)
            if not line.startswith('count '):
                raise Failed('a reader saw what nobody changed: %s' % line)
            n += int(line.split()[1])
        return n

    def change(self, where, way, line):
        """Makes the change to the name space of group `where`; when it was done, by the monotonic clock."""
        pid = self.hands[where].words[2]
        if way == 'outside':
            verb, rest = line.split(' ', 1)
            self.b.shows('%stenon %s -p %s %s' % (self.who, verb, pid, rest))
            return time.monotonic()
        hand = self.hands[where]
        hand.say('ctl ' + line if way == 'ctl' else 'sh tenon ' + line)
        done, status = hand.line(time.monotonic() + PATIENCE).split()
        if status != '0':
            raise Failed('%s, %s: status %s' % (way, line, status))
        return float(done)


# What is changed: the group whose name space it is; the change and how it is taken back; what is watched by which groups, what
# it shows before and after. Each file of the test's says who it is.
Kind = collections.namedtuple('Kind', 'what where do undo watched by old new')
KINDS = [
    Kind('a directory of the host', 'outer', 'bind D/new D/plain', 'unmount D/plain', 'D/plain/who', 'outer', 'plain', 'new'),
    Kind('a file of the host', 'outer', 'bind D/new/who D/file', 'unmount D/file', 'D/file', 'outer', 'file', 'new'),
    Kind('a name of /n', 'outer', 'bind D/new /n/k', 'unmount /n/k', '/n/k/who', 'outer', '!ENOENT', 'new'),
    Kind('below a bind', 'outer', 'bind D/new D/b/x', 'unmount D/b/x', 'D/b/x/who', 'outer', 'a-x', 'new'),
    Kind('a remote tree', 'outer', 'mount DIAL D/plain', 'unmount D/plain', 'D/plain/who', 'outer', 'plain', 'far'),
    Kind('a member of a union', 'outer', 'bind -b D/new D/u', 'unmount D/new D/u', 'D/u/who', 'outer', 'a', 'new'),
    Kind('a name in a union', 'outer', 'bind D/new D/u/x', 'unmount D/u/x', 'D/u/x/who', 'outer', 'a-x', 'new'),
    Kind('a union over a directory', 'outer', 'bind -b D/new D/plain', 'unmount D/plain', 'D/plain/who', 'outer', 'plain',
         'new'),
    Kind('at the other name of a directory', 'outer', 'mount DIAL D/a/x', 'unmount D/a/x', 'D/b/x/who', 'outer', 'a-x',
         'far'),
    Kind('and back', 'outer', 'mount DIAL D/b/x', 'unmount D/b/x', 'D/a/x/who', 'outer', 'a-x', 'far'),
    Kind('outside of the nested one', 'outer', 'bind -b D/new D/u', 'unmount D/new D/u', 'D/u/who', 'nested', 'a', 'new'),
    Kind('a name in a union, outside of the nested one', 'outer', 'bind D/new D/u/x', 'unmount D/u/x', 'D/u/x/who', 'nested',
         'a-x', 'new'),
    Kind('in the nested one', 'nested', 'bind D/new D/plain', 'unmount D/plain', 'D/plain/who', 'nested', 'plain', 'new'),
    Kind('over the outer one\'s union, in the nested one', 'nested', 'bind -b D/new D/u', 'unmount D/u', 'D/u/who', 'nested',
         'a', 'new'),
]
WAYS = ('outside', 'inside', 'ctl')


def see(load, kind, way, line, old, new):
    """Makes one change that turns `old` into `new` for all who watch; ms from its end to each reader's first sight."""
    done = load.change(kind.where, way, line)
    delays = []
    for mine in load.sights(kind.by, new):
        if [value for _, _, value in mine] != [new]:
            raise Failed('%s, %s: between %s and %s a reader saw %r' % (kind.what, line, old, new, mine))
        delays.append((mine[0][1] - done) * 1000)
    return delays


def series(load, kind):
    """Each way once, there and back; [ms of do], [ms of undo]."""
    load.watch(kind.by, kind.watched, kind.old)
    there, back = [], []
    for way in WAYS:
        there += see(load, kind, way, kind.do, kind.old, kind.new)
        back += see(load, kind, way, kind.undo, kind.new, kind.old)
    load.watch(kind.by, load.b.dir + '/steady', 'steady')  # they go on reading, while others see a change
    return there, back


def measure(who, load, kind):
    """A machine that is busy with something else may take longer: one series of a few must be in time, as a whole."""
    for _ in range(TRIES):
        result = series(load, kind)
        for verb, delays in zip((kind.do.split()[0], 'unmount'), result):
            print('# %-4s %-50s %-8s %6.1f %6.1f %6.1f' % ('user' if who else 'root', kind.what, verb, min(delays),
                                                          statistics.median(delays), max(delays)))
        worst = max(map(max, result))
        if worst <= SEEN_WITHIN_S * 1000:
            return
    raise Failed('%s: the last reader saw it after %.0f ms' % (kind.what, worst))


@case('54 readers see each change within 100 ms, and nothing but what was there before and after')
def _(b):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'readers.py')) as f:
        b.write('readers.py', f.read())
    tree(b, a__who='a', a__x__who='a-x', b__who='b', u__who='u', u__x__who='u-x', plain__who='plain', file='file', steady='steady',
         new__who='new', far__who='far')
    e = b.export('far')
    print('# ms from the end of the change to a reader\'s first sight of it: min, median, max')
    for who in people():
        load = Load(b, who, '-b $PWD/b=$PWD/a -B $PWD/u=$PWD/a')
        for group in load.readers:
            load.watch(group, b.dir + '/steady', 'steady')
        start = time.monotonic()
        for kind in KINDS:
            text = {k: v.replace('DIAL', "'%s'" % e.dial).replace('D/', b.dir + '/') for k, v in kind._asdict().items()}
            measure(who, load, Kind(**text))
        print('# %d reads in %.1f s' % (load.count(), time.monotonic() - start))
        load.end()
