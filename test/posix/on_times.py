"""Which call changes which time; utimensat."""
import errno
import mmap
import os
import time

import calls
from suite import OTHER, as_user, case, fails, given, holds, opened, put, same

PAST = 10 ** 9  # seconds
NS = 10 ** 9


def ns(path, follow=True):
    st = os.stat(path, follow_symlinks=follow) if isinstance(path, str) else os.fstat(path)
    return {'a': st.st_atime_ns, 'm': st.st_mtime_ns, 'c': st.st_ctime_ns}


def tick(path):
    """Waits until a time made now is another than the file's last change: the clock of a file system has steps."""
    last = max(ns(path).values())
    for i in range(3000):
        put('clock%d' % (i % 2), b'x')
        if ns('clock%d' % (i % 2))['m'] > last:
            return
        time.sleep(0.001)
    raise AssertionError('the clock of the file system stands')


def changes(path, fn, want, exact='mc'):
    """fn changes these times of the path, and none else of `exact`."""
    os.utime(path, (PAST, PAST))
    tick(path)
    before = ns(path)
    fn()
    after = ns(path)
    same('changed', ''.join(x for x in exact if after[x] != before[x]), ''.join(x for x in exact if x in want))
    for x in want:
        holds('%stime is not now' % x, abs(after[x] - time.time_ns()) < 60 * NS)


def write(path):
    with opened(path, os.O_WRONLY) as fd:
        os.write(fd, b'x')


def cut(path, size):
    with opened(path, os.O_WRONLY) as fd:
        os.ftruncate(fd, size)


def open_trunc(path):
    os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))


# call: what it does, the times of the file it changes
ON_FILE = {
    'write': (lambda: write('x'), 'mc'),
    'truncate': (lambda: os.truncate('x', 1), 'mc'),
    'truncate-grow': (lambda: os.truncate('x', 1000), 'mc'),
    'ftruncate': (lambda: cut('x', 1), 'mc'),
    'open-trunc': (lambda: open_trunc('x'), 'mc'),
    'chmod': (lambda: os.chmod('x', 0o600), 'c'),
    'chown': (lambda: os.chown('x', os.geteuid(), os.getegid()), 'c'),
    'link': (lambda: os.link('x', 'y'), 'c'),
    'unlink-link': (lambda: os.unlink('other'), 'c'),
    'rename': (lambda: (os.rename('x', 'y'), os.rename('y', 'x')), 'c'),
    'setxattr': (lambda: os.setxattr('x', 'user.name', b'value'), 'c'),
    'stat': (lambda: os.stat('x'), ''),
    'read': (lambda: open('x', 'rb').read(), ''),
    'access': (lambda: os.access('x', os.R_OK), ''),
    'open': (lambda: os.close(os.open('x', os.O_RDWR)), ''),
}
for call, (fn, want) in ON_FILE.items():
    @case('%s of a file changes of its times %s' % (call, ' and '.join(want) or 'none'), 'inode(7): timestamps', name='of-' + call)
    def of_file(fn=fn, want=want):
        put('x', b'content')
        if fn is ON_FILE['unlink-link'][0]:
            os.link('x', 'other')
        changes('x', fn, want)

IN_DIRECTORY = {
    'create': lambda: put('d/new'),
    'mkdir': lambda: os.mkdir('d/new'),
    'mkfifo': lambda: os.mkfifo('d/new'),
    'symlink': lambda: os.symlink('x', 'd/new'),
    'link': lambda: os.link('d/x', 'd/new'),
    'unlink': lambda: os.unlink('d/x'),
    'rmdir': lambda: os.rmdir('d/sub'),
    'rename': lambda: os.rename('d/x', 'd/y'),
    'rename-out': lambda: os.rename('d/x', 'y'),
    'rename-in': lambda: os.rename('x', 'd/y'),
}
for call, fn in IN_DIRECTORY.items():
    @case('%s changes the directory\'s times of modification and change' % call, 'inode(7): timestamps', name='in-' + call)
    def in_directory(fn=fn):
        os.mkdir('d')
        put('d/x')
        put('x')
        os.mkdir('d/sub')
        changes('d', fn, 'mc')

for call, fn in {'write': lambda: write('d/x'), 'list': lambda: os.listdir('d'), 'chmod': lambda: os.chmod('d/x', 0o600),
                 'fail': lambda: fails(errno.EEXIST, os.mkdir, 'd/x')}.items():
    @case('%s of what is in a directory changes no times of the directory' % call, 'inode(7): timestamps', name='not-in-' + call)
    def not_in_directory(fn=fn):
        os.mkdir('d')
        put('d/x')
        changes('d', fn, '')


@case('what is made has all its times from now', 'inode(7)')
def new():
    now = time.time_ns()
    put('x')
    os.mkdir('d')
    os.symlink('x', 'l')
    os.mkfifo('f')
    for path in ('x', 'd', 'l', 'f'):
        for which, t in ns(path, False).items():
            holds('%stime of %s is %d s off' % (which, path, abs(t - now) / NS), abs(t - now) < 20 * NS)


@case('a read may set the time of access, and a time of access never goes back', 'inode(7), mount(8): relatime')
def read_access():
    put('x', b'content')
    os.utime('x', (PAST, PAST + 5))
    open('x', 'rb').read()
    got = ns('x')['a']
    holds('the time of access: %d' % got, got == PAST * NS or abs(got - time.time_ns()) < 60 * NS)


