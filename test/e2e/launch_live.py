"""The name space of `tenon run`: what it is made of, and changes while it runs, seen by programs. product.md 1, 2; launcher.md 3, 4.

Each case as root and, where root runs this, as uid 1000 too.
"""
import os
import time

from bench import Failed, case
from people import people


def tree(b, /, **files):
    """Files by name (`__` is a slash), and everybody may use them."""
    for name, text in files.items():
        b.write(name.replace('__', '/'), text, 0o666)
    for top, dirs, _ in os.walk(b.dir):
        for d in [top] + [os.path.join(top, d) for d in dirs]:
            os.chmod(d, 0o777)


def inside(b, who, options, script, out='', err='', status=0, **kw):
    """Runs the script by sh inside."""
    path = b.write('script.sh', script, 0o755)
    os.chmod(b.dir, 0o777)
    b.shows("%stenon run %s sh %s" % (who, options, path), out, err, status, **kw)


@case('the host\'s root is there, /n is a directory of mount points, /n/ns and /n/srv are in it')
def _(b):
    for who in people():
        inside(b, who, '', 'ls / | grep -x usr; ls /n; ls /n/ns; test -d /n/whatever && echo there',
               'usr\nns\nsrv\nctl\nns\nstats\nwhence\nthere\n')


@case('plain directories and files of the host are bound by the kernel')
def _(b):
    tree(b, a__f='A', b__f='B', file='text')
    for who in people():
        inside(b, who, '-b $PWD/b=$PWD/a -b /n/x=$PWD/a -b $PWD/file=$PWD/a/f',
               'cat b/f /n/x/f file; for p in $PWD/b /n/x $PWD/file; do grep -c " $p .* - ext4\|$p .* - \(tmpfs\|xfs\|btrfs\|overlay\)" /proc/self/mountinfo; done', 'AAA1\n1\n1\n')


@case('a union of directories of the host is searched in order and lists a name once')
def _(b):
    tree(b, a__f='A', a__only_a='', b__f='B', b__only_b='')
    for who in people():
        inside(b, who, '-B $PWD/b=$PWD/a', 'ls b; cat b/f', 'f\nonly_a\nonly_b\nA')
        inside(b, who, '-a $PWD/b=$PWD/a', 'ls b; cat b/f', 'f\nonly_a\nonly_b\nB')


@case('in a union files are made where `create` was said, and nowhere else')
def _(b):
    tree(b, a__f='A', b__f='B')
    for who in people():
        inside(b, who, '-B $PWD/b=$PWD/a', 'touch b/new 2>/dev/null || echo refused; echo x >>b/f; cat a/f', 'refused\nAx\n')
        inside(b, who, '-o create -a $PWD/b=$PWD/a', 'echo new >b/new$1; cat a/new$1; rm b/new$1; ls a', 'new\nf\n')
        b.write('a/f', 'A', 0o666)


@case('a device of Tenon is a directory of files')
def _(b):
    for who in people():
        inside(b, who, "-o create -b '/ram=#ram'", 'mkdir -p /ram/d/e; echo text >/ram/d/e/f; cat /ram/d/e/f; ls /ram/d; '
               'mv /ram/d /ram/g; find /ram | sort', 'text\ne\n/ram\n/ram/g\n/ram/g/e\n/ram/g/e/f\n')


@case('a server at a dial string is a directory, by whatever name')
def _(b):
    tree(b, share__f='over the wire', share__d__g='deep')
    e = b.export('share')
    for who in people():
        inside(b, who, "-m '/n/far=%s'" % e.dial, 'cat /n/far/f /n/far/d/g; ls /n/far; echo changed >/n/far/f; cat /n/far/f; '
               'mkdir /n/far/new && rmdir /n/far/new && echo made', 'over the wiredeepd\nf\nchanged\nmade\n')
        b.write('share/f', 'over the wire', 0o666)


@case('a wrong composition is said before anything runs')
def _(b):
    for who in people():
        b.shows(who + 'tenon run -b /usr/not-there-at-all=/usr touch ran', '',
                'tenon run: /usr/not-there-at-all: file does not exist, and none is made for it\n', 1)
        b.shows(who + 'tenon run -b /n/x=/not-there-at-all touch ran', '',
                'tenon run: /not-there-at-all: file does not exist\n', 1)
        b.shows(who + "tenon run -m '/n/x=unix!/not/there' touch ran", '', 'tenon run: unix!/not/there: ...\n', 1)
    assert not os.path.exists(os.path.join(b.dir, 'ran'))


