#!/usr/bin/env python3
"""run.py: the Debian packages, built, checked, installed, used and purged on a Debian 12 that has nothing but apt, and that is thrown
away: ../../shared/tools/fresh makes it. Where that has made this machine already it is used as it is. What is committed is what
is built. inside.py has the tests; without such a machine the one line is a `skip`."""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
FRESH = os.path.join(os.path.dirname(TOP), 'shared', 'tools', 'fresh')
START = 'test/package/start.sh'


def missing():
    """-> what there is not of what a machine needs; '': nothing"""
    if os.getuid() != 0:
        return 'only root can make a machine'
    if not os.path.exists(FRESH):
        return 'no ../shared/tools/fresh'
    return '' if shutil.which('mmdebstrap') and shutil.which('git') else 'not here: mmdebstrap or git'


def main():
    os.chdir(TOP)
    is_fresh = os.path.isdir('/.outside') and TOP == '/src/project'
    if is_fresh and os.getuid() == 0:
        os.execvp('sh', ['sh', START])
    why = missing()
    if why:
        print('skip package: %s\n0 passed, 0 failed, 1 skipped' % why)
        return 0
    os.execv(FRESH, [FRESH, 'sh', START])


if __name__ == '__main__':
    sys.exit(main())
