"""The content of files through the FUSE door: read, written, sparse, copied, mapped, run."""
import errno
import hashlib
import mmap
import os
import random
import shutil
import subprocess

from doorbench import COLLAPSE, KEEP_SIZE, LIBC, PUNCH_HOLE, ZERO_RANGE, case, check, fails, fallocate, get, put, run, same


# ---- reading and writing ----

@case('50 MB copied in and out have the same checksum')
def _(h):
    blob = os.path.join(h.way.dir, 'blob%d' % os.getpid())
    with open(blob, 'wb') as f:
        rng = random.Random(7)
        for _ in range(50):
            f.write(rng.randbytes(1 << 20))
    with open(blob, 'rb') as f:
        want = hashlib.sha256(f.read()).hexdigest()
    try:
        shutil.copyfile(blob, 'copy')
        same(os.stat('copy').st_size, 50 << 20)
        same(hashlib.sha256(get('copy')).hexdigest(), want)
        run('cp', 'copy', 'again')
        same(run('sha256sum', 'again').split()[0].decode(), want)
        run('dd', 'if=copy', 'of=third', 'bs=1234567', 'status=none')
        same(run('sha256sum', 'third').split()[0].decode(), want)
    finally:
        os.unlink(blob)
        for name in ('copy', 'again', 'third'):
            if os.path.exists(name):
                os.unlink(name)


@case('a write behind the end leaves a hole of zeros')
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    os.pwrite(fd, b'end', 1000000)
    same(os.fstat(fd).st_size, 1000003)
    same(os.pread(fd, 10, 0), bytes(10))
    same(os.pread(fd, 8, 999997), bytes(3) + b'end')
    os.close(fd)


@case('SEEK_DATA and SEEK_HOLE find the data of a sparse file', ('ram', 'union', '9P2000.L'))
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    os.pwrite(fd, b'x' * 4096, 1 << 20)
    os.ftruncate(fd, 2 << 20)
    same(os.lseek(fd, 0, os.SEEK_DATA), 1 << 20)
    same(os.lseek(fd, 1 << 20, os.SEEK_HOLE), (1 << 20) + 4096)
    same(os.lseek(fd, 0, os.SEEK_HOLE), 0)
    fails(errno.ENXIO, os.lseek, fd, (1 << 20) + 4096, os.SEEK_DATA)
    fails(errno.ENXIO, os.lseek, fd, 2 << 20, os.SEEK_HOLE)
    os.close(fd)


@case('SEEK_DATA of a server that knows no holes: all is data, with a hole at the end', ('9P2000',))
def _(h):
    put('f', b'x' * 5000)
    fd = os.open('f', os.O_RDONLY)
    same(os.lseek(fd, 100, os.SEEK_DATA), 100)
    same(os.lseek(fd, 100, os.SEEK_HOLE), 5000)
    fails(errno.ENXIO, os.lseek, fd, 5000, os.SEEK_DATA)
    os.close(fd)


@case('a sparse file stays sparse when it is copied', ('ram', 'union', '9P2000.L'))
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    os.pwrite(fd, b'x', 10 << 20)
    os.close(fd)
    run('cp', '--sparse=auto', 'f', 'g')
    same(os.stat('g').st_size, (10 << 20) + 1)
    assert os.stat('g').st_blocks < 1000
    same(get('f') == get('g'), True)


@case('fallocate extends, keeps the size, punches holes, and refuses the rest', ('ram', 'union', '9P2000.L'))
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    fallocate(fd, 0, 0, 10000)
    same(os.fstat(fd).st_size, 10000)
    fallocate(fd, KEEP_SIZE, 0, 20000)
    same(os.fstat(fd).st_size, 10000)
    os.pwrite(fd, b'x' * 10000, 0)
    fallocate(fd, KEEP_SIZE | PUNCH_HOLE, 4096, 4096)
    same(os.pread(fd, 10000, 0), b'x' * 4096 + bytes(4096) + b'x' * (10000 - 8192))
    fails(errno.EOPNOTSUPP, fallocate, fd, COLLAPSE, 0, 4096)
    fails(errno.EOPNOTSUPP, fallocate, fd, ZERO_RANGE, 0, 4096)
    fails(errno.EINVAL, fallocate, fd, 0, 0, 0)
    fails(errno.EFBIG, fallocate, fd, 0, 1 << 62, 1 << 62)
    os.close(fd)


@case('fallocate is EOPNOTSUPP where the server cannot, and posix_fallocate writes instead', ('9P2000',))
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    fails(errno.EOPNOTSUPP, fallocate, fd, 0, 0, 10000)
    os.posix_fallocate(fd, 0, 10000)
    same(os.fstat(fd).st_size, 10000)
    os.close(fd)


@case('copy_file_range copies, also from one server to another')
def _(h):
    put('f', b'0123456789' * 1000)
    a, b = os.open('f', os.O_RDONLY), os.open('g', os.O_RDWR | os.O_CREAT, 0o666)
    done = 0
    while done < 10000:
        n = os.copy_file_range(a, b, 10000 - done)
        assert n > 0
        done += n
    same(get('g'), get('f'))
    os.close(a)
    os.close(b)


@case('sendfile and splice move file data')
def _(h):
    put('f', b'0123456789' * 1000)
    r, w = os.pipe()
    fd = os.open('f', os.O_RDONLY)
    same(os.sendfile(w, fd, 5, 5000), 5000)
    same(os.read(r, 5000), (b'0123456789' * 1000)[5:5005])
    os.write(w, b'spliced')
    out = os.open('g', os.O_RDWR | os.O_CREAT, 0o666)
    same(os.splice(r, out, 7), 7)
    same(get('g'), b'spliced')
    for x in (r, w, fd, out):
        os.close(x)


