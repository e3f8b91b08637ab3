"""`nest-init status --watch` in a terminal of its own, and without one."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import time

import pytest

from test_serve import BACKSTOP, NEST_INIT, Container, children

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

OPENED, CLOSED = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.fixture(scope="module")
def container():
    subject = Container()
    yield subject
    subject.close()


def inside(container, *words):
    return ["nsenter", "-t", str(container.pid1), "-p", "-m", NEST_INIT, "status", *words]


class Terminal:
    """A pseudo terminal of 12 rows, and what was written to it."""

    def __init__(self, command):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (12, 80))
        self.before = termios.tcgetattr(slave)
        self.slave, self.output = slave, b""
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm", "NO_COLOR": ""})

    def until(self, condition):
        end = time.monotonic() + BACKSTOP
        while not condition(self.output):
            assert time.monotonic() < end, self.output
            if select.select([self.master], [], [], 0.1)[0]:
                self.output += os.read(self.master, 65536)
        return self.output

    def key(self, key):
        os.write(self.master, key)

    def finish(self):
        status = self.process.wait(timeout=BACKSTOP)
        self.until(lambda output: CLOSED in output)
        after = termios.tcgetattr(self.slave)
        os.close(self.master)
        os.close(self.slave)
        assert after == self.before and self.output.endswith(b"\x1b[?7h\x1b[?25h" + CLOSED)
        return status


def screens(output):
    return re.split(rb"\x1b\[H", output)[1:]


@pytest.mark.parametrize("key", [b"q", b"Q", b"\x03"])
def test_a_screen_that_ends_on_a_key(container, key):
    terminal = Terminal(inside(container, "--watch", "100ms"))
    output = terminal.until(lambda output: len(screens(output)) >= 3)
    assert output.startswith(OPENED)
    terminal.key(key)
    assert terminal.finish() == 0
    first, second = screens(terminal.output)[:2]
    assert b"main is ready" in first and b"main is ready" in second
    assert b"\x1b[32m" in first  # in colour, as ever
    assert first.count(b"\n") == 11  # cut to the terminal: its last row stays free


def test_any_other_key_looks_at_once(container):
    terminal = Terminal(inside(container, "--watch=1h"))
    terminal.until(lambda output: len(screens(output)) == 1 and output.endswith(b"\x1b[J"))
    terminal.key(b" ")
    terminal.until(lambda output: len(screens(output)) == 2)
    terminal.key(b"q")
    assert terminal.finish() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_as_it_was(container, number):
    terminal = Terminal(inside(container, "--watch"))
    terminal.until(lambda output: len(screens(output)) == 1 and output.endswith(b"\x1b[J"))
    os.kill(children(terminal.process.pid)[0], number)  # below nsenter
    assert terminal.finish() == 0


def test_without_a_terminal_one_follows_the_other(container):
    process = subprocess.Popen(inside(container, "--watch", "100ms"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        output = b""
        while output.count(b"main is ready\n") < 3:
            output += os.read(process.stdout.fileno(), 65536)
        assert b"\x1b" not in output and b"\n\nmain is ready\n" in output
        process.stdout.close()  # nobody reads any more
        assert process.wait(timeout=BACKSTOP) == 0
    finally:
        process.kill()
        process.wait()


def test_nobody_answers_yet():
    """That may pass: it goes on."""
    process = subprocess.Popen([NEST_INIT, "status", "--watch", "100ms"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               env={**os.environ, "NEST_INIT_CONTROL": "nobody-at-all"})
    try:
        output = b""
        while output.count(b"nest-init status: no nest-init answers at @nobody-at-all") < 2:
            output += os.read(process.stdout.fileno(), 65536)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=BACKSTOP) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("words, sentence", [
    (["--watch", "50ms"], "--watch: '50ms': expected a time of at least 100ms, such as 2s"),
    (["--watch=2"], "--watch: '2': expected a time of at least 100ms, such as 2s"),
    (["2s"], "unknown option '2s' (nest-init status --help)"),
    (["--watch", "--json"], "--json is for machines, --watch for people: choose one"),
    (["--jso"], "unknown option '--jso' (nest-init status --help)"),
])
def test_what_is_not_understood(words, sentence):
    run = subprocess.run([NEST_INIT, "status", *words], capture_output=True, text=True, timeout=BACKSTOP)
    assert (run.returncode, run.stdout, run.stderr) == (125, "", f"nest-init status: {sentence}\n")
