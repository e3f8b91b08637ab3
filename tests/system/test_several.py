"""Several services and tasks in one file: what the log says of them, and of whom."""
import json
import os
import shutil
import subprocess

import pytest

from namespace import Namespace, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

SLEEPS = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.02; done"]


def several(tmp_path, either, services, tasks=None, **root):
    path = tmp_path / "several.json"
    path.write_text(json.dumps({"services": services, "tasks": tasks or {}, **root}))
    return Namespace(either, options=["--config", path])


def test_who_cannot_be_started_is_told_with_the_reason(either, tmp_path):
    services = {"db": {"command": SLEEPS}, "web": {"command": SLEEPS}, "after": {"command": SLEEPS, "depends_on": "web"}}
    tasks = {"migrate": {"command": "false", "before": "web", "retries": 1, "backoff": "10ms", "essential": False}}
    with several(tmp_path, either, services, tasks) as n:
        assert n.wait() == 1
        said = n.errors()
    assert "nest-init: warning: web is not started: migrate, which it waits for, has ended with status 1: stopping\n" in said
    assert "; not started again: it was once\n" in said


def test_who_waits_for_a_blocked_one_is_told_too(either, tmp_path):
    services = {"db": {"command": SLEEPS}, "web": {"command": SLEEPS, "essential": False, "depends_on": {"once": "ready"}},
                "beside": {"command": SLEEPS, "essential": False, "depends_on": "web"},
                "once": {"command": "true", "essential": False, "health": {"ready": ["file:/no/such"]}}}
    with several(tmp_path, either, services) as n:
        n.wait_for_error("web is not started: once, which it waits for, has ended with status 0\n")
        n.wait_for_error("beside is not started: web is not either\n")


def test_a_verdict_is_told_with_the_service_that_it_is_about(either, tmp_path):
    health = {"start_interval": "20ms", "retries": 2, "ready": [{"name": "x", "target": "file:/no/such"}]}
    services = {"db": {"command": SLEEPS}, "web": {"command": SLEEPS, "health": health}}
    with several(tmp_path, either, services) as n:
        n.wait_for_error("nest-init monitor: check web/x (ready) failed 2 times in a row: not there (/no/such)\n")


def test_a_task_that_waits_for_its_time_lacks_no_protection(either, tmp_path):
    services, tasks = {"db": {"command": SLEEPS}}, {"nightly": {"command": "true", "schedule": "0 3 29 2 *"}}
    with several(tmp_path, either, services, tasks, metrics={"listen": f"unix:{tmp_path}/page"}) as n:
        def status():
            return subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", n.init, "status"], capture_output=True, text=True,
                                  timeout=60).stdout
        shown = wait_until(lambda: (lambda text: text if "nightly         waiting" in text and "db              running" in text else None)(status()))
        assert "NOT in force" not in shown
        page = subprocess.run(["curl", "-s", "--unix-socket", f"{tmp_path}/page", "http://x/metrics"], capture_output=True,
                              text=True, timeout=60).stdout
        assert 'nest_init_hardening_enforced{layer="no_new_privs"} 1\n' in page


def test_who_has_not_been_started_is_not_looked_at(either, tmp_path):
    fails = {"start_interval": "20ms", "ready": [{"name": "never", "target": "file:/no/such"}]}
    services = {"db": {"command": SLEEPS, "health": fails},
                "web": {"command": SLEEPS, "depends_on": {"db": "ready"},
                        "health": {"start_interval": "20ms", "ready": [{"name": "root", "target": "file:/"}]}}}
    with several(tmp_path, either, services) as n:
        n.wait_for_error("check db/never (ready) failed 3 times in a row")
        shown = json.loads(subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", n.init, "status", "--json"],
                                          capture_output=True, text=True, timeout=60).stdout)
        checks = {check["name"]: check for check in shown["checks"]}
        assert checks["db/never"]["failures"] >= 3 and checks["web/root"]["successes"] == 0
