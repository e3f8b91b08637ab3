"""--trace-endpoint and --otel-resource: spans as a collector gets them, read by OpenTelemetry's own code, and the facts
that a service finds in its OTEL_RESOURCE_ATTRIBUTES. Collectors that do harm are in here, too."""
import http.server
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
from pathlib import Path

import pytest

from bundle import Container, bind
from busybox import image  # noqa: F401, a fixture
from namespace import Namespace, children, environment_of, monitor_of, wait_until
from npm import installed

HERE = Path(__file__).resolve().parent
DECODER = HERE.parents[1] / "build/otlp"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
QUIET = {name: "" for name in os.environ if name.startswith("OTEL_") or name.startswith("TRACE")}

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "node", "npm"))),
                                reason="needs root, unshare(1), node and npm")


@pytest.fixture(scope="module")
def decode():
    """Bodies as OpenTelemetry understands them."""
    source = HERE / "otlp"
    installed(source, DECODER)

    def read(bodies):
        done = subprocess.run(["node", source / "decode.js"], input=json.dumps(bodies), text=True, capture_output=True,
                              timeout=60, env={**os.environ, "NODE_PATH": str(DECODER / "node_modules")})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return read


class Collector:
    """An HTTP server that keeps what it is sent. answer(number of the request): its status."""

    def __init__(self, answer=lambda number: 200):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = answer(len(requests))
                requests.append((self.path, dict(self.headers), body, status))
                try:
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(b"{}")
                except OSError:
                    pass  # the monitor has ended

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def bodies(self):
        return [body for _, _, body, status in self.requests if status == 200]

    def spans(self):
        """By name, in the order in which they came; not decoded by OpenTelemetry."""
        return [span for body in self.bodies() for resource in json.loads(body)["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def wait_for(self, *names):
        wait_until(lambda: {span["name"] for span in self.spans()} >= set(names))
        return {span["name"]: span for span in self.spans()}


@pytest.fixture
def collector():
    with Collector() as server:
        yield server


def attributes_of(node):
    return {pair["key"]: next(iter(pair["value"].values())) for pair in node["attributes"]}


def duration(span):
    return (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9


def said(n):
    """OTEL_RESOURCE_ATTRIBUTES as it is, and as a dict."""
    text = environment_of(n.workload()).get("OTEL_RESOURCE_ATTRIBUTES", "")
    pairs = [pair.split("=", 1) for pair in text.split(",") if pair]
    return text, {key: urllib.parse.unquote(value) for key, value in pairs}


# --- spans --------------------------------------------------------------------------------------------------------

def test_start_and_ready_are_one_trace_that_opentelemetry_reads(either, collector, decode, public):
    ready = public / "ready"
    with Namespace(either, "sh", "-c", f"sleep 0.3; touch {ready}; exec sleep 1000", env=QUIET, options=[
            "--trace-endpoint", collector.url, "--ready", f"file:{ready}", "--health-start-interval", "10ms"]) as n:
        before = time.time_ns()
        spans = collector.wait_for("container start", "ready")
        n.kill(signal.SIGKILL)
    bodies = decode(collector.bodies())
    assert [path for path, *_ in collector.requests] == ["/v1/traces"] * len(bodies)
    assert {headers["Content-Type"] for _, headers, *_ in collector.requests} == {"application/json"}
    start, ready = spans["container start"], spans["ready"]
    assert len({span["traceId"] for span in spans.values()}) == 1
    assert "parentSpanId" not in start and ready["parentSpanId"] == start["spanId"]
    assert start["status"] == ready["status"] == {}
    assert 0 < duration(start) < 60 and 0.3 <= duration(ready) < 60
    assert abs(int(start["startTimeUnixNano"]) - before) < 60e9
    assert attributes_of(start) == attributes_of(ready) == {"nest_init.life": "1"}
    resource = attributes_of(bodies[0]["resourceSpans"][0]["resource"])
    assert (resource["service.name"], resource["os.type"]) == ("sh", "linux")
    assert resource["host.name"] == os.uname().nodename


def test_a_parent_of_the_environment_is_the_parent_and_passes_through(either, collector, decode):
    env = {**QUIET, "TRACEPARENT": TRACEPARENT, "TRACESTATE": "a=b"}
    with Namespace(either, "sleep", "1000", options=["--trace-endpoint", collector.url], env=env) as n:
        spans = collector.wait_for("container start", "ready")
        inherited = environment_of(n.workload())
        assert (inherited["TRACEPARENT"], inherited["TRACESTATE"]) == (TRACEPARENT, "a=b")
        assert "OTEL_RESOURCE_ATTRIBUTES" not in inherited or inherited["OTEL_RESOURCE_ATTRIBUTES"] == ""
    assert {(span["traceId"], span["parentSpanId"]) for span in spans.values()} == {(TRACE, PARENT)}
    assert decode(collector.bodies())


@pytest.mark.parametrize("parent, sent", [("00-nonsense", True), (TRACEPARENT[:-1] + "0", False)],
                         ids=["invalid", "not sampled"])
def test_a_parent_that_is_none_is_not_taken_and_one_that_is_not_recorded_ends_it(nest_init, collector, parent, sent):
    with Namespace(nest_init, "sh", "-c", "sleep 0.2; kill -TERM 1; exec sleep 1000", env={**QUIET, "TRACEPARENT": parent},
                   options=["--trace-endpoint", collector.url, "--drain", "500ms", "--ready", "file:/etc/passwd"]) as n:
        assert n.wait() == 143
        if sent:
            spans = collector.wait_for("container start")
            assert "parentSpanId" not in spans["container start"]
    assert bool(collector.requests) == sent


def test_each_life_has_its_spans_and_says_how_it_ended(either, collector, decode):
    with Namespace(either, "sh", "-c", "sleep 0.1; exit 3", env=QUIET, options=[
            "--trace-endpoint", collector.url, "--restart", "on-failure:2", "--restart-backoff", "300ms"]) as n:
        wait_until(lambda: sum(span["name"] == "shutdown" for span in collector.spans()) >= 2)
        assert n.wait() == 3
    decode(collector.bodies())
    ends = [span for span in collector.spans() if span["name"] == "shutdown"]
    lives = [attributes_of(span)["nest_init.life"] for span in collector.spans() if span["name"] == "ready"]
    assert lives == ["1", "2", "3"]
    assert [span["name"] for span in collector.spans()].count("container start") == 1
    assert [attributes_of(span) for span in ends[:2]] == [
        {"nest_init.life": life, "process.exit.code": "3"} for life in ("1", "2")]
    for span in ends[:2]:
        assert span["status"]["code"] == 2
        assert re.fullmatch(r"sh \(pid \d+\) ended with status 3 after \S+; starting it again in \S+",
                            span["status"]["message"])
    assert len({span["traceId"] for span in collector.spans()}) == 1


def test_the_next_monitor_goes_on_with_the_trace_and_says_nothing_twice(nest_init, collector):
    with Namespace(nest_init, "sh", "-c", "sleep 1000; exit 4", env=QUIET, options=[
            "--trace-endpoint", collector.url, "--restart", "on-failure:1", "--restart-backoff", "10ms"]) as n:
        collector.wait_for("container start", "ready")
        first = monitor_of(n.pid)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: monitor_of(n.pid) not in (None, first))
        os.kill(wait_until(lambda: children(n.workload()))[0], signal.SIGKILL)
        collector.wait_for("shutdown")
        wait_until(lambda: len(collector.spans()) == 4)
    names = [span["name"] for span in collector.spans()]
    assert sorted(names) == ["container start", "ready", "ready", "shutdown"]
    assert len({span["traceId"] for span in collector.spans()}) == 1
    assert {span.get("parentSpanId") for span in collector.spans()} == {None, collector.spans()[0]["spanId"]}


def test_what_opentelemetrys_variables_say_is_used_where_it_is_asked_for(either, collector, decode):
    env = {**QUIET, "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/otlp", "OTEL_SERVICE_NAME": "api, v2",
           "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b,x=1", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,team=%C3%A4",
           "SECRET": "geheim"}
    with Namespace(either, "sleep", "1000", env=env, options=["--trace-endpoint", "env"]) as n:
        collector.wait_for("container start")
        monitor = environment_of(monitor_of(n.pid))
    path, headers, body, _ = collector.requests[0]
    assert (path, headers["api-key"], headers["x"]) == ("/otlp/v1/traces", "a b", "1")
    resource = attributes_of(decode([body])[0]["resourceSpans"][0]["resource"])
    assert (resource["service.name"], resource["team"]) == ("api, v2", "ä")
    assert "SECRET" not in monitor and "OTEL_EXPORTER_OTLP_HEADERS" in monitor


def test_nothing_is_sent_and_nothing_is_passed_on_unless_it_is_asked_for(either, collector):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "a", "TRACEPARENT": TRACEPARENT}
    with Namespace(either, "sleep", "1000", env=env, options=["--ready", "file:/etc/passwd"]) as n:
        wait_until(lambda: monitor_of(n.pid))
        monitor = Path(f"/proc/{monitor_of(n.pid)}/environ").read_bytes()
        assert b"OTEL" not in monitor and b"TRACE" not in monitor
        assert environment_of(n.workload()).get("OTEL_RESOURCE_ATTRIBUTES", "") == os.environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", "")
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
    assert collector.requests == []


@pytest.mark.parametrize("endpoint, env, words", [
    ("https://a/", {}, "--trace-endpoint: there is no TLS: give the http:// address"),
    ("collector:4318", {}, "--trace-endpoint: 'collector:4318': "),
    ("env", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://a"},
     "--trace-endpoint: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: there is no TLS"),
    ("env", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "--trace-endpoint: OTEL_EXPORTER_OTLP_PROTOCOL is grpc"),
    ("env", {"OTEL_EXPORTER_OTLP_HEADERS": "geheim"}, "--trace-endpoint: OTEL_EXPORTER_OTLP_HEADERS: expected NAME=VALUE"),
])
def test_what_could_be_sent_nowhere_refuses_the_start(either, endpoint, env, words):
    done = subprocess.run([either, "--trace-endpoint", endpoint, "--", "true"], capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], **env})
    assert done.returncode == 125 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"nest-init: {words}") and "geheim" not in done.stderr


