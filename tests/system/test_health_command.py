"""nest-init health: what it says, where its verdict comes from, and that it says something in time whatever hangs.

NEST_INIT names the binary. Limits are far from what a busy machine takes; where our own default is meant, it is read and
not timed.
"""
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
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from namespace import Namespace, monitor_of, wait_until
from ports import free_port

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/release/nest-init"))
NOBODY_THERE = {"NEST_INIT_CONTROL": "nest-init/of-a-test/nobody-there"}
LONG = ("--timeout", "30s")

needs_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")


def health(container, *words, before=()):
    """(status, standard output) of nest-init health in the container."""
    done = subprocess.run(["nsenter", "-t", str(container.pid), "-p", "-m", *before, NEST_INIT, "health", *words],
                          capture_output=True, text=True, timeout=120)
    assert before or done.stderr == ""
    return (done.returncode, done.stdout) if not before else (done.returncode, done.stderr)


def alone(*words, **env):
    """The same where no monitor runs."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("NEST_INIT")}
    done = subprocess.run([NEST_INIT, "health", *words], capture_output=True, text=True, timeout=120,
                          env={**others, **NOBODY_THERE, **env})
    assert done.stderr == ""
    return done.returncode, done.stdout


def monitor(container):
    return wait_until(lambda: monitor_of(container.pid))


def cpu_seconds(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def page(port, path, accept="*/*"):
    """(status, body), or None while nobody listens."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


# --- something hangs ----------------------------------------------------------------------------------------------

@needs_root
def test_a_pid_1_that_hangs_is_no_health():
    """Its monitor lives, and knows of checks that are well; but who is stopped could neither stop nor reap."""
    port = free_port()
    with Namespace(NEST_INIT, "sleep", "1000", options=["--live", "name=root file:/", f"--metrics=127.0.0.1:{port}"]) as c:
        wait_until(lambda: health(c, *LONG) == (0, "ready\n"))
        os.kill(c.pid, signal.SIGSTOP)
        assert health(c, "--timeout", "100ms") == (
            1, "unhealthy: nest-init does not answer in time: PID 1 or its monitor hangs\n")
        assert health(c, "--live", *LONG) == (1, "not alive: nest-init: PID 1 does not answer\n")
        assert health(c, "--ready", *LONG) == (1, "not ready: nest-init: PID 1 does not answer\n")
        status, text = health(c, "--json", "--live", *LONG)
        assert status == 1 and json.loads(text)["output"] == "not alive: nest-init: PID 1 does not answer"
        assert page(port, "/livez") == (503, "not alive: nest-init: PID 1 does not answer\n")
        os.kill(c.pid, signal.SIGCONT)
        wait_until(lambda: page(port, "/livez") == (200, "ok\n"))
        assert health(c, *LONG) == (0, "ready\n")


@needs_root
def test_who_looks_at_pages_learns_of_a_pid_1_that_hangs():
    """A page is answered at once, by what is known; the next one knows that nothing came of it."""
    port = free_port()
    with Namespace(NEST_INIT, "sleep", "1000", options=[f"--metrics=127.0.0.1:{port}"]) as c:
        wait_until(lambda: page(port, "/readyz") == (200, "ok\n"))
        os.kill(c.pid, signal.SIGSTOP)
        wait_until(lambda: page(port, "/readyz") == (503, "not ready: nest-init: PID 1 does not answer\n"), pause=0.1)
        assert page(port, "/startupz?verbose") == (
            503, "[-]nest-init failed: PID 1 does not answer\nstartupz check failed\n")
        os.kill(c.pid, signal.SIGCONT)
        wait_until(lambda: page(port, "/readyz") == (200, "ok\n"), pause=0.1)


@needs_root
def test_a_client_that_waits_and_goes_away_costs_nothing():
    """While PID 1 owes the answer."""
    with Namespace(NEST_INIT, "sleep", "1000", options=["--live", "file:/"]) as c:
        wait_until(lambda: health(c, *LONG)[0] == 0)
        os.kill(c.pid, signal.SIGSTOP)
        pid = monitor(c)
        before = cpu_seconds(pid)
        for _ in range(5):
            assert health(c, "--timeout", "1ms")[0] == 1
        time.sleep(1)
        assert cpu_seconds(pid) - before < 0.2
        os.kill(c.pid, signal.SIGCONT)
        assert health(c, *LONG) == (0, "ready\n")


