"""SIGHUP and nest-init ctl reload: the file is read again, only what changed is started anew, and what is wrong changes
nothing."""
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bundle import Container
from conftest import BINARIES
from busybox import image, needs_runc  # noqa: F401
from namespace import Namespace, logger_of, monitor_of, wait_until
from test_ctl import AS_1234, ctl, status

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

SLEEP = ["sleep", "1000"]
SOON = {"interval": "20ms", "start_interval": "20ms"}


class Configured(Namespace):
    """Several services by a file that can be written anew."""

    def __init__(self, init, tmp_path, configuration, *options, **keywords):
        self.file = tmp_path / "nest-init.json"
        self.write(configuration)
        super().__init__(init, options=["--config", self.file, *options], **keywords)

    def write(self, configuration):
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        self.file.with_suffix(".new").write_text(text)
        self.file.with_suffix(".new").rename(self.file)

    def reload(self, configuration):
        """(status, standard output, standard error) of ctl reload with that file."""
        self.write(configuration)
        return ctl(self, "reload")

    def states(self):
        return {s["name"]: (s["state"], s["starts"]) for s in status(self)["services"]}

    def pids(self):
        return {s["name"]: s["pid"] for s in status(self)["services"] if s["state"] == "running"}


def services(**named):
    return {"services": {name: words if isinstance(words, dict) else {"command": words} for name, words in named.items()}}


def running(n, *names):
    wait_until(lambda: set(n.pids()) >= set(names))


def metric(n, name):
    with open(f"/proc/{n.pid}/ns/net"):
        page = subprocess.run(["nsenter", "-t", str(n.pid), "-n", "curl", "-s", "--unix-socket", str(n.page),
                               "http://x/metrics"], capture_output=True, text=True, timeout=60).stdout
    return float(re.search(rf"^nest_init_{name} (\S+)$", page, re.M).group(1))


# --- what changed -------------------------------------------------------------------------------------------------

def test_only_what_changed_is_started_anew(either, tmp_path):
    with Configured(either, tmp_path, services(db=SLEEP, app=SLEEP, web=SLEEP)) as n:
        running(n, "db", "app", "web")
        before = n.pids()
        assert n.reload(services(db=SLEEP, app=["sleep", "1001"], extra=SLEEP)) == (
            0, "the configuration was read again; changed: app; new: extra; removed: web\n", "")
        wait_until(lambda: n.states() == {"db": ("running", 1), "app": ("running", 2),
                                          "extra": ("running", 1)})
        assert n.pids()["db"] == before["db"]
        assert "app (pid" in n.errors() and "after a reload stopped it" in n.errors()
        n.kill(signal.SIGTERM)
        n.wait()


def test_the_same_again_changes_nothing(either, tmp_path):
    configuration = services(db=SLEEP, app=SLEEP)
    with Configured(either, tmp_path, configuration) as n:
        running(n, "db", "app")
        before, monitor = n.pids(), monitor_of(n.pid)
        # In another order, and with a comment.
        assert n.reload({"//": "the same", **services(app=SLEEP, db=SLEEP)}) == (
            0, "the configuration was read again\n", "")
        assert n.pids() == before and monitor_of(n.pid) == monitor


def test_hup_does_it_and_reaches_no_service(either, tmp_path):
    says = ["sh", "-c", "trap 'echo hup' HUP; echo up; while :; do sleep 0.02; done"]
    with Configured(either, tmp_path, services(db=SLEEP, app=says)) as n:
        n.wait_for("up")
        n.write(services(db=["sleep", "1001"], app=says))
        n.kill(signal.SIGHUP)
        wait_until(lambda: n.states()["db"] == ("running", 2))
        assert n.states()["app"] == ("running", 1) and "hup" not in n.lines()
        assert ctl(n, "signal", "HUP", "app")[0] == 0
        n.wait_for("hup")