# --- collectors that are ill --------------------------------------------------------------------------------------

def test_who_is_busy_is_asked_again(nest_init, decode):
    with Collector(lambda number: (503, 429)[number] if number < 2 else 200) as collector:
        with Namespace(nest_init, "sleep", "1000", env=QUIET, options=["--trace-endpoint", collector.url]) as n:
            collector.wait_for("container start", "ready")
            assert n.complaints() == ""
        ids = [span["spanId"] for span in collector.spans()]
        assert len(ids) == len(set(ids)) == 2
        assert decode(collector.bodies())


def test_who_refuses_is_not_asked_again_and_the_log_says_so_once(nest_init):
    with Collector(lambda number: 400) as collector:
        with Namespace(nest_init, "sh", "-c", "exit 3", env=QUIET, options=[
                "--trace-endpoint", collector.url, "--restart", "on-failure:2", "--restart-backoff", "300ms"]) as n:
            assert n.wait() == 3
            assert n.errors().count("spans are lost") == 1
            assert "warning: --trace-endpoint: 400 Bad Request; spans are lost\n" in n.errors()
        ids = [span["spanId"] for _, _, body, _ in collector.requests for resource in json.loads(body)["resourceSpans"]
               for scope in resource["scopeSpans"] for span in scope["spans"]]
        assert len(ids) == len(set(ids)) > 0


