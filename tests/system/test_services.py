"""Several services and tasks in one container: who is started and stopped when, with what the container ends, and that
each is on its own in all else."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BINARIES
from namespace import Namespace, children, environment_of, monitor_of, status_of, wait_until, workloads

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

HERE = Path(__file__).resolve().parent
# Without what names the binaries under test: to them that is a misspelt variable.
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("NEST_INIT")}


# A service that says when it is up, and at TERM that it goes.
def lasting(name, at_term=""):
    return ["sh", "-c", f"trap 'echo {name} down; {at_term} exit 0' TERM; echo {name} up; while :; do sleep 0.02; done"]


def says(name, status=0):
    return ["sh", "-c", f"echo {name} ran; exit {status}"]


@pytest.fixture
def run(either, tmp_path):
    """run(services, tasks, ...): a container of these, by a file."""
    return runner(either, tmp_path)


@pytest.fixture
def run_release(nest_init, tmp_path):
    """The same, of the release binary alone."""
    return runner(nest_init, tmp_path)


def runner(init, directory):
    def start(services=None, tasks=None, options=(), more=None, **keywords):
        path = directory / "nest-init.json"
        said = {"services": services, "tasks": tasks, **(more or {})}
        # A dollar sign of a shell's is $$ in a file.
        path.write_text(json.dumps({key: value for key, value in said.items() if value is not None}).replace("$", "$$"))
        return Namespace(init, options=["--config", path, *options], **keywords)
    return start


def order(n, *lines):
    """The places of these lines among what was said."""
    said = n.lines()
    return [said.index(line) for line in lines]


def in_order(n, *lines):
    places = order(n, *lines)
    return places == sorted(places)


def named(n, name):
    """The pid of the main process that was executed under this name of a file: NAME of `exec -a NAME`."""
    def find():
        for pid in children(n.pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if file.read().split(b"\0")[0] == name.encode():
                        return pid
            except OSError:  # it has ended meanwhile
                pass
        return None
    return wait_until(find)


def sleeper(name):
    """A service whose main process has a name to be found by."""
    return ["bash", "-c", f"exec -a {name} sleep 1000"]


def inside(n, *words):
    return subprocess.run(["nsenter", f"--target={n.pid}", "--pid", "--mount", n.init, *words], capture_output=True,
                          text=True, timeout=20)


def status(n):
    asked = inside(n, "status", "--json")
    assert asked.returncode in (0, 1), asked.stderr
    return json.loads(asked.stdout)


def service(n, name):
    [found] = [each for each in status(n)["services"] if each["name"] == name]
    return found


def starts(n, name):
    return service(n, name)["starts"]


# --- order ------------------------------------------------------------------------------------------------------------

def test_who_depends_is_started_later_and_stopped_before(run):
    with run({"web": {"command": lasting("web"), "depends_on": ["api"]},
              "api": {"command": lasting("api"), "depends_on": {"db": "started"}},
              "db": {"command": lasting("db")}}) as n:
        n.wait_for("web up", "api up", "db up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 0, n.errors()
        assert in_order(n, "web down", "api down", "db down")
        assert n.complaints() == "nest-init: SIGTERM: stopping\n"


def test_ready_is_waited_for(run, public):
    """The file of the check is not there before the test makes it."""
    with run({"web": {"command": lasting("web"), "depends_on": {"db": {"condition": "ready"}}},
              "db": {"command": lasting("db"), "health": {"ready": [f"file:{public}/ready"], "start_interval": "20ms"}},
              "beside": {"command": lasting("beside")}}) as n:
        n.wait_for("db up", "beside up")
        assert "web up" not in n.lines()
        (public / "ready").touch()
        n.wait_for("web up")


def test_completed_is_waited_for(run, tmp_path):
    gate = f"while ! test -e {tmp_path}/gate; do sleep 0.02; done; echo migrated"
    with run({"web": {"command": lasting("web"), "depends_on": {"migrate": "completed"}}, "other": {"command": lasting("other")}},
             {"migrate": {"command": ["sh", "-c", gate]}}) as n:
        n.wait_for("other up")
        assert "web up" not in n.lines()
        (tmp_path / "gate").touch()
        n.wait_for("web up")
        assert in_order(n, "migrated", "web up")


def test_what_nobody_waits_for_runs_side_by_side(run, tmp_path):
    """Each waits for the others: one after the other they would wait for ever. And so at the end."""
    def meets(name):
        meet = "while ! test -e {0}/a{1} -a -e {0}/b{1} -a -e {0}/c{1}; do sleep 0.02; done;"
        return ["sh", "-c", f"touch {tmp_path}/{name}; {meet.format(tmp_path, '')} echo {name} met; "
                f"trap 'touch {tmp_path}/{name}2; {meet.format(tmp_path, 2)} exit 0' TERM; while :; do sleep 0.02; done"]
    with run({name: {"command": meets(name)} for name in "abc"}) as n:
        n.wait_for("a met", "b met", "c met")
        n.kill(signal.SIGTERM)
        assert n.wait() == 0


def test_a_task_before_a_service_and_one_after_it(run):
    with run({"web": {"command": lasting("web")}, "db": {"command": lasting("db")}},
             {"backup": {"command": says("backup"), "after": ["web"], "depends_on": ["db"]},
              "migrate": {"command": says("migrate"), "before": ["web"]}}) as n:
        n.wait_for("web up", "db up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 0, n.errors()
        assert in_order(n, "migrate ran", "web up", "web down", "backup ran", "db down")


def test_an_after_task_of_what_never_ran_does_not_run(run):
    with run({"web": {"command": lasting("web")}},
             {"migrate": {"command": says("migrate", 4), "before": "web"}, "backup": {"command": says("backup"), "after": "web"}}) as n:
        assert n.wait() == 4
        assert n.lines() == ["migrate ran"]


def test_tasks_for_the_end_come_one_after_the_other(run):
    with run({"web": {"command": lasting("web"), "depends_on": ["db"]}, "db": {"command": lasting("db")}},
             {"third": {"command": says("third"), "after": "second"}, "second": {"command": says("second"), "after": "first"},
              "first": {"command": says("first"), "after": "web"}}) as n:
        n.wait_for("web up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 0
        assert in_order(n, "web down", "first ran", "second ran", "third ran")


def test_tasks_alone_end_the_container_when_all_are_done(run):
    with run(None, {"one": {"command": says("one")}, "two": {"command": says("two"), "depends_on": {"one": "completed"}}}) as n:
        assert n.wait() == 0
        assert n.lines() == ["one ran", "two ran"]


def test_an_end_that_leaves_nothing_behind_does_not_read_all_of_proc(run_release, tmp_path):
    """A stop of many would be quadratic."""
    trace = tmp_path / "trace"
    services = {f"s{i}": {"command": ["sleep", "1000"], **({"depends_on": [f"s{i - 1}"]} if i % 10 else {})} for i in range(30)}
    with run_release(services, parent=("strace", "-o", trace, "-e", "trace=open,openat")) as n:
        wait_until(lambda: monitor_of(n.pid) and len(workloads(n.pid)) == 30)
        wait_until(lambda: all(os.readlink(f"/proc/{pid}/exe") != n.init for pid in workloads(n.pid)))
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert len(re.findall(r'"/proc/\d+/stat"', trace.read_text())) < 30


# --- the end ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("code", [0, 3])
def test_the_end_of_an_essential_service_is_the_containers(run, code):
    with run({"web": {"command": lasting("web")}, "db": {"command": ["sh", "-c", f"sleep 0.3; exit {code}"]}}) as n:
        assert n.wait() == code
        assert "nest-init: db has ended, which the container cannot do without: stopping\n" in n.errors()
        assert "web down" in n.lines()


def test_what_is_not_essential_may_end(run):
    with run({"web": {"command": lasting("web")}, "extra": {"command": says("extra", 9), "essential": False}}) as n:
        n.wait_for("web up", "extra ran")
        wait_until(lambda: monitor_of(n.pid) and len(workloads(n.pid)) == 1)
        n.kill(signal.SIGTERM)
        assert n.wait() == 0


def test_the_failure_of_a_task_is_the_containers(run):
    with run({"web": {"command": lasting("web")}, "beside": {"command": lasting("beside")}},
             {"migrate": {"command": says("migrate", 42), "before": ["web"]}}) as n:
        assert n.wait() == 42
        assert "web up" not in n.lines()


def test_a_task_that_may_fail(run):
    with run({"web": {"command": lasting("web")}}, {"warm": {"command": says("warm", 5), "essential": False}}) as n:
        n.wait_for("web up", "warm ran")
        n.kill(signal.SIGTERM)
        assert n.wait() == 0


def test_who_waits_for_what_failed_is_not_waited_for(run):
    """The file has them from the last to the first."""
    with run({"c": {"command": lasting("c"), "depends_on": ["b"], "essential": False},
              "b": {"command": lasting("b"), "depends_on": {"a": "completed"}, "essential": False}},
             {"a": {"command": says("a", 1), "essential": False}}) as n:
        assert n.wait() == 0
        assert n.lines() == ["a ran"]


def test_what_cannot_be_executed_ends_the_container(run):
    with run({"web": {"command": lasting("web")}, "db": {"command": ["/no/such/program"]}}) as n:
        assert n.wait() == 127
        assert re.search(r"nest-init: db: .*/no/such/program", n.errors()), n.errors()


@pytest.mark.parametrize("victim", ["a", "b", "c"])
def test_whoever_is_killed_is_why_the_container_ends(run, victim):
    with run({name: {"command": sleeper(name), "depends_on": after} for name, after in
              (("a", []), ("b", ["a"]), ("c", ["b"]))}) as n:
        pids = {name: named(n, name) for name in "abc"}
        os.kill(pids[victim], signal.SIGKILL)
        assert n.wait() == 137
        assert re.search(rf"nest-init: {victim} \(pid \d+\) was killed by SIGKILL", n.errors())


def test_a_second_stop_signal_goes_on(run):
    """To each that is in its drain by then, and to each that is stopped later."""
    slow = {"drain": "50s", "timeout": "100s"}
    with run({"web": {"command": lasting("web"), "stop": slow, "depends_on": ["db"]}, "db": {"command": lasting("db")},
              "beside": {"command": lasting("beside"), "stop": slow}}) as n:
        n.wait_for("web up", "db up", "beside up")
        n.kill(signal.SIGTERM)
        n.wait_for_error("stopping")
        n.kill(signal.SIGTERM)
        assert n.wait(limit=40) == 0
        assert in_order(n, "web down", "db down")


def test_who_does_not_hear_is_killed_in_its_own_time(run, workload):
    with run({"web": {"command": [workload, "stubborn", "web"], "stop": {"timeout": "300ms"}, "depends_on": ["db"]},
              "db": {"command": lasting("db")}}) as n:
        n.wait_for("web up", "db up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 137
        assert n.lines()[-1] == "db down"


def test_another_signal_reaches_each_service_once_and_no_task(run):
    def hears(name):
        return ["bash", "-c", f"trap 'echo {name} usr1' USR1; trap 'exit 0' TERM; echo {name} up; while :; do sleep 0.02; done"]
    with run({name: {"command": hears(name)} for name in "ab"}, {"task": {"command": hears("task")}}) as n:
        n.wait_for("a up", "b up", "task up")
        n.kill(signal.SIGUSR1)
        n.wait_for("a usr1", "b usr1")
        n.kill(signal.SIGTERM)
        assert n.wait() == 0
        assert sorted(line for line in n.lines() if "usr1" in line) == ["a usr1", "b usr1"]


# --- tasks ------------------------------------------------------------------------------------------------------------

def test_a_task_is_tried_again_until_it_succeeds_and_then_never(run, tmp_path):
    count = f"echo x >>{tmp_path}/tries; test $(wc -l <{tmp_path}/tries) -ge 3"
    with run({"web": {"command": lasting("web")}},
             {"migrate": {"command": ["sh", "-c", count], "before": "web", "retries": 5, "backoff": "20ms"}}) as n:
        n.wait_for("web up")
        assert (tmp_path / "tries").read_text().count("x") == 3
        n.kill(signal.SIGTERM)
        assert n.wait() == 0
        assert (tmp_path / "tries").read_text().count("x") == 3


def test_the_last_try_is_the_containers_status(run, tmp_path):
    with run({"web": {"command": lasting("web")}}, {"migrate": {
            "command": ["sh", "-c", f"echo x >>{tmp_path}/tries; exit 6"], "before": "web", "retries": 2, "backoff": "10ms"}}) as n:
        assert n.wait() == 6
        assert (tmp_path / "tries").read_text().count("x") == 3


def test_a_task_that_takes_too_long_is_stopped_with_all_it_has_started(run, workload):
    """In its session, also who does not hear TERM."""
    with run({"web": {"command": sleeper("web")}},
             {"long": {"command": ["sh", "-c", f"{workload} stubborn child & sleep 1000"], "timeout": "500ms",
                       "stop": {"timeout": "300ms"}}}) as n:
        n.wait_for("child up")
        assert n.wait() == 124
        assert "nest-init: warning: long: its time is over: stopping\n" in n.errors()


def test_a_task_alone_has_its_name_as_well(run):
    """Whose time is over: the log may be of many containers."""
    with run(tasks={"long": {"command": ["sleep", "1000"], "timeout": "300ms"}}) as n:
        assert n.wait() == 124
        assert "nest-init: warning: long: its time is over: stopping\n" in n.errors()


def test_what_a_late_task_leaves_behind_is_gone_while_others_go_on(run, workload):
    with run({"web": {"command": sleeper("web")}},
             {"long": {"command": ["sh", "-c", f"{workload} stubborn child & sleep 1000"], "timeout": "500ms",
                       "stop": {"timeout": "300ms"}, "essential": False}}) as n:
        n.wait_for("child up")
        web = named(n, "web")
        wait_until(lambda: set(n.members()) == {n.pid, web, monitor_of(n.pid)})
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


SERVES = "import socket, time; time.sleep({}); s = socket.create_server(('127.0.0.1', 4001)); print('serves', flush=True); time.sleep(1000)"


def test_targets_are_waited_for(run):
    """In a network of its own, so that the port is free."""
    with run({"web": {"command": lasting("web"), "wait_for": ["tcp://127.0.0.1:4001"]},
              "db": {"command": ["python3", "-c", SERVES.format(0.5)]}},
             {"migrate": {"command": says("migrate"), "wait_for": "tcp://127.0.0.1:4001", "before": "web"}},
             wrap=("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")) as n:
        n.wait_for("web up")
        assert in_order(n, "serves", "migrate ran", "web up")
        assert n.lines() == ["serves", "migrate ran", "web up"]  # standard output is the services' alone
        n.kill(signal.SIGTERM)
        assert n.wait() in (0, 143)


def test_a_target_that_never_comes_is_given_up_in_the_tasks_time(run):
    with run({"web": {"command": sleeper("web")}},
             {"migrate": {"command": says("migrate"), "wait_for": "file:/no/such/file", "before": "web", "timeout": "300ms"}}) as n:
        assert n.wait() == 124
        assert n.lines() == []


def test_who_waits_for_targets_is_stopped_at_once(run):
    with run({"web": {"command": lasting("web"), "wait_for": "file:/no/such/file"}, "db": {"command": lasting("db")}}) as n:
        n.wait_for("db up")
        n.kill(signal.SIGTERM)
        assert n.wait() in (0, 143)
        assert "web up" not in n.lines()


def test_a_task_is_started_at_its_times_and_never_twice_at_once(minutes, tmp_path):
    slow = f"echo slow; while ! test -e {tmp_path}/gate; do sleep 0.02; done"
    with runner(BINARIES["glibc"], tmp_path)({"web": {"command": lasting("web")}}, {
            "tick": {"command": ["echo", "tick"], "schedule": "* * * * *", "depends_on": ["web"]},
            "fails": {"command": says("fails", 3), "schedule": "*/2 * * * *"},
            "slow": {"command": ["sh", "-c", slow], "schedule": "* * * * *"},
            "never": {"command": says("never"), "schedule": "0 0 30 2 1"}}, env=minutes) as n:
        wait_until(lambda: n.lines().count("tick") >= 3)
        n.wait_for_error("nest-init: warning: slow: not started: it still runs from the last time\n")
        assert n.lines().count("slow") == 1
        n.wait_for("fails ran")
        (tmp_path / "gate").touch()
        wait_until(lambda: n.lines().count("slow") >= 2)
        n.kill(signal.SIGTERM)
        assert n.wait() == 0, n.errors()  # a failure is not the container's
        assert "never ran" not in n.lines()


def test_a_task_is_started_at_the_minute(run_release):
    """By the clock of the kernel: it takes a minute at the most."""
    with run_release(None, {"tick": {"command": ["date", "+%S"], "schedule": "* * * * *"}}) as n:
        wait_until(lambda: n.lines(), limit=100, pause=0.1)
        assert int(n.lines()[0]) < 30
        n.kill(signal.SIGTERM)
        assert n.wait() == 0, n.errors()


# --- what one service does is its own ---------------------------------------------------------------------------------

def test_a_service_that_is_started_again_leaves_the_others_alone(run, tmp_path):
    """What its session left behind is gone before its next life."""
    flaky = f"echo x >>{tmp_path}/lives; exec -a left sleep 1000 & echo up; read line <{tmp_path}/fifo; exit 3"
    os.mkfifo(tmp_path / "fifo")
    with run({"flaky": {"command": ["bash", "-c", flaky], "restart": {"policy": "on-failure", "backoff": "20ms"}},
              "web": {"command": sleeper("web")}}) as n:
        web = named(n, "web")
        n.wait_for("up")
        first = set(n.members())
        with open(tmp_path / "fifo", "w") as fifo:
            fifo.write("now\n")
        wait_until(lambda: (tmp_path / "lives").read_text().count("x") == 2)
        wait_until(lambda: n.lines().count("up") == 2)
        assert first & set(n.members()) == {n.pid, web, monitor_of(n.pid)}
        n.kill(signal.SIGTERM)
        assert n.wait() in (0, 143)


def test_a_daemon_in_a_session_of_its_own_stays_until_the_end(run, tmp_path):
    """Nobody can tell whose it was: it outlives its service's life, and ends with the container."""
    script = "setsid -f bash -c 'exec -a daemon sleep 1000'; echo up; read line <{0}/fifo; exit 3".format(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with run({"flaky": {"command": ["bash", "-c", script], "restart": {"policy": "on-failure", "backoff": "20ms"}},
              "web": {"command": sleeper("web")}}) as n:
        named(n, "web")
        daemon = named(n, "daemon")
        with open(tmp_path / "fifo", "w") as fifo:
            fifo.write("now\n")
        wait_until(lambda: n.lines().count("up") == 2)
        assert daemon in n.members()
        n.kill(signal.SIGTERM)
        assert n.wait() in (0, 143)
        assert daemon not in n.members()


def state(pid):
    known = status_of(pid)
    return known["Uid"].split()[0], int(known["CapBnd"], 16) != 0, known["Seccomp"], known["NoNewPrivs"]


def test_each_is_confined_on_its_own(run, public):
    """Users, capabilities, filters, read-only roots, limits; what one may write the other may not."""
    (public / "a").mkdir()
    (public / "b").mkdir()
    for name in "ab":
        os.chmod(public / name, 0o777)
    writes = "touch {0}/a/by-$0 2>/dev/null && echo $0 writes a; touch {0}/b/by-$0 2>/dev/null && echo $0 writes b; echo $0 done; exec -a $0 sleep 1000"
    command = {name: ["bash", "-c", writes.format(public), name] for name in ("one", "two", "three")}
    with run({"one": {"command": command["one"], "user": "65534", "seccomp": "default", "capabilities": {"drop": ["all"]},
                      "filesystem": {"read_only": True, "writable": [f"{public}/a"]}, "limits": {"nofile": 100}},
              "two": {"command": command["two"], "user": "1:1", "filesystem": {"read_only": "landlock", "writable": [f"{public}/b"]}},
              "three": {"command": command["three"], "no_new_privs": False}}) as n:
        n.wait_for("one done", "two done", "three done")
        pid = {name: named(n, name) for name in command}
        assert state(pid["one"]) == ("65534", False, "2", "1")
        assert state(pid["two"])[0::2] == ("1", "0") and state(pid["two"])[3] == "1"
        assert state(pid["three"]) == ("0", True, "0", "0")
        assert sorted(line for line in n.lines() if "writes" in line) == [
            "one writes a", "three writes a", "three writes b", "two writes b"]
        with open(f"/proc/{pid['one']}/limits") as file:
            assert re.search(r"Max open files\s+100 ", file.read())
        with open(f"/proc/{pid['two']}/limits") as file:
            assert not re.search(r"Max open files\s+100 ", file.read())
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_each_has_mounts_of_its_own(run):
    """A tmpfs of one is not the other's, nor PID 1's."""
    script = "test -e /mnt/of-a && echo $0 sees it; test $0 = a && echo x >/mnt/of-a; echo $0 up; sleep 1000"
    with run({"a": {"command": ["sh", "-c", script, "a"], "filesystem": {"tmpfs": ["/mnt"]}},
              "b": {"command": ["sh", "-c", script, "b"], "depends_on": ["a"]}}) as n:
        n.wait_for("a up", "b up")
        assert "b sees it" not in n.lines()
        assert not os.path.exists(f"/proc/{n.pid}/root/mnt/of-a")


def test_only_who_is_asked_to_speak_has_the_socket(run):
    """And the watchdog's variables."""
    speaks = "systemd-notify --ready --status=here; exec -a speaker sleep 1000"
    with run({"speaker": {"command": ["bash", "-c", speaks], "health": {"ready": ["notify"]}},
              "silent": {"command": sleeper("silent"), "depends_on": {"speaker": "ready"}}},
             env={"NOTIFY_SOCKET": "/no/such/socket", "WATCHDOG_USEC": "100000000"}) as n:
        silent, speaker = named(n, "silent"), named(n, "speaker")
        assert environment_of(speaker)["NOTIFY_SOCKET"].startswith("@")
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(environment_of(silent))
        assert not {"WATCHDOG_USEC", "WATCHDOG_PID"} & set(environment_of(speaker))


def test_each_has_its_own_environment_and_directory(run, tmp_path):
    with run({"a": {"command": sleeper("a"), "environment": {"WHO": "a"}, "working_dir": "/usr"},
              "b": {"command": sleeper("b"), "environment": {"ONLY_B": "1"}}}, cwd=tmp_path) as n:
        a, b = named(n, "a"), named(n, "b")
        assert environment_of(a)["WHO"] == "a" and "WHO" not in environment_of(b)
        assert "ONLY_B" not in environment_of(a)
        assert os.readlink(f"/proc/{a}/cwd") == "/usr" and os.readlink(f"/proc/{b}/cwd") == str(tmp_path)


def test_a_fork_bomb_in_one_hits_its_own_limit(run):
    """RLIMIT_NPROC counts its user's processes, in all containers: the other one's user has its own."""
    user = 100000 + 2 * os.getpid()  # of this test alone
    bomb = "while :; do sleep 1000 & done 2>/dev/null"
    beat = "trap 'exit 0' TERM; while :; do echo beat; sleep 0.05; done"
    with run({"bomb": {"command": ["bash", "-c", bomb], "user": f"{user}:{user}", "limits": {"nproc": 20}, "essential": False,
                       "stop": {"timeout": "2s"}},
              "web": {"command": ["bash", "-c", beat], "user": f"{user + 1}:{user + 1}"}}) as n:
        wait_until(lambda: len(n.members()) >= 20)
        before = n.lines().count("beat")
        wait_until(lambda: n.lines().count("beat") >= before + 5)
        assert len(n.members()) < 30
        n.kill(signal.SIGTERM)
        n.wait()
        assert n.members() == []


# --- the monitor --------------------------------------------------------------------------------------------------------

CHECKED = {"start_interval": "20ms", "interval": "50ms", "retries": 1}


def checked(path):
    return {"ready": [{"name": "file", "target": f"file:{path}"}], **CHECKED}


def test_pages_and_figures_name_the_service(run_release, public):
    (public / "a").touch()
    listening = public / "metrics.sock"

    def page(path):
        return subprocess.run(["curl", "-s", "--unix-socket", listening, f"http://x{path}"], capture_output=True, text=True,
                              timeout=20).stdout
    with run_release({"a": {"command": sleeper("a"), "health": checked(public / "a")},
                      "b": {"command": sleeper("b"), "health": checked(public / "b")}},
                     more={"metrics": {"listen": [f"unix:{listening}?mode=666"]}}) as n:
        wait_until(lambda: inside(n, "health", "--ready").stdout.startswith("not ready: ") and "[+]" in page("/readyz?verbose"))
        said = page("/readyz?verbose")
        assert re.search(r"^\[\+\]a/file ok", said, re.M) and re.search(r"^\[-\]b/file failed", said, re.M), said
        (public / "b").touch()
        wait_until(lambda: inside(n, "health", "--ready").returncode == 0)
        metrics = page("/metrics")
        for name in "ab":
            assert re.search(rf'^nest_init_service_starts_total{{service="{name}"}} 1$', metrics, re.M), metrics


def test_a_killed_monitor_disturbs_no_service(run, public):
    (public / "a").touch()
    with run({"a": {"command": sleeper("a"), "health": checked(public / "a")},
              "b": {"command": sleeper("b"), "depends_on": {"a": "ready"}, "health": checked(public / "b"),
                    "restart": {"policy": "always", "backoff": "20ms"}}}) as n:
        a, b = named(n, "a"), named(n, "b")
        monitor = wait_until(lambda: monitor_of(n.pid))
        os.kill(monitor, signal.SIGKILL)
        wait_until(lambda: monitor_of(n.pid) not in (None, monitor))
        assert {a, b} <= set(children(n.pid))
        (public / "b").touch()
        wait_until(lambda: inside(n, "health", "--ready").returncode == 0)
        os.kill(b, signal.SIGKILL)
        wait_until(lambda: starts(n, "b") == 2)
        assert starts(n, "a") == 1
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_an_unhealthy_service_is_started_again_alone(run, public):
    (public / "a").touch()
    (public / "b").touch()
    with run({name: {"command": sleeper(name), "health": {"live": [f"file:{public}/{name}"], "on_unhealthy": "restart", **CHECKED}}
              for name in "ab"}) as n:
        b = named(n, "b")
        wait_until(lambda: inside(n, "health", "--live").returncode == 0)
        (public / "a").unlink()
        wait_until(lambda: starts(n, "a") >= 2)
        (public / "a").touch()
        assert named(n, "b") == b and starts(n, "b") == 1


def test_a_change_starts_the_one_that_is_watched_again(run, public):
    (public / "src").mkdir()
    with run({"a": {"command": sleeper("a"), "watch": [f"{public}/src"]}, "b": {"command": sleeper("b")}}) as n:
        a, b = named(n, "a"), named(n, "b")
        wait_until(lambda: inside(n, "status", "--json").returncode == 0)

        def again():  # until the watch is in place
            (public / "src/file").write_text(str(time.monotonic()))
            return a not in children(n.pid)
        wait_until(again, pause=0.3)
        assert named(n, "a") != a and named(n, "b") == b


def test_the_lines_of_each_have_its_name(run, tmp_path):
    with run({"a": {"command": ["sh", "-c", "echo one; echo two >&2"], "logging": "tagged", "essential": False},
              "b": {"command": ["sh", "-c", "echo three"], "logging": {"format": "json", "file": f"{tmp_path}/b.log"}, "essential": False},
              "c": {"command": ["echo", "four"], "essential": False}}) as n:
        assert n.wait() == 0
        assert re.search(r"^\S+Z a stdout \| one$", n.output(), re.M) and re.search(r"^\S+Z a stderr \| two$", n.errors(), re.M)
        assert json.loads((tmp_path / "b.log").read_text())["service"] == "b"
        assert "four" in n.lines()


def test_the_service_manager_hears_when_each_is_ready_and_how_long_all_take_to_stop(run, public):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(public / "manager"))
    manager.settimeout(60)
    with manager, run({"a": {"command": lasting("a"), "stop": {"timeout": "30s"}},
                       "b": {"command": lasting("b"), "health": {"ready": [f"file:{public}/b"], **CHECKED}, "stop": {"timeout": "20s"}},
                       "beside": {"command": ["sleep", "1000"], "essential": False, "depends_on": {"b": "ready"}, "stop": {"timeout": "5s"}}},
                      env={"NOTIFY_SOCKET": str(public / "manager")}) as n:
        n.wait_for("a up", "b up")
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.recv(1024)
        manager.settimeout(60)
        (public / "b").touch()
        assert manager.recv(1024) == b"READY=1"
        n.kill(signal.SIGTERM)
        said = manager.recv(1024).split(b"\n")
        assert said[0] == b"STOPPING=1" and int(said[1].removeprefix(b"EXTEND_TIMEOUT_USEC=")) >= 55_000_000
        n.wait()


