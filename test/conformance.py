#!/usr/bin/env python3
"""conformance.py BUILD ROW: ../shared/conformance against an export, as a row of the table below says.

Exports run as an ordinary user, even if this is run by root: the suite tries to leave the tree. What a server may lack
of the suite's capabilities is in its row; docs/compatibility-matrix.md says why.
"""
import collections
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUITE = os.path.join(os.path.dirname(TOP), 'shared', 'conformance', 'run.py')
LISTEN = ['-l', 'tcp!127.0.0.1!0']

# export: what is exported ({dir}: a directory of its own; {peer}: the suite's own server, which speaks all dialects).
# again: the dialect of an import of it, which is what is exported then. suite: more options for the suite. lacks:
# capabilities that may be missing. dialect: what the suite speaks.
Row = collections.namedtuple('Row', 'export again suite lacks dialect', defaults=('', (), (), '9P2000'))
COMPOSED = ['--clean', '-b', '/ram=#ram', '-b', '/pipe=#pipe']
ALL = ['--root', 'ram', '--blockfile', 'pipe/data1', '--wakefile', 'pipe/data', '--require', 'all']
HOST_LACKS = {"block", "tmp"}
L_LACKS = {'append', 'exclusive', 'tmp'}  # no message of .L makes such a file
PEER = ['--root', 'r', '--blockfile', 'r/blk', '--wakefile', 'r/wake']
ROWS = {
    'ram': Row(['#ram'], lacks={'block'}),
    'composed': Row(COMPOSED, suite=ALL),
    'host': Row(['{dir}'], lacks=HOST_LACKS),
    'ram-again': Row(['#ram'], again='9P2000', lacks={'block'}),
    'composed-again': Row(COMPOSED, again='9P2000', suite=ALL),
    'host-again': Row(['{dir}'], again='9P2000', lacks=HOST_LACKS),
    'ram-u': Row(['#ram'], lacks={'block'}, dialect='9P2000.u'),
    'composed-u': Row(COMPOSED, suite=ALL, dialect='9P2000.u'),
    'host-u': Row(['{dir}'], lacks=HOST_LACKS, dialect='9P2000.u'),
    'ram-L': Row(['#ram'], lacks={'block'}, dialect='9P2000.L'),
    'composed-L': Row(COMPOSED, suite=ALL, dialect='9P2000.L'),
    'host-L': Row(['{dir}'], lacks=HOST_LACKS, dialect='9P2000.L'),
    'ram-u-again': Row(['#ram'], again='9P2000.u', lacks={'block'}, dialect='9P2000.u'),
    'composed-u-again': Row(COMPOSED, again='9P2000.u', suite=ALL, dialect='9P2000.u'),
    'host-u-again': Row(['{dir}'], again='9P2000.u', lacks=HOST_LACKS, dialect='9P2000.u'),
    'ram-L-again': Row(['#ram'], again='9P2000.L', lacks={'block'}, dialect='9P2000.L'),
    'composed-L-again': Row(COMPOSED, again='9P2000.L', suite=ALL, dialect='9P2000.L'),
    'host-L-again': Row(['{dir}'], again='9P2000.L', lacks=HOST_LACKS, dialect='9P2000.L'),
    'import': Row(['--clean', '-o', 'create,dialect=9P2000', '-m', '/r={peer}'], suite=PEER + ['--require', 'all']),
    'import-u': Row(['--clean', '-o', 'create,dialect=9P2000.u', '-m', '/r={peer}'], suite=PEER + ['--require', 'all']),
    'import-L': Row(['--clean', '-o', 'create,dialect=9P2000.L', '-m', '/r={peer}'], suite=PEER, lacks=L_LACKS),
}


