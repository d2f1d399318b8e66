"""Several processes at once: what is promised to be one step is one. Each has a bounded number of rounds."""
import contextlib
import errno
import os
import random

import suite
from suite import case, children, exists, get, holds, opened, put, same

ROUNDS = 40


def rounds():
    return range(ROUNDS * (200 if suite.options.long else 1))


def one_wins(step, refused):
    """Three processes do step(i), each in the same rounds: in each round one is not refused."""
    def go():
        won = 0
        for i in rounds():
            with contextlib.suppress(refused):
                step(i)
                won += 1
        with opened('won', os.O_WRONLY | os.O_APPEND) as fd:
            os.write(fd, b'%d\n' % won)
    put('won')
    children(go, go, go)
    same('done', sum(int(x) for x in get('won').split()), len(rounds()))


@case('of several that make a name with O_EXCL one succeeds', 'open(2): O_EXCL', seconds=900)
def exclusive():
    one_wins(lambda i: os.close(os.open('x%d' % i, os.O_CREAT | os.O_EXCL | os.O_WRONLY)), FileExistsError)


@case('of several that make a directory one succeeds', 'mkdir(2): EEXIST', seconds=900)
def mkdir():
    one_wins(lambda i: os.mkdir('d%d' % i), FileExistsError)


@case('of several that remove a name one succeeds', 'unlink(2): ENOENT', seconds=900)
def unlink():
    for i in rounds():
        put('x%d' % i)
    one_wins(lambda i: os.unlink('x%d' % i), FileNotFoundError)


@case('a name that is replaced by rename is never absent, and its content is one or the other', 'rename(2)', seconds=900)
def rename_replaces():
    put('x', b'0' * 100)

    def replace():
        for i in rounds():
            name = 'new%d' % os.getpid()
            put(name, b'%d' % (i % 10) * 100)
            os.rename(name, 'x')
        put('done')

    def look():
        while not exists('done'):
            data = get('x')
            holds('a mixture of two files: %r' % data, len(data) == 100 and len(set(data)) == 1)
    children(replace, look, look)


@case('of two that rename the same file one succeeds, and it is there once', 'rename(2)', seconds=900)
def rename_same():
    n = len(rounds())
    for i in range(n):
        put('x%d' % i, b'%d' % i)

    def move(to):
        def fn():
            for i in range(n):
                with contextlib.suppress(FileNotFoundError):
                    os.rename('x%d' % i, '%s%d' % (to, i))
        return fn
    children(move('a'), move('b'))
    for i in range(n):
        found = [x for x in ('a%d' % i, 'b%d' % i, 'x%d' % i) if exists(x)]
        same('the names', len(found), 1)
        same('the content', get(found[0]), b'%d' % i)


@case('two directories moved into each other do not make a ring', 'rename(2): EINVAL', seconds=900)
def ring():
    def move(a, b):
        def fn():
            for _ in rounds():
                with contextlib.suppress(FileNotFoundError):
                    try:
                        os.rename(a, b + '/in')
                        os.rename(b + '/in', a)
                    except OSError as e:
                        holds('errno %d' % e.errno, e.errno in (errno.ENOENT, errno.EINVAL, errno.ENOTEMPTY, errno.EEXIST))
        return fn
    os.mkdir('a')
    os.mkdir('b')
    children(move('a', 'b'), move('b', 'a'))
    found = [x for top, dirs, _ in os.walk('.') for x in dirs]
    same('the directories', len(found), 2)


@case('what several append is all there, piece by piece', 'open(2): O_APPEND', seconds=900)
def append():
    put('x')

    def write(letter):
        def fn():
            with opened('x', os.O_WRONLY | os.O_APPEND) as fd:
                for _ in rounds():
                    os.write(fd, letter * 100)
        return fn
    children(write(b'a'), write(b'b'), write(b'c'))
    data = get('x')
    same('the size', len(data), 300 * len(rounds()))
    same('mixed pieces', [i for i in range(0, len(data), 100) if len(set(data[i:i + 100])) != 1], [])


@case('rmdir against making names in it: no name is lost, nothing is made in what is gone', 'rmdir(2): ENOTEMPTY', seconds=900)
def rmdir_against_make():
    def make():
        for _ in rounds():
            with contextlib.suppress(FileExistsError):
                os.mkdir('d')
            with contextlib.suppress(FileNotFoundError):
                os.close(os.open('d/x', os.O_CREAT | os.O_WRONLY))
                os.unlink('d/x')

    def remove():
        for _ in rounds():
            try:
                os.rmdir('d')
            except OSError as e:
                holds('errno %d' % e.errno, e.errno in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST))
    children(make, remove)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir('d')
    same('the names', os.listdir('.'), [])


@case('links are counted right when several make and remove them', 'link(2), unlink(2)', seconds=900)
def links():
    put('x', b'content')

    def fn(name):
        def make():
            for _ in range(10 * len(rounds())):
                os.link('x', name)
                os.unlink(name)
            os.link('x', name)
        return make
    children(fn('a'), fn('b'), fn('c'))
    same('links', os.stat('x').st_nlink, 4)


@case('a listing is whole while others make and remove names', 'readdir(3)', seconds=900)
def listing():
    stay = {'stay%d' % i for i in range(50)}
    for name in stay:
        put(name)

    def change():
        for i in rounds():
            put('c%d' % (i % 20))
            with contextlib.suppress(FileNotFoundError):
                os.unlink('c%d' % ((i + 10) % 20))
        put('done')

    def look():
        while not exists('done'):
            names = os.listdir('.')
            got = [x for x in names if x.startswith('stay')]
            holds('%d of 50' % len(got), len(got) == 50 and set(got) == stay)
            same('names that are there twice', len(names), len(set(names)))
    children(change, look)


@case('random moves of many files by three processes lose none', 'rename(2)', seconds=900)
def moves():
    for i in range(3):
        os.mkdir('d%d' % i)
    for i in range(30):
        put('d0/f%d' % i, b'%d' % i)

    def move(n):
        def fn():
            rand = random.Random(n)
            for _ in rounds():
                i = rand.randrange(30)
                with contextlib.suppress(FileNotFoundError):
                    os.rename('d%d/f%d' % (rand.randrange(3), i), 'd%d/f%d' % (rand.randrange(3), i))
        return fn
    children(move(1), move(2), move(3))
    found = {}
    for i in range(3):
        for name in os.listdir('d%d' % i):
            holds('%s is there twice' % name, name not in found)
            found[name] = get('d%d/%s' % (i, name))
    same('the files', found, {'f%d' % i: b'%d' % i for i in range(30)})


@case('writes of several to parts of their own do not touch each other', 'write(2)', seconds=900)
def own_parts():
    put('x')

    def write(k):
        def fn():
            with opened('x', os.O_RDWR) as fd:
                for i in rounds():
                    at = (i % 40) * 3000 + k * 1000
                    os.pwrite(fd, b'%d' % k * 1000, at)
                    same('read', os.pread(fd, 1000, at) == b'%d' % k * 1000, True)
        return fn
    children(write(0), write(1), write(2))
    same('the content', get('x') == (b'0' * 1000 + b'1' * 1000 + b'2' * 1000) * 40, True)
