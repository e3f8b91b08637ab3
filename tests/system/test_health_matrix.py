"""What a service does, through every kind of target, for every kind of check: each cell of one table.

All of them run at once against servers of the test's own, each once; the table says what came of it. A cell is the reason,
and which kinds pass: l(ive), r(eady), s(tartup). Two nest-init share them: a startup check that fails would hold the others
back.

NEST_INIT names the binary.
"""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from misbehaving import Server
from namespace import Namespace, wait_until

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/release/nest-init"))

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

TIMEOUT = "8s"  # far from what a busy machine takes for an answer
KINDS = ("live", "ready", "startup")
COLUMNS = {
    "http": "http://{tcp}/{row}",
    "http+unix": "http+unix:{unix}:/{row}",
    "expect": "expect=401,429,500-599 http://{tcp}/{row}",
    "body": "body='is well' http://{tcp}/{row}",
    "tcp": "tcp://{tcp}",
    "unix": "unix:{unix}",
    "file": "file:{unix}",
    "exec": f"exec:{NEST_INIT} probe --timeout 1h http://{{tcp}}/{{row}}",
}
GOOD, BAD = "lrs", "---"


def by_command(reason, cell):
    """What a command that probes for itself says, if it is not cut."""
    if f"within {TIMEOUT}" in reason:
        return f"not ended within {TIMEOUT}"
    return f"status {0 if cell == GOOD else 1}: {'ok' if cell == GOOD else 'failed'} http://{{tcp}}/{{row}}: {reason}"


def decided(reason, cell=GOOD, **others):
    """The row of a server that answers: the same through TCP and a Unix socket, unless `others` say so. Who only connects
    sees no answer, and a socket is a file whatever its server does."""
    ok = re.fullmatch(r"(401|429|5\d\d) .*", reason)
    by_list = (reason, GOOD) if ok else (f"{reason}, not expected" if cell == GOOD else reason, BAD)
    row = {"http": (reason, cell), "http+unix": (reason, cell), "expect": by_list,
           "body": (reason, cell), "tcp": ("connected ({tcp})", GOOD), "unix": ("connected ({unix})", GOOD),
           "file": ("exists", GOOD), "exec": (by_command(reason, cell), cell)}
    return {**row, **others}


def undecided(by_tcp, by_unix=None, **others):
    """The row of a server that gives no answer: the reason ends in its place."""
    by_unix = (by_unix or by_tcp).replace("{place}", "{unix}")
    by_tcp = by_tcp.replace("{place}", "{tcp}")
    return decided(by_tcp, BAD, **{"http+unix": (by_unix, BAD), "expect": (by_tcp, BAD), "body": (by_tcp, BAD), **others})


def no_text(status):
    return {"body": (f"{status}, but the text is not in the body", BAD)}


MATRIX = {
    "200": decided("200 OK", **no_text(200)),
    "204": decided("204 No Content", **no_text(204)),
    "301": decided("301 Moved Permanently", **no_text(301)),
    "401": decided("401 Unauthorized", BAD),
    "429": decided("429 Too Many Requests", BAD),
    "500": decided("500 Internal Server Error", BAD),
    "503": decided("503 Service Unavailable", BAD),
    "103-then-200": decided("200 OK", **no_text(200)),
    "100-then-503": decided("503 Service Unavailable", BAD),
    "well": decided("200 OK", body=("200 OK", GOOD)),
    "well-chunked": decided("200 OK", body=("200 OK", GOOD)),
    "well-until-close": decided("200 OK", body=("200 OK", GOOD)),
    "unwell": decided("503 Service Unavailable", BAD),
    "bad-chunking": decided("200 OK", body=("200, but the body has a bad length or bad chunks", BAD)),
    "endless-body": decided("200 OK", body=("200, but the text is not in the first 64 KiB of the body", BAD)),
    "closed-within-body": decided("200 OK", body=("200, but closed within the body", BAD)),
    "hang-within-body": decided("200 OK", body=(f"text not found in the body within {TIMEOUT} ({{tcp}})", BAD)),
    "slow-body": decided("200 OK", body=(f"text not found in the body within {TIMEOUT} ({{tcp}})", BAD)),
    "hang": undecided(f"no answer within {TIMEOUT} ({{place}})"),
    "hang-after-status-line": undecided(f"headers incomplete within {TIMEOUT} ({{place}})"),
    "slow-drip": undecided(f"headers incomplete within {TIMEOUT} ({{place}})"),
    "endless-header": undecided("more than 64 KiB of headers ({place})"),
    "endless-header-line": undecided("more than 64 KiB of headers ({place})"),
    "ssh": undecided("not an HTTP/1 answer ({place})"),
    "http-0.9": undecided("not an HTTP/1 answer ({place})"),
    "http-2": undecided("not an HTTP/1 answer ({place})"),
    "tls": undecided("not an HTTP/1 answer: this looks like a TLS port ({place})"),
    "closed": undecided("closed without an answer ({place})"),
    "closed-within-headers": undecided("closed within the headers ({place})"),
    # A Unix socket has no reset: it is closed.
    "reset": undecided("connection reset ({place})", "closed without an answer ({place})"),
    "reset-within-headers": undecided("connection reset ({place})", "closed within the headers ({place})"),
    # Nobody listens: the port is bound and the socket's file is there, closed.
    "refused": undecided("connection refused ({place})", tcp=("connection refused ({tcp})", BAD),
                         unix=("connection refused ({unix})", BAD)),
    # There is no file of a socket either.
    "missing": undecided("connection refused ({place})", "not there ({place})", tcp=("connection refused ({tcp})", BAD),
                         unix=("not there ({unix})", BAD), file=("not there ({unix})", BAD)),
}


