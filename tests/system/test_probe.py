"""`nest-init probe` against servers that behave and servers that do not, on loopback with ports of the kernel's choice.

NEST_INIT names the binary. Limits are far apart from what a busy machine takes, and no test measures time: what hangs
hangs for ever, and is told by its reason.
"""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from misbehaving import Server

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/debug/nest-init"))
BACKSTOP = 120  # seconds: nothing here comes near

needs_namespaces = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"),
                                      reason="needs root and unshare(1)")


# --- the server ---------------------------------------------------------------------------------------------------

@pytest.fixture
def unix_server(tmp_path):
    server = Server(socket.AF_UNIX, str(tmp_path / "x.sock"))
    server.path = tmp_path / "x.sock"
    yield server
    server.close()


@pytest.fixture
def closed_port():
    """Bound by somebody who does not listen: connections are refused, and nobody else gets the port."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def probe(*arguments, prefix=()):
    return subprocess.run([*prefix, NEST_INIT, "probe", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=BACKSTOP)


def check(result, status, *lines):
    assert (result.returncode, result.stdout.splitlines(), result.stderr) == (status, list(lines), "")


# --- answers ------------------------------------------------------------------------------------------------------

DECIDED = [
    ("200", True, "200 OK"),
    ("204", True, "204 No Content"),
    ("301", True, "301 Moved Permanently"),
    ("399", True, "399"),
    ("400", False, "400 Bad Request"),
    ("401", False, "401 Unauthorized"),
    ("429", False, "429 Too Many Requests"),
    ("500", False, "500 Internal Server Error"),  # and not the server's own words
    ("503", False, "503 Service Unavailable"),
    ("103-then-200", True, "200 OK"),
    ("100-then-503", False, "503 Service Unavailable"),
    ("http-1.0", True, "200 OK"),
    ("bad-chunking", True, "200 OK"),  # complete headers decide
    ("endless-body", True, "200 OK"),
    ("escape", False, "not an HTTP/1 answer ({place})"),
    ("http-0.9", False, "not an HTTP/1 answer ({place})"),
    ("ssh", False, "not an HTTP/1 answer ({place})"),
    ("tls", False, "not an HTTP/1 answer: this looks like a TLS port ({place})"),
    ("http-2", False, "not an HTTP/1 answer ({place})"),
    ("closed", False, "closed without an answer ({place})"),
    ("closed-within-headers", False, "closed within the headers ({place})"),
    ("endless-header", False, "more than 64 KiB of headers ({place})"),
    ("endless-header-line", False, "more than 64 KiB of headers ({place})"),
    ("reset", False, "connection reset ({place})"),
    ("reset-within-headers", False, "connection reset ({place})"),
]
# A Unix socket has no reset: it is closed.
UNIX_REASONS = {"reset": "closed without an answer ({place})", "reset-within-headers": "closed within the headers ({place})"}


@pytest.mark.parametrize("behaviour, success, reason", DECIDED, ids=[row[0] for row in DECIDED])
def test_http_is_decided_by_complete_headers(server, behaviour, success, reason):
    target = f"http://127.0.0.1:{server.port}/{behaviour}"
    reason = reason.format(place=f"127.0.0.1:{server.port}")
    check(probe("--timeout", "60s", target), 0 if success else 1,
          f"{'ok' if success else 'failed'} {target}: {reason}")


@pytest.mark.parametrize("behaviour, success, reason", DECIDED, ids=[row[0] for row in DECIDED])
def test_http_through_a_unix_socket(unix_server, behaviour, success, reason):
    target = f"http+unix:{unix_server.path}:/{behaviour}"
    reason = UNIX_REASONS.get(behaviour, reason).format(place=unix_server.path)
    check(probe("--timeout", "60s", target), 0 if success else 1,
          f"{'ok' if success else 'failed'} {target}: {reason}")


def test_what_hangs_is_cut_and_says_where(server, unix_server):
    """Side by side, so that the time limit passes once."""
    place = f"127.0.0.1:{server.port}"
    base = f"http://{place}"
    check(probe("--timeout", "5s", f"{base}/hang", f"{base}/hang-after-status-line", f"{base}/slow-drip",
                f"http+unix:{unix_server.path}:/hang", f"{base}/200"), 1,
          f"failed {base}/hang: no answer within 5s ({place})",
          f"failed {base}/hang-after-status-line: headers incomplete within 5s ({place})",
          f"failed {base}/slow-drip: headers incomplete within 5s ({place})",
          f"failed http+unix:{unix_server.path}:/hang: no answer within 5s ({unix_server.path})",
          f"ok {base}/200: 200 OK")


@pytest.mark.parametrize("expect, behaviour, status", [
    ("200,429", "429", 0), ("200,429", "200", 0), ("200,429", "204", 1), ("401", "401", 0), ("500-599", "503", 0),
    ("500-599", "200", 1)])
def test_expected_statuses(server, expect, behaviour, status):
    assert probe("--expect", expect, f"http://127.0.0.1:{server.port}/{behaviour}").returncode == status


BODIES = [
    ("well", True, "200 OK"),
    ("well-chunked", True, "200 OK"),
    ("well-until-close", True, "200 OK"),
    ("unwell", False, "503 Service Unavailable"),
    ("200", False, "200, but the text is not in the body"),
    ("204", False, "204, but the text is not in the body"),
    ("http-1.0", False, "200, but the text is not in the body"),
    ("endless-body", False, "200, but the text is not in the first 64 KiB of the body"),
    ("bad-chunking", False, "200, but the body has a bad length or bad chunks"),
    ("closed-within-body", False, "200, but closed within the body"),
]


@pytest.mark.parametrize("behaviour, success, reason", BODIES, ids=[row[0] for row in BODIES])
def test_a_text_in_the_body(server, behaviour, success, reason):
    target = f"http://127.0.0.1:{server.port}/{behaviour}"
    check(probe("--timeout", "60s", f"body='is well' {target}"), 0 if success else 1,
          f"{'ok' if success else 'failed'} {target}: {reason}")


def test_a_body_that_hangs_is_cut(server):
    place = f"127.0.0.1:{server.port}"
    names = [f"http://{place}/{name}" for name in ("hang-within-body", "slow-body")]
    check(probe("--timeout", "60s", *(f"timeout=2s body=well {name}" for name in names)), 1,
          *(f"failed {name}: text not found in the body within 2s ({place})" for name in names))


def test_settings_of_one_probe_are_not_anothers(server):
    base = f"http://127.0.0.1:{server.port}"
    assert probe("expect=429", f"{base}/429", f"{base}/200").returncode == 0
    check(probe("--expect", "200", f"name=one expect=429 {base}/429", f"name=two {base}/204 name=three {base}/200"), 1,
          "failed two: 204 No Content, not expected", "ok one: 429 Too Many Requests", "ok three: 200 OK")


def test_the_request_is_what_the_check_says(server):
    assert probe(f"method=HEAD header=Host:api.internal header='Authorization: Bearer x' "
                 f"http://127.0.0.1:{server.port}/200").returncode == 0
    lines = server.requests[0].decode().split("\r\n")
    assert lines[0] == "HEAD /200 HTTP/1.1"
    assert [line for line in lines if line.startswith(("Host:", "Authorization:"))] == [
        "Host: api.internal", "Authorization: Bearer x"]


def test_the_request(server):
    probe(f"http://127.0.0.1:{server.port}/x/200?a=b")
    lines = server.requests[0].decode().split("\r\n")
    assert lines[0] == "GET /x/200?a=b HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "Connection: close" in lines
    assert any(line.startswith("User-Agent: nest-init/") for line in lines)


# --- connections, sockets, files ----------------------------------------------------------------------------------

def test_refused(closed_port):
    place = f"127.0.0.1:{closed_port}"
    check(probe(f"tcp://{place}", f"http://{place}/"), 1,
          f"failed tcp://{place}: connection refused ({place})", f"failed http://{place}/: connection refused ({place})")


def test_tcp_connects(server):
    place = f"127.0.0.1:{server.port}"
    check(probe(f"tcp://{place}"), 0, f"ok tcp://{place}: connected ({place})")


def test_localhost_is_both_loopback_addresses(server):
    """The server has only the IPv4 one; whether ::1 exists or not, that one is reached."""
    check(probe(f"tcp://localhost:{server.port}"), 0,
          f"ok tcp://localhost:{server.port}: connected (127.0.0.1:{server.port})")


def test_localhost_refused_names_both(closed_port):
    result = probe(f"tcp://localhost:{closed_port}")
    assert result.returncode == 1
    assert f"([::1]:{closed_port}); connection refused (127.0.0.1:{closed_port})" in result.stdout


def test_unix_socket(unix_server, tmp_path):
    check(probe(f"unix:{unix_server.path}"), 0, f"ok unix:{unix_server.path}: connected ({unix_server.path})")
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(tmp_path / "closed"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(str(tmp_path / "datagrams"))
        for name, reason in (("closed", "connection refused"), ("missing", "not there"),
                             ("datagrams", "not a stream socket")):
            check(probe(f"unix:{tmp_path}/{name}", f"http+unix:{tmp_path}/{name}:/"), 1,
                  f"failed unix:{tmp_path}/{name}: {reason} ({tmp_path}/{name})",
                  f"failed http+unix:{tmp_path}/{name}:/: {reason} ({tmp_path}/{name})")


def test_unix_socket_with_a_full_backlog(tmp_path):
    path = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as connections:
        listener.bind(path)
        listener.listen(0)
        while True:
            client = connections.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(path)
            except BlockingIOError:
                break
        check(probe("--timeout", "1s", f"unix:{path}"), 1,
              f"failed unix:{path}: not accepted, backlog full, within 1s ({path})")


def test_file(tmp_path):
    beat = tmp_path / "beat"
    check(probe(f"file:{beat}"), 1, f"failed file:{beat}: not there ({beat})")
    beat.touch()
    check(probe(f"file:{beat}"), 0, f"ok file:{beat}: exists")
    assert probe(f"file:{beat}?max_age=1h").returncode == 0
    long_ago = time.time() - 2 * 3600 - 90
    os.utime(beat, (long_ago, long_ago))
    check(probe(f"file:{beat}?max_age=1h"), 1, f"failed file:{beat}?max_age=1h: modified 2h1m ago")
    assert probe(f"file:{beat}?max_age=3h").returncode == 0
    long_ahead = time.time() + 4 * 3600
    os.utime(beat, (long_ahead, long_ahead))
    result = probe(f"file:{beat}?max_age=1h")
    assert result.returncode == 1 and "in the future" in result.stdout


# --- names --------------------------------------------------------------------------------------------------------

def in_network(script, tmp_path, hosts="", resolver=""):
    """Runs Python text in a network of its own (loopback only) with these files; `probe(...)` prints what came of it."""
    (tmp_path / "hosts").write_text(hosts)
    (tmp_path / "resolv.conf").write_text(resolver)
    (tmp_path / "nsswitch.conf").write_text("hosts: files dns\n")
    prologue = f"""
        import ctypes, os, socket, subprocess
        for name in ("hosts", "resolv.conf", "nsswitch.conf"):
            if os.path.exists("/etc/" + name):
                subprocess.run(["mount", "--bind", "{tmp_path}/" + name, os.path.realpath("/etc/" + name)], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what the probe leaves behind comes to us
        def probe(*arguments):
            result = subprocess.run(["{NEST_INIT}", "probe", *arguments], capture_output=True, text=True,
                                    timeout={BACKSTOP})
            print(result.stdout, end="")
            print(result.returncode)
            try:
                os.waitpid(-1, 0)
                print("a process was left")
            except ChildProcessError:
                pass
    """
    result = subprocess.run(["unshare", "-mn", sys.executable, "-c", textwrap.dedent(prologue) + textwrap.dedent(script)],
                            capture_output=True, text=True, timeout=BACKSTOP)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


@needs_namespaces
def test_every_address_of_a_name_is_tried(tmp_path):
    lines = in_network("""
        listener = socket.create_server(("127.0.0.3", 4000))
        probe("tcp://many:4000")
        probe("tcp://many:4001")
    """, tmp_path, hosts="127.0.0.2 many\n127.0.0.3 many\n127.0.0.4 many\n")
    assert lines[:2] == ["ok tcp://many:4000: connected (127.0.0.3:4000)", "0"]
    assert sorted(lines[2].removeprefix("failed tcp://many:4001: ").split("; ")) == [
        f"connection refused (127.0.0.{n}:4001)" for n in (2, 3, 4)]
    assert lines[3:] == ["1"]


@needs_namespaces
def test_a_name_server_that_is_silent_does_not_hold_the_others_up(tmp_path):
    assert in_network("""
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.53", 53))
        listener = socket.create_server(("127.0.0.1", 4000))
        probe("--timeout", "2s", "tcp://silent.example:80", "tcp://127.0.0.1:4000")
    """, tmp_path, resolver="nameserver 127.0.0.53\noptions timeout:30\n") == [
        "failed tcp://silent.example:80: name not resolved within 2s (silent.example)",
        "ok tcp://127.0.0.1:4000: connected (127.0.0.1:4000)", "1"]


@needs_namespaces
def test_a_name_that_does_not_exist(tmp_path):
    assert in_network("""
        import threading
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.53", 53))
        def refuse():
            while True:
                query, peer = server.recvfrom(512)
                end = query.index(0, 12) + 5  # the question, without EDNS
                server.sendto(query[:2] + b"\\x81\\x83" + query[4:6] + bytes(6) + query[12:end], peer)
        threading.Thread(target=refuse, daemon=True).start()
        probe("--timeout", "60s", "tcp://nobody.example:80")
    """, tmp_path, resolver="nameserver 127.0.0.53\n") == [
        "failed tcp://nobody.example:80: name not known (nobody.example)", "1"]


@needs_namespaces
def test_a_connection_to_itself_is_not_a_service(tmp_path):
    """With one port to choose from, the connection to that port would come from it: TCP connects it to itself."""
    assert in_network("""
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as ports:
            ports.write("40000 40000")
        probe("tcp://127.0.0.1:40000")
    """, tmp_path) == ["failed tcp://127.0.0.1:40000: connection refused (127.0.0.1:40000)", "1"]


# --- the command --------------------------------------------------------------------------------------------------

def test_all_must_succeed_and_failures_come_first(server, closed_port):
    base = f"http://127.0.0.1:{server.port}"
    check(probe(f"{base}/200", f"tcp://127.0.0.1:{closed_port}", f"{base}/204", f"{base}/503"), 1,
          f"failed tcp://127.0.0.1:{closed_port}: connection refused (127.0.0.1:{closed_port})",
          f"failed {base}/503: 503 Service Unavailable",
          f"ok {base}/200: 200 OK",
          f"ok {base}/204: 204 No Content")


def test_wait_until_somebody_listens(tmp_path):
    """It is let to fail first: the line is about the try that succeeded."""
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        place = "127.0.0.1:%d" % late.getsockname()[1]
        waiting = subprocess.Popen([NEST_INIT, "probe", "--wait", "100s", f"tcp://{place}"], stdout=subprocess.PIPE,
                                   text=True)
        time.sleep(0.6)
        assert waiting.poll() is None
        late.listen(8)
        output, _ = waiting.communicate(timeout=BACKSTOP)
        assert (waiting.returncode, output) == (0, f"ok tcp://{place}: connected ({place})\n")


def test_wait_does_not_give_up_early(closed_port):
    began = time.monotonic()
    assert probe("--wait", "600ms", f"tcp://127.0.0.1:{closed_port}").returncode == 1
    assert time.monotonic() - began >= 0.55


def test_wait_ends(closed_port):
    check(probe("--wait", "600ms", f"tcp://127.0.0.1:{closed_port}"), 1,
          f"failed tcp://127.0.0.1:{closed_port}: connection refused (127.0.0.1:{closed_port})")


@pytest.mark.parametrize("arguments, says", [
    ([], "TARGET is missing"),
    (["https://127.0.0.1/"], "https is not supported"),
    (["http://127.0.0.1/", "gopher://x"], "\"gopher://x\" is of an unknown form; known are http://"),
    (["http://127.0.0.1/\r\nX: y"], "control byte 0x0d"),
    (["notify"], "TARGET: notify is what a workload tells PID 1"),
    (["expect=200"], "TARGET: a TARGET is missing"),
    (["interval=3s tcp://127.0.0.1:1"], "interval: is for a check of PID 1's monitor: a probe looks once"),
    (["jitter=10%", "tcp://127.0.0.1:1"], "jitter: is for a check of PID 1's monitor"),
    (["colour=red tcp://127.0.0.1:1"], "TARGET: unknown setting 'colour'"),
    (["header=Authorization: Bearer abc", "http://127.0.0.1/"], "(what holds blanks stands in quotes: header='Name: value'"),
    ([" "], "TARGET is missing"),
    (["--nope", "tcp://127.0.0.1:1"], "--nope: is not an option here"),
    (["-x", "tcp://127.0.0.1:1"], "-x: is not an option here"),
    (["tcp://127.0.0.1:1", "--timeout"], "--timeout: needs a value"),
    (["--timeout", "5", "tcp://127.0.0.1:1"], "--timeout: '5': expected a duration above zero"),
    (["--timeout=0", "tcp://127.0.0.1:1"], "--timeout: '0': expected a duration above zero"),
    (["--wait", "-1s", "tcp://127.0.0.1:1"], "--wait: '-1s': expected a duration above zero"),
    (["--expect", "20x", "tcp://127.0.0.1:1"], "--expect: character 1 does not begin a status"),
    (["tcp://127.0.0.1:1"] * 65, "too many targets: 64 at the most"),
    (["tcp://127.0.0.1:1 " * 65], "too many targets: 64 at the most"),
])
def test_bad_usage_is_one_line_and_125(arguments, says):
    result = probe(*arguments)
    assert (result.returncode, result.stdout) == (125, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("nest-init probe: ")


def test_help():
    result = probe("--help")
    assert probe("-h").stdout == result.stdout
    assert result.returncode == 0 and result.stdout.startswith("Usage: nest-init probe ")
    assert len(result.stdout.splitlines()) <= 24 and max(map(len, result.stdout.splitlines())) <= 100


def test_nobody_reads_the_output(server):
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([NEST_INIT, "probe", f"http://127.0.0.1:{server.port}/200"], stdout=writer, timeout=BACKSTOP)
    os.close(writer)
    assert result.returncode == 0