@case('--clean begins with nothing but what was named')
def _(b):
    tree(b, a__f='A')
    for who in people():
        b.shows(who + "tenon run --clean -b '/usr=#host/usr' -b '/lib=#host/lib' -b '/lib64=#host/lib64' -b '/x/y/z=#host%s/a' "
                "/usr/bin/sh -c '/usr/bin/ls /; /usr/bin/cat /x/y/z/f'" % b.dir, 'lib\nlib64\nn\nusr\nx\nA')


@case('bind, mount and unmount change the name space one is in')
def _(b):
    tree(b, a__f='A', b__f='B', share__s='S')
    e = b.export('share')
    for who in people():
        inside(b, who, '', "tenon bind $PWD/a /n/k; cat /n/k/f; tenon unmount /n/k; ls /n/k; tenon bind '#ram' /n/k; "
               "ls /n/k; tenon mount '%s' /n/far; cat /n/far/s; tenon unmount /n/far; ls /n/far; cd b; tenon bind ../a .; "
               "cat ../b/f" % e.dial, 'ASA')


@case('a line written to /n/ns/ctl does the same')
def _(b):
    tree(b, a__f='A')
    for who in people():
        inside(b, who, '', "echo bind $PWD/a /n/k >/n/ns/ctl && cat /n/k/f; echo unmount /n/k >/n/ns/ctl; ls /n/k; "
               "/bin/echo bind /not/there /n/k >/n/ns/ctl || echo refused", 'Arefused\n', '...No such file or directory\n')


@case('-p PID changes the name space of that process, from outside')
def _(b):
    tree(b, a__f='A')
    for who in people():
        p = b.start("exec %stenon run sh -c 'echo $$; while ! test -e /n/k/f; do sleep 0.005; done; cat /n/k/f; "
                    "echo; while test -e /n/k/f; do sleep 0.005; done; echo gone'" % who)
        pid = b.read_until(p, '\n').strip()
        b.shows('%stenon bind -p %s $PWD/a /n/k' % (who, pid))
        b.read_until(p, 'A\n')
        b.shows('%stenon ns -p %s' % (who, pid), '...\nbind %s/a /n/k\n...' % b.dir)
        b.shows('%stenon unmount -p %s /n/k' % (who, pid))
        b.read_until(p, 'gone')
        assert p.wait(10) == 0


@case('a change takes less than 100 ms, from inside and from outside')
def _(b):
    tree(b, a__f='A')
    for who in people():
        p = b.start("exec %stenon run sh -c 'echo $$; while :; do sleep 0.01; done'" % who)
        pid = b.read_until(p, '\n').strip()
        best = {}
        for i in range(5):
            for what in ('bind -p %s $PWD/a /n/k' % pid, 'unmount -p %s /n/k' % pid):
                start = time.monotonic()
                b.shows('%stenon %s' % (who, what))
                verb = what.split()[0]
                best[verb] = min(best.get(verb, 9), time.monotonic() - start)
        # The whole command counts, the start of a sanitized program and its leak check at the end too.
        if max(best.values()) > (1.0 if 'ASAN_OPTIONS' in os.environ else 0.1):
            raise Failed('%s: %r' % (who, best))
        inside(b, who, '', 'for i in 1 2 3 4 5; do s=$(date +%s%N); echo bind $PWD/a /n/k >/n/ns/ctl; '
               'e=$(date +%s%N); echo $(((e-s)/1000000)); echo unmount /n/k >/n/ns/ctl; done | sort -n | head -1 | '
               'grep -qx "[0-9][0-9]*" && echo measured', 'measured\n')


