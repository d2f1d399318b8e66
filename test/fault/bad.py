"""Bad input from servers, clients and files of commands: each is answered by an error or a hang-up, and nothing else ends.

The engines' own sweeps (every truncation, every lie, every limit of a connection) are test/link: mnthostile.c for servers
that lie, conn.c, hostile.c and limit.c for clients, fid.c for numbers of fids; test/core/nsfile.c for name space files.
Here is what a person meets of it.
"""
import os
import re
import socket
import struct

from bench import PATIENCE, Failed, case
from people import people
from p9 import NOFID, NOTAG, Client, connect, me, string
from p9d import HOWS, Dir, File, Server

# ---- servers ----

MESSAGES = ('walk', 'f'), ('stat', 'f'), ('open', 'f'), ('read', 'f')
LASTING = ('busy', 'mute', 'dead')  # silent.py
# From the $2-th on they are silent, and what was found out of them is believed for a moment: mnt.h.
USES = """for i in $(seq 0 $1); do
    echo $(cat /n/$i/f 2>&1)
    for try in 1 2 3 4 5 6 7 8; do cat /n/$i/f 2>/dev/null && break; test $i -ge $2 || break; sleep 0.1; done; echo
    cat /n/good/f; echo
done
"""
# Of an answer that comes twice the first is good; what else is asked on that connection is lost with it.
FIRST = r'cat: /n/%d/f: Connection reset by peer'
FIRST_OF_TWICE = r'(text)?(cat: /n/%d/f: (Connection reset by peer|Stale file handle))?'


@case('a server that dies in the middle of an answer, or lies, costs one operation; the next use has a new connection')
def _(b):
    rows = ['%s/%s/%s/1' % (how, message, name) for how in HOWS for message, name in MESSAGES if how not in LASTING]
    rows.sort(key=lambda row: row.startswith('half and mute'))
    silent = sum(not row.startswith('half and mute') for row in rows)
    b.write('uses', USES, 0o644)
    os.chmod(b.dir, 0o755)
    for who in people():
        with Server(Dir(f=File(b'text'))) as server:
            mounts = ''.join(" -o soft=1,aname='%s' -m '/n/%d=%s'" % (row, i, server.dial) for i, row in enumerate(rows))
            got = b.shows("%stenon run %s -m '/n/good=%s' sh uses %d %d 2>&1 | grep -v '^connection lost: '" %
                          (who, mounts, server.dial, len(rows) - 1, silent), None, '', 0).splitlines()
            done = server.stats()['done']
        if len(got) != 3 * len(rows) or sorted(done) != sorted(rows):
            raise Failed('%d lines for %d rows, %d of them met: %r' % (len(got), len(rows), len(done), got))
        for i, row in enumerate(rows):
            first, second, good = got[3 * i:3 * i + 3]
            want = (FIRST_OF_TWICE if row.startswith('twice') else FIRST) % i
            if not re.fullmatch(want, first) or second != 'text' or good != 'text':
                raise Failed('%s%s: %r, then %r; beside it %r' % (who, row, first, second, good))


# ---- clients ----

def frame(kind, body=b'', tag=1, size=None):
    return struct.pack('<IBH', len(body) + 7 if size is None else size, kind, tag) + body


