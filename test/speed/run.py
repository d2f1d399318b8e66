#!/usr/bin/env python3
"""run.py BUILD: ceilings of what is counted: instructions, system calls, messages, bytes. Nothing here is a time.

Instructions are those of a call from its beginning to its return, by callgrind, of a build with optimization. Where a
ceiling is above its target, the target stands beside it: a ceiling is lowered when the code gets there, and never raised.
"""
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'test', 'tool'))
import p9  # noqa: E402

BUILD = os.path.abspath(sys.argv[1])
TENON = os.path.join(BUILD, 'tenon')

# what of counted.c, the function, the ceiling, the target, what it is
INSTRUCTIONS = [
    ('null', 'counted_null', 510, 80, 'tn_read of #cons/null'),
    ('name', 'counted_name', 5250, 2500, 'a name of four elements in #ram under 50 mounts'),
    ('fork', 'counted_fork', 1000, 1000, 'a fork of a name space of 1,000 mounts'),
    ('read', 'counted_message', 1950, 1500, 'Tread of 4 KiB, from frame to frame, without the copy'),
    ('getattr', 'counted_message', 3130, 3130, 'Tgetattr, from frame to frame'),
    ('walk', 'counted_message', 2420, 2420, 'Twalk of a name, from frame to frame'),
]

# struct, header, the ceiling in bytes where a pointer has 32 bits, the target
SIZES = [
    ('struct tn_chan', 'tenon/server.h', 64, 64),
    ('struct tn_req', 'tenon/server.h', 128, 128),
]

TEXT_CEILING, TEXT_TARGET = 98000, 32768

# System calls of an export of a host directory for one message or chain of them, one outstanding.
CALLS = [
    ('stat', 4, 'Tstat: epoll_wait, read, statx, sendmsg'),
    ('read', 4, 'Tread of a whole block: epoll_wait, read, preadv2, sendmsg'),
    ('write', 4, 'Twrite of a block: epoll_wait, read, pwritev, sendmsg'),
    ('open', 16, 'Twalk, Topen, Tclunk: three messages, openat2, statx, handle, openat, statx, close twice'),
]

passed = failed = skipped = 0


def check(what, value, ceiling, target):
    global passed, failed
    good = value <= ceiling
    passed, failed = passed + good, failed + (not good)
    beside = '' if ceiling <= target else ' (target %d)' % target
    print('%s %s: %g, at most %d%s' % ('ok' if good else 'not ok', what, value, ceiling, beside), flush=True)


def skip(what, why):
    global skipped
    skipped += 1
    print('skip %s: %s' % (what, why), flush=True)


def count_instructions(what, function):
    """Of one call of the function; callgrind collects between its beginning and its return."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, 'out')
        times = int(subprocess.check_output(
            ['valgrind', '--tool=callgrind', '--callgrind-out-file=' + out, '--toggle-collect=' + function,
             os.path.join(BUILD, 'test/speed/counted'), what], stderr=subprocess.DEVNULL, timeout=60))
        with open(out) as f:
            return int(re.search(r'^totals: (\d+)', f.read(), re.M).group(1)) / times


def instructions():
    if not shutil.which('valgrind'):
        return skip('instructions', 'no valgrind')
    for what, function, ceiling, target, words in INSTRUCTIONS:
        check('instructions: ' + words, count_instructions(what, function), ceiling, target)


def sizes():
    """By what the compiler says of arrays whose sizes are what is asked."""
    cc = 'arm-none-eabi-gcc'
    if not shutil.which(cc):
        return skip('sizes', 'no ' + cc)
    source = ''.join('#include "%s"\nchar size_%d[sizeof(%s)];\n' % (header, i, name)
                     for i, (name, header, _, _) in enumerate(SIZES))
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, 'sizes.o')
        subprocess.run([cc, '-mcpu=cortex-m3', '-mthumb', '-std=c11', '-ffreestanding', '-fno-common', '-xc', '-', '-c', '-o',
                        made, '-I' + os.path.join(TOP, 'include'), '-I' + os.path.join(TOP, 'src'),
                        '-isystem', os.path.join(TOP, 'test/freestanding')], input=source.encode(), check=True)
        table = subprocess.check_output(['arm-none-eabi-nm', '-S', made], text=True)
    found = dict((int(i), int(size, 16)) for size, i in re.findall(r'^\w+ (\w+) \w size_(\d+)$', table, re.M))
    for i, (name, _, ceiling, target) in enumerate(SIZES):
        check('bytes: ' + name, found[i], ceiling, target)


class Export:
    """tenon export of a directory under strace, spoken to over a socket; `calls` when it has ended."""

    def __init__(self, folder):
        ours, theirs = socket.socketpair()
        ours.settimeout(20)
        self.trace = os.path.join(folder, 'trace')
        self.process = subprocess.Popen(['strace', '-f', '-qq', '-o', self.trace, TENON, 'export', os.path.join(folder, 'd')],
                                        stdin=theirs, stdout=theirs)
        theirs.close()
        p9.connect = lambda dial: ours
        self.client = p9.Client('', uname=p9.me(), msize=65536)

    def calls(self):
        self.client.sock.close()
        self.process.wait(20)
        with open(self.trace) as f:
            return sum(1 for line in f if re.match(r'\d+ +\w+\(', line))


def do(client, what, times):
    f = client.open('/f', p9.ORDWR)
    for _ in range(times):
        if what == 'stat':
            client.rpc(124, struct.pack('<I', f))
        elif what == 'read':
            client.read(f)
        elif what == 'write':
            client.write(f, bytes(4096))
        else:
            client.clunk(client.open('/f'))


def count_calls(what):
    """What ten times as many cost more, so that the beginning and the end cost nothing."""
    n = {}
    for times in (20, 220):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, 'd'))
            with open(os.path.join(folder, 'd', 'f'), 'wb') as f:
                f.write(bytes(8192))
            export = Export(folder)
            try:
                do(export.client, what, times)
            finally:
                n[times] = export.calls()
    return (n[220] - n[20]) / 200


def system_calls():
    if not shutil.which('strace'):
        return skip('system calls', 'no strace')
    for what, ceiling, words in CALLS:
        check('system calls: ' + words, round(count_calls(what), 1), ceiling, ceiling)


def text():
    """Of what test/freestanding.sh compiles, for a Cortex-M3."""
    out = subprocess.run([os.path.join(TOP, 'test/freestanding.sh')], capture_output=True, text=True, timeout=240).stdout
    rooms = dict((room, int(n)) for room, n in re.findall(r'^# (\w+): text (\d+)', out, re.M))
    if not rooms:
        return skip('text', 'nothing was compiled')
    check('bytes: text of wire, core and link', rooms['wire'] + rooms['core'] + rooms['link'], TEXT_CEILING, TEXT_TARGET)


def main():
    instructions()
    system_calls()
    text()
    sizes()
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
