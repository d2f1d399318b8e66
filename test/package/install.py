#!/usr/bin/env python3
"""install.py BUILD: what `meson install` puts where; that systemd can read the units, and what they leave to the service;
that what the packaging says twice is said the same; and that the library's ABI is the one that was accepted."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, 'test', 'lib'), os.path.join(TOP, 'tools')]
sys.dont_write_bytecode = True
from importlib.machinery import SourceFileLoader

from installed import Installed, accepted, must, run, run_all

# systemd-analyze's measure, from 0 (nothing is left) to 100. What is left is said in tenon-systemd(7): files, sockets.
EXPOSURE_MAX = 20


def installed_files(inst):
    """-> the lines that installed.txt would have for what is there"""
    prefix = os.path.join(inst.root, 'usr', 'local')
    for folder, folders, files in os.walk(inst.root):
        folders[:] = [d for d in folders if os.path.join(folder, d) != inst.static]
        for path in (os.path.join(folder, name) for name in files):
            name = os.path.relpath(path, prefix)
            if os.path.islink(path):
                yield 'l %s %s' % (name, os.readlink(path))
            else:
                yield 'f %o %s' % (os.stat(path).st_mode & 0o7777, name)


def expected_files(inst):
    version = inst.pkg('--modversion')[0]
    words = {'@libdir@': os.path.relpath(inst.lib, os.path.join(inst.root, 'usr', 'local')), '@version@': version,
             '@minor@': version.rpartition('.')[0]}
    with open(os.path.join(HERE, 'installed.txt')) as f:
        for line in f.read().splitlines():
            if not line.startswith('#'):
                line = re.sub('@[a-z]+@', lambda m: words.get(m.group(), m.group()), line)
                names = accepted() if '@function@' in line else ['']
                yield from (line.replace('@function@', name) for name in names)


def unit(inst, kind):
    return inst.find('tenon-export@.' + kind)


def settings(path):
    """-> [(key, value)] of a unit, in order"""
    with open(path) as f:
        return re.findall(r'^(\w+)=(.*)$', f.read(), re.M)


# ---- the tests: each has the name of what is true ----

def what_is_installed_is_what_installed_txt_says(inst):
    got, want = set(installed_files(inst)), set(expected_files(inst))
    functions = {line.split()[1] for line in want if line.startswith('*')}
    pages = {line.split()[-1 if line.startswith('f') else 1]: line for line in got}
    missing = sorted(functions - set(pages))
    got -= {pages[name] for name in functions & set(pages)}
    want = {line for line in want if not line.startswith('*')}
    must('missing: %s; more: %s' % (missing + sorted(want - got), sorted(got - want)), not missing and got == want)


def links_lead_to_what_is_installed(inst):
    for folder, _, files in os.walk(inst.root):
        for name in files:
            must(os.path.join(folder, name), os.path.exists(os.path.join(folder, name)))


def the_documents_of_the_installation_lead_to_one_another(inst):
    doc = os.path.dirname(inst.find('README.md'))
    for folder, _, files in os.walk(doc):
        for name in (x for x in files if x.endswith('.md')):
            with open(os.path.join(folder, name)) as f:
                links = re.findall(r'\]\(([^):#]+)', f.read())
            gone = [x for x in links if not os.path.exists(os.path.join(folder, x)) and x != 'CONTRIBUTING.md']
            must('%s: %s' % (name, gone), not gone)


def systemd_reads_the_units_without_a_word(inst):
    # It looks whether the program is there: the installation lies elsewhere for now.
    with tempfile.TemporaryDirectory(prefix='tenon-units-') as folder:
        for kind in ('service', 'socket'):
            with open(unit(inst, kind)) as f, open(os.path.join(folder, 'tenon-export@.' + kind), 'w') as to:
                to.write(f.read().replace('ExecStart=/usr/local/bin/tenon ', 'ExecStart=%s ' % inst.find('tenon')))
        out = run(['sh', '-c', 'systemd-analyze verify --man=no "$1"/* 2>&1', 'sh', folder])
    must(out, not out)


def the_pages_that_the_units_name_are_installed(inst):
    for kind in ('service', 'socket'):
        pages = dict(settings(unit(inst, kind)))['Documentation'].split()
        for page in pages:
            name, section = re.fullmatch(r'man:([a-z-]+)\((\d)\)', page).groups()
            inst.find('%s.%s' % (name, section))


def the_service_is_left_little_by_systemd_s_own_measure(inst):
    run(['systemd-analyze', 'security', '--offline=true', '--no-pager', '--threshold=%d' % EXPOSURE_MAX, unit(inst, 'service')])


def calls_of(name, sets={}):
    """The system calls that a word of SystemCallFilter= stands for."""
    if not name.startswith('@'):
        return {name}
    if name not in sets:
        text = run(['systemd-analyze', 'syscall-filter', name])
        sets[name] = set().union(*(calls_of(w) for w in re.findall(r'^    (@?[a-z_0-9-]+)$', text, re.M)))
    return sets[name]


def allowed_calls(service):
    allowed = set()
    for key, value in settings(service):
        if key == 'SystemCallFilter':
            calls = set().union(*(calls_of(w) for w in value.lstrip('~').split()))
            allowed = allowed - calls if value.startswith('~') else allowed | calls
    return allowed


# Calls that an export can do without: it keeps the limit that it has (the unit sets it), and asks no more of the kernel.
DISPENSABLE = {'prlimit64', 'setrlimit'}

# What an export is for. Root's would be others for its peers (--map-user); the service is not root.
USE = '''
mkdir state; cp {share} share.ns; export STATE_DIRECTORY=$PWD/state
echo 'exec strace -f -qq -o trace.$$ tenon export --map-user self --clean -n share.ns' >serve
serve='exec!sh serve'
echo hello | tenon put "$serve" files/a
tenon mkdir "$serve" files/d
tenon mv "$serve" files/a files/b
tenon cp "$serve" files/b ram/b
tenon ls -l "$serve" files
tenon stat "$serve" files/b
tenon cat "$serve" files/b
tenon run -m "/n/x=$serve" -- sh -c 'cd /n/x/files; ln -s b l; ln b c; chmod 600 b; touch -d @1 b; cp b e; truncate -s 3 e; sync e; cat l; rm -r c d' || true
tenon rm "$serve" files/b
cat trace.*
'''


def the_service_may_call_what_an_export_calls(inst):
    with tempfile.TemporaryDirectory(prefix='tenon-use-') as folder:
        out = subprocess.run(['sh', '-ec', USE.format(share=shlex.quote(inst.find('share.ns')))], cwd=folder,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, text=True,
                             env=dict(os.environ, PATH=os.path.dirname(inst.find('tenon')) + ':' + os.environ['PATH']))
    must(out.stdout[-2000:], out.returncode == 0)
    calls = set(re.findall(r'^\d+ +([a-z_0-9]+)\(', out.stdout, re.M))
    must('calls were seen: %s' % sorted(calls), {'openat2', 'mkdirat', 'unlinkat'} <= calls)
    refused = calls - allowed_calls(unit(inst, 'service')) - DISPENSABLE
    must('refused by the unit: %s' % sorted(refused), not refused)


def the_package_has_the_version_of_the_build_and_the_name_of_the_soname(inst):
    version = inst.pkg('--modversion')[0]
    with open(os.path.join(TOP, 'debian', 'changelog')) as f:
        first = f.readline()
    must(first, first.startswith('tenon (%s) ' % version))
    with open(os.path.join(TOP, 'debian', 'control')) as f:
        control = f.read()
    soname = re.search(r'\[libtenon\.so\.(.*?)\]', run(['readelf', '-d', os.path.join(inst.lib, 'libtenon.so')])).group(1)
    must(soname, 'Package: libtenon%s\n' % soname in control)
    must(soname, os.path.exists(os.path.join(TOP, 'debian', 'libtenon%s.symbols' % soname)))


def debian_s_list_of_symbols_is_symbols_txt(inst):
    path, = (os.path.join(TOP, 'debian', x) for x in os.listdir(os.path.join(TOP, 'debian')) if x.endswith('.symbols'))
    with open(path) as f:
        names = set(re.findall(r'^ (tn_\w+)@TENON_', f.read(), re.M))
    must('more: %s; less: %s' % (sorted(names - accepted()), sorted(accepted() - names)), names == accepted())


def abi_tool():
    return SourceFileLoader('abi', os.path.join(TOP, 'tools', 'abi')).load_module()


def the_abi_is_the_one_that_was_accepted_and_keeps_what_the_last_tag_has(inst):
    bad = abi_tool().check(inst.build)
    must('; '.join(bad), not bad)


def a_removed_function_and_a_changed_struct_are_told_from_a_new_function(inst):
    then = 'so.1\nint f(int)\nint g(int)\nstruct s.a at 0: int\nstruct s: 32\n'
    now = 'so.1\nint f(int)\nint h(int)\nstruct s.a at 64: int\nstruct s: 128\n'
    tell = abi_tool().differences
    must('accepted', not tell(now, now, now, 'v1'))
    must('more than the tag', not tell(now + 'int i(int)\n', now + 'int i(int)\n', now, 'v1'))
    gone = ['v1 has: ' + x for x in ('int g(int)', 'struct s.a at 0: int', 'struct s: 32')]
    must('less than the tag', tell(now, now, then, 'v1') == gone)
    must('another soname', not tell(now.replace('so.1', 'so.2'), now.replace('so.1', 'so.2'), then, 'v1'))
    must('not accepted', len(tell(now, then, '', '')) == 6)


TESTS = [
    what_is_installed_is_what_installed_txt_says,
    links_lead_to_what_is_installed,
    the_documents_of_the_installation_lead_to_one_another,
    systemd_reads_the_units_without_a_word,
    the_pages_that_the_units_name_are_installed,
    the_service_is_left_little_by_systemd_s_own_measure,
    the_service_may_call_what_an_export_calls,
    the_package_has_the_version_of_the_build_and_the_name_of_the_soname,
    debian_s_list_of_symbols_is_symbols_txt,
    the_abi_is_the_one_that_was_accepted_and_keeps_what_the_last_tag_has,
    a_removed_function_and_a_changed_struct_are_told_from_a_new_function,
]


def main():
    inst = Installed(os.path.abspath(sys.argv[1]))
    try:
        return 1 if run_all(TESTS, inst) else 0
    finally:
        shutil.rmtree(inst.root, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
