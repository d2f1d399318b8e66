"""Whose files are in `tenon run` and on a mount, when root has launched it and others are there; and devices of the host.

POSIX (open(2): the owner of a new file is who makes it), mknod(2), inode(7). test/posix holds the whole against Linux.
"""
import os

from bench import Skipped, case
from people import AS_USER, open_fuse, people

OTHER = 'setpriv --reuid 1234 --regid 1234 --clear-groups '
MAKE = '''umask 0
cd $PWD/w
%(other)s/usr/bin/python3 -c "
import os, stat
os.close(os.open('f', os.O_CREAT | os.O_WRONLY, 0o4755))
os.mkdir('d', 0o755)
os.mkfifo('p', 0o600)
os.symlink('x', 'l')"
stat -c '%%n %%u %%g %%a' f d p l'''


def only_root():
    if os.getuid():
        raise Skipped('only root has others in his name space')
    open_fuse()


def place(b, name, mode=0o777):
    path = os.path.join(b.dir, name)
    os.mkdir(path)
    os.chmod(path, mode)
    os.chmod(b.dir, 0o755)
    return path


def make(b, front, out):
    b.write('make.sh', MAKE % {'other': OTHER}, 0o644)
    b.shows(front + ' sh make.sh', out)


THEIRS = 'f 1234 1234 4755\nd 1234 1234 755\np 1234 1234 600\nl 1234 1234 777\n'


@case('what another user makes in the name space of root is his, with its set-id bits: in #ram')
def _(b):
    only_root()
    place(b, 'w')
    make(b, "tenon run -b \"$PWD/w=#ram\" --", THEIRS)


@case('the same in a union of directories of the host')
def _(b):
    only_root()
    for name in ('w', 'one', 'two'):
        place(b, name)
    make(b, 'tenon run -o create -b "$PWD/w=$PWD/one" -a "$PWD/w=$PWD/two" --', THEIRS)
    b.shows("cd one; stat -c '%n %u %g %a' f d p l", THEIRS)


@case('the same over an import from root, by tenon run and by tenon mount')
def _(b):
    only_root()
    for name in ('w', 'far', 'far2'):
        place(b, name)
    e, e2 = b.export('far'), b.export('far2')
    make(b, "tenon run -m \"$PWD/w=%s\" --" % e.dial, THEIRS)
    b.shows("tenon mount '%s' w" % e2.dial)
    try:
        make(b, '', THEIRS)
    finally:
        b.shows('tenon unmount w')
    for name in ('far', 'far2'):
        b.shows("cd %s; stat -c '%%n %%u %%g %%a' f d p l" % name, THEIRS)


@case('where the server gives nothing away it stays the exporter\'s, and no program lends his rights to others')
def _(b):
    only_root()
    place(b, 'w')
    os.chown(place(b, 'far'), 1000, 1000)
    e = b.export('far', prefix=AS_USER)
    make(b, "tenon run -m \"$PWD/w=%s\" --" % e.dial, 'f 1000 ... 755\nd 1000 ... 755\np 1000 ... 600\nl 1000 ... 777\n')


@case('a device of the host is a file whose bytes are its own, where its directory is part of a union')
def _(b):
    for who in people():
        b.shows(who + "tenon run -a '/dev=#cons' sh -c 'echo lost >/dev/null && head -c 4 /dev/zero | od -An -tx1; "
                "head -c 8 /dev/urandom | wc -c; test -f /dev/null && wc -c </dev/sysname >/dev/null && echo both'",
                ' 00 00 00 00\n8\nboth\n')


@case('a device elsewhere is a device, with its number, and cannot be opened: it would be one of this machine')
def _(b):
    only_root()
    place(b, 'w')
    place(b, 'far')
    os.mknod(os.path.join(b.dir, 'far', 'null'), 0o020666, os.makedev(1, 3))
    e = b.export('far')
    for who in people():
        b.shows("%stenon run -m \"$PWD/w=%s\" -- sh -c 'stat -c \"%%F %%t %%T\" w/null; find w -type c; find w -type f; "
                "cat w/null 2>&1'" % (who, e.dial),
                'character special file 1 3\nw/null\ncat: w/null: Permission denied\n', status=1)
