"""Devices through the FUSE door, and what the kernel and the door remember of files."""
import errno
import os
import random
import signal
import time

from doorbench import LIBC, Way, asleep_in, block_on, check, fails, get, in_child, once, put, run, same, together, wait


# ---- devices ----

@once('files made up when they are read are read whole, though their length is 0, also from elsewhere')
def _(h):
    for cons in (h.top + '/cons', h.top + '/rcons'):
        same(os.stat(cons + '/time').st_size, 0)
        a = get(cons + '/time').split()
        b = get(cons + '/time').split()
        assert int(b[1]) > int(a[1])
        with open(cons + '/time') as f:  # the same descriptor again: what is there now
            same(len(f.read().split()), 4)
            f.seek(0)
            assert int(f.read().split()[1]) > int(b[1])
        same(len(os.read(os.open(cons + '/random', os.O_RDONLY), 100)), 100)
        same(get(cons + '/null'), b'')
        put(cons + '/null', b'x' * 100000)
        fd = os.open(cons + '/zero', os.O_RDONLY)
        same(os.read(fd, 10000), bytes(10000))
        os.close(fd)


@once('what is written to one end of a pipe is read from the other, message by message')
def _(h):
    for pipe in (h.top + '/pipe', h.top + '/rpipe'):
        a = os.open(pipe + '/data', os.O_RDWR)
        b = os.open(pipe + '/data1', os.O_RDWR)
        os.write(a, b'one')
        os.write(a, b'two')
        same(os.read(b, 100), b'one')
        same(os.read(b, 100), b'two')
        os.write(b, b'back')
        same(os.read(a, 100), b'back')
        os.close(a)
        os.close(b)


@once('a variable of the environment is a file')
def _(h):
    put(h.top + '/env/doortest', b'value')
    same(get(h.top + '/env/doortest'), b'value')
    os.unlink(h.top + '/env/doortest')


# ---- nodes ----

@once('what somebody else changed at the server is seen at the next look')
def _(h):
    r = h.top + '/r/'
    h.way.ask('write', '/else', 'one')
    same(get(r + 'else'), b'one')
    same(os.stat(r + 'else').st_size, 3)
    h.way.ask('write', '/else', 'longer')
    same(get(r + 'else'), b'longer')
    same(os.stat(r + 'else').st_size, 6)
    h.way.ask('rename', '/else', 'else2')
    fails(errno.ENOENT, os.stat, r + 'else')
    same(get(r + 'else2'), b'longer')
    h.way.ask('remove', '/else2')
    fails(errno.ENOENT, os.open, r + 'else2', os.O_RDONLY)


