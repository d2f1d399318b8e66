#!/usr/bin/env python3
"""run.py DIR [--only GLOB] [--user UID] [--long] [--seed N] [--patience S] [--list]: whether a file system behaves as POSIX
and Linux say.

DIR is a directory in it that the suite may lose. Cases are functions marked @case in the files on_*.py beside this one.
Prints a line a case, `ok NAME`, `not ok NAME: ...` or `skip NAME: ...`; closes with a tally. --user: all of it as that
user (root's cases are skipped). --long: what is random goes on for ten minutes; --seed: it does what it did then.
--patience: seconds of a case that names none; 30.
"""
import argparse
import fnmatch
import importlib
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import suite

FILES = ['paths', 'open', 'data', 'make', 'link', 'remove', 'rename', 'modes', 'people', 'times', 'names', 'readdir',
         'locks', 'xattrs', 'random', 'races']


def become(uid):
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('dir')
    ap.add_argument('--only', default='*')
    ap.add_argument('--user', type=int)
    ap.add_argument('--long', action='store_true')
    ap.add_argument('--seed', type=int)
    ap.add_argument('--patience', type=int, default=suite.patience)
    ap.add_argument('--list', action='store_true')
    return ap.parse_args()


def show(result, c, why):
    line = '%s %s' % (result, c.name)
    if why:
        line += ': ' + why
    if result == 'not ok':
        line += ' [%s; %s]' % (c.says, c.source)
    print(line.encode(errors='backslashreplace').decode().replace('\n', ' '), flush=True)


def main():
    a = arguments()
    suite.options, suite.patience = a, a.patience
    for file in FILES:
        importlib.import_module('on_' + file)
    if a.user is not None:  # from here on: Python's own files may be out of his reach
        become(a.user)
    chosen = [c for c in suite.CASES if fnmatch.fnmatch(c.name, a.only)]
    if a.list:
        print('\n'.join('%-40s %s (%s)' % (c.name, c.says, c.source) for c in chosen))
        return 0
    top = tempfile.mkdtemp(prefix='posix-', dir=a.dir)
    os.chmod(top, 0o755)
    times, tally = [], {'ok': 0, 'not ok': 0, 'skip': 0}
    for number, c in enumerate(chosen):
        start = time.monotonic()
        result, why = suite.run(c, top, number)
        times.append((time.monotonic() - start, c.name))
        tally[result] += 1
        show(result, c, why)
    suite.remove(top)
    print('# the slowest: ' + ', '.join('%s %.1f s' % (name, t) for t, name in sorted(times)[:-8:-1]))
    print('%(ok)d passed, %(not ok)d failed, %(skip)d skipped' % tally)
    return 1 if tally['not ok'] or not tally['ok'] + tally['skip'] else 0


if __name__ == '__main__':
    sys.exit(main())