def test_hup_is_its_service_s_where_that_says_so(either, tmp_path):
    says = ["sh", "-c", "trap 'echo hup' HUP; trap 'echo usr1' USR1; echo up; while :; do sleep 0.02; done"]

    def all_of(becomes, seconds=1000):
        return services(db=["sleep", str(seconds)], app={"command": says, "stop": {"rewrite": {"HUP": becomes}}})

    with Configured(either, tmp_path, all_of("HUP")) as n:
        n.wait_for("up")
        n.write(all_of("USR1", 1001))
        n.kill(signal.SIGHUP)
        n.wait_for("hup")
        assert n.states()["db"] == ("running", 1) and "read again" not in n.errors()
        assert ctl(n, "reload")[0] == 0
        wait_until(lambda: n.lines().count("up") == 2)
        n.kill(signal.SIGHUP)
        n.wait_for("usr1")
        # One that is to hear nothing of it leaves it to the file.
        assert n.reload(all_of(0, 1001))[0] == 0
        wait_until(lambda: n.lines().count("up") == 3)
        n.write(all_of(0, 1002))
        n.kill(signal.SIGHUP)
        wait_until(lambda: n.states()["db"] == ("running", 3))
        assert n.lines().count("hup") == 1 and n.lines().count("usr1") == 1


def test_without_a_file_hup_is_the_services(either):
    with Namespace(either, "sh", "-c", "trap 'echo hup; exit 3' HUP; echo up; while :; do sleep 0.02; done",
                   options=["--live", "file:/"]) as n:
        n.wait_for("up")
        assert ctl(n, "reload") == (1, "", "nest-init ctl: reload: no file is the configuration of PID 1\n")
        n.kill(signal.SIGHUP)
        assert n.wait() == 3


def test_changed_ones_stop_and_start_in_the_order_of_dependencies(either, tmp_path):
    def says(name, version, **more):
        script = f"echo {name}{version} up; trap 'echo {name}{version} down; exit' TERM; while :; do sleep 0.02; done"
        return {"command": ["sh", "-c", script], **more}

    def all_of(version):
        return services(db=says("db", version),
                        app=says("app", version, depends_on={"db": "started"}),
                        web=says("web", version, depends_on={"app": "started"}))

    with Configured(either, tmp_path, all_of(1)) as n:
        n.wait_for("db1 up", "app1 up", "web1 up")
        assert n.reload(all_of(2))[0] == 0
        n.wait_for("db2 up", "app2 up", "web2 up")
        order = n.lines()[3:]
        assert [line for line in order if "down" in line] == ["web1 down", "app1 down", "db1 down"]
        assert order.index("db1 down") < order.index("db2 up")
        began = {s["name"]: s["start_time"] for s in status(n)["services"]}
        assert began["db"] < began["app"] < began["web"]


def test_what_comes_back_is_there_again(nest_init, tmp_path):
    both = services(db=SLEEP, app=SLEEP, web=SLEEP)
    with Configured(nest_init, tmp_path, both) as n:
        running(n, "db", "app", "web")
        assert n.reload(services(db=SLEEP, app=SLEEP))[1].endswith("; removed: web\n")
        wait_until(lambda: "web" not in n.states())
        assert n.reload(services(db=SLEEP, app=SLEEP))[1] == "the configuration was read again\n"
        for command in ("start", "restart", "stop"):
            code, out, err = ctl(n, command, "web")
            assert (code, out) == (1, "") and err.startswith("nest-init ctl: no service is called 'web'")
        assert n.reload(both)[1].endswith("; changed: web\n")
        wait_until(lambda: n.states()["web"] == ("running", 2))
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_a_service_that_was_removed_is_not_missed(either, tmp_path):
    with Configured(either, tmp_path, services(a=["sh", "-c", "read x <go; exit 5"], b=SLEEP, c=SLEEP), cwd=tmp_path) as n:
        os.mkfifo(tmp_path / "go")
        running(n, "b", "c")
        assert n.reload(services(a=["sh", "-c", "read x <go; exit 5"], c={"command": SLEEP, "essential": False}))[0] == 0
        wait_until(lambda: "b" not in n.states() and n.states()["c"] == ("running", 2))
        n.kill(signal.SIGTERM)
        n.wait()


def test_what_was_stopped_by_hand_stays_down_and_starts_as_what_it_is_now(nest_init, tmp_path):
    with Configured(nest_init, tmp_path, services(db=SLEEP, app=["sh", "-c", "echo one; exec sleep 1000"])) as n:
        n.wait_for("one")
        assert ctl(n, "stop", "app")[0] == 0
        assert n.reload(services(db=SLEEP, app=["sh", "-c", "echo two; exec sleep 1000"]))[0] == 0
        assert n.states()["app"] == ("ended", 1)
        assert ctl(n, "start", "app")[0] == 0
        assert n.lines() == ["one", "two"]


