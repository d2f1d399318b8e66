"""tenon export: sources, listeners, ends. product.md sections 1 and 2."""
import os
import pwd
import re
import signal
import socket
import subprocess

import p9
from bench import Failed, case
from people import AS_USER


@case('every kind of listener serves: tcp, IPv6, a path, an abstract name; all at once')
def _(b):
    listeners = ["'tcp!127.0.0.1!0'", "'tcp!::1!0'", 'unix!' + b.dir + '/sock', "'unix!@tenon-e2e-%d'" % os.getpid()]
    if not os.path.exists('/proc/net/if_inet6') or '00000000000000000000000000000001' not in open('/proc/net/if_inet6').read():
        del listeners[1]
    e = b.export(' '.join('-l ' + x for x in listeners) + " '#ram'", len(listeners), listen=False)
    for i, dial in enumerate(e.dials):
        b.shows('echo %d | tenon put D from-%d' % (i, i), D=dial)
    for dial in e.dials:
        b.shows('tenon ls D', ''.join('from-%d\n' % i for i in range(len(e.dials))), D=dial)
    e.end()
    assert not os.path.exists(b.dir + '/sock'), 'the socket is left'


@case('standard input and output serve one connection: exec!')
def _(b):
    b.write('d/f', 'through a pipe\n')
    b.shows("tenon cat 'exec!tenon export d' f", 'through a pipe\n')
    b.shows("tenon ls \"exec!tenon export '#pipe'\"", 'data\ndata1\n')


@case('a directory is served; nothing leads out of it')
def _(b):
    b.write('out', 'secret\n')
    b.write('d/in', 'public\n')
    os.symlink('../out', b.dir + '/d/link')
    os.symlink(b.dir + '/out', b.dir + '/d/absolute')
    D = b.export('d').dial
    b.shows('tenon cat D in ../in ../../in', 'public\npublic\npublic\n', D=D)
    for name in ('../out', 'link', 'absolute', '../d/../out', '..//out'):
        r = b.run("tenon cat '%s' '%s'" % (D, name))
        assert r.returncode == 1 and b'secret' not in r.stdout + r.stderr, (name, r)


@case('--ro refuses every change, with its cause')
def _(b):
    b.write('d/f', 'x\n')
    D = b.export('--ro d').dial
    b.table([
        ('tenon cat D f', 'x\n', '', 0),
        ('tenon ls D', 'f\n', '', 0),
        ('echo y | tenon put D f', '', 'tenon: put: f: read only...\n', 1),
        ('echo y | tenon put D g', '', 'tenon: put: g: read only...\n', 1),
        ('tenon mkdir D e', '', 'tenon: mkdir: e: read only...\n', 1),
        ('tenon rm D f', '', 'tenon: rm: f: read only...\n', 1),
        ('tenon mv D f g', '', 'tenon: mv: f: read only...\n', 1),
    ], D=D)
    assert b.read('d/f') == 'x\n'


@case('--sub serves a directory of the tree alone')
def _(b):
    b.write('d/sub/f', 'inside\n')
    b.write('d/secret', 'outside\n')
    D = b.export('--sub sub d').dial
    b.shows('tenon ls D', 'f\n', D=D)
    b.shows('tenon cat D ../secret', '', 'tenon: cat: ../secret: file does not exist\n', D=D)
    b.shows("tenon export --sub nope -l 'tcp!127.0.0.1!0' d", '', 'tenon: export: nope: file does not exist\n')


@case('an import is exported again, three deep')
def _(b):
    b.write('d/f', 'far\n')
    D = b.export('d').dial
    for _ in range(3):
        D = b.export("'%s'" % D).dial
    b.shows('tenon cat D f', 'far\n', D=D)
    b.shows('echo new | tenon put D g', D=D)
    assert b.read('d/g') == 'new\n'


@case('a composed name space is served: devices side by side, a union raw and sorted')
def _(b):
    b.write('one/x', '1\n')
    b.write('one/y', '1\n')
    b.write('two/x', '2\n')
    b.write('two/z', '2\n')
    e = b.export("--clean -b '/ram=#ram' -b '/pipe=#pipe' -b '/u=#host{0}/one' -a '/u=#host{0}/two'".format(b.dir))
    b.table([
        ('tenon ls D', 'pipe\nram\nu\n', '', 0),
        ('tenon ls D pipe', 'data\ndata1\n', '', 0),
        ('echo x | tenon put D ram/f; tenon cat D ram/f', 'x\n', '', 0),
        ('tenon ls -u D u', re.compile('^(x\ny\n|y\nx\n)(x\nz\n|z\nx\n)$'), '', 0),
        ('tenon ls D u', 'x\ny\nz\n', '', 0),
        ('tenon cat D u/x u/z', '1\n2\n', '', 0),
        ('tenon mkdir D u/new; tenon ls one', 'new\nx\ny\n', '', 0),
    ], D=e.dial)


