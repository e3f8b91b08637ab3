"""Checks at work, many and few: their settings, their pace, and what becomes of them when something is short.

NEST_INIT names the binary. Servers are the test's own, on ports of the kernel's choice. Limits are far from what a busy
machine takes; what counts is counted, not timed.
"""
import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import urllib.request
from pathlib import Path

import pytest

from namespace import Namespace, children, monitor_of, status_of, wait_until
from ports import free_port

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/release/nest-init"))

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")


def inside(container, *words):
    if words[0] == "health":  # its own default is for machines that are not as busy as one under tests
        words = ("health", "--timeout", "50s", *words[1:])
    return subprocess.run(["nsenter", "-t", str(container.pid), "-p", "-m", "-n", NEST_INIT, *words], capture_output=True,
                          text=True, timeout=60)


def checks(container):
    """{name: what status says of the check, of the last one that has it}; empty while nobody answers."""
    assert container.process.poll() is None, container.errors()
    done = inside(container, "status", "--json")
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]} if done.returncode == 0 else {}


def until(container, condition, name=None):
    """Until the condition is true of the check of that name, or of all of them, which it returns."""
    def fulfilled():
        known = checks(container)
        asked = (known[name] if name else known) if known else None
        return asked if asked and condition(asked) else None
    return wait_until(fulfilled, pause=0.05)


def monitor(container):
    return wait_until(lambda: monitor_of(container.pid))


def cpu_seconds(pid):
    """Its own and that of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def listening(backlog=4096):
    """A port on which the kernel takes connections; somebody lets them go again."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        def let_go():
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()
        thread = threading.Thread(target=let_go, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


# --- many ---------------------------------------------------------------------------------------------------------

def test_a_thousand_checks(record_property):
    """All of them answer for the verdict, each is shown, and a run costs half a millisecond of CPU at the most, which is
    5 % of a core at an interval of 10 s."""
    metrics = free_port()
    with listening() as port:
        words = " ".join(f"name=check-{i} tcp://127.0.0.1:{port}" for i in range(1000))
        with Namespace(NEST_INIT, "sleep", "1000", options=["--health-interval=2s", f"--metrics=127.0.0.1:{metrics}"],
                       env={"NEST_INIT_READY": words}) as container:
            known = until(container, lambda known: all(check["healthy"] for check in known.values()))
            assert sorted(known) == sorted(f"check-{i}" for i in range(1000))
            assert inside(container, "health").stdout == "ready\n"
            page = urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=60).read().decode()
            assert len(re.findall(r'^nest_init_healthcheck_up\{check="check-\d+",probe="ready"\} 1$', page, re.M)) == 1000
            page = urllib.request.urlopen(f"http://127.0.0.1:{metrics}/readyz?verbose", timeout=60).read().decode()
            assert len(re.findall(r"^\[\+\]check-\d+ ok$", page, re.M)) == 1000

            def runs():
                return sum(check["successes"] + check["failures"] for check in checks(container).values())
            pid, before, first = monitor(container), cpu_seconds(monitor(container)), runs()
            wait_until(lambda: runs() > first + 4000, pause=3)
            cost = (cpu_seconds(pid) - before) / (runs() - first)
            record_property("milliseconds of CPU for a run", round(cost * 1000, 3))
            if "release" in NEST_INIT:
                assert cost < 0.0005
            assert monitor(container) == pid


def test_a_thousand_that_fail_are_one_line():
    words = " ".join(f"name=check-{i} file:/not/there" for i in range(1000))
    with Namespace(NEST_INIT, "sleep", "1000", options=["--health-retries=1"], env={"NEST_INIT_LIVE": words}) as container:
        until(container, lambda known: not any(check["healthy"] for check in known.values()))
        done = inside(container, "health", "--live")
        assert done.returncode == 1
        assert done.stdout == ("not alive: " + "; ".join(f"check-{i}: not there (/not/there)" for i in range(8)) +
                               "; and 992 more\n")


