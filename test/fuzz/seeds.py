#!/usr/bin/env python3
"""Seeds and dictionaries of the targets.

    seeds.py FOLDER [TARGET ...]   unpacks seeds/TARGET.txt into FOLDER/TARGET, a file each, and makes FOLDER/TARGET.dict
    seeds.py --record              makes those lines of seeds/ anew that ../shared/vectors has (wire, conn, mnt, stat)
    seeds.py --pack TARGET FOLDER [BYTES]
                                   adds what is in FOLDER, the smallest first, until the file has so many bytes

A line of seeds/TARGET.txt is a seed: printable ASCII as it is, \\\\ for a backslash, \\xNN for every other byte. `#` begins
a comment where a line begins.
"""
import glob
import hashlib
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SHARED = os.path.join(os.path.dirname(TOP), 'shared')
DIALECTS = ['9P2000', '9P2000.u', '9P2000.L', '9P2000.L.tenon']
RECORDED = '# recorded: ../shared/vectors'
FILE_MAX = 60000
# Which dictionary a target has besides its own.
SAME = {'control': 'nsfile', 'ctl': 'nsfile'}


# ---- lines ----

def quote(data):
    return ''.join(chr(b) if 32 <= b < 127 and b != 92 else '\\\\' if b == 92 else '\\x%02x' % b for b in data)


def unquote(line):
    return re.sub(rb'\\(\\|x[0-9a-f]{2})', lambda m: b'\\' if m[1] == b'\\' else bytes([int(m[1][1:], 16)]), line)


def path_of(target):
    return os.path.join(HERE, 'seeds', target + '.txt')


def lines_of(target):
    try:
        with open(path_of(target), 'rb') as f:
            return [x.decode() for x in f.read().split(b'\n') if x]
    except FileNotFoundError:
        return []


def seeds_of(target):
    return [unquote(x.encode()) for x in lines_of(target) if not x.startswith('#')]


def unpack(target, folder):
    os.makedirs(folder, exist_ok=True)
    for seed in seeds_of(target):
        with open(os.path.join(folder, hashlib.sha1(seed).hexdigest()[:16]), 'wb') as f:
            f.write(seed)


# ---- dictionaries ----

WIDTH = {'U8': 1, 'U16': 2, 'U32': 4, 'U64': 8, 'WIDE': 4, 'STR': 2, 'QID': 13, 'NAMES': 2, 'QIDS': 2, 'DATA': 4, 'STAT': 2}


def message_types():
    """{name: number} out of the public header's list."""
    with open(os.path.join(TOP, 'include', 'tenon', '9p.h')) as f:
        text = re.search(r'enum tn_msg_type \{(.*?)\};', f.read(), re.S)[1]
    types, number = {}, -1
    for name, value in re.findall(r'(TN_\w+)(?: = (\d+))?', re.sub(r'/\*.*?\*/', '', text, flags=re.S)):
        number = int(value) if value else number + 1
        types[name] = number
    return types


def messages():
    """Type, tag and empty fields of each row of the message table."""
    types = message_types()
    with open(os.path.join(TOP, 'src', 'wire', 'msg.c')) as f:
        rows = re.findall(r'\[(TN_\w+)\]\s*=\s*\{ "\w+", (F\(.*?\)|NONE), (?:SAME|U|T)', f.read(), re.S)
    for name, fields in rows:
        size = sum(WIDTH[k] for k in re.findall(r'(U8|U16|U32|U64|WIDE|STR|QIDS|QID|NAMES|DATA|STAT)\(', fields))
        yield bytes([types[name], 1, 0]) + bytes(min(size, 40))


def options():
    with open(os.path.join(TOP, 'src', 'cmd', 'option.c')) as f:
        text = f.read()
    for name in sorted(set(re.findall(r'^\t\{ "(\w+)",', text, re.M))):
        yield name.encode() + b'\0'
    for letter, name in sorted(set(re.findall(r"\{ OPT_\w+,\s*(?:'(.)'|0),\s*(?:\"([\w-]+)\"|NULL)", text))):
        yield b'--' + name.encode() if name else b'-' + letter.encode()


