"""The main job, end to end: the demo's Express service in a runc container, confined, probed, scraped by a real
Prometheus, stopped during a slow request; and the demo itself.

NEST_INIT names the binary that the container gets, the one of the image (build/release/nest-init) unless it is set.
"""
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import bundle
from prometheus import Prometheus

REPO = Path(__file__).resolve().parents[2]
DEMO = REPO / "packaging/demo"
IMAGE = REPO / "build/demo"
SERVICE = "http://127.0.0.1:4000"
MONITOR = "http://127.0.0.1:9911"
BACKSTOP = 30  # seconds: nothing here comes near
SLOW_MS = 2500

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, ("runc", "node", "npm"))),
                                reason="needs root, runc, node and npm")

sys.path.insert(0, str(DEMO))
import demo  # noqa: E402  the options under test are those that people are shown


def not_of_checks(container):
    """A service that takes a while to start is told of, on a slow machine."""
    return [line for line in container.errors().splitlines() if not line.startswith("nest-init monitor: check ")]


@pytest.fixture(scope="module")
def image():
    """The demo's image, which nobody replaces meanwhile."""
    subprocess.run([DEMO / "image.sh"], cwd=REPO, check=True, timeout=120)
    with open(IMAGE / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield IMAGE / "rootfs"


@pytest.fixture
def container(image):
    args = ["/sbin/nest-init", *(word for line in demo.OPTIONS for word in line.split())]
    files = {"/sbin/nest-init": os.environ["NEST_INIT"]} if "NEST_INIT" in os.environ else None
    with bundle.Container(args, image, files=files, cwd="/app/backend", env={"NODE_ENV": "production"}) as subject:
        subject.wait_http(f"{MONITOR}/readyz", timeout=BACKSTOP)
        yield subject
    assert bundle.leftovers() == []


def until(condition, what, seconds=BACKSTOP):
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, ValueError):
            if value := condition():
                return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_prometheus_scrapes_the_service(container, tmp_path):
    with Prometheus(tmp_path, MONITOR.removeprefix("http://"), enter=("nsenter", "-t", str(container.pid), "-n"),
                    http=lambda url: container.http(url).body) as prometheus:
        until(lambda: prometheus.query("up") == [({}, 1)], "the first scrape")
        assert prometheus.query("nest_init_ready") == [({}, 1)]
        assert prometheus.query("nest_init_service_up") == [({"service": "main"}, 1)]
        check = {"check": f"{SERVICE}/api/health"}
        assert prometheus.query("nest_init_healthcheck_up") == [({**check, "probe": "ready"}, 1)]
        buckets = sorted((float(labels["le"]), value) for labels, value in
                         prometheus.query("nest_init_healthcheck_duration_seconds_bucket"))
        assert [limit for limit, _ in buckets] == [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, float("inf")]
        counts = [value for _, value in buckets]
        assert counts == sorted(counts) and counts[-1] >= 1
        assert prometheus.query("nest_init_healthcheck_duration_seconds_count") == [(check, counts[-1])]
        (_, quantile), = prometheus.query("histogram_quantile(0.99, nest_init_healthcheck_duration_seconds_bucket)")
        assert 0 < quantile <= 5
        asked = dict((labels["layer"], value) for labels, value in prometheus.query("nest_init_hardening_requested"))
        assert asked == dict((labels["layer"], value)
                             for labels, value in prometheus.query("nest_init_hardening_enforced"))
        assert sum(asked.values()) == 5
        assert {value for _, value in prometheus.query("nest_init_capability_bounding")} == {0}
        assert len(prometheus.query('count by (__name__) ({__name__=~"nest_init_.*"})')) >= 24
        types = {name: rows[0]["type"] for name, rows in prometheus.api("metadata").items()
                 if name.startswith("nest_init_")}
        assert types["nest_init_healthcheck_duration_seconds"] == "histogram"
        assert types["nest_init_signals_received"] == "counter" and "unknown" not in types.values()
        target, = prometheus.api("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        assert prometheus.log() == ""  # no warning of a duplicate, a timestamp, a type


def test_what_was_asked_for_is_in_force(container):
    """What nest-init says of the service, and what the kernel says."""
    service, = (pid for pid, line in container.processes().items() if line == "node server.js")
    kernel = container.status_of(service)
    assert (kernel["Uid"].split(), kernel["Gid"].split(), kernel["Groups"].split()) == (["1001"] * 4, ["1001"] * 4,
                                                                                       ["1001"])
    assert {kernel[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (kernel["NoNewPrivs"], kernel["Seccomp"]) == ("1", "2")
    known = json.loads(container.exec("nest-init", "status", "--json", user="1001:1001").stdout)
    layers = known["services"][0]["confinement"]
    assert [name for name, layer in layers.items() if layer["requested"] and layer["enforced"]] == \
        ["user", "capabilities", "no_new_privs", "seccomp", "read_only"]
    assert (layers["seccomp"]["profile"], layers["capabilities"]["bounding"]) == ("node", [])

    def write(path):
        return container.http(f"{SERVICE}/write?path={path}", "POST").json()
    assert write("/app/backend/server.js")["error"] in ("EACCES", "EROFS")
    assert write("/tmp/anything")["error"] in ("EACCES", "EROFS")
    assert write("/app/backend/uploads/photo.jpg")["written"] is True
    denied = container.http(f"{SERVICE}/unshare", "POST").json()
    assert denied["status"] == 1 and "Operation not permitted" in denied["stderr"]
    # The refusals are the confinement's: without it the same user may do both.
    append = 'fs.appendFileSync("/app/backend/server.js", "")'
    assert container.exec("node", "-e", append, user="1001:1001").returncode == 0
    for user in (0, 1001):
        healthy = container.exec("nest-init", "health", "--timeout", "20s", user=user)
        assert (healthy.returncode, healthy.stdout, healthy.stderr) == (0, "ready\n", "")
    assert not_of_checks(container) == []


def test_a_slow_request_survives_the_stop(container):
    """TERM: not ready at once, the listener answers for the drain's time, the request in flight completes, status 0."""
    answers = []
    request = threading.Thread(target=lambda: answers.append(container.http(f"{SERVICE}/slow?ms={SLOW_MS}",
                                                                            timeout=BACKSTOP)))
    request.start()
    try:
        until(lambda: "slow request begins" in container.output(), "the request arrives")
        begin = time.monotonic()
        container.kill("TERM")
        container.wait_http(f"{MONITOR}/readyz", 503)
        assert container.http(f"{SERVICE}/").json()["uid"] == 1001  # the service does not know yet
        assert container.http(f"{MONITOR}/livez").status == 200
        assert "SIGTERM" not in container.output() and time.monotonic() - begin < demo.DRAIN
        page = container.http(f"{MONITOR}/metrics").text
        assert '\nnest_init_state{state="draining"} 1\n' in page and "\nnest_init_ready 0\n" in page
        assert '\nnest_init_signals_received_total{signal="TERM"} 1\n' in page
        assert '\nnest_init_signals_forwarded_total{signal="TERM"} 0\n' in page
        left = float(re.search(r"^nest_init_shutdown_deadline_timestamp_seconds\S* (\S+)$", page, re.M)[1]) - time.time()
        assert demo.STOP_TIMEOUT - 2 < left <= demo.STOP_TIMEOUT
        stopping = container.exec("nest-init", "health", "--timeout", "20s", user=1001)
        assert (stopping.returncode, stopping.stdout) == (1, "not ready: nest-init: draining\n")
        until(lambda: "SIGTERM: no new connection" in container.output(), "the service gets SIGTERM")
        assert time.monotonic() - begin >= demo.DRAIN
        assert container.http(f"{MONITOR}/readyz").status == 503  # the monitor stays to the end
    finally:
        request.join()
    assert [(answer.status, answer.json()) for answer in answers] == [(200, {"slept": SLOW_MS})]
    assert container.wait(BACKSTOP) == 0
    assert SLOW_MS / 1000 - 1 < time.monotonic() - begin < demo.STOP_TIMEOUT
    assert container.output().endswith('"msg":"closed"}\n')
    assert not_of_checks(container) == ["nest-init: SIGTERM: stopping"]


def test_the_demo_holds_what_it_shows(image):
    """Twice in a row. No colour where there is no terminal; nothing is left behind."""
    for _ in range(2):
        begin = time.monotonic()
        done = subprocess.run(["/usr/bin/python3", DEMO / "demo.py"], cwd=REPO, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert time.monotonic() - begin < 20
        assert "\033" not in done.stdout and "✗" not in done.stdout
        assert "all of it held" in done.stdout.splitlines()[-2]
        assert [line.split("  ")[0] for line in done.stdout.splitlines() if line[:1].isdigit()] == list("1234567")
        assert len(re.findall("^   ✓ ", done.stdout, re.M)) >= 20


def test_the_demo_says_what_did_not_hold(image, tmp_path):
    """It is a check, not a film: with a protection left out it fails, and names it."""
    source = (DEMO / "demo.py").read_text()
    assert source.count("--seccomp node") == 1
    (tmp_path / "demo.py").write_text(source.replace(" --seccomp node", "").replace(
        "Path(__file__).resolve().parents[2]", f"Path({str(REPO)!r})"))
    done = subprocess.run(["/usr/bin/python3", tmp_path / "demo.py"], cwd=REPO, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 1
    assert re.search(r"^   ✗ for machines the same: .*\n     expected all that was asked for$", done.stdout, re.M)
