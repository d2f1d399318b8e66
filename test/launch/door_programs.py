"""Real programs on what the FUSE door shows."""
import os
import random
import sqlite3
import sys

from doorbench import case, needs, put, run, same, together


def make_tree(d):
    os.makedirs(d + '/sub/deeper')
    rng = random.Random(5)
    for i in range(40):
        put('%s/%s/f%d' % (d, rng.choice(('', 'sub', 'sub/deeper')), i), rng.randbytes(rng.randrange(30000)))
    os.chmod(d + '/sub', 0o750)


@case('cp -a, tar and diff agree about a tree')
def _(h):
    make_tree('src')
    run('cp', '-a', 'src', 'copy')
    run('diff', '-r', 'src', 'copy')
    run('tar', 'cf', 't.tar', 'src')
    os.mkdir('out')
    run('tar', 'xf', 't.tar', '-C', 'out')
    run('diff', '-r', 'src', 'out/src')
    run('tar', 'df', 't.tar')
    same(os.stat('out/src/sub').st_mode & 0o777, 0o750)
    run('rm', '-r', 'src', 'copy', 'out')
    same(os.listdir('.'), ['t.tar'])


@case('rsync copies a tree and finds nothing to do the second time')
def _(h):
    needs('rsync')
    make_tree('src')
    run('rsync', '-a', 'src/', 'dst/')
    run('diff', '-r', 'src', 'dst')
    same(run('rsync', '-ai', 'src/', 'dst/').strip(), b'')


@case('git makes a repository, commits, clones and checks it')
def _(h):
    needs('git')
    env = dict(os.environ, HOME=h.d, GIT_AUTHOR_NAME='a', GIT_AUTHOR_EMAIL='a@b', GIT_COMMITTER_NAME='a',
               GIT_COMMITTER_EMAIL='a@b', GIT_CONFIG_NOSYSTEM='1')
    os.mkdir('repo')
    make_tree('repo/src')
    run('git', 'init', '-q', cwd='repo', env=env)
    run('git', 'add', '.', cwd='repo', env=env)
    run('git', 'commit', '-qm', 'x', cwd='repo', env=env)
    same(run('git', 'status', '--porcelain', cwd='repo', env=env), b'')
    run('git', 'clone', '-q', '--no-local', 'repo', 'again', env=env)
    run('git', 'fsck', '--strict', cwd='again', env=env)
    run('diff', '-r', 'repo/src', 'again/src')
    run('git', 'gc', '-q', cwd='repo', env=env)
    put('repo/src/new', b'y')
    run('git', 'add', '.', cwd='repo', env=env)
    run('git', 'commit', '-qm', 'y', cwd='repo', env=env)
    run('git', 'fsck', '--strict', cwd='repo', env=env)


@case('python compiles a package and runs from what it compiled')
def _(h):
    os.makedirs('pkg')
    for i in range(20):
        put('pkg/m%d.py' % i, b'X = %d\n' % i)
    put('pkg/__init__.py', b'')
    env = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
    run(sys.executable, '-m', 'compileall', '-q', 'pkg', env=env)
    same(len(os.listdir('pkg/__pycache__')), 21)
    same(run(sys.executable, '-c', 'import pkg.m7; print(pkg.m7.X)', env=env), b'7\n')


@case('make builds a small C project, and the second time does nothing')
def _(h):
    needs('make')
    needs('cc')
    for i in range(6):
        put('f%d.c' % i, b'int f%d(int x) { return x + %d; }\n' % (i, i))
    put('main.c', b'#include <stdio.h>\nint f5(int);\nint main(void) { printf("%d\\n", f5(37)); return 0; }\n')
    put('Makefile', b'O = main.o ' + b' '.join(b'f%d.o' % i for i in range(6)) +
        b'\nprog: $(O)\n\tcc -o $@ $(O)\nlib.a: $(O)\n\tar rcs $@ $(O)\n')
    run('make', '-j4', 'prog', 'lib.a')
    same(run('./prog'), b'42\n')
    assert b'up to date' in run('make', 'prog')


@case('ninja builds with dependencies and its log')
def _(h):
    needs('ninja')
    needs('cc')
    put('a.c', b'#include "a.h"\nint main(void) { return A; }\n')
    put('a.h', b'#define A 0\n')
    put('build.ninja', b'rule cc\n  command = cc -MD -MF $out.d -o $out $in\n  depfile = $out.d\n  deps = gcc\n'
                       b'build a: cc a.c\n')
    run('ninja')
    run('./a')
    assert b'no work to do' in run('ninja')
    st = os.stat('a.h')
    put('a.h', b'#define A (0 + 0)\n')
    os.utime('a.h', ns=(st.st_atime_ns, st.st_mtime_ns + 5_000_000_000))
    assert b'no work to do' not in run('ninja')


def use_sqlite(journal):
    def work(i):
        db = sqlite3.connect('db', timeout=60)
        for k in range(15):
            with db:
                db.execute('insert into t values (?, ?)', (i, k))
        db.close()
    db = sqlite3.connect('db', timeout=60)
    same(db.execute('pragma journal_mode=' + journal).fetchone()[0], journal)
    db.execute('create table t (a, b)')
    db.commit()
    db.close()
    together(3, work)
    db = sqlite3.connect('db')
    same(db.execute('select count(*) from t').fetchone()[0], 45)
    same(db.execute('pragma integrity_check').fetchone()[0], 'ok')
    db.close()


@case('sqlite with a journal and three writers keeps every row')
def _(h):
    use_sqlite('delete')


@case('sqlite with a write-ahead log and three writers keeps every row')
def _(h):
    use_sqlite('wal')
