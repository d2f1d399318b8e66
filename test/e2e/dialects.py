"""Servers that speak another 9P than 9P2000: diod, which knows 9P2000.L and nothing else, on a pipe; and Tenon, whose
9P2000.L.tenon says more; as an ordinary user."""
import os
import select
import shutil
import socket
import stat
import threading

from bench import Failed, Skipped, case
from people import AS_USER, open_fuse

CALLS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'posix')


class Counted:
    """A link of 127.0.0.1: the dial string of an end, and the bytes that have gone over it, both ways."""

    def __init__(self, dial):
        self.to, self.bytes = ('127.0.0.1', int(dial.split('!')[2])), 0
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.dial = 'tcp!127.0.0.1!%d' % self.listener.getsockname()[1]
        threading.Thread(target=self.carry, daemon=True).start()

    def carry(self):
        other = {}
        while True:
            for s in select.select([self.listener, *other], [], [])[0]:
                if s is self.listener:
                    one, two = s.accept()[0], socket.create_connection(self.to)
                    other.update({one: two, two: one})
                    continue
                if s in other and not self.passes_on(s, other[s]):
                    for end in (other.pop(other[s]), other.pop(s)):
                        end.close()

    def passes_on(self, s, to):
        """What has come goes to the other end. -> whether there was anything, and there still is one"""
        try:
            data = s.recv(1 << 16)
            to.sendall(data)
        except OSError:
            return False
        self.bytes += len(data)
        return bool(data)


# What 9P2000.L has no message for: prints what comes of each, by its name or the name of its error.
BEYOND_L = """
import errno, os, sys
sys.path.insert(0, '%s')
import calls

def tried(f, *args):
    try:
        return f(*args)
    except OSError as e:
        return errno.errorcode[e.errno]

def put(name, data):
    with open(name, 'wb') as f:
        f.write(data)

def get(name):
    with open(name, 'rb') as f:
        return f.read()

os.chdir('/mnt')
put('a', b'A'), put('b', b'B'), os.mkdir('d')
print('exchange', tried(calls.rename2, 'a', 'd', calls.RENAME_EXCHANGE), os.path.isdir('a'), os.path.isdir('d'))
print('noreplace', tried(calls.rename2, 'b', 'a', calls.RENAME_NOREPLACE), get('b'))
put('h', b'x' * (1 << 20))
h = os.open('h', os.O_RDWR)
punch = calls.FALLOC_KEEP_SIZE | calls.FALLOC_PUNCH_HOLE
print('punch', tried(calls.fallocate, h, punch, 1 << 16, 1 << 16), os.pread(h, 1 << 20, 0).count(0))
print('hole', os.lseek(h, 0, calls.SEEK_HOLE), 'data', os.lseek(h, 1 << 16, calls.SEEK_DATA))
print('keep', tried(calls.fallocate, h, calls.FALLOC_KEEP_SIZE, 0, 1 << 21), os.fstat(h).st_size)
print('empty', tried(os.setxattr, 'h', 'user.e', b''), tried(os.getxattr, 'h', 'user.e'))
""" % CALLS
COPY = """
import os
a, b = os.open('/mnt/big', os.O_RDONLY), os.open('/mnt/copy', os.O_WRONLY | os.O_CREAT, 0o600)
done = 0
while True:
    n = os.copy_file_range(a, b, 1 << 30)
    done += n
    if n == 0:
        break
print(done)
"""


def diod(b, options=''):
    """Exports an import of a directory, by way of diod. -> the directory, the dial string of the export"""
    program = shutil.which('diod', path='/usr/sbin:/usr/bin:' + os.environ['PATH'])
    if not program:
        raise Skipped('diod is not here')
    tree = os.path.join(b.dir, 'tree')
    os.makedirs(tree, exist_ok=True)
    # exec: a shell between would tell of its death, which diod now and then dies when the pipe is closed.
    dial = 'exec!exec %s -f -n -N -r 0 -w 1 -c /dev/null -L %s/diod.log -e %s' % (program, b.dir, tree)
    return tree, "--clean -o 'create,aname=%s%s' -m '/d=%s'" % (tree, options, dial)


@case('files of a server of 9P2000.L are listed, read, written, copied, moved and removed')
def _(b):
    tree, arguments = diod(b)
    b.write('tree/one', 'one\n', 0o640)
    dial = b.export(arguments).dial
    b.table([
        ('tenon ls D d', 'one\n', '', 0),
        ('tenon cat D d/one', 'one\n', '', 0),
        ('tenon put D d/two', '', '', 0, 'two\n'),
        ('tenon put -a D d/two', '', '', 0, 'more\n'),
        ('tenon mkdir D d/dir', '', '', 0),
        ('tenon cp D d/one d/dir', '', '', 0),
        ('tenon cp -r D d/dir d/copy', '', '', 0),
        ('tenon mv D d/two d/three', '', '', 0),
        ('tenon mv D d/three d/dir/three', '', '', 0),
        ('tenon rm D d/one', '', '', 0),
        ('tenon rm -r D d/copy', '', '', 0),
        ('tenon cat D d/dir/nothing', '', 'tenon: cat: d/dir/nothing: file does not exist\n', 1),
    ], D=dial)
    if sorted(os.listdir(tree)) != ['dir'] or sorted(os.listdir(tree + '/dir')) != ['one', 'three']:
        raise Failed('the tree is %r, %r' % (os.listdir(tree), os.listdir(tree + '/dir')))
    if b.read('tree/dir/three') != 'two\nmore\n' or stat.S_IMODE(os.stat(tree + '/dir/one').st_mode) != 0o640:
        raise Failed('dir is not as it was made')
    b.end()


