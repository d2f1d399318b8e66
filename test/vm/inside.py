"""inside.py BUILD PORT TOKEN [FILE[:NAME-GLOB] ...]: the cases, in the machine. Each runs in a process of its own: one that
hangs in the kernel is killed, and the next goes on."""
import faulthandler
import fnmatch
import importlib
import os
import signal
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import guest

FILES = ['matrix', 'locks', 'machine', 'clients', 'programs', 'posix', 'fsx']


def chosen(args):
    for arg in args or FILES:
        name, _, glob = arg.partition(':')
        importlib.import_module('on_' + name)
        for c in guest.CASES:
            if c.file == name and fnmatch.fnmatch(c.name, glob or '*'):
                yield c


def perform(c, pipe):
    """In a process of its own: says how it went by the pipe."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    case = guest.Guest()
    try:
        c.fn(case, *c.args)
        case.end()
        said = 'ok'
    except guest.Skipped as e:
        said = 'skip %s' % e
    except (guest.Failed, AssertionError) as e:
        said = 'not ok %s' % (e or traceback.extract_tb(e.__traceback__)[-1].line)
    except Exception as e:
        frame = traceback.extract_tb(e.__traceback__)[-1]
        said = 'not ok %s: %s (%s:%d)' % (type(e).__name__, e, os.path.basename(frame.filename), frame.lineno)
    case.drop()  # while there is a server: v9fs may wait for one that has gone for ever
    os.write(pipe, said.encode(errors='backslashreplace')[:4000])


def give_up(pid):
    """On a case that is late: where its processes are, and their end."""
    for at in os.listdir('/proc'):
        try:
            if at.isdigit() and os.getsid(int(at)) == pid:
                with open('/proc/%s/stack' % at) as f:
                    print('# %s: %s' % (at, '; '.join(line.split()[1] for line in f)), flush=True)
        except OSError:
            pass  # it has gone
    os.killpg(pid, signal.SIGKILL)


def run(c):
    """-> 'ok' | 'not ok' | 'skip', why"""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(r)
        try:
            perform(c, w)
        finally:
            os._exit(0)
    os.close(w)
    signal.signal(signal.SIGALRM, lambda *_: give_up(pid))
    signal.alarm(c.seconds)
    said = b''
    while data := os.read(r, 4096):
        said += data
        if said.startswith((b'ok', b'not ok', b'skip')):
            break
    os.close(r)
    late = not said
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for _ in range(200):
        if os.waitpid(pid, os.WNOHANG)[0]:
            break
        time.sleep(0.1)
    else:
        print('# %d does not die' % pid, flush=True)
    signal.alarm(0)
    guest.unmount_all()
    text = said.decode(errors='backslashreplace').replace('\n', ' ')
    if late:
        return 'not ok', 'not done within %d s' % c.seconds
    for word in ('not ok', 'ok', 'skip'):
        if text.startswith(word):
            return word, text[len(word) + 1:]


def main():
    guest.build, guest.port, guest.token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.environ['PATH'] = guest.build + ':' + os.environ['PATH']
    print('# Linux %s' % os.uname().release, flush=True)
    for c in chosen(sys.argv[4:]):
        faulthandler.dump_traceback_later(c.seconds + 120, exit=True)
        start = time.monotonic()
        result, why = run(c)
        print('%s %s: %s%s' % (result, c.file, c.name, ': ' + why if why else ''), flush=True)
        if time.monotonic() - start > 30:
            print('# %.0f s' % (time.monotonic() - start), flush=True)
    oops = subprocess.run("dmesg | grep -E 'BUG|Oops|WARNING|Call Trace' | head -3", shell=True, stdout=subprocess.PIPE, text=True)
    if oops.stdout:
        print('# the kernel: ' + oops.stdout.strip().replace('\n', '; '), flush=True)
    print('# that is all', flush=True)


if __name__ == '__main__':
    main()
