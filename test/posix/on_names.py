"""Names: their length, and the bytes that they are of."""
import errno
import os

from suite import absent, case, fails, get, put, same

MAKE = {'file': lambda x: put(x, b'content'), 'directory': os.mkdir, 'fifo': os.mkfifo,
        'symlink': lambda x: os.symlink(b'to', x)}
for what, make in MAKE.items():
    @case('a %s with a name of 255 bytes is made, listed, renamed and removed' % what, 'NAME_MAX', name='long-' + what)
    def long(make=make, what=what):
        name = b'n' * 255
        make(name)
        same('names', os.listdir(b'.'), [name])
        os.rename(name, b'm' * 255)
        same('names', os.listdir(b'.'), [b'm' * 255])
        (os.rmdir if what == 'directory' else os.unlink)(b'm' * 255)
        absent(b'm' * 255)

# What a name may hold, for POSIX: every byte but 0 and /.
NAMES = {
    'blank': b' ', 'tab-newline': b'a\tb\nc', 'dots': b'...', 'dash': b'-rf', 'backslash': b'a\\b', 'quotes': b'\'"`$*?[',
    'control': bytes(range(1, 32)), 'delete': b'\x7f', 'latin-1': b'\xe4\xf6\xfc', 'broken-utf-8': b'\xc3', 'ff': b'\xff\xfe',
    'utf-8': 'Grüße-漢字-🙂'.encode(), 'surrogate': b'\xed\xa0\x80', 'overlong': b'\xc0\xaf', 'long-utf-8': 'ü'.encode() * 127,
    'sharp': b'#ram', 'colon': b'a:b', 'trailing-blank': b'a ', 'leading-dot': b'.hidden', 'combining': 'e\u0301'.encode(),
}
for what, name in NAMES.items():
    @case('a name of these bytes is kept: %s' % what, 'POSIX, 3.170 Filename', name='bytes-' + what)
    def kept(name=name):
        put(name, b'content')
        same('names', os.listdir(b'.'), [name])
        same('the content', get(name), b'content')
        os.rename(name, b'other')
        os.rename(b'other', name)
        same('names', os.listdir(b'.'), [name])
        os.unlink(name)
        os.mkdir(name)
        put(name + b'/' + name, b'below')
        same('the content', get(name + b'/' + name), b'below')


@case('each single byte but 0 and / is a name', 'POSIX, 3.170 Filename')
def each_byte():
    want = [bytes([i]) for i in range(1, 256) if i not in (0x2f, 0x2e)]
    for name in want:
        put(name, name)
    same('names', sorted(os.listdir(b'.')), want)
    same('contents', [get(x) for x in want], want)


@case('names that differ in case, or in how a letter is composed, are two', 'POSIX: bytes')
def distinct():
    names = [b'a', b'A', 'é'.encode(), 'e\u0301'.encode(), 'É'.encode()]
    for name in names:
        put(name, name)
    same('names', sorted(os.listdir(b'.')), sorted(names))


@case('255 bytes are counted, not letters', 'NAME_MAX')
def bytes_not_letters():
    put('ü'.encode() * 127 + b'x')
    fails(errno.ENAMETOOLONG, os.mkdir, 'ü'.encode() * 128)


@case('a name with a 0 ends there for the kernel, and is no name for Python', 'POSIX')
def zero():
    try:
        put(b'a\0b')
    except ValueError:
        return
    raise AssertionError('a name with a zero byte')


@case('a directory is 100 deep, with names of 200 bytes, by relative steps', 'PATH_MAX')
def deep():
    for i in range(100):
        os.mkdir('%0200d' % i)
        os.chdir('%0200d' % i)
    put('x', b'content')
    same('the content', get('x'), b'content')
    same('names', os.listdir('.'), ['x'])
    os.unlink('x')
    for i in reversed(range(100)):
        os.chdir('..')
        os.rmdir('%0200d' % i)
    same('names', os.listdir('.'), [])
