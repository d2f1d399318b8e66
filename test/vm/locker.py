"""locker.py: takes locks as it is told, a line a command, and says what came of it: `ok` or an error's name.

    open PATH | close | lock START LENGTH ex|sh try|wait | unlock START LENGTH | test START LENGTH
"""
import errno
import fcntl
import os
import struct
import sys

FLOCK = 'hhqqi4x'  # l_type l_whence l_start l_len l_pid
TYPES = {'ex': fcntl.F_WRLCK, 'sh': fcntl.F_RDLCK}
files = []


def ask(cmd, kind, start, length):
    got = fcntl.fcntl(files[-1], cmd, struct.pack(FLOCK, kind, os.SEEK_SET, int(start), int(length), 0))
    return struct.unpack(FLOCK, got)


def do(word, *args):
    if word == 'open':
        files.append(os.open(args[0], os.O_RDWR | os.O_CREAT, 0o666))
    elif word == 'close':
        os.close(files.pop())
    elif word == 'lock':
        ask(fcntl.F_SETLKW if args[3] == 'wait' else fcntl.F_SETLK, TYPES[args[2]], args[0], args[1])
    elif word == 'unlock':
        ask(fcntl.F_SETLK, fcntl.F_UNLCK, args[0], args[1])
    elif word == 'test':
        kind, _, start, length, _ = ask(fcntl.F_GETLK, fcntl.F_WRLCK, args[0], args[1])
        return 'free' if kind == fcntl.F_UNLCK else '%s %d %d' % ('ex' if kind == fcntl.F_WRLCK else 'sh', start, length)
    return 'ok'


for line in sys.stdin:
    try:
        said = do(*line.split())
    except OSError as e:
        said = 'EDEADLK' if e.errno == errno.EDEADLK else errno.errorcode.get(e.errno, str(e))  # it has two names
    print(said, flush=True)
