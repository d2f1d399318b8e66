#!/usr/bin/env python3
"""Builds Tenon and runs its suites in the order of docs/architecture.md section 4; each stands on the one before.

    check.py [--long] [--list] [--plain] [SUITE ...]

A suite is a command that closes with the line `N passed, N failed[, N skipped]`. Its output goes to
build/check/NAME.log; what is shown here is a line a suite, and of those that failed what failed. Suites marked `asan`
run a second time in a build with AddressSanitizer and UBSan (not with --plain). The last line is the sum.
"""
import argparse
import collections
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.path.join(os.path.dirname(TOP), 'shared')
# gcc's warnings are only meant to be right without sanitizers.
BUILDS = {
    'build': ['-Dwerror=true'],
    'build-asan': ['-Db_sanitize=address,undefined', '-Db_lundef=false'],
}
SANITIZED = {
    'ASAN_OPTIONS': 'detect_leaks=1:exitcode=99:detect_stack_use_after_return=1',
    'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1:exitcode=99',
}
TALLY = re.compile(rb'^(?:# )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$', re.M)

Suite = collections.namedtuple('Suite', 'name command seconds asan needs alone long', defaults=(False, '', False, False))


ALWAYS = 'always'


def unit(room):
    return Suite('unit-' + room, ['test/unit.py', '{build}', room], 300, asan=True)


def conformance(row):
    return Suite('conformance-' + row, ['test/conformance.py', '{build}', row], 600, asan=True, needs='conformance')


def e2e(file, alone=False, seconds=300, long=False):
    return Suite('e2e-' + file, ['test/e2e/run.py', '{build}', file], seconds, asan=not long, alone=alone, long=long)


def fault(file, alone=False):
    return Suite('fault-' + file, ['test/fault/run.py', '{build}', file], 600, asan=True, alone=alone)


