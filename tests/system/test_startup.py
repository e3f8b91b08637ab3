"""Startup checks hold the others back, as kubelet's startupProbe does: in each life of the service until all of them
have succeeded, and then they are done.

What counts is what was looked at: by counts of runs, and by what a server was asked for.
"""
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from listener import Listener
from namespace import Namespace, monitor_of, wait_until
from ports import free_port
from test_notify import Speaking

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

SOON = ("--health-start-interval", "20ms", "--health-interval", "20ms", "--health-retries", "2")
BEARS = ("--health-start-interval", "20ms", "--health-interval", "20ms", "--health-retries", "1000")


def inside(n, *words):
    return subprocess.run(["nsenter", f"--target={n.pid}", "--pid", "--mount", n.init, *words], capture_output=True,
                          text=True, timeout=60)


def health(n, *words):
    done = inside(n, "health", "--timeout", "50s", *words)
    return done.returncode, done.stdout.rstrip("\n")


def status(n):
    assert n.process.poll() is None, n.errors()
    done = inside(n, "status", "--json")
    return json.loads(done.stdout) if done.returncode == 0 else {"checks": []}


def checks(n):
    return {check["name"]: check for check in status(n)["checks"]}


def until(n, name, condition):
    def fulfilled():
        check = checks(n).get(name)
        return check if check and condition(check) else None
    return wait_until(fulfilled, pause=0.05)


def runs(check):
    return check["successes"] + check["failures"]


