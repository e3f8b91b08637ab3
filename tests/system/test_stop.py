"""The steps of a stop that are asked for: which signals ask, the drain, the pre-stop command, each with its deadline."""
import os
import shutil
import signal
import time

import pytest

import bundle
from namespace import Namespace, children, status_of, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

BACKSTOP = 30
SAYS = ("trap 'echo term; exit 3' TERM; trap 'echo quit; exit 4' QUIT; trap 'echo hup' HUP; trap 'echo usr1' USR1; "
        "echo up; while :; do sleep 0.02; done")


def program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


# --- which signals ask ----------------------------------------------------------------------------------------------

def test_stop_on_names_the_signals_that_ask(either):
    """Those it names stop, with a drain; those it does not are passed on at once."""
    with Namespace(either, "sh", "-c", SAYS, options=["--stop-on", "USR1,HUP", "--drain", "300ms"]) as n:
        n.wait_for("up")
        start = time.monotonic()
        n.kill(signal.SIGUSR1)
        n.wait_for("usr1")
        assert time.monotonic() - start >= 0.3
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert n.lines() == ["up", "usr1", "term"]
        assert "after SIGUSR1 asked for a stop" in n.certificate()


def test_term_merely_passes_where_stop_on_leaves_it_out(either):
    with Namespace(either, "sh", "-c", SAYS, options=["--stop-on", "USR1", "--clean-exit", "3", "--drain", "1h"]) as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 3  # no stop was asked for: 3 is no clean exit


# --- pre-stop -------------------------------------------------------------------------------------------------------

def test_the_pre_stop_command_runs_before_the_workload_hears(either, tmp_path):
    log = tmp_path / "log"
    script = program(tmp_path / "pre-stop", f'echo "pre-stop $*" >>{log}; sleep 0.2; echo done >>{log}\n')
    workload = f"trap 'echo term >>{log}; exit 3' TERM; echo up; while :; do sleep 0.02; done"
    with Namespace(either, "sh", "-c", workload, options=["--pre-stop", f"{script} one  two"]) as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert log.read_text().splitlines() == ["pre-stop one two", "done", "term"]
        assert n.complaints() == ""


def test_it_runs_after_the_drain_and_only_once(either, tmp_path):
    log = tmp_path / "log"
    script = program(tmp_path / "pre-stop", f"echo pre-stop >>{log}\n")
    with Namespace(either, "sh", "-c", SAYS, options=["--pre-stop", script, "--drain", "300ms"]) as n:
        n.wait_for("up")
        start = time.monotonic()
        n.kill(signal.SIGTERM)
        wait_until(log.exists)
        assert time.monotonic() - start >= 0.3
        assert n.wait() == 3
        assert log.read_text() == "pre-stop\n"


def test_its_own_deadline_ends_it_with_all_it_started(either, tmp_path):
    script = program(tmp_path / "pre-stop", "trap '' TERM; sleep 1000 & wait\n")
    with Namespace(either, "sh", "-c", SAYS, options=["--pre-stop", script, "--pre-stop-timeout", "300ms"]) as n:
        n.wait_for("up")
        start = time.monotonic()
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert 0.3 <= time.monotonic() - start < 8
        assert n.complaints() == f"nest-init: warning: --pre-stop {script} did not end within 300 ms: killed\n"
        assert n.certificate().endswith("asked for a stop; --pre-stop-timeout (300ms) has passed")


def test_another_stop_signal_goes_on_to_the_stop_signal(either, tmp_path):
    script = program(tmp_path / "pre-stop", "echo pre-stop up; sleep 1000\n")
    with Namespace(either, "sh", "-c", SAYS, options=["--pre-stop", script, "--pre-stop-timeout", "1h"]) as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        n.wait_for("pre-stop up")
        n.kill(signal.SIGHUP)
        n.wait_for("hup")
        n.kill(signal.SIGQUIT)
        assert n.wait() == 3  # the first one decided what the workload gets
        assert n.lines() == ["up", "pre-stop up", "hup", "term"]
        assert n.complaints() == f"nest-init: --pre-stop {script} is cut short by another stop signal\n"
        assert "has passed" not in n.certificate()


def test_the_whole_budget_holds_for_it(either, tmp_path):
    """Without a deadline of its own it leaves half of the budget to the workload."""
    script = program(tmp_path / "pre-stop", "exec sleep 1000\n")
    with Namespace(either, "sh", "-c", SAYS, options=["--pre-stop", script, "--stop-timeout", "1s"]) as n:
        n.wait_for("up")
        start = time.monotonic()
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert time.monotonic() - start >= 0.5


@pytest.mark.parametrize("text, said", [
    ("exit 9", "--pre-stop {script} ended with status 9"),
    ("kill -SEGV $$", "--pre-stop {script} was killed by SIGSEGV"),
])
def test_its_failure_is_said_and_holds_nothing_up(either, tmp_path, text, said):
    script = program(tmp_path / "pre-stop", text + "\n")
    with Namespace(either, "sh", "-c", SAYS, options=["--pre-stop", script]) as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert n.complaints() == f"nest-init: {said.format(script=script)}\n"


def test_a_command_that_is_not_there_is_said_and_holds_nothing_up(either):
    with Namespace(either, "sh", "-c", SAYS, options=["--pre-stop", "no-such-program now"]) as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert n.complaints() == "nest-init: --pre-stop: no-such-program: not found in PATH\n"


