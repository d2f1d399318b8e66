#!/usr/bin/env python3
"""The oracle's operations as Linux's own calls inside `tenon run`: a driver for ../shared/oracle/run.py.

    run.py --driver 'test/launch/oracle_linux.py build/tenon'

The world lives in a directory of the host's (the programs that answer need the host's own files too, and a name space
within another begins with it): `/x` of a case is WORLD/x. Every process P is an agent, this same program, started by `tenon run`, that opens, lists, makes and removes by
plain system calls; binds and mounts go through the command `tenon`, as a person would type them. The servers are
`tenon export '#ram'`, one each. Operations that no Linux program can ask for answer `unsupported`.
"""
import atexit
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tool'))
import p9

WORLD = os.environ.get('TENON_ORACLE_WORLD', '')  # a directory of the host that the driver made
CLASS = {errno.ENOENT: 'notexist', errno.EACCES: 'perm', errno.EPERM: 'perm', errno.EEXIST: 'exists',
         errno.ENOTDIR: 'notdir', errno.EISDIR: 'isdir', errno.EBUSY: 'ismount', errno.EBADF: 'badfd',
         errno.ENOTEMPTY: 'notempty', errno.EINVAL: 'badarg', errno.EXDEV: 'mount', errno.ELOOP: 'loop'}
# what `tenon` says behind the last colon
TEXT = [('inconsistent mount', 'mount'), ('not mounted', 'notmounted'), ('not in union', 'notunion'),
        ('forbids creation', 'nocreate'), ('is a mount point', 'ismount'), ('mount/attach disallowed', 'noattach'),
        ('bad arg in system call', 'badarg'), ('unknown device', 'nodev'), ('bad attach specifier', 'badattach'),
        ('file does not exist', 'notexist'), ('permission denied', 'perm'), ('not a directory', 'notdir'),
        ('empty file name', 'badname'), ('file already exists', 'exists')]


class Refused(Exception):
    def __init__(self, kind, text=''):
        self.kind, self.text = kind, text


class Unsupported(Exception):
    pass


def split(line):
    """words as rc splits them"""
    out, w, quoted, i = [], None, False, 0
    while i < len(line):
        c = line[i]
        if c == "'":
            if quoted and line[i + 1:i + 2] == "'":
                w += "'"
                i += 1
            else:
                quoted, w = not quoted, w or ''
        elif c == ' ' and not quoted:
            if w is not None:
                out.append(w)
            w = None
        else:
            w = (w or '') + c
        i += 1
    return out + ([w] if w is not None else [])


def squote(s):
    return "'" + s.replace("'", "''") + "'"


def quote(s):
    return squote(s) if s == '' or ' ' in s or "'" in s else s


# ---------------------------------------------------------------- the agent: a process inside


