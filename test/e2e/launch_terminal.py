"""`tenon run` under a terminal: the keys, job control, sizes, an inner shell, an editor.

As root and, where root runs this, as uid 1000 too, each with and without --pids. product.md section 2; launcher.md section 1.
"""
import os
import pty
import re
import select
import signal
import termios
import time

from bench import PATIENCE, Failed, case
from people import children, marked, people, pids, stat_of, state_of, tell, wait_for


class Terminal:
    """An interactive bash under a terminal of its own."""

    def __init__(self, b, who):
        self.out = b''
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(b.dir)
            os.environ.update(b.env, PS1='outer$ ', TERM='dumb')
            os.execvp('sh', ['sh', '-c', 'exec %sbash --norc --noprofile -i' % who])
        self.pid = pid
        self.expect('outer\\$ ')

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            m = re.search(pattern.encode(), self.out)
            if m:
                self.out = self.out[m.end():]
                return m
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Failed('%r has not come on the terminal; only %r' % (pattern, self.out[-600:]))
            try:
                self.out += os.read(self.fd, 65536)
            except OSError:
                raise Failed('the terminal closed before %r: %r' % (pattern, self.out[-600:]))

    def ends_with(self, status):
        """The job is over, the terminal is the shell's again, and the status is this."""
        self.expect('outer\\$ ')
        self.type('echo "status $?;"\n')
        found = int(self.expect('\nstatus (\\d+);').group(1))
        if found != status:
            raise Failed('status %d, want %d' % (found, status))
        self.expect('outer\\$ ')

    def foreground(self, mark):
        """Until the terminal is the process's that has this argument: a shell says nothing when it has seen to that."""
        def is_there():
            return any((stat_of(pid) or ' ' * 3)[2] == str(os.tcgetpgrp(self.fd)) for pid in marked(mark))
        wait_for('%s in the foreground' % mark, is_there)

    def size(self, rows, columns):
        termios.tcsetwinsize(self.fd, (rows, columns))

    def hang_up(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def end(self):
        """All of its session: who is just ending may be stuck in a sanitizer's last look."""
        for pid in pids():
            if (stat_of(pid) or ' ' * 4)[3] == str(self.pid):
                tell(pid, signal.SIGKILL)
        self.hang_up()
        os.waitpid(self.pid, 0)


def on_terminal(b, who, options, scene):
    t = Terminal(b, who)
    try:
        scene(t, 'tenon run ' + options)
    except Failed as e:
        raise Failed('%s%s: %s' % (who, options, e))
    finally:
        t.end()


def on_terminals(b, scene):
    """As a job of its own, with --pids, and in a name space that is kept."""
    os.chmod(b.dir, 0o777)
    for who in people():
        for options in ('', '--pids '):
            on_terminal(b, who, options, scene)
        name = 'terminal-%d' % os.getpid()
        b.shows('%stenon run --keep %s true' % (who, name))
        try:
            on_terminal(b, who, '--in %s ' % name, scene)
        finally:
            b.shows('%stenon run --end %s' % (who, name))


def inner_shell(t, run):
    t.type(run + 'bash --norc --noprofile -i\n')
    t.expect('outer\\$ ')
    t.type("PS1='inner$ '\n")
    t.expect('\\ninner\\$ ')


@case('^C reaches the program, which alone decides')
def _(b):
    def scene(t, run):
        t.type(run + "sh -c 'echo wai\"\"ting; exec sleep 100'\n")  # without exec dash misses a ^C while it forks
        t.expect('waiting')
        t.type('\x03')
        t.ends_with(130)
        t.type(run + "sh -c 'trap \"echo cau\"\"ght; exit 4\" INT; echo wai\"\"ting; while :; do sleep 0.01; done'\n")
        t.expect('waiting')
        t.type('\x03')
        t.expect('caught')
        t.ends_with(4)
    on_terminals(b, scene)


@case('^\\ ends the program')
def _(b):
    def scene(t, run):
        t.type('ulimit -c 0; ' + run + "sh -c 'echo wai\"\"ting; exec sleep 100'\n")
        t.expect('waiting')
        t.type('\x1c')
        t.expect('Quit')
        t.ends_with(131)
    on_terminals(b, scene)


@case('^D is the end of the program\'s input')
def _(b):
    def scene(t, run):
        t.type(run + "sh -c 'echo wai\"\"ting; cat; echo the en\"\"d; exit 5'\n")
        t.expect('waiting')
        t.type('line\n\x04')
        t.expect('the end')
        t.ends_with(5)
    on_terminals(b, scene)


@case('^Z stops the job, fg goes on with it')
def _(b):
    def scene(t, run):
        t.type(run + "sh -c 'echo wai\"\"ting; read line; echo got $line; exit 6' mark-of-it\n")
        t.expect('waiting')
        for _ in range(2):
            t.type('\x1a')
            t.expect('Stopped')
            t.expect('outer\\$ ')
            t.type('fg\n')
            t.expect('tenon run')
            wait_for('all of it', lambda: not any(state_of(pid) == 'T' for pid in marked('mark-of-it')))
        t.type('hello\n')
        t.expect('got hello')
        t.ends_with(6)
    on_terminals(b, scene)


@case('^Z stops the job, bg goes on with it, and its status is the program\'s')
def _(b):
    def scene(t, run):
        # No child of sh: who is stopped between vfork and exec holds his parent, which then does not stop.
        t.type('rm -f go; mkfifo go; ' + run + "sh -c 'echo wai\"\"ting; read line <go; exit 6'\n")
        t.expect('waiting')
        t.type('\x1a')
        t.expect('Stopped')
        t.expect('outer\\$ ')
        t.type('bg\n')
        t.expect('tenon run')
        t.expect('outer\\$ ')
        t.type('echo >go; wait %1\n')
        t.ends_with(6)
    on_terminals(b, scene)


# A read of the terminal in the background: TTIN goes to the whole job. termios(3).
@case('a program in the background that reads the terminal stops, and reads when it is in front')
def _(b):
    def scene(t, run):
        t.type(run + "sh -c 'read line; echo got $line; exit 6' &\n")
        t.expect('outer\\$ ')
        # Not by a loop in the shell: it is to have the terminal when the job stops.
        wait_for('the job has stopped', lambda: any(state_of(pid) == 'T' for pid in children(t.pid)))
        t.type('jobs\n')
        t.expect('Stopped')
        t.expect('outer\\$ ')
        t.type('fg\n')
        t.expect('tenon run')
        t.type('hello\n')
        t.expect('got hello')
        t.ends_with(6)
    on_terminals(b, scene)


@case('kill of the job ends it as it ends any program')
def _(b):
    def scene(t, run):
        t.type(run + "sh -c 'echo wai\"\"ting; exec sleep 100' &\n")
        t.expect('waiting')
        t.type('kill %1; wait %1\n')
        t.ends_with(143)
    on_terminals(b, scene)


@case('an inner interactive shell has job control of its own, and gives the terminal back')
def _(b):
    def scene(t, run):
        inner_shell(t, run)
        t.type('sleep 100.25\n')
        t.foreground('100.25')
        t.type('\x1a')
        t.expect('Stopped')
        t.expect('inner\\$ ')
        t.type('fg\n')
        t.expect('sleep 100.25')
        t.foreground('100.25')
        t.type('\x03')
        t.expect('inner\\$ ')
        t.type('echo "status $?;"\n')
        t.expect('\nstatus 130;')
        t.type('sleep 100.25 &\n')
        t.expect('inner\\$ ')
        t.type('kill %1; wait %1; echo "status $?;"\n')
        t.expect('\nstatus 143;')
        t.type('exit 3\n')
        t.ends_with(3)
        t.type('read x; echo "<$x>"\n')
        t.type('there\n')
        t.expect('<there>')
    on_terminals(b, scene)


@case('suspend of an inner shell stops the job, fg wakes it')
def _(b):
    def scene(t, run):
        inner_shell(t, run)
        for _ in range(2):
            t.type('suspend\n')
            t.expect('Stopped')
            t.expect('outer\\$ ')
            t.type('fg\n')
            t.expect('tenon run')
            t.type('echo in\"\"side\n')
            t.expect('inside')
        t.expect('inner\\$ ')
        t.type('exit 3\n')
        t.ends_with(3)
    on_terminals(b, scene)


@case('a new size of the terminal reaches the program')
def _(b):
    def scene(t, run):
        t.size(24, 80)
        t.type(run + "sh -c 'trap \"stty size; exit 0\" WINCH; echo wai\"\"ting; while :; do sleep 0.01; done'\n")
        t.expect('waiting')
        t.size(31, 97)
        t.expect('31 97')
        t.ends_with(0)
    on_terminals(b, scene)


@case('a new size of the terminal reaches an inner shell')
def _(b):
    def scene(t, run):
        t.size(24, 80)
        inner_shell(t, run)
        t.size(31, 97)
        t.type('stty size; /bin/true; echo "$LINES x $COLUMNS"\n')
        t.expect('31 97\r\n31 x 97\r')
        t.expect('inner\\$ ')
        t.type('exit 3\n')
        t.ends_with(3)
    on_terminals(b, scene)


def edit(t, name, prompt):
    """vi in the foreground: a text typed, ^Z, a new size, fg, and it is written."""
    t.size(24, 80)
    t.type('TERM=vt100 vi -u NONE -i NONE -n %s\n' % name)
    t.expect('\\[New')
    t.type('ityped\x1b')
    t.foreground(name)
    t.type('\x1a')
    t.expect('Stopped')
    t.expect(prompt)
    t.type('fg\n')
    t.expect('typed')  # it draws its screen anew
    t.type(':set columns?\r')
    t.expect('columns=80')  # and is at rest again: a vi that is just resuming misses a WINCH, with and without tenon
    t.size(31, 97)
    columns, end = 0, time.monotonic() + PATIENCE
    while columns != 97 and time.monotonic() < end:  # it looks when it has handled a key
        t.type(':set columns?\r')
        columns = int(t.expect('columns=(\\d+)').group(1))
    if columns != 97:
        raise Failed('%d columns' % columns)
    t.type(':wq\r')
    t.expect(prompt)


@case('vi is drawn, stopped, resumed, resized and writes its file')
def _(b):
    def scene(t, run):
        t.type("alias vi='%s vi'; rm -f edited\n" % run)
        t.expect('outer\\$ ')
        edit(t, 'edited', 'outer\\$ ')
        assert b.read('edited') == 'typed\n'
    on_terminals(b, scene)


@case('vi does the same below an inner shell')
def _(b):
    def scene(t, run):
        inner_shell(t, run)
        t.type('rm -f edited\n')
        t.expect('inner\\$ ')
        edit(t, 'edited', 'inner\\$ ')
        assert b.read('edited') == 'typed\n'
        t.type('exit 3\n')
        t.ends_with(3)
    on_terminals(b, scene)


# The kernel sends HUP to the whole job; whoever of it ends by that must not take the program along.
@case('a program hears that the terminal is gone, and decides')
def _(b):
    def scene(t, run):
        path = os.path.join(b.dir, 'heard')
        t.type(run + "sh -c 'trap \"sleep 0.2; echo HUP >heard; exit 0\" HUP; echo wai\"\"ting; "
               "while :; do sleep 0.01; done'\n")
        t.expect('waiting')
        t.hang_up()
        wait_for('the word of the program', lambda: os.path.exists(path) and b.read('heard') == 'HUP\n')
        os.unlink(path)
    on_terminals(b, scene)
