"""Where the HTTP server listens, to whom it answers, and how it packs: with curl and a real Prometheus."""
import gzip
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import urllib.parse
import urllib.request

import pytest

from test_serve import BACKSTOP, NEST_INIT, Container, free_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")


@pytest.fixture
def start():
    started = []

    def begin(*options):
        started.append(Container(options=options))
        return started[-1]
    yield begin
    for container in started:
        container.close()


def refusal(*options, env={}, **more):
    run = subprocess.run([NEST_INIT, *options, "--", "true"], capture_output=True, text=True, timeout=BACKSTOP,
                         env={**os.environ, **env}, **more)
    assert run.returncode == 125 and run.stderr.count("\n") == 1
    return run.stderr.removeprefix("nest-init: ").rstrip("\n")


def curl(*words):
    run = subprocess.run(["curl", "-sS", "-i", *words], capture_output=True, text=True, timeout=BACKSTOP)
    assert run.returncode == 0, run.stderr
    head, _, body = run.stdout.partition("\n\n")
    return int(head.split()[1]), dict(line.split(": ", 1) for line in head.splitlines()[1:]), body


# --- where --------------------------------------------------------------------------------------------------------

def test_a_unix_socket(start, tmp_path):
    path = tmp_path / "nest-init.sock"
    container = start("--metrics", f"unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert curl("--unix-socket", str(path), "http://any/livez")[::2] == (200, "ok\n")
    assert container.get("/livez")[0] == 200  # and the other address as well


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_a_unix_socket_has_the_mode_that_was_asked_for(start, tmp_path, mode):
    path = tmp_path / "s"
    start("--metrics", f"unix:{path}?mode={mode:o}")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_socket_of_the_last_life_is_replaced(start, tmp_path):
    path = tmp_path / "s"
    start("--metrics", f"unix:{path}").close()
    assert path.is_socket()
    start("--metrics", f"unix:{path}")
    assert curl("--unix-socket", str(path), "http://any/livez")[0] == 200


def test_a_socket_in_use_and_a_file_stay_as_they_are(tmp_path):
    taken, file = tmp_path / "taken", tmp_path / "file"
    file.write_text("precious")
    in_use = r"--metrics unix:{}: Address (already )?in use " \
             r"\(another process listens there, or it is no socket: choose another path\)"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(taken))
        other.listen()
        assert re.fullmatch(in_use.format(taken), refusal("--metrics", f"unix:{taken}"))
        assert taken.is_socket()
    assert re.fullmatch(in_use.format(file), refusal("--metrics", f"unix:{file}"))
    assert file.read_text() == "precious"


def test_a_socket_in_a_directory_that_is_not_there():
    assert refusal("--metrics", "unix:/no/such/s") == \
        "--metrics unix:/no/such/s: No such file or directory (its directory has to be there, and to be writable for PID 1)"


def passing(listeners, names, *options):
    """Runs nest-init as systemd would have it, with the sockets from descriptor 3 on."""
    script = "import os, sys\nos.environ['LISTEN_PID'] = str(os.getpid())\nos.execv(sys.argv[1], sys.argv[1:])"
    moved = [os.dup2(listener.fileno(), 200 + i) for i, listener in enumerate(listeners)]
    place = "; ".join(f"os.dup2({fd}, {3 + i})" for i, fd in enumerate(moved))
    return ["/usr/bin/python3", "-c", f"import os; {place}\n{script}", NEST_INIT, *options], moved, \
        {**os.environ, "LISTEN_FDS": str(len(listeners)), "LISTEN_FDNAMES": ":".join(names)}


def test_a_socket_that_systemd_passes():
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as ours:
        command, fds, env = passing([other, ours], ["http", "metrics"], "--metrics", "fd:metrics", "--", "sleep", "1000")
        process = subprocess.Popen(command, env=env, pass_fds=fds)
        try:
            for fd in fds:
                os.close(fd)
            with urllib.request.urlopen(f"http://127.0.0.1:{ours.getsockname()[1]}/livez", timeout=BACKSTOP) as answer:
                assert answer.read() == b"ok\n"
        finally:
            process.terminate()
            process.wait()


def test_a_socket_that_systemd_does_not_pass():
    sentence = refusal("--metrics", "fd:metrics")
    assert re.fullmatch(r"--metrics fd:metrics: no socket of that name was passed "
                        r"\(LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID=\d+\)", sentence)


def test_a_passed_descriptor_that_does_not_listen():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wrong:
        command, fds, env = passing([wrong], ["metrics"], "--metrics", "fd:metrics", "--", "true")
        run = subprocess.run(command, env=env, pass_fds=fds, capture_output=True, text=True, timeout=BACKSTOP)
        os.close(fds[0])
    assert (run.returncode, run.stderr) == (
        125, "nest-init: --metrics fd:metrics: descriptor 3 is no stream socket that listens\n")


def test_several_addresses_and_ipv6(start):
    port = free_port()
    container = start("--metrics", f"[::1]:{port}", "--metrics", f"127.0.7.7:{port}")
    assert curl("-g", f"http://[::1]:{port}/livez")[0] == curl(f"http://127.0.7.7:{port}/livez")[0] == 200
    assert container.get("/livez")[0] == 200
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.7.8", port), BACKSTOP)  # nobody else's


# --- packed -------------------------------------------------------------------------------------------------------

def test_a_page_is_packed_for_who_asks(start):
    container = start()
    url = f"http://127.0.0.1:{container.port}/metrics"
    status, head, page = curl("--compressed", url)
    assert (status, head["Content-Encoding"], head["Vary"]) == (200, "gzip", "Accept, Accept-Encoding")
    plain = curl(url)
    assert "Content-Encoding" not in plain[1]
    names = re.compile(r"^# TYPE \S+", re.M)
    assert names.findall(page) == names.findall(plain[2]) != []
    assert int(head["Content-Length"]) * 3 < len(plain[2])


def test_a_packed_page_has_the_length_of_its_packed_body(start):
    container = start()
    headers = {"Accept-Encoding": "gzip"}
    request = urllib.request.Request(f"http://127.0.0.1:{container.port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=BACKSTOP) as answer:
        packed = answer.read()
        assert int(answer.headers["Content-Length"]) == len(packed)
    assert gzip.decompress(packed).startswith(b"# HELP nest_init_")
    status, body, head = container.get("/metrics", method="HEAD", headers=headers)
    assert (status, body, head["Content-Encoding"]) == (200, "", "gzip")


def test_what_is_short_is_not_packed(start):
    assert "Content-Encoding" not in curl("--compressed", f"http://127.0.0.1:{start().port}/livez")[1]
