"""Starting the service again: by policy when it ends, by order when a check finds it unhealthy; and what a life leaves
to the next one."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from namespace import Namespace, children, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

# Says which life it is: a line for each.
LIVES = 'echo life >>"$0"; '
SAYS = "trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.02; done"
SOON = ("--health-start-interval", "20ms", "--health-interval", "20ms", "--health-retries", "2")


def restarting(init, log, script, *options, **keywords):
    return Namespace(init, "sh", "-c", LIVES + script, str(log),
                     options=["--restart-backoff", "20ms", *options], **keywords)


def lives(log):
    return log.read_text().count("life") if log.exists() else 0


def status(n):
    asked = subprocess.run(["nsenter", f"--target={n.pid}", "--pid", "--mount", n.init, "status", "--json"],
                           capture_output=True, text=True, timeout=20)
    assert asked.returncode in (0, 1), asked.stderr
    return json.loads(asked.stdout)


# --- by policy ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("policy, status, expected", [
    ("no", 3, 1), ("on-failure", 0, 1), ("on-failure:2", 3, 3), ("always:3", 0, 4), ("never", 3, 1)])
def test_the_policy_says_who_lives_again(either, tmp_path, policy, status, expected):
    log = tmp_path / "log"
    with restarting(either, log, f"exit {status}", "--restart", policy) as n:
        assert n.wait() == status
        assert lives(log) == expected
        assert n.errors().count("; starting it again in ") == expected - 1
        assert ("not started again" in n.errors()) == (expected > 1)


def test_a_death_by_a_signal_is_a_failure(either, tmp_path):
    log = tmp_path / "log"
    with restarting(either, log, 'kill -SEGV $$', "--restart", "on-failure:1") as n:
        assert n.wait() == 139
        assert lives(log) == 2
        assert re.search(r"sh \(pid \d+\) was killed by SIGSEGV after .*; starting it again in \d+ms\n", n.errors())


def test_a_clean_exit_is_no_failure(either, tmp_path):
    log = tmp_path / "log"
    with restarting(either, log, "exit 143", "--restart", "on-failure", "--clean-exit", "143") as n:
        assert n.wait() == 143
        assert lives(log) == 1


def test_what_cannot_be_executed_is_not_tried_again(either):
    with Namespace(either, "/no/such/program", options=["--restart", "always"]) as n:
        assert n.wait() == 127
        assert "again" not in n.errors()


def test_what_cannot_be_confined_is_not_tried_again(nest_init):
    with Namespace(nest_init, "true", options=["--restart", "always", "--read-only=verify"]) as n:
        assert n.wait() == 125
        assert n.errors().count("\n") == 1


def test_the_backoff_doubles(nest_init, tmp_path):
    log = tmp_path / "log"
    with restarting(nest_init, log, "exit 1", "--restart", "always:5", "--log-format", "json") as n:
        assert n.wait() == 1
        backoffs = [json.loads(line)["death"].get("restart_in_seconds") for line in n.errors().splitlines()]
    assert backoffs[-1] is None and len(backoffs) == 6
    for backoff, expected in zip(backoffs, (0.02, 0.04, 0.08, 0.16, 0.32)):
        assert expected <= backoff <= expected * 1.1 + 0.001


# --- a stop ends it -------------------------------------------------------------------------------------------------

def test_a_stop_is_no_reason_to_start_again(either, tmp_path):
    with restarting(either, tmp_path / "log", SAYS, "--restart", "always") as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert n.lines() == ["up", "term"]


def test_a_stop_in_the_backoff_ends_at_once(either, tmp_path):
    log = tmp_path / "log"
    with restarting(either, log, "exit 5", "--restart", "always", "--restart-backoff", "30s") as n:
        n.wait_for_error("starting it again in 3")
        n.kill(signal.SIGTERM)
        assert n.wait() == 5
        assert lives(log) == 1


def test_a_stop_takes_over_what_is_cleared_away(either, tmp_path):
    """The main process has ended, a child of it has not: it is given time to end, and the stop comes then."""
    script = 'sh -c "trap \\"\\" TERM; echo left; while :; do sleep 0.02; done" & sleep 0.3; exit 4'
    with restarting(either, tmp_path / "log", script, "--restart", "always", "--stop-timeout", "700ms") as n:
        n.wait_for("left")
        wait_until(lambda: not leads_a_session(n))
        n.kill(signal.SIGTERM)
        assert n.wait() == 4
        assert lives(tmp_path / "log") == 1


def leads_a_session(n):
    """The main process is there."""
    return any(os.getsid(pid) == pid for pid in children(n.pid))


def test_a_signal_in_the_backoff_reaches_the_next_life(either, tmp_path):
    with restarting(either, tmp_path / "log", '[ "$(wc -l <"$0")" -gt 1 ] || exit 1; while :; do sleep 0.02; done',
                    "--restart", "on-failure:1", "--restart-backoff", "500ms") as n:
        n.wait_for_error("starting it again")
        n.queue(signal.SIGRTMIN + 1, 1)  # the end of whoever does not expect it
        assert n.wait() == 128 + signal.SIGRTMIN + 1
        assert n.errors().count("\n") == 2


# --- what a life leaves ---------------------------------------------------------------------------------------------

def test_nothing_of_a_life_is_left_in_the_next(either, tmp_path):
    """Its group, and what has a session of its own."""
    log = tmp_path / "log"
    script = ('if [ "$(wc -l <"$0")" -gt 1 ]; then ps -eo comm >"$0.ps"; exit 0; fi; '
              "sleep 1001 & setsid sleep 1002 & sleep 0.2; exit 1")
    with restarting(either, log, script, "--restart", "on-failure") as n:
        assert n.wait() == 0
        left = (tmp_path / "log.ps").read_text()
        assert "sh\n" in left and "sleep" not in left


def test_who_entered_from_outside_is_left_alone(either, tmp_path):
    """An operator's shell, as docker exec starts it, is no child of ours."""
    log = tmp_path / "log"
    script = ('if [ "$(wc -l <"$0")" -gt 1 ]; then echo second; while :; do sleep 0.02; done; fi; '
              "echo first; setsid sleep 1003 & while [ ! -e \"$0.go\" ]; do sleep 0.02; done; exit 1")
    with restarting(either, log, script, "--restart", "on-failure") as n:
        n.wait_for("first")
        guest = subprocess.Popen(["nsenter", f"--target={n.pid}", "--pid", "--mount", "--", "sleep", "1004"])
        try:
            wait_until(lambda: set(children(guest.pid)) & set(n.members()))
            (tmp_path / "log.go").touch()
            n.wait_for("second")
            assert guest.poll() is None
        finally:
            guest.kill()
            guest.wait()