def page(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


# --- until then -----------------------------------------------------------------------------------------------------

def test_nothing_else_is_looked_at_until_it_has_succeeded(either, public, server):
    """A live check that would fail and a ready check that would succeed: neither is asked, alive and not ready, by
    every way to ask."""
    base, port = f"http://127.0.0.1:{server.port}", free_port()
    with Namespace(either, "sleep", "1000", options=[
            *BEARS, "--startup", f"name=cache file:{public}/cache name=tables file:{public}/tables",
            "--live", f"name=beat retries=1 {base}/500", "--ready", f"name=api {base}/200",
            f"--metrics=127.0.0.1:{port}"]) as n:
        until(n, "cache", lambda check: check["failures"] >= 5)
        held = "startup: cache has not succeeded yet"
        assert health(n, "--ready") == (1, f"not ready: {held}")
        assert health(n, "--live") == (0, "alive")
        assert health(n) == (1, f"not started: cache: not there ({public}/cache); tables: not there ({public}/tables)")
        assert page(port, "/readyz") == (503, f"not ready: {held}\n")
        assert page(port, "/readyz?verbose") == (503, "[+]nest-init ok\n[-]startup failed: cache has not succeeded yet\n"
                                                      f"[-]api failed: {held}\nreadyz check failed\n")
        assert page(port, "/livez") == (200, "ok\n")
        shown = json.loads(inside(n, "health", "--ready", "--json", "--timeout", "50s").stdout)
        assert (shown["status"], shown["output"]) == ("fail", f"not ready: {held}")
        known = status(n)
        assert known["health"] == {"live": True, "ready": False, "startup": False}
        assert f"main is not ready: {held}\n" in inside(n, "status").stdout

        # One of two is not all of them, and each names itself.
        (public / "cache").touch()
        early = until(n, "cache", lambda check: check["healthy"])
        before = checks(n)["tables"]["failures"]
        until(n, "tables", lambda check: check["failures"] >= before + 5)
        assert health(n, "--ready") == (1, "not ready: startup: tables has not succeeded yet")
        assert [runs(checks(n)[name]) for name in ("beat", "api")] == [0, 0] and server.requests == []

        # Then the others begin, and this one is done, in spite of its interval.
        (public / "tables").touch()
        until(n, "api", lambda check: check["successes"] >= 5)
        assert until(n, "beat", lambda check: check["failures"] >= 5)["reason"] == "500 Internal Server Error"
        assert health(n, "--ready") == (0, "ready")
        assert health(n, "--live") == (1, "not alive: beat: 500 Internal Server Error")
        assert runs(checks(n)["cache"]) == runs(early) and checks(n)["tables"]["successes"] == 1

        # What it looked at is nobody's business any more.
        (public / "tables").unlink()
        before = checks(n)["api"]["successes"]
        until(n, "api", lambda check: check["successes"] >= before + 5)
        assert health(n, "--startup") == (0, "started") and health(n, "--ready") == (0, "ready")


def test_without_a_ready_check_it_is_what_readiness_means(either, public, tmp_path):
    """The manager hears of it then, and the time to ready is the time until then."""
    with Listener(str(tmp_path / "notify")) as systemd, \
            Namespace(either, "sleep", "1000", options=[*BEARS, "--startup", f"file:{public}/up"], env=systemd.env) as n:
        wait_until(lambda: health(n, "--ready") == (1, f"not ready: startup: file:{public}/up has not succeeded yet"))
        held = time.monotonic()
        until(n, f"file:{public}/up", lambda check: time.monotonic() > held + 0.5)
        assert "time_to_ready_seconds" not in status(n)["services"][0] and systemd.hear() == []
        (public / "up").touch()
        wait_until(lambda: health(n, "--ready") == (0, "ready"))
        assert wait_until(lambda: status(n)["services"][0].get("time_to_ready_seconds")) > 0.5
        assert wait_until(systemd.hear) == ["READY=1"]


def test_it_has_succeeded_once_its_threshold_says_so(nest_init, public, server):
    """A first success of three lets nobody go."""
    startup = f"name=up success_threshold=1000 http://127.0.0.1:{server.port}/200"
    with Namespace(nest_init, "sleep", "1000", options=[*BEARS, "--startup", startup, "--ready", "name=root file:/"]) as n:
        until(n, "up", lambda check: check["successes"] >= 3)
        assert health(n, "--ready") == (1, "not ready: startup: up has not succeeded yet")
        assert runs(checks(n)["root"]) == 0


# --- the start period -------------------------------------------------------------------------------------------------

def test_the_start_period_of_the_others_begins_when_it_has_succeeded(nest_init, public):
    """The service has been up for longer than it by then: the first run of a live check fails and is forgiven all the
    same. That of the startup check itself began with the service."""
    with Namespace(nest_init, "sleep", "1000", options=[
            *BEARS, "--startup", f"name=up start_period=1ms file:{public}/up",
            "--live", f"name=beat start_period=3s retries=1 start_interval=1h interval=1h file:{public}/beat"]) as n:
        began = time.monotonic()
        check = until(n, "up", lambda check: time.monotonic() > began + 4 and check["failures"] >= 2)
        assert check["consecutive_failures"] >= 1
        (public / "up").touch()
        check = until(n, "beat", lambda check: runs(check) == 1)
        assert (check["healthy"], check["consecutive_failures"], check["reason"]) == (True, 0, f"not there ({public}/beat)")


# --- failure ----------------------------------------------------------------------------------------------------------

def test_one_that_fails_is_unhealthy_and_acted_on(either, tmp_path, public):
    """Each life begins anew, and is found unhealthy anew; nothing else was looked at in any."""
    log = tmp_path / "log"
    with Namespace(either, "sh", "-c", 'echo life >>"$0"; exec sleep 1000', log, options=[
            *SOON, "--startup", f"name=up file:{public}/up", "--live", "name=beat file:/", "--restart-backoff", "20ms",
            "--on-unhealthy", "restart"]) as n:
        wait_until(lambda: log.exists() and log.read_text().count("life") >= 3)
        assert "a check found sh unhealthy: it is started again\n" in n.errors()
        wait_until(lambda: checks(n))
        assert runs(checks(n)["beat"]) == 0


def test_each_life_begins_anew(nest_init, tmp_path, public):
    """It had succeeded in the first life, and holds the second one back."""
    log = tmp_path / "log"
    script = 'echo life >>"$0"; trap "exit 1" USR1; while :; do sleep 0.02; done'
    (public / "up").touch()
    with Namespace(nest_init, "sh", "-c", script, log, options=[
            *BEARS, "--startup", f"name=up file:{public}/up", "--ready", "name=root file:/", "--restart", "on-failure",
            "--restart-backoff", "20ms"]) as n:
        wait_until(lambda: health(n, "--ready") == (0, "ready"))
        (public / "up").unlink()
        os.kill(n.workload(), signal.SIGUSR1)
        wait_until(lambda: status(n)["services"][0]["starts"] == 2)
        before = until(n, "up", lambda check: check["failures"] >= 2)["failures"]
        ready_runs = runs(checks(n)["root"])
        until(n, "up", lambda check: check["failures"] >= before + 3)
        assert health(n, "--ready") == (1, "not ready: startup: up has not succeeded yet")
        assert runs(checks(n)["root"]) == ready_runs
        (public / "up").touch()
        wait_until(lambda: health(n, "--ready") == (0, "ready"))


# --- the monitor's death ----------------------------------------------------------------------------------------------

def replaced(n):
    """Its monitor was killed, and another is there."""
    old = wait_until(lambda: monitor_of(n.pid))
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: monitor_of(n.pid) not in (old, None))


