#!/usr/bin/env python3
"""installed.py BUILD: the library as others have it: installed into a folder of its own, found by pkg-config, compiled
against and run, shared and static; what it exports held against symbols.txt and the headers; the examples at work.

    installed.py BUILD --accept     writes symbols.txt anew: for a change of the ABI that is meant
"""
import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TOP, 'test', 'lib')
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']
HEADERS = ['tenon.h', 'tenon/server.h', 'tenon/9p.h']
PROTOTYPE = re.compile(r'^(?:[a-z_0-9]+ )+\**(tn_[a-z0-9_]+)\(', re.M)


class Failed(Exception):
    pass


def must(what, good):
    if not good:
        raise Failed(what)


def run(command, env=None, status=0, stdin=subprocess.DEVNULL):
    """Standard output of a command that must end with this status within a minute."""
    p = subprocess.run(command, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                       errors='replace')
    must('%s: status %d\n%s%s' % (' '.join(command), p.returncode, p.stdout, p.stderr), p.returncode == status)
    return p.stdout


class Installed:
    """What `meson install` makes, in a folder that goes away."""

    def __init__(self, build):
        self.build = build
        self.tenon = os.path.join(build, 'tenon')
        self.root = tempfile.mkdtemp(prefix='tenon-installed-')
        run(['meson', 'install', '-C', build, '--no-rebuild', '--quiet', '--destdir', self.root])
        self.lib = os.path.dirname(self.find('libtenon.a'))
        self.include = os.path.dirname(self.find('tenon.h'))
        self.static = os.path.join(self.root, 'only-static')
        shutil.copytree(self.lib, self.static, symlinks=True)
        for so in glob.glob(os.path.join(self.static, 'libtenon.so*')):
            os.unlink(so)

    def find(self, name):
        for folder, _, files in os.walk(self.root):
            if name in files:
                return os.path.join(folder, name)
        raise Failed('%s is not installed' % name)

    def pkg(self, *words):
        env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=self.root, PKG_CONFIG_PATH=os.path.join(self.lib, 'pkgconfig'))
        out = run(['pkg-config', *words, 'tenon'], env=env).split()
        # libuv is the system's: only what is ours lies below the root.
        return [w for w in out if not (w.startswith(('-I', '-L')) and not os.path.isdir(w[2:]))]

    def compile(self, source, static=False, compiler=None, extra=()):
        out = os.path.join(self.root, os.path.basename(source).replace('.', '-') + ('-static' if static else ''))
        compiler = compiler or ('g++' if source.endswith('.cc') else 'gcc')
        libs = self.pkg('--static', '--libs') if static else self.pkg('--libs')
        if static:
            libs = ['-L' + self.static] + [w for w in libs if not w.startswith('-L')]
        run([compiler, *WARNINGS, *extra, '-o', out, source, *self.pkg('--cflags'), *libs, '-pthread'])
        return out

    def env(self):
        return dict(os.environ, LD_LIBRARY_PATH=self.lib)


@contextlib.contextmanager
def serving(command, env=None):
    """A server that says `listening on DIAL`; gives the dial string."""
    p = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        line = p.stderr.readline()
        must('%s: %r' % (command, line), line.startswith('listening on '))
        yield line.split()[-1]
    finally:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        p.stderr.close()


def example(name):
    return os.path.join(TOP, 'examples', name)


def ours_of(command):
    """Names of a list of symbols, without their versions and the name of the version itself."""
    names = {name.split('@')[0] for name in re.findall(r'^[0-9a-f]+ [A-Z] (\S+)$', run(command), re.M)}
    return names - {'TENON_0.1'}


def declared(inst):
    names = set()
    for header in HEADERS:
        with open(os.path.join(inst.include, header)) as f:
            names |= set(PROTOTYPE.findall(re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)))
    return names


def accepted():
    with open(os.path.join(HERE, 'symbols.txt')) as f:
        return {line.strip() for line in f if line.strip() and not line.startswith('#')}


def differ(a, b):
    return 'more: %s; less: %s' % (sorted(a - b), sorted(b - a))


# ---- the tests: each has the name of what is true ----

def the_shared_library_exports_what_symbols_txt_says(inst):
    got = ours_of(['nm', '-D', '--defined-only', os.path.join(inst.lib, 'libtenon.so')])
    must(differ(got, accepted()), got == accepted())


def the_static_library_names_nothing_else(inst):
    got = ours_of(['nm', '-g', '--defined-only', '--no-sort', os.path.join(inst.lib, 'libtenon.a')])
    must(differ(got, accepted()), got == accepted())