def swallow(listener, held):
    """Takes connections and never says a word."""
    try:
        while True:
            held.append(listener.accept()[0])
    except OSError:
        pass


def babble(listener, held):
    """Answers with what is no HTTP, without an end."""
    try:
        while True:
            connection = listener.accept()[0]
            held.append(connection)
            threading.Thread(target=flood, args=(connection,), daemon=True).start()
    except OSError:
        pass


def flood(connection):
    try:
        while True:
            connection.sendall(b"\x00HTTP" * 4096)
    except OSError:
        pass


@pytest.mark.parametrize("evil", [None, swallow, babble], ids=["dead", "deaf", "babbling"])
def test_whoever_the_collector_is_health_and_a_stop_are_what_they_are(either, evil):
    """Far from the time that any of them would take: a request has 10 s, a stop here 40 s."""
    held = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if evil is None:
            listener.close()
        else:
            threading.Thread(target=evil, args=(listener, held), daemon=True).start()
        with Namespace(either, "sleep", "1000", env=QUIET, options=[
                "--trace-endpoint", f"http://127.0.0.1:{port}", "--ready", "file:/etc/passwd", "--stop-timeout", "40s"]) as n:
            wait_until(lambda: subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", either, "health"],
                                              capture_output=True, timeout=60).returncode == 0)
            monitor = monitor_of(n.pid)
            if evil is not None:
                wait_until(lambda: held)
            assert int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{monitor}/status").read_text())[1]) < 16384
            began = time.monotonic()
            n.kill(signal.SIGTERM)
            assert n.wait() == 143
            assert time.monotonic() - began < 8
    for connection in held:
        connection.close()