@case('a union over a directory that the kernel serves, and back, while programs are started from it')
def _(b):
    b.write('bin/a-new-tool', '#!/bin/sh\necho new\n', 0o755)
    tree(b)
    os.chmod(os.path.join(b.dir, 'bin/a-new-tool'), 0o755)
    for who in people():
        inside(b, who, '', '''
            d=$(dirname "$(readlink -f /bin/true)")
            (n=0; while test ! -e stop; do $d/true || echo failed; n=$((n+1)); done; test $n -gt 10 && echo many) &
            for i in 1 2 3 4 5 6 7 8 9 10; do
                tenon bind -b $PWD/bin $d || echo bind; $d/a-new-tool >/dev/null || echo lost
                tenon unmount $d || echo unmount; test ! -e $d/a-new-tool || echo still
            done
            touch stop; wait; rm stop''', 'many\n')


@case('a mount below one name of a directory is seen below the others, and its end too')
def _(b):
    tree(b, a__x__f='F', b__f='B', c__new='N')
    for who in people():
        inside(b, who, '-b $PWD/b=$PWD/a', 'tenon bind $PWD/c $PWD/a/x; ls a/x b/x; tenon unmount $PWD/b/x; ls a/x b/x',
               'a/x:\nnew\n\nb/x:\nnew\na/x:\nf\n\nb/x:\nf\n')


@case('a name that was a mount point is looked at anew when nothing is mounted there any more')
def _(b):
    tree(b, a__k__f='A', b__h='B', c__g='C')
    for who in people():
        # a/k is the host's own: what is done there is done behind the union's back.
        inside(b, who, '-B $PWD/b=$PWD/a', 'tenon bind $PWD/c $PWD/b/k; ls b/k; tenon unmount $PWD/b/k; ls b/k; '
               'mv a/k a/l; test -e b/k || echo gone; mv a/l a/k', 'g\nf\ngone\n')


@case('a file is a mount point by each of its names, also those in a union and by #host')
def _(b):
    tree(b, a__x__f='F', b__f='B', c__new='N', u__f='U')
    for who in people():
        inside(b, who, "-B $PWD/u=$PWD/a -b $PWD/b=#host$PWD/a", 'tenon bind $PWD/c $PWD/u/x; ls u/x a/x b/x; '
               'tenon unmount $PWD/a/x; ls u/x a/x b/x', 'a/x:\nnew\n\nb/x:\nnew\n\nu/x:\nnew\na/x:\nf\n\nb/x:\nf\n\nu/x:\nf\n')


@case('a mount point is crossed once: what is bound to a name later is not seen where that was bound')
def _(b):
    """namespace-semantics.md 2: bind /a /m; bind /b /a: /m still shows the plain /a."""
    tree(b, a__f='A', b__f='B', m__f='M')
    for who in people():
        inside(b, who, '', 'tenon bind $PWD/a $PWD/m; tenon bind $PWD/b $PWD/a; cat m/f a/f; tenon unmount $PWD/a; cat m/f a/f',
               'ABAA')


@case('what is bound on a directory that the host removes is gone from ns too; on one that it renames it goes along')
def _(b):
    for who in people():
        tree(b, new__f='N', a__f='A', k__f='K')
        p = b.start("exec %stenon run -b $PWD/a=$PWD/new -b $PWD/k=$PWD/new sh -c 'echo $$; while test ! -e stop; do sleep "
                    "0.005; done; cat moved/f'" % who)
        pid = b.read_until(p, '\n').strip()
        b.shows('rm -r a; mv k moved; mkdir a; echo new >a/f')
        b.shows('%stenon ns -p %s | grep " $PWD/[akm]"' % (who, pid), 'bind -c %s/new %s/k\n' % (b.dir, b.dir))
        b.shows('%stenon unmount -p %s $PWD/a' % (who, pid), '', '...not mounted\n')
        b.shows('%stenon bind -p %s $PWD/a /n/a && touch stop' % (who, pid))
        b.read_until(p, 'N')
        assert p.wait(10) == 0
        b.shows('rm -r a moved new stop')


@case('a name is never without what is bound there while that is replaced')
def _(b):
    tree(b, a__f='A\n', b__f='B\n', k__f='K\n')
    for who in people():
        inside(b, who, '-b $PWD/k=$PWD/a', '''
            (while test ! -e stop; do cat k/f || echo failed; done | sort -u) &
            for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do tenon bind $PWD/b $PWD/k; tenon bind $PWD/a $PWD/k; done
            touch stop; wait; rm stop; grep -c $PWD/k /proc/self/mountinfo''', 'A\nB\n1\n')


