"""Thousands of random changes: what the name space says, what the kernel has and what programs see stay one thing.

Each case as root and, where root runs this, as uid 1000 too. namespace-semantics.md 2, 3; launcher.md 3, 4.
TENON_SEED=N: other changes than those of always.
"""
import collections
import json
import os
import random
import shutil
import socket
import time

from bench import PATIENCE, Failed, case
from launch_process import people
from names_model import File, Names, Refused

SEED = int(os.environ.get('TENON_SEED', '1'))
AGREE_EVERY = 500
LINES_MAX = 60  # more members than that are taken away rather than added to
HERE = os.path.dirname(os.path.abspath(__file__))


# ---- trees on the disk, and their model ----

DIRS, SUBDIRS, FILES = ['d%d' % i for i in range(6)], ['s%d' % i for i in range(4)], ['f%d' % i for i in range(4)]


class Tree:
    """Directories of DIRS with SUBDIRS in them, and FILES, below a directory of the host; not all are there at any time."""

    def __init__(self, path, rng):
        self.path, self.rng, self.top = path, rng, File(server=self)
        os.mkdir(path)
        os.chmod(path, 0o777)
        self.write(path, self.top)
        self.fill()

    def fill(self):
        for name in DIRS[:4] + FILES[:3]:
            self.make(self.top, name, self.path)

    def wipe(self):
        for name in list(self.top.children):
            place = os.path.join(self.path, name)
            self.top.children.pop(name).kill()
            (shutil.rmtree if os.path.isdir(place) else os.unlink)(place)

    def write(self, path, file):
        name = os.path.join(path, 'who') if file.is_dir else path
        with open(name, 'w') as f:
            f.write(file.who)
        os.chmod(name, 0o666)

    def make(self, parent, name, path):
        path = os.path.join(path, name)
        file = parent.children[name] = File(is_dir=name[0] != 'f', server=self)
        if file.is_dir:
            os.mkdir(path)
            os.chmod(path, 0o777)
        self.write(path, file)
        if name[0] == 'd':
            for sub in SUBDIRS[:3]:
                self.make(file, sub, path)

    def some(self, kind=None):
        """A place, empty or not, of a kind: its directory, that one's path, a name."""
        kind = kind or self.rng.choice('ddfsss')
        if kind != 's':
            return self.top, self.path, self.rng.choice(DIRS if kind == 'd' else FILES)
        name = self.rng.choice([n for n in self.top.children if n[0] == 'd'] or DIRS)
        return self.top.children.get(name), os.path.join(self.path, name), self.rng.choice(SUBDIRS)

    def change(self):
        """Renames, removes or makes something; says what, or None."""
        parent, path, name = self.some()
        if not parent:
            return None
        place = os.path.join(path, name)
        if name not in parent.children:
            self.make(parent, name, path)
            return 'make %s' % place
        if self.rng.random() < 0.2:
            parent.children.pop(name).kill()
            (shutil.rmtree if os.path.isdir(place) else os.unlink)(place)
            return 'remove %s' % place
        for _ in range(5):
            toparent, topath, newname = self.some(name[0])
            if toparent and newname not in toparent.children:
                break
        if not toparent or newname in toparent.children:
            return None
        os.rename(place, os.path.join(topath, newname))
        toparent.children[newname] = parent.children.pop(name)
        return 'rename %s %s' % (place, os.path.join(topath, newname))

    def file_at(self, path):
        """The file of the tree at a name of the host; None: it is none."""
        if path != self.path and not path.startswith(self.path + '/'):
            return None
        file = self.top
        for name in path[len(self.path):].split('/')[1:]:
            file = file and file.children.get(name)
        return file


# ---- mountinfo ----

Mount = collections.namedtuple('Mount', 'id parent dev root at fs')


def parse_mounts(text):
    """By number, in the order of the kernel: what lies on top comes later."""
    mounts = {}
    for line in text.splitlines():
        left, right = line.split(' - ')
        w = left.split()
        mounts[int(w[0])] = Mount(int(w[0]), int(w[1]), w[2], w[3], w[4], right.split()[0])
    return mounts