@case('a pipe is served: what one connection writes the other reads')
def _(b):
    e = b.export("--clean -b '/pipe=#pipe'")
    reader = b.start("tenon cat '%s' pipe/data1" % e.dial)
    b.shows('printf through | tenon put -a D pipe/data', D=e.dial)
    b.read_until(reader, 'through')


@case('SRC is a name in what was composed')
def _(b):
    b.write('d/e/f', 'deep\n')
    D = b.export('--clean -b "/x=#host%s/d" /x/e' % b.dir).dial
    b.shows('tenon ls D', 'f\n', D=D)


@case('what cannot be exported is said before anything listens')
def _(b):
    b.write('file', 'x')
    b.table([
        ("tenon export -l 'tcp!127.0.0.1!0' /nonexistent", '', 'tenon: export: /nonexistent: file does not exist\n', 1),
        ("tenon export -l 'tcp!127.0.0.1!0' '#nosuch'", '', "tenon: export: '#nosuch': unknown device in # filename\n", 1),
        ("tenon export -l 'tcp!127.0.0.1!0' 'tcp!'", '', "tenon: export: 'tcp!': ...\n", 2),
        ("tenon export -l nonsense '#ram'", '', 'tenon: export: nonsense: ...\n', 2),
        ("tenon export -l 'tcp!127.0.0.1!99999' '#ram'", '', "tenon: export: 'tcp!127.0.0.1!99999': ...\n", 1),
        ("tenon export -l 'unix!/nonexistent/s' '#ram'", '', "tenon: export: 'unix!/nonexistent/s': ...\n", 1),
    ])


@case('an address that is taken is named')
def _(b):
    D = b.export("'#ram'").dial
    b.shows("tenon export -l D '#ram'", '', "tenon: export: 'tcp!127.0.0.1!...': ...in use...\n", D=D)


@case('an aname is a path in the tree; one that is not there is refused')
def _(b):
    b.write('d/e/f', 'deep\n')
    D = b.export('d').dial
    again = b.export("--clean -o aname=e -m '/x=%s'" % D).dial
    b.shows('tenon ls D x', 'f\n', D=again)
    r = b.run("tenon export --clean -o aname=nope -m '/x=%s' -l 'tcp!127.0.0.1!0'" % D)
    assert r.returncode == 1 and b'bad attach specifier' in r.stderr, r


@case('it ends at once on SIGTERM, SIGINT, with connections open')
def _(b):
    for how in (signal.SIGTERM, signal.SIGINT):
        e = b.export("--clean -b '/pipe=#pipe'")
        reader = b.start("tenon cat '%s' pipe/data1" % e.dial)
        host, port = re.fullmatch(r'tcp!(.*)!(\d+)', e.dial).groups()
        idle = socket.create_connection((host, int(port)))
        e.end(how)
        assert idle.recv(1) == b''
        idle.close()
        out = reader.communicate(timeout=20)[0]
        assert b'connection' in out, out


@case('--ready-fd tells where it listens')
def _(b):
    r, w = os.pipe()
    p = b.start("exec tenon export --ready-fd %d -l 'tcp!127.0.0.1!0' '#ram'" % w, pass_fds=[w])
    os.close(w)
    with os.fdopen(r) as f:
        dial = f.read().strip()  # to the end: it closes it
    b.shows('tenon ls D', '', D=dial)
    p.terminate()
    assert p.wait(20) == 0


