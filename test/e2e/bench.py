"""What the cases of test/e2e stand on: a shell with tenon, expectations, exports, and their end."""
import collections
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

Case = collections.namedtuple('Case', 'module name fn')
CASES = []
PATIENCE = 20  # seconds for anything; a command that needs longer hangs


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def case(name):
    def mark(fn):
        CASES.append(Case(fn.__module__, name, fn))
        return fn
    return mark


def run(c, build):
    """-> 'ok' | 'not ok' | 'skip', why"""
    b = Bench(build)
    try:
        c.fn(b)
        b.end()
        return 'ok', ''
    except Skipped as e:
        return 'skip', str(e)
    except Failed as e:
        return 'not ok', str(e)
    except Exception as e:
        return 'not ok', '%s: %s (line %d)' % (type(e).__name__, e, e.__traceback__.tb_next.tb_lineno
                                                if e.__traceback__.tb_next else 0)
    finally:
        b.clean()


def matches(want, got):
    """A text, in which `...` stands for anything; a compiled pattern; None: whatever."""
    if want is None:
        return True
    if isinstance(want, re.Pattern):
        return want.search(got) is not None
    pattern = '.*'.join(re.escape(x) for x in want.split('...'))
    return re.fullmatch(pattern, got, re.S) is not None


class Export:
    """A tenon that listens. Its addresses in `dials`."""

    def __init__(self, bench, arguments, listeners, prefix='', **kw):
        self.bench = bench
        self.stderr = open(os.path.join(bench.dir, '.export-%d' % len(bench.exports)), 'w+')
        self.p = subprocess.Popen(['sh', '-c', 'exec %stenon export %s' % (prefix, arguments)], cwd=bench.dir, env=bench.env,
                                  stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr,
                                  start_new_session=True, **kw)
        end = time.monotonic() + PATIENCE
        while True:
            self.dials = re.findall(r'^listening on (\S+)$', self.text(), re.M)
            if len(self.dials) >= listeners:
                return
            if self.p.poll() is not None or time.monotonic() > end:
                raise Failed('tenon export %s: no listener: %s' % (arguments, self.text().strip()))
            time.sleep(0.005)

    @property
    def dial(self):
        return self.dials[0]

    def text(self):
        with open(self.stderr.name, errors='replace') as f:
            return f.read()

    def kill(self):
        self.p.kill()
        self.p.wait()

    def end(self, how=signal.SIGTERM):
        """Ends gracefully: status 0, and nothing said but where it listened."""
        if self.p.poll() is None:
            self.p.send_signal(how)
        try:
            status = self.p.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed('an export does not end on %s' % how.name)
        if status not in (0, -signal.SIGKILL):
            raise Failed('an export ended with %d: %s' % (status, self.text()[-2000:]))


class Bench:
    def __init__(self, build):
        self.build = build
        self.dir = tempfile.mkdtemp(prefix='tenon-e2e-')
        self.exports = []
        self.procs = []
        self.env = dict(os.environ, PATH=build + ':' + os.environ['PATH'], HOME=self.dir, LC_ALL='C.UTF-8', TZ='UTC')

    def export(self, arguments, listeners=1, listen=True, **kw):
        e = Export(self, ("-l 'tcp!127.0.0.1!0' " if listen else '') + arguments, listeners, **kw)
        self.exports.append(e)
        return e

    def start(self, command, **kw):
        """A command that runs on; it ends with the case. stdout is a pipe."""
        kw.setdefault('stdin', subprocess.DEVNULL)
        p = subprocess.Popen(['sh', '-c', command], cwd=self.dir, env=self.env, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True, **kw)
        self.procs.append(p)
        return p

    def read_until(self, p, text):
        """Reads p's output until it has the text."""
        got = b''
        end = time.monotonic() + PATIENCE
        while text.encode() not in got:
            left = end - time.monotonic()
            if left <= 0 or not select.select([p.stdout], [], [], left)[0]:
                raise Failed('%r has not come; only %r' % (text, got))
            piece = os.read(p.stdout.fileno(), 65536)
            if not piece:
                raise Failed('the end came before %r: %r' % (text, got))
            got += piece
        return got.decode(errors='replace')

    def write(self, name, text, mode=None):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        if mode is not None:
            os.chmod(path, mode)
        return path

    def read(self, name):
        with open(os.path.join(self.dir, name), 'rb') as f:
            return f.read().decode(errors='backslashreplace')

    def run(self, command, stdin='', patience=PATIENCE, **names):
        for k, v in names.items():
            command = re.sub(r'\b%s\b' % k, lambda m: "'%s'" % v, command)
        try:
            return subprocess.run(['sh', '-c', command], cwd=self.dir, env=self.env, timeout=patience,
                                  input=stdin if isinstance(stdin, bytes) else stdin.encode(),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            raise Failed('`%s` hangs' % command)

    def shows(self, command, out='', err='', status=None, stdin='', patience=PATIENCE, **names):
        """Runs the line in the shell; words in capitals are replaced by `names`, quoted. status: 0, or 1 with `err`."""
        r = self.run(command, stdin, patience, **names)
        status = (1 if err else 0) if status is None else status
        stdout, stderr = (x.decode(errors='backslashreplace') for x in (r.stdout, r.stderr))
        if r.returncode != status or not matches(out, stdout) or not matches(err, stderr):
            raise Failed('`%s`: status %d, want %d\n    stdout %r\n    want   %r\n    stderr %r\n    want   %r' %
                         (command, r.returncode, status, stdout, out, stderr, err))
        return stdout

    def table(self, rows, **names):
        """Rows (command, stdout, stderr, status[, stdin]), in order."""
        for row in rows:
            command, out, err, status = row[:4]
            self.shows(command, out, err, status, *row[4:], **names)

    def end(self):
        for e in self.exports:
            e.end()

    def clean(self):
        for e in self.exports:
            if e.p.poll() is None:
                e.kill()
            e.stderr.close()
        for p in self.procs:
            if p.poll() is None:
                try:
                    os.killpg(p.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            p.wait()
            p.stdout.close()
        subprocess.call(['chmod', '-R', 'u+rwx', self.dir], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)
