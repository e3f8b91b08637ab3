"""Where the HTTP server listens, to whom it answers, and how it packs: with curl and a real Prometheus."""
import base64
import errno
import fcntl
import gzip
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from namespace import wait_until
from test_monitor import channel_of, record
from test_serve import BACKSTOP, NEST_INIT, PER_ADDRESS, Container, alive, children, free_port, plain_environment

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
                         env={**plain_environment(), **env}, **more)
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


def knock(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path))


def test_a_socket_of_the_last_life_is_replaced(start, tmp_path):
    path = tmp_path / "s"
    start("--metrics", f"unix:{path}").close()
    assert path.is_socket()
    wait_until(lambda: knock(path) == errno.ECONNREFUSED)  # its last process ends a moment later
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


# --- who ----------------------------------------------------------------------------------------------------------

TOKEN = "wHatEver-0123456789~abcdef"
GUARDED = ["/metrics", "/metrics/self"]
OPEN = ["/livez", "/readyz", "/startupz", "/healthz"]
CHALLENGES = ['Basic realm="nest-init", charset="UTF-8"', 'Bearer realm="nest-init"']


def htpasswd(user, password, cost=4):
    run = subprocess.run(["htpasswd", "-niBC", str(cost), user], input=password, capture_output=True, text=True, check=True)
    return run.stdout.strip() + "\n"


@pytest.fixture(scope="module")
def guarded():
    """A container with two users and a token; its files are replaced by no test."""
    directory = tempfile.TemporaryDirectory()
    place = Path(directory.name)
    place.chmod(0o755)
    (place / "users").write_text(htpasswd("prometheus", "open: sésame") + htpasswd("other", "x" * 72, 10))
    (place / "tokens").write_text(TOKEN + "\n")
    container = Container(options=["--metrics-users", str(place / "users"), "--metrics-tokens", str(place / "tokens")])
    container.place = place
    yield container
    container.close()
    directory.cleanup()


def status(container, path="/metrics", *words):
    return curl(*words, f"http://127.0.0.1:{container.port}{path}")[0]


def test_a_page_is_for_whom_the_files_name(guarded):
    for path in GUARDED:
        assert status(guarded, path) == 401
        assert status(guarded, path, "-u", "prometheus:open: sésame") == 200
        assert status(guarded, path, "-H", f"Authorization: Bearer {TOKEN}") == 200


def test_health_is_for_everybody(guarded):
    assert [status(guarded, path) for path in OPEN] == [200] * 4


def test_what_is_wrong_is_refused(guarded):
    for user in "prometheus:open: sesame", "prometheus:", "prometheu:open: sésame", "nobody:open: sésame", ":", "other:":
        assert status(guarded, "/metrics", "-u", user) == 401
        assert status(guarded, "/metrics", "-u", user) == 401  # known by now
    for value in (TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", "Basic", "Basic !", "Digest x",
                  "Bearer " + "x" * 4000, "Basic " + "eHg6" * 1000):
        assert status(guarded, "/metrics", "-H", f"Authorization: {value}") == 401
    assert status(guarded, "/metrics", "-u", "other:" + "x" * 72) == 200


def test_the_refusal_says_how_to_ask(guarded):
    answer = urllib.request.Request(f"http://127.0.0.1:{guarded.port}/metrics")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(answer, timeout=BACKSTOP)
    assert refused.value.headers.get_all("WWW-Authenticate") == CHALLENGES
    assert refused.value.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert refused.value.read() == b"unauthorized\n"
    assert status(guarded, "/metrics", "-I") == 401
    assert status(guarded, "/metrics", "-X", "POST") == 405
    assert status(guarded, "/nope") == 404


def test_guesses_do_not_keep_others_waiting(guarded):
    """A flood of guesses: who is known, and health, are answered all the same; the guesses wait, and are refused."""
    assert status(guarded, "/metrics", "-u", "prometheus:open: sésame") == 200
    asking = [subprocess.Popen(["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "-u", f"other:{i}",
                                f"http://127.0.0.1:{guarded.port}/metrics"], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL) for i in range(20)]
    try:
        for _ in range(20):
            assert status(guarded, "/livez") == 200
            assert status(guarded, "/metrics", "-u", "prometheus:open: sésame") == 200
    finally:
        answers = {process.communicate(timeout=BACKSTOP)[0] for process in asking}
    assert answers <= {"401", "000"}  # 000: its ten seconds were over
    assert "401" in answers
    guarded.wait_until(lambda: guarded.sockets() <= 6)