# --- facts for the service ----------------------------------------------------------------------------------------

def test_the_service_finds_facts_about_where_it_is(either):
    with Namespace(either, "sleep", "1000", env=QUIET, options=["--otel-resource"]) as n:
        text, facts = said(n)
        assert re.fullmatch(r"[!-+\--:<-\[\]-~,]+", text)  # baggage-octet, and the commas between
        assert monitor_of(n.pid) is None  # facts alone cost no process
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        facts.pop("service.instance.id"))
    facts.pop("container.id", None)  # where the tests themselves run in one
    assert facts == {"service.name": "sleep", "process.executable.name": "sleep", "host.name": os.uname().nodename,
                     "host.arch": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine], "os.type": "linux"}


def test_what_the_user_has_said_stays_in_front_and_as_it_is(either):
    env = {**QUIET, "OTEL_RESOURCE_ATTRIBUTES": "team=a%20b,host.name=mine", "OTEL_SERVICE_NAME": "api"}
    with Namespace(either, "sleep", "1000", env=env, options=["--otel-resource"]) as n:
        text, facts = said(n)
    assert text.startswith("team=a%20b,host.name=mine,service.instance.id=")
    assert "service.name" not in facts and facts["host.name"] == "mine" and text.count("host.name") == 1


def test_a_file_names_the_service_and_its_environment_is_the_services(either, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({
        "services": {"backend": {"command": ["sleep", "1000"], "environment": {"OTEL_RESOURCE_ATTRIBUTES": "team=a"}}},
        "tracing": {"resource": True}}))
    with Namespace(either, "sleep", "1000", env={**QUIET, "OTEL_RESOURCE_ATTRIBUTES": "team=b"},
                   options=["--config", config]) as n:
        text, facts = said(n)
    assert text.startswith("team=a,service.name=backend,")


def test_a_text_that_is_none_stays_as_it_is_and_a_warning_says_so(either):
    with Namespace(either, "sleep", "1000", env={**QUIET, "OTEL_RESOURCE_ATTRIBUTES": "team"},
                   options=["--otel-resource"]) as n:
        assert environment_of(n.workload())["OTEL_RESOURCE_ATTRIBUTES"] == "team"
        assert n.complaints() == ("nest-init: warning: --otel-resource: OTEL_RESOURCE_ATTRIBUTES is no list of KEY=VALUE, "
                                  "percent-encoded: it stays as it is\n")