def test_a_service_that_crashed_is_started_when_it_is_mended(nest_init, tmp_path):
    with Configured(nest_init, tmp_path, services(db=SLEEP, app={"command": ["false"], "essential": False})) as n:
        wait_until(lambda: n.states()["app"] == ("ended", 1))
        assert n.reload(services(db=SLEEP, app=SLEEP))[0] == 0
        wait_until(lambda: n.states()["app"] == ("running", 2))


def test_a_task_runs_no_second_time_and_a_new_one_does(nest_init, tmp_path):
    def with_tasks(**tasks):
        return {**services(db=SLEEP, app=SLEEP),
                "tasks": {name: {"command": ["sh", "-c", f"echo {name} >>{tmp_path}/log"], "backoff": b}
                          for name, b in tasks.items()}}

    with Configured(nest_init, tmp_path, with_tasks(one="1s")) as n:
        wait_until(lambda: n.states()["one"][0] == "ended")
        assert n.reload(with_tasks(one="2s", two="1s"))[1].endswith("; changed: one; new: two\n")
        wait_until(lambda: n.states()["two"][0] == "ended")
        assert n.reload({**with_tasks(one="2s", two="1s"), **services(db=SLEEP, app=SLEEP, web=SLEEP)})[0] == 0
        running(n, "db", "app", "web")
        assert [s["name"] for s in status(n)["services"]] == ["db", "app", "web", "one", "two"]
        assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_a_changed_service_is_confined_checked_and_stopped_as_it_is_now(either, tmp_path):
    def app(seconds, **more):
        return services(db=SLEEP, app={"command": ["sleep", str(seconds)], **more})

    with Configured(either, tmp_path, app(1000)) as n:
        running(n, "db", "app")
        assert n.reload(app(1001, user="1234:1234", environment={"WHO": "me $$ you"}, limits={"nofile": 77},
                            stop={"signal": "INT", "pre_stop": ["touch", "/tmp/nest-init-test"], "clean_exit": [130]},
                            seccomp={"profile": "node"},
                            filesystem={"tmpfs": ["/tmp"]},
                            health={"ready": [{"target": "exec:test -d /tmp", "name": "exec"}], **SOON})) == (
            0, "the configuration was read again; changed: app\n", "")
        wait_until(lambda: n.states()["app"] == ("running", 2))
        pid = next(p for p in n.members() if Path(f"/proc/{p}/cmdline").read_bytes() == b"sleep\x001001\0")
        facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert facts["Uid"].split() == ["1234"] * 4 and facts["Seccomp"] == "2" and facts["NoNewPrivs"] == "1"
        assert b"WHO=me $ you" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert re.search(r"^Max open files +77 +77 ", Path(f"/proc/{pid}/limits").read_text(), re.M)
        shown = next(s for s in status(n)["services"] if s["name"] == "app")
        assert shown["confinement"]["seccomp"]["profile"] == "node" and shown["confinement"]["tmpfs"]["enforced"]
        made = Path(f"/proc/{pid}/root/tmp/nest-init-test")
        assert not made.exists()
        assert ctl(n, "stop", "app") == (0, "app has ended (signal 2)\n", "")


# --- what is wrong ------------------------------------------------------------------------------------------------

def test_a_file_that_is_wrong_changes_nothing_and_says_so(either, tmp_path):
    n = Configured(either, tmp_path, {**services(db=SLEEP, app=SLEEP),
                                      "metrics": {"listen": [f"unix:{tmp_path}/page"]}})
    n.page = tmp_path / "page"
    with n:
        running(n, "db", "app")
        before, began = n.states(), time.time()
        assert metric(n, "config_last_reload_successful") == 1
        good = metric(n, "config_last_reload_success_timestamp_seconds")
        assert good <= began
        wrong = '{"services": {"db": {"comand": "sleep 1"}, "app": {"command": 5}}}'
        said = f"{n.file}:1:22: services.db.comand: "
        code, out, err = n.reload(wrong)
        said = said.replace("FILE", str(n.file))
        assert (code, out) == (1, "") and err.startswith(f"nest-init ctl: the configuration stays as it was: {said}")
        assert f"nest-init: the configuration stays as it was: {said}" in n.errors() and "the first of " in err
        assert metric(n, "config_last_reload_successful") == 0
        assert metric(n, "config_last_reload_success_timestamp_seconds") == good
        n.file.unlink()
        assert ctl(n, "reload")[0] == 1
        assert n.states() == before
        n.write({**services(db=SLEEP, app=SLEEP), "metrics": {"listen": [f"unix:{tmp_path}/page"]}})
        assert ctl(n, "reload")[0] == 0
        assert metric(n, "config_last_reload_successful") == 1
        assert metric(n, "config_last_reload_success_timestamp_seconds") >= began


