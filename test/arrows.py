#!/usr/bin/env python3
"""The rooms of docs/architecture.md section 1: reads every #include and fails on an arrow that points up or sideways.

Also: the freestanding rooms include no header of a system; each .c file includes its own header first, if it has one;
a public header includes public headers alone; no file lies about unbuilt.
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
    'lib': ['wire', 'core', 'link', 'fs', 'host/posix'],
    'launch': ['wire', 'core', 'link', 'fs', 'host/posix', 'lib'],
    'cmd': ['wire', 'core', 'link', 'fs', 'host/posix', 'lib', 'launch'],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def room_of(path):
    """'core' of 'core/ns.h'; None for what is no room's."""
    for room in sorted(MAY, key=len, reverse=True):
        if path.startswith(room + '/'):
            return room
    return None


def wrong_include(room, kind, name):
    """Why a file of the room may not include it, or None."""
    if kind == '<':
        return None if room not in FREE or name in HEADERS else 'a header of the system in a freestanding room'
    if name == 'tenon.h' or name.startswith('tenon/'):
        return None
    to = room_of(name)
    if to is None:
        return 'not named from the root of src/'
    if to != room and to not in MAY[room]:
        return 'no arrow from %s to %s' % (room, to)
    if room == 'fs' and to == 'fs' and name.count('/') > 1:
        return 'devices do not know each other'
    return None


def check_source(path, text, built):
    room = room_of(path)
    if room is None:
        return ['lies in no room']
    found = [(m.group(1), m.group(2)) for m in INCLUDE.finditer(text)]
    bad = ['includes %s: %s' % (n, why) for k, n in found if (why := wrong_include(room, k, n))]
    if path.endswith('.c'):
        own = path[:-1] + 'h'
        if os.path.exists(os.path.join(TOP, 'src', own)) and found[:1] != [('"', own)]:
            bad.append('does not include %s first' % own)
        if os.path.basename(path) not in built[room]:
            bad.append('is in no list of meson.build')
    return bad


def check_public(text):
    return ['includes %s' % n for k, n in INCLUDE.findall(text)
            if not (k == '<' and n in HEADERS or n == 'tenon.h' or n.startswith('tenon/'))]


def main():
    built = {}
    for room in MAY:
        with open(os.path.join(TOP, 'src', room, 'meson.build')) as f:
            built[room] = set(re.findall(r"'([^']+\.c)'", f.read()))
    passed = failed = 0
    for root in ('src', 'include'):
        for folder, _, files in sorted(os.walk(os.path.join(TOP, root))):
            for name in sorted(files):
                if not name.endswith(('.c', '.h')):
                    continue
                path = os.path.relpath(os.path.join(folder, name), os.path.join(TOP, root))
                with open(os.path.join(folder, name)) as f:
                    text = f.read()
                bad = check_source(path, text, built) if root == 'src' else check_public(text)
                for why in bad:
                    print('not ok %s/%s %s' % (root, path, why))
                passed, failed = passed + (not bad), failed + bool(bad)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