@case('a write through a map changes the time of modification by msync', 'mmap(2), msync(2)')
def mapped():
    def through():
        with opened('x', os.O_RDWR) as fd, mmap.mmap(fd, 4096) as m:
            m[0] = 1
            m.flush()
    put('x', bytes(4096))
    changes('x', through, 'mc')


# ---- utimensat ----

@case('utimensat sets both times to the nanosecond', 'utimensat(2)')
def exact():
    put('x')
    calls.utimensat('x', (PAST, 123456789), (PAST + 1, 987654321))
    got = ns('x')
    same('times', (got['a'], got['m']), (PAST * NS + 123456789, (PAST + 1) * NS + 987654321))


@case('utimensat sets both times to the second', 'utimensat(2)')
def seconds():
    put('x')
    calls.utimensat('x', (PAST, 0), (PAST + 1, 0))
    got = ns('x')
    same('times', (got['a'], got['m']), (PAST * NS, (PAST + 1) * NS))


@case('utimensat sets the time of modification of a directory', 'utimensat(2)')
def of_directory():
    os.mkdir('d')
    calls.utimensat('d', (PAST, 0), (PAST + 1, 0))
    same('the time', ns('d')['m'], (PAST + 1) * NS)


@case('utimensat sets the time of change to now', 'utimensat(2)')
def sets_change():
    put('x')
    tick('x')
    before = ns('x')['c']
    calls.utimensat('x', (PAST, 0), (PAST, 0))
    holds('the time of change', before < ns('x')['c'] < time.time_ns() + 60 * NS)


@case('UTIME_OMIT leaves a time, UTIME_NOW sets it to now', 'utimensat(2)')
def omit_and_now():
    put('x')
    calls.utimensat('x', (PAST, 0), (PAST, 0))
    calls.utimensat('x', (0, calls.UTIME_OMIT), (PAST + 7, 0))
    same('times', (ns('x')['a'], ns('x')['m']), (PAST * NS, (PAST + 7) * NS))
    calls.utimensat('x', (PAST + 9, 0), (0, calls.UTIME_OMIT))
    same('times', (ns('x')['a'], ns('x')['m']), ((PAST + 9) * NS, (PAST + 7) * NS))
    calls.utimensat('x', (0, calls.UTIME_OMIT), (0, calls.UTIME_NOW))
    same('the time of access', ns('x')['a'], (PAST + 9) * NS)
    holds('mtime is not now', abs(ns('x')['m'] - time.time_ns()) < 60 * NS)


@case('utimensat without times sets both to now', 'utimensat(2)')
def now():
    put('x')
    os.utime('x', (PAST, PAST))
    calls.utimensat('x', None, None)
    for which in 'am':
        holds(which + 'time is not now', abs(ns('x')[which] - time.time_ns()) < 60 * NS)


for name, t in {'before-1970': -1000, 'after-2038': 2 ** 31 + 1000}.items():
    @case('a time %s is kept' % name.replace('-', ' '), 'utimensat(2)', name=name)
    def far(t=t):
        put('x')
        calls.utimensat('x', (t, 0), (t, 0))
        same('the time', ns('x')['m'], t * NS)


@case('a wrong number of nanoseconds is EINVAL', 'utimensat(2): EINVAL')
def wrong():
    put('x')
    fails(errno.EINVAL, calls.utimensat, 'x', (PAST, NS), (PAST, 0))
    fails(errno.EINVAL, calls.utimensat, 'x', (PAST, 0), (PAST, -5))


@case('utimensat follows a symbolic link, or with a flag does not', 'utimensat(2)')
def through_a_link():
    put('x')
    os.symlink('x', 'l')
    calls.utimensat('l', (PAST, 0), (PAST, 0))
    same('the file', ns('x')['m'], PAST * NS)
    calls.utimensat('l', (PAST + 5, 0), (PAST + 5, 0), calls.AT_SYMLINK_NOFOLLOW)
    same('both', (ns('x')['m'], ns('l', False)['m']), (PAST * NS, (PAST + 5) * NS))


@case('futimens means the file of the descriptor, open for reading or writing', 'utimensat(2)')
def by_descriptor():
    put('x')
    for flags in (os.O_RDONLY, os.O_WRONLY):
        with opened('x', flags) as fd:
            os.utime(fd, ns=(PAST * NS, (PAST + flags) * NS))
        same('the time', ns('x')['m'], (PAST + flags) * NS)


@case('who may write a file but does not own it sets its times to now, and to nothing else', 'utimensat(2): EPERM', 'root')
def not_owner():
    put('x')
    os.chmod('x', 0o666)
    with as_user():
        calls.utimensat('x', None, None)
        fails(errno.EPERM, calls.utimensat, 'x', (PAST, 0), (PAST, 0))
        fails(errno.EPERM, calls.utimensat, 'x', (0, calls.UTIME_OMIT), (0, calls.UTIME_NOW))
    os.chmod('x', 0o644)
    with as_user():
        fails(errno.EACCES, calls.utimensat, 'x', None, None)


@case('the owner sets any times of a file that he may not write', 'utimensat(2)', 'root')
def owner():
    put('x')
    given('x', OTHER, OTHER, 0o400)
    with as_user():
        calls.utimensat('x', (PAST, 0), (PAST, 0))
        calls.utimensat('x', None, None)


@case('times that were set stay when the file is closed that was written before', 'utimensat(2), close(2)')
def set_after_write():
    with opened('x', os.O_RDWR | os.O_CREAT) as fd:
        os.write(fd, b'content')
        os.utime(fd, (PAST, PAST))
    same('the time', ns('x')['m'], PAST * NS)
