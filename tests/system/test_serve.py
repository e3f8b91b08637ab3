"""The HTTP pages of the monitor, asked politely, asked badly and asked too much, on loopback.

NEST_INIT names the binary. It runs as PID 1 of a PID namespace that ends with the test. Where time counts, what is
allowed is far from what is expected: the limit is ten seconds, and a page comes in less than one millisecond.
"""
import concurrent.futures
import http.client
import json
import os
import random
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from ports import free_port

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/debug/nest-init"))
BACKSTOP = 60  # seconds: nothing here comes near
CONNECTIONS = 128  # SERVE_CONNECTIONS_MAX
PER_ADDRESS = 64   # SERVE_PER_ADDRESS_MAX
TIMEOUT = 10       # SERVE_TIMEOUT_NS
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def plain_environment():
    """Without what names the binaries under test, which nest-init would take for options."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NEST_INIT")}


class Container:
    """nest-init with --metrics in a PID namespace, and its monitor."""

    def __init__(self, *command, options=(), binary=None):
        self.binary = binary or NEST_INIT
        self.port = free_port()
        self.process = subprocess.Popen(
            ["unshare", "-pf", "--mount-proc", "--kill-child", self.binary, "--metrics", f"127.0.0.1:{self.port}",
             *options, "--", *(command or ("sleep", "1000"))], env=plain_environment())
        try:
            self.wait_until(lambda: self.get("/livez")[0] == 200)
            self.pid1 = children(self.process.pid)[0]
        except BaseException:
            self.close()
            raise

    def close(self):
        self.process.kill()  # --kill-child: the namespace ends with it
        self.process.wait()

    def wait_until(self, condition, seconds=BACKSTOP):
        end = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < end
            time.sleep(0.02)

    def connect(self, source=None, timeout=BACKSTOP):
        return socket.create_connection(("127.0.0.1", self.port), timeout, (source, 0) if source else None)

    def ask(self, request, source=None):
        """Sends bytes and returns all that comes back until the server closes."""
        answer = b""
        with self.connect(source) as connection:
            try:
                connection.sendall(request)
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionError:
                pass
        return answer

    def connection(self, source):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=BACKSTOP, source_address=source)

    def get(self, path, method="GET", headers={}, source=None):
        connection = self.connection((source, 0) if source else None)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers
        except http.client.HTTPException as error:
            raise ConnectionError(error)
        finally:
            connection.close()

    def sample(self, name):
        _, page, _ = self.get("/metrics")
        values = re.findall(rf"^nest_init_{re.escape(name)} (\S+)$", page, re.M)
        return float(values[0]) if values else None

    @property
    def monitor(self):
        for pid in children(self.pid1):
            if os.path.samefile(f"/proc/{pid}/exe", self.binary):
                return pid
        raise OSError("there is no monitor")

    def sockets(self):
        links = []
        for descriptor in Path(f"/proc/{self.monitor}/fd").iterdir():
            try:
                links.append(os.readlink(descriptor))
            except FileNotFoundError:
                pass  # closed since it was listed
        return sum(link.startswith("socket:") for link in links)

    def resident_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.monitor}/status").read_text())[1])


@pytest.fixture(scope="module")
def container():
    subject = Container()
    monitor = subject.monitor
    yield subject
    assert subject.monitor == monitor, "the monitor died of a test"
    subject.close()


def request(path="/livez", method="GET", *fields):
    return "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: test", *fields, "")).encode()


CLOSE = "Connection: close"
GARBAGE = [request(), request("/metrics", "POST", "Content-Length: 9999999999999999999999"), b"GET", b"\r\n" * 50,
           b"\0" * 100, b"GET  /livez  HTTP/9.9\r\n\r\n", b"GET /livez HTTP/1.1\r\n: \r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
           b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /livez?" + b"&" * 3000 + b" HTTP/1.1\r\n", b"X: y\r\n" * 100,
           b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", b"Host: \xff\xfe\r\n"]


def garbage(chance):
    """What looks more or less like a request, and is none."""
    return b"".join(chance.choices(GARBAGE, k=3)) + chance.randbytes(chance.randrange(200))


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


def alive(connection):
    connection.settimeout(0)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


# --- pages --------------------------------------------------------------------------------------------------------

def test_metrics_says_what_it_is(container):
    status, page, headers = container.get("/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Vary"] == "Accept, Accept-Encoding"
    assert "\nnest_init_service_up{service=\"main\"} 1\n" in page
    assert "\nnest_init_service_processes{service=\"main\"} 1\n" in page
    assert "\nnest_init_service_threads{service=\"main\"} 1\n" in page


def test_metrics_has_two_dozen_families_at_least(container):
    _, page, _ = container.get("/metrics")
    families = re.findall(r"^# TYPE (\S+)", page, re.M)
    assert len(families) == len(set(families)) >= 24


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian package prometheus) is not installed")
def test_metrics_is_lint_clean(container):
    _, page, _ = container.get("/metrics")
    lint = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


def test_openmetrics_is_for_who_asks(container):
    _, page, headers = container.get("/metrics", headers={"Accept": PROMETHEUS})
    assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert page.endswith("\n# EOF\n") and page.count("# EOF") == 1
    assert "# TYPE nest_init_signals_received counter\n" in page


def test_accept_may_come_in_several_fields(container):
    answer = container.ask(request("/metrics", "GET", "Accept: text/plain;q=0.1", "accept: application/*;q=0.5", CLOSE))
    assert b"\r\nContent-Type: application/openmetrics-text; " in answer


def test_health_pages_have_three_forms(container):
    for page in "livez", "healthz", "startupz", "readyz":
        status, body, headers = container.get(f"/{page}")
        assert (status, body, headers["Content-Type"]) == (200, "ok\n", "text/plain; charset=utf-8")
    assert container.get("/readyz?verbose")[1] == "[+]nest-init ok\nreadyz check passed\n"
    assert container.get("/readyz?a=b&verbose=1")[1] == "[+]nest-init ok\nreadyz check passed\n"
    status, body, headers = container.get("/livez", headers={"Accept": "application/health+json"})
    assert headers["Content-Type"] == "application/health+json"
    assert json.loads(body)["status"] == "pass"


def test_head_is_get_without_the_body(container):
    status, body, headers = container.get("/readyz", method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, "", "3")


@pytest.mark.parametrize("path", ["/nope", "/index.html", "/metrics/", "/livez%00", "/%6civez", "/livez%0d%0aX-Evil:%201", "//livez",
                                  "/../livez", "*"])
def test_what_is_no_page_is_404(container, path):
    answer = container.ask(request(path, "GET", CLOSE))
    assert status_of(answer) == 404
    assert b"Evil" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_405(container, method):
    answer = container.ask(request("/metrics", method, CLOSE))
    assert status_of(answer) == 405
    assert b"\r\nAllow: GET, HEAD\r\n" in answer


@pytest.mark.parametrize("fields, body", [(["Content-Length: 1000000"], b"x"),
                                          (["Transfer-Encoding: chunked"], b"3\r\nabc\r\n"),
                                          (["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n")])
def test_a_body_is_refused_unread(container, fields, body):
    answer = container.ask(request("/livez", "GET", *fields) + body + request("/metrics"))
    assert status_of(answer) in (400, 413)
    assert answer.count(b"HTTP/1.1 ") == 1  # what follows is no request (RFC 9112, section 11.2)


def test_a_head_that_is_too_long_is_refused(container):
    assert status_of(container.ask(request("/livez", "GET", "X-Long: " + "x" * 20000))) == 431
    assert status_of(container.ask(request("/" + "x" * 20000))) == 414
    assert status_of(container.ask(request("/livez", "GET", *(f"X-{i}: y" for i in range(3000))))) == 431


def test_a_connection_serves_several_requests(container):
    answer = container.ask(request() * 999 + request("/livez", "GET", CLOSE))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1000


def test_an_absolute_target_is_a_page_too(container):
    assert status_of(container.ask(request("http://anybody:1/livez?verbose", "GET", CLOSE))) == 200


# --- limits -------------------------------------------------------------------------------------------------------

def test_who_only_holds_on_shuts_nobody_out(container):
    """More connections than there are places, of one address and of many: a newcomer is answered all the same."""
    held = []
    try:
        for _ in range(3 * PER_ADDRESS):
            held.append(container.connect())
            held[-1].send(b"GET /livez HT")
        assert container.get("/livez")[0] == 200
        assert container.get("/livez", source="127.0.9.9")[0] == 200
        assert sum(map(alive, held)) <= PER_ADDRESS
        for address in range(2, 12):
            for _ in range(40):
                held.append(container.connect(f"127.0.0.{address}"))
        assert container.get("/livez")[0] == 200
        assert container.get("/livez", source="127.0.9.9")[0] == 200
        assert CONNECTIONS - 8 <= sum(map(alive, held)) <= CONNECTIONS
    finally:
        for connection in held:
            connection.close()


def test_the_deadline_is_for_the_whole_request(container):
    """A byte now and then does not hold a connection for ever."""
    sent = 0
    began = time.monotonic()
    with container.connect() as connection:
        for byte in request("/livez", "GET", "X-Slow: " + "x" * 1000):
            try:
                connection.send(bytes([byte]))
            except ConnectionError:
                break
            sent += 1
            time.sleep(0.25)
    assert TIMEOUT - 1 < time.monotonic() - began < TIMEOUT + 20
    assert sent < 200


def test_an_idle_connection_is_ended(container):
    with container.connect() as connection:
        connection.sendall(request())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        began = time.monotonic()
        assert connection.recv(1) == b""
        assert TIMEOUT - 1 < time.monotonic() - began < TIMEOUT + 20


def test_a_thousand_connections(container):
    """All there at once; who asks first is answered, who was pushed out may ask again, and all of it is given back."""
    before = container.sockets()
    held = [container.connect(f"127.0.4.{i % 8 + 1}") for i in range(1000)]
    assert container.get("/livez", source="127.0.9.9")[0] == 200
    assert container.sockets() <= before + CONNECTIONS
    for connection in held:
        connection.close()
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        statuses = list(pool.map(lambda i: container.get("/livez", source=f"127.0.5.{i % 8 + 1}")[0], range(1000)))
    assert statuses == [200] * 1000
    container.wait_until(lambda: container.sockets() <= before)


def test_garbage_costs_nothing(container):
    """10,000 requests that are none: the monitor lives, and its memory stays what it was."""
    chance = random.Random(20241123)
    resident = 0
    for i in range(10000):
        try:
            with container.connect(f"127.0.6.{i % 200 + 1}") as connection:
                connection.sendall(garbage(chance))
        except ConnectionError:
            pass
        if i == 2000:
            resident = container.resident_kib()
    assert container.get("/livez")[0] == 200
    assert container.resident_kib() < resident + 2048
    assert container.resident_kib() < 32768 or "asan" in NEST_INIT
    assert container.sample("monitor_restarts_total") == 0


# --- figures ------------------------------------------------------------------------------------------------------

def test_the_figures_are_those_of_the_whole_session():
    """Three processes, one of them busy: counted together, and the processor's time never falls."""
    script = "sleep 1000 & (i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done); exec 9</dev/null; wait"
    container = Container("sh", "-c", script)
    try:
        container.wait_until(lambda: container.sample('service_processes{service="main"}') == 2 and
                             container.sample('service_cpu_seconds_total{service="main",mode="user"}') > 0)
        assert container.sample('service_threads{service="main"}') == 2
        resident = container.sample('service_resident_memory_bytes{service="main"}')
        assert 65536 < resident < 64 << 20
        fds = container.sample('service_open_fds{service="main"}')
        assert fds is None or 7 <= fds <= 64
        assert container.sample("cgroup_memory_usage_bytes") is None or container.sample("cgroup_memory_usage_bytes") > 0
        started = container.sample('service_start_time_seconds{service="main"}')
        assert abs(time.time() - started) < BACKSTOP
    finally:
        container.close()


