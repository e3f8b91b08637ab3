"""nest-init ctl: services are stopped, started, restarted and signalled by hand; and who may do so.

What PID 1 trusts is the kernel alone: the last part sends it what a monitor would that somebody has taken over.
"""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from bundle import Container
from busybox import image, needs_runc  # noqa: F401
from namespace import Namespace, children, monitor_of, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

OBEYS = "trap 'echo term; exit 7' TERM; trap 'echo hup' HUP; echo up; while :; do sleep 0.02; done"
DEAF = "trap '' TERM; echo up; while :; do sleep 0.02; done"
SOON = ("--health-interval", "20ms", "--health-start-interval", "20ms")


def ctl(n, *words, before=()):
    """(status, standard output, standard error) of nest-init ctl in the container."""
    done = subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", *before, n.init, "ctl", *words],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def status(n):
    """Once somebody answers: PID 1 may just be starting, or replacing its monitor."""
    def asked():
        done = subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", n.init, "status", "--json"],
                              capture_output=True, text=True, timeout=120)
        return done.returncode == 0 and json.loads(done.stdout)
    return wait_until(asked)


def service(n, name):
    return next(s for s in status(n)["services"] if s["name"] == name)


def several(init, tmp_path, **services):
    file = tmp_path / "nest-init.json"
    file.write_text(json.dumps({"services": services}))
    return Namespace(init, options=["--config", file])


def one(init, script, *options, **keywords):
    """A single service, with a check so that there is a monitor. It is called main."""
    return Namespace(init, "sh", "-c", script, options=["--live", "file:/", *SOON, *options], **keywords)


# --- services -----------------------------------------------------------------------------------------------------

def test_a_service_is_stopped_and_started_and_the_container_stays(either, tmp_path):
    with several(either, tmp_path, cache={"command": ["sleep", "1000"]}, app={"command": ["sh", "-c", OBEYS]}) as n:
        n.wait_for("up")
        assert ctl(n, "stop", "app") == (0, "app has ended (status 7)\n", "")
        assert service(n, "app")["state"] == "ended" and service(n, "cache")["state"] == "running"
        assert ctl(n, "stop", "app") == (0, "app: nothing to do, it is ended\n", "")
        code, out, err = ctl(n, "start", "app")
        assert (code, err) == (0, "") and re.fullmatch(r"app is started \(pid \d+\)\n", out)
        assert service(n, "app")["starts"] == 2
        assert ctl(n, "start", "app") == (0, "app: nothing to do, it is running\n", "")
        n.kill(signal.SIGTERM)
        n.wait()
        assert "nest-init: app is to be stopped: by hand, of uid 0\n" in n.errors()
        assert re.search(r"app \(pid \d+\) ended with status 7 after \S+, \S+ after it was stopped by hand\n",
                         n.errors())


def test_a_restart_is_no_failure_and_leaves_the_others_alone(either, tmp_path):
    limited = {"command": ["sh", "-c", OBEYS], "restart": {"policy": "on-failure", "attempts": 1, "window": "1h"}}
    with several(either, tmp_path, app=limited, other={"command": ["sleep", "1000"]}) as n:
        n.wait_for("up")
        wait_until(lambda: service(n, "other")["state"] == "running")
        other = service(n, "other")
        for life in (2, 3, 4):
            assert ctl(n, "restart", "app")[0] == 0
            assert service(n, "app")["starts"] == life
        assert service(n, "other") == other
        n.kill(signal.SIGTERM)
        n.wait()
        assert "not started again" not in n.errors()


def test_one_that_has_ended_is_started_by_a_restart(nest_init, tmp_path):
    with several(nest_init, tmp_path, app={"command": ["true"], "essential": False},
                 other={"command": ["sleep", "1000"]}) as n:
        wait_until(lambda: service(n, "app")["state"] == "ended")
        assert ctl(n, "restart", "app") == (0, "app has ended (status 0)\n", "")
        assert service(n, "app")["starts"] == 2


def test_several_names_are_done_one_after_the_other(nest_init, tmp_path):
    with several(nest_init, tmp_path, a={"command": ["sleep", "1000"]}, b={"command": ["sleep", "1000"]}) as n:
        assert ctl(n, "stop", "b", "c", "a") == (
            1, "", "nest-init ctl: no service is called 'c' (nest-init status shows the names)\n")
        assert ctl(n, "stop", "b", "a", "--timeout", "50s") == (
            0, "b has ended (signal 15)\na has ended (signal 15)\n", "")
        assert ctl(n, "start", "a", "b")[0] == 0


