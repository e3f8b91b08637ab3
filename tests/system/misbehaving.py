"""A server that behaves, or not, as a request's path asks it to: for tests of what looks at it."""
import contextlib
import socket
import struct
import threading


def answer(text):
    return lambda connection, stop: connection.sendall(text.replace("\n", "\r\n").encode("latin-1"))


def hang(connection, stop):
    stop.wait()


def hang_after_status_line(connection, stop):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    stop.wait()


def slow_drip(connection, stop):
    for byte in b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 100000:
        connection.sendall(bytes([byte]))
        if stop.wait(0.05):
            return


def endless_header(connection, stop):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stop.is_set():
        connection.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def endless_header_line(connection, stop):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    while not stop.is_set():
        connection.sendall(b"x" * 1000)


def endless_body(connection, stop):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not stop.is_set():
        connection.sendall(b"5\r\nhello\r\n" * 1000)


def hang_within_body(connection, stop):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall is we")
    stop.wait()


def slow_body(connection, stop):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not stop.wait(0.05):
        connection.sendall(b"x")


def reset(connection, stop):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_within_headers(connection, stop):
    connection.sendall(b"HTTP/1.1 200 OK\r\nServer: x\r\n")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def tls_alert(connection, stop):
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x28")


BEHAVIOURS = {
    **{str(status): answer(f"HTTP/1.1 {status} {phrase}\nContent-Length: 0\n\n") for status, phrase in (
        (200, "OK"), (204, "No Content"), (301, "Moved Permanently"), (399, "x"), (400, "Bad Request"),
        (401, "Unauthorized"), (429, "Too Many Requests"), (500, "All is well"), (503, "Fine, thank you"))},
    "103-then-200": answer("HTTP/1.1 103 Early Hints\nLink: </x>\n\nHTTP/1.1 200 OK\n\n"),
    "100-then-503": answer("HTTP/1.1 100 Continue\n\nHTTP/1.1 503 x\n\n"),
    "http-1.0": answer("HTTP/1.0 200 OK\n\nbody"),
    "bad-chunking": answer("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nzz\nnonsense"),
    "well": answer("HTTP/1.1 200 OK\nContent-Length: 11\n\nall is well"),
    "well-chunked": answer("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n9;x=y\nall is we\n2\nll\n0\n\n"),
    "well-until-close": answer("HTTP/1.0 200 OK\n\nall is well"),
    "unwell": answer("HTTP/1.1 503 x\nContent-Length: 11\n\nall is well"),
    "closed-within-body": answer("HTTP/1.1 200 OK\nContent-Length: 100\n\nall is we"),
    "hang-within-body": hang_within_body,
    "slow-body": slow_body,
    "escape": answer("HTTP/1.1 200 \x1b[2J\n\n"),
    "http-0.9": answer("<html>"),
    "ssh": answer("SSH-2.0-OpenSSH_9.2p1\n"),
    "http-2": answer("HTTP/2 200\n\n"),
    "closed": lambda connection, stop: None,
    "closed-within-headers": answer("HTTP/1.1 200 OK\nServer: x\n"),
    "hang": hang,
    "hang-after-status-line": hang_after_status_line,
    "slow-drip": slow_drip,
    "endless-header": endless_header,
    "endless-header-line": endless_header_line,
    "endless-body": endless_body,
    "reset": reset,
    "reset-within-headers": reset_within_headers,
    "tls": tls_alert,
}


class Server:
    """Does what the last part of the request's path says; keeps the requests."""

    def __init__(self, family, address):
        self.requests = []
        self.stop = threading.Event()
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind(address)
        self.listener.listen(1024)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(4096)
                if not part:
                    return
                request += part
            self.requests.append(request)
            name = request.split()[1].decode().rpartition("/")[2].partition("?")[0]
            BEHAVIOURS[name](connection, self.stop)

    def close(self):
        self.stop.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
