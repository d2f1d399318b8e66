"""Programs inside of `tenon run` that touch files whose server fails, each a process of its own.

    within.py ops JSON      each row [NAME, OPERATION, DIRECTORY]: the operation once, in a directory that file
                            `silent.py` has made; prints a line when it begins and when it has ended
    within.py users JSON    each row [NAME, WORK, PATH]: the work again and again until there is a file `stop`; then a
                            line of JSON for each: what it has seen

Times are those of the monotonic clock, which all processes share. Nothing here touches the files itself.
"""
import errno
import json
import mmap
import os
import select
import signal
import struct
import sys
import time


def say(*words):
    os.write(1, (' '.join(map(str, words)) + '\n').encode())


# ---- once ----

def opened(flags, then, name='plain'):
    def op(d):
        fd = os.open(d + '/' + name, flags)
        then(fd)
    return op


def file_op(then):
    return {'plain': lambda d: then(d + '/plain'), 'device': lambda d: then(d + '/device')}


def fd_op(flags, then):
    return {kind: opened(flags, then, kind) for kind in ('plain', 'device')}


def name_op(then):
    return {'': then}


OPS = {
    'lookup': file_op(os.stat),
    'stat': file_op(os.stat),
    'fstat': fd_op(os.O_RDONLY, os.fstat),
    'open': file_op(lambda f: os.open(f, os.O_RDONLY)),
    'read': fd_op(os.O_RDONLY, lambda fd: os.read(fd, 10)),
    'write': fd_op(os.O_WRONLY, lambda fd: os.write(fd, b'x')),
    'fsync': fd_op(os.O_WRONLY, os.fsync),
    'chmod': file_op(lambda f: os.chmod(f, 0o600)),
    'truncate': file_op(lambda f: os.truncate(f, 1)),
    'unlink': file_op(os.unlink),
    'rename': file_op(lambda f: os.rename(f, f + '2')),
    'opendir': name_op(lambda d: os.open(d + '/dir', os.O_RDONLY | os.O_DIRECTORY)),
    'readdir': name_op(lambda d: os.listdir(d + '/dir')),
    'create': name_op(lambda d: os.open(d + '/new', os.O_WRONLY | os.O_CREAT)),
    'mkdir': name_op(lambda d: os.mkdir(d + '/new')),
    'rmdir': name_op(lambda d: os.rmdir(d + '/dir')),
}


def once(name, op, directory):
    """In a child: the line that says how it ended, unless a signal ends it."""
    start = time.monotonic()
    word, _, kind = op.partition(' ')
    try:
        OPS[word][kind](directory)
        result = 'OK'
    except OSError as e:
        result = errno.errorcode.get(e.errno, str(e.errno))
    say('did', name, result, '%.3f' % (time.monotonic() - start))


def ops(rows):
    running = {}
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name, op, directory in rows:
        pid = os.fork()
        if pid == 0:
            try:
                once(name, op, directory)
            finally:
                os._exit(0)
        running[pid] = name
        say('began', name, pid)
    say('all')
    while running:
        pid, status = os.wait()
        say('ended', running.pop(pid), os.waitstatus_to_exitcode(status), '%.3f' % time.monotonic())
    say('done')


# ---- again and again ----

def read(path):
    with open(path, 'rb', buffering=0) as f:
        return f.read()


def append(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(fd, LINE)
    finally:
        os.close(fd)


LINE = b'0123456789abcde\n'
WORKS = {'read': read, 'stat': os.stat, 'list': os.listdir, 'write': append, 'wait': read}
SLOT = struct.Struct('=dQQdddI')
FIELDS = ('since', 'good', 'failed', 'longest', 'last_failed', 'last_good', 'errno')  # since when it waits, or 0


def use(work, path, slot):
    """For ever. last_failed: when the last failure began; last_good: when the last success ended."""
    good = failed = longest = last_failed = last_good = number = 0
    while True:
        start = time.monotonic()
        slot(start, good, failed, longest, last_failed, last_good, number)
        try:
            WORKS[work](path)
            good, last_good = good + 1, time.monotonic()
        except OSError as e:
            failed, last_failed, number = failed + 1, start, e.errno
        longest = max(longest, time.monotonic() - start)
        slot(0, good, failed, longest, last_failed, last_good, number)
        time.sleep(0.002)


def users(rows):
    """
    Prints `going` when each has done its work, `failing` when each at the failing server has failed, `well` when each has
    done its work since. Rows whose NAME begins with `other` do not fail; who has the work `wait` waits for ever.
    """
    shared = mmap.mmap(-1, SLOT.size * len(rows))
    pids = []
    for i, (_, work, path) in enumerate(rows):
        pid = os.fork()
        if pid == 0:
            try:
                use(work, path, lambda *values: SLOT.pack_into(shared, i * SLOT.size, *values))
            finally:
                os._exit(1)
        pids.append(pid)

    def look():
        return [dict(zip(FIELDS, SLOT.unpack_from(shared, i * SLOT.size)), name=name, work=work)
                for i, (name, work, _) in enumerate(rows)]

    phases = [('going', lambda r: r['good'] or r['work'] == 'wait'),
              ('failing', lambda r: r['failed'] or r['name'].startswith('other')),
              ('well', lambda r: r['last_good'] > r['last_failed'] or r['work'] == 'wait')]
    worst = 0
    while not os.path.exists('stop'):
        seen, now = look(), time.monotonic()
        worst = max([worst] + [now - r['since'] for r in seen if r['since'] and r['work'] != 'wait'])
        if phases and all(map(phases[0][1], seen)):
            say(phases.pop(0)[0])
        time.sleep(0.005)
    say('worst', '%.3f' % worst)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    for r in look():
        say(json.dumps(dict(r, errno=errno.errorcode.get(r['errno'], r['errno']))))
    say('done')


if __name__ == '__main__':
    with open(sys.argv[2]) as f:
        {'ops': ops, 'users': users}[sys.argv[1]](json.load(f))