# needs: a folder of ../shared, without which the suite is skipped. alone: nothing else runs meanwhile (it measures times);
# ALWAYS: nor when it is sanitized, where times say little but all processes are looked through for what is left of a
# mount, which a name space that began meanwhile has too. asan: also in build-asan. seconds: how long it may take.
SUITES = [
    Suite('arrows', ['test/arrows.py'], 60),
    Suite('arrows-selftest', ['test/arrows.py', '--selftest'], 60),
    Suite('freestanding', ['test/freestanding.sh'], 120),
    Suite('freestanding-selftest', ['test/freestanding.sh', '--selftest'], 120),
    unit('wire'),
    unit('core'),
    unit('fs'),
    unit('link'),
    unit('host'),
    unit('launch'),
    unit('lib'),
    Suite('lib', ['test/lib/installed.py', '{build}'], 300),
    Suite('install', ['test/package/install.py', '{build}'], 300),
    Suite('package', ['test/package/run.py'], 5400, needs='tools', long=True),
    Suite('lib-threads', ['test/lib/tsan.sh'], 1800, long=True),
    Suite('fuzz-seeds', ['test/fuzz/run.py', '{build}', '--replay'], 600, asan=True),
    Suite('fuzz', ['test/fuzz/run.py', '{build}-fuzz'], 1800),
    # An hour for all of them, two at a time; what was learnt stays for the next one.
    Suite('fuzz-long', ['test/fuzz/run.py', '{build}-fuzz', '--keep', '--seconds', '514'], 5400, long=True),
    Suite('fuzz-afl', ['test/fuzz/afl.sh'], 300, long=True),
    Suite('fuzz-planted', ['test/fuzz/planted.py'], 5400, long=True),
    Suite('speed', ['test/speed/run.py', '{build}'], 300),
    Suite('door', ['test/launch/door.py', '{build}'], 900),
    Suite('door-posix', ['test/launch/door_posix.py', '{build}'], 300, asan=True),
    Suite('door-sanitized', ['test/launch/door.py', '{build}-asan'], 1800, long=True),
    Suite('oracle', ['{shared}/oracle/run.py', '--driver', '{build}/oracle-driver'], 300, asan=True, needs='oracle'),
    conformance('ram'),
    conformance('composed'),
    conformance('host'),
    conformance('ram-u'),
    conformance('composed-u'),
    conformance('host-u'),
    conformance('ram-L'),
    conformance('composed-L'),
    conformance('host-L'),
    conformance('ram-again'),
    conformance('composed-again'),
    conformance('host-again'),
    conformance('ram-u-again'),
    conformance('composed-u-again'),
    conformance('host-u-again'),
    conformance('ram-L-again'),
    conformance('composed-L-again'),
    conformance('host-L-again'),
    conformance('import'),
    conformance('import-u'),
    conformance('import-L'),
    e2e('usage'),
    e2e('completion'),
    e2e('commands'),
    e2e('progress'),
    e2e('export'),
    e2e('compose'),
    e2e('devices'),
    e2e('cmd'),
    e2e('man'),
    e2e('imports'),
    e2e('dialects'),
    e2e('peers'),
    e2e('locks'),
    e2e('locks_long', seconds=900, long=True),
    Suite('e2e-programs', ['test/e2e/run.py', '{build}', 'programs'], 900),
    Suite('e2e-programs_long', ['test/e2e/run.py', '{build}', 'programs_long'], 2700, long=True),
    fault('bare'),
    fault('bad'),
    fault('limits'),
    fault('host'),
    fault('fids'),
    Suite('fault-many', ['test/fault/run.py', '{build}', 'many'], 900, alone=True, long=True),
    Suite('fault-fids_long', ['test/fault/run.py', '{build}', 'fids_long'], 1800, long=True),
    Suite('posix', ['test/posix/stages.py', '{build}', '--stage', '[lr]*'], 900),
    Suite('posix-mounts', ['test/posix/stages.py', '{build}', '--stage', 'mount-*'], 1200, long=True),
    # What is random goes on for ten minutes, four times a stage, however many run; races are so many rounds, and want the cores.
    Suite('posix-long', ['test/posix/stages.py', '{build}', '--only', 'random*', '--long', '--at-once', '9'], 3600, long=True),
    Suite('posix-races-long', ['test/posix/stages.py', '{build}', '--only', 'races*', '--long'], 10800, long=True),
    Suite('vm', ['test/vm/run.py', '{build}'], 7200, needs='tools', long=True),
    Suite('vm-tar', ['test/vm/run.py', '{build}', 'tar'], 7200, needs='tools', long=True),
    Suite('oracle-linux', ['test/oracle_linux.py', '{build}'], 300, needs='oracle'),
    e2e('launch_process', alone=ALWAYS),
    e2e('launch_terminal', alone=True, seconds=450),
    e2e('launch_machine', alone=True),
    e2e('launch_host', alone=ALWAYS),
    e2e('launch_posix'),
    e2e('launch_owners'),
    e2e('launch_live', alone=True),
    e2e('launch_notify', alone=ALWAYS),
    e2e('launch_spaces', alone=ALWAYS),
    e2e('launch_load', alone=ALWAYS),
    e2e('launch_churn', alone=ALWAYS),
    e2e('launch_churn_long', alone=True, seconds=1800, long=True),
    fault('silent', alone=ALWAYS),
    fault('killed', alone=ALWAYS),
]


def build(folder):
    """Configures once, builds always. Returns whether it worked."""
    log = os.path.join(TOP, 'build', 'check', folder + '.log')
    steps = [['ninja', '-C', folder]]
    if not os.path.exists(os.path.join(TOP, folder, 'build.ninja')):
        steps.insert(0, ['meson', 'setup', folder] + BUILDS[folder])
    start = time.monotonic()
    with open(log, 'wb') as out:
        for step in steps:
            if subprocess.call(step, cwd=TOP, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT):
                print('not ok  building %s' % folder, flush=True)
                tail(log, 60, but=re.compile(rb'^\[\d+/\d+\] '))
                return False
    print('built   %-34s %6.1f s' % (folder, time.monotonic() - start), flush=True)
    return True


def forgotten():
    """Files of cases that no suite runs."""
    run = {s.command[-1] for s in SUITES}
    for folder in ('e2e', 'fault'):
        for path in sorted(glob.glob(os.path.join(TOP, 'test', folder, '*.py'))):
            with open(path) as f:
                if os.path.basename(path)[:-3] not in run and re.search('^@case', f.read(), re.M):
                    yield os.path.relpath(path, TOP)


def tail(log, n, but=None):
    with open(log, 'rb') as f:
        lines = [x for x in f.read().splitlines() if not (but and but.match(x))]
        for line in lines[-n:]:
            print('        ' + line.decode(errors='backslashreplace'), flush=True)


