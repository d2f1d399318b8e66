"""What takes minutes: only with `./check --long`."""
from bench import case
from fids import LISTINGS, listed


@case('find -ls over 100,000 files of a server with 256 fids: no error, never more than 200 of them')
def _(b):
    listed(b, 100, 1000, LISTINGS[1], 1500)