@pytest.mark.parametrize("configuration, said", [
    ({"services": {"db": {"command": SLEEP}}},
     "one service alone does not become several, nor waits for targets, nor the other way round: that takes a new container"),
    ({"services": {"db": {"command": SLEEP}, "x": {"command": SLEEP}}, "tasks": {"app": {"command": SLEEP}}},
     "app: a service does not become a task, nor a task a service: give it another name"),
    ({"services": {"db": {"command": SLEEP}, "app": {"command": SLEEP, "health": {"ready": [{"target": "notify"}]}}}},
     "the first check of the container, and the first service that speaks for itself, or none any more, take a new "
     "container"),
    ({"services": {"db": {"command": SLEEP}, "app": {"command": SLEEP, "user": "no-such-user"}}}, "FILE:1:99: services.app.user: user 'no-such-user' is not in "),
])
def test_what_cannot_be_done_is_refused_whole(nest_init, tmp_path, configuration, said):
    with Configured(nest_init, tmp_path, services(db=SLEEP, app=SLEEP)) as n:
        running(n, "db", "app")
        before = n.states()
        code, out, err = n.reload(configuration)
        said = said.replace("FILE", str(n.file))
        assert (code, out) == (1, "") and err.startswith(f"nest-init ctl: the configuration stays as it was: {said}")
        assert n.states() == before


@pytest.mark.parametrize("wrong, said", [
    ({"command": ["/no/such", "x"]}, "/no/such"),
    ({"command": ["no-such"]}, "no-such"),
    ({"command": SLEEP, "working_dir": "/no/dir"}, "workdir: cannot enter '/no/dir': No such file or directory"),
    ({"command": SLEEP, "filesystem": {"tmpfs": ["/no/dir"]}}, "tmpfs: cannot mount a tmpfs on '/no/dir'"),
    ({"command": SLEEP, "secret": "/no/secret"}, "secret KEY: /no/secret: No such file or directory"),
])
@pytest.mark.parametrize("name", ["app", "new"])
def test_nobody_is_stopped_for_what_would_not_come_up(nest_init, tmp_path, name, wrong, said):
    with Configured(nest_init, tmp_path, services(db=SLEEP, app=SLEEP)) as n:
        running(n, "db", "app")
        before = n.states()
        wrong = dict(wrong)
        secret = wrong.pop("secret", None)
        more = {"secrets": {"KEY": {"file": secret, "services": [name]}}} if secret else {}
        code, out, err = n.reload({**services(**{"db": SLEEP, "app": SLEEP, name: wrong}), **more})
        assert (code, out) == (1, "")
        assert err.startswith(f"nest-init ctl: the configuration stays as it was: {name}: ") and said in err
        assert n.states() == before


def test_what_takes_a_new_container_is_told(nest_init, tmp_path):
    with Configured(nest_init, tmp_path, services(db=SLEEP, app=SLEEP)) as n:
        running(n, "db", "app")
        assert n.reload({**services(db=SLEEP, app=SLEEP), "metrics": {"listen": ["127.0.0.1:1"]}}) == (
            0, "the configuration was read again; what it says of metrics and tracing takes a new container\n", "")


def test_capabilities_that_pid_1_has_given_up_do_not_come_back(nest_init, tmp_path):
    confined = {"command": SLEEP, "capabilities": {"drop": ["all"]}}
    with Configured(nest_init, tmp_path, services(db=confined, app=confined)) as n:
        running(n, "db", "app")
        for wanted in ({"command": SLEEP}, {"command": SLEEP, "capabilities": {"drop": ["net_raw"]}}):
            code, _, err = n.reload(services(db=confined, app=wanted))
            assert code == 1 and "PID 1 has given up capabilities that it would have" in err
        assert n.reload(services(db=confined, app={**confined, "command": ["sleep", "1001"]}))[0] == 0