def show_failure(log):
    """The lines that say what failed, or the end of the log when none does."""
    with open(log, 'rb') as f:
        bad = [x for x in f.read().splitlines() if x.startswith(b'not ok')]
    if not bad:
        return tail(log, 40)
    for line in bad[:40]:
        print('        ' + line.decode(errors='backslashreplace')[:600])
    print('        (all of it: %s)' % os.path.relpath(log, TOP), flush=True)


def run(suite, folder):
    """-> passed, failed, skipped, seconds, log, remark"""
    name = suite.name if folder == 'build' else suite.name + '.asan'
    log = os.path.join(TOP, 'build', 'check', name + '.log')
    start = time.monotonic()
    if suite.needs and not os.path.isdir(os.path.join(SHARED, suite.needs)):
        return 0, 0, 1, 0, log, 'no ../shared/' + suite.needs
    command = [x.format(build=os.path.join(TOP, folder), shared=SHARED, top=TOP) for x in suite.command]
    if command[0].endswith('.py'):
        command.insert(0, sys.executable)
    env = dict(os.environ, **(SANITIZED if folder == 'build-asan' else {}))
    remark = ''
    with open(log, 'wb') as out:
        p = subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env,
                             start_new_session=True)
        try:
            status = p.wait(suite.seconds)
        except subprocess.TimeoutExpired:
            remark = 'not done within %d s' % suite.seconds
            os.killpg(p.pid, 9)
            status = p.wait()
    with open(log, 'rb') as f:
        tallies = TALLY.findall(f.read())
    passed, failed, skipped = (int(x or 0) for x in tallies[-1]) if tallies and not remark else (0, 0, 0)
    if not failed and (remark or status or not passed + skipped):
        failed, remark = 1, remark or ('ended with status %d' % status if status else 'no test ran')
    return passed, failed, skipped, time.monotonic() - start, log, remark


def report(suite, folder, result):
    passed, failed, skipped, seconds, log, remark = result
    name = suite.name if folder == 'build' else suite.name + ' (asan)'
    word = 'not ok' if failed else 'ok' if passed or not skipped else 'skip'
    counts = '%d passed' % passed + (', %d failed' % failed if failed else '') + \
        (', %d skipped' % skipped if skipped else '')
    print('%-7s %-34s %6.1f s  %s%s' % (word, name, seconds, counts, ': ' + remark if remark else ''), flush=True)
    if failed and os.path.exists(log):
        show_failure(log)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--long', action='store_true', help='also what takes long')
    ap.add_argument('--list', action='store_true', help='the names of the suites')
    ap.add_argument('--plain', action='store_true', help='no build with sanitizers')
    ap.add_argument('suites', nargs='*', metavar='SUITE')
    a = ap.parse_args()
    if a.list:
        print('\n'.join(s.name for s in SUITES))
        return 0
    unknown = set(a.suites) - {s.name for s in SUITES}
    if unknown:
        ap.error('no such suite: %s (--list names them)' % ' '.join(sorted(unknown)))
    chosen = [s for s in SUITES if (s.name in a.suites if a.suites else a.long or not s.long)]
    os.makedirs(os.path.join(TOP, 'build', 'check'), exist_ok=True)

    folders = ['build'] if a.plain or not any(s.asan for s in chosen) else ['build', 'build-asan']
    total = [0, 0, 0]
    jobs = []
    for name in forgotten():
        print('not ok  %s: no suite runs it' % name)
        total[1] += 1
    for folder in folders:
        if build(folder):
            jobs += [(s, folder) for s in chosen if folder == 'build' or s.asan]
        else:
            total[1] += 1

    def done(job, result):
        report(*job, result)
        for i in range(3):
            total[i] += result[i]

    # Suites wait more than they compute: one more at once than there are processors; those that measure come last, alone.
    alone = [j for j in jobs if j[0].alone == ALWAYS or (j[0].alone and j[1] == 'build')]
    together = [j for j in jobs if j not in alone]
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        for job, result in zip(together, pool.map(lambda j: run(*j), together)):
            done(job, result)
    for job in alone:
        done(job, run(*job))
    print('%d passed, %d failed, %d skipped' % tuple(total), flush=True)
    return 1 if total[1] or not total[0] else 0


if __name__ == '__main__':
    sys.exit(main())
