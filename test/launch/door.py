#!/usr/bin/env python3
"""door.py BUILD [PATTERN]: what programs see of files through the FUSE door, tried with plain file calls.

The cases are in the files below; doorbench.py has what they share, and runs them. Wants root and /dev/fuse.
"""
import importlib
import sys

sys.dont_write_bytecode = True
import doorbench

FILES = ['make', 'names', 'attributes', 'data', 'lists', 'calls', 'programs', 'nodes']

if __name__ == '__main__':
    for name in FILES:
        importlib.import_module('door_' + name)
    sys.exit(doorbench.main(doorbench.CASES))