@once('a file that somebody else makes at the same moment is opened, and cut only if that is asked for')
def _(h):
    r = h.top + '/r/'
    for flags, want in ((0, b'newanother'), (os.O_TRUNC, b'new')):
        h.way.ask('race', '/raced', 'of-another')
        fd = os.open(r + 'raced', os.O_WRONLY | os.O_CREAT | flags, 0o666)
        same(os.write(fd, b'new'), 3)
        os.close(fd)
        same(get(r + 'raced'), want)
        os.unlink(r + 'raced')
    h.way.ask('race', '/raced', 'of-another')
    fails(errno.EEXIST, os.open, r + 'raced', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    os.unlink(r + 'raced')


@once('an open file that somebody else removed and made anew is still the old one')
def _(h):
    r = h.top + '/r/'
    h.way.ask('write', '/again', 'old')
    fd = os.open(r + 'again', os.O_RDONLY)
    h.way.ask('remove', '/again')
    h.way.ask('write', '/again', 'new!')
    same(os.pread(fd, 10, 0), b'old')
    same(get(r + 'again'), b'new!')
    same(os.pread(fd, 10, 0), b'old')
    os.close(fd)
    os.unlink(r + 'again')


def few_chans(f):
    """A case with a doorway of its own whose nodes hold 20 Chans at most."""
    def case_with_its_own_way(h):
        way = Way(h.build, 'chans=20')
        try:
            f(h, way)
        finally:
            wrong = way.end()
            assert not wrong, wrong
    return case_with_its_own_way


@once('100,000 remote files are found with no more fids than the limit, and forgotten nodes are freed')
@few_chans
def _(h, way):
    way.ask('fill', 'many', 100000)
    before = way.stats()
    out = run('find', way.top + '/r/many', '-type', 'f', '-newermt', '2000-01-01')
    same(out.count(b'\n'), 100000)
    same(get(way.top + '/r/many/f099999'), b'x\n')
    st = way.stats()
    assert st['fids_peak'] <= 20 + 72, st  # and those of requests that are under way: a turn of the loop takes 64
    assert st['chans'] <= 20, st
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('2')
    end = time.monotonic() + 60
    while (st := way.stats())['nodes'] > before['nodes'] + 10:
        assert time.monotonic() < end, st
    assert st['fids'] <= 24, st


@once('a file whose Chan was given up is walked to again, from a directory whose Chan was too')
@few_chans
def _(h, way):
    os.makedirs(way.top + '/r/deep/er')
    for i in range(60):
        put(way.top + '/r/deep/er/f%d' % i, b'%d' % i)
    d = os.open(way.top + '/r/deep/er', os.O_RDONLY)
    files = [os.open(way.top + '/r/deep/er/f%d' % i, os.O_RDONLY | os.O_PATH) for i in range(60)]
    walked = way.stats()['walked_again']
    for i in range(60):
        same(get('/proc/self/fd/%d' % files[i]), b'%d' % i)
    same(len(os.listdir(d)), 60)
    st = way.stats()
    assert st['walked_again'] > walked, st
    assert st['chans'] <= 20, st
    for fd in files + [d]:
        os.close(fd)


@once('a file that was given up and whose name another file has taken is ESTALE, its name the other one')
@few_chans
def _(h, way):
    r = way.top + '/r/'
    for i in range(30):
        put(r + 'f%d' % i, b'old')
    held = os.open(r + 'f0', os.O_PATH)
    for i in range(1, 30):
        os.stat(r + 'f%d' % i)
    way.ask('remove', '/f0')
    way.ask('write', '/f0', 'another')
    fails(errno.ESTALE, os.open, '/proc/self/fd/%d' % held, os.O_RDONLY)
    same(get(r + 'f0'), b'another')
    os.close(held)


@once('a directory that was given up is found again under the name it was renamed to')
@few_chans
def _(h, way):
    r = way.top + '/r/'
    os.makedirs(r + 'd/e')
    put(r + 'd/e/f', b'f')
    os.chdir(r + 'd/e')
    held = os.open('f', os.O_PATH)
    os.rename(r + 'd', r + 'D')
    for i in range(40):
        put(r + 'other%d' % i)
    same(get('/proc/self/fd/%d' % held), b'f')
    same(os.listdir('.'), ['f'])
    put('g', b'g')
    same(get(r + 'D/e/g'), b'g')
    os.close(held)
    os.chdir('/')


@once('a file that was renamed over another is found again there when it was given up')
@few_chans
def _(h, way):
    r = way.top + '/r/'
    put(r + 'old', b'old')
    put(r + 'new', b'new')
    held = os.open(r + 'new', os.O_PATH)
    os.rename(r + 'new', r + 'old')
    for i in range(40):
        put(r + 'other%d' % i)
        os.stat(r + 'other%d' % i)
    same(get('/proc/self/fd/%d' % held), b'new')
    os.close(held)


@once('an open file outlives its Chan: it is asked about by the descriptor')
@few_chans
def _(h, way):
    r = way.top + '/r/'
    put(r + 'open', b'12345')
    fd = os.open(r + 'open', os.O_RDWR)
    os.unlink(r + 'open')
    for i in range(40):
        put(r + 'other%d' % i)
    same(os.fstat(fd).st_size, 5)
    os.ftruncate(fd, 2)
    same(os.pread(fd, 10, 0), b'12')
    os.close(fd)


@once('many processes with few Chans: none gets another file or an error')
@few_chans
def _(h, way):
    r = way.top + '/r/'
    for d in range(10):
        os.mkdir(r + 'd%d' % d)
        for i in range(20):
            put(r + 'd%d/f%d' % (d, i), b'%d %d' % (d, i))

    def work(k):
        rng = random.Random(k)
        for _ in range(300):
            d, i = rng.randrange(10), rng.randrange(20)
            same(get(r + 'd%d/f%d' % (d, i)), b'%d %d' % (d, i))
    together(8, work)
    st = way.stats()
    assert st['chans'] <= 20, st


@once('a name on the way to a kernel mount keeps it, and gives it up when it is unpinned')
def _(h):
    os.makedirs('way/to')
    at = h.d[len(h.top):] + '/way/to'
    h.way.ask('pin', at)
    os.stat('way/to')
    source = os.path.join(h.way.dir, 'bound%d' % os.getpid())
    os.mkdir(source)
    open(source + '/inside', 'w').close()
    check(LIBC.mount(source.encode(), h.path('way/to').encode(), None, 4096, None))
    try:
        for _ in range(3):
            same(os.listdir('way/to'), ['inside'])
            os.listdir('.')
            os.stat('way')
        before = h.way.stats()['requests']
        for _ in range(50):
            os.stat(h.path('way/to/inside'))
        used = h.way.stats()['requests'] - before
        # what leads to `way` is looked up each time; the pinned names are not
        assert used <= 50 * 6, used
        same(os.listdir('way/to'), ['inside'])
    finally:
        check(LIBC.umount2(h.path('way/to').encode(), 2))
        h.way.ask('unpin', at)
    same(os.listdir('way/to'), [])


@once('when it is unmounted with files open and calls waiting, it ends, and says nothing')
def _(h):
    way = Way(h.build)
    try:
        put(way.top + '/f', b'x')
        fd = os.open(way.top + '/f', os.O_RDWR)
        pid = in_child(block_on, way.top + '/pipe/data')
        asleep_in(pid, 'fuse')
        os.kill(pid, signal.SIGKILL)
        wait(pid)
        os.close(fd)
    finally:
        wrong = way.end()
    same(wrong, '')
