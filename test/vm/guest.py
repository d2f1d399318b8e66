"""What the cases in the machine stand on: mounts of v9fs, exports on the other side or in here, and their end."""
import collections
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

Case = collections.namedtuple('Case', 'file name fn args seconds')
CASES = []
HOST = '10.0.2.2'
PATIENCE = 60
DAEMON = 1  # an ordinary user of every host

build, port, token = '', 0, ''  # inside.py


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def case(name, *args, seconds=120):
    def mark(fn):
        CASES.append(Case(fn.__module__[3:], name, fn, args, seconds))
        return fn
    return mark


def unmount_all():
    """Whatever a case has left: lazily, if it is in use."""
    with open('/proc/mounts') as f:
        points = [line.split()[1] for line in f if line.split()[1].startswith('/run/case-')]
    for point in reversed(points):
        subprocess.run(['umount', '-l', point], stderr=subprocess.DEVNULL)


class Desk:
    """The other side: see Desk in run.py."""

    def __init__(self):
        self.s = socket.create_connection((HOST, port), 30)
        self.s.settimeout(None)
        self.lines = self.s.makefile('rw')
        self.lines.write(token + '\n')

    def __getattr__(self, name):
        def ask(*args):
            self.lines.write(json.dumps([name] + list(args)) + '\n')
            self.lines.flush()
            line = self.lines.readline()
            if not line:
                raise Failed('the other side has hung up')
            got = json.loads(line)
            if 'error' in got:
                raise Failed('%s: %s' % (name, got['error']))
            return got['answer']
        return ask


class Guest:
    """A case's own directory, mounts and programs."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='case-', dir='/run')
        os.chmod(self.dir, 0o755)
        self.desk_, self.things = None, []  # mounts and programs: the last goes first

    @property
    def desk(self):
        self.desk_ = self.desk_ or Desk()
        return self.desk_

    def mount(self, options, what, **kw):
        """mount -t 9p. -> where"""
        at = tempfile.mkdtemp(prefix='m', dir=self.dir)
        p = subprocess.run(['mount', '-t', '9p', '-o', options, what, at], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
        if p.returncode:
            raise Failed('mount -o %s: %s' % (options, p.stdout.decode().strip()))
        self.things.append(at)
        return at

    def v9fs(self, number, options):
        """The export at a port of the other side."""
        return self.mount('trans=tcp,port=%d,msize=131072,uname=root,%s' % (number, options), HOST)

    def unmount(self, at):
        self.things.remove(at)
        subprocess.run(['umount', at], check=True, timeout=PATIENCE)

    def start(self, command, **kw):
        p = subprocess.Popen(command, cwd=self.dir, **kw)
        self.things.append(p)
        return p

    def export_unix(self, arguments):
        """An export in here. -> its socket"""
        at = os.path.join(self.dir, 'socket%d' % len(self.things))
        self.start('exec tenon export -l unix!%s %s' % (at, arguments), shell=True, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while not os.path.exists(at):
            if time.monotonic() > end:
                raise Failed('no export of ' + arguments)
            time.sleep(0.02)
        return at

    def sh(self, command, seconds=PATIENCE, **kw):
        """-> what it printed; fails when it does"""
        p = subprocess.run(command, shell=True, executable='/bin/bash', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=seconds, **kw)
        out = p.stdout.decode(errors='backslashreplace')
        if p.returncode:
            raise Failed('%s: status %d: %s' % (command, p.returncode, out[-800:]))
        return out

    def drop(self):
        """What is left of it, whatever that says."""
        for thing in reversed(self.things):
            if isinstance(thing, str):
                subprocess.run(['umount', '-l', thing], stderr=subprocess.DEVNULL, timeout=PATIENCE)
            else:
                thing.kill()
                thing.wait(PATIENCE)

    def end(self):
        for thing in reversed(list(self.things)):
            if isinstance(thing, str):
                self.unmount(thing)
            else:
                thing.terminate()
                thing.wait(PATIENCE)
        self.things = []
        bad = self.desk_.end() if self.desk_ else []
        if bad:
            raise Failed('; '.join(bad))


def as_user(uid, fn, *args):
    """Does it as somebody else, and gives what comes of it."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if uid:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            said = json.dumps({'answer': fn(*args)})
        except BaseException as e:
            said = json.dumps({'error': '%s: %s' % (type(e).__name__, e)})
        os.write(w, said.encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r, 'rb') as f:
        said = f.read()
    os.waitpid(pid, 0)
    if not said:
        raise Failed('killed')
    got = json.loads(said)
    if 'error' in got:
        raise Failed(got['error'])
    return got['answer']