def test_a_task_runs_again(nest_init, tmp_path):
    file = tmp_path / "nest-init.json"
    file.write_text(json.dumps({"services": {"app": {"command": ["sleep", "1000"]}},
                                "tasks": {"migrate": {"command": ["sh", "-c", f"echo ran >>{tmp_path}/log"]}}}))
    with Namespace(nest_init, options=["--config", file]) as n:
        wait_until(lambda: service(n, "migrate")["state"] == "ended")
        assert ctl(n, "start", "migrate") == (0, "migrate has ended (status 0)\n", "")
        assert (tmp_path / "log").read_text() == "ran\nran\n"


def test_one_that_waits_for_its_next_start_is_started_at_once(nest_init, tmp_path):
    crash = {"command": ["sh", "-c", f"test -e {tmp_path}/mended && exec sleep 1000; exit 3"],
             "restart": {"policy": "always", "backoff": "1h", "max_backoff": "1h"}}
    with several(nest_init, tmp_path, crash=crash, other={"command": ["sleep", "1000"]}) as n:
        wait_until(lambda: service(n, "crash")["state"] == "restarting")
        shown = subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", n.init, "status"], capture_output=True,
                               text=True, timeout=120).stdout
        assert shown.splitlines()[0] == "the container waits for the next start of a service"
        (tmp_path / "mended").touch()
        code, out, err = ctl(n, "start", "crash")
        assert (code, err) == (0, "") and out.startswith("crash is started (pid ")


def test_one_that_runs_and_is_not_ready_is_waited_for(nest_init, tmp_path):
    slow = {"command": ["sleep", "1000"], "health": {  # the service's user may look there, the monitor's not
        "interval": "20ms", "start_interval": "20ms", "ready": [f"exec:test -e {tmp_path}/ready"]}}
    with several(nest_init, tmp_path, slow=slow, other={"command": ["sleep", "1000"]}) as n:
        wait_until(lambda: service(n, "slow")["state"] == "running")
        assert ctl(n, "start", "slow", "--timeout", "200ms") == (
            1, "", "nest-init ctl: slow: not within --timeout: it is running, and not ready\n")
        with subprocess.Popen(["nsenter", "-t", str(n.pid), "-p", "-m", n.init, "ctl", "start", "slow"], text=True,
                              stdout=subprocess.PIPE) as waits:
            time.sleep(0.3)  # on a busy machine it asks later, and finds it ready
            (tmp_path / "ready").touch()
            assert re.match(r"slow is started \(pid |slow: nothing to do, it is running$", waits.stdout.read())
            assert waits.wait() == 0


def test_whose_word_it_was_is_told_before_what_comes_of_it(nest_init, tmp_path):
    file = tmp_path / "nest-init.json"
    file.write_text(json.dumps({"log": {"level": "info"}, "services": {
        "app": {"command": ["sleep", "1000"]}, "other": {"command": ["sleep", "1000"]}}}))
    with Namespace(nest_init, options=["--config", file]) as n:
        wait_until(lambda: service(n, "app")["state"] == "running")
        assert ctl(n, "restart", "app")[0] == 0
        n.wait_for_error("app: stopping")
        assert n.errors().index("app is to be restarted: by hand") < n.errors().index("app: stopping")


def test_what_a_service_waits_for_is_told(nest_init, tmp_path):
    never = {"start_interval": "20ms", "retries": 1000, "ready": ["file:/no/such"]}
    with several(nest_init, tmp_path, db={"command": ["sleep", "1000"], "health": never},
                 app={"command": ["sleep", "1000"], "depends_on": {"db": "ready"}},
                 web={"command": ["sleep", "1000"], "wait_for": [f"unix:{tmp_path}/a", f"unix:{tmp_path}/b"]}) as n:
        wait_until(lambda: service(n, "app").get("waits_for") == "db to be ready")
        assert service(n, "web")["waits_for"] == f"unix:{tmp_path}/a, unix:{tmp_path}/b"[:155]
        assert ctl(n, "start", "app", "--timeout", "100ms")[2] == (
            "nest-init ctl: app: not within --timeout: it is waiting for db to be ready\n")
        assert ctl(n, "stop", "app") == (0, "app will not be started\n", "")
        assert service(n, "app")["state"] == "ended"