def test_another_user_may_not(nest_init, tmp_path):
    with Configured(nest_init, tmp_path, services(db=SLEEP, app=SLEEP)) as n:
        running(n, "db", "app")
        code, _, err = ctl(n, "reload", before=AS_1234)
        assert code == 1 and "only root and PID 1's own user may do this" in err
        assert "read again" not in n.errors()


def test_what_is_confined_by_a_reload_finds_pid_1_closed(either, public):
    """As one of its own user: a process that is not dumpable is root's (proc(5))."""
    def owner(n):
        return os.stat(f"/proc/{n.pid}/mem").st_uid

    with Configured(either, public, services(db=SLEEP, app=SLEEP), wrap=AS_1234) as n:
        running(n, "db", "app")
        assert owner(n) == 1234
        assert n.reload(services(db=SLEEP, app={"command": SLEEP, "seccomp": {"profile": "node"}}))[0] == 0
        wait_until(lambda: n.states()["app"] == ("running", 2))
        assert owner(n) == 0


# --- what goes wrong meanwhile ------------------------------------------------------------------------------------

def test_a_file_that_hangs_holds_nobody_up(either, tmp_path):
    with Configured(either, tmp_path, services(db=SLEEP, app=SLEEP)) as n:
        running(n, "db", "app")
        n.file.unlink()
        os.mkfifo(n.file)
        assert ctl(n, "reload", "--no-wait")[0] == 0
        assert ctl(n, "reload")[2] == (
            "nest-init ctl: reload: one is under way, or a service that has changed still stops\n")
        assert ctl(n, "restart", "app")[0] == 0
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_a_child_that_is_killed_changes_nothing(nest_init, tmp_path):
    with Configured(nest_init, tmp_path, services(db=SLEEP, app=SLEEP)) as n:
        running(n, "db", "app")
        n.file.unlink()
        os.mkfifo(n.file)
        known = set(n.members())
        assert ctl(n, "reload", "--no-wait")[0] == 0
        [child] = wait_until(lambda: [p for p in set(n.members()) - known
                                      if os.readlink(f"/proc/{p}/exe") == n.init])
        os.kill(child, signal.SIGKILL)
        n.wait_for_error("the configuration stays as it was: it took too long, or was killed\n")
        n.file.unlink()
        assert n.reload(services(db=SLEEP, app=["sleep", "1001"]))[0] == 0


def test_what_still_stops_is_waited_for(nest_init, tmp_path):
    def app(n):
        return {"command": ["sh", "-c", f"trap '' TERM; echo up{n}; while :; do sleep 0.02; done"]}

    with Configured(nest_init, tmp_path, services(db=SLEEP, app=app(1))) as n:
        n.wait_for("up1")
        assert n.reload(services(db=SLEEP, app=app(2)))[0] == 0
        assert n.reload(services(db=SLEEP, app=app(3)))[0] == 1
        assert ctl(n, "signal", "KILL", "app")[0] == 0
        n.wait_for("up2")
        assert n.reload(services(db=SLEEP, app=app(3)))[0] == 0


def test_one_that_is_being_stopped_by_hand_changes_when_it_has_ended(nest_init, tmp_path):
    def app(n):
        return {"command": ["sh", "-c", f"trap '' TERM; echo up{n}; while :; do sleep 0.02; done"]}

    with Configured(nest_init, tmp_path, services(db=SLEEP, app=app(1))) as n:
        n.wait_for("up1")
        assert ctl(n, "stop", "--no-wait", "app")[0] == 0
        assert n.reload(services(db=SLEEP, app=app(2)))[0] == 0
        assert ctl(n, "signal", "KILL", "app")[0] == 0
        wait_until(lambda: n.states()["app"] == ("ended", 1))
        assert n.reload(services(db=SLEEP, app=app(3)))[0] == 0
        assert ctl(n, "start", "app")[0] == 0
        n.wait_for("up3")
        assert "up2" not in n.lines()


