"""Files in `tenon run` held against those of a disk: the same program in both, value by value; sqlite and git in #ram.

docs/compatibility-matrix.md, "Files in a name space", has what differs: a difference that it has not, and one that it has
and that is none any more, fail.
"""
import json
import os
import re
import subprocess

from bench import Failed, Skipped, case
from people import AS_USER, open_fuse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIKE_DISK = os.path.join(TOP, 'test/launch/like_disk.py')
ROW = re.compile(r'^\| `(\S+)` \| `(.*)` \| (#ram|union|both) \| `(.*)` \|')


def as_user(b):
    if os.getuid():
        raise Skipped('only root can be another user')
    open_fuse()
    os.chmod(b.dir, 0o755)


def place(b, *names):
    for name in names:
        path = os.path.join(b.dir, name)
        os.mkdir(path)
        os.chown(path, 1000, 1000)


def flat(results):
    """A check that has several values is several checks."""
    found = {}
    for name, value in results.items():
        if isinstance(value, dict):
            found.update({'%s/%s' % (name, k.replace(' ', '-')): v for k, v in value.items()})
        else:
            found[name] = value
    return found


def values(b, front, where):
    r = b.run("%s python3 -B '%s' '%s'" % (front, LIKE_DISK, where), patience=120)
    if r.returncode or r.stderr:
        raise Failed('status %d: %s' % (r.returncode, r.stderr.decode(errors='replace')[-2000:]))
    return flat(json.loads(r.stdout))


def documented(where):
    """{check: (on a disk, here)}"""
    with open(os.path.join(TOP, 'docs/compatibility-matrix.md')) as f:
        rows = [m.groups() for m in map(ROW.match, f) if m]
    return {name: (json.loads(disk), json.loads(here)) for name, disk, on, here in rows if on in (where, 'both')}


def held_against_disk(b, front, where):
    as_user(b)
    if subprocess.check_output(['stat', '-f', '-c', '%t', b.dir]).strip() != b'ef53':
        raise Skipped('no ext4 to compare with')
    place(b, 'disk', 'work', 'one', 'two')
    disk = values(b, AS_USER, os.path.join(b.dir, 'disk'))
    here = values(b, AS_USER + front, os.path.join(b.dir, 'work'))
    differ = {k: (disk[k], here.get(k)) for k in disk if disk[k] != here.get(k)}
    wanted = documented(where)
    wrong = ['%s: `%s` | `%s`; documented: %s' % (k, *(json.dumps(x) for x in differ.get(k, ('', 'no difference'))),
                                                  wanted.get(k)) for k in sorted(set(differ) | set(wanted))
             if differ.get(k) != wanted.get(k)]
    if wrong:
        raise Failed('\n'.join(wrong))


@case('files in #ram do what files on a disk do, but for what is documented')
def _(b):
    held_against_disk(b, "tenon run -b '%s/work=#ram' --" % b.dir, '#ram')


@case('files in a union of two directories of the host do what files on a disk do, but for what is documented')
def _(b):
    held_against_disk(b, "tenon run -o create -b '{0}/work={0}/one' -a '{0}/work={0}/two' --".format(b.dir), 'union')


WRITER = r'''
import sqlite3, sys
c = sqlite3.connect('db', timeout=60, isolation_level=None)
assert c.execute('pragma journal_mode=wal').fetchone()[0] == 'wal'
c.execute('create table if not exists t (who, n, primary key (who, n))')
for n in range(100):
    c.execute('begin immediate')
    c.execute('insert into t values (?, ?)', (sys.argv[1], n))
    c.execute('update sum set n = n + 1')
    c.execute('commit')
'''


@case('three programs write one sqlite database in #ram by WAL, and nothing is lost')
def _(b):
    as_user(b)
    place(b, 'work')
    b.write('writer.py', WRITER, 0o644)
    b.write('all.sh', '''set -e
cd "$1/work"
python3 -c "
import sqlite3
c = sqlite3.connect('db')
c.execute('pragma journal_mode=wal')
c.execute('create table sum (n)')
c.execute('insert into sum values (0)')
c.commit()"
for who in a b c; do python3 -B ../writer.py $who & pids="$pids $!"; done
for pid in $pids; do wait $pid; done
python3 -c "
import sqlite3
c = sqlite3.connect('db')
print(c.execute('select n from sum').fetchone()[0], c.execute('select count(*) from t').fetchone()[0],
      c.execute('pragma integrity_check').fetchone()[0])"
ls db-wal db-shm 2>/dev/null | wc -l
''', 0o644)
    b.shows("%stenon run -b '%s/work=#ram' -- sh all.sh '%s'" % (AS_USER, b.dir, b.dir), '300 300 ok\n0\n', patience=120)


GIT = r'''
set -e
cd "$1/work"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000' GIT_CONFIG_NOSYSTEM=1
git init -q -b main repo
cd repo
git config core.fsync all
for i in 1 2 3 4 5 6 7 8; do mkdir d$i; for k in 1 2 3 4 5; do echo $i $k > d$i/f$k; done; done
ln -s d1/f1 link
chmod 755 d2/f2
git add .
git commit -qm one
git mv d1 moved
echo more >> d3/f1
rm d4/f1
git commit -qam two
git checkout -q -b side HEAD~1
echo side > d5/side
git add .
git commit -qm side
git checkout -q main
git merge -q -m merged side
git gc -q --prune=now
git fsck --strict 2>&1
git status --porcelain
git clone -q . ../clone
(cd ../clone && echo pushed > p && git add . && git commit -qm pushed && git push -q origin HEAD:refs/heads/pushed)
git log --all --oneline --format='%H %s' | sort
git ls-files -s | sha1sum
git stash list
git worktree add -q ../tree pushed
ls ../tree | sort
'''


@case('git in #ram makes the same history as on a disk: commits, merge, gc, clone, push, worktree')
def _(b):
    as_user(b)
    if b.run('git --version').returncode:
        raise Skipped('no git here')
    place(b, 'work')
    b.write('git.sh', GIT, 0o644)
    outside = b.run("%ssh git.sh '%s'" % (AS_USER, b.dir), patience=60)
    if outside.returncode or outside.stderr:
        raise Failed('outside: %r' % outside)
    os.rename(os.path.join(b.dir, 'work'), os.path.join(b.dir, 'outside'))
    place(b, 'work')
    b.shows("%stenon run -b '%s/work=#ram' -- sh git.sh '%s'" % (AS_USER, b.dir, b.dir), outside.stdout.decode(),
            patience=120)