def what_is_exported_is_what_the_headers_declare(inst):
    must(differ(declared(inst), accepted()), declared(inst) == accepted())


def the_soname_is_that_of_the_minor_version_until_1_0(inst):
    text = run(['readelf', '-d', os.path.join(inst.lib, 'libtenon.so')])
    version = inst.pkg('--modversion')[0]
    major, minor = version.split('.')[:2]
    want = '[libtenon.so.%s]' % ('0.' + minor if major == '0' else major)
    must(text, want in text)
    must(version, os.path.exists(os.path.join(inst.lib, 'libtenon.so.' + version)))


def each_header_compiles_alone_as_c_and_as_cxx(inst):
    for compiler, language, standards in (('gcc', 'c', ['c99', 'c11', 'c17']), ('g++', 'c++', ['c++11', 'c++20']),
                                          ('clang', 'c', ['c11']), ('clang++', 'c++', ['c++11', 'c++20'])):
        if not shutil.which(compiler):
            continue
        for standard in standards:
            for header in HEADERS:
                source = os.path.join(inst.root, 'alone.' + language.replace('+', 'x'))
                with open(source, 'w') as f:
                    f.write('#include <%s>\nint alone;\n' % header)
                run([compiler, '-x', language, '-std=' + standard, *WARNINGS, '-I' + inst.include, '-fsyntax-only', source])


def the_example_of_the_readme_compiles_and_runs(inst):
    with open(os.path.join(TOP, 'README.md')) as f:
        blocks = re.findall(r'^```c\n(.*?)^```', f.read(), re.M | re.S)
    must('there is one example in C', len(blocks) == 1)
    source = os.path.join(inst.root, 'readme.c')
    with open(source, 'w') as f:
        f.write(blocks[0])
    out = run([inst.compile(source)], inst.env())
    must(out, out == 'hello from this thread\n')


def a_program_in_c_prints_a_file_of_a_server(inst):
    for static in (False, True):
        program = inst.compile(example('ten.c'), static)
        linked = run(['ldd', program], inst.env())
        must(linked, ('libtenon' in linked) != static)
        with serving([inst.tenon, 'export', '-l', 'tcp!127.0.0.1!0', example('')]) as dial:
            with open(example('ten.c')) as f:
                must('its text', run([program, dial, '/ten.c'], inst.env()) == f.read())
            run([program, dial, '/none'], inst.env(), status=1)


def a_program_in_cxx_does_too(inst):
    for static in (False, True):
        out = run([inst.compile(example('ten.cc'), static)], inst.env())
        must(out, out == 'hello 9P2000.L\n')


def names_of_the_inside_are_free_for_who_links_it_statically(inst):
    inside = sorted(w for w in re.findall(r' [TDB] (\S+)$', run(['nm', '-g', '--defined-only'] + glob.glob(
        os.path.join(inst.build, 'libtenon-*.a'))), re.M) if w not in accepted())
    must('there is an inside', len(inside) > 500)
    source = os.path.join(inst.root, 'same.c')
    with open(source, 'w') as f:
        f.write('#include <tenon.h>\n')
        f.writelines('int %s = 1;\n' % w for w in inside)
        f.write('int main(void) { return tn_ns_use(tn_ns_new(0)) || tn_bind("#ram", "/r", TN_REPL); }\n')
    run([inst.compile(source, static=True)], inst.env())


def a_file_server_of_one_page_is_the_same_in_the_program(inst):
    out = run([inst.compile(example('clock.c'))], inst.env())
    must(out, out == 'CET\n')


def and_over_a_socket(inst):
    with serving([inst.compile(example('clock.c')), 'tcp!127.0.0.1!0'], inst.env()) as dial:
        must('zone', run([inst.tenon, 'cat', dial, 'zone']) == 'UTC\n')
        first, then = (int(run([inst.tenon, 'cat', dial, 'now'])) for _ in range(2))
        must('%d, %d' % (first, then), first < then)
        client = inst.compile(example('client.c'))
        run([client, dial, 'put', '/zone', 'CET\n'], inst.env())
        must('zone', run([client, dial, 'cat', '/zone'], inst.env()) == 'CET\n')
        must('refused', 'TN' not in run([client, dial, 'put', '/now', 'x'], inst.env(), status=1))