def test_many_reloads_leave_nothing_behind(either, tmp_path):
    def version(n):
        return services(db=SLEEP, app=["sleep", str(2000 + n)], **({"odd": SLEEP} if n % 2 else {}))

    def mappings(n):
        return Path(f"/proc/{n.pid}/maps").read_text().count("\n")

    with Configured(either, tmp_path, version(0)) as n:
        running(n, "db", "app")
        for i in range(1, 4):
            assert n.reload(version(i))[0] == 0
            wait_until(lambda: n.states()["app"] == ("running", i + 1))
        running(n, "db", "app", "odd")
        descriptors, maps = len(os.listdir(f"/proc/{n.pid}/fd")), mappings(n)
        for i in range(4, 14):
            assert n.reload(version(i))[0] == 0
            wait_until(lambda: n.states()["app"] == ("running", i + 1))
        # One that has just begun still has its pipe.
        wait_until(lambda: len(os.listdir(f"/proc/{n.pid}/fd")) == descriptors and mappings(n) <= maps + 1)
        assert n.states()["db"] == ("running", 1)
        [model] = [fd for fd in os.listdir(f"/proc/{n.pid}/fd")
                   if os.readlink(f"/proc/{n.pid}/fd/{fd}").startswith("/memfd:model")]
        with open(f"/proc/{n.pid}/fd/{model}") as sealed:
            assert fcntl.fcntl(sealed, fcntl.F_GET_SEALS) & 0xf == 0xf


def test_a_storm_of_hups_ends_well(nest_init, tmp_path):
    with Configured(nest_init, tmp_path, services(db=SLEEP, app=SLEEP)) as n:
        running(n, "db", "app")
        n.write(services(db=SLEEP, app=["sleep", "1001"]))
        for _ in range(300):
            n.kill(signal.SIGHUP)
        wait_until(lambda: n.states()["app"] == ("running", 2))
        assert ctl(n, "stop", "db")[0] == 0


# --- a single service ---------------------------------------------------------------------------------------------

@needs_runc
def test_a_single_confined_service_is_started_anew_in_its_container(image, tmp_path):  # noqa: F811
    def configuration(seconds, **filesystem):
        return json.dumps({"services": {"app": {
            "command": ["/bin/sleep", str(seconds)], "user": "1001:1001", "capabilities": {"drop": ["all"]},
            "seccomp": {"profile": "default"}, "filesystem": {"read_only": "auto", **filesystem},
            "health": {"live": [{"target": "file:/"}]}}}})

    file = tmp_path / "nest-init.json"
    file.write_text(configuration(1000))
    os.chmod(tmp_path, 0o755)
    mount = {"type": "bind", "source": str(tmp_path), "destination": "/config", "options": ["rbind", "ro"]}
    with Container(["/nest-init", "--config", "/config/nest-init.json"], image, mounts=[mount]) as c:
        def reload():
            done = c.exec("/nest-init", "ctl", "reload")
            return done.returncode, done.stdout, done.stderr

        wait_until(lambda: "/bin/sleep 1000" in c.processes().values())
        file.write_text(configuration(1001))
        assert reload() == (0, "the configuration was read again; changed: app\n", "")
        wait_until(lambda: "/bin/sleep 1001" in c.processes().values())
        pid = next(p for p, line in c.processes().items() if line == "/bin/sleep 1001")
        assert c.status_of(pid)["Uid"].split()[0] == "1001" and c.status_of(pid)["Seccomp"] == "2"
        file.write_text(configuration(1002, tmpfs=["/tmp"]))
        assert reload() == (1, "", "nest-init ctl: the configuration stays as it was: app: its file system changes with a "
                                   "new container\n")
        c.kill("TERM")
        assert c.wait(30) == 143


# --- what waits for targets, secrets, logs, schedules -------------------------------------------------------------

def waiting(path, word="sleep"):
    return {"command": [word, "1000"], "wait_for": [f"file:{path}"]}


def test_what_a_service_waits_for_changes(either, tmp_path):
    late, other, there = (tmp_path / name for name in ("late", "other", "there"))
    there.touch()
    with Configured(either, tmp_path, services(db=SLEEP, app=waiting(late))) as n:
        running(n, "db")
        assert n.states()["app"][1] == 0
        # Another target, and a new service in front of what waits: it moves, and waits on.
        assert n.reload(services(db=SLEEP, app=waiting(other), web=SLEEP)) == (
            0, "the configuration was read again; changed: app; new: web\n", "")
        running(n, "db", "web")
        late.touch()
        assert n.states()["app"][1] == 0
        other.touch()
        running(n, "db", "web", "app")
        before = n.pids()
        # It runs; told to wait for something else it is started again once that is there.
        late.unlink()
        assert n.reload(services(db=SLEEP, app=waiting(late), web=SLEEP, new=waiting(there)))[0] == 0
        running(n, "db", "web", "new")
        assert "app" not in n.pids()
        late.touch()
        running(n, "app")
        # And to wait for nothing.
        assert n.reload(services(db=SLEEP, app=SLEEP, web=SLEEP, new=waiting(there)))[0] == 0
        wait_until(lambda: n.states()["app"] == ("running", 3))
        assert {name: n.pids()[name] for name in ("db", "web")} == {name: before[name] for name in ("db", "web")}
        assert n.states()["new"] == ("running", 1)
        n.kill(signal.SIGTERM)
        n.wait()


