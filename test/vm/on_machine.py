"""`#host` over a mount of QEMU's virtio-9p: a directory of the other side that the machine has by another server of 9P."""
import os

import basics
import on_matrix
from guest import Failed, case

PLACE = '/tmp/in'  # linux-vm's second share, mounted as 9p2000.L, cache=none, and written to


def mounted():
    with open('/proc/mounts') as f:
        return any(line.split()[1:3] == [PLACE, '9p'] for line in f)


@case('#host over virtio-9p, seen by v9fs, does what it does over a disk', seconds=300)
def _(g):
    assert mounted(), PLACE
    top = PLACE + '/tree'
    os.mkdir(top)
    at = g.mount('trans=unix,msize=131072,version=9p2000.L,cache=none,uname=root', g.export_unix(top))
    got = basics.some(at, False, but=['fifo'])  # QEMU takes who opens one for broken, and breaks off
    want = on_matrix.expected('9p2000.L', 'none', 'directory', 'root', got)
    wrong = {k: v for k, v in got.items() if v != want.get(k, 'ok')}
    if wrong:
        raise Failed(repr(wrong))
