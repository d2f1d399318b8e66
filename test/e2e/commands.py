"""ls cat put stat mkdir rm mv cp: on an exported #ram, on the host, and where they cannot. product.md section 2."""
import json
import os
import re
import socket

from bench import Skipped, case


@case('a file is put, listed, printed, copied, moved and removed at a dial string')
def _(b):
    b.table([
        ('tenon ls D', '', '', 0),
        ('echo hello | tenon put D greeting', '', '', 0),
        ('tenon ls D', 'greeting\n', '', 0),
        ('tenon cat D greeting', 'hello\n', '', 0),
        ('tenon cat D /greeting', 'hello\n', '', 0),
        ('echo again | tenon put -a D greeting', '', '', 0),
        ('tenon cat D greeting greeting', 'hello\nagain\nhello\nagain\n', '', 0),
        ('echo over | tenon put D greeting', '', '', 0),
        ('tenon cat D greeting', 'over\n', '', 0),
        ('tenon cp D greeting copy', '', '', 0),
        ('tenon mv D greeting welcome', '', '', 0),
        ('tenon ls D', 'copy\nwelcome\n', '', 0),
        ('tenon cat D copy welcome', 'over\nover\n', '', 0),
        ('tenon rm D copy welcome', '', '', 0),
        ('tenon ls D', '', '', 0),
    ], D=b.export("'#ram'").dial)


@case('trees are made, copied, moved and removed')
def _(b):
    b.table([
        ('tenon mkdir D a', '', '', 0),
        ('tenon mkdir D a', '', 'tenon: mkdir: a: file already exists\n', 1),
        ('tenon mkdir D x/y/z', '', 'tenon: mkdir: x/y/z: file does not exist\n', 1),
        ('tenon mkdir -p D x/y/z a', '', '', 0),
        ('echo 1 | tenon put D x/y/one; echo 2 | tenon put -m 600 D x/y/z/two', '', '', 0),
        ('tenon cp D x copy', '', 'tenon: cp: x: is a directory: -r copies it\n', 1),
        ('tenon cp -r D x copy', '', '', 0),
        ('tenon cp -r D x a', '', '', 0),
        ('tenon cat D copy/y/one copy/y/z/two a/x/y/one', '1\n2\n1\n', '', 0),
        ('tenon ls -l D copy/y/z', '-rw------- ... 2 ... two\n', '', 0),
        ('tenon cp -r D x x/y/z', '', 'tenon: cp: x/y/z/x: lies in what is to be copied\n', 1),
        ('tenon mv D x/y/one a', '', '', 0),
        ('tenon cat D a/one', '1\n', '', 0),
        ('tenon cat D x/y/one', '', 'tenon: cat: x/y/one: file does not exist\n', 1),
        ('tenon mv D a/one a/one', '', 'tenon: mv: a/one: is the same file\n', 1),
        ('tenon cp D a/one a/one', '', 'tenon: cp: a/one: is the same file\n', 1),
        ('tenon rm D x', '', 'tenon: rm: x: ...not empty\n', 1),
        ('tenon rm -r D x copy a', '', '', 0),
        ('tenon ls D', '', '', 0),
    ], D=b.export("'#ram'").dial)


@case('mv onto a file replaces it')
def _(b):
    b.table([
        ('echo new | tenon put D new; echo old | tenon put D old', '', '', 0),
        ('tenon mv D new old', '', '', 0),
        ('tenon ls D; tenon cat D old', 'old\nnew\n', '', 0),
    ], D=b.export("'#ram'").dial)


@case('what cannot be found is named with its cause, the rest goes on')
def _(b):
    b.table([
        ('echo x | tenon put D x', '', '', 0),
        ('tenon cat D nope x', 'x\n', 'tenon: cat: nope: file does not exist\n', 1),
        ('tenon ls D nope x', 'x\n', 'tenon: ls: nope: file does not exist\n', 1),
        ('tenon stat D nope', '', 'tenon: stat: nope: file does not exist\n', 1),
        ('tenon rm D nope', '', 'tenon: rm: nope: file does not exist\n', 1),
        ('tenon mv D nope y', '', 'tenon: mv: nope: file does not exist\n', 1),
        ('tenon cat D x/y', '', 'tenon: cat: x/y: not a directory\n', 1),
        ('tenon cat D .', '', 'tenon: cat: .: file is a directory\n', 1),
        ('echo x | tenon put D .', '', 'tenon: put: .: ...\n', 1),
        ('tenon put D no/dir </dev/null', '', 'tenon: put: no/dir: file does not exist\n', 1),
    ], D=b.export("'#ram'").dial)


@case('without a dial string names are the host\'s, and devices\'')
def _(b):
    b.write('here', 'host\n')
    b.table([
        ('tenon ls', 'here\n', '', 0),
        ('tenon cat here', 'host\n', '', 0),
        ('tenon cat ./here ../${PWD##*/}/here $PWD/here', 'host\nhost\nhost\n', '', 0),
        ('tenon mkdir -p d/e; echo put | tenon put d/e/f; cat d/e/f', 'put\n', '', 0),
        ('tenon cp here d; tenon mv d/here d/there; cat d/there', 'host\n', '', 0),
        ('tenon rm -r d; ls', 'here\n', '', 0),
        ('tenon ls -d /', '/\n', '', 0),
        ("tenon ls '#ram'", '', '', 0),
        ("tenon ls '#nosuch'", '', "tenon: ls: '#nosuch': unknown device in # filename\n", 1),
    ])