def test_a_client_that_does_not_read_holds_nobody_up():
    """A status of a thousand checks is more than a socket's buffer holds."""
    words = " ".join(f"name=check-{i} file:/" for i in range(1000))
    with Namespace(NEST_INIT, "sleep", "1000", env={"NEST_INIT_READY": words}) as container:
        until(container, lambda known: all(check["healthy"] for check in known.values()))
        name = f"\\0nest-init/{os.stat(f'/proc/{container.pid}/ns/pid').st_ino}"
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
                client.connect(name.replace("\\0", "\0"))
                client.send(bytes.fromhex("01000400100000000100000000000000"))  # WIRE_ASK, the whole status
            assert inside(container, "health").stdout == "ready\n"
            assert len(checks(container)) == 1000
            assert len(client.recv(8192)) > 16  # it was answered, in as much as there was room for


def test_a_monitor_that_was_killed_knows_its_thousand_checks_again():
    """Nobody is told in between that the service is not ready."""
    words = " ".join(f"name=check-{i} file:/" for i in range(1000))
    with Namespace(NEST_INIT, "sleep", "1000", env={"NEST_INIT_READY": words}) as container:
        until(container, lambda known: all(check["healthy"] for check in known.values()))
        old = monitor(container)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: monitor(container) != old)
        done = inside(container, "health")
        assert (done.returncode, done.stdout) == (0, "ready\n")
        assert len(checks(container)) == 1000


def kill_monitor(container):
    """Returns once there is another one."""
    old = monitor(container)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: monitor(container) != old)


def test_a_monitor_that_was_killed_forgets_no_verdict():
    """What would fail now was looked at a moment ago: nobody is told that it is not ready, and it is not looked at again
    before its time. What fails goes on to be counted."""
    metrics = free_port()
    with contextlib.ExitStack() as stack:
        with listening() as port:
            options = ["--health-interval=1h", "--health-start-interval=20ms", f"--metrics=127.0.0.1:{metrics}",
                       f"--ready=name=page tcp://127.0.0.1:{port}", "--live=name=down retries=1000 file:/no"]
            container = stack.enter_context(Namespace(NEST_INIT, "sleep", "1000", options=options))
            until(container, lambda check: check["healthy"], "page")
        until(container, lambda check: check["consecutive_failures"] > 20, "down")  # nobody listens there any more
        for _ in range(3):
            before = checks(container)
            kill_monitor(container)
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/readyz?verbose", timeout=60) as answer:
                assert (answer.status, answer.read()) == (200, b"[+]nest-init ok\n[+]page ok\nreadyz check passed\n")
            after = checks(container)
            assert after["down"]["consecutive_failures"] >= before["down"]["consecutive_failures"]
            assert after["down"]["failures"] - before["down"]["failures"] == \
                after["down"]["consecutive_failures"] - before["down"]["consecutive_failures"]
            assert (after["page"]["successes"], after["page"]["failures"]) == (before["page"]["successes"], 0)


def test_what_is_unhealthy_stays_so_when_the_monitor_is_killed():
    options = ["--health-interval=1h", "--health-start-interval=1h", "--health-retries=1", "--live=name=down file:/no"]
    with Namespace(NEST_INIT, "sleep", "1000", options=options) as container:
        until(container, lambda check: check["failures"] == 1 and not check["healthy"], "down")
        kill_monitor(container)
        known = until(container, lambda check: True, "down")
        assert (known["healthy"], known["failures"], known["consecutive_failures"]) == (False, 1, 1)
        assert inside(container, "health", "--live").stdout == "not alive: down: as the last monitor found it\n"


