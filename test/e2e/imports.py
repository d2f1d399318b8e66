"""The remote import between nodes in network name spaces of their own: what one node mounts of another, it alone sees.

A user name space (so that no root is needed) holds a bridge and three network name spaces, the nodes A, B and C.
"""
import os
import subprocess

from bench import PATIENCE, Failed, Skipped, case

ADDRESS = {'a': '10.9.0.1', 'b': '10.9.0.2', 'c': '10.9.0.3'}
# Each tells its process id by way of $$, then waits for its input to end: with this test everything goes.
HOLD = 'ip link set lo up && echo $$ && exec cat'


class Net:
    def __init__(self, b):
        self.b, self.held = b, []
        self.outer = self.hold(['unshare', '-Urn', 'sh', '-c', HOLD])
        self.run(self.outer, 'ip link add name node-bridge type bridge && ip link set node-bridge up')
        self.pid = {}
        for node, address in ADDRESS.items():
            self.pid[node] = self.hold(self.enter(self.outer) + ['unshare', '-n', 'sh', '-c', HOLD])
            self.run(self.outer, 'ip link add v{0} type veth peer name e{0} && ip link set v{0} master node-bridge up && '
                     'ip link set e{0} netns {1}'.format(node, self.pid[node]))
            self.run(self.pid[node], 'ip addr add %s/24 dev e%s && ip link set e%s up' % (address, node, node))

    def enter(self, pid):
        return ['nsenter', '-t', str(pid), '-U', '-n', '--preserve-credentials']

    def hold(self, command):
        p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.held.append(p)
        line = p.stdout.readline().strip()
        if not line:
            raise Skipped('no network name space of one\'s own here: ' + p.stderr.read().strip())
        return int(line)

    def run(self, pid, command):
        p = subprocess.run(self.enter(pid) + ['sh', '-c', command], capture_output=True, text=True, timeout=PATIENCE,
                           env=self.b.env, cwd=self.b.dir, stdin=subprocess.DEVNULL)
        if p.returncode:
            raise Failed('%s: %s' % (command, p.stderr))
        return p.stdout

    def on(self, node, command):
        """The command as it is typed on the node; -> status, stdout, stderr"""
        p = subprocess.run(self.enter(self.pid[node]) + ['sh', '-c', command], capture_output=True, text=True,
                           timeout=PATIENCE, env=self.b.env, cwd=self.b.dir, stdin=subprocess.DEVNULL)
        return p.returncode, p.stdout, p.stderr

    def shows(self, node, command, want):
        got = self.on(node, command)
        if got != (0, want, ''):
            raise Failed('on %s `%s` gives %r, want %r' % (node, command, got, want))

    def export(self, node, arguments):
        return self.b.export(arguments, listen=False, prefix=' '.join(self.enter(self.pid[node])) + ' ')

    def end(self):
        for p in reversed(self.held):
            p.stdin.close()
            p.wait(PATIENCE)
            p.stdout.close()
            p.stderr.close()


@case('node B imports A: its console as it comes, its processes, a union of both; node C sees none of it')
def _(b):
    for name in ('a/one', 'a/two', 'b/two', 'b/zero'):
        b.write('containers-' + name, 'from ' + name[0] + '\n')
    net = Net(b)
    try:
        net.export('a', "--clean -b '/dev=#cons' -b '/proc=#proc' -b '/containers=#host%s/containers-a' -l 'tcp!*!564'" % b.dir)
        net.export('b', "--clean -b '/containers=#host{0}/containers-b' -m '/remote/A=tcp!10.9.0.1!564' "
                   "-a /containers=/remote/A/containers -l 'tcp!127.0.0.1!564'".format(b.dir))
        net.export('c', "--clean -b '/containers=#host{0}/containers-b' -l 'tcp!127.0.0.1!564'".format(b.dir))
        here = "'tcp!127.0.0.1!564'"

        # A's console as it comes: what is said there after B has begun to read.
        reader = b.start(' '.join(net.enter(net.pid['b'])) + ' tenon cat %s remote/A/dev/console' % here)
        for n in range(3):
            net.run(net.pid['a'], "echo 'A says %d' | tenon put -a %s dev/cons" % (n, here))
            b.read_until(reader, 'A says %d' % n)

        # A's processes: the exporting tenon is one.
        status, out, err = net.on('b', 'tenon ls %s remote/A/proc' % here)
        numbers = [n for n in out.split() if n.isdigit()]
        if status or not numbers:
            raise Failed('no processes of A: %r' % ((status, out, err),))
        status, out, err = net.on('b', 'tenon cat %s remote/A/proc/%s/status' % (here, numbers[0]))
        if status or not out.strip():
            raise Failed('no status: %r' % ((status, out, err),))

        # The union: both lists, the local one first; of what both have, the local one is opened.
        raw = net.on('b', 'tenon ls -u %s containers' % here)[1].split()
        if sorted(raw[:2]) != ['two', 'zero'] or sorted(raw[2:]) != ['one', 'two']:
            raise Failed('the union lists %r' % raw)
        net.shows('b', 'tenon cat %s containers/two containers/one containers/zero' % here, 'from b\nfrom a\nfrom b\n')

        # C has the same names but nothing of A, and A has nothing of B's.
        net.shows('c', 'tenon ls %s' % here, 'containers\n')
        net.shows('c', 'tenon ls %s containers' % here, 'two\nzero\n')
        net.shows('a', 'tenon ls %s containers' % here, 'one\ntwo\n')
        status, _, err = net.on('c', 'tenon ls %s remote' % here)
        if status != 1 or 'file does not exist' not in err:
            raise Failed('C sees /remote: %r' % err)
        b.end()
    finally:
        b.clean()
        net.end()
