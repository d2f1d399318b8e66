"""churner.py SOCKET: a program inside of a name space, for launch_churn.py: does what comes as lines of JSON.

{"do": LINE} asks the server of the name space to change it; {"read": NAMES} reads them; {"mounts": 0} is mountinfo.
"""
import errno
import json
import os
import socket
import sys


def ask(line):
    """[is there no error, text], over the control socket."""
    s = socket.socket(socket.AF_UNIX)
    s.connect('\0tenon/%d/%d' % (os.getuid(), os.stat('/proc/self/ns/mnt').st_ino))
    s.sendall((line + '\n').encode())
    text = b''.join(iter(lambda: s.recv(65536), b'')).decode()
    head, _, rest = text.partition('\n')
    return [head == 'ok', rest]


def read(name):
    try:
        with open(name if os.path.basename(name).startswith('f') else name + '/who') as f:
            return f.read()
    except OSError as e:
        return None if e.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR) else '!' + errno.errorcode[e.errno]


def mounts(_):
    with open('/proc/self/mountinfo') as f:
        return f.read()


peer = socket.socket(socket.AF_UNIX)
peer.connect('\0' + sys.argv[1])
VERBS = {'do': ask, 'read': lambda names: [read(n) for n in names], 'mounts': mounts}
for asked in peer.makefile():
    (verb, argument), = json.loads(asked).items()
    peer.sendall((json.dumps(VERBS[verb](argument)) + '\n').encode())