@case('a bind outlives what was bound at its name before')
def _(b):
    for who in people():
        tree(b, a__f='A', b__f='B', k__f='K')
        p = b.start("exec %stenon run -b $PWD/k=$PWD/a sh -c 'echo $$; while test ! -e stop; do sleep 0.005; done; cat k/f'" % who)
        pid = b.read_until(p, '\n').strip()
        b.shows('%stenon bind -p %s $PWD/b $PWD/k; rm -r a; touch stop' % (who, pid))
        b.read_until(p, 'B')
        assert p.wait(10) == 0
        b.shows('rm stop')


@case('a mount point that a server has renamed or removed is unmounted by the name that ns shows')
def _(b):
    for who in people():
        tree(b, share__d__f='D', share__e__f='E', a__f='A')
        e = b.export('share')
        p = b.start("exec %stenon run -m '/n/far=%s' -b /n/far/d=$PWD/a -b /n/far/e=$PWD/a sh -c 'echo $$; while test ! -e stop; "
                    "do sleep 0.005; done; ls /n/far; cat /n/far/moved/f; grep -c /n/far/ /proc/self/mountinfo'" % (who, e.dial))
        pid = b.read_until(p, '\n').strip()
        b.shows('mv share/d share/moved; rm -r share/e')
        b.shows('%stenon unmount -p %s /n/far/d' % (who, pid))
        b.shows('%stenon unmount -p %s $PWD/a /n/far/e' % (who, pid))
        b.shows('%stenon unmount -p %s /n/far/e' % (who, pid), '', '...file does not exist\n')
        b.shows('touch stop')
        b.read_until(p, 'moved\nD0\n')
        assert p.wait(10) == 1  # grep's
        b.shows('rm -r share stop')


@case('what is mounted within a mount that the host has taken away is unmounted with it')
def _(b):
    for who in people():
        tree(b, x__s3__f='X', d4__s2__f='D')
        p = b.start("exec %stenon run sh -c 'tenon bind $PWD/x /n/k; tenon bind -a \"#ram\" /n/k; tenon bind $PWD/d4 /n/k/s3; "
                    "tenon bind -a \"#ram\" $PWD/d4/s2; cat /n/k/s3/s2/f; echo :$$:; until test -e stop; do sleep 0.005; done; "
                    "ls /n/k; grep -c $PWD/d4 /proc/self/mountinfo'" % who)
        pid = b.read_until(p, ':\n').split(':')[1]
        b.shows('rm -r x/s3')
        b.shows('%stenon unmount -p %s $PWD/d4/s2; touch stop' % (who, pid), '', '', 0)
        assert b.read_until(p, '0\n') == '0\n'
        assert p.wait(10) == 1
        b.shows('rm -r x d4 stop')


@case('beside a bind on a directory of a server one sees what is there now, also when the server has replaced it')
def _(b):
    for who in people():
        tree(b, share__d__s__f='S', share__d__old__f='O', a__f='A')
        e = b.export('share')
        p = b.start("exec %stenon run -m '/n/far=%s' -b /n/far/d/s=$PWD/a sh -c 'cat /n/far/d/old/f; echo $$; "
                    "until test -e stop; do sleep 0.005; done; ls /n/far/d; cat /n/far/d/new/f /n/far/d/s/f /n/far/d/old/f 2>&1'" %
                    (who, e.dial))
        b.read_until(p, '\n')
        b.shows('rm -r share/d; mkdir -p share/d/new share/d/s; echo N >share/d/new/f; chmod -R a+rX share; touch stop')
        b.read_until(p, 'new\ns\nN\nAcat: /n/far/d/old/f: No such file or directory\n')
        assert p.wait(10) == 1
        b.shows('rm -r share stop')


@case('a bind onto a name of the host that is not there leaves no mark')
def _(b):
    tree(b, a__f='A', file='text')
    for who in people():
        inside(b, who, '', 'tenon bind $PWD/a $PWD/no/such; tenon bind $PWD/file $PWD/no/such', '',
               '...no/such: file does not exist, and none is made for it\n...no/such: file does not exist, and none is made for it\n', 1)


