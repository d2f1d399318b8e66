"""test/posix on a mount of 9P2000.L. What does not pass is a row of the table in docs/compatibility-matrix.md under "Linux's
own client"; the stages of test/posix/stages.py have tables of their own."""
import fnmatch
import os
import re
import sys

from guest import Failed, case

HERE = os.path.dirname(os.path.abspath(__file__))
POSIX = os.path.join(HERE, '../posix/run.py')
PAGE = os.path.join(HERE, '../../docs/compatibility-matrix.md')
LINE = re.compile(r'^(ok|not ok|skip) (\S+?)(?:: (.*))?$', re.M)


def named():
    """-> the globs of cases in the last column of the table"""
    with open(PAGE) as f:
        section = f.read().partition("\n### test/posix over v9fs")[2].partition('\n## ')[0]
    rows = [line.strip().strip('|').split(' | ') for line in section.splitlines() if line.startswith('|')]
    return [glob for row in rows if len(row) == 2 for glob in re.findall(r'`([^`]+)`', row[1])]


@case('the file system suite', seconds=2400)
def _(g):
    g.desk.sh('mkdir -p tree; chmod 777 tree')
    at = g.v9fs(g.desk.export("'%s/tree'" % g.desk.where()), 'version=9p2000.L,cache=none')
    said = g.sh("/usr/bin/python3 -B %s %s --only '%s' || true" % (POSIX, at, os.environ.get('POSIX_ONLY', '*')), 2300)
    globs, bad = named(), []
    for result, name, why in LINE.findall(said):
        is_named = any(fnmatch.fnmatch(name, glob) for glob in globs)
        if (result == 'not ok') != is_named and result != 'skip':
            bad.append('%s %s%s' % (result, name, ': ' + why[:300] if why else ''))
            print('# posix: ' + bad[-1], flush=True)
    tally = re.search(r'^\d+ passed, \d+ failed, \d+ skipped$', said, re.M)
    if not tally:
        raise Failed(said[-500:])
    print('# posix: ' + tally.group(), flush=True)
    if bad:
        raise Failed('%d cases are not as the table says' % len(bad))
