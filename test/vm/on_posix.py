"""test/posix on mounts of 9P2000.L, a mount for each cache, all at once: one that waits for an answer leaves the machine to
the others. What does not pass is a row of the table in docs/compatibility-matrix.md under "Linux's own client"; the stages of
test/posix/stages.py have tables of their own."""
import collections
import fnmatch
import os
import re
import sys

from guest import Failed, case

HERE = os.path.dirname(os.path.abspath(__file__))
POSIX = os.path.join(HERE, '../posix/run.py')
PAGE = os.path.join(HERE, '../../docs/compatibility-matrix.md')
LINE = re.compile(r'^(ok|not ok|skip) (\S+?)(?:: (.*))?$', re.M)
TALLY = re.compile(r'^\d+ passed, \d+ failed, \d+ skipped$', re.M)
CACHES = ['none', 'mmap', 'loose']
PATIENCE = 300  # seconds of a case, where it has 30 on a machine that is not emulated


def named(cache):
    """-> the globs of cases in the last column of the table, of the rows of this cache"""
    with open(PAGE) as f:
        section = f.read().partition("\n### test/posix over v9fs")[2].partition('\n## ')[0]
    rows = [line.strip().strip('|').split(' | ') for line in section.splitlines() if line.startswith('|')]
    return [glob for row in rows if len(row) == 3 and (row[1] == 'all' or cache in row[1].split())
            for glob in re.findall(r'`([^`]+)`', row[2])]


def judge(cache, said):
    """-> how many cases are not as the table says"""
    globs, bad = named(cache), []
    for result, name, why in LINE.findall(said):
        is_named = any(fnmatch.fnmatch(name, glob) for glob in globs)
        if (result == 'not ok') != is_named and result != 'skip':
            bad.append('%s %s%s' % (result, name, ': ' + why[:300] if why else ''))
            print('# cache=%s: %s' % (cache, bad[-1]), flush=True)
    tally = TALLY.search(said)
    print('# cache=%s: %s' % (cache, tally.group() if tally else 'no end: ' + said[-500:]), flush=True)
    return len(bad) + (not tally)


@case('the file system suite, with each cache', seconds=3600)
def _(g):
    runs = {}
    for cache in CACHES:
        tree = '%s/%s' % (g.desk.where(), cache)
        g.desk.sh("mkdir -p '%s'; chmod 777 '%s'" % (tree, tree))
        at = g.v9fs(g.desk.export("'%s'" % tree), 'version=9p2000.L,cache=' + cache)
        command = [sys.executable, '-B', POSIX, at, '--patience', str(PATIENCE), '--only', os.environ.get('POSIX_ONLY', '*')]
        with open(g.dir + '/said-' + cache, 'wb') as f:
            runs[cache] = g.start(command, stdout=f, stderr=f)
    bad = collections.Counter()
    for cache, p in runs.items():
        p.wait()
        with open(g.dir + '/said-' + cache, encoding='utf-8', errors='backslashreplace') as f:
            bad[cache] = judge(cache, f.read())
    if bad.total():
        raise Failed('cases that are not as the table says: ' + ', '.join('%s %d' % (k, n) for k, n in bad.items()))
