"""Listing directories, also while they change. readdir(3), getdents(2)."""
import ctypes
import os
import stat
import struct

from suite import absent, case, exists, opened, put, same, holds

KINDS = {'file': (put, stat.S_IFREG), 'directory': (os.mkdir, stat.S_IFDIR), 'fifo': (os.mkfifo, stat.S_IFIFO),
         'symlink': (lambda x: os.symlink('anything', x), stat.S_IFLNK)}
for what, (make, want) in KINDS.items():
    @case('a listing says that a %s is one, or leaves it to stat' % what, 'readdir(3): d_type', name='type-' + what)
    def types(make=make, want=want):
        make('x')
        with os.scandir('.') as it:
            e = next(it)
            same('kind', stat.S_IFMT(e.stat(follow_symlinks=False).st_mode), want)
            same('as directory', e.is_dir(follow_symlinks=False), want == stat.S_IFDIR)
            same('as link', e.is_symlink(), want == stat.S_IFLNK)


@case('a listing has the inode numbers of stat', 'readdir(3): d_ino')
def inodes():
    for i in range(20):
        put('x%d' % i)
    with os.scandir('.') as it:
        for e in it:
            same(e.name, e.inode(), os.lstat(e.name).st_ino)


@case('each file has an inode number of its own', 'inode(7)')
def distinct_inodes():
    for i in range(60):
        put('x%d' % i)
    same('numbers', len({os.lstat('x%d' % i).st_ino for i in range(60)}), 60)


@case('500 names are listed, each once', 'readdir(3)')
def many():
    want = ['%04d' % i for i in range(500)]
    for name in want:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    same('names', sorted(os.listdir('.')) == want, True)


@case('120 names of 255 bytes are listed, each once', 'readdir(3)')
def many_long():
    want = ['%0255d' % i for i in range(120)]
    for name in want:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    same('names', sorted(os.listdir('.')) == want, True)


@case('what stays is listed once, whatever is made and removed meanwhile', 'readdir(3)')
def under_change():
    stay = {'stay%04d' % i for i in range(200)}
    for i, name in enumerate(sorted(stay)):
        put(name)
        put('goes%04d' % i)
    seen = []
    with os.scandir('.') as it:
        for n, e in enumerate(it):
            seen.append(e.name)
            if n % 4 == 0 and n // 4 < 200:
                os.unlink('goes%04d' % (n // 4))
                put('new%04d' % (n // 4))
    got = [x for x in seen if x.startswith('stay')]
    same('how often', len(got), 200)
    same('names', set(got), stay)


@case('a directory is emptied while it is listed, as rm -r does', 'readdir(3)')
def emptied():
    os.mkdir('d')
    for i in range(300):
        os.close(os.open('d/%d' % i, os.O_CREAT | os.O_WRONLY))
    with os.scandir('d') as it:
        for e in it:
            os.unlink('d/' + e.name)
    same('names', os.listdir('d'), [])
    os.rmdir('d')


@case('a listing that begins anew shows what is new', 'rewinddir(3)')
def rewound():
    with opened('.', os.O_RDONLY) as fd:
        same('names', os.listdir(fd), [])
        put('x')
        os.lseek(fd, 0, os.SEEK_SET)
        same('names', os.listdir(fd), ['x'])
        os.unlink('x')
        os.lseek(fd, 0, os.SEEK_SET)
        same('names', os.listdir(fd), [])


@case('. and .. are in the raw listing, once each', 'getdents(2)')
def dots():
    put('x')
    buf = ctypes.create_string_buffer(65536)
    names = []
    with opened('.', os.O_RDONLY) as fd:
        libc = ctypes.CDLL(None)
        while True:
            n = libc.getdents64(fd, buf, ctypes.c_size_t(len(buf)))
            holds('getdents64 fails', n >= 0)
            if n == 0:
                break
            at = 0
            while at < n:
                length = struct.unpack_from('H', buf, at + 16)[0]
                names.append(buf.raw[at + 19:at + length].split(b'\0')[0])
                at += length
    same('names', sorted(names), [b'.', b'..', b'x'])


@case('seekdir to a place that telldir has told goes on there', 'telldir(3), seekdir(3)')
def seek():
    want = {b'%03d' % i for i in range(300)}
    for name in want:
        put(name)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
    libc.telldir.restype = ctypes.c_long
    d = ctypes.c_void_p(libc.opendir(b'.'))

    def rest():
        got = []
        while True:
            e = libc.readdir(d)
            if not e:
                return got
            got.append(ctypes.string_at(e + 19))
    first = [ctypes.string_at(libc.readdir(d) + 19) for _ in range(100)]
    place = ctypes.c_long(libc.telldir(d))
    behind = rest()
    libc.seekdir(d, place)
    same('the rest again', rest() == behind, True)
    same('names', set(first + behind), want | {b'.', b'..'})
    same('how many', len(first + behind), 302)


@case('a name that another descriptor has made or removed is seen at once', 'POSIX, readdir()')
def at_once():
    for i in range(30):
        put('x%d' % i)
        same('names', len(os.listdir('.')), i + 1)
    for i in range(30):
        os.unlink('x%d' % i)
        same('names', len(os.listdir('.')), 29 - i)
        absent('x%d' % i)


@case('a name looked for in vain is found as soon as it is made', 'POSIX')
def found_after_absent():
    for i in range(30):
        same('before', exists('x%d' % i), False)
        put('x%d' % i)
        same('behind', exists('x%d' % i), True)
