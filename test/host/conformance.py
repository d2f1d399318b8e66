#!/usr/bin/env python3
"""conformance.py HOSTSERVE [all-workers] [DIALECT ...] [-- OPTIONS OF run.py]: ../shared/conformance against #host.

Serves a new directory as an ordinary user (never as root: permissions are the kernel's) and runs the suite of each
dialect. Prints the suite's lines but `ok`, and `N passed, N failed, N skipped` of all together at the end. Fails when a
case fails or a capability is missing that a host directory can have.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SUITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'shared', 'conformance', 'run.py')
# What a directory of a host may lack: nothing in it blocks; Unix has no temporary files; attributes are not served.
MAY_LACK = {'block', 'tmp', 'xattr', 'lock', 'lock-range'}


def as_user(args):
    """The command, as somebody who is not root."""
    if os.geteuid() != 0:
        return args
    return ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups', '--'] + args


def serve(hostserve, extra):
    root = tempfile.mkdtemp(prefix='tn-conformance-')
    if os.geteuid() == 0:
        os.chown(root, 1000, 1000)
    os.chmod(root, 0o755)
    server = subprocess.Popen(as_user([hostserve, root] + extra), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True)
    return root, server, server.stdout.readline().strip()


def run(hostserve, extra, dialect, options):
    root, server, address = serve(hostserve, extra)
    try:
        suite = subprocess.run(as_user([sys.executable, SUITE, address, '--dialect', dialect] + options),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    finally:
        server.stdin.close()
        status = server.wait(timeout=30)
        shutil.rmtree(root, ignore_errors=True)
    for line in suite.stdout.splitlines():
        if not line.startswith('ok '):
            print(line)
    if status:
        print('not ok: the server ended with status %d' % status)
    found = re.search(r'(\d+) passed, (\d+) failed, (\d+) skipped', suite.stdout)
    counts = [int(n) for n in found.groups()] if found else [0, 1, 0]
    lacks = set(re.search(r'lacks: ?(.*)', suite.stdout).group(1).split()) if 'lacks:' in suite.stdout else set()
    for name in sorted(lacks - MAY_LACK - {'none'}):
        print('not ok: capability %s is missing in %s' % (name, dialect))
        counts[1] += 1
    counts[1] += status != 0
    return counts


def main():
    args, options = sys.argv[1:], []
    if '--' in args:
        at = args.index('--')
        args, options = args[:at], args[at + 1:]
    hostserve = os.path.abspath(args[0])
    extra = [a for a in args[1:] if a == 'all-workers']
    dialects = [a for a in args[1:] if a.startswith('9P')] or ['9P2000']
    total = [0, 0, 0]
    for dialect in dialects:
        print('# %s %s' % (dialect, ' '.join(extra)))
        total = [a + b for a, b in zip(total, run(hostserve, extra, dialect, options))]
    print('%d passed, %d failed, %d skipped' % tuple(total))
    return 1 if total[1] else 0


sys.exit(main())
