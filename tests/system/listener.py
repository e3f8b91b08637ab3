"""A service manager's end of sd_notify(3)."""
import socket


class Listener:
    """The socket that NOTIFY_SOCKET names."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.setblocking(False)
        self.env = {"NOTIFY_SOCKET": name}
        self.heard = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def hear(self):
        try:
            while True:
                self.heard.append(self.socket.recv(4096).decode().strip())
        except BlockingIOError:
            return self.heard