def test_a_main_process_that_ends_meanwhile_ends_it_too(either, tmp_path):
    script = program(tmp_path / "pre-stop", "echo pre-stop up; exec sleep 1000\n")
    with Namespace(either, "sh", "-c", SAYS, options=["--pre-stop", script]) as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        n.wait_for("pre-stop up")
        main, _ = sorted(children(n.pid))
        os.kill(main, signal.SIGTERM)
        assert n.wait() == 3
        assert n.complaints() == f"nest-init: the main process ended before --pre-stop {script} was done\n"


def test_what_it_leaves_behind_is_ended_like_all_else(either, tmp_path):
    script = program(tmp_path / "pre-stop", "setsid sh -c 'trap \"echo left; exit\" TERM; echo left up; "
                                            "while :; do sleep 0.02; done' & sleep 0.3\n")
    with Namespace(either, "sh", "-c", SAYS, options=["--pre-stop", script]) as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert n.lines() == ["up", "left up", "term", "left"]


# --- what is left ---------------------------------------------------------------------------------------------------

LOUD = "trap 'echo {0} term' TERM; trap 'echo {0} cont' CONT; echo {0} up; while :; do sleep 0.02; done"


def test_who_stays_is_asked_once_and_killed_in_the_end(either):
    """The group first, others half of the time later; nobody hears a second TERM, which means "now" to many."""
    script = f"sh -c \"{LOUD.format('group')}\" & setsid sh -c \"{LOUD.format('orphan')}\" & trap 'exit 3' TERM; echo up; wait"
    with Namespace(either, "sh", "-c", script, options=["--stop-timeout", "1s"]) as n:
        n.wait_for("up", "group up", "orphan up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        heard = n.lines()[3:]
        assert sorted(heard) == ["group cont", "group term", "orphan cont", "orphan term"]
        assert max(map(heard.index, ("group cont", "group term"))) < min(map(heard.index, ("orphan cont", "orphan term")))


def test_who_is_stopped_is_woken_up_to_hear_of_it(either):
    script = ("setsid sh -c 'kill -STOP $$' & sh -c 'kill -STOP $$' & trap 'exit 3' TERM; echo up; "
              "while :; do sleep 0.02; done")
    with Namespace(either, "sh", "-c", script) as n:
        n.wait_for("up")
        wait_until(lambda: sum(status_of(pid)["State"].startswith("T") for pid in n.members()) == 2)
        start = time.monotonic()
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert time.monotonic() - start < 4.5  # nobody had to be killed
        assert "killed" not in n.certificate()


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    root = tmp_path_factory.mktemp("box")
    for directory in ("bin", "tmp", "data"):
        (root / directory).mkdir()
    shutil.copy("/bin/busybox", root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    (root / "data").chmod(0o777)
    return root


PROBE = ("#!/bin/sh\nbusybox id -u; busybox grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; "
         "busybox touch /probe || echo read-only; busybox cat /tmp/word; echo x >/tmp/more && echo writable\n")


@pytest.mark.parametrize("read_only", ["auto", "remount", "landlock"])
def test_it_is_confined_as_the_workload_is(nest_init, box, read_only, tmp_path):
    """The tmpfs is the workload's own, with what that wrote, and stays writable for it: nothing is mounted twice."""
    script = tmp_path / "pre-stop"
    script.write_text(PROBE)
    script.chmod(0o755)
    workload = ("cd /tmp; echo shared >word; trap 'echo late >>word && busybox grep -c \" /tmp \" /proc/self/mountinfo; exit 3' TERM; "
                "echo up; while :; do busybox sleep 0.02; done")
    options = ["--user=1001:1001", "--cap-drop=all", "--seccomp=default", f"--read-only={read_only}", "--tmpfs=/tmp",
               "--pre-stop=/bin/pre-stop"]
    with bundle.Container(["/nest-init", *options, "--", "/bin/sh", "-c", workload], rootfs=box,
                          files={"/nest-init": nest_init, "/bin/pre-stop": script},
                          caps=(*bundle.DOCKER_CAPS, "sys_admin")) as c:
        wait_until(lambda: "up" in c.output())
        c.kill("TERM")
        assert c.wait(BACKSTOP) == 3, c.errors()
        assert c.output().splitlines() == [
            "up", "1001", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "read-only", "shared", "writable",
            "1"], c.errors()


def test_readiness_has_fallen_before_it_runs(nest_init, box, tmp_path):
    script = tmp_path / "pre-stop"
    script.write_text("#!/bin/sh\nbusybox wget -q -O /dev/null http://127.0.0.1:9911/readyz 2>/dev/null || echo fallen\n"
                      "busybox wget -q -O - http://127.0.0.1:9911/livez\n")
    script.chmod(0o755)
    workload = "trap 'exit 3' TERM; echo up; while :; do busybox sleep 0.02; done"
    with bundle.Container(["/nest-init", "--metrics=127.0.0.1:9911", "--pre-stop=/bin/pre-stop", "--", "/bin/sh", "-c", workload],
                          rootfs=box, files={"/nest-init": nest_init, "/bin/pre-stop": script}) as c:
        wait_until(lambda: "up" in c.output())
        wait_until(lambda: c.exec("/nest-init", "health").returncode == 0)
        c.kill("TERM")
        assert c.wait(BACKSTOP) == 3
        assert c.output().splitlines()[1] == "fallen"
