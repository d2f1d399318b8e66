"""As locks.py, for longer: what takes minutes."""
from bench import case
from imports import Net
from locks import Locker, Nodes, database

# tn_socket_tune: 30 s of silence, then three questions in 30 s.
KNOWN_TO_BE_DEAD = 60


@case('a database that two nodes write to for five minutes is whole, and each acknowledged row is in it')
def _(b):
    database(b, 300, 120)


@case('a lock of a node that has gone without a word is free a minute later')
def _(b):
    net = Net(b)
    try:
        def on(node):
            return ' '.join(net.enter(net.pid[node])) + ' '

        with Nodes(b, lambda _, tree: net.export('a', "--map-user self -l 'tcp!10.9.0.1!564' '%s'" % tree)) as n:
            one, two = (Locker(n, 0, front=on(node)) for node in 'bc')
            one.must('lock f w 0 10')
            two.must('lock f w 0 10', 'EAGAIN')
            net.run(net.outer, 'ip link set vb down')
            two.gets('lock f w 0 10', KNOWN_TO_BE_DEAD + 10)
    finally:
        b.clean()
        net.end()