def seen_at(mounts, name):
    """The mount that a name leads into, from the root down."""
    children = collections.defaultdict(list)
    for m in mounts.values():
        children[m.parent].append(m)
    here = next(m for m in mounts.values() if m.parent not in mounts)
    while True:
        on_it = [m for m in children[here.id] if name == m.at or m.at == '/' or name.startswith(m.at + '/')]
        if not on_it:
            return here
        here = min(on_it, key=lambda m: len(m.at))


def is_seen(mounts, m):
    return seen_at(mounts, m.at).id == m.id


class Churn:
    def __init__(self, b, who, n):
        self.b, self.who, self.n = b, who, n
        self.rng = random.Random(SEED)
        self.dir = os.path.join(b.dir, 'user' if who else 'root')
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o777)
        self.host = Tree(os.path.join(self.dir, 'h'), self.rng)
        self.far = Tree(os.path.join(self.dir, 'r'), self.rng)
        self.export = b.export(self.far.path)
        tops = {self.host.path: self.host.top, '/n/far': self.far.top}
        tops.update({'/n/k%d' % i: File() for i in range(4)})
        for i in range(4):
            tops['/n/k%d' % i].alive = False  # shows nothing by itself
        self.names = Names(tops, self.far)
        self.log = []
        self.counts = collections.Counter()
        self.start()
        self.given = parse_mounts(self.ask('mounts'))
        self.device = seen_at(self.given, self.host.path).dev
        self.first_lines = self.ns()

    def start(self):
        name = 'tenon-churn-%d-%d' % (os.getpid(), id(self))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind('\0' + name)
        listener.listen(1)
        listener.settimeout(PATIENCE)
        program = self.b.write('churner.py', open(os.path.join(HERE, 'churner.py')).read())
        self.p = self.b.start("exec %stenon run -m '/n/far=%s' python3 %s %s" % (self.who, self.export.dial, program, name))
        self.peer = listener.accept()[0]
        self.peer.settimeout(PATIENCE * 3)
        self.answers = self.peer.makefile()
        listener.close()

    def ask(self, verb, argument=0):
        self.peer.sendall((json.dumps({verb: argument}) + '\n').encode())
        return json.loads(self.answers.readline())

    def fail(self, what):
        raise Failed('seed %d, after %d changes: %s\n    %s' % (SEED, len(self.log), what, '\n    '.join(self.log[-12:])))

    def ns(self):
        return [x.replace("mount '%s'" % self.export.dial, 'mount DIAL') for x in self.ask('do', 'ns')[1].splitlines()[:-1]]

    def stats(self):
        return {k: int(v) for k, v in (x.split() for x in self.ask('do', 'stats')[1].splitlines())}

    # ---- a change ----

    def some_name(self):
        r = self.rng
        top = r.choice(['h', 'h', 'h', 'far', 'far', 'k', 'f'])
        if top == 'f':
            return '%s/%s' % (self.host.path, r.choice(FILES))
        name = {'h': self.host.path, 'far': '/n/far', 'k': '/n/k%d' % r.randrange(4)}[top]
        name += '' if top == 'k' else '/' + r.choice(DIRS)
        for _ in range(r.choice([0, 0, 0, 1, 1, 2])):
            name += '/' + r.choice(SUBDIRS)
        return name

    def name(self):
        """Most often one that is there."""
        name = self.some_name()
        for _ in range(self.rng.choice([0, 10, 10, 10])):
            if self.names.walk(name):
                break
            name = self.some_name()
        return name

    def line(self):
        """verb, flags, source, target; None: nothing good."""
        r = self.rng
        n_lines = sum(len(h.members) for h in self.names.heads.values())
        if self.names.heads and r.random() < (0.75 if n_lines > LINES_MAX else 0.4 if n_lines > LINES_MAX // 2 else 0.1):
            head = r.choice(list(self.names.heads.values()))
            target = head.text if r.random() < 0.9 else self.name()
            source = r.choice(head.members).text if r.random() < 0.6 else None
            return 'unmount', '', source, target
        flags = r.choice(['', '', 'b', 'a', 'c', 'bc', 'ac'])
        source, target = self.name(), self.name()
        from_, to = self.names.walk(source), self.names.walk(target)
        if from_ and to and self.names.reaches(from_, to):
            return None
        return 'bind', flags, source, target

    def change(self):
        verb, flags, source, target = self.line() or (None,) * 4
        if not verb:
            return
        line = ' '.join([verb] + (['-' + flags] if flags else []) + ([source] if source else []) + [target])
        self.names.prune(self.host)
        want, before = None, self.names.saved()
        try:
            self.names.bind(flags, source, target) if verb == 'bind' else self.names.unmount(source, target)
        except Refused as e:
            want = str(e)
        ok, text = self.ask('do', line)
        self.log.append('%s: %s' % (line, 'ok' if ok else text))
        self.counts[verb + (' ok' if ok else ' refused')] += 1
        if not ok and not want and self.is_lost(target) and 'No such file or directory' in text:
            self.names.restore(before)  # the kernel's name leads to what a server elsewhere has lost
        elif ok != (want is None) or (want and want not in text):
            self.fail('want %s' % (want or 'no error'))

    def step(self):
        r = self.rng.random()
        if r < 0.8:
            return self.change()
        tree = self.host if r < 0.9 else self.far
        what = tree.change()
        if what:
            self.log.append(what)
            self.counts[what.split()[0] + (' here' if tree is self.host else ' there')] += 1

    # ---- agreement: what ns says, what programs read, and what the kernel has mounted ----

    def all_names(self):
        tops = ['%s/%s' % (t, d) for t in (self.host.path, '/n/far') for d in DIRS] + ['/n/k%d' % i for i in range(4)]
        for top in tops:
            yield top
            for name in SUBDIRS:
                yield top + '/' + name
        for name in FILES:
            yield self.host.path + '/' + name

    def is_lost(self, name):
        """
        A server elsewhere has renamed or removed a file that is mounted upon at the name or above it. There the kernel still
        has the mount (tenon-bind(1)), whatever a directory of the host above it is called now; what is seen there is not compared.
        """
        lost = [h for h in self.names.heads.values() if h.under.server is self.far]
        texts = [x for h in lost for x in h.names if self.names.walk(x) is not h.under]
        return any((name + '/').startswith(x + '/') for x in texts) or any(
            p in h.places and file is not h.under for p, file in self.names.places(name) for h in lost)

    def lines_agree(self):
        """ns prints the members of the model, in the order in which they were made."""
        want, got = self.names.lines(), self.ns()[len(self.first_lines):]
        if want != got:
            self.fail('ns differs:\n    %s' % '\n    '.join('%-90s %s' % x for x in zip(want + [''] * 9, got + [''] * 9)
                                                          if x[0] != x[1]))

    def reads_agree(self):
        """Each name leads a program, through the kernel, to the file to which it leads in the model."""
        names = list(self.all_names())
        for name, got in zip(names, self.ask('read', names)):
            file = self.names.walk(name)
            if file and not file.is_dir and not self.names.shown(file)[0].alive:
                continue  # bound and removed: its bytes are to be read as long as the kernel has it
            if got != self.names.read(name) and not self.is_lost(name):
                self.fail('%s reads %s, and is %s\n%s' % (name, got, self.names.read(name), '\n'.join(self.names.lines())))

    def file_under(self, mounts, m):
        """The file that m lies on, by the file system of the mount around it; None: not one of the host's tree."""
        p = mounts[m.parent]
        below = m.at[0 if p.at == '/' else len(p.at):]
        return self.host.file_at(('' if p.root == '/' else p.root) + below) if p.dev == self.device else None

    def explains(self, mounts, m):
        """Is a line of ns for what m lies on? It may lie on a lower layer at the same place."""
        if self.file_under(mounts, m) in self.names.heads or any(
                m.at in h.names for h in self.names.heads.values()) or self.is_lost(m.at):
            return True
        if not m.at.startswith((self.host.path, '/n/')):
            return False
        return self.names.walk(m.at) in self.names.heads or (m.parent not in self.given and
                                                             mounts[m.parent].at == m.at) or not is_seen(mounts, m)

    def mounts_agree(self):
        """
        Each mount that was not there at first lies on a file that is a mount point in the model. Where the name of a mount
        point leads to it, there is a mount of the host's file system, if one file of the host is bound there, or FUSE shows it.
        """
        mounts = parse_mounts(self.ask('mounts'))
        for m in mounts.values():
            if m.id not in self.given and not self.explains(mounts, m):
                self.fail('no line explains %r\n%s' % (m, '\n'.join(self.names.lines())))
        for h in self.names.heads.values():
            first, m = h.members[0].to, seen_at(mounts, h.text)
            is_plain = len(h.members) == 1 and first.server is self.host
            if not first.alive:
                continue  # an empty directory, by the kernel as long as it has it, then by FUSE
            if self.names.walk(h.text) is h.under and not self.is_lost(h.text) and not m.fs.startswith('fuse') and \
                    not (is_plain and m.at == h.text and m.dev == self.device):
                self.fail('no mount for %s: %r\n%s' % (h.text, m, '\n'.join(self.names.lines())))
        return len(mounts) - len(self.given)

    def agree(self):
        self.names.prune(self.host)
        self.lines_agree()
        self.reads_agree()
        return self.mounts_agree()

    # ---- nothing is left ----

    def unmount_all(self):
        """
        Takes all away; then nothing of it is left in the kernel. What the server still holds, and its memory in KB. A file that
        was renamed may be a mount point of which no name is known; one that is removed is unmounted by the name of its line.
        """
        for tree in (self.host, self.far):
            tree.wipe()
        self.names.prune(self.host)
        while self.names.heads:
            name = next(iter(self.names.heads.values())).text
            self.names.unmount(None, name)
            self.names.prune(self.host)
            ok, text = self.ask('do', 'unmount ' + name)
            if not ok:
                self.fail('unmount %s: %s' % (name, text))
        self.agree()
        left = [m for m in parse_mounts(self.ask('mounts')).values() if m.id not in self.given]
        if left:
            self.fail('mounts are left: %r' % left)
        for tree in (self.host, self.far):
            tree.fill()
        held = {k: v for k, v in self.stats().items() if k in ('nodes', 'chans', 'open', 'mounts')}
        server = children(self.p.pid)[0]
        with open('/proc/%d/status' % server) as f:
            held['KB'] = next(int(x.split()[1]) for x in f if x.startswith('VmRSS'))
        if os.getuid() == 0:
            held['fds'] = len(os.listdir('/proc/%d/fd' % server))
        return held

    def run(self):
        start, checked, most = time.monotonic(), 0, 0
        middle = None
        while len(self.log) < self.n:
            self.step()
            if len(self.log) - checked >= AGREE_EVERY:
                checked = len(self.log)
                most = max(most, self.agree())
            if not middle and len(self.log) >= self.n // 2:
                self.agree()
                middle = self.unmount_all()
        self.agree()
        seconds = time.monotonic() - start
        end = self.unmount_all()
        print('# %s: %d changes in %.1f s, %.0f a second: %s' % ('user' if self.who else 'root', len(self.log), seconds,
              len(self.log) / seconds, ', '.join('%s %d' % x for x in sorted(self.counts.items()))))
        print('# at most %d mounts; held in the middle %r, at the end %r' % (most, middle, end))
        if 'ASAN_OPTIONS' in os.environ:
            del end['KB']  # freed memory is kept from being used again
        for what in end:
            if end[what] > middle[what] * 1.25 + 32:
                self.fail('%s: %d in the middle, %d at the end' % (what, middle[what], end[what]))


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
        return [int(x) for x in f.read().split()]


def churn(b, n):
    print('# seed %d' % SEED)
    os.chmod(b.dir, 0o777)
    for who in people():
        Churn(b, who, n).run()


@case('after 1,000 random changes the name space, the kernel and what programs see agree')
def _(b):
    churn(b, 1000)
