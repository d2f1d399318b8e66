#!/usr/bin/env python3
"""make.py TABLE PAGE: a man page for scdoc from its template and the one table of options (`tenon --dump-options`).

In a template @SYNOPSIS@, @DOES@ and @OPTIONS@ stand for what the table says of the command that the page is named for;
`@SYNOPSIS mount@`, `@OPTIONS mount@` for another one; @COMMANDS@ for the list of all.
"""
import json
import re
import sys


def escape(text):
    return re.sub(r'([\\_*#`\[\]<>~])', r'\\\1', text)


def synopsis(c):
    return '*tenon %s* [_OPTION_...]%s' % (c['name'], ' ' + escape(c['words']) if c['words'] else '')


def options(c):
    out = []
    for o in c['options']:
        names = ['*-%s*' % o['letter']] if 'letter' in o else []
        names.append('*--%s*' % o['name'])
        out.append(', '.join(names) + (' _%s_' % escape(o['arg']) if 'arg' in o else ''))
        out.append('\t%s.\n' % escape(o['does'][0].upper() + o['does'][1:]))
    return '\n'.join(out).rstrip()


def commands(table):
    return '\n\n'.join('*%s*(1)\n\t%s.' % ('tenon-' + c['name'], escape(c['does'])) for c in table)


def main():
    with open(sys.argv[1]) as f:
        table = json.load(f)
    by_name = {c['name']: c for c in table}
    own = re.search(r'tenon-([a-z]+)\.1\.scd$', sys.argv[2])
    own = own.group(1) if own else None
    with open(sys.argv[2]) as f:
        text = f.read()
    for what, make in (('SYNOPSIS', synopsis), ('OPTIONS', options), ('DOES', lambda c: escape(c['does']))):
        text = re.sub('@%s(?: ([a-z]+))?@' % what, lambda m: make(by_name[m.group(1) or own]), text)
    sys.stdout.write(text.replace('@COMMANDS@', commands(table)))


if __name__ == '__main__':
    main()