@case('a change that cannot be made changes nothing')
def _(b):
    tree(b, a__f='A', file='text')
    for who in people():
        inside(b, who, '', '''
            tenon ns >before
            tenon bind $PWD/file /usr; tenon bind /not/there /n/x; tenon bind $PWD/a /usr/not-there-at-all
            tenon unmount /usr; tenon mount 'unix!/not/there' /n/x; echo bind >/n/ns/ctl
            tenon ns | diff before - && echo same''', 'same\n', None)


@case('what ns prints makes the same name space again')
def _(b):
    tree(b, a__f='A', b__f='B')
    for who in people():
        inside(b, who, '-b /n/k=$PWD/a -B $PWD/b=$PWD/a', 'rm -f saved; tenon ns >saved; chmod 666 saved', '')
        inside(b, who, '', "grep -v '#' saved | grep -v ' /$' | grep -v '^cd' >/dev/shm/lines$$; "
               "while read -r line; do echo \"$line\" >/n/ns/ctl; done </dev/shm/lines$$; rm /dev/shm/lines$$ saved; ls /n/k; ls b; cat b/f", 'f\nf\nA')


@case('whence says which file and server a name is, member by member')
def _(b):
    tree(b, a__f='A', b__f='B')
    for who in people():
        inside(b, who, "-B $PWD/b=$PWD/a -b '/ram=#ram'", 'tenon whence $PWD/b; tenon whence $PWD/b/f; tenon whence /ram',
               '%s/a #host...\n%s/b #host...\n%s/b/f #host...\n#ram #ram...\n' % (b.dir, b.dir, b.dir))


@case('a bound file can be replaced while it is open')
def _(b):
    tree(b, **{'a': 'one', 'b': 'two'})
    for who in people():
        inside(b, who, '', 'exec 9<a; tenon bind $PWD/b $PWD/a; cat a; cat <&9; tenon unmount $PWD/a; cat a', 'twooneone')


@case('with --ro a name space can be changed, its files cannot')
def _(b):
    tree(b, a__f='A')
    for who in people():
        inside(b, who, '--ro', 'tenon bind $PWD/a /n/k; cat /n/k/f; echo x 2>/dev/null >/n/k/f || echo refused', 'Arefused\n', None)


@case('with --no-mount the program changes nothing')
def _(b):
    tree(b, a__f='A')
    e = b.export('a')
    for who in people():
        inside(b, who, '--no-mount', "tenon mount '%s' /n/x || echo refused; tenon bind '#ram' /n/x || echo refused" % e.dial,
               'refused\nrefused\n', None)


@case('a server that is killed ends what is asked of it, and nothing else')
def _(b):
    tree(b, share__f='S')
    for who in people():
        e = b.export('share')
        p = b.start("exec %stenon run -m '/n/far=%s' sh -c 'cat /n/far/f; echo; read x </dev/null; while cat /n/far/f >/dev/null "
                    "2>&1; do sleep 0.005; done; echo lost; ls / >/dev/null && echo others'" % (who, e.dial))
        b.read_until(p, 'S\n')
        e.kill()
        b.read_until(p, 'lost\nothers\n')
        assert p.wait(20) == 0


@case('every open file of a name space outlives the change of the name it was opened by')
def _(b):
    tree(b, a__f='A', b__f='B')
    for who in people():
        inside(b, who, "-B $PWD/b=$PWD/a", 'exec 9<b/f; tenon unmount $PWD/b; cat <&9; cat b/f', 'AB')


@case('git and a data base work in a union')
def _(b):
    tree(b, a__f='A', b__f='B')
    for who in people():
        inside(b, who, '-o create -B /n/u=$PWD/a -a /n/u=$PWD/b', '''
            export HOME=$PWD; cd /n/u
            git init -q r; cd r; git config user.email a@b; git config user.name n; echo text >t; git add t
            git commit -qm one && git fsck 2>/dev/null && git log --oneline | wc -l; cd ..; rm -rf r
            python3 - <<'P'
import sqlite3
a = sqlite3.connect('db'); a.execute('pragma journal_mode=wal'); a.execute('create table t(x)'); a.commit()
b = sqlite3.connect('db')
for i in range(20):
    (a if i % 2 else b).execute('insert into t values(?)', (i,)); a.commit(); b.commit()
print(b.execute('select count(*) from t').fetchone()[0])
P
            rm -f db db-wal db-shm''', '1\n20\n', None)