def test_a_new_life_begins_with_nothing_known():
    """What is kept is of the life before."""
    options = ["--health-interval=1h", "--health-start-interval=1h", "--health-retries=1", "--live=name=down file:/no",
               "--restart=always"]
    with Namespace(NEST_INIT, "sleep", "1000", options=options) as container:
        until(container, lambda check: check["failures"] == 1, "down")
        main = next(pid for pid in children(container.pid) if pid != monitor(container))
        os.kill(main, signal.SIGKILL)
        wait_until(lambda: [pid for pid in children(container.pid) if pid not in (main, monitor(container))])
        kill_monitor(container)
        known = until(container, lambda check: check["failures"] >= 2, "down")
        assert known["consecutive_failures"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_memory_that_a_monitor_has_filled_with_garbage_is_not_believed(seed):
    chance = random.Random(seed)
    words = " ".join(f"name=check-{i} file:/" for i in range(40))
    with Namespace(NEST_INIT, "sleep", "1000", options=["--health-interval=1h", "--live=name=down retries=2 file:/no"],
                   env={"NEST_INIT_READY": words}) as container:
        until(container, lambda known: all(known[f"check-{i}"]["healthy"] for i in range(40)))
        at = next(fd for fd in Path(f"/proc/{container.pid}/fd").iterdir() if "memfd:monitor" in os.readlink(fd))
        with open(at, "r+b", buffering=0) as memory:
            size = os.fstat(memory.fileno()).st_size
            assert size > 40 * 100
            garbage = (b"\xff" * size, b"\0" * size, chance.randbytes(size), memory.read(4) + chance.randbytes(size - 4))[seed]
            os.pwrite(memory.fileno(), garbage, 0)
        kill_monitor(container)
        known = until(container, lambda known: all(known[f"check-{i}"]["healthy"] for i in range(40)))
        assert all(known[f"check-{i}"]["successes"] == 1 for i in range(40))  # looked at again
        assert inside(container, "health").stdout == "ready\n"
        assert known["down"]["failures"] < 100
        assert json.loads(inside(container, "status", "--json").stdout)["monitor_restarts"] == 1


def test_few_descriptors_make_checks_wait_and_none_fail():
    """Half of what the limit allows is the checks': the others wait for their turn."""
    with listening() as port:
        words = " ".join(f"name=check-{i} tcp://127.0.0.1:{port}" for i in range(300))
        with Namespace(NEST_INIT, "sleep", "1000", options=["--health-interval=50ms", "--health-retries=1"],
                       env={"NEST_INIT_READY": words},
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))) as container:
            known = until(container, lambda known: all(check["successes"] > 2 for check in known.values()))
            assert {check["failures"] for check in known.values()} == {0}