def with_tasks(init, tmp_path, app=None, **tasks):
    file = tmp_path / "nest-init.json"
    file.write_text(json.dumps({"services": {"app": {"command": ["sleep", "1000"], **(app or {})}}, "tasks": tasks}))
    return Namespace(init, options=["--config", file])


def test_a_task_is_waited_for_until_it_has_ended_well(nest_init, tmp_path):
    late = {"command": ["sh", "-c", "sleep 0.3; exit 6"], "schedule": "0 0 1 1 *"}
    well = {"command": ["sh", "-c", "sleep 0.3"], "schedule": "0 0 1 1 *"}
    with with_tasks(nest_init, tmp_path, late=late, well=well) as n:
        wait_until(lambda: service(n, "app")["state"] == "running")
        for command in ("start", "restart"):
            code, out, err = ctl(n, command, "late")
            assert (code, out) == (1, "") and re.match(
                r"nest-init ctl: late has not ended well: late \(pid \d+\) ended with status 6 after", err)
            assert ctl(n, command, "well") == (0, "well has ended (status 0)\n", "")


def test_a_task_that_fails_when_it_is_started_by_hand_does_not_end_the_container(either, tmp_path):
    """Nor does it keep those from starting who waited for it once."""
    marker = tmp_path / "marker"
    before = {"command": ["sh", "-c", f"mkdir {marker} || exit 6"], "before": ["app"]}
    with with_tasks(either, tmp_path, migrate=before) as n:
        wait_until(lambda: service(n, "app")["state"] == "running")
        assert ctl(n, "start", "migrate")[0] == 1
        assert ctl(n, "restart", "app")[0] == 0
        assert ctl(n, "stop", "app")[0] == 0
        assert ctl(n, "start", "app")[0] == 0
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_a_task_for_the_end_is_refused_at_once(nest_init, tmp_path):
    with with_tasks(nest_init, tmp_path, last={"command": ["echo", "done"], "after": ["app"]}) as n:
        wait_until(lambda: service(n, "app")["state"] == "running")
        for command in ("start", "restart"):
            assert ctl(n, command, "last") == (
                1, "", "nest-init ctl: last: it is for the container's end, and runs then\n")
        assert ctl(n, "stop", "last") == (0, "last will not be started\n", "")
        assert ctl(n, "start", "last") == (0, "last will run when the container stops\n", "")
        n.kill(signal.SIGTERM)
        n.wait()
        assert "done" in n.lines()


def test_a_signal_reaches_the_service_as_it_is(either, tmp_path):
    with several(either, tmp_path, cache={"command": ["sleep", "1000"]}, app={"command": ["sh", "-c", OBEYS]}) as n:
        n.wait_for("up")
        assert ctl(n, "signal", "SIGHUP", "app") == (0, "", "")
        n.wait_for("hup")
        assert ctl(n, "stop", "app")[0] == 0
        assert ctl(n, "signal", "HUP", "app") == (
            1, "", "nest-init ctl: app: it does not run: nobody is there to get a signal\n")


def test_a_start_that_fails_says_why(nest_init, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nsleep 1000\n")
    program.chmod(0o755)
    with several(nest_init, tmp_path, app={"command": [str(program)], "essential": False},
                 other={"command": ["sleep", "1000"]}) as n:
        wait_until(lambda: service(n, "app")["state"] == "running")
        assert ctl(n, "stop", "app")[0] == 0
        program.unlink()
        code, out, err = ctl(n, "start", "app")
        assert (code, out) == (1, "") and err.startswith("nest-init ctl: app did not start: ") and "program" in err


# --- a single one -------------------------------------------------------------------------------------------------

def test_the_only_service_stops_and_the_container_stays(either, tmp_path):
    left = "setsid sh -c \"trap 'echo asked; exit' TERM; echo left; while :; do sleep 0.02; done\" & "
    with one(either, left + OBEYS, "--clean-exit", "7") as n:
        n.wait_for("up", "left")
        beside = subprocess.Popen(["nsenter", "-t", str(n.pid), "-p", "-m", "sleep", "1000"])
        try:
            assert ctl(n, "stop", "main") == (0, "main has ended (status 7)\n", "")
            assert "asked" in n.lines(), "what it left behind is cleared away"
            assert beside.poll() is None, "but not what was started beside it"
            assert monitor_of(n.pid) is not None
            ready = subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", n.init, "health", "--ready"],
                                   capture_output=True, timeout=120)
            assert ready.returncode == 1
            assert ctl(n, "restart", "main")[0] == 0
            assert n.lines().count("up") == 2
            assert ctl(n, "stop", "main")[0] == 0
        finally:
            beside.kill()
            beside.wait()
        n.kill(signal.SIGTERM)
        assert n.wait() == 0


