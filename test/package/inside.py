#!/usr/bin/env python3
"""inside.py WORK: WORK/tenon is the source, this machine a Debian that is thrown away, with what the build needs (start.sh). Each
test stands on those before it: the packages are built, checked, installed, used, purged."""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
sys.dont_write_bytecode = True
from installed import Failed, must, run_all

OURS = {'tenon', 'libtenon0.1', 'libtenon-dev'}
# What is needed beside the build: lintian, who runs debian/tests, what these and the pages' examples use.
TOOLS = ['lintian', 'autopkgtest', 'fuse3', 'g++', 'man-db', 'pkgconf', 'systemd']
# Not a file of a package: lists, logs and caches of apt, dpkg and man, and what the tests have open.
PASSING = re.compile(r'/(proc|sys|dev|tmp|run|src|root|home|var/(tmp|log|cache)|var/lib/(apt|dpkg/[a-z-]+(-old)?$|dpkg/triggers)|\.outside)(/|$)')
# The address of the maintainers is that of the repository's commits, at a host that is reserved to be none.
SUPPRESSED = 'bogus-mail-host'


def command(words, seconds, **kw):
    """Standard output and error of what must end well."""
    try:
        p = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                           errors='replace', **kw)
    except subprocess.TimeoutExpired as e:
        raise Failed('%s: no end within %d s: %s' % (words[0], seconds, (e.stdout or b'')[-2000:]))
    must('%s: status %d\n%s' % (' '.join(words), p.returncode, p.stdout[-4000:]), p.returncode == 0)
    return p.stdout


def apt(*words):
    return command(['apt-get', '-q', '-y', '--no-install-recommends', *words], 900,
                   env=dict(os.environ, DEBIAN_FRONTEND='noninteractive'))


def packages():
    return set(command(['dpkg-query', '-W', '-f', '${Package}\n'], 60).split())


def files():
    """All names of this machine that belong to no run of something."""
    out = command(['find', '/', '-xdev', '-print'], 300).splitlines()
    return {x for x in out if not PASSING.match(x)}


class Machine:
    def __init__(self, work):
        self.work, self.source = work, os.path.join(work, 'tenon')
        self.packages_before = self.files_before = None

    def debs(self):
        found = [x for x in glob.glob(os.path.join(self.work, '*.deb')) if '-dbgsym_' not in x]
        must('%s are %s' % (found, OURS), {os.path.basename(x).split('_')[0] for x in found} == OURS)
        return found


# ---- the tests: each has the name of what is true ----

def the_packages_build_with_what_debian_control_names_alone(m):
    command(['dpkg-buildpackage', '-us', '-uc'], 2400, cwd=m.source)
    m.debs()


def the_source_package_has_what_is_committed_and_nothing_else(m):
    tar, = glob.glob(os.path.join(m.work, 'tenon_*.tar.*'))
    names = {x.partition('/')[2] for x in command(['tar', 'tf', tar], 60).splitlines() if not x.endswith('/')}
    with open(os.path.join(m.work, 'committed')) as f:
        committed = set(f.read().splitlines()) - {'.gitignore'}  # dpkg-source leaves it out
    must('more: %s; less: %s' % (sorted(names - committed), sorted(committed - names)), names == committed)


def the_source_can_be_cleaned(m):
    command(['debian/rules', 'clean'], 120, cwd=m.source)
    left = sorted(x for x in command(['find', '.', '!', '-type', 'd'], 60, cwd=m.source).splitlines() if '__pycache__' not in x)
    with open(os.path.join(m.work, 'committed')) as f:
        committed = {'./' + x for x in f.read().splitlines()}
    must('left: %s' % sorted(set(left) - committed), set(left) == committed)


def lintian_finds_no_error_and_no_warning(m):
    apt('install', *TOOLS)
    changes, = glob.glob(os.path.join(m.work, '*.changes'))
    out = command(['lintian', '--allow-root', '--fail-on', 'error,warning', '--suppress-tags', SUPPRESSED, changes], 600)
    must(out, not re.search('^[EW]:', out, re.M))


def installing_them_brings_nothing_but_them(m):
    m.packages_before, m.files_before = packages(), files()
    apt('install', *m.debs())
    must('packages', packages() - m.packages_before == OURS)
    must('units', not glob.glob('/etc/systemd/system/*/tenon*'))


def the_debugging_symbols_are_packages_of_their_own(m):
    names = {os.path.basename(x).split('_')[0] for x in glob.glob(os.path.join(m.work, '*-dbgsym_*.deb'))}
    must(str(names), names == {'tenon-dbgsym', 'libtenon0.1-dbgsym'})


def pages(m, *who):
    out = command([*who, sys.executable, 'test/e2e/run.py', '/usr/bin', 'man'], 600, cwd=m.source)
    tally = re.search(r'^(\d+) passed, 0 failed, (\d+) skipped', out, re.M)
    must(out[-3000:], tally and int(tally.group(1)) > 5)
    print('# ' + tally.group())


def the_examples_of_the_pages_do_what_they_say_with_the_installed_program(m):
    must('no other tenon', command(['sh', '-c', 'command -v tenon'], 10) == '/usr/bin/tenon\n')
    pages(m)


def and_for_an_ordinary_user(m):
    command(['chmod', '755', m.work], 10)
    pages(m, 'setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups', '--')


def each_page_is_found_and_is_readable(m):
    names = [x for x in command(['dpkg', '-L', *sorted(OURS)], 60).splitlines() if '/man/man' in x and x.endswith('.gz')]
    must('pages', len(names) > 80)
    for name in names:
        out = command(['man', '--warnings', '-l', name], 60, env=dict(os.environ, MANWIDTH='80', LC_ALL='C.UTF-8'))
        must('%s: %s' % (name, out[:500]), 'NAME' in out and 'warning' not in out)


def debian_s_tests_pass_with_the_installed_packages(m):
    # Without what Python would leave beside autopkgtest's own files.
    out = command(['autopkgtest', '--no-built-binaries', m.source, '--', 'null'], 900,
                  env=dict(os.environ, PYTHONDONTWRITEBYTECODE='1'))
    passed = set(re.findall(r'^(\w+) +PASS\b', out, re.M))
    must(out[-4000:], passed == {'export', 'library', 'run'})


def systemd_starts_an_export_when_somebody_connects_and_it_may_do_no_more_than_its_page_says(m):
    command(['sh', 'test/package/boot.sh'], 180, cwd=m.source)


def purging_them_leaves_nothing(m):
    must('installed', m.files_before and not m.files_before >= files())
    apt('purge', *sorted(OURS))
    must('packages: %s' % (packages() - m.packages_before), packages() == m.packages_before)
    left, gone = files() - m.files_before, m.files_before - files()
    must('left: %s; gone: %s' % (sorted(left), sorted(gone)), not left and not gone)


TESTS = [
    the_packages_build_with_what_debian_control_names_alone,
    the_debugging_symbols_are_packages_of_their_own,
    the_source_package_has_what_is_committed_and_nothing_else,
    the_source_can_be_cleaned,
    lintian_finds_no_error_and_no_warning,
    installing_them_brings_nothing_but_them,
    the_examples_of_the_pages_do_what_they_say_with_the_installed_program,
    and_for_an_ordinary_user,
    each_page_is_found_and_is_readable,
    debian_s_tests_pass_with_the_installed_packages,
    systemd_starts_an_export_when_somebody_connects_and_it_may_do_no_more_than_its_page_says,
    purging_them_leaves_nothing,
]

if __name__ == '__main__':
    sys.exit(1 if run_all(TESTS, Machine(sys.argv[1])) else 0)
