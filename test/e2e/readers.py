"""readers.py SOCKET GROUP PROCESSES THREADS: programs that read a name over and over, for launch_load.py.

Each of PROCESSES processes, and each of the THREADS threads of one more, connects to the abstract socket and says
`reader GROUP`. Told `watch NAME` it reads the file NAME every PAUSE seconds, and says `BEGIN END VALUE` whenever what it reads
is another than the time before: the file's text or, with a `!`, the error; BEGIN and END are that read's, by the monotonic
clock. `count` asks for the number of reads. The parent is the hand: it runs `sh COMMAND` and writes `ctl LINE`, and says when
it was done and with which status. All end when their connection does.
"""
import errno
import os
import select
import socket
import subprocess
import sys
import threading
import time

PAUSE = 0.02  # between two reads: 54 readers leave most of two processors to the change


def connect(hello):
    s = socket.socket(socket.AF_UNIX)
    s.connect('\0' + sys.argv[1])
    s.sendall((hello + '\n').encode())
    return s


def look(name):
    try:
        with open(name) as f:
            return f.read().strip()
    except OSError as e:
        return '!' + errno.errorcode[e.errno]


def reader():
    s = connect('reader ' + sys.argv[2])
    name, last, n = None, None, 0
    while True:
        if select.select([s], [], [], PAUSE)[0]:
            word, _, rest = s.recv(4096).decode().strip().partition(' ')
            if not word:
                return
            if word == 'count':
                s.sendall(b'count %d\n' % n)
            else:
                name, last = rest, None
        if not name:
            continue
        begin = time.monotonic()
        value = look(name)
        n += 1
        if value != last:
            s.sendall(('%.6f %.6f %s\n' % (begin, time.monotonic(), value)).encode())
            last = value


def carry_out(word, rest):
    if word == 'sh':
        return subprocess.call(['sh', '-c', rest], stdin=subprocess.DEVNULL)
    try:
        fd = os.open('/n/ns/ctl', os.O_WRONLY)
        os.write(fd, rest.encode())
        done = time.monotonic()
        os.close(fd)
        return 0, done
    except OSError as e:
        return e.errno


def hand():
    s = connect('hand %s %d' % (sys.argv[2], os.getpid()))
    for line in s.makefile():
        word, _, rest = line.strip().partition(' ')
        result = carry_out(word, rest)
        status, done = result if isinstance(result, tuple) else (result, time.monotonic())
        s.sendall(('%.6f %d\n' % (done, status)).encode())


def main():
    for i in range(int(sys.argv[3]) + 1):
        if os.fork() == 0:
            if i:
                reader()
                os._exit(0)
            threads = [threading.Thread(target=reader) for _ in range(int(sys.argv[4]))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            os._exit(0)
    hand()


main()
