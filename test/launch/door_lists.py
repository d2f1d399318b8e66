"""Directories as they are read, and unions, through the FUSE door."""
import errno
import os
import random
import shutil

from doorbench import Listing, case, fails, get, once, put, run, same


# ---- directories ----

@case('10,000 entries are listed, each once')
def _(h):
    os.mkdir('d')
    want = sorted(b'%05d' % i for i in range(10000))
    for name in want:
        os.close(os.open(b'd/' + name, os.O_WRONLY | os.O_CREAT, 0o666))
    got = os.listdir(b'd')
    same(len(got), 10000)
    assert sorted(got) == want
    listing = Listing('d')
    names, marks = [], []
    while True:
        marks.append(listing.tell())
        name = listing.next()
        if name is None:
            break
        names.append(name)
    rng = random.Random(1)
    for i in [0, 1, 2, 3, 9999] + [rng.randrange(len(names)) for _ in range(12)]:
        listing.seek(marks[i])
        same(listing.next(), names[i])
        same(listing.next(), names[i + 1] if i + 1 < len(names) else None)
    listing.seek(marks[-1])
    same(listing.next(), None)
    listing.rewind()
    same(len(listing.rest()), 10000)
    listing.close()
    run('rm', '-r', 'd')
    same(os.listdir('.'), [])


@case('entries removed while reading do not make others be missed or told twice')
def _(h):
    os.mkdir('d')
    for i in range(3000):
        os.close(os.open('d/%05d' % i, os.O_WRONLY | os.O_CREAT, 0o666))
    listing = Listing('d')
    seen = []
    while (name := listing.next()) is not None:
        if name in (b'.', b'..'):
            continue
        seen.append(name)
        if int(name) % 2:
            os.unlink(b'd/' + name)
    same(len(seen), len(set(seen)))
    same(len(seen), 3000)
    listing.rewind()
    same(len(listing.rest()), 1500)
    listing.close()


@case('an entry made while reading is told after a rewind')
def _(h):
    os.mkdir('d')
    put('d/a')
    listing = Listing('d')
    same(listing.rest(), [b'a'])
    put('d/b')
    listing.rewind()
    same(sorted(listing.rest()), [b'a', b'b'])
    listing.close()


@case('seekdir goes to its place though entries before it were removed', ('ram', 'host'))
def _(h):
    os.mkdir('d')
    for i in range(500):
        os.close(os.open('d/%05d' % i, os.O_WRONLY | os.O_CREAT, 0o666))
    listing = Listing('d')
    names, marks = [], []
    while (name := listing.next()) is not None:
        names.append(name)
        marks.append(listing.tell())
    for name in names[2:200]:
        if name not in (b'.', b'..'):
            os.unlink(b'd/' + name)
    listing.seek(marks[250])
    same(listing.rest(), names[251:])
    listing.close()


@case('"." and ".." are listed first, with the directory as a directory')
def _(h):
    os.mkdir('d')
    listing = Listing('d')
    same({listing.next(), listing.next()}, {b'.', b'..'})
    same(listing.next(), None)
    listing.close()
    put('f')
    kinds = {e.name: (e.is_dir(follow_symlinks=False), e.is_file(follow_symlinks=False)) for e in os.scandir('.')}
    same(kinds, {'d': (True, False), 'f': (False, True)})


# ---- unions ----

@once('a union is listed without duplicates, and the first member hides')
def _(h):
    a, b, u = (os.path.join(h.top, x) for x in 'abu')
    put(a + '/both', b'first')
    put(b + '/both', b'second')
    put(a + '/one')
    put(b + '/two')
    try:
        names = os.listdir(u)
        same(len(names), len(set(names)))
        assert {'both', 'one', 'two'} <= set(names)
        same(get(u + '/both'), b'first')
        os.unlink(u + '/both')
        same(get(u + '/both'), b'second')
        os.unlink(u + '/both')
        fails(errno.ENOENT, os.stat, u + '/both')
    finally:
        for name in (a + '/one', b + '/two'):
            os.unlink(name)


@once('what is made in a union is made in the member that takes it: files, directories, links, fifos')
def _(h):
    b, u = os.path.join(h.top, 'b'), os.path.join(h.top, 'u')
    put(u + '/made', b'x')
    os.mkdir(u + '/dir')
    os.symlink('made', u + '/sym')
    os.link(u + '/made', u + '/hard')
    os.mkfifo(u + '/fifo')
    same(sorted(x for x in os.listdir(b) if x in ('made', 'dir', 'sym', 'hard', 'fifo')),
         ['dir', 'fifo', 'hard', 'made', 'sym'])
    for name in ('made', 'sym', 'hard', 'fifo'):
        os.unlink(u + '/' + name)
    os.rmdir(u + '/dir')


