"""Completion of command lines, asked of each shell itself: `tenon completion bash|zsh|fish`. product.md section 2.

bash(1) Programmable Completion, zshcompsys(1), fish's complete(1).
"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from bench import PATIENCE, Failed, case

DEVICES = ['#root', '#mntgen', '#ram', '#env', '#srv', '#cons', '#fd', '#pipe', '#proc', '#ns', '#cmd', '#host/']


def table(b):
    return json.loads(b.shows('tenon --dump-options', None))


def options_of(command):
    return sorted(['--' + o['name'] for o in command['options']] + ['-' + o['letter'] for o in command['options'] if 'letter' in o])


def bash(b, *words):
    """What bash would offer for the last word. The words as COMP_WORDS has them."""
    script = 'eval "$(tenon completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tenon; printf "%s\\n" "${COMPREPLY[@]}"'
    r = subprocess.run(['bash', '--norc', '--noprofile', '-c', script, 'bash', *words], cwd=b.dir, env=b.env, timeout=PATIENCE,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if r.stderr:
        raise Failed('bash says %r' % r.stderr)
    return sorted(filter(None, r.stdout.decode().split('\n')))


def fish(b, line):
    """-> what fish would offer for the end of the line."""
    out = b.shows("fish --no-config -c 'tenon completion fish | source; complete -C LINE'".replace('LINE', line), None)
    return sorted(x.split('\t')[0] for x in out.splitlines())


class Shell:
    """An interactive shell under a terminal, with tenon's completion loaded."""

    def __init__(self, b, argv, load):
        self.out = b''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(b.dir)
            os.environ.update(b.env, PS1='ready> ', PROMPT='ready> ', TERM='dumb', ZDOTDIR=b.dir)
            os.execvp(argv[0], argv)
        self.type(load + '\n')
        self.type("PS1='lo'aded'> '\n")
        self.expect('loaded> $')

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        end = time.monotonic() + PATIENCE
        while not re.search(pattern.encode(), self.out):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Failed('%r has not come on the terminal; only %r' % (pattern, self.out[-600:]))
            self.out += os.read(self.fd, 65536)
        self.out = b''

    def completes(self, typed, want):
        """What was typed and a tab become `want`; then the line is given up."""
        self.type(typed + '\t')
        self.expect(re.escape(want))
        self.type('\x15')

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@case('bash completes commands and the options of each, all of the table')
def _(b):
    rows = table(b)
    assert bash(b, 'tenon', '') == sorted(c['name'] for c in rows)
    assert bash(b, 'tenon', 'ex') == ['export']
    for c in rows:
        got = bash(b, 'tenon', c['name'], '-')
        assert got == options_of(c), (c['name'], got)
    assert bash(b, 'tenon', 'ls', '--lo') == ['--long']


@case('bash completes devices where a source may stand, behind = too, in quotes and outside')
def _(b):
    b.write('tree', '')
    assert bash(b, 'tenon', 'ls', "'#") == sorted(DEVICES)
    assert bash(b, 'tenon', 'ls', "'#ra") == ['#ram']
    assert bash(b, 'tenon', 'ls', '\\#ra') == ['\\#ram']
    assert bash(b, 'tenon', 'run', '-b', "'/n/ram=#ra") == ['/n/ram=#ram']
    assert bash(b, 'tenon', 'run', '-b', '/n/ram', '=', '\\#ra') == ['\\#ram']
    assert bash(b, 'tenon', 'run', '--bind', '/n/ram', '=', "'#ra") == ['#ram']
    assert bash(b, 'tenon', 'cat', "'t") == ['tcp!', 'tree']
    assert bash(b, 'tenon', 'export', '-l', "'un") == ['unix!']
    assert bash(b, 'tenon', 'export', '-l', 'un') == ['unix\\!']


@case('bash completes what options take, programs behind run, and nothing where a word is the user\'s own')
def _(b):
    assert bash(b, 'tenon', 'run', '-o', 'create,sk') == ['create,skip-down']
    assert 'true' in bash(b, 'tenon', 'run', '--ro', 'tru')
    assert bash(b, 'tenon', 'run', 'ls', '--') == []
    assert bash(b, 'tenon', 'put', '-m', '') == []
    assert bash(b, 'tenon', 'completion', '') == ['bash', 'fish', 'zsh']
    assert bash(b, 'tenon', 'nothing', '-') == []


@case('bash and fish complete the names of kept name spaces')
def _(b):
    name = 'complete-%s' % os.path.basename(b.dir).replace('tenon-e2e-', '')
    b.shows('tenon run --keep %s true' % name)
    try:
        assert bash(b, 'tenon', 'run', '--in', name[:-1]) == [name]
        assert bash(b, 'tenon', 'bind', '-p', name[:-1]) == [name]
        assert fish(b, '"tenon run --end %s"' % name[:-1]) == [name]
    finally:
        b.shows('tenon run --end %s' % name)


@case('an interactive bash completes a line as it is typed')
def _(b):
    s = Shell(b, ['bash', '--norc', '--noprofile', '-i'], 'eval "$(tenon completion bash)"')
    try:
        s.completes('tenon exp', 'tenon export ')
        s.completes('tenon run --ke', 'tenon run --keep ')
        s.completes("tenon run -b '/n/ram=#ra", "tenon run -b '/n/ram=#ram' ")
        s.completes("tenon ls '#ho", "tenon ls '#host/")
    finally:
        s.end()


@case('an interactive zsh completes commands, options and devices')
def _(b):
    s = Shell(b, ['zsh', '-f', '-i'], 'unset zle_bracketed_paste; unsetopt prompt_sp prompt_cr; autoload -Uz compinit; compinit -u -D; eval "$(tenon completion zsh)"')
    try:
        s.completes('tenon exp', 'tenon export ')
        s.completes('tenon run --ke', 'tenon run --keep=')
        s.completes('tenon export --read', 'tenon export --ready-fd')
        s.completes("tenon run -b '/n/ram=#ra", "/n/ram=#ram")
        s.completes("tenon ls '#con", "tenon ls '#cons")
        s.completes('tenon completion fi', 'tenon completion fish')
    finally:
        s.end()


@case('zsh reads all that it is given: each option of the table is in it')
def _(b):
    b.shows('tenon completion zsh >_tenon; zsh -f -n _tenon')
    text = b.read('_tenon')
    for c in table(b):
        part = text.split('\n\t%s)\n' % c['name'], 1)[1].split(' ;;\n', 1)[0]
        for name in options_of(c):
            assert "'*%s" % name in part, (c['name'], name)


@case('fish completes commands, options and devices')
def _(b):
    rows = table(b)
    assert fish(b, '"tenon "') == sorted(c['name'] for c in rows)
    for c in rows:
        assert [x for x in fish(b, '"tenon %s --"' % c['name'])] == [x for x in options_of(c) if x.startswith('--')], c['name']
    assert fish(b, '"tenon ls \\"#ra"') == ['#ram']
    assert '/n/ram=#ram' in fish(b, '"tenon run -b \\"/n/ram=#ra"')
    assert fish(b, '"tenon run -o create,sk"') == ['create,skip-down']
    assert fish(b, '"tenon completion z"') == ['zsh']


@case('another shell is refused')
def _(b):
    b.shows('tenon completion tcsh', '', 'tenon: completion: tcsh: no shell that is known: bash, zsh or fish\n'
            'try: tenon completion --help\n', 2)