def test_a_stop_of_the_container_ends_one_that_is_being_stopped_by_hand(either):
    with one(either, DEAF, "--stop-timeout", "400ms") as n:
        n.wait_for("up")
        assert ctl(n, "stop", "--no-wait", "main") == (0, "", "")
        n.kill(signal.SIGTERM)
        assert n.wait() == 137


def test_a_manager_hears_of_the_containers_stop_alone(nest_init, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        with one(nest_init, OBEYS, env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as n:
            assert manager.recv(100) == b"READY=1"
            assert ctl(n, "stop", "main")[0] == 0
            assert ctl(n, "start", "main")[0] == 0
            n.kill(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            n.wait()


def test_who_stops_on_something_else_than_term_is_stopped_by_that(nest_init):
    with one(nest_init, "trap 'exit 5' QUIT; trap 'echo term' TERM; echo up; while :; do sleep 0.02; done",
             "--stop-on", "QUIT") as n:
        n.wait_for("up")
        assert ctl(n, "stop", "main") == (0, "main has ended (status 5)\n", "")
        assert "term" not in n.lines()


def test_without_the_capabilities_for_it_there_is_no_other_start(nest_init):
    with one(nest_init, OBEYS, "--cap-drop", "net_raw") as n:
        n.wait_for("up")
        said = ("nest-init ctl: main: PID 1 has given up what a start takes: --restart, --on-unhealthy restart or "
                "--watch keep it\n")
        assert ctl(n, "restart", "main") == (1, "", said)
        assert ctl(n, "stop", "main")[0] == 0
        assert ctl(n, "start", "main") == (1, "", said)
    with one(nest_init, OBEYS, "--cap-drop", "net_raw", "--restart", "always") as n:
        n.wait_for("up")
        assert ctl(n, "restart", "main")[0] == 0


def test_under_another_name_a_stop_is_that_programs(nest_init, tmp_path):
    tini = tmp_path / "tini"
    tini.symlink_to(nest_init)
    with Namespace(nest_init, "sh", "-c", OBEYS, wrap=["sh", "-c", f'shift; exec {tini} "$@"', "sh"],
                   env={"NEST_INIT_LIVE": "file:/"}) as n:
        n.wait_for("up")
        wait_until(lambda: monitor_of(n.pid))
        for command in ("stop", "restart"):
            assert ctl(n, command, "main") == (
                1, "", "nest-init ctl: main: PID 1 runs under another program's name, and stops as that does\n")
        assert ctl(n, "signal", "HUP", "main")[0] == 0
        n.wait_for("hup")


# --- words and waiting --------------------------------------------------------------------------------------------

def test_who_waits_too_long_is_told_what_it_is(nest_init):
    with one(nest_init, DEAF, "--stop-timeout", "5s") as n:
        n.wait_for("up")
        assert ctl(n, "stop", "--timeout", "100ms", "main") == (
            1, "", "nest-init ctl: main: not within --timeout: it is stopping\n")
        assert ctl(n, "start", "main") == (
            1, "", "nest-init ctl: main: it is being stopped: start it when it has ended\n")
        assert ctl(n, "stop", "main") == (0, "main has ended (signal 9)\n", "")


def test_while_the_container_stops_nothing_is_started(nest_init, tmp_path):
    with several(nest_init, tmp_path, a={"command": ["sh", "-c", DEAF]}, b={"command": ["true"], "essential": False}) as n:
        n.wait_for("up")
        wait_until(lambda: service(n, "b")["state"] == "ended")
        n.kill(signal.SIGTERM)
        n.wait_for_error("SIGTERM: stopping")
        for words in (("start", "b"), ("restart", "a"), ("stop", "a")):
            assert ctl(n, *words) == (1, "", f"nest-init ctl: {words[1]}: the container is being stopped\n")
        assert ctl(n, "signal", "KILL", "a")[0] == 0
        assert n.wait() == 137


@pytest.mark.parametrize("words, said", [
    ((), "what is to be done? (nest-init ctl --help)"),
    (("stpo",), "'stpo': expected start, stop, restart, signal or reload (nest-init ctl --help)"),
    (("stop",), "which service? (nest-init status shows the names)"),
    (("stop", "--wait", "a"), "unknown option '--wait' (nest-init ctl --help)"),
    (("stop", "--timeout", "0s", "a"), "--timeout: '0s': expected a duration above zero, such as 500ms or 5s"),
    (("signal",), "which signal, such as HUP or USR1?"),
    (("signal", "NONE", "a"), "'NONE': expected a signal, such as HUP or USR1"),
])
def test_bad_usage_is_told(nest_init, words, said):
    done = subprocess.run([nest_init, "ctl", *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (125, "", f"nest-init ctl: {said}\n")


def test_without_a_monitor_it_says_how_to_get_one(nest_init):
    done = subprocess.run([nest_init, "ctl", "stop", "app"], capture_output=True, text=True, timeout=60,
                          env={"NEST_INIT_CONTROL": "nest-init/of-a-test/nobody-there"})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == ("nest-init ctl: no nest-init answers at @nest-init/of-a-test/nobody-there: Connection refused "
                           "(PID 1 serves it when it has a check, --metrics, --seccomp-report or several services)\n")


# --- who may ------------------------------------------------------------------------------------------------------

FORBIDDEN = "only root and PID 1's own user may do this (docker exec --user 0)"
AS_1234 = ("setpriv", "--reuid", "1234", "--clear-groups")


def test_another_user_may_not(either):
    with one(either, OBEYS) as n:
        n.wait_for("up")
        for words in (("stop", "main"), ("restart", "main"), ("signal", "HUP", "main")):
            assert ctl(n, *words, before=AS_1234) == (1, "", f"nest-init ctl: main: {FORBIDDEN}\n")
        assert service(n, "main")["starts"] == 1 and n.lines() == ["up"]


def test_the_user_of_pid_1_may_and_others_not(either):
    with one(either, OBEYS, wrap=["setpriv", "--reuid", "1234", "--clear-groups"]) as n:
        n.wait_for("up")
        assert ctl(n, "restart", "main", before=AS_1234)[0] == 0
        assert ctl(n, "restart", "main", before=("setpriv", "--reuid", "1235", "--clear-groups"))[0] == 1
        assert ctl(n, "restart", "main")[0] == 0


HEADER = struct.Struct("=HHI")
ORDER, CLIENT, ORDERED = 19, 20, 21
STOP, SIGNAL = 1, 3
TAKEN, NO_RIGHT, UNKNOWN = 0, 2, 3


def order(command, number=0, sent=0):
    return HEADER.pack(1, ORDER, 24) + struct.pack("=4I", command, number, sent, 0)


def result(answer):
    version, kind, length, what = struct.unpack("=HHII", answer[:12])
    assert (version, kind, length) == (1, ORDERED, len(answer))
    return what


def name_of(n):
    return "\0nest-init/%d" % os.stat(f"/proc/{n.pid}/ns/pid").st_ino


def connection(n):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(60)
    client.connect(name_of(n))
    return client


def test_root_outside_of_the_pid_namespace_may_not(either):
    """It shares the network namespace alone, as the containers of a pod do."""
    with one(either, OBEYS) as n:
        n.wait_for("up")
        with connection(n) as client:
            client.send(order(STOP))
            assert result(client.recv(100)) == NO_RIGHT
        assert service(n, "main")["state"] == "running"


# Run in the container as root: sends each record in a connection of its own, and prints what comes back.
SENDS = """
import socket, sys
for record in sys.argv[2:]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(60)
        client.connect("\\0" + sys.argv[1])
        client.send(bytes.fromhex(record))
        try:
            print(client.recv(100).hex())
        except ConnectionError:
            print()
"""


def sent_as_root(n, *records):
    done = subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", sys.executable, "-c", SENDS, name_of(n)[1:],
                           *(record.hex() for record in records)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [bytes.fromhex(line) for line in done.stdout.splitlines()]


def test_what_is_no_order_is_none(either):
    with one(either, OBEYS) as n:
        n.wait_for("up")
        good = order(STOP)
        bad = [good[:10], good + b"\0", b"", HEADER.pack(2, ORDER, 24) + good[8:], HEADER.pack(1, CLIENT, 8),
               HEADER.pack(1, ORDERED, 24) + bytes(16), order(9), order(STOP, 256), order(SIGNAL, 0, 65),
               good[:20] + b"\1\0\0\0"]
        assert sent_as_root(n, *bad) == [b""] * len(bad)
        assert [result(a) for a in sent_as_root(n, order(STOP, 1), order(STOP, 255), order(SIGNAL, 0, 0))] == [
            UNKNOWN] * 3
        assert service(n, "main")["state"] == "running"
        assert [result(a) for a in sent_as_root(n, order(SIGNAL, 0, signal.SIGHUP))] == [TAKEN]
        n.wait_for("hup")


def test_a_flood_of_who_may_not_is_no_hindrance(nest_init):
    """Nor is who connects and says nothing."""
    over = threading.Event()

    def flood(n):
        while not over.is_set():
            try:
                with connection(n) as client:
                    client.send(order(STOP))
            except OSError:
                pass

    with one(nest_init, OBEYS) as n:
        n.wait_for("up")
        silent = [connection(n) for _ in range(30)]
        floods = [threading.Thread(target=flood, args=(n,)) for _ in range(4)]
        for thread in floods:
            thread.start()
        try:
            # Who waits in a queue behind so many asks again.
            wait_until(lambda: ctl(n, "restart", "--timeout", "5s", "main")[0] == 0)
        finally:
            over.set()
            for thread in floods:
                thread.join()
            for client in silent:
                client.close()
        assert service(n, "main")["starts"] >= 2
        n.kill(signal.SIGTERM)
        assert n.wait() == 7


# Run in the container as root, with the monitor's own descriptor of the channel (pidfd_getfd(2)): hands PID 1 what a
# monitor could that somebody has taken over, each with an order to stop that waits in it where one can.
TAKES_OVER = """
import array, ctypes, os, socket, sys
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
libc = ctypes.CDLL(None, use_errno=True)
monitor, order, client = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
pidfd = libc.syscall(SYS_PIDFD_OPEN, monitor, 0)
channel = socket.socket(fileno=libc.syscall(SYS_PIDFD_GETFD, pidfd, 3, 0))
listener = libc.syscall(SYS_PIDFD_GETFD, pidfd, 4, 0)
def hand(*fds):
    channel.sendmsg([client], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
kept = []
for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM, socket.SOCK_DGRAM):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.send(order)
    kept += [ours, theirs]
    hand(theirs.fileno())
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind("\\0a-name-of-its-own-" + str(os.getpid()))
server.listen()
liar = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
liar.connect(server.getsockname())
liar.send(order)
kept.append(server.accept()[0])
hand(kept[-1].fileno())
hand(channel.fileno())
hand(listener)
hand(os.open("/dev/null", os.O_RDWR))
hand(os.pipe()[0])
hand()
print("handed")
"""


def test_a_monitor_that_was_taken_over_makes_no_order(either):
    with one(either, OBEYS) as n:
        n.wait_for("up")
        monitor = wait_until(lambda: monitor_of(n.pid))
        service(n, "main")  # it serves by now
        inside = int(re.search(r"^NSpid:.*\t(\d+)$", open(f"/proc/{monitor}/status").read(), re.M).group(1))
        descriptors = len(os.listdir(f"/proc/{n.pid}/fd"))
        done = subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", sys.executable, "-c", TAKES_OVER, str(inside),
                               order(STOP).hex(), HEADER.pack(1, CLIENT, 8).hex()],
                              capture_output=True, text=True, timeout=120)
        assert done.stdout == "handed\n", done.stderr
        # Behind all that, in the same queue: it was heard.
        assert ctl(n, "signal", "HUP", "main")[0] == 0
        n.wait_for("hup")
        assert service(n, "main")["starts"] == 1 and service(n, "main")["state"] == "running"
        assert len(os.listdir(f"/proc/{n.pid}/fd")) == descriptors


# --- a real container ---------------------------------------------------------------------------------------------

@needs_runc
def test_in_a_container_of_uid_1001(image):  # noqa: F811
    with Container(["/nest-init", "--live", "file:/", "--cap-drop", "all", "--seccomp", "default", "--read-only", "--",
                    "/bin/sleep", "1000"], image, user=1001, caps=()) as c:
        def run(*words, **keywords):
            done = c.exec("/nest-init", "ctl", *words, **keywords)
            return done.returncode, done.stdout, done.stderr

        wait_until(lambda: run("restart", "main")[0] == 0)
        assert run("stop", "main")[:2] == (0, "main has ended (signal 15)\n")
        assert c.running()
        assert run("start", "main", user=1002) == (1, "", f"nest-init ctl: main: {FORBIDDEN}\n")
        assert run("start", "main", user=0)[0] == 0
        c.kill("TERM")
        assert c.wait(30) == 143
