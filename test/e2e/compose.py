"""The options that compose a name space: what is wrong is said before anything is started. product.md 1, 4."""
import re
import socket
import time

from bench import case

EXPORT = "tenon export --clean -l 'tcp!127.0.0.1!0' "


@case('wrong options of composition are usage errors')
def _(b):
    b.table([
        (EXPORT + '-b nothing', '', 'tenon: export: nothing: not of the form NAME=SRC\n...', 2),
        (EXPORT + "-b '=#ram'", '', "tenon: export: '=#ram': not of the form NAME=SRC\n...", 2),
        (EXPORT + '-b /x=', '', 'tenon: export: /x=: not of the form NAME=SRC\n...', 2),
        (EXPORT + "-b 'x=#ram'", '', 'tenon: export: x: the name must begin with /\n...', 2),
        (EXPORT + '-m /x=/usr', '', 'tenon: export: /usr: no dial string...', 2),
        (EXPORT + "-m '/x=tcp!'", '', "tenon: export: 'tcp!': ...", 2),
        (EXPORT + "-o frob -b '/x=#ram'", '', 'tenon: export: frob: unknown option of a mount\n...', 2),
        (EXPORT + "-o soft=never -m '/x=tcp!h!1'", '', 'tenon: export: soft=never: wants seconds...', 2),
        (EXPORT + "-o soft=0 -m '/x=tcp!h!1'", '', 'tenon: export: soft=0: wants seconds...', 2),
        (EXPORT + "-o dialect=9P1 -m '/x=tcp!h!1'", '', 'tenon: export: dialect=9P1: no such dialect\n...', 2),
        (EXPORT + "-o qids=numbers -m '/x=tcp!h!1'", '', 'tenon: export: qids=numbers: only qids=names is known\n...', 2),
        (EXPORT + "-o before,after -b '/x=#ram'", '', 'tenon: export: after: there is one order already\n...', 2),
        (EXPORT + "-o before -a '/x=#ram'", '', 'tenon: export: /x: there are two orders...', 2),
        (EXPORT + "-o soft=3 -b '/x=#ram'", '', "tenon: export: '#ram': is bound, not mounted...", 2),
        (EXPORT + '-o ro', '', 'tenon: export: -o: no bind or mount stands behind it\n...', 2),
    ])


@case('a source that is not there is named, and nothing listens')
def _(b):
    b.table([
        (EXPORT + '-b /x=/nonexistent', '', 'tenon: export: /nonexistent: file does not exist\n', 1),
        (EXPORT + '-b /x=/etc/passwd', '',
         "tenon: export: /etc/passwd: file does not exist here; the host's is #host/etc/passwd\n", 1),
        (EXPORT + "-b '/x=#nosuch'", '', "tenon: export: '#nosuch': unknown device in # filename\n", 1),
        (EXPORT + "-m '/x=unix!/nonexistent/s'", '', "tenon: export: 'unix!/nonexistent/s': ...\n", 1),
    ])


@case('an error in line 7 of a name space file is named, and nothing is applied')
def _(b):
    good = ''.join('bind #ram /r%d\n' % i for i in range(6))
    b.write('ns', '# six good ones\n' + good[:-len('bind #ram /r5\n')] + 'bnid #ram /r6\n')
    b.shows(EXPORT + '-n ns', '', 'tenon: export: ns:7:1: ...\n', 2)
    b.write('ns', good + 'mount\n')
    b.shows(EXPORT + '-n ns', '', 'tenon: export: ns:7:...\n', 2)
    b.shows(EXPORT + '-n nope', '', 'tenon: export: nope: ...No such file...\n...', 2)


@case('a line that fails while it is applied is named with its place')
def _(b):
    b.write('ns', 'bind #ram /a\n\nbind /nonexistent /b\n')
    b.shows(EXPORT + '-n ns', '', 'tenon: export: ns:3:...: /nonexistent: file does not exist\n')


@case('a name space file that includes a pipe is refused: nobody would write to it')
def _(b):
    b.write('ns', 'bind #pipe /p\n. /p/data\n')
    b.shows(EXPORT + '-n ns', '', 'tenon: export: ns:2:...: /p/data: a read of it may wait: not a file of lines\n')


@case('name space files bind, mount, unmount, include and expand variables')
def _(b):
    b.write('d/f', 'host\n')
    b.write('more', 'bind -c #ram /more\n')
    D = b.export("'#ram'").dial
    b.shows('echo far | tenon put D f', D=D)
    b.write('ns', "# all of it\nbind -c #ram '/with space'\nbind #host$HOME/d /d\nmount '%s' /n\nmount /m '%s'\n"
            'bind #ram /gone\nunmount /gone\nbind -a #pipe /d\n' % (D, D))
    e = b.export('--clean -n ns')
    b.table([
        ('tenon cat D d/f n/f m/f', 'host\nfar\nfar\n', '', 0),
        ("echo x | tenon put D 'with space/y'; tenon cat D 'with space/y'", 'x\n', '', 0),
        ('tenon ls D d', 'data\ndata1\nf\n', '', 0),
        ('tenon ls D gone', '', '', 0),
    ], D=e.dial)


@case('options hold for the next bind: create, ro')
def _(b):
    b.write('one/f', '1\n')
    b.write('two/f', '2\n')
    e = b.export("--clean -B '/u=#host{0}/one' -o create -a '/u=#host{0}/two' -o ro -b '/ro=#host{0}/one' -B '/n=#host{0}/one'".format(b.dir))
    b.table([
        # 9P2000.L has a number for it, EACCES, and no words.
        ('tenon mkdir D n/new', '', re.compile('^tenon: mkdir: n/new: (mounted directory forbids creation|permission denied)\n$'), 1),
        ('echo new | tenon put D u/new', '', '', 0),
        ('cat two/new', 'new\n', '', 0),
        ('tenon cat D ro/f', '1\n', '', 0),
        ('echo x | tenon put D ro/f', '', 'tenon: put: ro/f: read only...\n', 1),
        ('tenon rm D ro/f', '', 'tenon: rm: ro/f: read only...\n', 1),
    ], D=e.dial)


@case('binds are in the order given: a later one covers')
def _(b):
    b.write('one/f', '1\n')
    b.write('two/f', '2\n')
    D = b.export("--clean -b '/x=#host{0}/one' -b '/x=#host{0}/two' -B '/y=#host{0}/one' -B '/y=#host{0}/two'".format(b.dir)).dial
    b.shows('tenon cat D x/f y/f', '2\n2\n', D=D)


@case('user= is who the server sees; soft= is how long it may take')
def _(b):
    D = b.export("'#ram'").dial
    again = b.export("--clean -o user=daemon -m '/x=%s'" % D)  # 1, on Debian; .L tells numbers only
    b.shows('echo x | tenon put D x/f; tenon stat D x/f', '...\n  owner   1\n...', D=again.dial)
    with socket.socket() as mute:
        mute.bind(('127.0.0.1', 0))
        mute.listen()
        start = time.monotonic()
        b.shows(EXPORT + "-o soft=1 -m '/x=tcp!127.0.0.1!%d'" % mute.getsockname()[1], '',
                "tenon: export: 'tcp!127.0.0.1!...': ...\n")
        assert time.monotonic() - start < 5, 'the bound of a second is not kept'
