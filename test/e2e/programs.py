"""Real programs on a tree of another node: `tenon run` by uid 1000, the exporter and the tree on its disk are uid 1001's.

A script is run outside first, in a plain directory, then inside, where an imported tree stands at the same absolute
path: what it prints outside is what it has to print inside. docs/compatibility-matrix.md says what 9P2000 cannot.
"""
import hashlib
import io
import os
import random
import shutil
import subprocess
import tarfile

from bench import Failed, Skipped, case
from launch_process import AS_USER, open_fuse

NEAR, FAR = 1000, 1001
AS_FAR = AS_USER.replace(str(NEAR), str(FAR))
# Where a tree of the exporter's stands for the programs. In the union what is made at its top goes to #ram.
TREES = {
    'the import': "-m '/n/far={dial}' -b '{work}=/n/far/{name}'",
    'a union of it with #ram': "-m '/n/far={dial}' -o create -b '{work}=#ram' -a '{work}=/n/far/{name}'",
}
SUMS = "find . -type f -exec sha256sum {} + | sort -k 2\n"


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skipped('no %s here' % program)


def give(path, uid):
    """The tree is the user's, as if he had made it."""
    for top, dirs, files in os.walk(path):
        for name in [top] + [os.path.join(top, x) for x in files]:
            os.lchown(name, uid, uid)


