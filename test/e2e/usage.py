"""What --help says, and what wrong command lines get. product.md section 2: status 2 and a hint."""
import json

from bench import case


@case('tenon alone prints the commands and ends with 2; --help with 0')
def _(b):
    b.shows('tenon', '', 'usage: tenon COMMAND...', 2)
    b.shows('tenon --help', 'usage: tenon COMMAND...\n  export...')
    b.shows('tenon help', 'usage: tenon COMMAND...')


@case('every command has --help: usage, options, an example')
def _(b):
    table = json.loads(b.shows('tenon --dump-options', None))
    assert len(table) >= 10
    for command in table:
        for flag in ('--help', '-h'):
            text = b.shows('tenon %s %s' % (command['name'], flag), 'usage: tenon %s [OPTION...]...\nexample: tenon %s...'
                           % (command['name'], command['name']))
        for option in command['options']:
            assert '--' + option['name'] in text, (command['name'], option)
            assert text.startswith('usage:'), text


@case('no letter and no name of an option means two things in one command')
def _(b):
    for command in json.loads(b.shows('tenon --dump-options', None)):
        for key in ('letter', 'name'):
            given = [o[key] for o in command['options'] if key in o]
            assert len(given) == len(set(given)), (command['name'], given)


@case('wrong command lines end with 2 and say what to try')
def _(b):
    b.table([
        ('tenon lss', '', 'tenon: lss: no such command\ndid you mean: tenon ls\n', 2),
        ('tenon exprot', '', 'tenon: exprot: no such command\ndid you mean: tenon export\n', 2),
        ('tenon frobnicate', '', 'tenon: frobnicate: no such command\ntry: tenon --help\n', 2),
        ('tenon ls --colour', '', 'tenon: ls: --colour: unknown option\ntry: tenon ls --help\n', 2),
        ('tenon ls -lz', '', 'tenon: ls: -z: unknown option\ntry: tenon ls --help\n', 2),
        ('tenon ls --long=yes', '', 'tenon: ls: --long=yes: takes no argument\ntry: tenon ls --help\n', 2),
        ('tenon put -m', '', 'tenon: put: -m: wants an argument\ntry: tenon put --help\n', 2),
        ('tenon put --mode', '', 'tenon: put: --mode: wants an argument\ntry: tenon put --help\n', 2),
        ('tenon put -m 888 x', '', 'tenon: put: 888: no mode: octal, 777 at most\ntry: tenon put --help\n', 2),
        ('tenon put -m -1 x', '', 'tenon: put: -1: no mode: octal, 777 at most\ntry: tenon put --help\n', 2),
        ('tenon cat', '', 'tenon: cat: an argument is missing\ntry: tenon cat --help\n', 2),
        ("tenon cat 'tcp!127.0.0.1!1'", '', 'tenon: cat: a name is missing\ntry: tenon cat --help\n', 2),
        ('tenon mv a b c', '', 'tenon: mv: c: one argument too many\ntry: tenon mv --help\n', 2),
        ('tenon mv a b c d', '', 'tenon: mv: d: one argument too many\ntry: tenon mv --help\n', 2),
        ('tenon version now', '', 'tenon: version: now: one argument too many\ntry: tenon version --help\n', 2),
    ])


@case('words behind -- are names, whatever they begin with')
def _(b):
    b.write('-l', 'dash\n')
    b.shows('tenon cat -- -l', 'dash\n')


@case('version says version and dialects, as text and as JSON')
def _(b):
    b.shows('tenon version', 'tenon 0.1.0\ndialects: 9P2000...\n')
    b.shows('tenon --version', 'tenon 0.1.0\n...')
    assert json.loads(b.shows('tenon version --json', None))['version'] == '0.1.0'


@case('a full disk behind standard output is an error')
def _(b):
    b.shows('tenon version >/dev/full', '', 'tenon: version: ...standard output...: No space left on device\n', 1)