def test_who_was_started_stays_when_what_it_waited_for_is_started_again(run, public):
    (public / "db").touch()
    with run({"web": {"command": sleeper("web"), "depends_on": {"db": "ready"}},
              "db": {"command": sleeper("db"), "health": checked(public / "db"), "restart": {"policy": "always", "backoff": "20ms"}}}) as n:
        web, db = named(n, "web"), named(n, "db")
        os.kill(db, signal.SIGKILL)
        wait_until(lambda: starts(n, "db") == 2)
        assert named(n, "web") == web and starts(n, "web") == 1


# --- the file ---------------------------------------------------------------------------------------------------------

EVERYTHING = {
    "services": {
        "web": {"command": ["web", "--port", "80"], "depends_on": {"db": "ready", "migrate": "completed"}, "user": "65534",
                "wait_for": ["tcp://127.0.0.1:1", "file:/x"], "essential": True, "restart": {"policy": "always", "attempts": 3},
                "health": {"ready": [{"name": "api", "target": "http://127.0.0.1:1/"}]}, "watch": ["/usr"],
                "filesystem": {"read_only": "auto", "tmpfs": ["/mnt"]}, "logging": "tagged"},
        "db": {"command": ["db"], "essential": False, "stop": {"signal": "INT", "drain": "1s", "timeout": "9s"},
               "health": {"ready": ["unix:/x"]}}},
    "tasks": {
        "migrate": {"command": ["migrate"], "depends_on": ["db"], "retries": 4, "backoff": "3s", "timeout": "1m"},
        "clean": {"command": ["clean"], "schedule": "*/5 * * * *", "timeout": "30s"},
        "backup": {"command": ["backup"], "after": ["web"], "essential": False},
        "first": {"command": ["first"], "before": ["db"]}},
}