class Place:
    """Where a row's server is, or would be."""

    def __init__(self, tcp, unix):
        self.tcp, self.unix = tcp, unix


@contextlib.contextmanager
def places():
    """{row: Place}, with the servers behind them. The monitor is another user: it may connect to their sockets."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nest-"))
        os.chmod(folder, 0o755)
        tcp = Server(socket.AF_INET, ("127.0.0.1", 0))
        stack.callback(tcp.close)
        unix = Server(socket.AF_UNIX, f"{folder}/x.sock")
        stack.callback(unix.close)
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_UNIX) as closed:
            closed.bind(f"{folder}/closed.sock")
        for name in "x", "closed":
            os.chmod(f"{folder}/{name}.sock", 0o666)
        nobody = f"127.0.0.1:{bound.getsockname()[1]}"
        served = Place(f"127.0.0.1:{tcp.port}", f"{folder}/x.sock")
        yield {**{row: served for row in MATRIX}, "refused": Place(nobody, f"{folder}/closed.sock"),
               "missing": Place(nobody, f"{folder}/no.sock")}


def status(container):
    """What `nest-init status --json` says, asked from inside."""
    done = subprocess.run(["nsenter", "-t", str(container.pid), "-p", "-m", NEST_INIT, "status", "--json"],
                          capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout) if done.returncode == 0 else None


def results(container):
    """{(kind, name): check} once each has run."""
    def all_ran():
        assert container.process.poll() is None, container.errors()
        known = status(container)
        checks = known["checks"] if known else []
        return checks if checks and all(check["successes"] + check["failures"] > 0 for check in checks) else None
    return {(check["kind"], check["name"]): check for check in wait_until(all_ran, pause=0.2)}


@contextlib.contextmanager
def run(*options):
    """Every cell, run once, and the places that the reasons name."""
    with places() as where:
        def checks(*kinds):  # one option for each: behind exec: all is the command
            return [f"--{kind}=name={row}/{column} {target.format(row=row, **vars(where[row]))}"
                    for row in MATRIX for column, target in COLUMNS.items() for kind in kinds]
        # A run of each, and no more: what came of it stays.
        once = ["--health-interval=1h", "--health-start-interval=1h", f"--health-timeout={TIMEOUT}", "--health-retries=1"]
        with Namespace(NEST_INIT, "sleep", "1000", options=[*once, *options, *checks("startup")]) as starting, \
                Namespace(NEST_INIT, "sleep", "1000", options=[*once, *options, *checks("live", "ready")]) as started:
            yield results(starting) | results(started), where
            told = (starting.errors() + started.errors()).splitlines()
            assert [line for line in told if not line.startswith("nest-init monitor: check ")] == []


@pytest.fixture(scope="module")
def matrix():
    with run() as ran:
        yield ran


@pytest.fixture(scope="module")
def starting():
    with run("--health-start-period=1h") as ran:
        yield ran


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", MATRIX)
def test_cell(matrix, row, column):
    results, where = matrix
    reason, passes = MATRIX[row][column]
    checks = [(kind, results[kind, f"{row}/{column}"]) for kind in KINDS]
    assert [(kind, check["reason"], check["healthy"], check["successes"] + check["failures"]) for kind, check in checks] \
        == [(kind, reason.format(row=row, **vars(where[row])), kind[0] in passes, 1) for kind in KINDS]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", MATRIX)
def test_cell_within_the_start_period(starting, row, column):
    """A success counts there, a failure does not: alive all the same, but neither ready nor started."""
    results, _ = starting
    passes = "l" if MATRIX[row][column][1] == BAD else GOOD
    assert passes == "".join(kind[0] for kind in KINDS if results[kind, f"{row}/{column}"]["healthy"])