MADE = {'wire': messages, 'conn': messages, 'mnt': messages, 'option': options}


def make_dictionary(target, path):
    """false: there is none."""
    words = [quote(w).replace('"', '\\"') for w in (list(MADE[target]()) if target in MADE else [])]
    own = os.path.join(HERE, SAME.get(target, target) + '.dict')
    text = ''.join('"%s"\n' % w for w in words)
    if os.path.exists(own):
        with open(own) as f:
            text += f.read()
    if text:
        with open(path, 'w') as f:
            f.write(text)
    return bool(text)


# ---- recorded sessions ----

def recorded():
    """(dialect's number, frames, those that are odd)"""
    for path in sorted(glob.glob(os.path.join(SHARED, 'vectors', 'frames-*.json'))):
        with open(path) as f:
            data = json.load(f)
        number = {'2000': 0, '2000u': 1, '2000L': 2}[re.search(r'frames-(\w+)\.json', path)[1]]
        yield number, *([bytes.fromhex(x['hex']) for x in data.get(k, [])] for k in ('frames', 'odd'))


def one_of_each(frames):
    """The shortest two frames of each type."""
    seen = {}
    for frame in sorted(frames, key=len):
        if len(seen.setdefault(frame[4], [])) < 2 and len(frame) < 600:
            seen[frame[4]].append(frame)
    return [f for t in sorted(seen) for f in seen[t]]


def record():
    made = {'wire': [], 'conn': [], 'mnt': [], 'stat': []}
    for dialect, frames, odd in recorded():
        few = one_of_each(frames)
        made['wire'] += few + odd[:20]
        asked = [f[4:] for f in few if f[4] % 2 == 0 and len(f) < 250]
        for i in range(0, len(asked), 8):
            made['conn'].append(bytes([64 + dialect]) + b''.join(bytes([len(f)]) + f for f in asked[i:i + 8]))
        made['conn'].append(bytes([4]) + b''.join(f for f in few if f[4] % 2 == 0))
        made['mnt'] += [bytes([1 + 2 * dialect]) + b''.join(f for f in few if f[4] % 2 == 1)]
        made['stat'] += [bytes([dialect]) + f[9:] for f in few if f[4] == 125]
    for target, seeds in made.items():
        rest = lines_of(target)
        if RECORDED in rest:
            rest = rest[:rest.index(RECORDED)]
        with open(path_of(target), 'w') as f:
            f.write('\n'.join(rest + [RECORDED] + sorted({quote(s) for s in seeds}, key=lambda s: (len(s), s))) + '\n')


def pack(target, folder, most=FILE_MAX):
    lines = lines_of(target)
    have = set(lines)
    new = []
    for path in glob.glob(os.path.join(folder, '*')):
        with open(path, 'rb') as f:
            new.append(quote(f.read()))
    size = sum(len(x) + 1 for x in lines)
    at = lines.index(RECORDED) if RECORDED in lines else len(lines)
    for line in sorted(new, key=lambda s: (len(s), s)):
        if line and line not in have and line[0] != '#' and size + len(line) < most:
            lines.insert(at, line)
            at += 1
            size += len(line) + 1
    with open(path_of(target), 'w') as f:
        f.write('\n'.join(lines) + '\n')
    print('%s: %d seeds, %d bytes' % (target, len([x for x in lines if x[0] != '#']), size))


def main():
    args = sys.argv[1:]
    if args == ['--record']:
        record()
    elif args[:1] == ['--pack']:
        pack(args[1], args[2], *map(int, args[3:4]))
    else:
        for target in args[1:]:
            unpack(target, os.path.join(args[0], target))
            make_dictionary(target, os.path.join(args[0], target + '.dict'))


if __name__ == '__main__':
    main()
