"""Programs that speak 9P and are not ours: Debian's diod tools as clients of an export, nfs-ganesha as a server.

What is typed here is what docs/compatibility-matrix.md says to type. dialects.py has diod as a server.
"""
import glob
import os
import re
import shutil
import signal
import subprocess

from bench import PATIENCE, Failed, Skipped, case
from people import AS_USER, open_fuse, wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNPACKED = os.path.join(TOP, 'build/unpacked')  # tools/setup unpack


def address(dial):
    return dial.replace('tcp!', '').replace('!', ':')


# ---- diod's tools ----

def diod_tools(b):
    if not shutil.which('diodls', path='/usr/sbin:' + os.environ['PATH']):
        raise Skipped('no diod here')
    b.env['PATH'] += ':/usr/sbin'


@case("diod's tools list and read what is exported, also below an attach name, and are told what is not there")
def _(b):
    diod_tools(b)
    b.write('tree/one', 'one\n')
    b.write('tree/dir/two', b'two\n' * 100000)
    with open('/proc/sys/kernel/random/boot_id') as f:
        id = f.read()
    b.write('tree/id', id)
    e = b.export('tree')
    b.table([
        ('diodls -s HOST -a / | sort', 'dir\nid\none\n', '', 0),
        ('diodls -s HOST -a /dir', 'two\n', '', 0),
        ('diodls -s HOST -a / dir one', 'dir:\ntwo\n\none\n', '', 0),
        ('diodcat -s HOST -a / one id', 'one\n' + id, '', 0),
        ('diodcat -s HOST -a / dir/two | cmp - tree/dir/two', '', '', 0),
        ('diodcat -s HOST -a /dir two | cmp - tree/dir/two', '', '', 0),
        ('diodcat -s HOST -m 4096 -a / dir/two | cmp - tree/dir/two', '', '', 0),
        ('diodcat -s HOST -a / none', '', '...No such file or directory\n', 1),
        ('diodls -s HOST -a /none', '', '...No such file or directory\n', 1),
    ], HOST=address(e.dial))


@case("diod's tools for its own `ctl` find there what is bound to that name")
def _(b):
    diod_tools(b)
    b.write('date/date', '981173106.5 0.0\n')
    e = b.export("--clean -b '/ctl=#cons' -a '/ctl=#host%s/date'" % b.dir)
    b.shows('diodls -s HOST', '...null\nzero\n...', HOST=address(e.dial))
    b.shows('dioddate -s HOST', '...Feb...2001...', HOST=address(e.dial))
    # Copies from zero to null, and stats; says how much of it was done.
    for options in ('', '-g '):
        err = b.run('diodload %s-r 1 -n 4 -s HOST' % options, HOST=address(e.dial)).stderr.decode()
        if not re.fullmatch(r'diodload: [1-9]\d* ops/s.*\n', err):
            raise Failed(err)


@case('`diodls -l` walks from a fid that is open for reading, and is refused: walk(5)')
def _(b):
    diod_tools(b)
    b.write('tree/one', 'one\n')
    e = b.export('tree')
    b.shows('diodls -l -s HOST -a /', None, '...Bad file descriptor\n...', 0, HOST=address(e.dial))


# ---- nfs-ganesha ----

GANESHA = '''NFS_CORE_PARAM {{ Protocols = 9P; Plugins_Dir = {plugins}; }}
NFSv4 {{ IdmapConf = {dir}/idmap.conf; Graceless = true; }}
EXPORT {{ Export_Id = 1; Path = {tree}; Pseudo = /tree; Access_Type = RW; Squash = No_Root_Squash; Protocols = 9P; FSAL {{ Name = VFS; }} }}
'''
# It listens on all addresses, and writes to /var/lib/nfs and /run: it has a network and such folders of its own.
APART = ('mount -t tmpfs none /var/lib && mount -t tmpfs none /run && ip link set lo up && exec env LD_LIBRARY_PATH={libraries} '
         '{program} -F -f {dir}/ganesha.conf -L {dir}/ganesha.log -p {dir}/ganesha.pid')


