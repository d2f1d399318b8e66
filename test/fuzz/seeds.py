#!/usr/bin/env python3
"""seeds.py FOLDER: writes the recorded frames of ../shared/vectors into FOLDER, a file each, as seeds of test/fuzz/wire.c."""
import glob
import hashlib
import json
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    n = 0
    for path in sorted(glob.glob(os.path.join(os.path.dirname(TOP), 'shared', 'vectors', 'frames-*.json'))):
        with open(path) as f:
            recorded = json.load(f)
        for frame in recorded['frames'] + recorded.get('odd', []):
            data = bytes.fromhex(frame['hex'])
            with open(os.path.join(folder, hashlib.sha1(data).hexdigest()), 'wb') as f:
                f.write(data)
            n += 1
    print('%d frames' % n)
    return 0 if n else 1


if __name__ == '__main__':
    sys.exit(main())
