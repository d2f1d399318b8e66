"""A server that has few fids for each connection, and a large tree. architecture.md 2: the Chans of places are an LRU.

The server makes its listings up; it counts the fids that it gives out, and refuses those beyond what it has.
"""
from bench import PATIENCE, Failed, case
from people import people
from p9d import Dir, File, Server

ALLOWED, WANTED = 256, 200  # fids that there are; that are used at most
DEPTH = 40


def tree(dirs, files):
    """`dirs` directories of `files` files, and one below the other, so deep that not all ways down have a fid."""
    top = Dir(**{'d%d' % d: Dir(**{'f%d' % i: File() for i in range(files)}) for d in range(dirs)})
    at = top
    for _ in range(DEPTH):
        at.files['down'] = Dir(**{'f%d' % i: File() for i in range(5)})
        at = at.files['down']
    return top, 1 + dirs * (files + 1) + DEPTH * 6


# How a tree is listed, each line of output a file, and the files that have none.
LISTINGS = (('find /n/far', 0), ('find /n/far -ls', 0), ('ls -lR /n/far | grep "^[-d]"', 1))


def listed(b, dirs, files, listing, patience):
    top, n = tree(dirs, files)
    command, but = listing
    for who in people():
        with Server(top, fids_max=ALLOWED) as server:
            b.shows("%stenon run -m '/n/far=%s' sh -c '%s | wc -l'" % (who, server.dial, command), '%d\n' % (n - but), '', 0,
                    patience=patience)
            got = server.stats()
        if got['refused'] or not 100 < got['fids_most'] <= WANTED:
            raise Failed('%s%s: %r' % (who, command, got))


@case('find over 100,000 files of a server with 256 fids: no error, never more than 200 of them')
def _(b):
    listed(b, 100, 1000, LISTINGS[0], 120)


@case('listings with the stat of each file need no more')
def _(b):
    for listing in LISTINGS[1:]:
        listed(b, 10, 100, listing, 120)
