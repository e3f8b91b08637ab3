"""Checks that run a command: by PID 1, inside the service's confinement, within their time, and with nothing left."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from namespace import Namespace, children, monitor_of, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

SLEEPS = ("sh", "-c", "echo up; exec sleep 1000")
SOON = ("--health-start-interval", "50ms", "--health-interval", "50ms")


@pytest.fixture
def script(public):
    """Makes a script that every user may execute, and gives its path."""
    def make(text, name="check"):
        path = public / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path
    return make


def health(n, *words):
    return subprocess.run(["nsenter", f"--target={n.pid}", "--pid", "--mount", n.init, "health", "--timeout", "15s", *words],
                          capture_output=True, text=True, timeout=20)


def says(n, *words):
    """The first line of `health`, once there is somebody to ask and the check has run."""
    def said():
        line = health(n, *words).stdout.splitlines()[0]
        return None if "no result yet" in line or "no nest-init answers" in line else line
    return wait_until(said)


# --- what it comes to -----------------------------------------------------------------------------------------------

def test_a_status_of_0_is_health(either, script):
    with Namespace(either, *SLEEPS, options=["--ready", f"exec:{script('exit 0')}", *SOON]) as n:
        wait_until(lambda: health(n, "--ready").returncode == 0)


@pytest.mark.parametrize("text, reason", [
    ("exit 3", "status 3"),
    ("echo; echo 'no  answer from db'; echo more; exit 2", "status 2: no  answer from db"),
    ("echo bad >&2; exit 1", "status 1: bad"),
    ("printf 'a\\tb\\033[31m\\303\\244\\303\\302\\2331m'; exit 1", "status 1: a?b?[31m\u00e4???1m"),
    ("kill -SEGV $$", "killed by SIGSEGV"),
    ("head -c 100000 /dev/zero | tr '\\0' x; exit 5", "status 5: xxxx"),
])
def test_the_reason_is_its_end_and_its_first_line(either, script, text, reason):
    with Namespace(either, *SLEEPS, options=["--ready", f"exec:{script(text)}", *SOON]) as n:
        assert reason in says(n, "--ready")


def test_what_cannot_be_executed_says_why(either, script):
    path = script("exit 0")
    path.write_text("#!/no/such/interpreter\n")
    with Namespace(either, *SLEEPS, options=["--ready", f"exec:{path}", *SOON]) as n:
        assert "/no/such/interpreter" in says(n, "--ready")


def test_words_are_split_at_blanks_and_nothing_is_a_shell(either, script):
    path = script('[ $# = 3 ] && [ "$1$2$3" = "a\\$HOME*" ] || { echo "$# $*"; exit 1; }')
    with Namespace(either, *SLEEPS, options=["--ready", f"name=x exec:{path}  a $HOME *", *SOON]) as n:
        wait_until(lambda: health(n, "--ready").returncode == 0)


# --- where it runs --------------------------------------------------------------------------------------------------

def test_it_is_confined_as_the_service_is(either, script, public):
    shown = public / "shown"
    shown.mkdir()
    shown.chmod(0o777)
    report = 'grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)" /proc/self/status'
    path = script(f"{report} >{shown}/check.new; readlink /proc/self/fd/0 >>{shown}/check.new; "
                  f"(echo x >/usr/x) 2>/dev/null && echo written >>{shown}/check.new; mv {shown}/check.new {shown}/check")
    with Namespace(either, "sh", "-c", f"{report} >{shown}/service; exec sleep 1000",
                   options=["--ready", f"exec:{path}", "--user", "65534", "--cap-drop", "all", "--seccomp", "node",
                            "--read-only", "--writable", shown, *SOON]) as n:
        wait_until((shown / "check").exists)
        assert n.pid
        *check, stdin = (shown / "check").read_text().splitlines()
        assert check == (shown / "service").read_text().splitlines()
        assert "Seccomp:\t2" in check and "CapBnd:\t0000000000000000" in check
        assert stdin == "/dev/null"


def test_it_sees_the_services_environment_and_directory(either, script, tmp_path):
    path = script('[ "$COLOUR" = green ] && [ "$PWD" = /usr/bin ] || { echo "$COLOUR $PWD"; exit 1; }')
    with Namespace(either, *SLEEPS, options=["--ready", f"exec:{path}", "--workdir", "/usr/bin", *SOON],
                   env={"COLOUR": "green"}) as n:
        wait_until(lambda: health(n, "--ready").returncode == 0)


# --- its time -------------------------------------------------------------------------------------------------------

def test_its_time_is_limited_with_all_that_it_started(either, script):
    path = script("trap '' TERM; sleep 1005 & sleep 1006")
    with Namespace(either, *SLEEPS, options=["--ready", f"timeout=200ms retries=1 exec:{path}", *SOON]) as n:
        assert "not ended within 200ms" in says(n, "--ready")
        n.kill(signal.SIGUSR1)  # the service's end
        n.wait()


def test_nothing_is_left_of_those_that_ran(either, script, public):
    """Neither a process nor a descriptor, and what a command leaves behind is ended with it."""
    count = public / "count"
    count.touch()
    count.chmod(0o666)
    path = script(f"sleep 1007 & echo x >>{count}")
    with Namespace(either, *SLEEPS, options=["--ready", f"exec:{path}", "--health-start-interval", "10ms",
                                             "--health-interval", "10ms"]) as n:
        n.wait_for("up")
        wait_until(lambda: len(count.read_text()) > 60)
        wait_until(lambda: len(os.listdir(f"/proc/{n.pid}/fd")) <= 9)
        assert len(n.members()) <= 8  # PID 1, the service, the monitor; a command and its children


def test_more_than_run_at_once_all_get_their_turn(either, script):
    path = script("sleep 0.3")
    options = [word for i in range(20) for word in ("--ready", f"name=c{i} exec:{path}")]
    with Namespace(either, *SLEEPS, options=options) as n:
        n.wait_for("up")
        seen = 0
        while health(n, "--ready").returncode != 0:
            seen = max(seen, len(children(n.pid)) - 2)  # the service, the monitor
        assert 2 <= seen <= 8
        assert "too many" not in n.errors()


def test_they_end_with_the_service(either, script):
    """The container does not wait for a check's time."""
    path = script("trap '' TERM; sleep 1008 & wait; sleep 1009")
    with Namespace(either, *SLEEPS, options=["--ready", f"exec:{path}"]) as n:
        n.wait_for("up")
        wait_until(lambda: len(children(n.pid)) == 3)
        start = time.monotonic()
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert time.monotonic() - start < 20


