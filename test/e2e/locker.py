"""locker.py: a program that does what it is told to a file, for locks.py. A line of stdin is a command, a line of stdout its
answer: what was read, `ok`, or the error's name. It says `ready PID` first.

    open NAME FILE | close NAME | read NAME AT COUNT | write NAME AT TEXT
    lock NAME r|w|u START LENGTH      does not wait
    wait NAME r|w START LENGTH        waits
    test NAME r|w START LENGTH        `free`, or what stands in the way: `w START LENGTH`
    spawn NAME                        another program that has inherited the file stays behind, and says nothing
"""
import errno
import fcntl
import os
import struct
import sys

KINDS = {'r': fcntl.F_RDLCK, 'w': fcntl.F_WRLCK, 'u': fcntl.F_UNLCK}
FLOCK = 'hhqqi4x'  # struct flock, 64 bits
files = {}


def locked(fd, how, kind, start, length):
    got = fcntl.fcntl(fd, how, struct.pack(FLOCK, KINDS[kind], os.SEEK_SET, int(start), int(length), 0))
    return struct.unpack(FLOCK, got)


def test(fd, *args):
    kind, _, start, length, _ = locked(fd, fcntl.F_GETLK, *args)
    return 'free' if kind == fcntl.F_UNLCK else '%s %d %d' % ({v: k for k, v in KINDS.items()}[kind], start, length)


def spawn(fd):
    if os.fork() == 0:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        os.read(os.pipe()[0], 1)  # for ever


COMMANDS = {
    'close': lambda fd: os.close(fd),
    'read': lambda fd, at, count: os.pread(fd, int(count), int(at)).decode(),
    'write': lambda fd, at, text: os.pwrite(fd, text.encode(), int(at)) and None,
    'lock': lambda fd, *args: locked(fd, fcntl.F_SETLK, *args) and None,
    'wait': lambda fd, *args: locked(fd, fcntl.F_SETLKW, *args) and None,
    'test': test,
    'spawn': spawn,
}


def done(word, name, *args):
    try:
        if word == 'open':
            files[name] = os.open(args[0], os.O_RDWR)
            return 'ok'
        answer = COMMANDS[word](files[name], *args)
        return 'ok' if answer is None else answer
    except OSError as e:
        return 'EDEADLK' if e.errno == errno.EDEADLK else errno.errorcode[e.errno]


print('ready %d' % os.getpid(), flush=True)
for line in sys.stdin:
    print(done(*line.split()), flush=True)