@case('ls -l and -d; several directories are headed by their names; sorted')
def _(b):
    b.write('d/b', 'bb')
    b.write('d/a', 'a', mode=0o640)
    b.write('e/c', '')
    b.table([
        ('tenon ls d', 'a\nb\n', '', 0),
        ('tenon ls -l d', re.compile(r'^-rw-r----- \S+ \S+ +1 \d{4}-\d\d-\d\d \d\d:\d\d a\n'
                                     r'-rw-r--r-- \S+ \S+ +2 \S+ \S+ b\n$'), '', 0),
        ('tenon ls d e', 'd:\na\nb\ne:\nc\n', '', 0),
        ('tenon ls -d d e', 'd\ne\n', '', 0),
        ('tenon ls -ld d', 'drwxr-xr-x ... d\n', '', 0),
    ])


@case('names are printed so that a shell reads them back')
def _(b):
    names = [b'plain', b'two words', b"it's", b'new\nline', b'\xff\xfe', 'größe'.encode(), b'#ram', b'$HOME', b'-x', b'a"b']
    for n in names:
        with open(os.path.join(b.dir.encode(), b'd_' + n), 'w'):
            pass
    printed = b.shows('tenon ls', None)
    got = b.run("bash -c \"printf '%%s\\0' %s\"" % printed.replace('\n', ' ').replace('\\', '\\\\').replace('"', '\\"')
                .replace('$', '\\$')).stdout
    assert sorted(got.split(b'\0')[:-1]) == sorted(b'd_' + n for n in names), (printed, got)
    assert '\n' in printed and '\x1b' not in printed


@case('what a terminal would obey never reaches it')
def _(b):
    with open(os.path.join(b.dir, 'x\x1b]0;title\x07'), 'w'):
        pass
    for command in ('tenon ls', 'tenon ls -l', 'tenon stat *', "tenon cat \"$(printf 'no\\033[31m')\""):
        r = b.run(command)
        assert r.returncode in (0, 1) and r.stdout + r.stderr, (command, r)
        assert b'\x1b' not in r.stdout + r.stderr, (command, r)


@case('stat prints what is known, as text and as JSON')
def _(b):
    b.write('f', 'four', mode=0o604)
    b.shows('tenon stat f', re.compile(r'^f\n  kind +file\n  mode +0604 -rw----r--\n  length +4\n  qid +0x'))
    got = json.loads(b.shows('tenon stat --json f .', None))
    assert [x['name'] for x in got] == ['f', '.'] and [x['kind'] for x in got] == ['file', 'directory'], got
    assert got[0]['mode'] == '0604' and got[0]['length'] == 4, got
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z', got[0]['changed']), got
    assert got[0]['ownerNumber'] == os.getuid() if 'ownerNumber' in got[0] else got[0]['owner'], got


@case('ls --json is one array of objects')
def _(b):
    D = b.export("'#ram'").dial
    b.table([('echo x | tenon put D a; tenon mkdir D b', '', '', 0), ('echo 1 | tenon put D b/c', '', '', 0)], D=D)
    got = json.loads(b.shows('tenon ls --json D', None, D=D))
    assert [(x['name'], x['kind']) for x in got] == [('a', 'file'), ('b', 'directory')], got
    assert json.loads(b.shows('tenon ls --json D b a', None, D=D))[1]['name'] == 'a'
    assert json.loads(b.shows('tenon ls --json D -d b', None, D=D))[0]['name'] == 'b'


@case('a large file is the same there and back')
def _(b):
    D = b.export("'#ram'").dial
    data = os.urandom(3000001)
    b.write('data', data)
    b.shows('tenon put D big <data && tenon cat D big | cmp - data', D=D)
    b.shows('tenon cp D big copy && tenon cat D copy | cmp - data', D=D)


@case('a directory of 3000 entries is listed whole')
def _(b):
    os.mkdir(os.path.join(b.dir, 'd'))
    for i in range(3000):
        os.close(os.open(os.path.join(b.dir, 'd', 'file-%04d' % i), os.O_CREAT, 0o644))
    D = b.export('d').dial
    want = ''.join('file-%04d\n' % i for i in range(3000))
    b.shows('tenon ls D', want, D=D)
    b.shows('tenon ls d', want)


@case('bad dial strings and dead addresses are named with the cause')
def _(b):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        dead = 'tcp!127.0.0.1!%d' % s.getsockname()[1]
        b.shows('tenon ls D', '', "tenon: ls: 'tcp!127.0.0.1!...': ...connection refused\n", D=dead)
    b.table([
        ("tenon ls 'tcp!'", '', "tenon: ls: 'tcp!': ...host...\n", 2),
        ("tenon ls 'tcp!127.0.0.1!99999'", '', "tenon: ls: 'tcp!127.0.0.1!99999': ...\n", 1),
        ("tenon ls 'unix!'", '', "tenon: ls: 'unix!': ...\n", 2),
        ("tenon ls 'unix!/nonexistent/socket'", '', "tenon: ls: 'unix!/nonexistent/socket': ...\n", 1),
        ("tenon ls 'exec!exit 3'", '', "tenon: ls: 'exec!exit 3': ...\n", 1),
        ("tenon ls 'exec!echo this is no 9P'", '', "tenon: ls: 'exec!echo this is no 9P': ...\n", 1),
        ("tenon ls 'tcp!nosuchhost.invalid!564'", '', "tenon: ls: 'tcp!nosuchhost.invalid!564': ...\n", 1),
    ])


@case('permissions of the host hold, and are named')
def _(b):
    if os.getuid() == 0:
        raise Skipped('root is refused nothing')
    b.write('secret', 'x', mode=0)
    b.shows('tenon cat secret', '', 'tenon: cat: secret: permission denied\n')