def shown(name, word="x"):
    """A service that says its secret, with a word of its own."""
    return {"command": ["sh", "-c", f"echo {name} {word} $${{KEY:-none}}; exec sleep 1000"]}


def test_secrets_come_change_and_go(either, public):
    first, second = public / "first", public / "second"
    first.write_text("one\n")
    second.write_text("two\n")

    def secret(path, names, **more):
        return {"secrets": {"KEY": {"file": str(path), "services": names, **more}}}

    with Configured(either, public, services(db=shown("db"), app=shown("app"))) as n:
        n.wait_for("db x none", "app x none")
        # The first one: only who gets it is started again.
        assert n.reload({**services(db=shown("db"), app=shown("app")), **secret(first, ["app"])}) == (
            0, "the configuration was read again; changed: app\n", "")
        n.wait_for("app x one")
        # What is done on a change is nobody's to start again for; it is done from now on. A new service in front of
        # others does not make theirs another's.
        with_task = {**services(db=shown("db"), app=shown("app"), web=shown("web")),
                     "tasks": {"once": {"command": ["true"], "before": "web"}},
                     **secret(first, ["app"], on_change="restart")}
        assert n.reload(with_task) == (0, "the configuration was read again; new: web, once\n", "")
        n.wait_for("web x none")
        rename(first, "three\n")
        n.wait_for("app x three")
        assert {name: life for name, (_, life) in n.states().items()} == {"db": 1, "app": 3, "web": 1, "once": 1}
        # Another file is another secret.
        assert n.reload({**with_task, **secret(second, ["app", "web"], on_change="restart")})[1] == (
            "the configuration was read again; changed: app, web\n")
        n.wait_for("app x two", "web x two")
        rename(second, "four\n")
        n.wait_for("app x four", "web x four")
        # None any more.
        assert n.reload(services(db=shown("db"), app=shown("app"), web=shown("web")))[1] == (
            "the configuration was read again; changed: app, web; removed: once\n")
        wait_until(lambda: n.lines().count("app x none") == 2 and n.lines().count("web x none") == 2)
        assert n.states()["db"] == ("running", 1)
        n.kill(signal.SIGTERM)
        n.wait()


def rename(path, text):
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


def test_a_rotated_secret_is_the_next_lifes_also_when_a_reload_moved_the_service(either, public):
    path = public / "key"
    path.write_text("one\n")
    secret = {"secrets": {"KEY": {"file": str(path), "services": ["late"], "on_change": "restart"}}}

    def late(**more):
        return {**services(db=SLEEP, **more), **secret,
                "tasks": {"nothing": {"command": ["true"], "schedule": "@yearly"}}}

    with Configured(either, public, late(late=shown("late"))) as n:
        n.wait_for("late x one")
        assert n.reload({**late(early=shown("early"), late=shown("late")), **secret})[0] == 0
        n.wait_for("early x none")
        rename(path, "two\n")
        n.wait_for("late x two")
        assert [s["rotations"] for s in status(n)["secrets"]] == [1]


def logged(word, **more):
    return {"command": ["sh", "-c", f"echo {word}; exec sleep 1000"], "logging": {"format": "tagged", **more}}


def tagged(n, name):
    return [line.split(" | ")[1] for line in n.lines() if f" {name} stdout | " in line]