class Nodes:
    """Two users' directories: `far` is exported, `work` is where programs work, `near` what else the consumer has."""

    def __init__(self, b):
        if os.getuid():
            raise Skipped('only root can be two other users')
        open_fuse()
        self.b = b
        os.chmod(b.dir, 0o755)
        self.far, self.near, self.work = (os.path.join(b.dir, x) for x in ('far', 'near', 'work'))
        for path, uid in ((self.far, FAR), (self.near, NEAR), (self.work, NEAR)):
            os.mkdir(path)
            os.chown(path, uid, uid)
        self.dial = b.export("'%s'" % self.far, prefix=AS_FAR).dial

    def run(self, front, script, patience):
        path = self.b.write('script.sh', 'set -e\n' + script)
        os.chmod(path, 0o644)
        p = subprocess.Popen(['sh', '-c', "exec %s sh '%s'" % (front, path)], cwd=self.work, env=self.b.env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = (x.decode(errors='backslashreplace') for x in p.communicate(timeout=patience))
        except subprocess.TimeoutExpired:
            p.kill()  # all that is in the name space ends with it
            p.communicate()
            raise Failed('not done within %d s: %s' % (patience, script))
        if p.returncode or err:
            raise Failed('%s: status %d\n%s\n%s' % (front, p.returncode, out[-2000:], err[-2000:]))
        return out

    def outside(self, script, fill=None, patience=60):
        """What the script prints in a plain directory called `work`; the directory is `outside` from then on."""
        if fill:
            fill(self.work)
        give(self.work, NEAR)
        out = self.run(AS_USER, script, patience)
        os.rename(self.work, os.path.join(self.b.dir, 'outside'))
        os.mkdir(self.work)
        return out

    def inside(self, tree, name, script, fill=None, patience=60):
        """The same in the exporter's directory `name`, which stands at `work` as TREES says."""
        path = os.path.join(self.far, name)
        os.mkdir(path)
        if fill:
            fill(path)
        give(path, FAR)
        return self.enter(tree, name, script, patience)

    def enter(self, tree, name, script, patience=60):
        options = TREES[tree].format(dial=self.dial, work=self.work, name=name)
        return self.run('%stenon run %s --' % (AS_USER, options), 'cd "%s"\n' % self.work + script, patience)

    def agree(self, script, fill=None, trees=('the import',), patience=60):
        want = self.outside(script, fill, patience)
        for i, tree in enumerate(trees):
            same(tree, self.inside(tree, 'tree%d' % i, script, fill, patience), want)
        return want

    def on_disk(self, name):
        return contents(os.path.join(self.far, name))


def contents(path):
    """{name: (owner, mode, whole seconds of its last change, checksum of a file)}"""
    found = {}
    for top, dirs, files in os.walk(path):
        for name in files + dirs:
            full = os.path.join(top, name)
            st = os.lstat(full)
            found[os.path.relpath(full, path)] = (st.st_uid, st.st_mode & 0o7777, int(st.st_mtime),
                                                  checksum(full) if name in files else None)
    return found


def checksum(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def stored(what, got, want, times=True):
    """The same names, modes and bytes, and times of change."""
    def chosen(files):
        return {k: v[1:] if times else (v[1], v[3]) for k, v in files.items()}
    got, want = chosen(got), chosen(want)
    wrong = [(k, got.get(k), want.get(k)) for k in sorted(set(got) | set(want)) if got.get(k) != want.get(k)]
    if wrong:
        raise Failed('%s, on the disk (name, there, wanted): %r' % (what, wrong[:10]))


def same(what, got, want):
    if got == want:
        return
    got, want = got.splitlines(), want.splitlines()
    raise Failed('%s prints otherwise:\n    only there: %r\n    only outside: %r' %
                 (what, [x for x in got if x not in want][:20], [x for x in want if x not in got][:20]))


# ---- building ----

CONFIGURE = r'''#!/bin/sh
# Makes a program and runs it, as such scripts do, and writes what it says to config.h.
set -e
printf '#include <stdio.h>\nint main(void) { printf("%%d\\n", (int)sizeof(long)); return 0; }\n' >conftest.c
cc -o conftest conftest.c
sed "s/@LONG@/$(./conftest)/" config.h.in >config.h.new
rm conftest conftest.c
mv config.h.new config.h
sed 's/@CC@/cc/' Makefile.in >Makefile
'''
MAKEFILE = r'''CC = @CC@
CFLAGS = -g -O1 -Wall -I. -Iinclude -MMD
UNITS = $(patsubst src/%.c,obj/%.o,$(wildcard src/unit*.c))
all: prog
prog: obj/main.o obj/table.o libunits.a
	$(CC) -o $@ $^
	install -m 750 prog prog.installed
libunits.a: $(UNITS)
	ar rcsD $@ $^
mktable: src/mktable.c
	$(CC) -g -o $@ $<
table.c: mktable
	./mktable >$@.new
	mv $@.new $@
obj/table.o: table.c | obj
	$(CC) $(CFLAGS) -c -o $@ $<
obj/%.o: src/%.c config.h | obj
	$(CC) $(CFLAGS) -c -o $@ $<
obj:
	mkdir obj
-include $(wildcard obj/*.d)
'''
N_UNITS = 98  # and main.c, mktable.c


def c_project(top):
    def put(name, text, mode=0o644):
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, mode)

    put('configure', CONFIGURE, 0o755)
    put('Makefile.in', MAKEFILE)
    put('config.h.in', '#define LONG @LONG@\n')
    put('src/mktable.c', '#include <stdio.h>\nint main(void)\n{\n\tputs("const int table[3] = { 3, 5, 7 };");\n\treturn 0;\n}\n')
    put('src/main.c', '#include <stdio.h>\n#include "unit00.h"\nint main(void)\n{\n\tprintf("%d\\n", unit00(5));\n\treturn 0;\n}\n')
    for i in range(N_UNITS):
        calls = sorted({(i * 7 + 1) % N_UNITS, (i * 13 + 2) % N_UNITS})
        put('include/unit%02d.h' % i, 'int unit%02d(int depth);\n' % i)
        put('src/unit%02d.c' % i, '#include "config.h"\n#include "unit%02d.h"\n' % i +
            ''.join('#include "unit%02d.h"\n' % k for k in calls) +
            'extern const int table[3];\nstatic const char file[] = __FILE__;\nint unit%02d(int depth)\n{\n' % i +
            '\tif (depth == 0)\n\t\treturn (int)sizeof(file) * LONG + table[%d];\n' % (i % 3) +
            '\treturn %d + %s;\n}\n' % (i, ' + '.join('unit%02d(depth - 1)' % k for k in calls)))


@case('a C project of 100 files, configured and built on an import and on a union of it with #ram, is what it is outside')
def _(b):
    needs('cc', 'make', 'ar')
    n = Nodes(b)
    n.agree('./configure\nmake -s -j2\nmake all\n./prog\n./prog.installed\n' + SUMS + 'find . ! -user 1000 -o ! -group 1000\n',
            c_project, TREES, 240)
    stored('the build', n.on_disk('tree0'), contents(os.path.join(b.dir, 'outside')), times=False)
    assert {v[0] for v in n.on_disk('tree0').values()} == {FAR}, "something on the disk is not the exporter's"
    plain = os.path.join(b.dir, 'plain')
    os.mkdir(plain)
    c_project(plain)
    stored('below the union', n.on_disk('tree1'), contents(plain), times=False)


# ---- archives and copies ----

def some_tree(top):
    """Files of all sorts that 9P2000 can have, with old and new times and several modes; the same each time."""
    rng = random.Random(9)
    for i in range(60):
        name = os.path.join(top, rng.choice(['src', 'src/a', 'src/a/b', 'src/with space', 'src/\u00fcml\u00e4ut']), 'f%d' % i)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, 'wb') as f:
            f.write(rng.randbytes(rng.choice([0, 1, 500, 4096, 70000])))
        os.chmod(name, rng.choice([0o644, 0o600, 0o755, 0o444, 0o640, 0o666, 0o777]))
    with open(os.path.join(top, 'src/large'), 'wb') as f:
        f.write(rng.randbytes(3000000))
    for i, (path, dirs, files) in enumerate(os.walk(os.path.join(top, 'src'), topdown=False)):
        for k, name in enumerate(files):
            os.utime(os.path.join(path, name), (0, 86400 * (i * 300 + k) + 1000000000))
        os.chmod(path, [0o755, 0o750, 0o700, 0o777][i % 4])
        os.utime(path, (0, 86400 * i + 1000000000))


