"""The examples of the man pages, run. Blocks between `; example` and `; end` in man/*.scd: a line `$ COMMAND` and, up to
the next one, what it prints. A command that ends in `&` is an export: it listens before the next line runs."""
import glob
import os
import re

from bench import Failed, case

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def steps(block):
    """-> [(command, output)]"""
    out = []
    for line in block.strip('`\n').splitlines():
        if line.startswith('$ '):
            out.append([line[2:], ''])
        elif out:
            out[-1][1] += line + '\n'
    return out


def check(b, block):
    # The port of an example may be taken; a socket of the case's own never is.
    block = re.sub(r"tcp!127\.0\.0\.1!(\d+)", lambda m: 'unix!%s/.%s' % (b.dir, m.group(1)), block)
    for command, output in steps(block):
        if command.endswith('&'):
            arguments = re.fullmatch(r'tenon export (.*?) *&', command).group(1)
            b.export(arguments, listen=False)
        else:
            got = b.run('{ %s; } 2>&1' % command).stdout.decode()
            if got != output:
                raise Failed('`%s` prints %r, the page says %r' % (command, got, output))


def example_case(page, n, block):
    @case('%s, example %d' % (page, n + 1))
    def _(b):
        check(b, block)


for path in sorted(glob.glob(os.path.join(TOP, 'man', '*.scd'))):
    with open(path) as f:
        for i, found in enumerate(re.findall(r'^; example\n(.*?)^; end$', f.read(), re.M | re.S)):
            example_case(os.path.basename(path)[:-4], i, found)
