"""Servers that speak another 9P than 9P2000: diod, which knows 9P2000.L and nothing else, on a pipe; as an ordinary user."""
import os
import shutil
import stat

from bench import Failed, Skipped, case


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