def test_checks_that_hang_leave_room_for_the_others():
    """More of them than there are places: each is cut at its timeout, and the others get their turn."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as silent, listening() as port:
        hanging = " ".join(f"name=hang-{i} timeout=1s http://127.0.0.1:{silent.getsockname()[1]}/" for i in range(300))
        with Namespace(NEST_INIT, "sleep", "1000", options=["--health-interval=100ms", "--health-start-interval=100ms"],
                       env={"NEST_INIT_READY": f"{hanging} name=other tcp://127.0.0.1:{port}"}) as container:
            known = until(container, lambda known: known["other"]["successes"] > 3)
            known = until(container, lambda known: all(check["failures"] for name, check in known.items() if name != "other"))
            assert known["other"]["healthy"]
            assert known["hang-299"]["reason"] == f"no answer within 1s (127.0.0.1:{silent.getsockname()[1]})"


# --- settings -----------------------------------------------------------------------------------------------------

def test_each_check_has_its_own_settings(server):
    base = f"http://127.0.0.1:{server.port}"
    metrics = free_port()
    ready = (f"name=api expect=429 interval=50ms header=X-Probe:api {base}/api/429 "
             f"name=text body='is well' method=POST {base}/text/well {base}/plain/401")
    with Namespace(NEST_INIT, "sleep", "1000", options=["--expect=401", "--ready", ready, f"--startup=name=api {base}/startup/401",
                                                        f"--metrics=127.0.0.1:{metrics}", "--health-retries=1"]) as container:
        known = until(container, lambda known: len(known) == 3 and
                      all(check["successes"] + check["failures"] for check in known.values()))
        assert {name: (check["healthy"], check["reason"]) for name, check in known.items()} == {
            "text": (False, "200 OK, not expected"), f"{base}/plain/401": (True, "401 Unauthorized"),
            "api": (True, "401 Unauthorized")}
        wait_until(lambda: sum(b"/api/" in request for request in server.requests) > 5)
        lines = [request.decode().split("\r\n") for request in server.requests]
        assert {line[0].split()[0] for line in lines if "/text/" in line[0]} == {"POST"}
        assert all(("X-Probe: api" in line) == ("/api/" in line[0]) for line in lines)
        assert sum("/plain/" in line[0] for line in lines) == 1
        done = inside(container, "health", "--ready")
        assert (done.returncode, done.stdout) == (1, "not ready: text: 200 OK, not expected\n")
        page = urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=60).read().decode()
        for probe in "ready", "startup":
            assert f'nest_init_healthcheck_up{{check="api",probe="{probe}"}} 1\n' in page


def test_successes_in_a_row_make_it_healthy(server, tmp_path):
    with Namespace(NEST_INIT, "sleep", "1000", options=[
            "--ready", f"name=slow success_threshold=3 start_interval=20ms http://127.0.0.1:{server.port}/200",
            "--ready", f"name=never success_threshold=1000 start_interval=1h http://127.0.0.1:{server.port}/200"]) as container:
        assert until(container, lambda check: check["healthy"], "slow")["successes"] >= 3
        known = checks(container)
        assert not known["never"]["healthy"] and known["never"]["successes"] == 1


def test_a_check_that_hangs_is_cut_and_does_not_overlap_itself(server):
    """The server holds what it gets: at each moment one connection at the most, in spite of an interval of 10 ms."""
    most = 0
    with Namespace(NEST_INIT, "sleep", "1000", options=[
            "--live", f"name=hang timeout=300ms interval=10ms start_interval=10ms http://127.0.0.1:{server.port}/hang"]) as container:
        def cut():
            nonlocal most
            table = Path("/proc/net/tcp").read_text().splitlines()
            open_now = sum(line.split()[2].endswith(f":{server.port:04X}") and line.split()[3] == "01" for line in table)
            most = max(most, open_now)
            check = checks(container).get("hang")
            return check and check["failures"] >= 5 and check
        check = wait_until(cut)
        assert check["reason"] == f"no answer within 300ms (127.0.0.1:{server.port})" and not check["healthy"]
        assert most == 1


def test_jitter_takes_checks_of_one_interval_apart():
    """Without it all of them run in the same turns: none would ever be two runs ahead of another."""
    words = " ".join(f"name=c{i} jitter=100% file:/" for i in range(10))
    with Namespace(NEST_INIT, "sleep", "1000", options=["--health-interval=50ms"], env={"NEST_INIT_READY": words}) as container:
        until(container, lambda known: max(check["successes"] for check in known.values()) >=
              min(check["successes"] for check in known.values()) + 3)


# --- a readiness made of several --------------------------------------------------------------------------------------

@contextlib.contextmanager
def running(*command, **popen):
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **popen) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextlib.contextmanager
def postgres(data, port):
    """A server of Debian's, as another user: it refuses to be root."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    data.mkdir()
    os.chown(data, 65534, 65534)
    subprocess.run([programs / "initdb", "--no-sync", "--locale=C", "-D", data], check=True, user=65534, group=65534,
                   stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"})
    with running(programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c",
                 "unix_socket_directories=", "-c", "fsync=off", user=65534, group=65534, env={"PATH": "/usr/bin:/bin"}) as server:
        yield server


NODE = 'require("http").createServer((request, reply) => reply.end("well")).listen(process.argv[1], "127.0.0.1")'


def test_a_service_is_ready_with_its_database_and_its_cache(public):
    """A service in Node, PostgreSQL and Redis by TCP: each that is away is the reason, by its name."""
    api, db, cache = free_port(), free_port(), free_port()
    ready = f"name=api http://127.0.0.1:{api}/ name=db tcp://127.0.0.1:{db} name=cache tcp://127.0.0.1:{cache}"

    def says(line):
        return wait_until(lambda: inside(container, "health", "--ready").stdout == line, pause=0.05)
    with Namespace(NEST_INIT, shutil.which("node"), "-e", NODE, str(api), options=[
            "--ready", ready, "--health-interval=50ms", "--health-start-interval=50ms", "--health-retries=1"]) as container:
        says(f"not ready: db: connection refused (127.0.0.1:{db}); cache: connection refused (127.0.0.1:{cache})\n")
        with postgres(public / "data", db):
            says(f"not ready: cache: connection refused (127.0.0.1:{cache})\n")
            with running("redis-server", "--port", str(cache), "--bind", "127.0.0.1", "--save", "", cwd=public):
                says("ready\n")
            says(f"not ready: cache: connection refused (127.0.0.1:{cache})\n")
        says(f"not ready: db: connection refused (127.0.0.1:{db}); cache: connection refused (127.0.0.1:{cache})\n")


# --- names --------------------------------------------------------------------------------------------------------

# In a network of its own: a name server that never answers, and a service.
SILENT_AND_SERVICE = """
    import socket, threading
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.53", 53))
    service = socket.create_server(("127.0.0.1", 4000))
    print("there", flush=True)
    while True:
        service.accept()[0].close()
"""


def test_a_name_server_that_never_answers_holds_no_check_up(tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:30\n")
    (tmp_path / "hosts").write_text("127.0.0.1 service.example\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: files dns\n")
    mounts = "; ".join(f"! test -e /etc/{name} || mount --bind {tmp_path}/{name} /etc/{name} || exit 99"
                       for name in ("resolv.conf", "hosts", "nsswitch.conf"))
    wrap = ("unshare", "-mn", "sh", "-c", f'ip link set lo up; {mounts}; exec "$@"', "sh")
    checks_of_it = ("name=silent timeout=2s start_interval=10ms tcp://silent.example:80 "
                    "name=address start_interval=20ms interval=20ms tcp://127.0.0.1:4000 "
                    "name=known start_interval=20ms interval=20ms tcp://service.example:4000")
    with Namespace(NEST_INIT, sys.executable, "-c", textwrap.dedent(SILENT_AND_SERVICE), wrap=wrap,
                   options=["--ready", checks_of_it]) as container:
        container.wait_for("there")
        known = until(container, lambda known: known["silent"]["failures"] >= 2)
        assert known["silent"]["reason"] == "name not resolved within 2s (silent.example)"
        for name in "address", "known":
            assert known[name]["healthy"] and known[name]["successes"] >= 10
        assert inside(container, "health").stdout == \
            "not ready: silent: name not resolved within 2s (silent.example)\n"
        # Nobody is left of those who asked: at the most the one who is asking now.
        assert len([pid for pid in children(monitor(container))]) <= 2


SERVICE = """
    import socket
    service = socket.create_server(("127.0.0.1", 4000))
    print("there", flush=True)
    while True:
        service.accept()[0].close()
"""


def test_many_checks_of_one_name_look_it_up_once_in_a_while(tmp_path):
    """Each look-up is a process: their numbers tell how many there were."""
    (tmp_path / "hosts").write_text("127.0.0.1 service.example\n")
    wrap = ("unshare", "-mn", "sh", "-c",
            f'ip link set lo up; mount --bind {tmp_path}/hosts /etc/hosts || exit 99; exec "$@"', "sh")
    many = " ".join(f"name=c{i} start_interval=100ms interval=100ms tcp://service.example:4000" for i in range(50))
    with Namespace(NEST_INIT, sys.executable, "-c", textwrap.dedent(SERVICE), wrap=wrap, options=["--ready", many]) as container:
        container.wait_for("there")
        until(container, lambda known: len(known) == 50 and all(check["successes"] >= 10 for check in known.values()))
        last = subprocess.run(["nsenter", "-t", str(container.pid), "-p", "-m", "cat", "/proc/sys/kernel/ns_last_pid"],
                              capture_output=True, text=True, check=True).stdout
        assert int(last) < 400  # of 500 runs at the least, and of those who asked for the status


def names(count, tmp_path, *options):
    """So many checks of a service, each by a name of its own: more than are remembered."""
    (tmp_path / "hosts").write_text("".join(f"127.0.0.1 c{i}.example\n" for i in range(count)))
    wrap = ("unshare", "-mn", "sh", "-c",
            f'ip link set lo up; mount --bind {tmp_path}/hosts /etc/hosts || exit 99; exec "$@"', "sh")
    checks_of_them = " ".join(f"name=c{i} tcp://c{i}.example:4000" for i in range(count))
    return Namespace(NEST_INIT, sys.executable, "-c", textwrap.dedent(SERVICE), wrap=wrap,
                     options=["--health-start-interval=100ms", *options], env={"NEST_INIT_READY": checks_of_them})


def test_who_looks_up_one_name_after_the_other_asks_the_same_process(tmp_path):
    with names(100, tmp_path, "--health-interval=200ms") as container:
        until(container, lambda known: len(known) == 100 and all(check["successes"] >= 20 for check in known.values()))
        last = subprocess.run(["nsenter", "-t", str(container.pid), "-p", "-m", "cat", "/proc/sys/kernel/ns_last_pid"],
                              capture_output=True, text=True, check=True).stdout
        assert int(last) < 1000  # of 2000 look-ups at the least


def test_nobody_waits_for_a_question_for_long(tmp_path):
    with names(80, tmp_path, "--health-interval=1h") as container:
        until(container, lambda known: len(known) == 80 and all(check["successes"] for check in known.values()))
        pid = monitor(container)
        wait_until(lambda: children(pid) == [])


def test_one_that_dies_while_it_waits_costs_no_check(tmp_path):
    with names(80, tmp_path, "--health-interval=50ms", "--health-retries=1") as container:
        known = until(container, lambda known: len(known) == 80 and all(check["healthy"] for check in known.values()))
        failures = {name: check["failures"] for name, check in known.items()}  # before the service listened
        pid, killed = monitor(container), 0
        while killed < 10:
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: status_of(pid)["State"][0] == "T")
            for child in children(pid):
                # Asleep, and so without a question, while nobody can ask.
                wait_until(lambda: status_of(child)["State"][0] in "SZ")
                os.kill(child, signal.SIGKILL)
                wait_until(lambda: status_of(child)["State"][0] == "Z")
                killed += 1
            os.kill(pid, signal.SIGCONT)
            before = sum(check["successes"] for check in checks(container).values())
            until(container, lambda known: sum(check["successes"] for check in known.values()) > before + 80)
        assert {name: check["failures"] for name, check in checks(container).items()} == failures


# --- what the log says --------------------------------------------------------------------------------------------

QUICK = ("--health-interval", "20ms", "--health-start-interval", "20ms")


def told(container, text):
    return [line for line in container.errors().splitlines() if text in line]


def test_each_change_of_a_verdict_is_told_with_its_reason(public):
    flag = public / "hb"
    flag.touch()
    with Namespace(NEST_INIT, "sleep", "1000", options=[*QUICK, "--log-level", "info", "--live",
                                                        f"name=hb retries=2 file:{flag}"]) as n:
        n.wait_for_error("nest-init monitor: check hb (live) succeeded: exists\n")
        flag.unlink()
        n.wait_for_error(f"nest-init monitor: check hb (live) failed 2 times in a row: not there ({flag})\n")
        flag.touch()
        n.wait_for_error("nest-init monitor: check hb (live) is healthy again: exists\n")
        assert len(told(n, "check hb")) == 3


def test_a_change_of_a_verdict_has_its_fields_in_json():
    with Namespace(NEST_INIT, "sleep", "1000", options=[*QUICK, "--log-format", "json", "--ready",
                                                        "name=x retries=1 file:/no/such"]) as n:
        n.wait_for_error('"check":{')
        line = json.loads(told(n, '"check":{')[0])
        assert line["level"] == "warning" and line["program"] == "nest-init monitor"
        assert line["check"] == {"name": "x", "kind": "ready", "state": "unhealthy", "failures": 1,
                                 "reason": "not there (/no/such)"}


def test_a_thousand_changes_are_not_a_thousand_lines():
    targets = " ".join(f"name=c{number} retries=1 file:/no/such" for number in range(300))
    with Namespace(NEST_INIT, "sleep", "1000", options=[*QUICK], env={"NEST_INIT_READY": targets}) as n:
        until(n, lambda all_checks: all(check["failures"] > 0 for check in all_checks.values()))
        assert 20 <= len(told(n, "failed: not there")) <= 30


def test_that_a_service_which_stops_is_not_there_any_more_is_no_warning(public):
    flag = public / "up"
    flag.touch()
    script = f"trap 'rm {flag}; sleep 1; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    with Namespace(NEST_INIT, "sh", "-c", script, options=[*QUICK, "--ready", f"retries=1 file:{flag}"]) as n:
        n.wait_for("up")
        until(n, lambda check: check["healthy"], f"file:{flag}")
        n.kill(signal.SIGTERM)
        assert n.wait() == 0
        assert told(n, "check ") == []