def test_the_next_monitor_does_not_ask_again(either, public):
    (public / "up").touch()
    with Namespace(either, "sleep", "1000", options=[
            *BEARS, "--startup", f"name=up file:{public}/up", "--ready", "name=root file:/"]) as n:
        wait_until(lambda: health(n, "--ready") == (0, "ready"))
        (public / "up").unlink()
        replaced(n)
        assert health(n, "--startup") == (0, "started")
        assert health(n, "--ready") == (0, "ready")
        before = runs(checks(n)["root"])
        until(n, "root", lambda check: runs(check) >= before + 5)
        check = checks(n)["up"]
        assert (check["successes"], check["failures"], check["healthy"]) == (1, 0, True)


def test_the_next_monitor_goes_on_asking_for_what_has_not_succeeded(nest_init, public):
    (public / "early").touch()
    with Namespace(nest_init, "sleep", "1000", options=[
            *BEARS, "--startup", f"name=early file:{public}/early name=late file:{public}/late",
            "--ready", "name=root file:/"]) as n:
        until(n, "early", lambda check: check["healthy"])
        (public / "early").unlink()
        replaced(n)
        assert health(n, "--ready") == (1, "not ready: startup: late has not succeeded yet")
        (public / "late").touch()
        wait_until(lambda: health(n, "--ready") == (0, "ready"))
        assert runs(checks(n)["early"]) == 1


# --- what the service says itself -------------------------------------------------------------------------------------

def test_what_the_service_said_meanwhile_counts_from_then_on(either, public, tmp_path):
    """READY=1 is not lost, and reaches the manager no sooner; no WATCHDOG=1 is missed."""
    with Listener(str(tmp_path / "notify")) as systemd, \
            Speaking(either, *BEARS, "--ready", "notify", "--watchdog", "100ms", "--startup",
                     f"name=up retries=1000 file:{public}/up", "--health-retries", "1", env=systemd.env) as n:
        n.up()
        n.says("READY=1")
        before = until(n, "up", lambda check: True)["failures"]
        until(n, "up", lambda check: check["failures"] >= before + 20)
        assert health(n, "--ready") == (1, "not ready: startup: up has not succeeded yet")
        assert health(n, "--live") == (0, "alive")
        assert systemd.hear() == []
        (public / "up").touch()
        wait_until(lambda: health(n, "--ready") == (0, "ready"))
        assert wait_until(systemd.hear) == ["READY=1"]
        # From now on it is missed.
        wait_until(lambda: health(n, "--live") == (1, "not alive: watchdog: no WATCHDOG=1 for 100ms"))