@case('sockets of systemd are served')
def _(b):
    s = socket.socket()
    s.bind(('127.0.0.1', 0))
    s.listen()
    p = subprocess.Popen(['sh', '-c', 'exec 3<&%d; LISTEN_PID=$$ LISTEN_FDS=1 exec tenon export "#ram"' % s.fileno()],
                         pass_fds=[s.fileno()], env=b.env, cwd=b.dir, stdin=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    try:
        b.shows('echo x | tenon put D f; tenon cat D f', 'x\n', D='tcp!127.0.0.1!%d' % s.getsockname()[1])
    finally:
        s.close()
        p.terminate()
        assert p.wait(20) == 0


@case('a terminal is no 9P client')
def _(b):
    r = b.run("script -qec \"tenon export '#ram'\" /dev/null </dev/null")
    assert b'terminal' in r.stdout and r.returncode == 2, r


def shared(b):
    """A directory of root's for everybody: what only root reads, and where all make files."""
    os.chmod(b.dir, 0o755)
    b.write('d/secret', 'secret\n', 0o600)
    b.write('d/public', 'public\n', 0o644)
    os.mkdir(b.dir + '/d/tmp')
    os.chmod(b.dir + '/d/tmp', 0o1777)


def owner(b, name):
    st = os.stat(b.dir + '/' + name)
    return st.st_uid, st.st_gid


@case('an export by root acts for whoever attaches, directly and composed')
def _(b):
    if os.getuid():
        return  # an ordinary user is nobody but himself: the next case
    shared(b)
    for source in ('d', '--clean -b "/x=#host%s/d" /x' % b.dir, '--ro d'):
        D = b.export(source).dial
        b.table([
            ('tenon cat D secret', 'secret\n', '', 0),
            (AS_USER + 'tenon cat D public', 'public\n', '', 0),
            (AS_USER + 'tenon cat D secret', '', 'tenon: cat: secret: permission denied\n', 1),
        ], D=D)
        if source == '--ro d':
            continue
        b.shows(AS_USER + "sh -c 'umask 0; echo x | tenon put D tmp/his'", D=D)
        b.shows('echo x | tenon put D tmp/roots', D=D)
        assert owner(b, 'd/tmp/his') == (1000, 1000), owner(b, 'd/tmp/his')
        assert owner(b, 'd/tmp/roots') == (0, 0), owner(b, 'd/tmp/roots')
        b.table([
            (AS_USER + 'tenon rm D tmp/roots', '', 'tenon: rm: tmp/roots: operation not permitted\n', 1),
            (AS_USER + 'tenon rm D public', '', 'tenon: rm: public: permission denied\n', 1),
            (AS_USER + 'tenon rm D tmp/his; tenon rm D tmp/roots', '', '', 0),
        ], D=D)


@case('one who attaches by name, and again by number alone, as v9fs does, is one user of #ram')
def _(b):
    me = pwd.getpwuid(os.getuid())
    D = b.export("'#ram'").dial
    with p9.Client(D, uname=me.pw_name) as c:
        c.put('f', b'mine\n', 0o600)
    with p9.Client(D, uname='', number=me.pw_uid) as c:
        assert c.cat('f') == b'mine\n'
    try:
        with p9.Client(D, uname='', number=me.pw_uid + 1) as c:
            raise Failed('another read %r' % c.cat('f'))
    except p9.Error as e:
        assert 'permission denied' in str(e), e


@case('--map-user says as whom, and only root has a choice')
def _(b):
    shared(b)
    D = b.export('--map-user self d').dial
    b.shows('tenon cat D secret', 'secret\n', D=D)
    if os.getuid() == 0:
        b.shows(AS_USER + 'tenon cat D secret', 'secret\n', D=D)
        D = b.export('--map-user squash d').dial
        b.shows('tenon cat D public', 'public\n', D=D)
        b.shows('tenon cat D secret', '', 'tenon: cat: secret: permission denied\n', D=D)
        b.shows('echo x | tenon put D tmp/f', D=D)
        assert owner(b, 'd/tmp/f') == (65534, 65534), owner(b, 'd/tmp/f')
        names = [u.pw_name for u in pwd.getpwall() if u.pw_uid == 1000] + ['1000']
        b.write('map', '# who is who\nroot 1000\n%s daemon # none of his own\n' % names[0])
        for source in ('d', '--clean -b "/x=#host%s/d" /x' % b.dir):
            D = b.export('--map-user map ' + source).dial
            b.shows('tenon cat D secret', '', 'tenon: cat: secret: permission denied\n', D=D)
            b.shows('echo x | tenon put D tmp/r; ' + AS_USER + "sh -c 'echo x | tenon put D tmp/u'", D=D)
            assert owner(b, 'd/tmp/r')[0] == 1000 and owner(b, 'd/tmp/u')[0] == 1, (owner(b, 'd/tmp/r'), owner(b, 'd/tmp/u'))
            os.unlink(b.dir + '/d/tmp/r')
            os.unlink(b.dir + '/d/tmp/u')
        b.write('map', 'rob daemon\n')
        D = b.export('--map-user map d').dial
        b.shows('tenon cat D public', '', 'tenon: cat: ...unknown user\n', D=D)
        b.write('map', 'one two\none\n')
        b.shows('tenon export --map-user map d', '', 'tenon: export: map:2: not two words: PEER LOCAL\n')
        b.shows('tenon export --map-user nope d', '', 'tenon: export: nope: ...o such file...\n')
    b.shows(AS_USER + 'tenon export --map-user squash /', '', 'tenon: export: squash: only root...\n...', 2)
