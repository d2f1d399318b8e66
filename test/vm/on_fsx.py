"""Ten minutes of random reads, writes, truncates and, where Linux has them, shared maps of a file (test/posix/on_random.py)
on mounts of 9P2000.L, a mount for each cache, all at once. What a seed did once it does again: run.py --long --seed N."""
import os
import random
import sys

from guest import Failed, case

POSIX = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../posix/run.py')
CASES = {'none': 'random-file-without-maps', 'mmap': 'random-file', 'loose': 'random-file'}


@case('random reads, writes, truncates and maps of a file, for ten minutes with each cache', seconds=1200)
def _(g):
    runs = {}
    for cache, name in CASES.items():
        tree, seed = '%s/%s' % (g.desk.where(), cache), random.SystemRandom().randrange(1 << 31)
        g.desk.sh("mkdir -p '%s'" % tree)
        at = g.v9fs(g.desk.export("'%s'" % tree), 'version=9p2000.L,cache=' + cache)
        print('# cache=%s: %s --seed %d' % (cache, name, seed), flush=True)
        with open(g.dir + '/said-' + cache, 'wb') as f:
            runs[cache] = g.start([sys.executable, '-B', POSIX, at, '--only', name, '--long', '--seed', str(seed)], stdout=f, stderr=f)
    bad = []
    for cache, p in runs.items():
        status = p.wait()
        with open(g.dir + '/said-' + cache, encoding='utf-8', errors='backslashreplace') as f:
            said = f.read()
        print('# cache=%s: %s' % (cache, ' '.join(said.split())), flush=True)
        if status or '1 passed, 0 failed' not in said:
            bad.append(cache)
    if bad:
        raise Failed('cache=' + ', '.join(bad))