def test_what_check_prints_means_the_same(either, tmp_path):
    def printed(path):
        shown = subprocess.run([either, "check", "--print", path], capture_output=True, text=True, env=PLAIN)
        assert shown.returncode == 0, shown.stderr
        return shown.stdout
    (tmp_path / "a").write_text(json.dumps(EVERYTHING))
    first = printed(tmp_path / "a")
    (tmp_path / "b").write_text(first)
    assert printed(tmp_path / "b") == first
    known = json.loads(first)
    assert list(known["services"]) == ["web", "db"] and list(known["tasks"]) == list(EVERYTHING["tasks"])
    assert known["services"]["web"]["depends_on"] == {"db": "ready", "migrate": "completed"}
    assert known["services"]["db"]["depends_on"] == {"first": "completed"}
    assert known["tasks"]["backup"]["after"] == ["web"] and known["tasks"]["backup"]["essential"] is False
    assert known["tasks"]["clean"]["schedule"] == "*/5 * * * *" and known["tasks"]["clean"]["timeout"] == "30s"
    assert known["tasks"]["migrate"]["retries"] == 4 and known["tasks"]["migrate"]["backoff"] == "3s"


def test_the_monitor_knows_every_service(run_release):
    """By the memory that PID 1 hands over."""
    with run_release({"a": {"command": sleeper("a"), "depends_on": ["b"], "wait_for": "file:/usr"}, "b": {"command": sleeper("b")}},
                     {"never": {"command": ["true"], "schedule": "0 0 30 2 1"}, "once": {"command": ["true"], "before": "a"},
                      "last": {"command": ["true"], "after": "a"}},
                     options=["--metrics", "unix:/run/test_services.sock"]) as n:
        named(n, "a")
        known = wait_until(lambda: inside(n, "status", "--json").stdout)
        assert [each["name"] for each in json.loads(known)["services"]] == ["a", "b", "never", "once", "last"]
        os.unlink("/run/test_services.sock")


