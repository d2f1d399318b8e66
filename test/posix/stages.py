#!/usr/bin/env python3
"""stages.py BUILD [--only GLOB] [--stage GLOB] [--user UID] [--long] [--at-once N] [--show]: run.py on what Tenon shows, stage by stage.

A stage is a file system of Tenon's (or the host's own, where every case passes). What differs is a row of the tables in
docs/compatibility-matrix.md under "POSIX": rule, stages, cases. A case named there that passes, and one not named that
does not, fail; of a row that says "now and then" both are right. --show: prints what does not pass, by stages, and holds
it against nothing.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, '..', '..', 'docs', 'compatibility-matrix.md')
PATIENCE, LONG_PATIENCE = 400, 7200
# tenon run: its options. {m}: where the tree stands; {host} {empty} {far}: directories of the host; {dial}: far, exported.
RUN = {
    'run-ram': "-b '{m}=#ram'",
    'run-union': "-o create -b '{m}={host}' -a '{m}={empty}'",
    'run-import': "-m '{m}={dial}'",
    'run-import-union': "-o create -m '{m}={dial}' -a '{m}=#ram'",
}
# tenon mount: what the server at its DIAL exports.
MOUNT = {
    'mount-ram': "'#ram'",
    'mount-host': "'{host}'",
    'mount-import': "-m '{x}={dial}' '{x}'",
    'mount-union': "-o create -b '{x}={host}' -a '{x}=#ram' '{x}'",
}
STAGES = ['local'] + list(RUN) + list(MOUNT)
LINE = re.compile(r'^(ok|not ok|skip) (\S+?)(?:: (.*))?$', re.M)


class Broken(Exception):
    """The stage itself does not stand."""


class Stage:
    """A directory of its own, exports, and their end."""

    def __init__(self, name, a):
        self.name, self.a = name, a
        self.tenon = os.path.join(os.path.abspath(a.build), 'tenon')
        self.top = tempfile.mkdtemp(prefix='tenon-posix-')
        os.chmod(self.top, 0o755)
        self.at = {x: os.path.join(self.top, x) for x in ('m', 'x', 'host', 'empty', 'far')}
        for path in self.at.values():
            os.mkdir(path)
            os.chmod(path, 0o777)
        self.procs = []

    def start(self, command, **kw):
        p = subprocess.Popen(['sh', '-c', command.format(**self.at)], cwd=self.top, stdin=subprocess.DEVNULL,
                             start_new_session=True, **kw)
        self.procs.append(p)
        return p

    def export(self, what):
        """-> the dial string, when it listens"""
        said = os.path.join(self.top, 'listening%d' % len(self.procs))
        with open(said, 'w') as out:
            p = self.start("exec %s export -l 'tcp!127.0.0.1!0' %s" % (self.tenon, what), stdout=out, stderr=out)
        end = time.monotonic() + 20
        while True:
            with open(said) as f:
                text = f.read()
            m = re.search(r'^listening on (\S+)$', text, re.M)
            if m:
                return m.group(1)
            if p.poll() is not None or time.monotonic() > end:
                raise Broken('no export of %s: %s' % (what, text))
            time.sleep(0.01)

    def suite(self):
        words = [sys.executable, os.path.join(HERE, 'run.py'), self.at['m'], '--only', "'%s'" % self.a.only]
        words += ['--long'] if self.a.long else []
        words += ['--user %d' % self.a.user] if self.a.user is not None else []
        words += ['--seed %d' % self.a.seed] if self.a.seed is not None else []
        return ' '.join(words)

    def command(self):
        if self.name == 'local':
            return self.suite()
        options = RUN.get(self.name) or MOUNT[self.name]
        if '{dial}' in options:
            self.at['dial'] = self.export("'{far}'")
        if self.name in RUN:
            return '%s run %s -- %s' % (self.tenon, options, self.suite())
        dial = self.export(options)
        # In a mount name space of its own: nothing that goes wrong leaves a mount on the host.
        inner = "{t} mount {d} {m} || exit 9; {s}; status=$?; {t} unmount {m} || exit 9; exit $status".format(
            t=self.tenon, d="'\\''%s'\\''" % dial, m=self.at['m'], s=self.suite().replace("'", "'\\''"))
        return "unshare -m --propagation private sh -c '%s'" % inner

    def run(self):
        """-> {case: (result, why)}"""
        try:
            p = self.start(self.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                text = p.communicate(timeout=LONG_PATIENCE if self.a.long else PATIENCE)[0].decode(errors='backslashreplace')
            except subprocess.TimeoutExpired:
                raise Broken('not done in time')
            if not re.search(r'^\d+ passed, \d+ failed, \d+ skipped$', text, re.M) or p.returncode not in (0, 1):
                raise Broken('status %d: %s' % (p.returncode, text[-500:]))
            for line in re.findall('^# the slowest.*', text, re.M):
                print('# %s: %s' % (self.name, line[2:]), flush=True)
            return {name: (result, why or '') for result, name, why in LINE.findall(text)}
        except Broken as e:
            return {'stage': ('not ok', str(e))}
        finally:
            self.end()

    def end(self):
        for p in reversed(self.procs):
            if p.poll() is None:
                os.killpg(p.pid, signal.SIGTERM)
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(p.pid, signal.SIGKILL)
                    p.wait()
        shutil.rmtree(self.top, ignore_errors=True)


def listed():
    """-> [(stages, cases, whether they pass at times)] of the tables: globs"""
    with open(PAGE) as f:
        section = f.read().partition('\n## POSIX')[2].partition('\n## ')[0]
    rows = [line.strip().strip('|').split(' | ') for line in section.splitlines() if line.startswith('|')]
    globs = [[re.findall(r'`([^`]+)`', cell) for cell in row[1:]] + ['now and then' in row[0]] for row in rows if len(row) == 3]
    return [row for row in globs if row[0] and row[1]]


def of_case(rows, stage, name):
    """-> for each row that names the case: whether it passes at times"""
    return [at_times for stages, cases, at_times in rows
            if any(fnmatch.fnmatch(stage, s) for s in stages) and any(fnmatch.fnmatch(name, c) for c in cases)]


def judge(results, rows):
    """-> passed, skipped, the lines of what is not as written"""
    passed, skipped, bad = 0, 0, []
    for stage, cases in results.items():
        for name, (result, why) in cases.items():
            named = of_case(rows, stage, name)
            if result == 'skip':
                skipped += 1
            elif result == 'ok' and named and not any(named):
                bad.append('%s %s passes: docs/compatibility-matrix.md is wrong' % (stage, name))
            elif result == 'not ok' and not named:
                bad.append('%s %s: %s' % (stage, name, why))
            else:
                passed += 1
    return passed, skipped, bad


def show(results):
    with open(os.environ.get('POSIX_SHOW', os.devnull), 'w') as f:
        json.dump(results, f)
    by_stages = collections.defaultdict(list)
    names = {name: why for cases in results.values() for name, (result, why) in cases.items() if result == 'not ok'}
    for name, why in names.items():
        by_stages[' '.join(s for s in results if results[s].get(name, 'x')[0] == 'not ok')].append((name, why))
    for stages, cases in sorted(by_stages.items()):
        print('== ' + stages)
        for name, why in cases:
            print('   %s: %s' % (name, why[:260]))
    for stage, cases in results.items():
        print(stage, collections.Counter(result for result, _ in cases.values()))


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build')
    ap.add_argument('--only', default='*')
    ap.add_argument('--stage', default='*')
    ap.add_argument('--user', type=int)
    ap.add_argument('--seed', type=int)
    ap.add_argument('--long', action='store_true')
    ap.add_argument('--at-once', type=int, default=2, metavar='N')
    ap.add_argument('--show', action='store_true')
    return ap.parse_args()


def main():
    a = arguments()
    if os.getuid() == 0 and os.path.exists('/dev/fuse'):
        os.chmod('/dev/fuse', 0o666)  # as a udev rule would have it
    chosen = [x for x in STAGES if fnmatch.fnmatch(x, a.stage) and (os.getuid() == 0 or x not in MOUNT)]
    results, times = {}, {}

    def one(name):
        start = time.monotonic()
        result = Stage(name, a).run()
        times[name] = time.monotonic() - start
        return result
    with concurrent.futures.ThreadPoolExecutor(a.at_once) as pool:
        for name, result in zip(chosen, pool.map(one, chosen)):
            results[name] = result
            print('# %s: %d cases, %.1f s' % (name, len(result), times[name]), flush=True)
    if a.show:
        return show(results)
    passed, skipped, bad = judge(results, listed())
    for line in bad:
        print('not ok ' + line)
    print('%d passed, %d failed, %d skipped' % (passed, len(bad), skipped))
    return 1 if bad or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
