"""Every way to mount: version, cache, transport, access; #ram and a directory of the host; as root and as somebody else.
What differs from a disk is a row of DIFFERS, with its cause: a check that differs otherwise fails, and one that does not.
docs/compatibility-matrix.md has the same for people."""
import collections
import os
import socket

import basics
from guest import DAEMON, Failed, as_user, case

VERSIONS = ['9p2000', '9p2000.u', '9p2000.L']
CACHES = ['none', 'mmap', 'loose']
USERS = {'root': 0, 'daemon': DAEMON}
SOURCES = {'ram': "'#ram'", 'directory': "'{}/tree'"}
Way = collections.namedtuple('Way', 'trans access sources few')
WAYS = [
    Way('tcp', '', ['ram', 'directory'], False),
    Way('tcp', 'any', ['ram'], True),
    Way('tcp', 'client', ['directory'], True),
    Way('unix', '', ['ram'], True),
    Way('fd', '', ['directory'], True),
]

# What comes of a check that is not 'ok'. '' stands for all.
Row = collections.namedtuple('Row', 'checks result versions caches sources users')
DIFFERS = [
    # wstat(5): a name that is there is an error. Tenon's own client, and 9P2000.L, replace.
    Row('rename_over', 'EEXIST', '9p2000 9p2000.u', '', '', ''),
    # v9fs asks for none: it is a Twstat of the name alone.
    Row('rename_to_another_directory', 'EXDEV', '9p2000 9p2000.u', '', '', ''),
    # Linux cuts what utimensat(2) sets to whole seconds: v9fs says nothing of its s_time_gran. Files' own times are whole in .L.
    Row('times', 'wrong 1012708986000000000', '', '', '', ''),
    Row('symlink link links fifo', 'EPERM', '9p2000', '', '', ''),
    # create(5): a new file has its directory's group, and Tcreate names no other. A directory of the host asks its kernel.
    Row('group', 'wrong 0', '9p2000.u', '', 'ram', 'daemon'),
    # v9fs_test_inode() takes another qid.vers for another file: link(2) makes a new one, and the two names are cached apart.
    Row('link', 'wrong', '9p2000.u', 'loose', 'directory', ''),
    Row('xattr', 'ENOTSUP', '9p2000 9p2000.u', '', '', ''),
    # v9fs maps shared and writable with a cache only.
    Row('mmap_write', 'EINVAL', '', 'none', '', ''),
]


def is_of(word, words):
    return not words or word in words.split()


def expected(version, cache, source, user, checks):
    rows = [r for r in DIFFERS if is_of(version, r.versions) and is_of(cache, r.caches)
            and is_of(source, r.sources) and is_of(user, r.users)]
    return {c: r.result for r in rows for c in r.checks.split() if c in checks}


# ---- mounts ----

def tcp(g, source, options, exports):
    if source not in exports:
        g.desk.sh('mkdir -p tree; chmod 1777 tree')
        exports[source] = g.desk.export(SOURCES[source].format(g.desk.where()))
    return g.v9fs(exports[source], options)


def in_here(g, source):
    os.makedirs(g.dir + '/tree', exist_ok=True)
    os.chmod(g.dir + '/tree', 0o1777)
    return SOURCES[source].format(g.dir)


def unix(g, source, options, exports):
    if source not in exports:
        exports[source] = g.export_unix(in_here(g, source))
    return g.mount('trans=unix,msize=131072,' + options, exports[source])


def fd(g, source, options, exports):
    ours, its = socket.socketpair()
    g.start('exec tenon export ' + in_here(g, source), shell=True, stdin=its, stdout=its)
    its.close()
    os.set_inheritable(ours.fileno(), True)
    return g.mount('trans=fd,rfdno=%d,wfdno=%d,msize=131072,%s' % (ours.fileno(), ours.fileno(), options), 'tenon',
                   close_fds=False)


MOUNT = {'tcp': tcp, 'unix': unix, 'fd': fd}


def options(version, cache, access, user):
    """A mount that is one user's says who that is."""
    words = ['version=' + version, 'cache=' + cache]
    if access:
        words.append('access=' + access + (',posixacl' if access == 'client' else ''))
    if version == '9p2000' or access == 'any':
        words.append('uname=%s,dfltuid=%d,dfltgid=%d' % (user, USERS[user], USERS[user]))
    else:
        words.append('uname=root')
    return ','.join(words)


def does(at, name, few):
    os.mkdir(os.path.join(at, name))
    return basics.some(os.path.join(at, name), few)


def row(g, version, cache, way):
    bad, exports = [], {}
    for source in way.sources:
        for user, uid in USERS.items():
            at = MOUNT[way.trans](g, source, options(version, cache, way.access, user), exports)
            try:
                got = as_user(uid, does, at, user, way.few)
            except Failed as e:
                got = {'all': str(e)}
            want = expected(version, cache, source, user, got)
            wrong = {k: v for k, v in got.items() if v != want.get(k, 'ok')}
            if wrong:
                bad.append('%s, %s: %r' % (source, user, wrong))
            g.unmount(at)
    if bad:
        raise Failed('; '.join(bad))


for version in VERSIONS:
    for cache in CACHES:
        for way in WAYS:
            if way.access != 'client' or version == '9p2000.L':
                case(', '.join([version, cache, way.trans] + (['access=' + way.access] if way.access else [])), version, cache, way,
                     seconds=300)(row)
