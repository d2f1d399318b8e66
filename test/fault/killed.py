"""An exporting server that is killed while it is used, and comes again. product.md 5: who uses it has an error at once,
who uses something else notices nothing; what was acknowledged is there; the next use finds the new server.
"""
import json
import os
import time

import p9
from bench import PATIENCE, Failed, case
from people import people
from silent import copy_within

SOFT = 2
SLOW = 3 if 'ASAN_OPTIONS' in os.environ else 1  # a sanitized build is that much slower
LINE = 16  # bytes that within.py appends


def inside(b, name, rows):
    copy_within(b)
    b.write('rows', json.dumps(rows), 0o644)
    return 'python3 within.py %s rows' % name


def export(b, address='127.0.0.1!0'):
    """A directory, and pipes whose reader waits for as long as the server lives."""
    return b.export("-l 'tcp!%s' --clean -o create -b '/h=#host%s/share' -b '/p=#pipe'" % (address, b.dir), listen=False)


@case('50 users of a server that is killed have an error each and go on with the next one; others do not notice')
def _(b):
    for name in ('share/f', 'mine/f'):
        b.write(name, 'text' * 1000)
    for who in people():
        os.system('rm -f %s/stop %s/share/w*; chmod -R a+rwX %s' % (b.dir, b.dir, b.dir))
        rows = [['%s%d' % (work, i), work, '/n/far/h' + path] for work, path in (('read', '/f'), ('stat', '/f'), ('list', ''))
                for i in range(12)]
        rows += [['w%d' % i, 'write', '/n/far/h/w%d' % i] for i in range(12)]
        rows += [['wait%d' % i, 'wait', '/n/far/p/data'] for i in range(2)]
        assert len(rows) == 50
        rows += [['other-host', 'list', '/usr'], ['other-bound', 'read', '/n/mine/f'], ['other-ram', 'write', '/n/ram/f']]
        e = export(b)
        p = b.start("exec %stenon run -o soft=%d,create -m '/n/far=%s' -b /n/mine=$PWD/mine -o create -b '/n/ram=#ram' %s" %
                    (who, SOFT, e.dial, inside(b, 'users', rows)))
        b.read_until(p, 'going\n')
        killed = time.monotonic()
        e.kill()
        b.read_until(p, 'failing\n')
        failing = time.monotonic() - killed
        e = export(b, e.dial.split('!', 1)[1])
        again = time.monotonic()
        b.read_until(p, 'well\n')
        b.write('stop', '')
        lines = b.read_until(p, '\ndone\n').splitlines()
        assert p.wait(PATIENCE) == 0
        judge([json.loads(line) for line in lines if line.startswith('{')], failing, again,
              float([x for x in lines if x.startswith('worst')][0].split()[1]))
        for i in range(12):  # each of its lines that was acknowledged
            good = [json.loads(x) for x in lines if '"w%d"' % i in x][0]['good']
            if os.path.getsize('%s/share/w%d' % (b.dir, i)) < good * LINE:
                raise Failed('w%d: %d lines were acknowledged' % (i, good))
        e.end()


def judge(seen, failing, again, worst):
    if max(failing, worst) > SOFT + 1:
        raise Failed('it took %.1f s until all had an error; one waited for %.1f s' % (failing, worst))
    for r in seen:
        if r['name'].startswith('other'):
            wrong = r['failed'] or r['longest'] > 1 * SLOW
        else:
            # Who asked while the last dial was being refused hears of that; whoever asks later has the new server.
            wrong = r['errno'] not in ('ECONNRESET', 'ESTALE') or r['last_failed'] > again + 0.5 * SLOW
        if wrong:
            raise Failed('%r; the server was there again at %f' % (r, again))


@case('after any number of refused dials the first use finds a server that is there again, though `soft` is short')
def _(b):
    b.write('share/f', 'text')
    os.system('chmod -R a+rwX %s' % b.dir)
    for who in people():
        os.system('rm -f %s/killed %s/again' % (b.dir, b.dir))
        e = export(b)
        # In one shell that stays inside: no remount.
        p = b.start("exec %stenon run -o soft=1 -m '/n/far=%s' sh -c 'cat /n/far/h/f; echo; until test -e killed; do sleep 0.01; done; "
                    "for i in 1 2 3 4 5 6; do cat /n/far/h/f; done; echo lost; until test -e again; do sleep 0.01; done; "
                    "cat /n/far/h/f; echo; echo $?'" % (who, e.dial))
        b.read_until(p, 'text\n')
        e.kill()
        b.write('killed', '')
        if b.read_until(p, 'lost\n').count('Connection reset by peer') < 5:
            raise Failed('no error of a lost connection')
        e = export(b, e.dial.split('!', 1)[1])
        b.write('again', '')
        b.read_until(p, 'text\n0\n')
        assert p.wait(PATIENCE) == 0
        e.end()


@case('where a text can be seen it is `connection lost: DIAL`, with the cause')
def _(b):
    b.write('share/f', 'text')
    e = export(b)
    again = b.export("--clean -m '/n/far=%s'" % e.dial)
    with p9.Client(again.dial) as peer:
        far = peer.walk('n/far')
        e.kill()
        try:
            peer.walk('h', far)
            text = 'h is there'
        except p9.Error as error:
            text = str(error)
        if not text.startswith('connection lost: ' + e.dial):
            raise Failed(text)
    # Between two of us 9P2000.L has words: over three of them, too.
    third = b.export("--clean -m '/n/near=%s'" % again.dial)
    lost = 'connection lost: %s...\n' % e.dial
    b.shows('tenon cat D n/far/h/f', '', 'tenon: cat: n/far/h/f: ' + lost, 1, D=again.dial)
    b.shows('tenon cat D n/near/n/far/h/f', '', 'tenon: cat: n/near/n/far/h/f: ' + lost, 1, D=third.dial)
    b.shows('tenon ls D n', 'far\n', '', 0, D=again.dial)
