"""--metrics-merge: the page of a real Node service (prom-client) within ours, and pages that were made to do harm.

NEST_INIT names the binary. It runs as PID 1 of a PID namespace that ends with the test. Times are only compared where
what is expected is far from what is allowed.
"""
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import test_serve
from test_serve import Container, free_port, request

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
MODULES = REPO / "build/demo/service/node_modules"  # packaging/demo/image.sh installs them
NEST_INIT = os.environ.get("NEST_INIT", str(REPO / "build/release/nest-init"))
OPENMETRICS = {"Accept": test_serve.PROMETHEUS}
BACKSTOP = 60  # seconds: nothing here comes near
REASONS = ("token", "connection", "timeout", "status", "too_large", "malformed", "conflict", "duplicate")

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "node", "npm"))),
                                reason="needs root, unshare(1), node and npm")


@pytest.fixture(autouse=True)
def binary(monkeypatch):
    monkeypatch.setattr(test_serve, "NEST_INIT", NEST_INIT)


@pytest.fixture(scope="module")
def modules():
    subprocess.run([REPO / "packaging/demo/image.sh"], cwd=REPO, check=True, timeout=120, stdout=subprocess.DEVNULL)
    return MODULES


@contextlib.contextmanager
def merged(*targets, command=()):
    """nest-init that merges these; `command` is the service."""
    container = Container(*command, options=[word for target in targets for word in ("--metrics-merge", target)])
    try:
        container.wait_until(lambda: '\nnest_init_state{state="running"} 1\n' in container.get("/metrics/self")[1])  # it is executed
        monitor, held = container.monitor, len(os.listdir(f"/proc/{container.pid1}/fd"))
        yield container
        assert container.monitor == monitor, "the monitor died of a test"
        assert len(os.listdir(f"/proc/{container.pid1}/fd")) == held  # PID 1 has no part in it
        assert container.sample("monitor_restarts_total") == 0
    finally:
        container.close()


class Node:
    """The service, and what it takes to start it under nest-init."""

    def __init__(self, modules, **env):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/metrics"
        self.command = ("env", f"NODE_PATH={modules}", f"PORT={self.port}", *(f"{k}={v}" for k, v in env.items()),
                        "node", str(HERE / "merge_service.js"))

    def page(self, headers={}):
        with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=BACKSTOP) as answer:
            return answer.read().decode()

    def wait(self, container):
        container.wait_until(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() is None)