def test_a_monitor_that_is_killed_costs_no_verdict(either, script, public):
    count = public / "count"
    count.touch()
    count.chmod(0o666)
    path = script(f"echo x >>{count}; sleep 0.2")
    with Namespace(either, *SLEEPS, options=["--ready", f"exec:{path}", *SOON]) as n:
        wait_until(lambda: health(n, "--ready").returncode == 0)
        monitor = next(pid for pid in children(n.pid) if os.readlink(f"/proc/{pid}/exe") == n.init
                       and "monitor" in open(f"/proc/{pid}/cmdline").read())
        os.kill(monitor, signal.SIGKILL)
        before = len(count.read_text())
        wait_until(lambda: len(count.read_text()) > before + 4)
        assert health(n, "--ready").returncode == 0


def test_a_command_never_overlaps_itself(either, script, public):
    """It takes longer than its interval, and the monitor that asked for it may be gone meanwhile."""
    state = public / "state"
    state.mkdir()
    state.chmod(0o777)
    path = script(f"exec 9>{state}/lock; flock -n 9 || echo x >>{state}/overlaps; echo x >>{state}/count; exec sleep 0.1")
    count = state / "count"

    def ran():
        return len(count.read_text()) if count.exists() else 0
    with Namespace(either, *SLEEPS, options=["--live", f"interval=10ms start_interval=10ms exec:{path}"]) as n:
        for _ in range(5):
            before = ran()
            wait_until(lambda: ran() > before + 4)
            os.kill(wait_until(lambda: monitor_of(n.pid)), signal.SIGKILL)
        before = ran()
        wait_until(lambda: ran() > before + 4)
        assert not (state / "overlaps").exists()


# --- without a PID 1 ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("target, status, said", [
    ("exec:true", 0, "ok exec:true: status 0"),
    ("name=db exec:sh -c exit", 0, "ok db: status 0"),
    ("exec:false", 1, "failed exec:false: status 1"),
    ("exec:/no/such", 1, "failed exec:/no/such: status 127: /no/such: No such file or directory"),
])
def test_probe_runs_a_command_too(either, target, status, said):
    shown = subprocess.run([either, "probe", target], capture_output=True, text=True, timeout=20)
    assert (shown.returncode, shown.stdout.strip()) == (status, said)


def test_probe_limits_its_time(either):
    start = time.monotonic()
    shown = subprocess.run([either, "probe", "--timeout", "200ms", "exec:sleep 1010"], capture_output=True, text=True)
    assert shown.returncode == 1 and "not ended within 200ms" in shown.stdout
    assert time.monotonic() - start < 20
    assert not subprocess.run(["pgrep", "-f", "^sleep 1010$"], capture_output=True).stdout


def test_probe_waits_until_a_command_succeeds(either, script, tmp_path):
    path = script(f"[ -e {tmp_path}/go ]")
    with subprocess.Popen([either, "probe", "--wait", "20s", f"exec:{path}"], stdout=subprocess.PIPE, text=True) as probe:
        time.sleep(0.4)
        assert probe.poll() is None
        (tmp_path / "go").touch()
        assert probe.wait(20) == 0
        assert re.fullmatch(r"ok exec:\S+: status 0\n", probe.stdout.read())