@pytest.mark.skipif(not shutil.which("runc"), reason="needs runc")
def test_a_container_finds_its_own_id(nest_init, image, tmp_path):  # noqa: F811
    """As Docker leaves it: in the path of the file that it has mounted on /etc/hostname."""
    identifier = "1f0e4c1bd7d0b6b8c1d9a8f7e6d5c4b3a2918070605040302010fedcba987654"
    hostname = tmp_path / "containers" / identifier / "hostname"
    hostname.parent.mkdir(parents=True)
    hostname.write_text("web\n")
    with Container(["/nest-init", "--otel-resource", "--", "/bin/sh", "-c", "echo $OTEL_RESOURCE_ATTRIBUTES"], image,
                   files={"/nest-init": nest_init}, mounts=[bind(hostname, "/etc/hostname", "ro")], hostname="web") as c:
        assert c.wait(60) == 0
        facts = dict(pair.split("=") for pair in c.output().strip().split(","))
    assert (facts["container.id"], facts["host.name"], facts["service.name"]) == (identifier, "web", "sh")


# --- the end ------------------------------------------------------------------------------------------------------

def test_a_stop_is_a_span_from_the_request_to_the_end(either, collector, decode):
    script = "trap 'sleep 0.3; exit 0' TERM; sleep 1000 & wait"
    with Namespace(either, "sh", "-c", script, env=QUIET, options=["--trace-endpoint", collector.url, "--drain", "200ms"]) as n:
        collector.wait_for("container start", "ready")
        wait_until(lambda: children(n.workload()))
        n.kill(signal.SIGTERM)
        assert n.wait() == 0
    span = collector.wait_for("shutdown")["shutdown"]
    assert 0.5 <= duration(span) < 60 and span["status"] == {}
    assert attributes_of(span) == {"nest_init.life": "1", "process.exit.code": "0"}
    assert decode(collector.bodies())


@pytest.mark.parametrize("script, options, status, message", [
    ("kill -TERM 1; exec sleep 1000", "", 143, None),
    ("exit 7", "", 7, r"sh \(pid \d+\) ended with status 7 after \S+"),
    ("trap 'exit 9' TERM; kill -TERM 1; while :; do sleep 0.1; done", "", 9,
     r"sh \(pid \d+\) ended with status 9 after \S+, \S+ after SIGTERM asked for a stop"),
    ("trap 'exit 9' TERM; kill -TERM 1; while :; do sleep 0.1; done", "--clean-exit 9", 0, None),
    ("trap '' TERM; kill -TERM 1; exec sleep 1000", "--stop-timeout 300ms", 137,
     r"sh \(pid \d+\) was killed by SIGKILL after \S+, \S+ after SIGTERM asked for a stop; --stop-timeout \(300ms\) has "
     r"passed.*"),
], ids=["asked", "crash", "status", "clean", "deadline"])
def test_an_end_that_nobody_asked_for_is_an_error_with_the_last_word(either, collector, script, options, status, message):
    with Namespace(either, "sh", "-c", f"sleep 0.3; {script}", env=QUIET,
                   options=["--trace-endpoint", collector.url, *options.split()]) as n:
        assert n.wait() == status
    span = collector.wait_for("shutdown")["shutdown"]
    assert span["status"].get("code") == (2 if message else None)
    assert re.fullmatch(message or "", span["status"].get("message", ""))


def test_what_cannot_be_executed_is_a_start_that_failed(nest_init, collector):
    with Namespace(nest_init, "/no/such", env=QUIET, options=["--trace-endpoint", collector.url, "--cap-drop", "all"]) as n:
        assert n.wait() == 127
    time.sleep(0.2)
    assert {span["name"] for span in collector.spans()} <= {"container start"}  # there may be no monitor yet


def test_a_monitor_that_hangs_does_not_hold_up_the_end(either, collector):
    """It has 50 ms; what a workload leaves behind has 5 s."""
    with Namespace(either, "sleep", "1000", env=QUIET, options=["--trace-endpoint", collector.url]) as n:
        collector.wait_for("container start", "ready")
        os.kill(monitor_of(n.pid), signal.SIGSTOP)
        began = time.monotonic()
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert time.monotonic() - began < 4
    assert {span["name"] for span in collector.spans()} == {"container start", "ready"}
