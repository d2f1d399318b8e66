#!/usr/bin/env python3
"""forbid.py RULE... -- COMMAND...: runs the command with some system calls refused, as a policy or an old kernel would.

A RULE is CALL=ERRNO, or CALL:ARG:MASK:VALUE=ERRNO: only where that argument (0 to 5; its low half), and the mask, are the
value; numbers may be hexadecimal. By seccomp(2), so all that the command starts is under it, too.
"""
import ctypes
import errno
import os
import struct
import sys

ARCHES = {'x86_64': 0xC000003E, 'aarch64': 0xC00000B7}
CALLS = {
    'openat': (257, 56), 'pivot_root': (155, 41), 'mount': (165, 40), 'unshare': (272, 97), 'open_tree': (428, 428),
    'move_mount': (429, 429), 'mount_setattr': (442, 442),
}
LOAD, JUMP_EQUAL, AND, RETURN = 0x20, 0x15, 0x54, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2


def instruction(code, k, yes=0, no=0):
    return struct.pack('=HBBI', code, yes, no, k)


def rule_of(text):
    call, name = text.split('=')
    call, *where = call.split(':')
    number = CALLS[call][list(ARCHES).index(os.uname().machine)]
    refuse = instruction(RETURN, ERRNO | getattr(errno, name))
    check = b''
    if where:
        arg, mask, value = (int(x, 0) for x in where)
        check = instruction(LOAD, 16 + 8 * arg) + instruction(AND, mask) + instruction(JUMP_EQUAL, value, 0, 1)
    body = check + refuse
    return instruction(LOAD, 0) + instruction(JUMP_EQUAL, number, 0, len(body) // 8) + body


def install(program):
    class Filter(ctypes.Structure):
        _fields_ = [('n', ctypes.c_ushort), ('code', ctypes.c_char_p)]
    libc = ctypes.CDLL(None, use_errno=True)
    rules = Filter(len(program) // 8, program)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(rules), 0, 0):
        sys.exit('forbid.py: %s' % os.strerror(ctypes.get_errno()))


def main():
    at = sys.argv.index('--')
    program = instruction(LOAD, 4) + instruction(JUMP_EQUAL, ARCHES[os.uname().machine], 1, 0) + instruction(RETURN, KILL)
    program += b''.join(map(rule_of, sys.argv[1:at])) + instruction(RETURN, ALLOW)
    install(program)
    os.execvp(sys.argv[at + 1], sys.argv[at + 1:])


if __name__ == '__main__':
    main()
