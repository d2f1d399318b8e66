"""inotify inside of `tenon run`: what others change at a server, another client or the server's own host, reaches who watches.

Expectations: inotify(7); what programs inside do themselves is held against the same on a directory of the host.
"""
import os
import shutil
import subprocess
import sys
import time

from bench import PATIENCE, Failed, Skipped, case
from launch_host import Place, mounters
from people import people, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tool'))
import p9

SOON_S = 2.0 if 'ASAN_OPTIONS' in os.environ else 0.2
TRIES = 3  # the machine may be busy with something else once
PYTHON = 'python3'  # by PATH: an interpreter that everybody may use
ME = p9.me()


class Watcher:
    """Who watches `places` inside (options None: outside): `lines` of what it has heard, without their times."""

    def __init__(self, b, who, options, places, watched=1, seconds=60):
        inside = '' if options is None else 'tenon run %s ' % options
        self.begin(b, '%s%s%s %s %s %s %s' % (who, inside, PYTHON, copy_of_watcher(b), seconds, watched, ' '.join(places)))

    def begin(self, b, command):
        os.chmod(b.dir, 0o777)
        self.lines, self.times, self.rest = [], [], ''
        self.p = b.start('exec ' + command, stdin=subprocess.PIPE)
        self.take(b.read_until(self.p, 'ready\n').split('ready\n')[1])
        os.set_blocking(self.p.stdout.fileno(), False)

    def take(self, text):
        lines = (self.rest + text).split('\n')
        self.rest = lines.pop()
        for line in lines:
            when, what = self.said(line)
            self.times.append(when)
            self.lines.append(what)

    def said(self, line):
        when, _, what = line.partition(' ')
        return float(when), what

    def read(self):
        try:
            self.take(os.read(self.p.stdout.fileno(), 1 << 20).decode())
        except BlockingIOError:
            pass

    def hears(self, *wanted):
        """Waits until the last lines are these, but for changes of attributes. -> when the first of them was heard"""
        def there():
            self.read()
            return [x for x in self.lines if x in wanted or not x.startswith('ATTRIB')][-len(wanted):] == list(wanted)
        wait_for(lambda: 'wanted %r, heard %r' % (wanted, self.lines[-20:]), there)
        return self.times[self.lines.index(wanted[0])]

    def forget(self):
        self.read()
        self.lines, self.times = [], []

    def end(self):
        self.p.stdin.close()
        if self.p.wait(PATIENCE):
            raise Failed('the watcher ended with %d' % self.p.returncode)


# Its lines are `WHAT,ISDIR PLACE/NAME`, and have no times: they are taken as they come.
INOTIFYWAIT = """inotifywait -m -q -e create,modify,move,delete --format '%%e %%w%%f' %s &
n=0
until grep -q '^watched 1$' /n/ns/stats; do
    n=$((n + 1)); [ $n -lt 1000 ] || exit 1
    sleep 0.01
done
echo ready
read end
kill $!
"""


class Inotifywait(Watcher):
    """The same by the program that people use."""

    def __init__(self, b, who, options, places):
        self.begin(b, '%stenon run %s sh %s' % (who, options, b.write('wait.sh', INOTIFYWAIT % ' '.join(places), 0o644)))

    def said(self, line):
        return time.monotonic(), line.replace(',ISDIR', '|DIR').replace('/n/', '')


def copy_of_watcher(b):
    with open(os.path.join(HERE, 'watcher.py')) as f:
        return b.write('watcher.py', f.read(), 0o644)


def tree(b):
    for name in ('share/d', 'local'):
        os.makedirs(os.path.join(b.dir, name), exist_ok=True)
        os.chmod(os.path.join(b.dir, name), 0o777)
    os.chmod(os.path.join(b.dir, 'share'), 0o777)


