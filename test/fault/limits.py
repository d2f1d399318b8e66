"""Limits that are reached: each has an error of its own, what was there stays, and the rest goes on. product.md 5.

Of a connection (fids, requests, memory) and of a server's client: test/link/limit.c, mnt.c.
"""
import os
import re

from bench import Failed, case
from people import people
from p9 import Client, Error

MOUNTS, UNION = 4096, 256  # ns.h: the defaults


def binds(n):
    return ''.join('bind #ram /r%d\n' % i for i in range(n))


def union(n):
    return 'bind #ram /u\n' + 'bind -a #ram /u\n' * (n - 1)


@case('mounts and members of a union have a limit, and the line that goes beyond is named')
def _(b):
    b.write('mounts', binds(MOUNTS + 1), 0o644)
    b.write('union', union(UNION + 1), 0o644)
    os.chmod(b.dir, 0o777)
    LISTEN = "--clean -l 'tcp!127.0.0.1!0' "
    b.shows('tenon export %s -n mounts' % LISTEN, '',
            'tenon: export: mounts:%d:1: /r%d: limit reached: mounts in this name space\n' % (MOUNTS + 1, MOUNTS))
    b.shows('tenon export %s -n union' % LISTEN, '',
            'tenon: export: union:%d:1: /u: limit reached: members of this union\n' % (UNION + 1))
    for who in people():
        # Those that every name space begins with count too.
        b.shows(who + 'tenon run -n mounts touch ran', '',
                re.compile(r'^tenon run: mounts:409\d:1: /r409\d: limit reached: mounts in this name space\n$'), 1)
        b.shows(who + 'tenon run -n union touch ran', '',
                'tenon run: union:%d:1: /u: limit reached: members of this union\n' % (UNION + 1), 1)
    if os.path.exists(b.dir + '/ran'):
        raise Failed('it was run')
    b.write('mounts', binds(MOUNTS - 1))
    b.write('union', union(UNION))
    for name, last in ('mounts', 'r%d' % (MOUNTS - 2)), ('union', 'u'):
        e = b.export('--clean -n ' + name)
        b.shows('tenon ls D %s && tenon ls -d D %s' % (last, last), last + '\n', D=e.dial)
        e.end()


@case('binds without end while a name space lives end with the error; what was there is there')
def _(b):
    os.chmod(b.dir, 0o777)
    b.write('more', 'echo first >/n/u/f\nn=1\nwhile test $n -lt 300 && /bin/echo bind -a \'#ram\' /n/u >/n/ns/ctl; do n=$((n+1)); done\n'
            "echo $n\ntenon bind -a '#ram' /n/u\ncat /n/u/f\ntenon unmount /n/u && ls /n/u && echo gone\n", 0o644)
    for who in people():
        b.shows(who + "tenon run -o create -b '/n/u=#ram' sh more", '%d\nfirst\ngone\n' % UNION,
                '/bin/echo: write error: No space left on device\ntenon: bind: /n/u: ...limit reached: members of this union\n', 0)


@case('an export without descriptors says so, serves what is open, and goes on when some are closed')
def _(b):
    for i in range(100):
        b.write('share/f%d' % i, 'text %d' % i)
    e = b.export('share', prefix='prlimit --nofile=64 ')
    with Client(e.dial) as c:
        fids, words = [], ''
        while not words and len(fids) < 100:
            try:
                fids.append(c.open('f%d' % len(fids)))
            except Error as error:
                words = str(error)
        if words != 'limit reached: open files' or len(fids) < 20:
            raise Failed('%d files, then %r' % (len(fids), words))
        for i, f in enumerate(fids):
            if c.read(f) != b'text %d' % i:
                raise Failed('f%d has lost its text' % i)
        for f in fids:
            c.clunk(f)
        if c.cat('f99') != b'text 99':
            raise Failed('nothing can be opened any more')


OPEN = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))
fds = []
try:
    while len(fds) < 400:
        fds.append(os.open('/n/u/f%d' % (len(fds) % 100), os.O_RDONLY))
except OSError as e:
    print(e.strerror, len(fds) > 20)
print({os.pread(fd, 10, 0) for fd in fds} == {b'text'})
for fd in fds:
    os.close(fd)
print(open('/n/u/f99').read())
"""


@case('nor is a launcher without descriptors the end of its name space')
def _(b):
    for i in range(100):
        b.write('share/f%d' % i, 'text', 0o644)
    os.makedirs(b.dir + '/other')
    b.write('open.py', OPEN, 0o644)
    os.system('chmod -R a+rwX ' + b.dir)
    for who in people():
        b.shows("ulimit -Sn 64; ulimit -Hn 500; %stenon run -b /n/u=$PWD/share -a /n/u=$PWD/other python3 open.py" % who,
                'Too many open files True\nTrue\ntext\n')
