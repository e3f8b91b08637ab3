"""nest-init as the service of systemd or Podman: what it says to NOTIFY_SOCKET, what it hands on of LISTEN_FDS, and what
stays its own. That READY=1 and STOPPING=1 are said at all is tests/system/test_init.py's."""
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from listener import Listener
from namespace import Namespace, children, environment_of, wait_until
from ports import free_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

SLEEPS = ("sh", "-c", "echo up; exec sleep 1000")
SOON = ("--health-start-interval", "20ms", "--health-interval", "20ms")


@pytest.fixture
def systemd(tmp_path):
    with Listener(str(tmp_path / "notify")) as listener:
        yield listener


# --- who speaks ---------------------------------------------------------------------------------------------------

def test_the_workload_does_not_inherit_what_the_manager_said_to_pid_1(either, systemd):
    asked = {**systemd.env, "WATCHDOG_USEC": "1000000000", "WATCHDOG_PID": "1", "KEPT": "yes"}
    with Namespace(either, *SLEEPS, env=asked) as n:
        n.wait_for("up")
        seen = environment_of(n.workload())
        assert seen["KEPT"] == "yes"
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(seen)


def test_without_a_manager_there_is_nothing_to_take(either):
    with Namespace(either, *SLEEPS, env={"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "1000", "KEPT": "yes"}) as n:
        n.wait_for("up")
        assert environment_of(n.workload())["KEPT"] == "yes"
        time.sleep(0.2)
        assert n.complaints() == ""


@pytest.mark.parametrize("name", ["tini", "dumb-init", "catatonit"])
def test_under_another_name_the_workload_speaks_itself(either, tmp_path, systemd, name):
    """As under that program, which knows nothing of it; but not where a check says when the service is ready."""
    alias = tmp_path / name
    alias.symlink_to(either)
    program = 'echo "$NOTIFY_SOCKET"; echo up; exec sleep 1000'
    for variables, speaker in (({}, "workload"), ({"NEST_INIT_READY": "file:/etc/passwd"}, "PID 1"),
                               ({"NEST_INIT_STARTUP": "file:/etc/passwd"}, "PID 1")):
        del systemd.heard[:]
        with subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", alias, "--", "sh", "-c", program],
                              env={**os.environ, **systemd.env, **variables}, stdout=subprocess.PIPE, text=True) as run:
            try:
                assert run.stdout.readline().strip() == (systemd.env["NOTIFY_SOCKET"] if speaker == "workload" else "")
                assert run.stdout.readline() == "up\n"
                if speaker == "PID 1":
                    wait_until(systemd.hear)
                assert systemd.hear() == ([] if speaker == "workload" else ["READY=1"])
            finally:
                for child in children(run.pid):
                    os.kill(child, signal.SIGKILL)


def test_a_manager_that_does_not_read_holds_nothing_up(either, systemd):
    """Its queue is full: PID 1 waits for nobody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.connect(systemd.env["NOTIFY_SOCKET"])
        with pytest.raises(BlockingIOError):
            while True:
                sender.send(b"X=1")
    with Namespace(either, "sh", "-c", "exit 7", env=systemd.env) as n:
        assert n.wait() == 7


# --- WATCHDOG=1 ---------------------------------------------------------------------------------------------------

def beats(systemd):
    return systemd.hear().count("WATCHDOG=1")


@pytest.mark.parametrize("pid", [{}, {"WATCHDOG_PID": "1"}], ids=["anybody", "us"])
def test_the_watchdog_is_fed_while_we_live(either, systemd, pid):
    with Namespace(either, *SLEEPS, env={**systemd.env, "WATCHDOG_USEC": "100000", **pid}) as n:
        wait_until(lambda: beats(systemd) >= 3)
        assert systemd.heard[0] == "READY=1" and set(systemd.heard[1:]) == {"WATCHDOG=1"}
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert systemd.hear().count("STOPPING=1") == 1


@pytest.mark.parametrize("asked", [
    {}, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "7"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "-20000"},
    {"WATCHDOG_USEC": "20000x"}, {"WATCHDOG_USEC": "99999999999999999999"}, {"WATCHDOG_USEC": "9223372036854775807"},
    {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": ""},
])
def test_the_watchdog_is_not_fed_unasked(either, systemd, asked):
    with Namespace(either, *SLEEPS, env={**systemd.env, **asked}) as n:
        n.wait_for("up")
        wait_until(systemd.hear)
        time.sleep(0.3)
        assert systemd.hear() == ["READY=1"]


@pytest.mark.parametrize("asked, warning", [
    ({"NOTIFY_SOCKET": "/no/such"}, "NOTIFY_SOCKET: the service manager hears nothing: No such file or directory"),
    ({"NOTIFY_SOCKET": "relative"}, "NOTIFY_SOCKET: the service manager hears nothing: Invalid argument"),
    ({"NOTIFY_SOCKET": "/no/such", "WATCHDOG_USEC": "abc"}, "WATCHDOG_USEC is no number of microseconds"),
])
def test_a_manager_that_hears_nothing_is_told_of_once(either, asked, warning):
    with Namespace(either, *SLEEPS, env=asked) as n:
        n.wait_for("up")
        n.wait_for_error(f"nest-init: warning: {warning}")
        assert n.errors().count(warning) == 1
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_a_short_watchdog_does_not_keep_pid_1_busy(nest_init, systemd):
    with Namespace(nest_init, *SLEEPS, env={**systemd.env, "WATCHDOG_USEC": "1"}) as n:
        n.wait_for("up")
        wait_until(systemd.hear)
        before = beats(systemd)
        time.sleep(1)
        assert beats(systemd) - before <= 110  # one in 10 ms


def test_the_watchdog_is_not_fed_before_the_service_is_ready(either, systemd, public):
    with Namespace(either, *SLEEPS, options=["--ready", f"file:{public}/flag", *SOON],
                   env={**systemd.env, "WATCHDOG_USEC": "20000"}) as n:
        n.wait_for("up")
        time.sleep(0.3)
        assert systemd.hear() == []
        (public / "flag").touch()
        wait_until(lambda: beats(systemd) >= 3)
        assert systemd.heard[0] == "READY=1"


def test_the_watchdog_is_fed_as_long_as_the_live_checks_hold(either, systemd, public):
    flag = public / "flag"
    flag.touch()
    with Namespace(either, *SLEEPS, options=["--live", f"retries=1 file:{flag}", *SOON],
                   env={**systemd.env, "WATCHDOG_USEC": "20000"}) as n:
        wait_until(lambda: beats(systemd) >= 3)
        flag.unlink()

        def starves():
            before = beats(systemd)
            time.sleep(0.2)
            return beats(systemd) == before
        wait_until(starves)
        flag.touch()
        fed = beats(systemd)
        wait_until(lambda: beats(systemd) >= fed + 3)
        assert n.complaints().count("a live check found sh unhealthy: no WATCHDOG=1 until it is healthy again") == 1


# --- stopping -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, seconds", [
    (["--stop-timeout", "50s"], None),
    (["--drain", "5s"], 5 + 10 + 2),
    (["--drain", "5s", "--stop-timeout", "50s"], 50 + 2),
    (["--pre-stop", "true", "--pre-stop-timeout", "20s"], 20 + 10 + 2),
])
def test_what_comes_before_the_stop_signal_is_asked_for_as_time(either, systemd, options, seconds):
    """10 s is what a stop without a limit of its own has, 2 s what SIGKILL has."""
    with Namespace(either, *SLEEPS, options=options, env=systemd.env) as n:
        n.wait_for("up")
        wait_until(systemd.hear)
        n.kill(signal.SIGTERM)
        n.kill(signal.SIGINT)
        assert n.wait() in (130, 143)
        extension = f"\nEXTEND_TIMEOUT_USEC={seconds * 1000000}" if seconds else ""
        assert systemd.hear() == ["READY=1", f"STOPPING=1{extension}"]


def test_stopping_is_said_once_whoever_asks_for_it(either, systemd, tmp_path):
    alive = tmp_path / "alive"
    alive.touch()
    deaf = f"trap '' TERM; rm {alive}; while :; do sleep 0.02; done"
    with Namespace(either, "sh", "-c", deaf, env=systemd.env,
                   options=["--live", f"retries=1 interval=100ms file:{alive}", "--on-unhealthy", "stop", "--stop-timeout", "20s"]) as n:
        wait_until(lambda: "STOPPING=1" in systemd.hear())
        n.kill(signal.SIGTERM)
        n.wait_for_error("SIGTERM: stopping")
        os.kill(n.workload(), signal.SIGKILL)
        assert n.wait() == 137
        assert systemd.hear() == ["READY=1", "STOPPING=1"]


def test_a_restart_is_not_the_managers_affair(either, systemd, tmp_path):
    with Namespace(either, "sh", "-c", f"echo x >>{tmp_path}/lives; [ $(wc -l <{tmp_path}/lives) = 3 ] || exit 1; exec sleep 1000",
                   options=["--restart", "on-failure", "--restart-backoff", "10ms"], env=systemd.env) as n:
        wait_until(lambda: (tmp_path / "lives").exists() and (tmp_path / "lives").read_text() == "x\nx\nx\n")
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert systemd.hear() == ["READY=1", "STOPPING=1"]


# --- socket activation --------------------------------------------------------------------------------------------

ACTIVATED = """
import os, signal, socket, sys
mine = os.environ.get("LISTEN_PID") == str(os.getpid())
print("mine", mine, os.environ.get("LISTEN_FDS"), os.environ.get("LISTEN_FDNAMES"), flush=True)
listener = socket.socket(fileno=3)
while True:
    client, _ = listener.accept()
    said = client.recv(100)
    client.sendall(b"pid %d says " % os.getpid() + said)
    client.close()
    if said == b"die":
        sys.exit(3)
"""


def ask(port, what):
    """Whom systemd-socket-activate lets wait, or who finds it not there yet."""
    def answer():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                client.sendall(what)
                return client.recv(100)
        except ConnectionError:
            return None
    return wait_until(answer)


@pytest.fixture
def service(tmp_path):
    path = tmp_path / "service.py"
    path.write_text(ACTIVATED)
    return str(path)


@pytest.mark.parametrize("options", [[], ["--cap-drop", "net_raw"], ["--ready", "file:/etc/passwd"]],
                         ids=["vfork", "fork", "monitor"])
def test_a_real_service_is_activated_by_its_socket(either, service, options):
    port = free_port()
    command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=web", either, *options,
               "--restart", "on-failure", "--restart-backoff", "10ms", "--", shutil.which("python3", path="/usr/bin"), service]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        try:
            first = ask(port, b"die")
            assert first.endswith(b" says die")
            second = ask(port, b"hello")  # it waited in the backlog of a service that had ended
            assert second.endswith(b" says hello") and second.split()[1] != first.split()[1]
            run.send_signal(signal.SIGTERM)
            assert run.wait(60) == 143
            assert run.stdout.read() == "mine True 1 web\n" * 2
        finally:
            run.kill()


@pytest.mark.parametrize("pid", ["7", "x", "99999999999999999999"])
def test_sockets_that_are_another_process_s_stay_so(either, pid):
    with Namespace(either, "sh", "-c", 'echo "$LISTEN_PID $LISTEN_FDS"', env={"LISTEN_PID": pid, "LISTEN_FDS": "1"}) as n:
        assert n.wait() == 0
        assert n.output() == f"{pid} 1\n" and n.complaints() == ""


def sockets(pid):
    """The inodes of its sockets."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if link.startswith("socket:"):
            found.add(link)
    return found


def test_neither_the_monitor_nor_a_command_is_activated(either, public):
    script = public / "shown"
    out = public / "out"
    out.mkdir()
    out.chmod(0o777)
    script.write_text(f'#!/bin/sh\n[ "$LISTEN_PID" = $$ ] && echo mine >{out}/mine\necho done >{out}/done\n')
    script.chmod(0o755)
    with socket.socket() as passed:
        passed.bind(("127.0.0.1", 0))
        passed.listen()
        handed = f"socket:[{os.fstat(passed.fileno()).st_ino}]"
        with Namespace(either, *SLEEPS, options=["--ready", f"exec:{script}", *SOON], env={"LISTEN_PID": "1", "LISTEN_FDS": "1"},
                       pass_fds=[passed.fileno()]) as n:
            wait_until((out / "done").exists)
            monitor = next(pid for pid in children(n.pid) if pid != n.workload() and os.readlink(f"/proc/{pid}/exe") == n.init)
            assert handed in sockets(n.workload()) and handed in sockets(n.pid)
            assert handed not in sockets(monitor)
            assert not (out / "mine").exists()
