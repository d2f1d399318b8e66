#!/usr/bin/env python3
"""run.py BUILD [FILE[:NAME-GLOB] ...]: the commands as a person types them.

Each file beside this one has functions marked @case('the sentence that is true'); they get a Bench (bench.py): a
directory of their own, a shell with `tenon` in its PATH, exports that end with the case. Prints `ok` or `not ok` a
case; closes with a tally.
"""
import fnmatch
import importlib
import os
import signal
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '../tool')]
sys.dont_write_bytecode = True
import bench

FILES = ['usage', 'completion', 'commands', 'progress', 'export', 'compose', 'devices', 'cmd', 'man', 'imports', 'launch_process', 'launch_terminal',
         'launch_machine', 'launch_host', 'launch_live', 'launch_notify',
         'launch_load', 'launch_churn', 'launch_spaces']


def chosen(args, files):
    for arg in args or files:
        name, _, glob = arg.partition(':')
        importlib.import_module(name)
        for c in bench.CASES:
            if c.module == name and fnmatch.fnmatch(c.name, glob or '*'):
                yield c


def hear_signals():
    """Who was started in the background, or by nohup, ignores some signals, and all that it starts would too."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def main(files):
    hear_signals()
    build = os.path.abspath(sys.argv[1])
    tally = {'ok': 0, 'not ok': 0, 'skip': 0}
    for c in chosen(sys.argv[2:], files):
        result, why = bench.run(c, build)
        tally[result] += 1
        print('%s %s: %s%s' % (result, c.module, c.name, ': ' + why if why else ''), flush=True)
    print('%(ok)d passed, %(not ok)d failed, %(skip)d skipped' % tally)
    return 1 if tally['not ok'] or not tally['ok'] + tally['skip'] else 0


if __name__ == '__main__':
    sys.exit(main(FILES))