class Target:
    """A page from this process: answer(connection, head) says what comes. It counts who asks."""

    def __init__(self, answer, unix=None):
        self.answer, self.heads, self.lock = answer, [], threading.Lock()
        if unix:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(unix)
            os.chmod(unix, 0o777)
            self.listener.listen(64)
            self.url = f"http+unix:{unix}:/metrics"
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/metrics"
        self.end = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with connection, contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n") and (piece := connection.recv(65536)):
                head += piece
            with self.lock:
                self.heads.append(head.decode())
            self.answer(self, connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def answering(body, status="200 OK", fields="Content-Type: text/plain; version=0.0.4\r\n"):
    body = body if isinstance(body, bytes) else body.encode()

    def answer(target, connection):
        connection.sendall(f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return answer


def series(page):
    """{"name{labels}": value} of a page, without comments, times and exemplars."""
    found = {}
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name, value = re.fullmatch(r'(\w+(?:\{(?:[^"]|"(?:\\.|[^"\\])*")*?\})?) (\S+).*', line).groups()
            assert name not in found
            found[name] = value
    return found


def errors(page, target):
    found = series(page)
    return {reason: int(found[f'nest_init_app_scrape_errors_total{{target="{target}",reason="{reason}"}}'])
            for reason in REASONS if found[f'nest_init_app_scrape_errors_total{{target="{target}",reason="{reason}"}}'] != "0"}


def success(page, target):
    return series(page).get(f'nest_init_app_scrape_success{{target="{target}"}}')


def types(page):
    found = re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M)
    assert len(dict(found)) == len(found), "a family is there twice"
    return dict(found)


def of_app(page):
    return {name: value for name, value in series(page).items() if not name.startswith("nest_init_")}


def canonical(page):
    """The app's own page, with the bounds of buckets as OpenMetrics writes them."""
    return {re.sub(r'(le|quantile)="(\d+)"', r'\1="\2.0"', name) for name in series(page)}


# --- a real service ---------------------------------------------------------------------------------------------------

def test_every_series_of_the_service_is_in_both_formats(modules):
    node = Node(modules)
    with merged(node.url, command=node.command) as container:
        node.wait(container)
        own = node.page()
        text, openmetrics = container.get("/metrics")[1], container.get("/metrics", headers=OPENMETRICS)[1]
        assert canonical(own) == set(of_app(text)) == set(of_app(openmetrics))
        assert len(of_app(text)) > 50
        assert success(text, node.url) == "1" and errors(openmetrics, node.url) == {}
        with_samples = {name: kind for name, kind in types(own).items() if re.search(rf"^{name}(_bucket|_count)?[ {{]", own, re.M)}
        assert with_samples.items() <= types(text).items()
        assert types(openmetrics)["http_requests"] == "counter" and types(openmetrics)["jobs"] == "gauge"
        assert types(openmetrics)["jobs_total"] == "unknown"  # OpenMetrics has no counter beside that gauge
        assert openmetrics.count("# EOF") == 1 and openmetrics.endswith("\n# EOF\n")
        route = r'{route="/a \"b\" \\ c\nd ä 🐢"}'
        assert of_app(text)[f"http_requests_total{route}"] == of_app(openmetrics)[f"http_requests_total{route}"] == "1"
        assert '\n# HELP http_requests_total Requests, "quoted" \\\\ and\\nbroken.\n' in text
        assert '\n# HELP http_requests Requests, \\"quoted\\" \\\\ and\\nbroken.\n' in openmetrics
        assert of_app(container.get("/metrics/self")[1]) == {}
        assert {name for name in series(text) if name not in of_app(text)} == \
            set(series(container.get("/metrics/self")[1]))


def test_a_service_that_speaks_openmetrics(modules):
    node = Node(modules, FORMAT="openmetrics")
    with merged(f"name=app {node.url}", command=node.command) as container:
        node.wait(container)
        own = node.page()
        text, openmetrics = container.get("/metrics")[1], container.get("/metrics", headers=OPENMETRICS)[1]
        assert canonical(own) == set(of_app(text)) == set(of_app(openmetrics))
        exemplars = re.findall(r'^(\w+)\{.* # \{trace_id="(\w+)"\} (\S+) [\d.]+$', openmetrics, re.M)
        assert exemplars == [("http_requests_total", "abc", "1"), ("http_request_duration_seconds_bucket", "def", "0.5")]
        assert "trace_id" not in text
        assert types(text)["http_requests_total"] == types(openmetrics)["http_requests"] == "counter"
        assert success(text, "app") == "1"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian package prometheus) is not installed")
