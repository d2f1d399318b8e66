"""A server that takes a request and does not answer it. product.md 5: whatever a server does, an operation ends within
the mount's bound, or at once when its program is interrupted, and names that do not touch that server go on.

Each row is a mount with a connection of its own, whose server answers everything up to the row's message.
"""
import json
import os
import re
import signal
import time

from bench import PATIENCE, Failed, case
from people import people, wait_for
from p9d import Dir, File, Server

SOFT = 2
SLOW = 3 if 'ASAN_OPTIONS' in os.environ else 1  # a sanitized build is that much slower


class Row:
    def __init__(self, op, message, name, n, may_wait):
        self.op, self.message, self.name, self.n = op, message, name, n
        self.may_wait = may_wait  # mnt.h: it may take as long as the server lives


def rows():
    """What the program does, the message for the file that stays without an answer, which of its kind, may it wait."""
    for kind in 'plain', 'device':
        yield from (Row(op + ' ' + kind, message, kind, n, may_wait) for op, message, n, may_wait in (
            ('lookup', 'walk', 1, False), ('stat', 'stat', 1, False), ('fstat', 'stat', 2, False),
            ('open', 'open', 1, True), ('read', 'read', 1, True), ('write', 'write', 1, True), ('fsync', 'wstat', 1, False),
            ('chmod', 'wstat', 1, False), ('truncate', 'wstat', 1, False), ('unlink', 'remove', 1, False),
            ('rename', 'wstat', 1, False)))
    yield from (Row(*row) for row in (
        ('opendir', 'open', 'dir', 1, True), ('readdir', 'read', 'dir', 1, True), ('create', 'create', 'new', 1, False),
        ('mkdir', 'create', 'new', 1, False), ('rmdir', 'remove', 'dir', 1, False)))


def tree():
    return Dir(plain=File(b'0123456789'), device=File(b'0123456789', type='D'), dir=Dir())


