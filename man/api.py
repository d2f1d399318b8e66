#!/usr/bin/env python3
"""The reference pages of section 3, made of the comments of the public headers.

    api.py --names HEADER...                 a line a page: its name, and the other names that it has
    api.py --pages SCDOC FOLDER HEADER...    makes them in FOLDER: NAME.3

A page is a comment with the prototypes right behind it; its name is that of the first of them. In a comment, a line that
begins with words and two blanks or more is a row (Returns, flags, name); what is indented further goes on with it. The
first comment of the first header is the page libtenon(3).
"""
import os
import re
import subprocess
import sys

BLOCK = re.compile(r'^/\*\n((?: \*.*\n)+?) \*/\n((?:[^\n/#}].*\n|    .*\n)+)|^/\* (.*) \*/\n((?:[^\n/#}].*\n|    .*\n)+)', re.M)
PROTOTYPE = re.compile(r'((?:[a-z_0-9]+ )+\**(tn_[a-z0-9_]+)\([^;{]*\));', re.S)
ROW = re.compile(r'^([A-Za-z_][\w, ]*?)\s{2,}(\S.*)$')


def pages(headers):
    """name -> (header, names, prototypes, lines of the comment)"""
    found = {}
    for path in headers:
        header = path[path.index('include/') + len('include/'):]
        with open(path) as f:
            text = f.read()
        for m in BLOCK.finditer(text):
            comment = m.group(3) or '\n'.join(line[3:] for line in m.group(1).splitlines())
            prototypes = PROTOTYPE.findall(m.group(2) or m.group(4))
            if prototypes:
                names = [name for _, name in prototypes]
                found[names[0]] = (header, names, [' '.join(p.split()) for p, _ in prototypes], comment.splitlines())
    return found


def escape(text):
    return re.sub(r'([\\*_#`~\[\]<>|])', r'\\\1', text)


def paragraphs(lines):
    """The comment as blocks: ('text', words), ('row', name, words), ('code', lines)."""
    blocks = []
    for line in lines:
        row = ROW.match(line)
        if not line.strip():
            blocks.append(['gap'])
        elif row and not line.startswith(' '):
            blocks.append(['row', row.group(1), row.group(2)])
        elif line.startswith('    ') and blocks and blocks[-1][0] == 'row':
            blocks[-1][2] += ' ' + line.strip()
        elif line.startswith('    ') and blocks and blocks[-1][0] == 'code':
            blocks[-1][1] += '\n' + line
        elif line.startswith('    '):
            blocks.append(['code', line])
        elif blocks and blocks[-1][0] == 'text':
            blocks[-1][1] += ' ' + line.strip()
        else:
            blocks.append(['text', line.strip()])
    return blocks


def page(header, names, prototypes, lines):
    blocks = paragraphs(lines)
    out = ['%s(3)' % names[0], '', '# NAME', '', '%s - of <%s>' % (', '.join(names), header), '', '# SYNOPSIS', '',
           '*#include <%s>*' % escape(header), '']
    for prototype in prototypes:
        out += ['*%s;*' % escape(prototype), '']
    out += ['# DESCRIPTION', '']
    for block in blocks:
        if block[0] == 'text':
            out += [escape(block[1]), '']
        elif block[0] == 'row':
            out += ['*%s*' % escape(block[1]), '\t' + escape(block[2]), '']
        elif block[0] == 'code':
            out += ['```', block[1], '```', '']
    out += ['# SEE ALSO', '', '*libtenon*(3): errors, threads, what waits; *tenon*(1), *tenon-ns*(5)']
    return '\n'.join(out) + '\n'


def main():
    if sys.argv[1] == '--names':
        for names in (p[1] for p in pages(sys.argv[2:]).values()):
            print(' '.join(names))
        return
    scdoc, folder, headers = sys.argv[2], sys.argv[3], sys.argv[4:]
    with open(headers[0]) as f:
        head = [line[3:] for line in f.read().split(' */')[0].splitlines()[1:]]
    every = dict(pages(headers), libtenon=('tenon.h', ['libtenon'], [], head))
    for name, p in every.items():
        with open(os.path.join(folder, name + '.3'), 'wb') as out:
            subprocess.run([scdoc], input=page(*p).encode(), stdout=out, check=True)


if __name__ == '__main__':
    main()