def test_the_output_of_a_new_service_is_read_and_that_of_a_changed_one_still_is(either, tmp_path):
    with Configured(either, tmp_path, services(db=SLEEP, app=logged("first"))) as n:
        wait_until(lambda: tagged(n, "app") == ["first"])
        reader = logger_of(n.pid)
        assert n.reload(services(db=SLEEP, app=logged("second"), web=logged("hello")))[1] == (
            "the configuration was read again; changed: app; new: web\n")
        wait_until(lambda: tagged(n, "app") == ["first", "second"] and tagged(n, "web") == ["hello"])
        assert os.path.exists(f"/proc/{reader}")
        # What becomes of the output of one that there is stays as it is.
        code, out, err = n.reload(services(db=SLEEP, app=logged("third"), web=logged("hello", format="json")))
        assert (code, out) == (1, "") and "web: what becomes of its output changes with a new container" in err
        assert tagged(n, "app") == ["first", "second"]
        n.kill(signal.SIGTERM)
        n.wait()


def test_a_schedule_changes_and_ends(minutes, tmp_path):
    never = {"command": ["echo", "tick"], "schedule": "0 0 30 2 1"}
    always = {"command": ["echo", "tick"], "schedule": "* * * * *"}
    with Configured(BINARIES["glibc"], tmp_path, {**services(db=SLEEP, app=SLEEP), "tasks": {"tick": never}}, env=minutes) as n:
        running(n, "db", "app")
        assert n.reload({**services(db=SLEEP, app=SLEEP), "tasks": {"tick": always}})[0] == 0
        wait_until(lambda: n.lines().count("tick") >= 2)
        assert n.reload(services(db=SLEEP, app=SLEEP)) == (0, "the configuration was read again; removed: tick\n", "")
        ran = n.lines().count("tick")
        time.sleep(2.5)
        assert n.lines().count("tick") == ran and "not started" not in n.errors()
        n.kill(signal.SIGTERM)
        n.wait()


# --- a stop by hand, HUP and secrets meanwhile --------------------------------------------------------------------

def slow(word):
    """It takes half a second to stop."""
    return {"command": ["sh", "-c", f"trap 'sleep 0.5; exit' TERM; echo {word}; while :; do sleep 0.02; done"]}


def test_one_that_a_reload_stops_stays_down_if_somebody_stops_it_by_hand(either, tmp_path):
    with Configured(either, tmp_path, services(db=SLEEP, app=slow("one"))) as n:
        n.wait_for("one")
        assert n.reload(services(db=SLEEP, app=slow("two")))[0] == 0
        assert ctl(n, "stop", "app")[0] == 0
        assert n.states()["app"] == ("ended", 1) and "two" not in n.lines()
        assert ctl(n, "start", "app")[0] == 0
        n.wait_for("two")


def test_a_hup_while_one_stops_is_not_lost(either, tmp_path):
    with Configured(either, tmp_path, services(db=SLEEP, app=slow("one"))) as n:
        n.wait_for("one")
        n.write(services(db=SLEEP, app=slow("two")))
        n.kill(signal.SIGHUP)
        n.wait_for_error("read again; changed: app\n")
        for word in ("three", "four"):
            n.write(services(db=SLEEP, app=slow(word)))
            n.kill(signal.SIGHUP)
        n.wait_for("four")
        assert "three" not in n.lines() and n.states()["db"] == ("running", 1)
        assert n.errors().count("is read again once the service that has changed has stopped") == 1
        n.kill(signal.SIGHUP)
        n.kill(signal.SIGTERM)
        n.wait()


def test_a_secret_that_is_being_written_anew_ends_nobody(either, public):
    """A writer that empties the file first, and one that takes a link away before it makes it again."""
    path = public / "key"
    path.write_text("one\n")
    secret = {"secrets": {"KEY": {"file": str(path), "services": ["app"]}}}
    with Configured(either, public, {**services(db=SLEEP, app=shown("app")), **secret}) as n:
        n.wait_for("app x one")
        for gap in (lambda: path.write_text(""), path.unlink):
            gap()
            assert ctl(n, "restart", "--no-wait", "app")[0] == 0
            time.sleep(0.5)
            assert n.lines()[-1] != f"app x {gap.__name__}"
            path.write_text(f"{gap.__name__}\n")
            n.wait_for(f"app x {gap.__name__}")
        # One that stays away: the service cannot do without.
        path.unlink()
        assert ctl(n, "restart", "--no-wait", "app")[0] == 0
        assert n.wait() == 125
        assert f"app: secret KEY: {path}: No such file or directory" in n.errors()
        assert "db (pid 2) was killed by SIGTERM" in n.errors() and "after another service's end stopped it" in n.errors()
        assert "SIGTERM asked" not in n.errors()
