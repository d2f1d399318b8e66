"""Random reads, writes, truncates, maps, closes of one file, each held against a model; and random changes of a tree.

The seed is told with a failure, and `--seed` does the same again: what is done depends on nothing else.
"""
import errno
import mmap
import os
import random
import time

import suite
from suite import Failed, case, holds, same

LARGEST = 256 << 10
SHORT, LONG = 300, 600  # steps; seconds with --long


def seed():
    return suite.options.seed if suite.options.seed is not None else random.SystemRandom().randrange(1 << 31)


def steps():
    """The numbers of the steps, until it is enough."""
    end = time.monotonic() + LONG
    n = 0
    while time.monotonic() < end if suite.options.long else n < SHORT:
        yield n
        n += 1


class File:
    """One file, two descriptors, and what has to be in it."""

    def __init__(self, rand):
        self.rand = rand
        self.want = bytearray()
        self.log = []
        self.name = 'x'
        self.fds = [os.open('x', os.O_RDWR | os.O_CREAT), os.open('x', os.O_RDWR)]

    def fd(self):
        return self.rand.choice(self.fds)

    def span(self):
        """A place and a length; often at the edge of pages, often at the end."""
        start = self.rand.randrange(LARGEST)
        if self.rand.random() < 0.3:
            start = start & ~4095
        if self.rand.random() < 0.2:
            start = len(self.want)
        length = self.rand.choice((1, 10, 4096, 5000, 20000, 65536))
        length = self.rand.randrange(1, length + 1)
        return start, max(0, min(length, LARGEST - start))

    def bytes(self, n):
        return self.rand.randbytes(n)

    def grow(self, size):
        if size > len(self.want):
            self.want.extend(bytes(size - len(self.want)))

    def write(self, start, length):
        data = self.bytes(length)
        if length:
            self.grow(start + length)
            self.want[start:start + length] = data
        done = 0
        while done < length:
            done += os.pwrite(self.fd(), data[done:], start + done)

    def read(self, start, length):
        fd, got = self.fd(), b''
        while len(got) < length:
            piece = os.pread(fd, length - len(got), start + len(got))
            if not piece:
                break
            got += piece
        compare(got, self.want[start:start + length], start)

    def cut(self, start, length):
        del self.want[start:]
        self.grow(start)
        if self.rand.random() < 0.5:
            os.truncate(self.name, start)
        else:
            os.ftruncate(self.fd(), start)

    def map_read(self, start, length):
        end = min(start + length, len(self.want))
        if start < end:
            with mmap.mmap(self.fd(), end, access=mmap.ACCESS_READ) as m:
                compare(m[start:end], self.want[start:end], start)

    def map_write(self, start, length):
        end = min(start + length, len(self.want))
        if start < end:
            data = self.bytes(end - start)
            with mmap.mmap(self.fd(), end) as m:
                m[start:end] = data
            self.want[start:end] = data

    def append(self, start, length):
        data = self.bytes(min(length, LARGEST - len(self.want)))
        fd = os.open(self.name, os.O_WRONLY | os.O_APPEND)
        done = 0
        while done < len(data):
            done += os.write(fd, data[done:])
        os.close(fd)
        self.want += data

    def reopen(self, start, length):
        i = self.rand.randrange(len(self.fds))
        os.close(self.fds[i])
        self.fds[i] = os.open(self.name, os.O_RDWR)

    def size(self, start, length):
        same('the size', (os.stat(self.name).st_size, os.fstat(self.fd()).st_size), (len(self.want),) * 2)

    def sync(self, start, length):
        os.fsync(self.fd())

    def move(self, start, length):
        new = self.rand.choice('xyz')
        os.rename(self.name, new)
        self.name = new


DO = [('write', 8), ('read', 8), ('cut', 2), ('map_read', 3), ('map_write', 3), ('append', 1), ('reopen', 2), ('size', 2),
      ('sync', 1), ('move', 1)]


def compare(got, want, start):
    if bytes(got) != bytes(want):
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        raise Failed('read at %d: %d bytes, want %d; the first other byte is at %d' %
                     (start, len(got), len(want), start + at))


def on_a_file(without=()):
    number = seed()
    rand = random.Random(number)
    f = File(rand)
    names = [name for name, weight in DO if name not in without for _ in range(weight)]
    log = []
    for n in steps():
        name, span = rand.choice(names), f.span()
        log = log[-5:] + ['%s%r' % (name, span)]
        try:
            getattr(f, name)(*span)
        except (Failed, OSError) as e:
            raise Failed('step %d, --seed %d: %s; the last ones: %s' % (n, number, e, ' '.join(log)))
    f.read(0, LARGEST)


@case('after any sequence of reads, writes, truncates and maps a file holds what it was given', 'write(2), mmap(2)', seconds=900)
def file():
    on_a_file()