def host(b):
    """Somebody on the server's own host. The names are of the exported tree."""
    at = lambda name: os.path.join(b.dir, 'share', name)
    return {
        'create': lambda name: os.close(os.open(at(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY)),
        'write': lambda name: append(at(name)),
        'rename': lambda name, new: os.rename(at(name), at(new)),
        'remove': lambda name: os.unlink(at(name)),
        'mkdir': lambda name: os.mkdir(at(name)),
        'rmdir': lambda name: os.rmdir(at(name)),
    }


def append(path):
    with open(path, 'a') as f:
        f.write('more\n')


class Other(p9.Client):
    """Another client of the same server."""

    def append(self, name):
        f = self.open(name, p9.OWRITE)
        self.write(f, b'more\n')
        self.clunk(f)

    def rename(self, name, new):
        f = self.walk(name)
        st = b'\xff' * 39 + p9.string(new) + p9.string('') * 3
        st = len(st).to_bytes(2, 'little') + st
        self.rpc(126, f.to_bytes(4, 'little') + len(st).to_bytes(2, 'little') + st)
        self.clunk(f)

    def table(self):
        return {
            'create': lambda name: self.clunk(self.create(name, 0o666, p9.OWRITE)),
            'write': self.append,
            'rename': self.rename,
            'remove': self.remove,
            'mkdir': self.mkdir,
            'rmdir': self.remove,
        }


# What is done; what is heard of it, in place P.
STORY = (
    (('create', 'f'), ('CREATE P/f',)),
    (('write', 'f'), ('MODIFY P/f',)),
    (('rename', 'f', 'g'), ('MOVED_FROM P/f', 'MOVED_TO P/g')),
    (('remove', 'g'), ('DELETE P/g',)),
    (('mkdir', 's'), ('CREATE|DIR P/s',)),
    (('rmdir', 's'), ('DELETE|DIR P/s',)),
)


def story(w, do, place):
    """Each step is heard within SOON_S, exactly once, at one of TRIES at least."""
    best = {}
    for _ in range(TRIES):
        for step, heard in STORY:
            wanted = [line.replace('P/', place + '/') for line in heard]
            w.forget()
            begin = time.monotonic()
            do[step[0]](*step[1:])
            took = w.hears(*wanted) - begin
            best[step[0]] = min(best.get(step[0], took), took)
            extra = [line for line in w.lines if line not in wanted and not line.startswith('ATTRIB')]
            if extra or len([line for line in w.lines if line in wanted]) != len(wanted):
                raise Failed('%r is heard as %r' % (step, w.lines))
    if max(best.values()) > SOON_S:
        raise Failed('not within %g s: %r' % (SOON_S, best))


def told(b, place, *doers, watcher=Watcher):
    """Whoever runs it with the options of PLACE hears the story of each of the doers there."""
    options, name = place
    for who in people():
        w = watcher(b, who, options, [name])
        for do in doers:
            story(w, do, os.path.basename(name))
        w.end()


def far(dial):
    """An import, and a union with it."""
    return (("-m /n/far='%s'" % dial, '/n/far'), ("-o create -b /n/u='#ram' -m /n/raw='%s' -a /n/u=/n/raw" % dial, '/n/u'))


@case('what another client of the server creates, modifies, renames, deletes is heard inside within 200 ms')
def _(b):
    tree(b)
    e = b.export('share')
    for place in far(e.dial):
        with Other(e.dial, ME) as other:
            told(b, place, other.table())


@case('what the server\'s own host creates, modifies, renames, deletes is heard inside within 200 ms')
def _(b):
    tree(b)
    e = b.export('share')
    for place in far(e.dial):
        told(b, place, host(b))


@case('`inotifywait -m` inside says what another client, and the server\'s own host, do to an import within 200 ms')
def _(b):
    if not shutil.which('inotifywait'):
        raise Skipped('no inotifywait here')
    tree(b)
    e = b.export('share')
    with Other(e.dial, ME) as other:
        told(b, far(e.dial)[0], other.table(), host(b), watcher=Inotifywait)


@case('through an export of an import, and below an attach name, what the first server\'s host does is heard')
def _(b):
    tree(b)
    e = b.export('share')
    again = b.export("--clean -b '/ram=#ram' -m '/far=%s'" % e.dial)
    for place in (("-m /n/twice='%s'" % b.export("'%s'" % e.dial).dial, '/n/twice'),
                  ("-o aname=far -m /n/part='%s'" % again.dial, '/n/part')):
        told(b, place, host(b))


@case('in a union of directories of this host, what others do here is heard')
def _(b):
    tree(b)
    told(b, ('-B $PWD/local=$PWD/share', b.dir + '/local'), host(b))


@case('a watched file tells its own changes, and its end; a rename into a watched directory tells both')
def _(b):
    tree(b)
    e = b.export('share')
    for who in people():
        b.write('share/log', 'one\n', 0o666)
        w = Watcher(b, who, "-m /n/far='%s'" % e.dial, ['/n/far/log', '/n/far/d'], watched=2)
        append(b.dir + '/share/log')
        w.hears('MODIFY log')
        b.write('share/x', '')
        os.rename(b.dir + '/share/x', b.dir + '/share/d/x')
        w.hears('MOVED_TO d/x')
        os.rename(b.dir + '/share/d/x', b.dir + '/share/x')
        w.hears('MOVED_FROM d/x')
        os.unlink(b.dir + '/share/log')
        w.hears('ATTRIB log', 'DELETE_SELF log', 'IGNORED log')
        os.rmdir(b.dir + '/share/d')
        w.hears('DELETE_SELF d', 'IGNORED d')
        w.end()
        os.mkdir(b.dir + '/share/d')
        os.chmod(b.dir + '/share/d', 0o777)


def until_followed(w, do, place):
    """Nobody tells when the directory is followed: something is done there until it is heard."""
    def heard():
        do['create']('begin')
        do['remove']('begin')
        time.sleep(0.05)
        w.read()
        return 'DELETE %s/begin' % place in w.lines
    wait_for('a change in %s is heard' % place, heard)


@case('a mount by `tenon mount`: what others change is heard, and it ends at once while it is watched')
def _(b):
    for who in mounters():
        with Place(b, who) as p:
            os.unlink(b.dir + '/share/f')
            for command in (p.tenon + 'unmount m', who + ('fusermount3 -u m' if who else 'umount m')):
                p.mount()
                w = Watcher(b, who, None, [p.m], watched=0)
                until_followed(w, host(b), 'm')
                story(w, host(b), 'm')
                with Other(p.e.dial, ME) as other:
                    story(w, other.table(), 'm')
                b.shows(command)
                w.hears('UNMOUNT|DIR m', 'IGNORED m')
                p.nothing_left()
                w.end()
            b.shows('rm -rf m share')


def heard_of(b, who, options, script, watched, *places, how='do'):
    """The lines of a watcher that has a script run, without their times."""
    os.chmod(b.dir, 0o777)
    script = b.write('script.py', script, 0o644)
    r = b.run('%stenon run %s %s %s 60 %d %s=%s %s' % (who, options, PYTHON, copy_of_watcher(b), watched, how, script, ' '.join(places)))
    lines = r.stdout.decode().splitlines()
    if r.returncode or lines[:1] != ['ready']:
        raise Failed('%r: %d %r %s' % (options, r.returncode, lines[:5], r.stderr.decode()))
    return [line.split(' ', 1)[1] for line in lines[1:]]


OWN = """import os
os.chdir(TOP)
for i in range(20):
    with open('f', 'w') as f:
        f.write('text')
    with open('f', 'a') as f:
        f.write('more')
    os.chmod('f', 0o600)
    os.rename('f', 'g')
    os.rename('g', 'd/h')
    os.link('d/h', 'i')
    os.unlink('d/h')
    os.mkdir('s')
    os.rmdir('s')
    os.symlink('x', 'l')
    os.unlink('l')
    os.truncate('i', 2)
    os.utime('i', (1, 1))
    os.unlink('i')
"""


# What is raised is done once more in this kernel, by names that the server may have changed meanwhile.
@case('a server that makes a directory a symbolic link while it is watched leads nobody to the files of this host')
def _(b):
    for who in people():
        tree(b)
        for name in ('share/a/b/c', 'victim/b/c'):
            os.makedirs(os.path.join(b.dir, name))
        b.shows('chmod -R a+rwX share victim')
        w = Watcher(b, who, "-m /n/far='%s'" % b.export('share').dial, ['/n/far/a/b/c', '/n/far/d'], watched=4)
        os.rename(b.dir + '/share/a', b.dir + '/share/z')
        os.symlink(b.dir + '/victim', b.dir + '/share/a')
        for name in ('z/b/c/planted', 'd/marker'):
            b.write('share/' + name, '')
            time.sleep(0.05)
        w.hears('CREATE d/marker')
        if os.listdir(b.dir + '/victim/b/c'):
            raise Failed('made on the host: %r' % os.listdir(b.dir + '/victim/b/c'))
        w.end()
        b.shows('rm -r share victim')


# The same in this kernel would take the mount along, or away.
TAKEN = """import os, sys, time
def told():
    with open('/n/ns/stats') as f:
        stats = dict(line.split() for line in f)
    return int(stats['raised']) + int(stats['not_raised'])
end = time.monotonic() + 20
TAKE
while told() == 0:
    if time.monotonic() > end:
        sys.exit('nothing was told')
    time.sleep(0.005)
with open('/n/far/d/f') as f:
    sys.exit(f.read() != 'F')
"""


@case('what is mounted in a watched directory stays when the server removes or renames its mount point')
def _(b):
    b.write('local/f', 'F', 0o644)
    for who in people():
        for take in ("os.rmdir('%s/share/d')", "os.rename('%s/share/d', '%s/share/e')"):
            tree(b)
            options = "-m /n/far='%s' -b /n/far/d=%s/local" % (b.export('share').dial, b.dir)
            heard_of(b, who, options, TAKEN.replace('TAKE', take.replace('%s', b.dir)), 1, '/n/far', how='while')
            b.shows('rm -r share')


def compare_with_disk(b, own, *places):
    """What is heard in each (options, what it is called, directory) of what `own` does in it is what is heard on a disk."""
    os.mkdir(b.dir + '/local/d')
    os.chmod(b.dir + '/local/d', 0o777)
    for who in people():
        heard = []
        for options, top, watched in [('', b.dir + '/local', 0)] + [(options, top, 2) for options, _, top in places]:
            lines = heard_of(b, who, options, own.replace('TOP', repr(top)), watched, top, top + '/d')
            heard.append([line.replace('local', 'top') for line in lines])
        for (_, what, _), got in zip(places, heard[1:]):
            if got != heard[0]:
                wrong = next(i for i, pair in enumerate(zip(got + [''], heard[0] + [''])) if pair[0] != pair[1])
                raise Failed('in %s %r is heard, on a disk %r' % (what, got[wrong - 3:wrong + 4], heard[0][wrong - 3:wrong + 4]))


def union(b):
    return ('-o create -B %s/local=%s/share' % (b.dir, b.dir), 'a union', b.dir + '/local')


@case('what programs inside do is heard once, as on a disk')
def _(b):
    tree(b)
    compare_with_disk(b, OWN, ("-m /n/top='%s'" % b.export('share').dial, 'an import', '/n/top'), union(b))


# What 9P2000 has no message for; and what is done to a file when nothing else has been done to it for a while.
MORE = """import ctypes, os, time
os.chdir(TOP)
libc = ctypes.CDLL(None, use_errno=True)
def two():
    for name in ('f', 'g'):
        with open(name, 'w') as f:
            f.write(name)
def exchange(a, b):
    if libc.renameat2(-100, a, -100, b, 2):  # RENAME_EXCHANGE
        raise OSError(ctypes.get_errno(), 'renameat2')
for i in range(5):
    two()
    exchange(b'f', b'g')
    exchange(b'g', b'd')
    os.rename('g', 'h')
    os.rename('d', 'g')
    os.rename('h', 'd')
    os.unlink('f')
    os.unlink('g')
def mark():  # between two events that are the same, or they would be one
    os.mkdir('s')
    os.rmdir('s')
two()
f, g = os.open('f', os.O_RDONLY), os.open('g', os.O_RDWR)
for do in (lambda: os.copy_file_range(f, g, 1),
           lambda: os.close(os.open('g', os.O_WRONLY | os.O_TRUNC)),
           lambda: os.posix_fallocate(g, 0, 100),
           lambda: os.setxattr('g', 'user.x', b'1'),
           lambda: os.removexattr('g', 'user.x')):
    time.sleep(0.15)
    mark()
    do()
    mark()
os.close(f)
os.close(g)
os.unlink('f')
os.unlink('g')
"""


@case('so is what they exchange, and what is copied within a server')
def _(b):
    tree(b)
    compare_with_disk(b, MORE, union(b))


# Who watches asks for nothing meanwhile: then it would be looked at for that.
LET_GO = """import ctypes, os, sys, time
def followed():
    with open('/n/ns/stats') as f:
        return int(dict(line.split() for line in f)['watched'])
def wait_for(n):
    end = time.monotonic() + 20
    while followed() != n:
        if time.monotonic() > end:
            sys.exit('%d directories are followed, not %d' % (followed(), n))
        time.sleep(0.005)
out, into = os.pipe()
if os.fork() == 0:
    os.close(into)
    libc = ctypes.CDLL(None)
    fd = libc.inotify_init1(0)
    wd = libc.inotify_add_watch(fd, b'/n/far', 0xfff)
    os.read(out, 1)
    libc.inotify_rm_watch(fd, wd)
    os.read(out, 1)
    os._exit(0)
os.close(out)
wait_for(1)
os.write(into, b'x')
wait_for(0)
print('done')
"""


@case('what nobody watches any more is not asked about any more')
def _(b):
    tree(b)
    e = b.export('share')
    script = b.write('let_go.py', LET_GO, 0o644)
    os.chmod(b.dir, 0o777)
    for who in people():
        b.shows("%stenon run -m /n/far='%s' %s %s" % (who, e.dial, PYTHON, script), 'done\n')


# Within the time in which the first may have its echo.
CLASH = """import os, time
with open(TOP + '/f', 'a') as f:
    f.write('more')
time.sleep(0.03)
with open(SHARE + '/f', 'r+') as f:
    OTHERS
time.sleep(0.03)
"""


def clash(b, others):
    """What is heard of f where others do something to it when a program inside has just written to it, for each who runs that."""
    e = b.export('share')
    for who in people():
        f = b.write('share/f', 'text', 0o666)
        if os.getuid() == 0:
            os.chown(f, 1000, 1000)
        script = CLASH.replace('TOP', "'/n/far'").replace('SHARE', repr(b.dir + '/share')).replace('OTHERS', others)
        yield heard_of(b, who, "-m /n/far='%s'" % e.dial, script, 1, '/n/far', how='while')


@case('what others write to a file that a program inside has just written to is heard as well')
def _(b):
    tree(b)
    for lines in clash(b, "f.seek(0, os.SEEK_END); f.write('more')"):
        if lines != ['MODIFY far/f', 'MODIFY far/f']:
            raise Failed(repr(lines))


# Where the server tells of it late, it may be heard twice.
@case('so is what they write when the length stays, and that they change the mode')
def _(b):
    tree(b)
    for others, heard in (("f.write('M')", 'MODIFY far/f'), ('os.fchmod(f.fileno(), 0o600)', 'ATTRIB far/f')):
        for lines in clash(b, others):
            if lines[:1] != ['MODIFY far/f'] or set(lines[1:]) != {heard}:
                raise Failed('%s: %r' % (others, lines))


@case('a server that is killed hangs nobody; when it is back its changes are told again')
def _(b):
    tree(b)
    at = b.dir + '/server'
    for who in people():
        e = b.export("-l 'unix!%s' share" % at, listen=False)
        os.chmod(at, 0o777)
        w = Watcher(b, who, "-m /n/far='unix!%s'" % at, ['/n/far'])
        os.mkdir(b.dir + '/share/s')
        w.hears('CREATE|DIR far/s')
        e.kill()
        os.rmdir(b.dir + '/share/s')
        e = b.export("-l 'unix!%s' share" % at, listen=False)
        os.chmod(at, 0o777)
        w.hears('ATTRIB|DIR far')  # something may have been missed
        os.mkdir(b.dir + '/share/s')
        w.hears('CREATE|DIR far/s')
        e.kill()
        os.rmdir(b.dir + '/share/s')
        w.end()


@case('thousands of changes come in order, or it is said that some are lost; and nothing is left of the name space')
def _(b):
    tree(b)
    e = b.export('share')
    for who in people():
        w = Watcher(b, who, "-m /n/far='%s'" % e.dial, ['/n/far'])
        for i in range(3000):
            path = '%s/share/f%d' % (b.dir, i)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            os.unlink(path)
        os.mkdir(b.dir + '/share/last')
        os.rmdir(b.dir + '/share/last')
        w.hears('DELETE|DIR far/last')
        lost = [line for line in w.lines if line == 'ATTRIB|DIR far']
        made = [int(line[len('CREATE far/f'):]) for line in w.lines if line.startswith('CREATE far/f')]
        gone = [int(line[len('DELETE far/f'):]) for line in w.lines if line.startswith('DELETE far/f')]
        if made != sorted(made) or gone != sorted(gone):
            raise Failed('changes are heard out of order')
        if not lost and (made != list(range(3000)) or gone != made):
            raise Failed('%d and %d of 3000 changes are heard, and not that any are lost' % (len(made), len(gone)))
        w.end()
        wait_for('somebody is left', lambda: not mentions(e.dial))


def mentions(text):
    """Processes of `tenon run` with it in their command line."""
    found = []
    for pid in os.listdir('/proc'):
        try:
            with open('/proc/%s/cmdline' % pid, 'rb') as f:
                line = f.read().split(b'\0')
        except OSError:
            continue
        if b'run' in line and any(text.encode() in word for word in line):
            found.append(pid)
    return found


@case('a server without the file: what programs inside do is heard, and nobody is asked twice')
def _(b):
    import p9d
    with p9d.Server(p9d.Dir(f=p9d.File(b'text'))) as s:
        for who in people():
            script = "with open('/n/far/f', 'a') as f:\n    f.write('more')\n"
            lines = heard_of(b, who, "-m /n/far='%s'" % s.dial, script, 0, '/n/far')
            if lines != ['MODIFY far/f']:
                raise Failed(repr(lines))


@case('the file `watch`: lines in, lines out; names that lead out, and what is no line, are refused')
def _(b):
    tree(b)
    e = b.export('share')
    with Other(e.dial, ME) as other, p9.Client(e.dial, ME, '#ns/watch') as c:
        f = c.open('', p9.ORDWR)
        c.write(f, b'watch 1 \nwatch 20 /d\nwatch 3 not/there')
        lines = c.read(f).decode()
        if lines != 'begun 1 f 0 \nbegun 20 f 0 \nend 3 file does not exist\n':
            raise Failed(repr(lines))
        other.put('/d/a\n\\', b'')
        lines = c.read(f).decode()
        if not lines.startswith('made 20 f 0 a\\n\\\\\n'):
            raise Failed(repr(lines))
        for wrong in (b'watch 1 d', b'watch 4 ../share', b'watch 4 d/..', b'watch x d', b'what 4 d', b'watch 4 a\\b', b'end 1 d'):
            try:
                c.write(f, wrong)
                raise Failed('%r is taken' % wrong)
            except p9.Error:
                pass
        c.write(f, b'end 20\nend 77')
        os.mkdir(b.dir + '/share/s')
        lines = c.read(f).decode()
        while 'made 1 d 0 s\n' not in lines:
            lines += c.read(f).decode()
        if ' 20 ' in lines.split('made 1')[1]:
            raise Failed(repr(lines))


@case('an export by root tells of a directory only who may read it')
def _(b):
    if os.getuid():
        return
    tree(b)
    os.chmod(b.dir, 0o777)
    os.chmod(b.dir + '/share/d', 0o700)
    e = b.export('share')
    for who, wanted in (('root', 'begun 1 f 0 \n'), ('nobody', 'end 1 permission denied\n')):
        with p9.Client(e.dial, who, '#ns/watch') as c:
            f = c.open('', p9.ORDWR)
            c.write(f, b'watch 1 d')
            got = c.read(f).decode()
            if got != wanted:
                raise Failed('%s is told %r' % (who, got))


@case('so does an export of what it exports, though somebody else watches the directory by it who may')
def _(b):
    if os.getuid():
        return
    tree(b)
    os.chmod(b.dir, 0o777)
    os.chmod(b.dir + '/share/d', 0o700)
    again = b.export("'%s'" % b.export('share').dial)
    with p9.Client(again.dial, 'root', '#ns/watch') as c, p9.Client(again.dial, 'nobody', '#ns/watch') as d:
        for one, wanted in ((c, 'begun 1 f 0 \n'), (d, 'end 1 ')):
            f = one.open('', p9.ORDWR)
            one.write(f, b'watch 1 d')
            got = one.read(f).decode()
            if not got.startswith(wanted):
                raise Failed('told %r for %r' % (got, wanted))