# --- Prometheus ---------------------------------------------------------------------------------------------------

@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_prometheus_scrapes_it(container, tmp_path):
    """Prometheus 2 asks for OpenMetrics: this is its own parser at work."""
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(
        "scrape_configs:\n- job_name: nest-init\n  scrape_interval: 1s\n  scrape_timeout: 1s\n"
        f"  static_configs:\n  - targets: ['127.0.0.1:{container.port}']\n")
    server = subprocess.Popen(
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"])

    def query(expression):
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=BACKSTOP) as response:
            return [(row["metric"], row["value"][1]) for row in json.load(response)["data"]["result"]]

    try:
        container.wait_until(lambda: [value for _, value in query("up")] == ["1"])
        assert [value for _, value in query("nest_init_service_up")] == ["1"]
        (labels, value), = query('nest_init_state{state="running"}')
        assert value == "1"
        (labels, value), = query("nest_init_build_info")
        assert labels["version"] and labels["arch"] in ("amd64", "arm64")
        assert len(query('count by (__name__) ({__name__=~"nest_init_.*"})')) >= 24
        url = f"http://127.0.0.1:{port}/api/v1/metadata?metric=nest_init_signals_received"
        with urllib.request.urlopen(url, timeout=BACKSTOP) as response:
            assert json.load(response)["data"]["nest_init_signals_received"][0]["type"] == "counter"
    finally:
        server.terminate()
        server.wait()
