"""Real programs on a mount of 9P2000.L, with each cache, held against the same on a file system in memory."""
import os

from guest import Failed, case

CACHES = ['none', 'mmap', 'loose']


def places(g, cache, source='{}/tree', is_here=False):
    """A directory of memory, and a mount of `source` at the other side, or in here."""
    if not hasattr(g, 'places'):
        here = g.dir + '/here'
        os.mkdir(here)
        options = 'version=9p2000.L,cache=' + cache
        if is_here:
            os.mkdir(g.dir + '/tree')
            mount = g.mount('trans=unix,msize=131072,' + options, g.export_unix(source.format(g.dir)))
        else:
            g.desk.sh('mkdir -p tree')
            mount = g.v9fs(g.desk.export("'%s'" % source.format(g.desk.where())), options)
        g.places = [here, mount]
    return g.places


def both(g, cache, command, seconds=300):
    """The same command in a directory of memory and in one of the mount. -> what both printed"""
    said = [g.sh('export HOME=$PWD LC_ALL=C GIT_CONFIG_NOSYSTEM=1; ' + command, seconds, cwd=at).replace(at, 'DIR')
            for at in places(g, cache)]
    if said[0] != said[1]:
        raise Failed('%s: %r, not %r' % (command, said[1][-600:], said[0][-600:]))
    return said[0]


def each(name, caches=CACHES, **kw):
    def mark(fn):
        for cache in caches:
            case('%s, cache=%s' % (name, cache), cache, **kw)(fn)
        return fn
    return mark


@each('git: init, commit, clone, status, gc, fsck', seconds=600)
def _(g, cache):
    identity = 'git -c user.name=a -c user.email=a@b -c init.defaultBranch=main -c gc.auto=0 '
    os.environ.update(GIT_AUTHOR_DATE='2020-01-01T00:00:00Z', GIT_COMMITTER_DATE='2020-01-01T00:00:00Z')
    both(g, cache, identity + 'init -q one; cd one; for i in $(seq 60); do echo $i >f$i; done; git add .; %scommit -qm a; '
         'git status --porcelain; git rev-parse HEAD' % identity)
    both(g, cache, identity + 'clone -q one two; cd two; git status --porcelain; echo x >>f7; git status --porcelain; git diff --stat')
    both(g, cache, 'cd two; %scommit -qam b; git log --format=%%h; git gc -q; git fsck 2>&1; cd ../one; git pull -q ../two; ls | wc -l'
         % identity)


@each('a compile', seconds=300)
def _(g, cache):
    places(g, cache, is_here=True)  # of one clock: make warns of files that come from the future
    both(g, cache, r"""for i in 1 2 3 4 5; do echo "int f$i(void) { return $i; }" >f$i.c; done
printf 'int f1(void), f5(void);\nint main(void) { return f1() + f5() - 6; }\n' >main.c
printf 'main: main.o f1.o f2.o f3.o f4.o f5.o\n\tcc -o $@ $^\n' >Makefile
make -s && ./main && make | sed 's/make: //' && md5sum *.o && touch f1.c && make -n""")


# WAL maps its index shared and writable: with cache=none Linux has no such maps.
@each('sqlite with WAL', caches=['mmap', 'loose'], seconds=300)
def _(g, cache):
    both(g, cache, """sqlite3 db 'pragma journal_mode=wal; create table t(n integer primary key, x blob);'
for i in 1 2 3; do sqlite3 db "begin; with recursive c(n) as (select 1 union all select n+1 from c where n<2000)
insert into t select null, zeroblob(n % 500) from c; commit; select count(*), sum(length(x)) from t;"; done
sqlite3 db 'pragma wal_checkpoint(truncate); pragma integrity_check; vacuum; select count(*) from t'""")


@each('sqlite with a rollback journal', seconds=300)
def _(g, cache):
    both(g, cache, """sqlite3 db 'create table t(n integer primary key, x blob);'
for i in 1 2 3; do sqlite3 db "begin; with recursive c(n) as (select 1 union all select n+1 from c where n<2000)
insert into t select null, zeroblob(n % 500) from c; commit; select count(*), sum(length(x)) from t;"; done
sqlite3 db 'pragma integrity_check; vacuum; select count(*) from t'""")


FIO = 'fio --name=v --filename=f --size=%s --rw=%s --bs=%s --verify=crc32c --do_verify=1 --ioengine=%s --randseed=7 --minimal'


@each('fio --verify', seconds=600)
def _(g, cache):
    engines = ['psync'] + (['mmap'] if cache != 'none' else [])
    for engine in engines:
        for rw, bs in (('write', '64k'), ('randwrite', '4k'), ('randwrite', '4k-60k')):
            both(g, cache, FIO % ('4m', rw, bs, engine) + ' >out 2>&1 || { cat out; exit 1; }; grep -ci verify.*fail out; md5sum <f | wc -c')
