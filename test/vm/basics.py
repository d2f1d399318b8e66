"""What every file system can do, a function each: in a directory of its own, as whoever runs it. -> {name: 'ok', an error's
name, or what is wrong}"""
import errno
import fcntl
import mmap
import os

DATA = bytes(range(256)) * 1171 + b'end'  # 299,779 bytes
CHECKS = []


def check(fn):
    CHECKS.append(fn)
    return fn


def put(path, data, flags=os.O_CREAT | os.O_TRUNC):
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        while data:
            data = data[os.write(fd, data):]
    finally:
        os.close(fd)


def get(path):
    with open(path, 'rb') as f:
        return f.read()


@check
def mkdir(d):
    os.mkdir(d + '/x')
    os.mkdir(d + '/x/y', 0o750)
    put(d + '/x/y/f', b'deep')
    assert get(d + '/x/y/f') == b'deep'
    assert os.stat(d + '/x/y').st_mode == 0o40750


@check
def write(d):
    put(d + '/f', DATA)
    assert os.stat(d + '/f').st_size == len(DATA)
    assert get(d + '/f') == DATA


@check
def append(d):
    put(d + '/f', b'one')
    put(d + '/f', b'two', os.O_APPEND)
    assert get(d + '/f') == b'onetwo'


@check
def truncate(d):
    put(d + '/f', DATA)
    os.truncate(d + '/f', 4097)
    os.truncate(d + '/f', 5000)
    assert get(d + '/f') == DATA[:4097] + bytes(903)


@check
def rename(d):
    put(d + '/f', b'f')
    os.rename(d + '/f', d + '/g')
    assert os.listdir(d) == ['g'] and get(d + '/g') == b'f'


@check
def rename_over(d):
    put(d + '/f', b'f')
    put(d + '/g', b'g')
    os.rename(d + '/f', d + '/g')
    assert os.listdir(d) == ['g'] and get(d + '/g') == b'f'


@check
def rename_to_another_directory(d):
    os.mkdir(d + '/x')
    put(d + '/f', b'f')
    os.rename(d + '/f', d + '/x/g')
    assert get(d + '/x/g') == b'f' and os.listdir(d) == ['x']


@check
def readdir(d):
    names = {'%03d-a-name-that-is-longer' % i for i in range(40)}
    for name in names:
        put(d + '/' + name, b'')
    listed = os.listdir(d)
    assert len(listed) == 40 and set(listed) == names
    for name in names:
        os.unlink(d + '/' + name)
    assert os.listdir(d) == []


@check
def chmod(d):
    put(d + '/f', b'')
    os.chmod(d + '/f', 0o604)
    os.mkdir(d + '/x')
    os.chmod(d + '/x', 0o711)
    assert os.stat(d + '/f').st_mode == 0o100604 and os.stat(d + '/x').st_mode == 0o40711


@check
def owner(d):
    put(d + '/f', b'')
    st = os.stat(d + '/f')
    assert st.st_uid == os.getuid(), st.st_uid


@check
def group(d):
    put(d + '/f', b'')
    st = os.stat(d + '/f')
    assert st.st_gid == os.getgid(), st.st_gid


@check
def times(d):
    put(d + '/f', b'')
    os.utime(d + '/f', ns=(981173106_123456789, 1012708986_987654321))
    st = os.stat(d + '/f')
    assert st.st_mtime_ns == 1012708986_987654321, st.st_mtime_ns
    assert st.st_atime_ns == 981173106_123456789, st.st_atime_ns


@check
def symlink(d):
    put(d + '/f', b'f')
    os.symlink('f', d + '/l')
    assert os.readlink(d + '/l') == 'f' and get(d + '/l') == b'f'
    assert os.lstat(d + '/l').st_mode & 0o170000 == 0o120000
    os.unlink(d + '/l')
    assert os.listdir(d) == ['f']


@check
def link(d):
    put(d + '/f', b'f')
    os.link(d + '/f', d + '/g')
    put(d + '/g', b'more', os.O_APPEND)
    assert get(d + '/f') == b'fmore'


@check
def links(d):
    put(d + '/f', b'f')
    os.link(d + '/f', d + '/g')
    assert os.stat(d + '/g').st_nlink == 2, os.stat(d + '/g').st_nlink


@check
def fifo(d):
    os.mkfifo(d + '/p')
    assert os.stat(d + '/p').st_mode & 0o170000 == 0o010000


@check
def mmap_read(d):
    put(d + '/f', DATA)
    with open(d + '/f', 'rb') as f, mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as m:
        assert m[:] == DATA


@check
def mmap_write(d):
    put(d + '/f', DATA)
    with open(d + '/f', 'r+b') as f, mmap.mmap(f.fileno(), 0) as m:
        m[100000:100003] = b'new'
        m.flush()
    assert get(d + '/f') == DATA[:100000] + b'new' + DATA[100003:]


@check
def unlinked_file(d):
    with open(d + '/f', 'w+b') as f:
        f.write(DATA)
        f.flush()
        os.unlink(d + '/f')
        assert os.listdir(d) == []
        f.seek(0)
        assert f.read() == DATA


@check
def fsync(d):
    with open(d + '/f', 'wb') as f:
        f.write(b'x')
        f.flush()
        os.fsync(f.fileno())


@check
def statfs(d):
    assert os.statvfs(d).f_namemax >= 255


@check
def xattr(d):
    put(d + '/f', b'')
    os.setxattr(d + '/f', 'user.colour', b'blue')
    assert os.getxattr(d + '/f', 'user.colour') == b'blue' and os.listxattr(d + '/f') == ['user.colour']


@check
def lock(d):
    put(d + '/f', b'')
    with open(d + '/f', 'r+b') as f:
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)


def attempt(fn, d):
    os.mkdir(d)
    try:
        fn(d)
        return 'ok'
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))
    except AssertionError as e:
        return 'wrong' + (' ' + str(e) if str(e) else '')


FEW = ['mkdir', 'write', 'append', 'rename', 'owner', 'mmap_write']


def some(at, few, but=()):
    """In the directory `at`: all, or a few that stand for the others."""
    return {fn.__name__: attempt(fn, os.path.join(at, fn.__name__)) for fn in CHECKS
            if fn.__name__ not in but and (not few or fn.__name__ in FEW)}
