#!/usr/bin/env python3
"""The rooms of docs/architecture.md section 1: reads every #include and fails on an arrow that points up or sideways.

Also: the freestanding rooms include no header of a system; a device includes nothing of another device; each .c file
includes its own header first, if it has one; a public header includes public headers alone; no file lies about unbuilt.

    arrows.py              checks the tree
    arrows.py --selftest   shows with small made-up trees that each of these can fail
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FREE = ('wire', 'core', 'link', 'fs')
HEADERS = {'stdint.h', 'stddef.h', 'stdbool.h', 'stdarg.h', 'string.h'}  # of string.h only mem*: test/freestanding.sh

# Room -> the rooms that it may include beside itself and include/.
MAY = {
    'wire': [],
    'core': ['wire'],
    'link': ['core', 'wire'],
    'fs': ['core'],
    'host/posix': ['wire', 'core', 'link', 'fs'],
    'lib': ['core', 'link', 'fs', 'host/posix'],
    'launch': ['core', 'fs', 'host/posix', 'lib'],
    'cmd': ['wire', 'core', 'link', 'fs', 'host/posix', 'lib', 'launch'],
}
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*', re.S)
DIRECTIVE = re.compile(r'^[ \t]*#[ \t]*(?:include|include_next|import)\b[ \t]*([^\n]*)', re.M)
OPERAND = re.compile(r'([<"])([^">]+)[">]\s*$')


def includes(text):
    """[(kind, name)]: kind is < or ", or '' for what no reader of text can follow (a macro)."""
    found = []
    for operand in DIRECTIVE.findall(COMMENT.sub(' ', text)):
        m = OPERAND.match(operand.strip())
        found.append((m.group(1), m.group(2)) if m else ('', operand.strip()))
    return found


def is_public(name):
    return name == 'tenon.h' or name.startswith('tenon/')


def room_of(path):
    """'core' of 'core/ns.h'; None for what is no room's."""
    for room in sorted(MAY, key=len, reverse=True):
        if path.startswith(room + '/'):
            return room
    return None


def device_of(path, tree):
    """'ram' of fs/ramtree.h when there is fs/ram.c; None for a header that no device owns."""
    stem = os.path.basename(path).rsplit('.', 1)[0]
    owners = [os.path.basename(p)[:-2] for p in tree if p.startswith('fs/') and p.endswith('.c')]
    return min((o for o in owners if stem.startswith(o)), key=len, default=None)


def wrong_include(path, room, kind, name, tree):
    """Why the file may not include it, or None."""
    if not kind:
        return 'not a name that can be read here'
    if kind == '<':
        return None if room not in FREE or name in HEADERS else 'a header of the system in a freestanding room'
    if is_public(name):
        return None
    to = room_of(name)
    if to is None:
        return 'not named from the root of src/'
    if to != room and to not in MAY[room]:
        return 'no arrow from %s to %s' % (room, to)
    if room == to == 'fs' and device_of(name, tree) not in (None, device_of(path, tree)):
        return 'devices do not know each other'
    return None


def check_source(path, tree, built):
    """What is wrong with src/`path`. tree: path -> text; built: room -> names in its meson.build."""
    room = room_of(path)
    if room is None:
        return ['lies in no room']
    found = includes(tree[path])
    bad = ['includes %s: %s' % (n, why) for k, n in found if (why := wrong_include(path, room, k, n, tree))]
    if path.endswith('.c'):
        own = path[:-1] + 'h'
        if own in tree and found[:1] != [('"', own)]:
            bad.append('does not include %s first' % own)
        if path[len(room) + 1:] not in built.get(room, ()):
            bad.append('is in no list of meson.build')
    return bad


def check_public(text):
    return ['includes %s' % n for k, n in includes(text) if not (k == '<' and n in HEADERS or k == '"' and is_public(n))]


def read_tree(root):
    tree = {}
    for folder, _, files in os.walk(os.path.join(TOP, root)):
        for name in files:
            if name.endswith(('.c', '.h')):
                with open(os.path.join(folder, name)) as f:
                    tree[os.path.relpath(os.path.join(folder, name), os.path.join(TOP, root))] = f.read()
    return tree