def copy_within(b):
    """Where anybody can read it."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'within.py')) as f:
        b.write('within.py', f.read(), 0o644)
    os.chmod(b.dir, 0o755)


class Stuck:
    """Programs inside of one `tenon run`, each in an operation that stays without an answer."""

    def __init__(self, b, who, server, hows, soft):
        self.b, self.server, self.names, mounts, ops = b, server, {}, '', []
        for how in hows:
            for row in rows():
                if how == 'busy' and soft == SOFT and row.may_wait:
                    continue
                name = '%s-%s' % (how, row.op.replace(' ', '-'))
                self.names[name] = '%s/%s/%s/%d/%s' % (how, row.message, row.name, row.n, name)
                mounts += " -o soft=%d,create,aname='%s' -m '/n/%s=%s'" % (soft, self.aname(name), name, server.dial)
                ops.append([name, row.op, '/n/' + name])
        copy_within(b)
        b.write('rows', json.dumps(ops), 0o644)
        self.p = b.start("exec %stenon run%s -m '/n/good=%s' sh -c 'python3 within.py ops rows'" % (who, mounts, server.dial))
        self.text = b.read_until(self.p, '\nall\n')
        self.pids = {name: int(pid) for name, pid in re.findall(r'^began (\S+) (\d+)$', self.text, re.M)}

    def aname(self, name):
        return self.names[name]

    def wait_until_stuck(self):
        end = time.monotonic() + PATIENCE
        want = sorted(self.names.values())
        while sorted(set(self.server.stats()['done'])) != want:
            if time.monotonic() > end:
                raise Failed('never asked: %s' % sorted(set(want) - set(self.server.stats()['done'])))
            time.sleep(0.01)

    def ends(self):
        """Reads on until all have ended: {name: when}, {name: (errno, after how long)}"""
        self.text += self.b.read_until(self.p, '\ndone\n')
        return ({n: float(at) for n, at in re.findall(r'^ended (\S+) -?\d+ (\S+)$', self.text, re.M)},
                {n: (e, float(t)) for n, e, t in re.findall(r'^did (\S+) (\S+) (\S+)$', self.text, re.M)})


@case('without an answer every operation ends at the bound with an error')
def _(b):
    for who in people():
        with Server(tree()) as server:
            stuck = Stuck(b, who, server, ('mute', 'busy'), SOFT)
            _, did = stuck.ends()
            stuck.wait_until_stuck()  # each got as far as its row says
            wrong = {n: did.get(n) for n in stuck.names
                     if n not in did or did[n][0] != 'ECONNRESET' or not SOFT * 0.9 <= did[n][1] <= SOFT + 1}
            if wrong:
                raise Failed('%s: %r' % (who, wrong))


@case('SIGINT ends every operation within a second, whether the server lives or not')
def _(b):
    for who in people():
        with Server(tree()) as server:
            stuck = Stuck(b, who, server, ('mute', 'busy'), 15)
            stuck.wait_until_stuck()
            start = time.monotonic()
            for pid in stuck.pids.values():
                os.kill(pid, signal.SIGINT)
            ended, did = stuck.ends()
            late = {n: at - start for n, at in ended.items() if at - start > 1 * SLOW}
            if late or did:
                raise Failed('%s: late %r; ended before %r' % (who, late, did))


@case('of many who want the same names of a silent server none waits longer than the bound')
def _(b):
    # The kernel lets them ask one after the other, and asks again for a name that it knew.
    ops = ['stat plain', 'read plain', 'create', 'mkdir', 'readdir', 'unlink plain', 'rename plain'] * 7
    for who in people():
        with Server(tree()) as server:
            aname = 'dead/stat/device/1'  # who asks for that makes it fall silent
            b.write('rows', json.dumps([['%d' % i, op, '/n/one'] for i, op in enumerate(ops)]), 0o644)
            copy_within(b)
            p = b.start("exec %stenon run -o soft=%d,create,aname='%s' -m '/n/one=%s' sh -c 'cat /n/one/plain /n/one/plain; ls "
                        "/n/one; test -e /n/one/device & until test -e silent; do sleep 0.01; done; python3 within.py ops rows'" %
                        (who, SOFT, aname, server.dial))
            wait_for('the silence', lambda: server.stats()['done'])
            b.write('silent', '')
            did = {n: (e, float(t)) for n, e, t in re.findall(r'^did (\S+) (\S+) (\S+)$', b.read_until(p, '\ndone\n'), re.M)}
            wrong = {ops[int(n)]: x for n, x in did.items() if x[0] == 'OK' or x[1] > SOFT + 1}
            os.remove(b.dir + '/silent')
            if wrong or len(did) != len(ops) or server.stats()['done'] != [aname]:
                raise Failed('%s: %d of %d; %r' % (who, len(did), len(ops), wrong))
            assert p.wait(PATIENCE) == 0


@case('a silent server is unmounted at once, and a program that used it ends at once')
def _(b):
    os.chmod(b.dir, 0o755)
    for who in people():
        with Server(tree()) as server:
            aname = 'mute/open/dir/1'
            p = b.start("exec %stenon run -o soft=15,aname='%s' -m '/n/one=%s' -m '/n/good=%s' sh -c 'exec 9</n/one/plain; "
                        "ls /n/one/dir & until test -e stuck; do sleep 0.01; done; tenon unmount /n/one; ls /n/one; cat /n/good/plain; "
                        "echo; kill $!; wait'" % (who, aname, server.dial, server.dial))
            wait_for('the stuck listing', lambda: server.stats()['done'])
            start = time.monotonic()
            b.write('stuck', '')
            b.read_until(p, '0123456789\n')
            assert p.wait(PATIENCE) == 0
            took = time.monotonic() - start
            os.remove(b.dir + '/stuck')
            if took > 1 * SLOW:
                raise Failed('%s: %.1f s' % (who, took))