def refused(init, tmp_path, content, *options):
    path = tmp_path / "c.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    asked = subprocess.run([init, "--config", path, *options, "--"], capture_output=True, text=True, timeout=20, env=PLAIN)
    assert asked.returncode == 125
    assert asked.stderr.count("\n") == 1
    return asked.stderr


TWO = {"services": {"a": {"command": ["true"]}, "b": {"command": ["true"]}}}


@pytest.mark.parametrize("change, options, sentence", [
    ({}, ["--user", "65534"], "--user is one service's, and here are several: say it in the file"),
    ({}, ["--ready", "file:/x"], "--ready is one service's, and here are several: say it in the file"),
    ({"a": {"health": {"ready": ["notify"]}}, "b": {"health": {"ready": ["notify"]}}}, [],
     "one service of a container can speak for itself, and another one does"),
    ({"a": {"seccomp": {"profile": "default", "report": True}}, "b": {"seccomp": {"profile": "default", "report": True}}}, [],
     "one service of a container can be reported on, and another one is"),
    ({"a": {"depends_on": ["bb"]}}, [], 'there is no service or task "bb"; did you mean "b"?'),
    ({"a": {"depends_on": {"b": "healthy"}}}, [], "'healthy': expected started, ready or completed"),
    ({"a": {"depends_on": ["b"]}, "b": {"depends_on": ["a"]}}, [], "services depend on each other in a circle: a -> b -> a"),
    ({"a": {"depends_on": ["a"]}}, [], "services depend on each other in a circle: a -> a"),
    ({"a": {"schedule": "* * * * *"}}, [], "schedule"),
    ({"a": {"command": []}}, [], "command"),
    ({"a b": {"command": ["true"]}}, [], "a name has letters, digits, _ . and -, 63 at the most"),
])
def test_what_means_nothing_is_refused(nest_init, tmp_path, change, options, sentence):
    content = json.loads(json.dumps(TWO))
    for name, more in change.items():
        content["services"].setdefault(name, {}).update(more)
    assert sentence in refused(nest_init, tmp_path, content, *options)