def and_inside_a_name_space_of_tenon_run(inst):
    clock = inst.compile(example('clock.c'))
    env = inst.env()
    dial = 'exec!%s -' % clock
    must('zone', run([inst.tenon, 'cat', dial, 'zone'], env) == 'UTC\n')
    if subprocess.run([inst.tenon, 'doctor'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        print('# tenon run is not possible here: by tenon cat only')
        return
    out = run([inst.tenon, 'run', '-m', '/n/clock=' + dial, '--', 'sh', '-c',
               'cat /n/clock/zone; echo CET >/n/clock/zone; cat /n/clock/zone'], env)
    must(out, out == 'UTC\nCET\n')


def threads_have_name_spaces_of_their_own(inst):
    out = run([inst.compile(example('threads.c'))], inst.env())
    must(out, out == ''.join('/tmp/note of thread %d\n' % i for i in range(4)) +
         '/shared has 4 files; /tmp/note here: file does not exist\n')


def a_client_lists_and_changes_what_a_server_has(inst):
    client = inst.compile(example('client.c'))
    with serving([inst.tenon, 'export', '-l', 'tcp!127.0.0.1!0', '#ram']) as dial:
        run([client, dial, 'put', '/note', 'text'], inst.env())
        must('note', run([client, dial, 'cat', '/note'], inst.env()) == 'text')
        out = run([client, dial, 'ls', '/'], inst.env())
        must(out, re.fullmatch(r'-644 +4 note\n', out))
    run([client, dial, 'ls', '/'], inst.env(), status=1)


def a_driver_gives_what_its_thread_has_sampled(inst):
    sensor = inst.compile(example('sensor.c'))
    values = [int(x) for x in run([sensor], inst.env()).split()]
    must(repr(values), len(values) == 3 and values == sorted(set(values)))
    with serving([sensor, 'tcp!127.0.0.1!0'], inst.env()) as dial:
        must('value', int(run([inst.tenon, 'cat', dial, 'value'])) >= 0)
        p = subprocess.Popen([inst.tenon, 'cat', dial, 'next'], stdout=subprocess.PIPE, text=True)
        try:
            values = [int(p.stdout.readline()) for _ in range(3)]
        finally:
            p.kill()
            p.wait()
            p.stdout.close()
        must(repr(values), values == sorted(set(values)))


def each_function_has_a_page(inst):
    if not shutil.which('scdoc'):
        return
    missing = []
    for name in sorted(accepted()):
        try:
            page = inst.find(name + '.3')
        except Failed:
            missing.append(name)
            continue
        with open(page) as f:
            if name not in f.read():
                missing.append(name)
    must('no page: %s' % missing, not missing)


TESTS = [
    the_shared_library_exports_what_symbols_txt_says,
    the_static_library_names_nothing_else,
    what_is_exported_is_what_the_headers_declare,
    the_soname_is_that_of_the_minor_version_until_1_0,
    each_header_compiles_alone_as_c_and_as_cxx,
    the_example_of_the_readme_compiles_and_runs,
    a_program_in_c_prints_a_file_of_a_server,
    a_program_in_cxx_does_too,
    names_of_the_inside_are_free_for_who_links_it_statically,
    a_file_server_of_one_page_is_the_same_in_the_program,
    and_over_a_socket,
    and_inside_a_name_space_of_tenon_run,
    threads_have_name_spaces_of_their_own,
    a_client_lists_and_changes_what_a_server_has,
    a_driver_gives_what_its_thread_has_sampled,
    each_function_has_a_page,
]


def run_all(tests, *arguments):
    """Runs each, says how it went, closes with the tally -> how many failed."""
    failed = 0
    for test in tests:
        name = test.__name__.replace('_', ' ')
        try:
            test(*arguments)
            print('ok ' + name, flush=True)
        except (Failed, subprocess.TimeoutExpired, OSError, ValueError) as e:
            failed += 1
            print('not ok %s: %s' % (name, e), flush=True)
    print('%d passed, %d failed, 0 skipped' % (len(tests) - failed, failed))
    return failed


def main():
    inst = Installed(os.path.abspath(sys.argv[1]))
    try:
        if sys.argv[2:] == ['--accept']:
            with open(os.path.join(HERE, 'symbols.txt'), 'w') as f:
                f.write('# What libtenon exports. A line that goes or changes its meaning is a new soname (lib/meson.build).\n')
                f.writelines(name + '\n' for name in sorted(ours_of(
                    ['nm', '-D', '--defined-only', os.path.join(inst.lib, 'libtenon.so')])))
            return 0
        failed = run_all(TESTS, inst)
    finally:
        shutil.rmtree(inst.root, ignore_errors=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
