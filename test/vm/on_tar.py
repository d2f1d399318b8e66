"""tar of 20,000 files on a mount of 9P2000.L, with each cache, held against the same on a file system in memory.

Beside the other cases it would not be done: a file costs the emulated machine 40 ms here to make, to compare and to remove.
"""
import os

from on_programs import both, each, places

FILES = 20000


@each('tar of %d files, find, rm' % FILES, seconds=2300)
def _(g, cache):
    os.makedirs(g.dir + '/source')
    for i in range(FILES):
        at = '%s/source/%03d' % (g.dir, i % 400)
        os.makedirs(at, exist_ok=True)
        with open('%s/%d' % (at, i), 'wb') as f:
            f.write(b'%d\n' % i * (i % 50))
    # What it has written Linux has open, with cache=loose, until it forgets it: these are more files than a process may have.
    places(g, cache, '#ram' if cache == 'loose' else '{}/tree')
    g.sh('tar cf ../all.tar .', cwd=g.dir + '/source')
    both(g, cache, 'tar xf {0}/all.tar'.format(g.dir), 1200)
    both(g, cache, 'tar df {0}/all.tar'.format(g.dir), 1200)
    both(g, cache, 'find . | sort | md5sum; find . -type f \\( -name 77 -o -size +300c \\) | sort | md5sum', 600)
    both(g, cache, 'rm -r [0-9]*; ls -A', 900)
