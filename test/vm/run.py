#!/usr/bin/env python3
"""run.py BUILD [FILE[:NAME-GLOB] ...]: Linux's own 9P client (v9fs) on Tenon's exports, in a virtual machine.

The machine is ../../shared/tools/linux-vm: Debian's kernel, this host's files read-only below a file system in memory,
this host's loopback at $HOST. One boot runs all cases; they are in the files on_*.py beside this one and run in the
machine (inside.py), as root. What a case wants of this side, exports and clients of Tenon's, it asks for (Desk). Prints
`ok`, `not ok` or `skip` a case; closes with a tally. Without what a machine needs the one line is a `skip`.
"""
import json
import os
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MACHINE = os.path.join(HERE, '../../../shared/tools/linux-vm')
NEEDS = ['qemu-system-x86_64', 'busybox', 'cpio', 'depmod']
BOOT, LIMIT = 300, 7000  # seconds: until the first word, and in all
PATIENCE = 30
SAID = re.compile(r'^(ok|not ok|skip) ')


def missing():
    """-> what there is not of what a machine needs; '': nothing"""
    if not os.path.exists(MACHINE):
        return 'no ../shared/tools/linux-vm'
    path = os.environ['PATH'] + ':/usr/sbin:/sbin'
    gone = [x for x in NEEDS if not shutil.which(x, path=path)]
    return 'not here: ' + ', '.join(gone) if gone else '' if os.getuid() == 0 else 'only root can read all files for it'


class Relay:
    """A TCP connection that can be cut: what comes at its port goes to another."""

    def __init__(self, port):
        self.to, self.pairs = port, []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(('127.0.0.1', self.to))
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    @staticmethod
    def carry(a, b):
        try:
            while data := a.recv(1 << 16):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        """Both ends hear of it at once: a reset, not an end."""
        for s in [self.listener] + [x for pair in self.pairs for x in pair]:
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


class Desk:
    """What one connection of the machine, mostly a case, has on this side; all of it ends with the connection."""

    def __init__(self, build):
        self.env = dict(os.environ, PATH=build + ':' + os.environ['PATH'], LC_ALL='C.UTF-8')
        self.dir = tempfile.mkdtemp(prefix='tenon-vm-')
        os.chmod(self.dir, 0o777)
        self.procs, self.relays = [], []

    def popen(self, command, **kw):
        p = subprocess.Popen(['bash', '-c', command], cwd=self.dir, env=self.env, start_new_session=True, **kw)
        self.procs.append(p)
        return p

    def where(self):
        return self.dir

    def export(self, arguments):
        """-> the port at which it listens, when it does"""
        words = open(os.path.join(self.dir, '.export-%d' % len(self.procs)), 'w+')
        p = self.popen("exec tenon export -l 'tcp!127.0.0.1!0' " + arguments, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        end = time.monotonic() + PATIENCE
        while True:
            words.seek(0)
            text = words.read()
            m = re.search(r'^listening on tcp!127.0.0.1!(\d+)$', text, re.M)
            if m:
                return int(m.group(1))
            if p.poll() is not None or time.monotonic() > end:
                raise OSError('tenon export %s: %s' % (arguments, text.strip()))
            time.sleep(0.01)

    def sh(self, command, seconds=120):
        """-> [status, what it printed]"""
        p = self.popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = p.communicate(timeout=seconds)[0]
        self.procs.remove(p)
        return [p.returncode, out.decode(errors='backslashreplace')]

    def start(self, command):
        """A program that answers each line with a line. -> its number"""
        self.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        return len(self.procs) - 1

    def tell(self, number, line):
        self.procs[number].stdin.write(line + '\n')

    def hear(self, number, seconds):
        """-> its next line; None: not so soon"""
        out = self.procs[number].stdout
        if not select.select([out], [], [], seconds)[0]:
            return None
        line = out.readline()
        if not line:
            raise OSError('it has ended with %r' % self.procs[number].poll())
        return line.rstrip('\n')

    def kill(self, number):
        os.killpg(self.procs[number].pid, signal.SIGKILL)
        self.procs[number].wait()

    def relay(self, port):
        self.relays.append(Relay(port))
        return self.relays[-1].port

    def cut(self, port):
        next(r for r in self.relays if r.port == port).cut()

    def end(self):
        """-> how exports ended that did not end well"""
        bad = []
        for r in self.relays:
            r.cut()
        for p in reversed(self.procs):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
            try:
                status = p.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                status = p.wait()
            if 'tenon export' in p.args[2] and p.args[2].startswith('exec') and status:
                bad.append('%s: status %d' % (p.args[2], status))
        self.procs, self.relays = [], []
        shutil.rmtree(self.dir, ignore_errors=True)
        return bad


def serve(s, build, token):
    desk = Desk(build)
    try:
        lines = s.makefile('rw')
        if lines.readline().strip() != token:
            return
        for line in lines:
            name, *args = json.loads(line)
            try:
                answer = {'answer': getattr(desk, name)(*args)}
            except Exception as e:
                answer = {'error': '%s: %s' % (type(e).__name__, e)}
            lines.write(json.dumps(answer) + '\n')
            lines.flush()
    except (OSError, ValueError):
        pass  # the machine has gone, or was cut off
    finally:
        desk.end()
        s.close()


def listen(build, token):
    """-> the port at which desks are served"""
    listener = socket.create_server(('127.0.0.1', 0))

    def accept():
        while True:
            s = listener.accept()[0]
            threading.Thread(target=serve, args=(s, build, token)).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def boot(build, cases):
    """-> the machine's process; it prints what inside.py says"""
    token = secrets.token_hex(16)
    port = listen(build, token)
    words = [os.path.join(HERE, 'inside.py'), build, str(port), token] + [x.replace(' ', '?') for x in cases]  # split at blanks
    return subprocess.Popen([MACHINE, '--time', str(LIMIT), os.path.join(HERE, 'start.sh')] + words, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def stop(machine):
    """All of its session: timeout(1) in it makes a group of its own."""
    for pid in [int(x) for x in os.listdir('/proc') if x.isdigit()]:
        try:
            if os.getsid(pid) == machine.pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def follow(machine):
    """Prints what it says -> the tally, whether it came to its end"""
    tally, ended = {'ok': 0, 'not ok': 0, 'skip': 0}, False
    watchdog = threading.Timer(BOOT, stop, [machine])
    watchdog.daemon = True  # an end before the first word need not wait for it
    watchdog.start()
    for raw in machine.stdout:
        watchdog.cancel()
        line = raw.decode(errors='backslashreplace').rstrip()
        m = SAID.match(line)
        if m:
            tally[m.group(1)] += 1
        ended = ended or line == '# that is all'
        print(line, flush=True)
    watchdog.cancel()
    return tally, ended


def main():
    why = missing()
    if why:
        print('skip vm: ' + why)
        print('0 passed, 0 failed, 1 skipped')
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    machine = boot(os.path.abspath(sys.argv[1]), sys.argv[2:])
    try:
        tally, ended = follow(machine)
        status = machine.wait()
    finally:
        if machine.poll() is None:
            stop(machine)
    if not ended or status:
        tally['not ok'] += 1
        print('not ok vm: the machine ended with status %d%s' % (status, '' if ended else ' before the last case'))
    print('%(ok)d passed, %(not ok)d failed, %(skip)d skipped' % tally)
    return 1 if tally['not ok'] or not tally['ok'] + tally['skip'] else 0


if __name__ == '__main__':
    sys.exit(main())
