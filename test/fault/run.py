#!/usr/bin/env python3
"""run.py BUILD [FILE[:NAME-GLOB] ...]: what happens when something fails: servers that die, hang or lie, full disks, limits.

Nothing hangs, nothing acknowledged is lost, whoever uses something else does not notice. Cases and bench as in ../e2e;
`within.py` is what runs inside of `tenon run`, ../tool/p9d.py the server that can be told to misbehave.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, '../e2e'), HERE, os.path.join(HERE, '../tool')]
import run

FILES = ['bare', 'bad', 'limits', 'host', 'fids', 'silent', 'killed']

if __name__ == '__main__':
    sys.exit(run.main(FILES))
