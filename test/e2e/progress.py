"""The bar of `tenon cp -r`: on a terminal only. product.md section 2."""
import os
import pty
import re
import termios

from bench import case


def on_terminal(b, command, columns=80):
    """-> what the command printed on a terminal of its own, as it came."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(b.dir)
        os.environ.update(b.env)
        os.read(0, 1)  # until the terminal has its size
        os.execvp('sh', ['sh', '-c', command])
    out = b''
    try:
        attributes = termios.tcgetattr(fd)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
        termios.tcsetwinsize(fd, (24, columns))
        os.write(fd, b'\n')
        while True:
            try:
                piece = os.read(fd, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            out += piece
    finally:
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, out.decode()


def a_tree(b):
    for i in range(5):
        b.write('tree/d%d/f' % i, b'x' * 100000)


@case('on a terminal cp -r draws how far it is, to the end, and nothing of it stays')
def _(b):
    a_tree(b)
    status, out = on_terminal(b, 'tenon cp -r tree copy')
    assert status == 0, out
    lines = re.findall(r'\r\[([^\]]*)\] +(\d+) %  (\d) of 5 files, ([0-9.]+ k?B) of 500.0 kB', out)
    assert lines[0][1:] == ('0', '0', '0 B') and not lines[0][0].strip(), out
    assert lines[-1][1:] == ('100', '5', '500.0 kB') and set(lines[-1][0]) == {'='}, out
    assert re.search(r'\r( {60,})\r$', out), out
    assert '\n' not in out, out
    b.shows('diff -r tree copy')


@case('no bar with -q, without -r, or when standard error is no terminal')
def _(b):
    a_tree(b)
    for command in ('tenon cp -rq tree a', 'tenon cp --quiet -r tree b', 'tenon cp tree/d0/f c', 'tenon cp -r tree d 2>err'):
        assert on_terminal(b, command) == (0, ''), command
    assert b.read('err') == ''
    b.shows('tenon cp -r tree e')


@case('what goes wrong is said on a line that the bar has left')
def _(b):
    a_tree(b)
    os.mkdir(os.path.join(b.dir, 'copy'))
    b.write('copy/d2', 'a file where a directory is to be')
    status, out = on_terminal(b, 'tenon cp -r tree/d1 tree/d2 tree/d3 copy')
    assert status == 1, out
    assert re.search(r'\r +\rtenon: cp: copy/d2: [^\r\n]+\r\n', out), out
    assert re.search(r'\r +\r$', out), out


@case('the bar is as wide as the terminal lets it be')
def _(b):
    a_tree(b)
    for columns in (200, 80, 50, 44, 30, 10, 1):
        status, out = on_terminal(b, 'tenon cp -r tree copy', columns)
        assert status == 0, out
        widest = max(len(x) for x in out.split('\r'))
        assert widest <= max(columns - 1, 0) and (columns < 50 or '[' in out), (columns, out)
