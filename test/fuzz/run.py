#!/usr/bin/env python3
"""Runs the targets, two at a time; a line each, and the tally.

    run.py BUILD [--seconds N] [--keep] [TARGET ...]
    run.py BUILD --replay [TARGET ...]

BUILD is configured for libFuzzer and built if need be (clang). Each target goes on for N seconds (5) from its seeds and is
to find nothing; what it finds is in BUILD/found. It tries the same each time, as a test is to. --keep: what was learnt stays
in BUILD/corpus and is gone on from, each time with other dice.
--replay: BUILD is any build; each target runs its seeds, and no more.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys

import seeds

TOP = seeds.TOP
CONFIGURE = ['-Dfuzz=true', '--buildtype=plain', '-Dc_args=-g -O1', '-Db_sanitize=address,undefined', '-Db_lundef=false']
SANITIZED = {
    'ASAN_OPTIONS': 'detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1',
    'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
}
# The longest input; all others: 1024.
MAX_LEN = {'wire': 4096, 'conn': 2048, 'mnt': 2048, 'nsfile': 4096, 'proc': 4096}
DONE = re.compile(r'^#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)/', re.M)
LAST = re.compile(r'^#\d+\s+\w+\s+cov: (\d+) ft: (\d+)', re.M)


def targets():
    with open(os.path.join(seeds.HERE, 'meson.build')) as f:
        return re.findall(r"^  '(\w+)': \[", f.read(), re.M)


def program(build, target):
    return os.path.join(build, 'test', 'fuzz', 'fuzz-' + target)


def prepare(build, source=TOP, names=None):
    """Configures and builds what libFuzzer runs; false: it cannot be."""
    os.makedirs(build, exist_ok=True)
    log = os.path.join(build, 'build.log')
    names = ['test/fuzz/fuzz-' + n for n in names] if names else ['fuzzers']
    steps = [['ninja', '-C', build] + names]
    if not os.path.exists(os.path.join(build, 'build.ninja')):
        steps.insert(0, ['meson', 'setup', build] + CONFIGURE)
    with open(log, 'wb') as out:
        for step in steps:
            if subprocess.call(step, cwd=source, env=dict(os.environ, CC='clang'), stdin=subprocess.DEVNULL, stdout=out,
                               stderr=subprocess.STDOUT):
                return False
    return True


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def fuzz(build, target, seconds, keep=False):
    """-> libFuzzer's status and words"""
    corpus = os.path.join(build, 'corpus' if keep else 'scratch', target)
    dice = [] if keep else ['-seed=1']
    if not keep:
        fresh(corpus)
    found = os.path.join(build, 'found')
    given = fresh(os.path.join(build, 'seeds', target))
    for path in (corpus, found):
        os.makedirs(path, exist_ok=True)
    seeds.unpack(target, given)
    command = [program(build, target), '-max_total_time=%d' % seconds, '-max_len=%d' % MAX_LEN.get(target, 1024),
               '-print_final_stats=1', '-timeout=20', '-rss_limit_mb=2048', '-artifact_prefix=%s/%s-' % (found, target)]
    if seeds.make_dictionary(target, given + '.dict'):
        command.append('-dict=%s.dict' % given)
    try:
        p = subprocess.run(command + dice + [corpus, given], cwd=build, env=dict(os.environ, **SANITIZED), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors='replace', timeout=seconds + 120)
    except subprocess.TimeoutExpired as e:
        return -1, (e.stdout or b'').decode(errors='replace') + '\nno end within %d s' % (seconds + 120)
    return p.returncode, p.stdout


def fuzzed(build, target, seconds, keep):
    status, text = fuzz(build, target, seconds, keep)
    done = DONE.search(text)
    if status or not done:
        last = LAST.findall(text)
        return False, '%s: status %d, after cov %s ft %s\n%s' % ((target, status) + (last[-1] if last else ('?', '?')) +
                                                               (text[-6000:],))
    return True, '%s: %s executions, %s edges, %s features, %s inputs' % ((target,) + done.groups())


def replayed(build, target, *_):
    given = fresh(os.path.join(build, 'test', 'fuzz', 'seeds-' + target))
    seeds.unpack(target, given)
    files = sorted(glob.glob(given + '/*'))
    try:
        p = subprocess.run([program(build, target)] + files, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, errors='replace', timeout=120)
    except subprocess.TimeoutExpired:
        return False, '%s: no end within 120 s' % target
    return p.returncode == 0, '%s: %s' % (target, p.stdout.strip()[-6000:] or 'status %d' % p.returncode)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build')
    ap.add_argument('--seconds', type=int, default=5)
    ap.add_argument('--keep', action='store_true')
    ap.add_argument('--replay', action='store_true')
    ap.add_argument('targets', nargs='*')
    a = ap.parse_intermixed_args()
    build = os.path.abspath(a.build)
    names = a.targets or targets()
    if not a.replay and not shutil.which('clang'):
        print('skip: there is no clang\n0 passed, 0 failed, %d skipped' % len(names))
        return 0
    if not a.replay and not prepare(build, names=a.targets):
        print('not ok building %s: build.log in it\n0 passed, 1 failed, 0 skipped' % build)
        return 1
    n = [0, 0]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for good, words in pool.map(lambda t: (replayed if a.replay else fuzzed)(build, t, a.seconds, a.keep), names):
            n[not good] += 1
            print('%s %s' % ('ok' if good else 'not ok', words), flush=True)
    print('%d passed, %d failed, 0 skipped' % tuple(n))
    return 1 if n[1] else 0


if __name__ == '__main__':
    sys.exit(main())