@needs_root
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_stopped_monitor_is_waited_for_less_than_a_second():
    """Kubernetes gives a probe 1 s unless told otherwise: the reason is to be said by then."""
    with Namespace(NEST_INIT, "sleep", "1000", options=["--live", "file:/"]) as c:
        wait_until(lambda: health(c, *LONG)[0] == 0)
        os.kill(monitor(c), signal.SIGSTOP)
        status, trace = health(c, before=("strace", "-e", "trace=ppoll"))
        assert status == 1
        (waited,) = re.findall(r"ppoll\(.*\{tv_sec=0, tv_nsec=(\d+)\}.*\) = 0 \(Timeout\)", trace)
        assert 700_000_000 < int(waited) <= 800_000_000
        status, text = health(c, "--json", "--timeout", "50ms")
        assert (status, json.loads(text)) == (1, {
            "status": "fail", "output": "nest-init does not answer in time: PID 1 or its monitor hangs"})


# --- --json -------------------------------------------------------------------------------------------------------

@needs_root
def test_json_is_the_page():
    port = free_port()
    checks = {"NEST_INIT_READY": "name=here file:/ name=\"the 'db'\" file:/not/there", "NEST_INIT_LIVE": "name=here file:/"}
    with Namespace(NEST_INIT, "sleep", "1000", options=[f"--metrics=127.0.0.1:{port}"], env=checks) as c:
        wait_until(lambda: "not there" in health(c, *LONG)[1] and health(c, "--live", *LONG)[0] == 0)
        for kind, path in ("live", "/livez"), ("ready", "/readyz"), ("startup", "/startupz"), ("live", "/healthz"):
            answer = page(port, path, "application/health+json")
            assert health(c, f"--{kind}", "--json", *LONG) == (int(answer[0] != 200), answer[1])
        status, text = health(c, "--json", *LONG)
        assert status == 1 and text.startswith('{"status":"fail","output":"unhealthy: ready:the \'db\': not there')
        known = json.loads(text)
        assert {name: [c["status"] for c in found] for name, found in known["checks"].items()} == {
            "nest-init": ["pass"], "live:here": ["pass"], "ready:here": ["pass"], "ready:the 'db'": ["fail"]}
        assert known["checks"]["ready:the 'db'"][0]["output"] == "not there (/not/there)"
        verbose = page(port, "/readyz?verbose")
        assert verbose == (503, "[+]nest-init ok\n[+]here ok\n[-]the 'db' failed: not there (/not/there)\n"
                                "readyz check failed\n")


# --- no monitor ---------------------------------------------------------------------------------------------------

def test_without_a_monitor_it_looks_itself_and_says_so():
    checks = {"NEST_INIT_READY": "name=root file:/ name=db tcp://127.0.0.1:1", "NEST_INIT_LIVE": "file:/"}
    note = "looked at just now: no monitor runs"
    assert alone(*LONG, **checks) == (1, f"not ready: db: connection refused (127.0.0.1:1) ({note})\n")
    assert alone("--live", *LONG, **checks) == (0, "alive: looked at just now, as no monitor runs\n")
    assert alone("--live", "--startup", *LONG, **checks) == (0, "alive, started: looked at just now, as no monitor runs\n")
    status, text = alone("--json", *LONG, **checks)
    known = json.loads(text)
    assert (status, known["status"], known["notes"]) == (1, "fail", [note])
    assert known["output"] == "unhealthy: ready:db: connection refused (127.0.0.1:1)"
    assert list(known["checks"]) == ["ready:root", "ready:db", "live:file:/"]
    assert json.loads(alone("--json", "--live", *LONG, **checks)[1])["checks"] == {
        "file:/": [{"status": "pass", "output": "exists"}]}


def test_targets_of_its_own_win_over_the_variables():
    checks = {"NEST_INIT_READY": "tcp://127.0.0.1:1"}
    assert alone("--ready=name=root file:/", *LONG, **checks)[0] == 0
    assert alone("--ready=file:/not/there", "--ready=file:/", *LONG) == (
        1, "not ready: file:/not/there: not there (/not/there) (looked at just now: no monitor runs)\n")
    assert alone("--ready=exec:ls /not/there", *LONG)[1].startswith("not ready: exec:ls /not/there: status 2: ")
    assert alone(*LONG, NEST_INIT_READY="ftp://x")[1].startswith("unhealthy: NEST_INIT_READY: ")


def test_one_that_hangs_is_cut_at_the_timeout_and_the_others_are_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        checks = f"name=hangs http://127.0.0.1:{listener.getsockname()[1]}/ name=root file:/"
        status, text = alone("--json", "--timeout=300ms", NEST_INIT_READY=checks)
    known = json.loads(text)["checks"]
    assert status == 1
    assert {name: found[0]["status"] for name, found in known.items()} == {"ready:hangs": "fail", "ready:root": "pass"}
    assert known["ready:hangs"][0]["output"].startswith("no answer within ")