class Ganesha:
    def __init__(self, b):
        if os.getuid():
            raise Skipped('nfs-ganesha wants to be root')
        program = shutil.which('ganesha.nfsd') or os.path.join(UNPACKED, 'usr/bin/ganesha.nfsd')
        if not os.path.exists(program):
            raise Skipped('no nfs-ganesha here: tools/setup unpack')
        open_fuse()
        root = program.removesuffix('/usr/bin/ganesha.nfsd')
        lib = (glob.glob(root + '/usr/lib/*-linux-*') or [''])[0]
        libs = [lib, lib + '/libnfsidmap', root + '/usr/lib/ganesha'] + glob.glob(root + '/lib/*-linux-*')
        self.b, self.tree = b, os.path.join(b.dir, 'tree')
        os.chmod(b.dir, 0o755)
        os.mkdir(self.tree)
        os.chown(self.tree, 1000, 1000)
        b.write('idmap.conf', '')
        b.write('ganesha.conf', GANESHA.format(plugins=lib + '/ganesha', dir=b.dir, tree=self.tree))
        self.p = b.start('exec unshare -nm sh -c "%s"' % APART.format(
            libraries=':'.join(libs), program=program, dir=b.dir))
        wait_for(lambda: 'no server: ' + self.said()[-1000:], lambda: 'NFS SERVER INITIALIZED' in self.said())

    def said(self):
        path = os.path.join(self.b.dir, 'ganesha.log')
        if self.p.poll() is not None:
            why = self.b.read('ganesha.log') if os.path.exists(path) else 'without a word in its log'
            raise Failed('nfs-ganesha ended with %d: %s' % (self.p.returncode, why[-2000:]))
        return self.b.read('ganesha.log') if os.path.exists(path) else ''

    def shows(self, script, out, err='', status=None, options=''):
        """As uid 1000 types it, in the network of the server."""
        self.b.write('script.sh', script, 0o644)
        self.b.shows("exec nsenter -n -t %d %stenon run -o 'aname=%s%s' -m '/n/far=tcp!127.0.0.1!564' -- sh -c 'cd /n/far && . %s'" %
                     (self.p.pid, AS_USER, self.tree, options, os.path.join(self.b.dir, 'script.sh')), out, err, status, patience=60)
        self.said()  # it lives

    def end(self):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed('nfs-ganesha does not end')


@case('on an import of nfs-ganesha a program of Linux reads, writes, makes, links, renames, lists, locks and removes')
def _(b):
    g = Ganesha(b)
    g.shows('''set -e
        cp /bin/ls copy; cmp /bin/ls copy; ./copy -d .
        mkdir dir; mv copy dir/copy; ls dir
        echo one >f; echo two >>f; cat f; truncate -s 6 f; cat f; ln f h; ln -s f l; readlink l; mkfifo p
        stat -c '%n %h %F %s' f h l p
        chmod 604 f; touch -d 2001-02-03 f; stat -c '%a %Y' h
        for i in $(seq 200); do : >many$i; done; ls | grep -c many
        python3 - <<END
import fcntl
one, two = open('f', 'r+'), open('f', 'r+')
fcntl.lockf(one, fcntl.LOCK_EX | fcntl.LOCK_NB, 3)
fcntl.fcntl(two, 36, __import__('struct').pack('hhqqi4x', 0, 0, 3, 0, 0))  # F_OFD_GETLK is 36
fcntl.lockf(one, fcntl.LOCK_UN)
print('locked')
END
        rm many* h; rm -r dir; ls
        cat none''', '.\ncopy\none\ntwo\none\ntwf\nf 2 regular file 6\nh 2 regular file 6\nl 1 symbolic link 1\n'
            'p 1 fifo 0\n604 981158400\n200\nlocked\nf\nl\np\n', 'cat: none: No such file or directory\n')
    st = os.stat(g.tree + '/f')
    if b.read('tree/f') != 'one\ntw' or (st.st_uid, st.st_gid) != (1000, 1000) or sorted(os.listdir(g.tree)) != ['f', 'l', 'p']:
        raise Failed('on the disk it is not as it was made: %r, %r' % (st, os.listdir(g.tree)))
    g.end()


@case('nfs-ganesha speaks 9P2000.L alone, and an import that asks for another dialect is told so')
def _(b):
    g = Ganesha(b)
    for dialect in ('9P2000.u', '9P2000'):
        g.shows('true', '', '...' + ('9P2000.u was asked for' if dialect == '9P2000.u' else 'version refused') + '...', 1, ',dialect=' + dialect)
    g.shows('echo well', 'well\n', options=',dialect=9P2000.L')
    g.end()
