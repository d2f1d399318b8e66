"""The devices of product.md section 3, looked at and exported."""
import os

from bench import case


@case('#cons: who and what this machine is')
def _(b):
    b.table([
        ("tenon cat '#cons/sysname'", os.uname().nodename + '...', '', 0),
        ("tenon cat '#cons/null'", '', '', 0),
        ("tenon ls \"exec!tenon export '#cons'\"", 'cons\nconsole\nfull\nkmesg\nnull\npid\nrandom\nsysname\ntime\nuser\nzero\n',
         '', 0),
    ])
