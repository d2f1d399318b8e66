#!/usr/bin/env python3
"""Shows that each target can find something: a bug is put into a copy of the source, in the code that the target is for, and
the target is to find it from the committed seeds.

    planted.py [--seconds N] [TARGET ...]

A row of PLANTS: the target, the file, what stands there, what is put in its place. The copy is build/planted. A bug that
is not found within N seconds (120) is `not ok`, and so is one whose place is not there any more.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

import run
import seeds

PLANTS = [
    # a field may end a byte behind the frame
    ('wire', 'src/wire/bytes.h',
     'take(struct cursor *c, size_t n)\n{\n\tif (n > (size_t)(c->end - c->at))',
     'take(struct cursor *c, size_t n)\n{\n\tif (n > (size_t)(c->end - c->at) + 1)'),
    # sizes that disagree are not seen
    ('stat', 'src/wire/stat.c', '\tif (c.at != c.end)\n\t\treturn TN_CODEC_COUNT;\n', ''),
    # a frame may be shorter than its head
    ('conn', 'src/wire/frame.c', 'size < TN_HDR_SIZE || ', ''),
    # a read is as long as the peer likes
    ('spell', 'src/link/spellio.c', 'uint32_t count = m->count < max ? m->count : max;\n\n\tif (fid->attr)',
     'uint32_t count = max = m->count;\n\n\tif (fid->attr)'),
    # an Rread may have more than there is room for
    ('mnt', 'src/link/mntio.c', '\tif (m->count > rpc->count)\n\t\treturn "Rread with more than was asked for";\n', ''),
    # the buffer of a listing is as large as it was at first
    ('answer', 'src/link/mntlist.c', 'if (dir->size < m->count) {', 'if (dir->size == 0 && m->count) {'),
    # tcp!!564
    ('dial', 'src/host/posix/dial.c', 'if (host_len == 0)', 'if (host_len == SIZE_MAX)'),
    # one word more than there is room for
    ('nsfile', 'src/core/nsfile.c', 'if (p->n_words == WORDS_MAX)', 'if (p->n_words > WORDS_MAX)'),
    # room for an option a word, but -abc are three
    ('option', 'src/cmd/option.c', 'n += strlen(argv[i]);', 'n += argv[i] != NULL;'),
    # a backslash at the end
    ('watch', 'src/core/change.c', 'if (++i == from.len || ', 'if (++i > from.len || '),
    # what is behind the last word
    ('ctl', 'src/fs/cmdctl.c', '*at = *from ? from + 1 : from;', '*at = from + 1;'),
    # \0 is taken for three digits
    ('proc', 'src/launch/kmounts.c',
     "return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&\n\t       s[2] <= '7';",
     "return s[0] >= '0' && s[0] <= '3';"),
    # options without an end
    ('control', 'src/launch/change.c', "for (; *from && (quoted || *from != ' '); from++) {",
     "for (; quoted || *from != ' '; from++) {"),
    # an operation on an open file does not hold it
    ('fuse', 'src/launch/fops.c', '\tif (op->handle)\n\t\top->handle->refs++;\n', ''),
]
COPY = os.path.join(seeds.TOP, 'build', 'planted')
FOUND = re.compile(r'^(?:SUMMARY: |==\d+== ERROR: libFuzzer: |.*does not hold: )(.*)', re.M)


def copy():
    """The files that belong to the project, as they are now. What is the same keeps its time: little is built anew."""
    files = subprocess.check_output(['git', 'ls-files', '-z'], cwd=seeds.TOP).decode().split('\0')
    for name in filter(None, files):
        source, target = os.path.join(seeds.TOP, name), os.path.join(COPY, name)
        if not os.path.isfile(source):
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        put(target, open(source, 'rb').read())
        shutil.copymode(source, target)


def put(path, data):
    if os.path.exists(path):
        with open(path, 'rb') as f:
            if f.read() == data:
                return
    with open(path, 'wb') as f:
        f.write(data)


def try_one(target, name, old, new, seconds):
    path, build = os.path.join(COPY, name), os.path.join(COPY, 'build-fuzz')
    with open(path, 'rb') as f:
        text = f.read()
    if text.count(old.encode()) != 1:
        return False, '%s: %s does not have the place once' % (target, name)
    put(path, text.replace(old.encode(), new.encode()))
    try:
        if not run.prepare(build, COPY, [target]):
            return False, '%s: does not build: %s/build.log' % (target, build)
        start = time.monotonic()
        status, words = run.fuzz(build, target, seconds)
    finally:
        put(path, text)
    took = time.monotonic() - start
    found = FOUND.search(words)
    if status == 0 or not found:
        return False, '%s: not found within %d s (status %d): %s\n%s' % (target, seconds, status, name, words[-2000:])
    return True, '%s: found in %.1f s: %s: %s' % (target, took, name, found[1][:100])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--seconds', type=int, default=120)
    ap.add_argument('targets', nargs='*')
    a = ap.parse_args()
    if not shutil.which('clang'):
        print('skip: there is no clang\n0 passed, 0 failed, %d skipped' % len(PLANTS))
        return 0
    n = [0, 0]
    copy()
    without = set(run.targets()) - {p[0] for p in PLANTS}
    for target in sorted(without):
        print('not ok %s: no bug is planted for it' % target)
        n[1] += 1
    for plant in PLANTS:
        if a.targets and plant[0] not in a.targets:
            continue
        good, words = try_one(*plant, a.seconds)
        n[not good] += 1
        print('%s %s' % ('ok' if good else 'not ok', words), flush=True)
    print('%d passed, %d failed, 0 skipped' % tuple(n))
    return 1 if n[1] else 0


if __name__ == '__main__':
    sys.exit(main())