class Agent:
    def __init__(self, tenon, prefix, fds):
        self.tenon, self.prefix, self.fds = tenon, prefix, fds

    def at(self, name):
        if name.startswith('/'):
            return WORLD + (name if name != '/' else '')
        if name == '':
            return name
        return name

    def back(self, path):
        if path == WORLD:
            return '/'
        return path[len(WORLD):] if path.startswith(WORLD + '/') else path

    def command(self, *args):
        p = subprocess.run([self.tenon, *args], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        if p.returncode == 0:
            return p.stdout
        last = p.stderr.strip().splitlines()[-1] if p.stderr.strip() else 'status %d' % p.returncode
        for text, kind in TEXT:
            if text in last:
                raise Refused(kind, last)
        raise Refused('other', last)

    def flags(self, f):
        if f.isdigit():
            n = int(f)
            if n & ~7 or n & 3 == 3:
                raise Unsupported
            f = {0: '', 1: 'b', 2: 'a'}[n & 3] + ('c' if n & 4 else '')
        f = f.replace('r', '')
        return ['-' + f] if f else []

    def op_bind(self, flag, old, new):
        self.command('bind', *self.flags(flag), self.at(old), self.at(new))

    def op_mount(self, srv, flag, new, aname=None):
        self.command('mount', *self.flags(flag), 'unix!' + self.prefix + srv, self.at(new), *([aname] if aname else []))

    def op_unmount(self, *names):
        self.command('unmount', *map(self.at, names))

    def op_unmountsrv(self, srv, new):
        self.command('unmount', 'unix!' + self.prefix + srv, self.at(new))

    def oflags(self, mode):
        if 'c' in mode or 'x' in mode:
            raise Unsupported
        f = os.O_RDWR if 'r' in mode and 'w' in mode else os.O_WRONLY if 'w' in mode else os.O_RDONLY
        return f | (os.O_TRUNC if 't' in mode else 0)

    def opened(self, name, flags, perm=0o664):
        fd = os.open(self.at(name), flags, perm)
        os.set_inheritable(fd, True)
        return fd

    def keep(self, fd, number, name):
        self.fds[fd] = [number, os.path.normpath(os.path.join(os.getcwd(), self.at(name)))]

    def op_open(self, name, mode, fd):
        self.keep(fd, self.opened(name, self.oflags(mode)), name)

    def make(self, name, flags, perm, excl):
        if name.endswith('/') or name.endswith('/.'):
            raise Refused('needdir')
        return self.opened(name, flags | os.O_CREAT | (os.O_EXCL if excl else os.O_TRUNC), perm)

    def op_create(self, name, mode, perm, fd):
        excl = 'e' in mode
        flags = self.oflags(mode.replace('e', ''))
        if perm.startswith('d'):
            try:
                os.mkdir(self.at(name), int(perm[1:], 8))
            except FileExistsError:
                if excl:
                    raise
                flags |= os.O_TRUNC
            number = self.opened(name, flags)
        else:
            number = self.make(name, flags, int(perm, 8), excl)
        self.keep(fd, number, name)

    def op_mkdir(self, name):
        try:
            os.mkdir(self.at(name), 0o775)
        except FileExistsError:     # create(2) of Plan 9 opens with OTRUNC what is there
            os.close(self.opened(name, os.O_RDONLY | os.O_TRUNC))

    def op_put(self, name, text):
        fd = self.make(name, os.O_WRONLY, 0o664, False)
        os.write(fd, text.encode())
        os.close(fd)

    def op_cat(self, name):
        fd = self.opened(name, os.O_RDONLY)
        try:
            data = b''
            while True:
                b = os.read(fd, 8192)
                if not b:
                    return ' ' + squote(data.decode())
                data += b
        finally:
            os.close(fd)

    def fd(self, name):
        if name not in self.fds:
            raise Refused('badfd')
        return self.fds[name][0]

    def op_read(self, fd, n):
        return ' ' + squote(os.read(self.fd(fd), int(n)).decode())

    def op_write(self, fd, text):
        return ' %d' % os.write(self.fd(fd), text.encode())

    def op_rewind(self, fd):
        os.lseek(self.fd(fd), 0, os.SEEK_SET)

    def op_close(self, fd):
        os.close(self.fd(fd))
        del self.fds[fd]

    def listing(self, where, long):
        s = ''
        with os.scandir(where) as it:
            for e in it:
                st = e.stat(follow_symlinks=False)
                isdir = e.is_dir(follow_symlinks=False)
                s += ' ' + quote(e.name) + ('/' if isdir else '')
                if long:
                    s += ':%o:%d' % (st.st_mode & 0o777, 0 if isdir else st.st_size)
        return s

    def op_ls(self, name):
        return self.listing(self.at(name), False)

    def op_lsl(self, name):
        return self.listing(self.at(name), True)

    def op_dirread(self, fd):
        return self.listing(os.dup(self.fd(fd)), False)

    def show(self, st, name):
        isdir = st.st_mode & 0o170000 == 0o040000
        return ' %s %s %o %d' % ('d' if isdir else 'f', squote(name), st.st_mode & 0o777, 0 if isdir else st.st_size)

    def op_stat(self, name):
        st = os.stat(self.at(name))
        full = self.back(os.path.normpath(os.path.join(os.getcwd(), self.at(name))))
        return self.show(st, full.rsplit('/', 1)[-1])

    def op_fstat(self, fd):
        return self.show(os.fstat(self.fd(fd)), self.back(self.fds[fd][1]).rsplit('/', 1)[-1])

    def op_same(self, a, b):
        x, y = os.stat(self.at(a)), os.stat(self.at(b))
        return ' yes' if (x.st_dev, x.st_ino) == (y.st_dev, y.st_ino) else ' no'

    def op_rename(self, name, new):
        os.rename(self.at(name), os.path.join(os.path.dirname(self.at(name)), new))

    def op_chmod(self, name, mode):
        os.chmod(self.at(name), int(mode, 8))

    def op_remove(self, name):
        st = os.lstat(self.at(name))
        (os.rmdir if st.st_mode & 0o170000 == 0o040000 else os.unlink)(self.at(name))

    def op_chdir(self, name):
        os.chdir(self.at(name))

    def op_path(self, fd):
        return ' ' + squote(self.back(os.readlink('/proc/self/fd/%d' % self.fd(fd))))

    def op_pwd(self):
        return ' ' + squote(self.back(os.getcwd()))

    def op_ns(self):
        out = []
        for line in self.command('ns').splitlines():
            w = split(line)
            names = [a for a in w[1:] if not a.startswith('-')]
            if w[0] not in ('bind', 'mount') or len(names) < 2 or not (names[1] + '/').startswith(WORLD + '/'):
                continue
            names = [a.replace('unix!' + self.prefix, '') if a.startswith('unix!') else self.back(a) for a in names]
            out.append(' '.join([w[0]] + [a for a in w[1:] if a.startswith('-')] + [quote(a) for a in names]))
        return ' ' + ' ; '.join(out + ['cd ' + quote(self.back(os.getcwd()))])

    def op_fork(self, child, how, back):
        """back: the driver's socket, to which the child reports"""
        args = [sys.executable, os.path.abspath(__file__), '--agent', self.tenon, self.prefix, back, child,
                json.dumps(self.fds)]
        if how != 'share':
            opts = {'copy': [], 'nomount': None, 'clean': None, 'copynomount': ['--no-mount']}.get(how)
            if opts is None:
                raise Unsupported
            args = [self.tenon, 'run', *opts, '--'] + args
        subprocess.Popen(args, close_fds=False, stdin=subprocess.DEVNULL)

    def answer(self, words):
        fn = getattr(self, 'op_' + words[0], None)
        if fn is None:
            return 'unsupported'
        try:
            return 'ok' + (fn(*words[1:]) or '')
        except Unsupported:
            return 'unsupported'
        except Refused as e:
            return 'err %s %s' % (e.kind, e.text)
        except OSError as e:
            return 'err %s %s' % (CLASS.get(e.errno, 'other'), e.strerror)
        except subprocess.TimeoutExpired:
            return 'err hang no answer within 20 s'


def agent(tenon, prefix, back, name, fds):
    s = socket.socket(socket.AF_UNIX)
    s.connect('\0' + back[1:])
    os.set_inheritable(s.fileno(), False)
    if not os.getcwd().startswith(WORLD):
        os.chdir(WORLD)
    f = s.makefile('rw')
    f.write(name + '\n')
    f.flush()
    me = Agent(tenon, prefix, json.loads(fds))
    for line in f:
        f.write(me.answer(json.loads(line)).replace('\n', ' ') + '\n')
        f.flush()


# ---------------------------------------------------------------- the driver


class Driver:
    def __init__(self, tenon):
        self.tenon, self.round = os.path.abspath(tenon), 0
        self.procs, self.servers, self.agents, self.env = [], {}, {}, dict(os.environ)
        self.back = '@tenon-oracle-%d' % os.getpid()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind('\0' + self.back[1:])
        self.listener.listen(16)
        self.listener.settimeout(10)

    def prefix(self):
        return '@tenon-oracle-%d-%d-' % (os.getpid(), self.round)

    def reset(self):
        for a in self.agents.values():
            a.close()
        for p in self.procs:
            p.kill()
            p.wait()
        self.procs, self.servers, self.agents = [], {}, {}
        self.round += 1

    def start(self, args, **kw):
        p = subprocess.Popen(args, stdin=subprocess.DEVNULL, **kw)
        self.procs.append(p)
        return p

    def serve(self, name):
        dial = 'unix!' + self.prefix() + name
        self.start([self.tenon, 'export', '-l', dial, '#ram'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while True:
            try:
                self.servers[name] = p9.Client(dial, uname=p9.me())
                self.servers[name].chmod('/', 0o775)
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)

    def wait_for(self, name):
        conn, _ = self.listener.accept()
        f = conn.makefile('rw')
        got = f.readline().strip()
        if got != name:
            raise RuntimeError('%r came, not %r' % (got, name))
        self.agents[name] = f

    def ask(self, name, words):
        f = self.agents[name]
        f.write(json.dumps(words) + '\n')
        f.flush()
        return f.readline().strip() or 'err gone the process has ended'

    def setting_up(self, w):
        if w[0] == 'reset':
            self.reset()
        elif w[0] == 'srv':
            self.serve(w[1])
        elif w[0] == 'dir':
            self.servers[w[1]].mkdir(w[2])
        elif w[0] == 'file':
            self.servers[w[1]].put(w[2], w[3].replace('\\n', '\n').replace('\\t', '\t').encode())
        elif w[0] == 'perm':
            self.servers[w[1]].chmod(w[2], int(w[3], 8))
        elif w[0] == 'start':
            self.start([self.tenon, 'run', '-o', 'create', '-m', WORLD + '=unix!' + self.prefix() + 'root', '--',
                        sys.executable, os.path.abspath(__file__), '--agent', self.tenon, self.prefix(), self.back,
                        w[1], '{}'])
            self.wait_for(w[1])
        else:
            return False
        return True

    def line(self, w):
        if w[0] not in self.agents:
            return 'ok' if self.setting_up(w) else 'unsupported'
        if w[1] == 'exit':
            self.agents.pop(w[0]).close()
            return 'ok'
        if w[1] == 'fork':
            ans = self.ask(w[0], w[1:] + [self.back])
            if ans == 'ok':
                self.wait_for(w[2])
            return ans
        return self.ask(w[0], w[1:])


def main():
    if sys.argv[1] == '--agent':
        return agent(*sys.argv[2:7])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    global WORLD
    WORLD = os.environ['TENON_ORACLE_WORLD'] = tempfile.mkdtemp(prefix='tenon-oracle-')
    d = Driver(sys.argv[1])
    atexit.register(shutil.rmtree, WORLD, ignore_errors=True)
    atexit.register(d.reset)
    for line in sys.stdin:
        w = split(line.rstrip('\n'))
        try:
            ans = d.line(w) if w else 'ok'
        except (OSError, RuntimeError, p9.Error) as e:
            ans = 'err driver %s' % e
        print(ans, flush=True)


if __name__ == '__main__':
    main()