def test_a_command_for_several_is_refused(nest_init, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(TWO))
    asked = subprocess.run([nest_init, "--config", path, "--", "true"], capture_output=True, text=True, timeout=20, env=PLAIN)
    assert asked.returncode == 125 and "several services, and a command on the command line: whose is it?" in asked.stderr


@pytest.mark.parametrize("task, sentence", [
    ({"before": "a", "after": "b"}, "a task is before others or after them"),
    ({"schedule": "* * * * *", "after": "b"}, "a task has a time of its own, or others that it is before or after"),
    ({"schedule": "* * * * *", "before": "a"}, "a task has a time of its own, or others that it is before or after"),
    ({"schedule": "61 * * * *"}, "61"), ({"retries": -1}, "retries"), ({"timeout": "soon"}, "timeout"),
    ({"restart": "always"}, "restart")])
def test_a_task_that_means_nothing_is_refused(nest_init, tmp_path, task, sentence):
    assert sentence in refused(nest_init, tmp_path, {**TWO, "tasks": {"t": {"command": ["true"], **task}}})


@pytest.mark.parametrize("depends_on", [{"last": "started"}, {"last": "completed"}, {"nightly": "completed"}, ["nightly", "last"]])
def test_what_can_never_be_met_is_refused(nest_init, tmp_path, depends_on):
    """It would be waited for for ever."""
    tasks = {"last": {"command": ["true"], "after": ["b"]}, "nightly": {"command": ["true"], "schedule": "0 3 * * *"}}
    services = {"a": {"command": ["true"], "depends_on": depends_on}, "b": {"command": ["true"]}}
    assert "this can never be" in refused(nest_init, tmp_path, {"services": services, "tasks": tasks})


def test_there_are_256_at_the_most(nest_init, tmp_path):
    services = {f"s{i}": {"command": ["true"]} for i in range(257)}
    assert "more than 256 services and tasks" in refused(nest_init, tmp_path, {"services": services})


def test_256_run(run_release):
    """Each behind a unit that has waited for its target."""
    with run_release({f"s{i}": {"command": sleeper(f"s{i}"), "wait_for": "file:/usr"} for i in range(256)}) as n:
        def names():
            found = set()
            for pid in workloads(n.pid):
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        found.add(file.read().split(b"\0")[0])
                except OSError:  # it has ended meanwhile
                    pass
            return found
        wait_until(lambda: names() == {f"s{i}".encode() for i in range(256)}, pause=0.1)
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
