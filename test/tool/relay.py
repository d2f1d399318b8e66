"""A link of 127.0.0.1 that can be stopped, so that nothing goes over it and nobody is told, and cut, so that both ends are told."""
import os
import select
import signal
import socket


class Relay:
    """The dial string of an end; `dial` is that of the other."""

    def __init__(self, dial):
        self.to = dial.split('!')
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=16)
        self.dial = 'tcp!127.0.0.1!%d' % self.listener.getsockname()[1]
        self.pid = 0
        self.mend()

    def mend(self):
        assert not self.pid
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.carry()
            finally:
                os._exit(0)

    def carry(self):
        other = {self.listener: None}
        while True:
            for s in select.select(list(other), [], [])[0]:
                if s is self.listener:
                    near = s.accept()[0]
                    far = socket.create_connection((self.to[1], int(self.to[2])))
                    other[near], other[far] = far, near
                elif s in other:
                    self.pass_on(s, other)

    @staticmethod
    def pass_on(s, other):
        try:
            data = s.recv(1 << 16)
            other[s].sendall(data)
        except OSError:
            data = b''
        if not data:
            for x in (other.pop(s), s):
                other.pop(x, None)
                x.close()

    def stop(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def cut(self):
        """The sockets end. Who dials again waits to be accepted, until it is mended."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0

    def end(self):
        if self.pid:
            self.cut()
        self.listener.close()