@case('what a server of 9P2000.L says of files is what Linux says')
def _(b):
    tree, arguments = diod(b)
    path = b.write('tree/f', 'x' * 12345, 0o604)
    os.utime(path, ns=(981173106_000000000, 1012708986_000000000))
    os.mkdir(tree + '/dir', 0o750)
    os.symlink('f', tree + '/l')
    os.mkfifo(tree + '/p', 0o600)
    dial = b.export(arguments).dial
    b.shows('tenon stat D d/f', '...length  12345\n...changed 2002-02-03T04:03:06...', D=dial)
    b.shows('tenon ls -l D d',
            'drwxr-x---...dir\n-rw----r--...12345 2002-02-03 04:03 f\n...l\n...rw-------...p\n', D=dial)
    b.shows('tenon cat D d/l | wc -c', '12345\n', D=dial)
    b.end()


@case('a large file goes through a server of 9P2000.L unchanged, and many names through its listings')
def _(b):
    tree, arguments = diod(b)
    data = os.urandom(3_000_001)
    b.write('big', data)
    os.mkdir(tree + '/many')
    for i in range(1000):
        b.write('tree/many/%04d' % i, '')
    dial = b.export(arguments).dial
    b.shows('tenon put D d/big <big && tenon cat D d/big | cmp - big', '', D=dial)
    b.shows('tenon ls D d/many | wc -l', '1000\n', D=dial)
    b.shows("tenon ls -l D d/many | grep -c '^-rw'", '1000\n', D=dial)
    b.end()


@case('a dialect that the server does not speak is refused in clear words, when it was asked for')
def _(b):
    for dialect, said in (('9P2000.u', 'i/o error'), ('9P2000', 'i/o error')):
        _, arguments = diod(b, ',dialect=' + dialect)
        b.shows("tenon export -l 'tcp!127.0.0.1!0' " + arguments, '', '...: ...' + dialect.partition('.')[2] + '...' + said + '\n')
    _, arguments = diod(b, ',dialect=9P2000.L')
    b.shows('tenon ls D', 'd\n', D=b.export(arguments).dial)
    b.end()


@case('a program of Linux sees links, times and modes of a server of 9P2000.L')
def _(b):
    tree, arguments = diod(b)
    mount = arguments.partition(' ')[2].replace('/d=', '/mnt=')
    b.write('tree/f', 'f\n')
    b.shows('tenon run ' + mount + ''' -- sh -ec 'cd /mnt; ln -s f l; ln f h; mkfifo p; readlink l; cat l
        stat -c %h,%F f l p; mv f dir-less; touch -d 2001-02-03 h; stat -c %Y h; chmod 4711 h; stat -c %a h' ''',
            'f\nf\n2,regular file\n1,symbolic link\n1,fifo\n981158400\n4711\n')
    if os.readlink(tree + '/l') != 'f' or not os.path.exists(tree + '/dir-less'):
        raise Failed('the tree is %r' % os.listdir(tree))
    b.end()


@case('a server of 9P2000.L alone is asked for no more than it has: errors, sizes and copies by reading are as ever')
def _(b):
    _, arguments = diod(b)
    mount = arguments.partition(' ')[2].replace('/d=', '/mnt=')
    b.write('beyond.py', BEYOND_L)
    b.shows('tenon run %s -- python3 -B beyond.py' % mount,
            "exchange EINVAL False True\nnoreplace EEXIST b'B'\npunch ENOTSUP 0\n"
            "hole 1048576 data 65536\nkeep ENOTSUP 1048576\nempty ENOTSUP ENODATA\n")
    b.end()


@case('between two Tenons names are exchanged, holes punched and found, bytes copied at the server, attributes empty')
def _(b):
    open_fuse()
    os.chmod(b.dir, 0o755)
    b.write('beyond.py', BEYOND_L)
    b.write('copy.py', COPY)
    tree = os.path.join(b.dir, 'tree')
    for hops in (1, 2):  # an import, and an import of an import
        shutil.rmtree(tree, ignore_errors=True)
        os.mkdir(tree)
        os.chmod(tree, 0o777)
        big = os.urandom(8 << 20)
        b.write('tree/big', big, 0o644)
        link = Counted(b.export('tree').dial)
        dial = link.dial if hops == 1 else b.export("--clean -m '/x=%s' /x" % link.dial).dial
        b.shows(AS_USER + "tenon run -m '/mnt=%s' -- python3 -B beyond.py" % dial,
                "exchange 0 True False\nnoreplace EEXIST b'B'\npunch 0 65536\n"
                "hole 65536 data 131072\nkeep 0 1048576\nempty None b''\n")
        before = link.bytes
        b.shows(AS_USER + "tenon run -m '/mnt=%s' -- python3 -B copy.py" % dial, '%d\n' % len(big))
        if link.bytes - before > 1 << 20:
            raise Failed('%d bytes went over the link for a copy of %d at the server' % (link.bytes - before, len(big)))
        with open(tree + '/copy', 'rb') as f:
            if f.read() != big:
                raise Failed('the copy is another')
        if os.stat(tree + '/copy').st_uid != os.stat(tree + '/h').st_uid or not os.path.isdir(tree + '/a'):
            raise Failed('the tree is %r' % os.listdir(tree))
    b.end()