@case('after any sequence of reads, writes and truncates a file holds what it was given', 'write(2)', seconds=900)
def file_without_maps():
    on_a_file(('map_read', 'map_write'))


@case('the same holds for a file that has lost its name', 'unlink(2)', seconds=900)
def file_unlinked():
    number = seed()
    rand = random.Random(number)
    f = File(rand)
    os.unlink('x')
    for n in range(SHORT // 4):
        name, span = rand.choice(('write', 'read', 'map_read', 'map_write', 'sync', 'cut')), f.span()
        try:
            if name == 'cut':
                os.ftruncate(f.fd(), span[0])
                del f.want[span[0]:]
                f.grow(span[0])
            else:
                getattr(f, name)(*span)
        except (Failed, OSError) as e:
            raise Failed('step %d, --seed %d: %s%r: %s' % (n, number, name, span, e))


# ---- a tree ----

class Tree:
    """Directories and files by name; a file is its content. Each change is tried on both, and they agree."""

    def __init__(self, rand):
        self.rand = rand
        self.nodes = {'.': None}

    def place(self):
        return self.rand.choice([p for p, x in self.nodes.items() if x is None])

    def some(self):
        return self.rand.choice(list(self.nodes))

    def fresh(self):
        return self.place() + '/' + self.rand.choice('abcde')

    def below(self, path):
        return [p for p in self.nodes if p.startswith(path + '/')]

    def expect(self, want, fn, *args):
        try:
            fn(*args)
            got = 0
        except OSError as e:
            got = e.errno
        if got != want:
            raise Failed('%s%r: %s, want %s' % (fn.__name__, args, suite.word(got), suite.word(want)))

    def mkdir(self):
        path = self.fresh()
        self.expect(errno.EEXIST if path in self.nodes else 0, os.mkdir, path)
        self.nodes.setdefault(path, None)

    def write(self):
        path = self.fresh()
        is_dir = path in self.nodes and self.nodes[path] is None
        data = self.rand.randbytes(self.rand.randrange(200))
        self.expect(errno.EISDIR if is_dir else 0, suite.put, path, data)
        if not is_dir:
            self.nodes[path] = data

    def read(self):
        path = self.some()
        if self.nodes[path] is not None:
            same(path, suite.get(path), self.nodes[path])
        else:
            same(path, sorted(os.listdir(path)), sorted(p[len(path) + 1:] for p in self.below(path)
                                                        if '/' not in p[len(path) + 1:]))

    def unlink(self):
        path = self.some()
        is_file = self.nodes[path] is not None
        if path != '.':
            self.expect(0 if is_file else errno.EISDIR, os.unlink, path)
        if is_file:
            del self.nodes[path]

    def rmdir(self):
        path = self.some()
        if path == '.':
            return
        want = errno.ENOTDIR if self.nodes[path] is not None else errno.ENOTEMPTY if self.below(path) else 0
        self.expect(want, os.rmdir, path)
        if not want:
            del self.nodes[path]

    def rename(self):
        old, new = self.some(), self.fresh()
        if old == '.':
            return
        want = self.of_rename(old, new)
        self.expect(want, os.rename, old, new)
        if not want and old != new:
            moved = {p: self.nodes.pop(p) for p in [old] + self.below(old)}
            self.nodes.update({new + p[len(old):]: x for p, x in moved.items()})

    def of_rename(self, old, new):
        is_dir = self.nodes[old] is None
        if old == new:
            return 0
        if new.startswith(old + '/'):
            return errno.EINVAL
        if new not in self.nodes:
            return 0
        if old.startswith(new + '/'):
            return errno.ENOTEMPTY
        if is_dir and self.nodes[new] is not None:
            return errno.ENOTDIR
        if not is_dir and self.nodes[new] is None:
            return errno.EISDIR
        return errno.ENOTEMPTY if is_dir and self.below(new) else 0


def on_a_tree(names):
    number = seed()
    rand = random.Random(number)
    tree = Tree(rand)
    log = []
    for n in steps():
        name = rand.choice(names)
        try:
            getattr(tree, name)()
        except (Failed, OSError) as e:
            raise Failed('step %d, --seed %d: %s: %s' % (n, number, name, e))
        log.append(name)
    holds('nothing was done', log)
    found = {os.path.join(top, x) for top, dirs, files in os.walk('.') for x in dirs + files} | {'.'}
    same('the names', found == set(tree.nodes), True)


TREE = ['mkdir', 'write', 'write', 'read', 'read', 'unlink', 'rmdir']


@case('after any sequence of changes a tree is what it was made', 'mkdir(2), unlink(2), rmdir(2), rename(2)', seconds=900)
def tree():
    on_a_tree(TREE + ['rename', 'rename'])


@case('after any sequence of changes without rename a tree is what it was made', 'mkdir(2), unlink(2), rmdir(2)', seconds=900)
def tree_without_rename():
    on_a_tree(TREE)