def ordinary_user():
    """Who the exports run as: ourselves, or when we are root the first ordinary user there is."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    users = [u for u in pwd.getpwall() if 1000 <= u.pw_uid < 60000]
    return users[0] if users else pwd.getpwnam('nobody')


class Exports:
    def __init__(self, build, user):
        self.user, self.running = user, []
        self.dir = tempfile.mkdtemp(prefix='tenon-conformance-')
        os.chmod(self.dir, 0o755)
        self.tree = os.path.join(self.dir, 'tree')
        os.mkdir(self.tree, 0o755)
        # A copy, for the build may lie where an ordinary user cannot go.
        self.tenon = shutil.copy(os.path.join(build, 'tenon'), self.dir)
        if os.getuid() == 0:
            os.chown(self.tree, user.pw_uid, user.pw_gid)

    def spawn(self, command, ready):
        """-> what `ready` finds in what it says"""
        log = os.path.join(self.dir, 'log-%d' % len(self.running))
        who = dict(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[]) if os.getuid() == 0 else {}
        with open(log, 'w') as out:
            p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd='/', **who)
        self.running.append((p, log))
        for _ in range(2000):
            with open(log) as f:
                said = re.search(ready, f.read(), re.M)
            if said:
                return said
            if p.poll() is not None:
                break
            time.sleep(0.01)
        with open(log) as f:
            raise SystemExit('it does not serve: %s: %s' % (command, f.read()))

    def peer(self):
        """The suite's own server. -> its address"""
        address = 'unix!' + os.path.join(self.tree, 'peer')
        server = shutil.copy(os.path.join(os.path.dirname(SUITE), 'refserver.py'), self.dir)
        # Debian's, for another may lie where an ordinary user cannot go.
        python = shutil.which('python3', path='/usr/bin:/bin') or sys.executable
        self.spawn([python, server, address], '^ready$')
        self.running[-1][0].is_peer = True
        return address

    def start(self, arguments):
        """-> the address"""
        peer = self.peer() if any('{peer}' in x for x in arguments) else ''
        words = [x.format(dir=self.tree, peer=peer) for x in arguments]
        return self.spawn([self.tenon, 'export'] + LISTEN + words, r'^listening on (\S+)$').group(1)

    def end(self):
        """Asks each to end, the last import first. -> what went wrong"""
        bad = []
        for p, log in reversed(self.running):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
            try:
                status = p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                status = 'no end: %s' % p.wait()
            with open(log, errors='replace') as f:
                said = f.read()
            if status and not (hasattr(p, 'is_peer') and status == -signal.SIGTERM):
                bad.append('an export ended with %s: %s' % (status, said[-3000:]))
        shutil.rmtree(self.dir, ignore_errors=True)
        return bad


def below(name, suite):
    """The suite's options for the same tree under a name."""
    out = ['--root', name] if '--root' not in suite else []
    for before, word in zip([''] + suite, suite):
        out.append(name + '/' + word if before in ('--root', '--blockfile', '--wakefile') else word)
    return out


def main():
    build, name = os.path.abspath(sys.argv[1]), sys.argv[2]
    row = ROWS[name]
    exports = Exports(build, ordinary_user())
    try:
        address = exports.start(row.export)
        suite = list(row.suite)
        if row.again:
            address = exports.start(['--clean', '-o', 'create,dialect=' + row.again, '-m', '/again=' + address])
            suite = below('again', suite)
        p = subprocess.run([sys.executable, SUITE, address, '--dialect', row.dialect, '--uname', exports.user.pw_name] +
                           suite + sys.argv[3:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    finally:
        bad = exports.end()
    lines = p.stdout.splitlines()
    lacks = re.search(r'; lacks (.*)$', lines[0]) if lines else None
    missing = set(lacks.group(1).split()) - {'nothing'} - set(row.lacks) if lacks else set()
    if missing:
        bad.append('the export lacks what it should have: ' + ' '.join(sorted(missing)))
    tally = re.fullmatch(r'(\d+) passed, (\d+) failed, (\d+) skipped', lines[-1]) if lines else None
    if not tally:
        bad.append('the suite did not run to its end')
    print('\n'.join(lines[:-1] if tally else lines))
    for why in bad:
        print('not ok ' + why)
    passed, failed, skipped = (int(n) for n in tally.groups()) if tally else (0, 0, 0)
    print('%d passed, %d failed, %d skipped' % (passed, failed + len(bad), skipped))
    return 1 if failed or bad else 0


if __name__ == '__main__':
    sys.exit(main())