# -printf: not of directories' size and times, which are their server's own affair where nothing has set them.
LISTED = "find {0} -type f -printf '%P %m %s %TY-%Tm-%Td %TT %u\\n' | sort\nfind {0} -type d -printf '%P %m\\n' | sort\n"


@case('tar packs and unpacks a tree on an import, with its modes and times, and finds no difference')
def _(b):
    needs('tar')
    n = Nodes(b)
    n.agree('tar --sort=name -cf all.tar src\ntar -tvf all.tar\nsha256sum all.tar\nmkdir out\ntar -C out -xpf all.tar\n'
            'tar -C out --compare -f all.tar\ndiff -r src out/src\n' + LISTED.format('out'), some_tree)
    stored('what was unpacked', n.on_disk('tree0/out/src'), n.on_disk('tree0/src'))


def archive_of(n_files):
    def fill(top):
        """all.tar: that many files in directories of a hundred, the same each time."""
        rng = random.Random(20)
        with tarfile.open(os.path.join(top, 'all.tar'), 'w') as tar:
            for i in range(n_files):
                if i % 100 == 0:
                    tar.addfile(made('d%03d' % (i // 100), tarfile.DIRTYPE, 0o755, i))
                name = 'd%03d/f%05d' % (i // 100, i)
                if i % 50 == 49:
                    tar.addfile(made(name, tarfile.SYMTYPE, 0o777, i, linkname='f%05d' % (i - 1)))
                elif i % 50 == 48:
                    tar.addfile(made(name, tarfile.LNKTYPE, 0o644, i - 1, linkname='d%03d/f%05d' % (i // 100, i - 1)))
                else:
                    data = rng.randbytes(rng.choice([0, 7, 600, 3000]))
                    tar.addfile(made(name, tarfile.REGTYPE, rng.choice([0o644, 0o600, 0o755]), i, size=len(data)), io.BytesIO(data))
    return fill


def made(name, type, mode, i, **kw):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime, info.uid, info.gid = type, mode, 1000000000 + i, NEAR, NEAR
    for k, v in kw.items():
        setattr(info, k, v)
    return info


MANY = """mkdir out
tar -C out -xpf all.tar
tar -C out --compare -f all.tar
find out -type f -printf '%P %m %s %TY-%Tm-%Td %TT %n %u\\n' -o -type l -printf '%P %l\\n' -o -printf '%P %m %u\\n' | sort >list
wc -l <list
sha256sum list
find out -type f -newermt '2001-09-09 02:46:41' -size -8c | wc -l
cd out
find . -type f -exec sha256sum {} + | sort -k 2 | sha256sum
cd ..
rm -r out/d001
find out -links +1 -name 'f000*' | sort
rm -r out
ls
"""


@case('tar unpacks 1,000 files on an import and on a union of it with #ram, and find and rm see what they see outside')
def _(b):
    needs('tar')
    Nodes(b).agree(MANY, archive_of(1000), TREES, 120)


@case('rsync -a carries a tree to an import and back, then what changed, and the next time nothing')
def _(b):
    needs('rsync')
    n = Nodes(b)
    some_tree(n.near)
    give(n.near, NEAR)
    near, back = n.near + '/src/', n.near + '/back/'
    n.agree('rsync -a {0} there/\necho again\nrsync -ai {0} there/\n'.format(near) + LISTED.format('there') +
            'rm there/large\necho more >>there/a/added\nchmod 751 there/a/b\necho changed\nrsync -ai --delete {0} there/ | sort\n'
            'echo again\nrsync -ai --delete {0} there/\n'.format(near) +
            'rm -rf {0}\nrsync -a there/ {0}\necho back\nrsync -ai there/ {0}\n'.format(back) + LISTED.format(back))
    stored('what was carried', n.on_disk('tree0/there'), contents(near))


@case('python compiles a package on an import once, and runs from what it compiled')
def _(b):
    needs('python3')
    n = Nodes(b)

    def package(top):
        os.makedirs(top + '/pkg/sub')
        for i in range(30):
            with open('%s/pkg/%sm%d.py' % (top, 'sub/' if i % 2 else '', i), 'w') as f:
                f.write('X = %d\n' % i)
            os.utime(f.name, (0, 1000000000 + i))
        for name in ('pkg/__init__.py', 'pkg/sub/__init__.py'):
            with open(os.path.join(top, name), 'w') as f:
                f.write('from . import m%d\n' % ('sub' in name))
            os.utime(f.name, (0, 1100000000))
    # The .pyc files hold the time and the length of their source: if those were wrong, it would compile them again.
    n.agree("python3 -m compileall -q pkg\n" + SUMS + "find . -name '*.pyc' -printf '%i\\n' | sort >../near/first\n"
            "python3 -m compileall pkg\nfind . -name '*.pyc' -printf '%i\\n' | sort | cmp - ../near/first\n"
            "python3 -v -c 'import pkg, pkg.sub.m7; print(pkg.m0.X, pkg.sub.m1.X, pkg.sub.m7.X)' 2>&1 | "
            "grep -e '/pkg/.*matches' -e ' wrote ' -e '^[0-9]' | sort\n"
            "rm -r pkg/__pycache__ pkg/sub/__pycache__\npython3 -m compileall -q -b pkg\nfind pkg -name '*.py' -delete\n"
            "python3 -c 'import pkg.sub.m9; print(pkg.sub.m9.X, pkg.sub.m9.__file__)'\n", package)


GIT = '''export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
git config --global init.defaultBranch main
git config --global core.filemode true
'''


@case('git makes, clones, checks, packs and pulls repositories on an import and on a union of it with #ram')
def _(b):
    needs('git')
    n = Nodes(b)
    os.chown(b.dir, NEAR, NEAR)  # HOME
    n.agree(GIT + 'git init -q repo\ncp -a src repo/\ncd repo\ngit add .\ngit commit -qm one\ngit status --porcelain\n'
            'git rev-parse HEAD\ngit fsck --strict\ncd ..\n'
            'git clone -q --no-local repo again\ngit clone -q repo near.git\ngit -C again status --porcelain\n'
            'git -C again fsck --strict\ndiff -r repo/src again/src\n'
            'echo more >>again/src/large\ngit -C again commit -qam two\ngit -C again log --oneline\ngit -C again gc -q\n'
            'git -C again fsck --strict\ngit -C repo pull -q ../again main\ngit -C repo rev-parse HEAD\n'
            'git -C repo checkout -q HEAD~1\ngit -C repo status --porcelain\ngit -C repo checkout -q main\n'
            'rm -rf {0}\ngit clone -q repo {0}\ngit -C {0} status --porcelain\ngit -C {0} fsck --strict\n'
            'git clone -q {0} from-near\ngit -C from-near status --porcelain\ngit -C from-near rev-parse HEAD\n'.format(n.near + '/clone'),
            some_tree, TREES, patience=120)


# ---- databases, and what verifies itself ----

SQLITE = '''import hashlib, os, sqlite3, sys, time
def connect():
    db = sqlite3.connect('db', timeout=60, isolation_level=None)
    db.execute('PRAGMA synchronous = NORMAL')
    return db

def write(who):
    db = connect()
    for n in range(150):
        db.execute('BEGIN IMMEDIATE')
        db.execute('INSERT INTO rows VALUES (?, ?, ?)', (who, n, '%d' % n * (n % 40 * 20)))
        db.execute('UPDATE counter SET n = n + 1')
        db.execute('COMMIT')
        if n == 75:
            db.execute('PRAGMA wal_checkpoint(PASSIVE)')
    os._exit(0)

db = connect()
print(db.execute('PRAGMA journal_mode = WAL').fetchone(), sorted(os.listdir('.')))
db.execute('CREATE TABLE rows (who INTEGER, n INTEGER, text TEXT, PRIMARY KEY (who, n))')
db.execute('CREATE TABLE counter (n INTEGER)')
db.execute('INSERT INTO counter VALUES (0)')
print(sorted(os.listdir('.')))
db.close()
pids = []
for who in range(3):
    pids.append(os.fork())
    if not pids[-1]:
        write(who)
db = connect()
seen = 0
while pids:
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid:
        assert not status, 'a writer failed'
        pids.remove(pid)
    now, rows = db.execute('SELECT counter.n, (SELECT count(*) FROM rows) FROM counter').fetchone()
    assert now == rows and now >= seen, (seen, now, rows)  # what a reader sees is one state, and none that is older
    seen = now
    time.sleep(0.002)
print(db.execute('PRAGMA integrity_check').fetchall(), db.execute('SELECT n FROM counter').fetchall())
print(db.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone())
dump = '\\n'.join(str(row) for row in db.execute('SELECT * FROM rows ORDER BY who, n'))
print(hashlib.sha256(dump.encode()).hexdigest())
print(db.execute('PRAGMA journal_mode = DELETE').fetchone())
db.close()
print(sorted(os.listdir('.')))
'''


@case('sqlite in WAL mode has three writers and a reader on an import and on a union of it with #ram')
def _(b):
    # Its -shm is mapped shared by all of them, and grows while it is.
    n = Nodes(b)
    path = b.write('wal.py', SQLITE, 0o644)
    n.agree("mkdir wal\ncd wal\npython3 '%s'\nrm db\ncd ..\nrmdir wal\n" % path, None, TREES, 120)


# Each row is a job: what is written is read back, and each block says itself whose and where it is.
FIO = '''fio --output=fio.log --verify=crc32c --verify_fatal=1 --do_verify=1 --randseed=7 --size=4M --group_reporting \\
    --name=psync --filename=a --rw=randrw --bsrange=512-64k --ioengine=psync \\
    --name=append --stonewall --filename=b --rw=write --bs=4k --ioengine=sync --fsync=64 \\
    --name=aio --stonewall --filename=c --rw=randwrite --bs=4k --ioengine=libaio --iodepth=8 \\
    --name=mapped --stonewall --filename=d --rw=randwrite --bs=4k --ioengine=mmap \\
    --name=threads --stonewall --directory=. --filename=e --rw=randwrite --bs=8k --thread --numjobs=2 --offset_increment=4M
grep -c 'err= 0' fio.log
rm fio.log
stat -c '%n %s' ?
'''


@case('fio reads back what it has written on an import and on a union of it with #ram')
def _(b):
    needs('fio')
    Nodes(b).agree(FIO, None, TREES, 120)


# ---- sizes ----

GIB = 1 << 30


def large_files(top):
    rng = random.Random(30)
    some_tree(top)
    with open(os.path.join(top, '30M'), 'wb') as f:
        f.write(rng.randbytes(30000000))
    with open(os.path.join(top, 'hole'), 'wb') as f:
        for at, text in ((4 * GIB - 3, b'across 4 GiB'), (5 * GIB, b'the far end')):
            f.seek(at)
            f.write(text)


@case('a file of 30 MB and one of 5 GiB with holes are the same from inside and from outside, read and written')
def _(b):
    n = Nodes(b)
    large_files(n.near)
    give(n.near, NEAR)
    at = 'dd if=hole bs=64 iflag=skip_bytes,count_bytes skip=%d count=%d status=none | od -c\n'
    n.agree('sha256sum 30M\ncmp 30M {0}/30M\ndiff -r src {0}/src\nstat -c %s hole\n'.format(n.near) +
            at % (4 * GIB - 8, 20) + at % (5 * GIB - 5, 20) + at % (3 * GIB, 20) + 'tail -c 5 hole\n'
            'printf written | dd of=hole bs=64 oflag=seek_bytes seek=%d conv=notrunc status=none\n' % (6 * GIB - 3) +
            at % (6 * GIB - 8, 20) + 'stat -c %s hole\ncp 30M copy\nsha256sum copy\nrm 30M\nmv copy 30M\n', large_files)
    with open(os.path.join(n.far, 'tree0/hole'), 'rb') as f:
        f.seek(6 * GIB - 5)
        assert f.read() == b'\0\0written'
    assert checksum(os.path.join(n.far, 'tree0/30M')) == checksum(os.path.join(n.near, '30M'))


@case('a directory of 10,000 files is listed whole, and what is made or removed in it is found or missed')
def _(b):
    def many_files(top):
        os.mkdir(os.path.join(top, 'many'))
        for i in range(10000):
            with open('%s/many/file%05d' % (top, i), 'w') as f:
                f.write('x' * (i % 97))
    Nodes(b).agree("ls many | sha256sum\nls -f many | wc -l\nfind many -type f -printf '%P %s\\n' | sort | sha256sum\n"
                   'cat many/file0123? | sha256sum\nrm many/file0?[0-4]00 many/file09999\nls many | sha256sum\necho more >many/file10001\n'
                   'ls many | tail -n 2\ncat many/file10001\ntest ! -e many/file09999\n', many_files)


# ---- owners ----

@case("what is made on an import is the exporter's on his disk and one's own inside; what he may not read one may not either")
def _(b):
    n = Nodes(b)
    tree = os.path.join(n.far, 'tree')
    os.mkdir(tree)
    for name, uid, mode in (('his', FAR, 0o600), ('secret', 0, 0o600), ('open', 0, 0o644)):
        with open(os.path.join(tree, name), 'w') as f:
            f.write(name + '\n')
        os.chown(f.name, uid, uid)
        os.chmod(f.name, mode)
    os.chown(tree, FAR, FAR)
    got = n.enter('the import', 'tree', 'mkdir d\necho x >d/f\ncp -a his d/copy\ntouch d/t\nchmod 640 d/f\nchown "$(id -u):$(id -g)" d/f\n'
                  'mv d/f d/g\nfind . ! -user 1000 -o ! -group 1000\ncat his open\ncat secret 2>&1 || ls d\n')
    same('the import', got, 'his\nopen\ncat: secret: Permission denied\ncopy\ng\nt\n')
    for name in ('d', 'd/g', 'd/copy', 'd/t'):
        st = os.lstat(os.path.join(tree, name))
        assert (st.st_uid, st.st_gid) == (FAR, FAR), name
    same('the disk', '%o %o' % (st_mode(tree, 'd/g'), st_mode(tree, 'd/copy')), '640 600')


def st_mode(*name):
    return os.lstat(os.path.join(*name)).st_mode & 0o7777


# ---- the other side ----

ROUNDS = '''import os, sys
disk = sys.argv[1]
for i in range(300):
    text = '%04d' % i
    with open(disk + '/f', 'r+') as f:  # as somebody on the other node does it
        f.write(text)
    if i % 3 == 0:
        os.replace(disk + '/f', disk + '/g')
        os.rename(disk + '/g', disk + '/f')
    with open('f') as f:
        assert f.read() == text, 'round %d' % i
    with open('back%d' % (i % 2), 'w') as f:
        f.write(text)
    with open(disk + '/back%d' % (i % 2)) as f:
        assert f.read() == text, 'round %d, back' % i
    assert sorted(os.listdir('.')) == sorted(os.listdir(disk)), 'round %d, names' % i
'''


@case('what is changed on the exporter\'s disk is what the next open reads, though its length and second are the same')
def _(b):
    n = Nodes(b)
    tree = os.path.join(n.far, 'tree')
    os.mkdir(tree)
    with open(tree + '/f', 'w') as f:
        f.write('....')
    give(tree, FAR)
    os.chmod(tree, 0o777)
    os.chmod(tree + '/f', 0o666)
    path = b.write('rounds.py', ROUNDS)
    n.enter('the import', 'tree', "python3 '%s' '%s'\n" % (path, tree))
