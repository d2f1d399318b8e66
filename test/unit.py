#!/usr/bin/env python3
"""unit.py BUILD ROOM: runs the cmocka programs of a room and counts their tests.

A program that ends badly without a failed test of its own (a crash, a sanitizer's report) counts as one failed.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys

RUNNING = re.compile(r'^\[==========\].*Running (\d+) test', re.M)
PASSED = re.compile(r'^\[  PASSED  \] (\d+) test', re.M)
FAILED = re.compile(r'^\[  FAILED  \].*?(\d+) test\(s\), listed below', re.M)
SKIPPED = re.compile(r'^\[  SKIPPED \].*?(\d+) test\(s\), listed below', re.M)


def total(pattern, text):
    return sum(int(n) for n in pattern.findall(text))


def run(test):
    try:
        p = subprocess.run(test['cmd'], env=dict(os.environ, **test['env']), cwd=test['workdir'], timeout=120,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors='replace')
        return test, p.returncode, p.stdout
    except subprocess.TimeoutExpired as e:
        return test, 'no end within %d s' % e.timeout, (e.stdout or b'').decode(errors='replace')


def main():
    build, room = sys.argv[1:]
    tests = json.loads(subprocess.check_output(['meson', 'introspect', '--tests', build]))
    tests = [t for t in tests if any(s.split(':')[-1] == room for s in t['suite'])]
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for test, status, text in pool.map(run, tests):
            good, bad, not_run = total(PASSED, text), total(FAILED, text), total(SKIPPED, text)
            if status and not bad:
                bad = 1
            if not status and total(RUNNING, text) == 0:
                status, bad = 'no test ran', 1
            if bad:
                print('not ok %s: status %s' % (test['name'], status))
                print(text)
            else:
                print('ok %s: %d' % (test['name'], good))
            passed, failed, skipped = passed + good, failed + bad, skipped + not_run
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