def test_more_checks_than_go_side_by_side():
    checks = " ".join(f"name=c{i} file:{'/' if i != 150 else '/not/there'}" for i in range(200))
    assert alone(*LONG, NEST_INIT_READY=checks) == (
        1, "not ready: c150: not there (/not/there) (looked at just now: no monitor runs)\n")
    assert len(json.loads(alone("--json", *LONG, NEST_INIT_READY=checks)[1])["checks"]) == 200


def test_nothing_to_look_at_says_what_to_do():
    status, line = alone()
    assert status == 1 and line.count("\n") == 1
    assert line.startswith("unhealthy: no nest-init answers at @nest-init/of-a-test/nobody-there: ")
    assert line.endswith("no check is configured: set NEST_INIT_READY=TARGET, or give PID 1 --ready TARGET\n")
    status, text = alone("--json")
    assert (status, json.loads(text)["status"]) == (1, "fail")


def test_a_variable_that_is_wrong_is_no_health():
    assert alone(NEST_INIT_REDY="file:/") == (1, "unhealthy: unknown variable NEST_INIT_REDY: did you mean NEST_INIT_READY?\n")


# --- what is kept of it -------------------------------------------------------------------------------------------

def test_the_reason_is_within_the_first_500_characters():
    """Docker keeps 4096 and Podman 500, and a target is its own name where it has no other."""
    checks = " ".join(f"http://127.0.0.1:1/{i}{'x' * 400}" for i in range(20))
    for status, text in (alone(*LONG, NEST_INIT_READY=checks), alone("--json", *LONG, NEST_INIT_READY=checks)):
        assert status == 1 and "connection refused" in text[:250]
    assert len(alone(*LONG, NEST_INIT_READY=checks)[1]) <= 500


# --- Kubernetes ---------------------------------------------------------------------------------------------------

class Redirecting(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path names, and sends who follows to a page that fails."""
    asked = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/500")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def redirecting():
    Redirecting.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status, good", [(200, 0), (204, 0), (299, 0), (301, 0), (302, 0), (308, 0), (399, 0), (400, 1),
                                          (401, 1), (404, 1), (429, 1), (500, 1), (503, 1), (599, 1)])
def test_statuses_are_those_of_an_httpget_probe(redirecting, status, good):
    """200 to 399 is a success. The kubelet follows a redirect within the host; here its own status is the answer, and
    --expect may say that it is none."""
    target = f"http://127.0.0.1:{redirecting}/{status}"
    assert alone(f"--ready={target}", *LONG)[0] == good
    assert Redirecting.asked == [f"/{status}"]
    if 300 <= status < 400:
        assert alone(f"--ready=expect=200-299 {target}", *LONG)[0] == 1


# --- words ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, sentence", [
    (["--ready", "file:/"], "unexpected 'file:/': a target is joined to its option by a =, as in --ready=file:/"),
    (["--reddy"], "unknown option '--reddy' (nest-init health --help)"),
    (["--timeout", "0"], "--timeout: '0': expected a duration above zero, such as 500ms or 5s"),
    (["--timeout"], "--timeout: a value is missing"),
    (["--timeout=0"], "--timeout: '0': expected a duration above zero, such as 500ms or 5s"),
    (["--ready=fil:/"], "--ready: 'fil:/': "),
])
def test_bad_usage_is_125(words, sentence):
    done = subprocess.run([NEST_INIT, "health", *words], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **NOBODY_THERE})
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith(f"nest-init health: {sentence}")


@needs_root
def test_several_kinds_are_all_named_and_a_target_beside_a_monitor_is_told_of():
    with Namespace(NEST_INIT, "sleep", "1000", options=["--ready", "file:/"]) as c:
        wait_until(lambda: health(c, "--ready", "--live", *LONG) == (0, "alive, ready\n"))
        assert health(c, *LONG) == (0, "ready\n")
        done = subprocess.run(["nsenter", "-t", str(c.pid), "-p", "-m", NEST_INIT, "health", "--ready=file:/no", *LONG],
                              capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "ready\n")
        assert done.stderr == "nest-init health: --ready=file:/no is passed over: PID 1's monitor has its own checks\n"


@needs_root
def test_a_reason_is_cut_between_characters():
    name = "ä" * 31
    checks = " ".join(f"name={name}{number} file:/{'ö' * 60}{number}" for number in range(8))
    with Namespace(NEST_INIT, "sleep", "1000", options=["--health-retries", "1", "--ready", checks]) as c:
        text = wait_until(lambda: (lambda said: said[1] if "more" in said[1] else None)(health(c, "--ready", *LONG)))
        assert "\ufffd" not in text and text.endswith(" more\n") and len(text.encode()) < 480