@once('a file of the first member is changed there, though it takes no new ones')
def _(h):
    a, u = os.path.join(h.top, 'a'), os.path.join(h.top, 'u')
    put(a + '/there', b'old')
    put(u + '/there', b'new')
    same(get(a + '/there'), b'new')
    os.rename(u + '/there', u + '/moved')
    same(get(a + '/moved'), b'new')
    os.unlink(u + '/moved')


@once('a rename in a union never goes to where an earlier member hides it')
def _(h):
    a, b, u = (os.path.join(h.top, x) for x in 'abu')
    put(a + '/target', b'old')
    put(u + '/tmp', b'new')
    same(get(b + '/tmp'), b'new')
    fails(errno.EXDEV, os.rename, u + '/tmp', u + '/target')
    run('mv', u + '/tmp', u + '/target')
    same(get(u + '/target'), b'new')
    fails(errno.ENOENT, os.stat, u + '/tmp')
    os.unlink(u + '/target')
    put(a + '/target', b'old')
    os.mkdir(u + '/d')
    put(u + '/d/tmp', b'x')
    fails(errno.EXDEV, os.rename, u + '/d/tmp', u + '/target')
    shutil.rmtree(u + '/d')
    os.unlink(u + '/target')
    fails(errno.ENOENT, os.stat, u + '/target')


@once('seekdir and rewinddir of a union find the same entries again')
def _(h):
    a, b, u = (os.path.join(h.top, x) for x in 'abu')
    for i in range(300):
        put(a + '/u%03d' % i)
        put(b + '/u%03d' % (i + 150))
    listing = Listing(u)
    names, marks = [], []
    while True:
        marks.append(listing.tell())
        name = listing.next()
        if name is None:
            break
        names.append(name)
    assert {b'u%03d' % i for i in range(450)} <= set(names)
    same(len(names), len(set(names)))
    for i in (0, 1, 5, 200, 301, 440):
        listing.seek(marks[i])
        same(listing.next(), names[i])
    listing.rewind()
    same(set(listing.rest()), set(names) - {b'.', b'..'})
    listing.close()
    for i in range(300):
        os.unlink(a + '/u%03d' % i)
        os.unlink(b + '/u%03d' % (i + 150))


@once('a mount point is neither removed nor renamed: EBUSY')
def _(h):
    for name in 'uhr':
        fails(errno.EBUSY, os.rmdir, os.path.join(h.top, name))
        fails(errno.EBUSY, os.rename, os.path.join(h.top, name), os.path.join(h.top, 'elsewhere'))
    os.mkdir(os.path.join(h.top, 'empty'))
    fails(errno.EBUSY, os.rename, os.path.join(h.top, 'empty'), os.path.join(h.top, 'u'))
    os.rmdir(os.path.join(h.top, 'empty'))


@once('a bind is seen at the next call, by who stands there too, and the unmount also')
def _(h):
    put('under')
    os.mkdir('over')
    put('over/x', b'x')
    os.mkdir('place')
    put('place/below')
    place = h.d[len(h.top):] + '/place'
    os.chdir('place')
    same(os.listdir('.'), ['below'])
    h.way.ask('bind', h.d[len(h.top):] + '/over', place, 0)
    same(os.listdir('.'), ['x'])
    same(os.listdir(h.path('place')), ['x'])
    same(get('x'), b'x')
    h.way.ask('unmount', place)
    same(os.listdir('.'), ['below'])
    same(os.listdir(h.path('place')), ['below'])


@once('a file bound on a file shows there, and its open descriptor stays what it was')
def _(h):
    put('a', b'a')
    put('b', b'b')
    fd = os.open('a', os.O_RDONLY)
    at = h.d[len(h.top):]
    h.way.ask('bind', at + '/b', at + '/a', 0)
    same(get('a'), b'b')
    same(os.pread(fd, 2, 0), b'a')
    fails(errno.EBUSY, os.unlink, 'a')
    same(sorted(os.listdir('.')), ['a', 'b'])
    h.way.ask('unmount', at + '/a')
    same(get('a'), b'a')
    os.close(fd)