@case('a write that fits in part says how much of it there is', ('host',))
def _(h):
    os.mkdir('small')
    disk = os.path.join(h.way.host, os.path.basename(h.d), 'small').encode()
    check(LIBC.mount(b'tmpfs', disk, b'tmpfs', 0, b'size=64k'))
    try:
        fd = os.open('small/f', os.O_RDWR | os.O_CREAT)
        n = os.write(fd, bytes(range(250)) * 400)
        same(n, 65536)
        same(os.fstat(fd).st_size, n)
        same(os.pread(fd, 100000, 0), (bytes(range(250)) * 400)[:n])
        fails(errno.ENOSPC, os.write, fd, b'x')
        os.close(fd)
    finally:
        check(LIBC.umount2(disk, 2))


@case('a full server says ENOSPC, and what was there is still there', ('ram', 'union'))
def _(h):
    fd = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    os.write(fd, b'there')
    fails(errno.ENOSPC, fallocate, fd, 0, 0, 1 << 30)
    same(os.pread(fd, 10, 0), b'there')
    os.close(fd)


def model_ops(fd, rng, n, size_max, maps):
    """Random reads, writes, cuts and mapped changes of fd, each against the model; bounded."""
    model = bytearray()
    for step in range(n):
        what = rng.randrange(100)
        off = rng.randrange(size_max)
        length = min(rng.choice((1, 100, 4096, 5000, 40000)), size_max - off)
        if what < 35:
            data = rng.randbytes(length)
            if off > len(model):
                model.extend(bytes(off - len(model)))
            model[off:off + length] = data
            done = 0
            while done < length:
                done += os.pwrite(fd, data[done:], off + done)
        elif what < 70:
            got = os.pread(fd, length, off)
            assert got == bytes(model[off:off + length]), 'step %d: read of %d at %d' % (step, length, off)
        elif what < 80:
            os.ftruncate(fd, off)
            del model[off:]
            model.extend(bytes(off - len(model)))
        elif what < 85:
            os.fsync(fd)
        elif what < 90 or not maps or not model:
            assert os.fstat(fd).st_size == len(model), 'step %d: size' % step
        else:
            with mmap.mmap(fd, len(model)) as m:
                at = rng.randrange(len(model))
                part = rng.randbytes(min(3000, len(model) - at))
                assert m[at:at + len(part)] == bytes(model[at:at + len(part)]), 'step %d: map' % step
                m[at:at + len(part)] = part
                model[at:at + len(part)] = part
    return model


@case('random reads, writes, cuts and maps leave what a model of them has')
def _(h):
    for seed in range(4):
        fd = os.open('f%d' % seed, os.O_RDWR | os.O_CREAT, 0o666)
        model = model_ops(fd, random.Random(seed), 400, 300000, True)
        os.close(fd)
        assert get('f%d' % seed) == bytes(model), 'seed %d' % seed


@case('two descriptors of one file see each other at once')
def _(h):
    a = os.open('f', os.O_RDWR | os.O_CREAT, 0o666)
    b = os.open('f', os.O_RDWR)
    for i in range(100):
        os.pwrite(a, b'%03d' % i, i * 3)
        same(os.pread(b, 3, i * 3), b'%03d' % i)
        same(os.fstat(b).st_size, i * 3 + 3)
    os.close(a)
    os.close(b)


# ---- maps and programs ----

@case('a shared map and read and write agree')
def _(h):
    put('f', bytes(20000))
    with open('f', 'r+b', buffering=0) as f, mmap.mmap(f.fileno(), 20000) as m:
        m[10000:10005] = b'mapped'[:5]
        f.seek(10000)
        same(f.read(5), b'mappe')
        os.pwrite(f.fileno(), b'written', 15000)
        same(m[15000:15007], b'written')
        m.flush()
    data = get('f')
    same(data[10000:10005], b'mappe')
    same(data[15000:15007], b'written')


@case('a private map keeps its changes to itself')
def _(h):
    put('f', b'0' * 8192)
    with open('f', 'rb', buffering=0) as f:
        with mmap.mmap(f.fileno(), 8192, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as m:
            m[0:4] = b'mine'
            same(m[0:5], b'mine0')
    same(get('f'), b'0' * 8192)


@case('what a map changed is there when its file was closed and unmapped')
def _(h):
    put('f', bytes(1 << 20))
    fd = os.open('f', os.O_RDWR)
    m = mmap.mmap(fd, 1 << 20)
    os.close(fd)
    rng = random.Random(3)
    want = rng.randbytes(1 << 20)
    m[:] = want
    m.close()
    same(hashlib.sha256(get('f')).digest(), hashlib.sha256(want).digest())


@case('a program on it runs, a script too, and cannot be written meanwhile')
def _(h):
    shutil.copy('/bin/sleep', 'nap')
    os.chmod('nap', 0o755)
    run('./nap', '0')
    p = subprocess.Popen(['./nap', '60'])
    try:
        fails(errno.ETXTBSY, os.open, 'nap', os.O_WRONLY)
    finally:
        p.kill()
        p.wait()
    put('s', b'#!/bin/sh\necho "$0" "$1"\n')
    fails(errno.EACCES, subprocess.call, ['./s'])
    os.chmod('s', 0o755)
    same(run('./s', 'arg'), b'./s arg\n')