def test_the_linter_says_of_the_merged_page_what_it_says_of_the_services(modules):
    def lint(page):
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
        assert "error while linting" not in done.stderr
        return set(done.stderr.splitlines())
    node = Node(modules)
    with merged(node.url, command=node.command) as container:
        node.wait(container)
        complaints = lint(node.page())
        assert all("non-counter metrics should not have" in line for line in complaints)
        assert lint(container.get("/metrics")[1]) == complaints


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
@pytest.mark.parametrize("form", ["text", "openmetrics"])
def test_prometheus_scrapes_both_in_one(modules, tmp_path, form):
    """Its own parser of OpenMetrics at work, and none of its warnings (a duplicate, a time, a type)."""
    node, port = Node(modules, FORMAT=form), free_port()

    def api(path, **query):
        url = f"http://127.0.0.1:{port}/api/v1/{path}?" + urllib.parse.urlencode(query)
        with urllib.request.urlopen(url, timeout=BACKSTOP) as response:
            return json.load(response)["data"]

    def query(expression):
        return [float(row["value"][1]) for row in api("query", query=expression)["result"]]

    with merged(f"name=app {node.url}", command=node.command) as container, open(tmp_path / "log", "wb") as log:
        node.wait(container)
        (tmp_path / "prometheus.yml").write_text(
            "scrape_configs:\n- job_name: nest-init\n  scrape_interval: 1s\n  scrape_timeout: 1s\n"
            f"  static_configs:\n  - targets: ['127.0.0.1:{container.port}']\n")
        server = subprocess.Popen(
            ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
             "--enable-feature=exemplar-storage", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
            stdout=log, stderr=log)
        try:
            container.wait_until(lambda: query("up") == [1] and query("http_requests_total") == [1])
            assert query('nest_init_app_scrape_success{target="app"}') == [1]
            assert query("nest_init_service_up") == [1] and query("jobs_total") == [7]
            assert 0.1 < query("histogram_quantile(0.5, http_request_duration_seconds_bucket)")[0] <= 1
            assert query("sum(nest_init_app_scrape_errors_total)") == [0]
            known = {name: rows[0]["type"] for name, rows in api("metadata").items()}
            assert known["http_requests"] == "counter" and known["queue_seconds"] == "summary"
            assert known["http_request_duration_seconds"] == "histogram"
            target, = api("targets")["activeTargets"]
            assert (target["health"], target["lastError"]) == ("up", "")
            if form == "openmetrics":
                exemplars = api("query_exemplars", query="http_requests_total", start=0, end=time.time() + 60)
                assert exemplars[0]["exemplars"][0]["labels"] == {"trace_id": "abc"}
            assert (tmp_path / "log").read_text() == ""
        finally:
            server.terminate()
            server.wait()


# --- the token --------------------------------------------------------------------------------------------------------

def test_a_page_behind_a_token(modules, public):
    token = public / "token"
    node = Node(modules, TOKEN="correct.horse~battery+staple/1==")
    with merged(f"name=bare {node.url}", f"name=app bearer_file={token} {node.url}", command=node.command) as container:
        node.wait(container)
        page = container.get("/metrics")[1]
        assert errors(page, "app") == {"token": 1} and errors(page, "bare") == {"status": 1}
        assert (success(page, "app"), success(page, "bare")) == ("0", "0")
        token.write_text("wrong\n")
        page = container.get("/metrics")[1]
        assert errors(page, "app") == {"token": 1, "status": 1} and of_app(page) == {}
        (public / "next").write_text("correct.horse~battery+staple/1==\r\n")
        os.rename(public / "next", token)  # as a mounted secret is turned over
        page = container.get("/metrics")[1]
        assert success(page, "app") == "1" and "jobs" in of_app(page)
        for content in "", "two words", "a\nb", "\x80", "x" * 4000:
            token.write_text(content)
            page = container.get("/metrics")[1]
            assert success(page, "app") == "0" and of_app(page) == {}
        token.unlink()
        os.mkfifo(token)  # to open it would be to wait for somebody who writes
        assert success(container.get("/metrics")[1], "app") == "0"
        assert errors(container.get("/metrics")[1], "app") == {"token": 8, "status": 1}


@pytest.mark.parametrize("owner, options, result", [
    (1001, ("--user", "1001:1001"), {}),
    (1001, ("--user", "1001:1001", "--cap-drop", "all"), {}),
    (0, (), {}),                                          # the service is root
    (0, ("--user", "1001:1001"), {"token": 1}),           # what the service may not read is not read for it
    (2000, ("--user", "1001:1001"), {"token": 1})])
@pytest.mark.parametrize("linked", [False, True])
def test_a_token_for_the_services_user_alone(public, owner, options, result, linked):
    token = public / "token"
    token.touch(0o400)
    token.write_text("correct.horse")
    os.chown(token, owner, owner)
    if linked:
        (public / "link").symlink_to(token)
        token = public / "link"
    with Target(answering("a 1\n")) as target:
        container = Container(options=["--metrics-merge", f"name=app bearer_file={token} {target.url}", *options])
        try:
            assert errors(container.get("/metrics")[1], "app") == result
            assert [head.count("Authorization: Bearer correct.horse\r\n") for head in target.heads] == ([] if result else [1])
        finally:
            container.close()


