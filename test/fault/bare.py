"""A server that knows version, attach, walk, open, read, write, clunk and error, and answers all else with an error: as
small devices are. It can be mounted and used. mnt.h: what a stat says is made up then.
"""
from bench import case
from people import people
from p9d import Dir, File, Server

KNOWN = ('version', 'attach', 'walk', 'open', 'read', 'write', 'clunk')


def device():
    return Dir(temperature=File(b'21\n'), led=File(b'off\n'), more=Dir(f=File(b'deep\n')))


@case('a server without stat, flush, create and remove is listed, read and written by the commands')
def _(b):
    with Server(device(), knows=KNOWN, msize=300) as server:
        b.table([
            ('tenon ls D', 'led\nmore\ntemperature\n', '', 0),
            ('tenon ls D more', 'f\n', '', 0),
            ('tenon cat D temperature more/f', '21\ndeep\n', '', 0),
            ('echo on | tenon put D led && tenon cat D led', 'on\n', '', 0),
            ('tenon stat D led', '...led...', '', 0),
            ('tenon cat D nope', '', 'tenon: cat: nope: file does not exist\n', 1),
            ('tenon mkdir D d', '', 'tenon: mkdir: d: unknown message\n', 1),
            ('tenon rm D led', '', 'tenon: rm: led: unknown message\n', 1),
        ], D=server.dial)


@case('and by programs in a name space that has it')
def _(b):
    for who in people():
        with Server(device(), knows=KNOWN, msize=300) as server:
            b.shows("%stenon run -m '/n/dev=%s' sh -c 'cd /n/dev && ls && ls more && cat temperature more/f && echo on >led && "
                    "cat led && printf 1 | dd of=led conv=notrunc status=none && cat led && test -d more && test -f led && "
                    "ls -l led | cut -c1-10'" % (who, server.dial),
                    'led\nmore\ntemperature\nf\n21\ndeep\non\n1n\n-rw-rw-rw-\n')
            b.shows("%stenon run -m '/n/dev=%s' sh -c 'cat /n/dev/nope; mkdir /n/dev/d; rm -f /n/dev/led; cat /n/dev/led'" %
                    (who, server.dial), '1n\n', "cat: /n/dev/nope: No such file or directory\nmkdir: cannot create directory "
                    "...: Input/output error\nrm: cannot remove ...: Input/output error\n", 0)