VERSION = frame(100, struct.pack('<I', 8192) + string('9P2000'), NOTAG)
ME = me()  # an export by root knows only users of the host
ATTACH = frame(104, struct.pack('<II', 0, NOFID) + string(ME) + string(''))
SESSION = VERSION + ATTACH
HANGS_UP = None
# What is sent, and what the last answer says before the server hangs up or waits for more. intro(5).
SENT = (
    ('nothing but noise', bytes(range(255, 100, -1)), HANGS_UP),
    ('a size of 0', SESSION + frame(124, struct.pack('<I', 0), size=0), HANGS_UP),
    ('a size of 6', SESSION + frame(124, struct.pack('<I', 0), size=6), HANGS_UP),
    ('a size above msize', SESSION + frame(118, size=8193), HANGS_UP),
    ('4 GiB', SESSION + frame(118, size=0xffffffff), HANGS_UP),
    ('a truncated message', SESSION + frame(124, b'\0\0'), 'malformed message'),
    ('something behind a message', SESSION + frame(124, struct.pack('<I', 0) + b'x'), 'malformed message'),
    ('a message of no dialect', SESSION + frame(255), 'malformed message'),
    ('an answer', SESSION + frame(125, struct.pack('<I', 0)), 'malformed message'),
    ('a name longer than its message', SESSION + frame(110, struct.pack('<IIHH', 0, 1, 1, 500) + b'x'), 'malformed message'),
    ('17 names', SESSION + frame(110, struct.pack('<IIH', 0, 1, 17) + string('x') * 17), 'malformed message'),
    ('an attach before the version', ATTACH, '9P version not supported'),
    ('an unknown fid', SESSION + frame(124, struct.pack('<I', 77)), 'fid unknown or out of range'),
    ('a fid that is in use', SESSION + frame(110, struct.pack('<IIH', 0, 0, 1) + string('f')) +
     ATTACH, 'fid already in use'),
    ('a read of what is not open', SESSION + frame(116, struct.pack('<IQI', 0, 0, 10)), 'file is not open'),
    ('half a message, and no more', SESSION + frame(124, struct.pack('<I', 0))[:9], None),
)


def begins(s, data):
    """Sends a session's beginning and waits for its answers, as any client does. -> what is left to be sent"""
    if not data.startswith(SESSION):
        return data
    s.sendall(SESSION)
    for _ in range(2):
        size = struct.unpack('<I', exactly(s, 4))[0]
        exactly(s, size - 4)
    return data[len(SESSION):]


def exactly(s, n):
    got = s.recv(n, socket.MSG_WAITALL)
    if len(got) != n:
        raise Failed('the server hangs up at the beginning of a session')
    return got


def last_words(dial, data):
    """The text of the last Rerror until the server hangs up or, when we have sent our end, has answered all."""
    text = None
    with connect(dial, PATIENCE) as s:
        data, got = begins(s, data), b''
        try:
            s.sendall(data)
            s.shutdown(1)
            while piece := s.recv(65536):
                got += piece
        except ConnectionError:
            pass
    while len(got) >= 7:
        size, kind, _ = struct.unpack_from('<IBH', got)
        text = got[9:size].decode() if kind == 107 else None
        got = got[size:]
    return text


@case('whatever a client sends, it alone hears of it')
def _(b):
    b.write('share/f', 'text')
    e = b.export('share')
    with Client(e.dial) as c:
        for what, data, want in SENT:
            got = last_words(e.dial, data)
            if got != want:
                raise Failed('%s: %r, want %r' % (what, got, want))
            if c.cat('f') != b'text':
                raise Failed('%s: another client lost its connection' % what)


# ---- name space files ----

@case('an error in line 7 of a name space file is named, and nothing is applied or run')
def _(b):
    b.write('dir/f', 'text')
    good = ''.join('bind #ram /n/r%d\n' % i for i in range(6))
    rows = (('bnid #ram /n/x\n', 'ns:7:1: ...'), ('bind #ram\n', 'ns:7:...'), ('  mount #nosuch\n', 'ns:7:...'), ("bind #ram '/n/x\n", 'ns:7:...'))
    os.system('chmod -R a+rwX ' + b.dir)
    for line, want in rows:
        b.write('ns', good + line + 'bind #ram /n/later\n')
        for who in people():
            b.shows(who + 'tenon run -n ns touch ran', '', 'tenon: run: %s\n...' % want, 2)
        b.shows("tenon export --clean -l 'tcp!127.0.0.1!0' -n ns", '', 'tenon: export: %s\n...' % want, 2)
    b.write('ns', good + 'bind /not-there-at-all /n/x\n')
    for who in people():
        b.shows(who + 'tenon run -n ns touch ran', '', 'tenon run: ns:7:1: /not-there-at-all: file does not exist\n', 1)
    if os.path.exists(b.dir + '/ran'):
        raise Failed('it was run')