def test_the_log_says_what_is_wrong_once(public, capfd):
    token = public / "token"
    token.write_text("secret")
    token.chmod(0o600)
    os.chown(token, 2000, 2000)
    with Target(answering("a 1\n")) as target, merged(f"bearer_file={token} {target.url}") as container:
        for _ in range(5):
            container.get("/metrics")
        assert target.heads == []
    lines = [line for line in capfd.readouterr().err.splitlines() if "metrics-merge" in line]
    assert lines == [f"nest-init monitor: warning: --metrics-merge: {target.url}: bearer_file {token}: Permission denied "
                     "(read as user 65534, or as the service's); it is left out"]


# --- what is asked ----------------------------------------------------------------------------------------------------

def test_the_request_is_a_plain_one(public):
    (public / "token").write_text("abc\n")
    with Target(answering("a 1\n")) as target, \
            merged(f"bearer_file={public}/token header=X-Tenant:7 {target.url}") as container:
        container.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"})
        lines = target.heads[0].split("\r\n")
    assert lines[0] == "GET /metrics HTTP/1.1"
    assert sorted(line for line in lines[1:] if not line.startswith("User-Agent: nest-init/")) == [
        "", "", "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "Authorization: Bearer abc", "Connection: close", f"Host: {target.url.split('/')[2]}", "X-Tenant: 7"]


def test_a_page_behind_a_unix_socket(public):
    with Target(answering("a 1\n"), unix=f"{public}/socket") as target, merged(target.url) as container:
        assert of_app(container.get("/metrics")[1]) == {"a": "1"}


def test_all_scrapers_that_wait_share_one_request():
    scrapers = 20
    gate = threading.Event()

    def answer(target, connection):
        assert gate.wait(BACKSTOP)
        answering("a 1\n")(target, connection)

    with Target(answer) as target, merged(f"timeout=9s {target.url}") as container, ThreadPoolExecutor(scrapers) as pool:
        asked = [pool.submit(container.get, "/metrics", headers=OPENMETRICS if i % 2 else {}) for i in range(scrapers)]
        container.wait_until(lambda: container.sockets() >= scrapers + 1)
        container.wait_until(lambda: target.heads)
        time.sleep(0.1)  # for the last of them to be read
        gate.set()
        for future in asked:
            status, page, _ = future.result()
            assert status == 200 and of_app(page) == {"a": "1"}
        assert len(target.heads) <= 2


# --- time -------------------------------------------------------------------------------------------------------------

def silent(target, connection):
    target.end.wait(BACKSTOP)


def dripping(target, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not target.end.wait(0.05):
        connection.sendall(b"a")


@pytest.mark.parametrize("answer", [silent, dripping])
def test_a_slow_page_does_not_hold_up_the_others(answer):
    """The scraper's own time counts; meanwhile health is answered; who waits gets ours, and what was in time."""
    with Target(answer) as slow, Target(answering("a 1\n")) as quick, \
            merged(f"name=slow {slow.url}", f"name=quick {quick.url}") as container, ThreadPoolExecutor(1) as pool:
        begin = time.monotonic()
        waiting = pool.submit(container.get, "/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "3"})
        container.wait_until(lambda: slow.heads)
        for path in "/livez", "/readyz", "/metrics/self":
            assert container.get(path)[0] == 200
        assert not waiting.done()
        status, page, _ = waiting.result()
        took = time.monotonic() - begin
        assert status == 200 and 2 < took < 5  # 2.5 s; without the field it would be 5 s
        assert of_app(page) == {"a": "1"}
        assert (success(page, "slow"), errors(page, "slow")) == ("0", {"timeout": 1})
        assert (success(page, "quick"), errors(page, "quick")) == ("1", {})
        duration = float(series(page)['nest_init_app_scrape_duration_seconds{target="slow"}'])
        assert 2 < duration <= took


def test_the_settings_time_counts_where_the_scraper_says_nothing():
    with Target(silent) as target, merged(f"name=app timeout=100ms {target.url}") as container:
        begin = time.monotonic()
        page = container.get("/metrics")[1]
        assert 0.1 <= time.monotonic() - begin < 4
        assert errors(page, "app") == {"timeout": 1}
        for nonsense in "", "x", "-1", "nan", "1e99", "0":
            container.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": nonsense})
        assert errors(container.get("/metrics")[1], "app") == {"timeout": 8}


def test_an_impatient_scraper_takes_nothing_from_a_patient_one():
    gate = threading.Event()

    def answer(target, connection):
        gate.wait(BACKSTOP)
        answering("a 1\n")(target, connection)

    with Target(answer) as target, merged(target.url) as container, ThreadPoolExecutor(1) as pool:
        patient = pool.submit(container.get, "/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "9"})
        container.wait_until(lambda: target.heads)
        impatient = container.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.001"})[1]
        assert (of_app(impatient), errors(impatient, target.url)) == ({}, {"timeout": 1})
        gate.set()
        assert of_app(patient.result()[1]) == {"a": "1"}


def test_connections_that_wait_make_room_for_others():
    """More scrapers than there are places, all waiting: the oldest go, and nobody is shut out."""
    with Target(silent) as target, merged(f"timeout=9s {target.url}") as container:
        held = []
        for _ in range(test_serve.PER_ADDRESS + 20):
            held.append(container.connect())
            held[-1].sendall(request("/metrics"))
        container.wait_until(lambda: container.get("/livez")[0] == 200)
        held[0].settimeout(BACKSTOP)
        assert held[0].recv(1) == b""
        for connection in held:
            connection.close()
        container.wait_until(lambda: container.sockets() < 10)


# --- pages that do harm -----------------------------------------------------------------------------------------------

def endless(head, piece):
    def answer(target, connection):
        connection.sendall(head)
        while not target.end.is_set():
            connection.sendall(piece)
    return answer


GIGABYTE = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"
LINES = b"".join(b'a{i="%d"} 1\n' % i for i in range(5000))
HARM = {
    "a gigabyte": (endless(GIGABYTE, LINES), "too_large"),
    "without an end": (endless(b"HTTP/1.1 200 OK\r\n\r\n", LINES), "too_large"),
    "chunks without an end": (endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\na 1\n\n\r\n" * 999), "too_large"),
    "one endless line": (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65536), "too_large"),
    "a head without an end": (endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 999), "connection"),
    "too many series": (answering(b"".join(b"a%x 1\n" % i for i in range(100_001))), "too_large"),
    "cut off": (lambda _, c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na 1\n"), "connection"),
    "closed at once": (lambda *_: None, "connection"),
    "no HTTP": (lambda _, c: c.sendall(b"SSH-2.0-x\r\n"), "connection"),
    "not found": (answering("a 1\n", "404 Not Found"), "status"),
    "a redirect": (answering("a 1\n", "302 Found", "Location: /\r\n"), "status"),
    "HTML": (answering("<!doctype html>\n<p>hello\n"), "malformed"),
    "gzip": (answering(gzip.compress(b"a 1\n"), fields="Content-Encoding: gzip\r\n"), "malformed"),
    "NUL": (answering(b"a 1\n\0\n"), "malformed"),
    "noise": (answering(bytes(range(256)) * 100), "malformed"),
    "OpenMetrics cut off": (answering("a 1\n", fields="Content-Type: application/openmetrics-text\r\n"), "malformed"),
    "an early EOF": (answering("a 1\n# EOF\nb 1\n", fields="Content-Type: application/openmetrics-text\r\n"), "malformed"),
    "a value out of range": (answering("a 1e999\n"), "malformed"),
}


@pytest.mark.parametrize("what", HARM)
def test_a_harmful_page_is_left_out_and_counted(what):
    answer, reason = HARM[what]
    with Target(answer) as bad, Target(answering("good 1\n")) as good, \
            merged(f"name=bad {bad.url}", good.url) as container:
        for times in 1, 2:
            status, page, _ = container.get("/metrics", headers=OPENMETRICS)
            assert status == 200 and page.endswith("\n# EOF\n") and 'nest_init_service_up{service="main"} 1' in page
            assert of_app(page) == {"good": "1"}
            assert (success(page, "bad"), errors(page, "bad")) == ("0", {reason: times})
        assert container.resident_kib() < 32 << 10


def test_no_error_is_forgotten_when_the_monitor_is_killed():
    with Target(answering("a 1\n", "404 Not Found")) as bad, Target(answering("a 1\na 2\n")) as twice:
        container = Container(options=["--metrics-merge", f"name=bad {bad.url}", "--metrics-merge", f"name=twice {twice.url}"])
        try:
            for times in 1, 2, 3:
                page = container.get("/metrics")[1]
                assert (errors(page, "bad"), errors(page, "twice")) == ({"status": times}, {"duplicate": times})
                old = container.monitor
                os.kill(old, signal.SIGKILL)
                container.wait_until(lambda: container.monitor != old)
                container.wait_until(lambda: container.get("/metrics/self")[0] == 200)
                page = container.get("/metrics/self")[1]
                assert (errors(page, "bad"), errors(page, "twice")) == ({"status": times}, {"duplicate": times})
        finally:
            container.close()


def test_a_token_that_leaves_no_room_for_the_request_is_refused(public):
    (public / "token").write_text("x" * 3000)
    with Target(answering("a 1\n")) as target, \
            merged(f"name=app bearer_file={public}/token header=A:{'b' * 1500} {target.url}") as container:
        assert errors(container.get("/metrics")[1], "app") == {"token": 1}
        (public / "token").write_text("x" * 2400)
        assert success(container.get("/metrics")[1], "app") == "1"


def test_what_stands_there_already_is_left_out_and_counted():
    first = ("# TYPE a gauge\na 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"
             "nest_init_ready 0\n")
    second = "# TYPE a counter\na 2\n# TYPE h histogram\nh_bucket{le=\"2\"} 5\nh_bucket{le=\"+Inf\"} 5\nh_sum 5\nh_count 5\nb 1\n"
    with Target(answering(first)) as one, Target(answering(second)) as two, \
            merged(f"name=one {one.url} name=two {two.url}") as container:
        page = container.get("/metrics")[1]
        assert of_app(page) == {"a": "1", 'h_bucket{le="1.0"}': "1", 'h_bucket{le="+Inf"}': "1", "h_sum": "1",
                                "h_count": "1", "b": "1"}
        assert series(page)["nest_init_ready"] == "1"
        assert errors(page, "one") == {"conflict": 1}
        assert errors(page, "two") == {"conflict": 1, "duplicate": 4}
        types(page)


def test_memory_is_bounded_and_free_again(either, monkeypatch):
    """Two pages as large as they may be, and scrapers that ask for them and do not read. Under both C libraries."""
    monkeypatch.setattr(test_serve, "NEST_INIT", either)
    page = b"".join(b'series{i="%d",padding="%s"} 1\n' % (i, b"x" * 72) for i in range(40_000))
    assert 3.9e6 < len(page) < 4 * 1024 * 1024
    with Target(answering(page)) as one, Target(answering(page.replace(b"series", b"others"))) as two, \
            merged(f"name=one {one.url} name=two {two.url}") as container:
        def count():
            page = container.get("/metrics")[1]
            return page.count("\nseries{") + page.count("\nothers{")
        assert count() == 80_000
        readers = [container.connect() for _ in range(8)]
        for connection in readers:
            connection.sendall(request("/metrics", "GET", "Accept: application/openmetrics-text"))
        for connection in readers:
            assert connection.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
            assert container.resident_kib() < 96 << 10
        assert errors(container.get("/metrics")[1], "one")["too_large"] >= 1  # what is on its way is bounded, too
        for connection in readers:
            connection.close()
        container.wait_until(lambda: container.resident_kib() < 16 << 10)
        assert count() == 80_000


# --- options ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, sentence", [
    (["--metrics-merge", "http://a/"], "--metrics-merge: there is no page to merge into; give a --metrics"),
    (["--metrics", ":1", "--metrics-merge", "retries=1 http://a/"],
     "--metrics-merge: 'http://a/': retries is for checks: a page has name, timeout, header, bearer_file"),
    (["--live", "bearer_file=/a http://a/"], "--live: 'http://a/': bearer_file is for --metrics-merge alone"),
])
def test_what_makes_no_sense_is_refused(words, sentence):
    done = subprocess.run([NEST_INIT, *words, "--", "true"], capture_output=True, text=True, timeout=BACKSTOP)
    assert (done.returncode, done.stdout, done.stderr) == (125, "", f"nest-init: {sentence}\n")
