"""Ports of 127.0.0.1."""
import contextlib
import socket


def free_ports(count):
    """That many that nobody has."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [taken.getsockname()[1] for taken in sockets]


def free_port():
    return free_ports(1)[0]
