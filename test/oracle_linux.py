#!/usr/bin/env python3
"""oracle_linux.py BUILD: ../shared/oracle through `tenon run`, by Linux's own calls, held against
docs/compatibility-matrix.md: what that page names does not pass, everything else does, and at least 150 cases do.
"""
import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ORACLE = os.path.join(os.path.dirname(TOP), 'shared', 'oracle', 'run.py')
LEAST = 150
AS_USER = 'setpriv --reuid 1000 --regid 1000 --clear-groups python3'


def driver(build):
    """The command of the driver, for somebody whom permissions hold for: of root, on Linux, they do not."""
    if os.getuid():
        return '%s %s/test/launch/oracle_linux.py %s/tenon' % (sys.executable, TOP, build)
    os.chmod('/dev/fuse', 0o666)
    place = tempfile.mkdtemp(prefix='tenon-oracle-')
    atexit.register(shutil.rmtree, place, True)
    os.chmod(place, 0o755)
    for name in ('launch/oracle_linux.py', 'tool/p9.py'):
        os.makedirs(os.path.join(place, os.path.dirname(name)))
        shutil.copy(os.path.join(TOP, 'test', name), os.path.join(place, name))
    shutil.copy(os.path.join(build, 'tenon'), place)
    return '%s %s/launch/oracle_linux.py %s/tenon' % (AS_USER, place, place)


def main():
    build = os.path.abspath(sys.argv[1])
    with open(os.path.join(TOP, 'docs', 'compatibility-matrix.md')) as f:
        page = f.read().partition('### Answered otherwise')[2]
    listed = set(re.findall(r'`([a-z0-9-]+)`', page))
    text = subprocess.run([sys.executable, ORACLE, '--driver', driver(build)], stdout=subprocess.PIPE, text=True).stdout
    result = {m.group(2): 'skip' if m.group(3) else m.group(1)
              for m in re.finditer(r'^(ok|not ok) (\S+)( # skipped)?', text, re.M)}
    blocks = {b.split()[2]: b for b in re.split(r'^(?=ok |not ok )', text, flags=re.M) if b.startswith('not ok')}
    passed = [n for n, r in result.items() if r == 'ok']
    bad = []
    for name, r in sorted(result.items()):
        if r != 'ok' and name not in listed:
            bad.append('%s is not as the oracle has it, and docs/compatibility-matrix.md does not say why\n%s' %
                       (name, blocks.get(name, '')))
        if r == 'ok' and name in listed:
            bad.append('%s passes: docs/compatibility-matrix.md is wrong' % name)
    if len(passed) < LEAST:
        bad.append('only %d cases pass, %d are wanted' % (len(passed), LEAST))
    for why in bad:
        print('not ok ' + why)
    print('%d passed, %d failed, %d skipped' % (len(passed), len(bad), len(result) - len(passed)))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