def test_who_waits_for_a_verdict_shuts_nobody_out(start, public):
    """More guesses at once than there are places: the oldest have to go, and their time ends as any other's."""
    users = public / "users"
    users.write_text(htpasswd("slow", "right", 13))
    container = start("--metrics-users", str(users))
    before = container.sockets()
    held = []
    try:
        for i in range(100):
            held.append(container.connect())
            guess = base64.b64encode(f"slow:{i}".encode()).decode()
            held[-1].sendall(f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {guess}\r\n\r\n".encode())
        assert status(container, "/livez") == 200
        assert container.get("/livez", source="127.0.9.9")[0] == 200
        assert sum(map(alive, held)) <= PER_ADDRESS
        container.wait_until(lambda: not any(map(alive, held)))  # refused, or ten seconds are over
    finally:
        for connection in held:
            connection.close()
    container.wait_until(lambda: container.sockets() <= before)
    right = {"Authorization": "Basic " + base64.b64encode(b"slow:right").decode()}
    container.wait_until(lambda: container.get("/metrics", headers=right)[0] == 200)
    assert "\nnest_init_monitor_restarts_total 0\n" in container.get("/metrics", headers=right)[1]


def test_files_that_change_are_read_again(start, public):
    users, tokens = public / "users", public / "tokens"
    users.write_text(htpasswd("a", "old"))
    tokens.write_text(TOKEN)
    container = start("--metrics-users", str(users), "--metrics-tokens", str(tokens))
    assert status(container, "/metrics", "-u", "a:old") == 200
    new = public / "new"
    new.write_text(htpasswd("a", "new"))
    new.rename(users)
    container.wait_until(lambda: status(container, "/metrics", "-u", "a:new") == 200)
    assert status(container, "/metrics", "-u", "a:old") == 401
    tokens.write_text("f" * 32 + "\n")  # in public
    container.wait_until(lambda: status(container, "/metrics", "-H", "Authorization: Bearer " + "f" * 32) == 200)
    assert status(container, "/metrics", "-H", f"Authorization: Bearer {TOKEN}") == 401
    users.write_text("a:plain\n")  # what is wrong changes nothing
    tokens.write_text("e" * 32 + "\n")
    for _ in range(12):
        assert status(container, "/metrics", "-H", "Authorization: Bearer " + "e" * 32) == 401
        assert status(container, "/metrics", "-u", "a:new") == 200
        time.sleep(0.1)
    users.write_text(htpasswd("a", "newer"))
    container.wait_until(lambda: status(container, "/metrics", "-H", "Authorization: Bearer " + "e" * 32) == 200)


def test_files_that_say_nothing_refuse_the_start(public):
    file = public / "file"
    where = f"127.0.0.1:{free_port()}"
    assert refusal("--metrics", where, "--metrics-users", str(file)) == f"--metrics-users {file}: No such file or directory"
    file.write_text("a:secret\n")
    assert refusal("--metrics", where, "--metrics-users", str(file)) == \
        f"--metrics-users {file}: line 1: 'a' has no bcrypt hash: make it with htpasswd -B"
    file.write_text("short\n")
    assert refusal("--metrics", where, "--metrics-tokens", str(file)).startswith(
        f"--metrics-tokens {file}: line 1: expected a token of 16 to 1024")
    file.write_text(TOKEN)
    file.chmod(0o400)
    os.chown(file, 2000, 2000)
    for user in (), ("--user", "1001"):
        assert refusal("--metrics", where, "--metrics-tokens", str(file), *user) == \
            f"--metrics-tokens {file}: Permission denied (neither PID 1's user, nor the service's, nor the monitor's may read it)"
    os.mkfifo(public / "fifo")
    assert refusal("--metrics", where, "--metrics-tokens", str(public / "fifo")) == \
        f"--metrics-tokens {public}/fifo: no regular file"


BEARER = "Authorization: Bearer "
SERVICE = ("--user", "1001:1001")
CONFINED = (*SERVICE, "--cap-drop", "all", "--read-only=landlock")
WIRE_OPEN = 14


def secret(path, text, owner):
    """Appears as a mounted secret does, all at once, and for its owner alone."""
    new = path.with_name("new")
    new.touch(0o400)
    new.write_text(text)
    os.chown(new, owner, owner)
    new.rename(path)
    return path


@pytest.mark.parametrize("owner, options", [(0, ()), (0, SERVICE), (0, CONFINED), (1001, SERVICE), (1001, CONFINED), (65534, SERVICE)])
def test_secrets_that_one_user_alone_may_read(start, public, owner, options):
    """PID 1's, the service's or the monitor's own: at the start and when they change."""
    tokens = secret(public / "tokens", TOKEN, owner)
    container = start("--metrics-tokens", str(tokens), *options)
    assert status(container, "/metrics", "-H", BEARER + TOKEN) == 200
    secret(tokens, "f" * 32, owner)
    container.wait_until(lambda: status(container, "/metrics", "-H", BEARER + "f" * 32) == 200)
    assert status(container, "/metrics", "-H", BEARER + TOKEN) == 401
    first = container.monitor
    os.kill(first, signal.SIGKILL)
    container.wait_until(lambda: container.monitor != first)
    container.wait_until(lambda: status(container, "/metrics", "-H", BEARER + "f" * 32) == 200)


def test_a_monitor_is_handed_the_files_of_the_configuration_and_to_be_read(start, public):
    tokens = secret(public / "tokens", TOKEN, 0)
    container = start("--metrics-tokens", str(tokens), *CONFINED)
    monitor = container.monitor
    os.kill(monitor, signal.SIGSTOP)
    with channel_of(monitor) as channel:
        for file in 0, 2, 4, 11, 12, 2**31, 2**32 - 1, 1:  # of these there is the last
            channel.send(record(WIRE_OPEN, struct.pack("=II", file, 0)))
        channel.setblocking(True)
        channel.settimeout(BACKSTOP)
        while True:
            message, fds, *_ = socket.recv_fds(channel, 65536, 4)
            if struct.unpack_from("=H", message, 2)[0] == WIRE_OPEN + 1:
                break
            assert not fds
    assert struct.unpack_from("=II", message, 8) == (1, 0) and len(fds) == 1
    assert os.read(fds[0], 100) == TOKEN.encode()
    assert fcntl.fcntl(fds[0], fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    os.close(fds[0])
    os.kill(monitor, signal.SIGCONT)


def test_a_flood_of_requests_for_files_costs_pid_1_nothing(start, public):
    tokens = secret(public / "tokens", TOKEN, 0)
    container = start("--metrics-tokens", str(tokens))
    monitor, stop = container.monitor, threading.Event()
    os.kill(monitor, signal.SIGSTOP)
    with channel_of(monitor) as channel:
        def flood():
            while not stop.is_set():
                try:
                    channel.send(record(WIRE_OPEN, struct.pack("=II", 1, 0)))
                except OSError:
                    pass
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            for _ in range(20):
                assert len(children(container.pid1)) <= 3  # the service, the monitor, and one that opens a file
                time.sleep(0.02)
            os.kill(container.pid1, signal.SIGTERM)
            assert container.process.wait(BACKSTOP) == 128 + signal.SIGTERM
        finally:
            stop.set()
            thread.join()


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_prometheus_proves_who_it_is(guarded, tmp_path):
    port = free_port()
    target = f"  static_configs: [{{targets: ['127.0.0.1:{guarded.port}']}}]\n"
    (tmp_path / "password").write_text("open: sésame")
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
        f"- job_name: basic\n{target}  basic_auth: {{username: prometheus, password_file: {tmp_path}/password}}\n"
        f"- job_name: bearer\n{target}  authorization: {{credentials_file: {guarded.place}/tokens}}\n"
        f"- job_name: nobody\n{target}")
    server = subprocess.Popen(
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])

    def query(expression):
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=BACKSTOP) as response:
            return {row["metric"]["job"]: row["value"][1] for row in json.load(response)["data"]["result"]}

    try:
        guarded.wait_until(lambda: query("up") == {"basic": "1", "bearer": "1", "nobody": "0"})
        assert query("nest_init_service_up") == {"basic": "1", "bearer": "1"}
    finally:
        server.terminate()
        server.wait()
