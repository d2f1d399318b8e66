"""watcher.py SECONDS WATCHED [do=SCRIPT|while=SCRIPT] NAME...: says `TIME WHAT PLACE[/NAME]` for what inotify tells of each NAME, first `ready`.

WATCHED: how many directories the server of the name space must follow before it is ready, as /n/ns/stats counts them: each NAME
that is a server's, and what it stands in if that is a server's too; 0: there is none to wait for. TIME is of the monotonic
clock. Ends after SECONDS, or when its input does; or, when it is to do a SCRIPT of Python, if nothing more was heard for
QUIET_S behind it. What `do` does is read when it is over: the kernel tells what is the same as the one before only once, until
that is read.
"""
import ctypes
import os
import select
import struct
import subprocess
import sys
import time

BITS = {0x2: 'MODIFY', 0x4: 'ATTRIB', 0x40: 'MOVED_FROM', 0x80: 'MOVED_TO', 0x100: 'CREATE', 0x200: 'DELETE',
        0x400: 'DELETE_SELF', 0x800: 'MOVE_SELF', 0x2000: 'UNMOUNT', 0x4000: 'OVERFLOW', 0x8000: 'IGNORED'}
WANTED = 0xfc6
QUIET_S = 0.5


def say(text):
    print(text, flush=True)


def followed():
    with open('/n/ns/stats') as f:
        return dict(line.split() for line in f)['watched']


def main(seconds, watched, *names):
    script = None
    if '=' in names[0]:
        (how, _, script), names = names[0].partition('='), names[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(0)
    places = {}
    for name in names:
        wd = libc.inotify_add_watch(fd, name.encode(), WANTED)
        if wd < 0:
            sys.exit('%s: %s' % (name, os.strerror(ctypes.get_errno())))
        places[wd] = os.path.basename(name)
    end = time.monotonic() + float(seconds)
    while int(watched) and int(followed()) < int(watched):
        if time.monotonic() > end:
            sys.exit('%s directories are followed, not %s' % (followed(), watched))
        time.sleep(0.005)
    say('ready')
    doing = subprocess.Popen([sys.executable, script]) if script else None
    if doing and how == 'do':
        doing.wait()
    while time.monotonic() < end:
        ready = select.select([fd] if doing else [fd, 0], [], [], QUIET_S if doing else end - time.monotonic())[0]
        if not ready and doing and doing.poll() is not None:
            sys.exit(doing.returncode)
        if 0 in ready and not os.read(0, 1):
            return
        data = os.read(fd, 1 << 20) if fd in ready else b''
        now, at = time.monotonic(), 0
        while at < len(data):
            wd, mask, cookie, length = struct.unpack_from('iIII', data, at)
            name = data[at + 16:at + 16 + length].rstrip(b'\0').decode()
            what = '|'.join(BITS[bit] for bit in BITS if mask & bit) + ('|DIR' if mask & 0x40000000 else '')
            say('%.4f %s %s' % (now, what, places.get(wd, '?') + ('/' + name if name else '')))
            at += 16 + length


main(*sys.argv[1:])