def main():
    built = {}
    for room in MAY:
        with open(os.path.join(TOP, 'src', room, 'meson.build')) as f:
            built[room] = set(re.findall(r"'([^']+\.c)'", f.read()))
    src, public = read_tree('src'), read_tree('include')
    bad = {'src/' + path: check_source(path, src, built) for path in sorted(src)}
    bad.update({'include/' + path: check_public(public[path]) for path in sorted(public)})
    for path, whys in bad.items():
        for why in whys:
            print('not ok %s %s' % (path, why))
    failed = sum(1 for whys in bad.values() if whys)
    print('%d passed, %d failed' % (len(bad) - failed, failed))
    return 1 if failed or not src or not public else 0


# A file, what it says, and a piece of the complaint (None: it is right).
MADE_UP = [
    ('wire/a.c', '#include "tenon/9p.h"\n#include "wire/b.h"\n#include <stdint.h>\n', None),
    ('wire/a.c', '#include "core/err.h"\n', 'no arrow from wire to core'),
    ('core/a.c', '#include "wire/b.h"\n', None),
    ('core/a.c', '#include "link/b.h"\n', 'no arrow from core to link'),
    ('core/a.h', '#include "link/b.h"\n', 'no arrow from core to link'),
    ('core/a.c', '  #  include   "lib/b.h" /* why */\n', 'no arrow from core to lib'),
    ('core/a.c', '/*\n#include "lib/b.h"\n*/\n// #include "lib/b.h"\n', None),
    ('core/a.c', '#include <stdio.h>\n', 'freestanding'),
    ('core/a.c', '#include <sys/types.h>\n', 'freestanding'),
    ('core/a.c', '#include HEADER\n', 'can be read'),
    ('core/a.c', '#include_next <stdio.h>\n', 'freestanding'),
    ('core/a.c', '#include "err.h"\n', 'root of src'),
    ('core/a.c', '#include "../link/b.h"\n', 'root of src'),
    ('link/a.c', '#include "fs/b.h"\n', 'no arrow from link to fs'),
    ('fs/a.c', '#include "core/err.h"\n#include "fs/shared.h"\n#include "fs/atree.h"\n', None),
    ('fs/a.c', '#include "wire/bytes.h"\n', 'no arrow from fs to wire'),
    ('fs/a.c', '#include "fs/other.h"\n', 'devices do not know each other'),
    ('host/posix/a.c', '#include "fs/b.h"\n#include <stdio.h>\n', None),
    ('host/posix/a.c', '#include "lib/b.h"\n', 'no arrow from host/posix to lib'),
    ('lib/a.c', '#include "launch/b.h"\n', 'no arrow from lib to launch'),
    ('launch/a.c', '#include "cmd/b.h"\n', 'no arrow from launch to cmd'),
    ('cmd/a.c', '#include "launch/b.h"\n#include "wire/b.h"\n', None),
    ('core/own.c', '#include "core/own.h"\n', None),
    ('core/own.c', '#include "core/err.h"\n#include "core/own.h"\n', 'own.h first'),
    ('core/own.c', '', 'own.h first'),
    ('core/new.c', '', 'no list of meson.build'),
    ('attic/a.c', '', 'no room'),
    ('a.c', '', 'no room'),
]
MADE_UP_PUBLIC = [
    ('#include "tenon/9p.h"\n#include <stdint.h>\n', None),
    ('#include "core/err.h"\n', 'includes core/err.h'),
    ('#include <stdio.h>\n', 'includes stdio.h'),
]


def selftest():
    around = {'core/own.h': '', 'fs/other.c': '', 'fs/a.c': ''}
    built = {room: {'a.c', 'own.c'} for room in MAY}
    got = [(path, text, want, check_source(path, dict(around, **{path: text}), built)) for path, text, want in MADE_UP]
    got += [('include', text, want, check_public(text)) for text, want in MADE_UP_PUBLIC]
    failed = 0
    for path, text, want, bad in got:
        if (want is None and bad) or (want is not None and (len(bad) != 1 or want not in bad[0])):
            print('not ok %s %r: %s, not %s' % (path, text, bad, want))
            failed += 1
    print('%d passed, %d failed' % (len(got) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(selftest() if sys.argv[1:] == ['--selftest'] else main())