def test_the_same_confinement_is_in_force_again(either, tmp_path):
    log = tmp_path / "log"
    log.touch()
    log.chmod(0o666)
    os.chmod(tmp_path, 0o755)
    script = 'grep -E "^(Uid|Cap|NoNewPrivs|Seccomp:)" /proc/self/status; echo x 2>&1 >/usr/probe; exit 1'
    with restarting(either, log, script, "--restart", "on-failure:2", "--user", "65534", "--cap-drop", "all",
                    "--seccomp", "node", "--read-only", "--writable", str(log), "--tmpfs", "/mnt") as n:
        assert n.wait() == 1
        said = n.lines()
    assert len(said) % 3 == 0 and len(said) >= 24
    first, second, third = (said[i * len(said) // 3:(i + 1) * len(said) // 3] for i in range(3))
    assert first == second == third
    assert "Seccomp:\t2" in first and "CapBnd:\t0000000000000000" in first


def test_many_lives_cost_nothing(nest_init, tmp_path):
    """No descriptor, no zombie, no memory."""
    log = tmp_path / "log"
    script = '[ "$(wc -l <"$0")" -lt 60 ] && exit 1; echo last; while :; do sleep 0.02; done'
    with restarting(nest_init, log, script, "--restart", "on-failure:0", "--restart-backoff", "0") as n:
        n.wait_for("last")
        assert lives(log) == 60
        assert len(children(n.pid)) == 1
        assert len(os.listdir(f"/proc/{n.pid}/fd")) <= 5


# --- by order -------------------------------------------------------------------------------------------------------

def test_an_unhealthy_service_is_started_again(either, tmp_path, public):
    log, beat = tmp_path / "log", public / "beat"
    with restarting(either, log, SAYS, "--live", f"file:{beat}", "--on-unhealthy", "restart", *SOON) as n:
        n.wait_for_error("a check found sh unhealthy: it is started again")
        beat.touch()
        wait_until(lambda: n.lines().count("up") == 2)
        assert n.lines()[:3] == ["up", "term", "up"]
        assert re.search(r"sh \(pid \d+\) ended with status 3 after .*, \S+ after a check found it unhealthy; "
                         r"starting it again in \d+ms\n", n.errors())
        shown = status(n)
        assert shown["state"] == "running" and shown["services"][0]["starts"] == 2
        n.kill(signal.SIGTERM)
        assert n.wait() == 3


def test_one_that_hears_no_signal_is_killed_and_started_again(either, tmp_path, public):
    log, beat = tmp_path / "log", public / "beat"
    with restarting(either, log, "trap '' TERM; echo up; while :; do sleep 0.02; done", "--live", f"file:{beat}",
                    "--on-unhealthy", "restart", "--stop-timeout", "300ms", *SOON) as n:
        wait_until(lambda: n.lines().count("up") == 2)
        beat.touch()
        assert "--stop-timeout (300ms) has passed" in n.errors()


def test_behind_the_last_start_it_is_stopped_and_that_is_a_failure(either, tmp_path):
    log = tmp_path / "log"
    with restarting(either, log, "trap 'exit 0' TERM; while :; do sleep 0.02; done", "--live", f"file:{tmp_path}/none",
                    "--on-unhealthy", "restart", "--restart", "no:1", *SOON) as n:
        assert n.wait() == 1
        assert lives(log) == 2
        assert "not started again: it was once within 5m0s" in n.errors()


def test_unhealthy_may_mean_stop(either, tmp_path):
    with restarting(either, tmp_path / "log", SAYS, "--live", f"file:{tmp_path}/none", "--on-unhealthy", "stop",
                    *SOON) as n:
        assert n.wait() == 3
        assert lives(tmp_path / "log") == 1
        assert "a check found sh unhealthy: stopping\n" in n.errors()


def test_each_time_that_it_becomes_unhealthy_it_is_sent_the_signal(either, tmp_path, public):
    beat = public / "beat"
    script = f"trap 'echo usr1; touch {beat}' USR1; echo up; while :; do sleep 0.02; done"
    with restarting(either, tmp_path / "log", script, "--live", f"name=hb file:{beat}", "--on-unhealthy", "USR1",
                    *SOON) as n:
        for times in (1, 2, 3):
            wait_until(lambda: n.lines().count("usr1") == times)
            wait_until(lambda: status(n)["checks"][0]["healthy"])
            beat.unlink()
        assert "a check found sh unhealthy: it is sent SIGUSR1\n" in n.errors()
        n.kill(signal.SIGKILL)


def test_unhealthy_may_mean_a_signal_once(either, tmp_path):
    script = "trap 'echo usr1' USR1; echo up; while :; do sleep 0.02; done"
    with restarting(either, tmp_path / "log", script, "--live", f"file:{tmp_path}/none", "--on-unhealthy", "USR1",
                    *SOON) as n:
        n.wait_for("usr1")
        time.sleep(0.3)  # 15 intervals
        assert n.lines() == ["up", "usr1"]
        n.kill(signal.SIGKILL)


def test_the_start_period_protects_each_life(either, tmp_path, public):
    """A startup check fails for a while at first, in the second life as in the first."""
    log, started = tmp_path / "log", public / "started"
    script = f"sleep 1; touch {started}; echo up; sleep 0.2; rm {started}; exit 1"
    with restarting(either, log, script, "--startup", f"file:{started}", "--on-unhealthy", "restart", "--restart",
                    "on-failure:2", "--health-start-period", "20s", *SOON, "--health-retries", "10") as n:
        assert n.wait() == 1
        assert n.lines() == ["up"] * 3
        assert "unhealthy" not in n.errors()


def test_counters_go_on_over_lives(nest_init, tmp_path, public):
    log, beat = tmp_path / "log", public / "beat"
    beat.touch()
    script = 'echo up; [ "$(wc -l <"$0")" -lt 3 ] && { sleep 0.3; exit 1; }; while :; do sleep 0.02; done'
    with restarting(nest_init, log, script, "--live", f"file:{beat}", "--restart", "on-failure", *SOON) as n:
        wait_until(lambda: n.lines().count("up") == 3)
        wait_until(lambda: status(n)["services"][0]["starts"] == 3)
        shown = status(n)
        assert shown["checks"][0]["successes"] > 20
        assert shown["monitor_restarts"] == 0


def test_denials_are_told_in_each_life(nest_init, tmp_path):
    log = tmp_path / "log"
    script = 'unshare -U true; [ "$(wc -l <"$0")" -lt 3 ] && exit 1; echo last; while :; do sleep 0.02; done'
    with restarting(nest_init, log, script, "--restart", "on-failure", "--seccomp", "node", "--seccomp-report") as n:
        n.wait_for("last")
        assert n.errors().count("called unshare") == 1  # once for a call and a program
        assert "Operation not permitted" in n.errors() and "not implemented" not in n.errors()
        n.kill(signal.SIGTERM)
        n.wait()
