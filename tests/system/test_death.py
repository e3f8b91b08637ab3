"""The death certificate: one line that says what ended, by what, after how long, and what was left."""
import json
import os
import re
import shutil
import signal

import pytest

import bundle
from namespace import Namespace, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

BACKSTOP = 30
BUSYBOX = "/bin/busybox"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def records(text):
    """The lines of a log in JSON."""
    return [json.loads(line) for line in text.splitlines()]


def death(text):
    """The one death in a log in JSON."""
    deaths = [record for record in records(text) if "death" in record]
    assert len(deaths) == 1, text
    return deaths[0]


# --- text -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("script, status, said", [
    ("exit 7", 7, r"ended with status 7 after \d+ms"),
    ("kill -SEGV $$", 139, r"was killed by SIGSEGV after \d+ms"),
    ("kill -KILL $$", 137, r"was killed by SIGKILL after \d+ms"),
    ("kill -SYS $$", 159, r"was killed by SIGSYS after \d+ms"),
    ("sleep 1.2; exit 7", 7, r"ended with status 7 after 1\.\ds"),
])
def test_an_end_that_is_no_success_is_said_in_one_line(either, script, status, said):
    with Namespace(either, "sh", "-c", script) as n:
        assert n.wait() == status
        assert re.fullmatch(r"nest-init: sh \(pid 2\) " + said + r"\n", n.errors())


def test_a_success_is_not_talked_about_unless_asked(either):
    with Namespace(either, "true") as n:
        assert (n.wait(), n.errors()) == (0, "")
    with Namespace(either, "true", options=["--log-level", "info"]) as n:
        assert n.wait() == 0
        assert re.fullmatch(r"ended with status 0 after \d+ms", n.certificate())


def test_levels_below_leave_it_out(either):
    with Namespace(either, "false", options=["--log-level", "warning"]) as n:
        assert (n.wait(), n.errors()) == (1, "")


@pytest.mark.parametrize("level, said", [("warning", True), ("error", False)])
def test_a_crash_is_a_warning(either, level, said):
    with Namespace(either, "sh", "-c", "kill -SEGV $$", options=["--log-level", level]) as n:
        assert n.wait() == 139
        assert (n.certificate() is not None) == said


def test_info_tells_the_steps_of_a_stop(either):
    with Namespace(either, "sleep", "1000", options=["--log-level", "info", "--pre-stop", "true"]) as n:
        n.workload()
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert n.complaints().splitlines() == ["nest-init: SIGTERM: stopping", "nest-init: --pre-stop true started",
                                               "nest-init: --pre-stop true done"]


def test_what_a_stop_came_to(either):
    with Namespace(either, "sleep", "1000") as n:
        n.workload()
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert re.fullmatch(r"was killed by SIGTERM after \S+, \d+ms after SIGTERM asked for a stop", n.certificate())


def test_a_refused_start_is_its_own_certificate(either):
    with Namespace(either, "no-such-program") as n:
        assert n.wait() == 127
        assert n.errors() == "nest-init: no-such-program: not found in PATH\n"


def test_many_leftovers_are_counted_and_the_first_are_named(either):
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do (trap '' TERM; echo up; while :; do sleep 1; done) & done; echo up; wait"
    with Namespace(either, "sh", "-c", script, options=["--stop-timeout", "500ms"]) as n:
        wait_until(lambda: n.lines().count("up") == 11)
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        killed = re.search(r"; killed (\d+) that were left: (.*) and (\d+) more$", n.certificate())
        # A shell may have a sleep of its own at that moment.
        assert 10 <= int(killed[1]) <= 20 and len(killed[2].split(", ")) == 8 and int(killed[3]) == int(killed[1]) - 8


def test_where_it_is_not_pid_1_only_its_own_are_killed_and_named(either):
    script = "(trap '' TERM; echo up; while :; do sleep 1; done) & wait"
    with Namespace(either, "sh", "-c", script, options=["--stop-timeout", "300ms"],
                   parent=("sh", "-c", 'sleep 1000 & "$@"; s=$?; kill %1; exit $s', "sh")) as n:
        n.wait_for("up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        killed = re.search(r"; killed (1|2) that (?:was|were) left: sh \(\d+\)(, sleep \(\d+\))?$", n.certificate())
        assert killed and (killed[1] == "2") == (killed[2] is not None)


def test_without_proc_there_are_no_names(nest_init):
    """... and nothing else is missing."""
    script = "(trap '' TERM; echo up; while :; do sleep 1; done) & wait"
    with Namespace(nest_init, "sh", "-c", script, options=["--stop-timeout", "300ms"],
                   wrap=["sh", "-c", 'mount -t tmpfs none /proc; exec "$@"', "sh"]) as n:
        wait_until(lambda: "up" in n.output())
        first = int(open(f"/proc/{n.process.pid}/task/{n.process.pid}/children").read())
        os.kill(first, signal.SIGTERM)
        assert n.wait() == 143
        assert re.fullmatch(r"was killed by SIGTERM after \S+, \S+ after SIGTERM asked for a stop; --stop-timeout "
                            r"\(300ms\) has passed", n.certificate())


# --- JSON -----------------------------------------------------------------------------------------------------------

def test_json_has_every_field(either):
    script = "(trap '' TERM; echo up; while :; do sleep 1; done) & trap 'exit 3' TERM; echo up; wait"
    with Namespace(either, "sh", "-c", script, options=["--log-format=json", "--stop-timeout", "300ms"]) as n:
        wait_until(lambda: n.lines().count("up") == 2)
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        record = death(n.errors())
        assert re.fullmatch(TIME, record["time"])
        assert (record["level"], record["program"]) == ("warning", "nest-init")
        assert record["message"].startswith("sh (pid 2) ended with status 3 after ")
        died = record["death"]
        assert 0 <= died.pop("lived_seconds") < BACKSTOP and 0 <= died.pop("stop_seconds") < BACKSTOP
        assert died.pop("left_over")[0] == "sh" and died.pop("killed") >= 1
        assert died == {"program": "sh", "pid": 2, "cause": "exit", "status": 3, "stop_signal": "TERM",
                        "deadlines_passed": ["stop-timeout"], "oom_kills": 0}


@pytest.mark.parametrize("command, cause, status", [
    (["no-such-program"], "exec", 127),
    (["/dev/null"], "exec", 126),
    (["sh", "-c", "kill -9 $$"], "signal", 137),
    (["true"], "exit", 0),
])
def test_json_names_the_cause(either, command, cause, status):
    with Namespace(either, *command, options=["--log-format=json", "--log-level=info"]) as n:
        assert n.wait() == status
        died = death(n.errors())["death"]
        assert (died["cause"], died["status"]) == (cause, status)


def test_ecs_has_its_own_words(either):
    """As ECS logging wants them: time, level and version first, dots in the level's name; ours below our name."""
    with Namespace(either, "sh", "-c", "exit 3", options=["--log-format", "ecs"]) as n:
        assert n.wait() == 3
        [record] = records(n.errors())
        assert list(record) == ["@timestamp", "log.level", "ecs.version", "log.logger", "message", "nest_init"]
        assert re.fullmatch(TIME, record["@timestamp"]) and re.fullmatch(r"8\.\d+\.\d+", record["ecs.version"])
        assert (record["log.level"], record["log.logger"]) == ("notice", "nest-init")
        assert record["nest_init"]["death"]["status"] == 3


def test_ecs_in_a_variable_holds_for_complaints_too(nest_init):
    with Namespace(nest_init, "true", options=["--nope"], env={"NEST_INIT_LOG_FORMAT": "ecs"}) as n:
        assert n.wait() == 125
        [record] = records(n.errors())
        assert record["log.level"] == "error"


def test_json_names_a_refusal(nest_init):
    with Namespace(nest_init, "true", options=["--log-format=json", "--read-only=verify"]) as n:
        assert n.wait() == 125
        record = death(n.errors())
        assert record["level"] == "error" and record["death"]["cause"] == "refused"
        assert record["message"].startswith("read_only: the root file system is writable")


@pytest.mark.parametrize("options, env", [
    (["--drain", "x"], {}), (["--nope"], {}), ([], {"NEST_INIT_DRAIN": "x"}), ([], {"NEST_INIT_NOPE": "x"}),
])
def test_a_format_in_a_variable_holds_for_complaints_too(nest_init, options, env):
    with Namespace(nest_init, "true", options=options, env={"NEST_INIT_LOG_FORMAT": "json", **env}) as n:
        assert n.wait() == 125
        [record] = records(n.errors())
        assert record["level"] == "error"


def test_every_line_is_json(nest_init):
    with Namespace(nest_init, "sh", "-c", 'printf %s "$0"; exit 1', "\xff\x01", options=["--log-format=json"],
                   wrap=["sh", "-c", "exec 3>&-; exec \"$@\"", "sh"]) as n:
        assert n.wait() == 1
        assert len(records(n.errors())) == 1
    with Namespace(nest_init, "true", options=["--log-format=json", "--cap-drop", "te\"le\\port"]) as n:
        assert n.wait() == 125
        [record] = records(n.errors())
        assert record["level"] == "error" and "'te\"le\\port'" in record["message"]


# --- what the kernel did --------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def box(tmp_path_factory):
    root = tmp_path_factory.mktemp("box")
    (root / "bin").mkdir()
    shutil.copy(BUSYBOX, root / "bin/busybox")
    return root


def container(nest_init, box, options, *command, **more):
    return bundle.Container(["/nest-init", *options, "--", "/bin/busybox", *command], rootfs=box,
                            files={"/nest-init": nest_init}, **more)


def test_out_of_memory_is_told_by_the_cgroup(nest_init, box):
    with container(nest_init, box, ["--log-format=json"], "tail", "/dev/zero", memory=32 << 20) as c:
        assert c.wait(BACKSTOP) == 137
        died = death(c.errors())["death"]
        assert (died["cause"], died["signal"], died["status"]) == ("oom", "KILL", 137) and died["oom_kills"] >= 1


def test_out_of_memory_of_a_child_is_told_as_well(nest_init, box):
    with container(nest_init, box, [], "sh", "-c", "busybox tail /dev/zero; exit 4", memory=32 << 20) as c:
        assert c.wait(BACKSTOP) == 4
        assert re.search(r"ended with status 4 after \S+; out of memory, the kernel killed 1 in its cgroup meanwhile$",
                         c.errors())


def test_a_kill_of_ours_is_not_out_of_memory(nest_init, box):
    """... whatever was killed before it."""
    script = "exec 2>/dev/null; busybox tail /dev/zero; trap '' TERM; echo up; while :; do busybox sleep 0.1; done"
    with container(nest_init, box, ["--log-format=json", "--stop-timeout=300ms"], "sh", "-c", script, memory=32 << 20) as c:
        wait_until(lambda: "up" in c.output())
        c.kill("TERM")
        assert c.wait(BACKSTOP) == 137
        record = death(c.errors())
        assert record["level"] == "warning"
        assert (record["death"]["cause"], record["death"]["oom_kills"]) == ("signal", 1)


def test_a_kill_that_is_none_of_the_kernels_is_not_out_of_memory(nest_init, box):
    """... although the cgroup has seen one, before the workload was there."""
    script = "busybox tail /dev/zero; exec /nest-init -- busybox sh -c 'kill -9 $$'"
    with bundle.Container(["/bin/busybox", "sh", "-c", script], rootfs=box, files={"/nest-init": nest_init},
                          memory=32 << 20) as c:
        assert c.wait(BACKSTOP) == 137
        assert re.search(r"nest-init: busybox \(pid \d+\) was killed by SIGKILL after \S+\n$", c.errors())


def test_version_2_counts_in_memory_events(nest_init, tmp_path):
    """The controller is version 1's on some machines: its file stands in, at the place where a container has it."""
    mount = ('mount -t tmpfs none /sys/fs/cgroup; printf "oom 0\\noom_kill 2\\n" >/sys/fs/cgroup/memory.events; '
             'exec "$@"')
    script = 'sleep 0.1; printf "oom 0\\noom_kill 3\\noom_group_kill 0\\n" >/sys/fs/cgroup/memory.events; kill -9 $$'
    with Namespace(nest_init, "sh", "-c", script, wrap=["sh", "-c", mount, "sh"]) as n:
        assert n.wait() == 137
        assert n.certificate().endswith(": out of memory, most likely (oom_kill of its cgroup rose by 1)")


PROFILE = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
           "syscalls": [{"names": ["uname"], "action": "SCMP_ACT_KILL_PROCESS"}]}


def test_a_kill_by_our_filter_is_told(either, tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(PROFILE))
    with Namespace(either, BUSYBOX, "uname", options=["--seccomp", profile]) as n:
        assert n.wait() == 159
        assert re.fullmatch(r"was killed by SIGSYS after \S+: by its seccomp filter, most likely, for a system call it made",
                            n.certificate())


def test_a_kill_by_the_runtimes_filter_is_told(nest_init, box):
    with container(nest_init, box, ["--log-format=json"], "uname", seccomp=PROFILE) as c:
        assert c.wait(BACKSTOP) == 159
        assert death(c.errors())["death"]["cause"] == "seccomp"


# --- /dev/termination-log -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("before, after", [
    ("", "nest-init-line"),
    ("the workload's own words\n", "the workload's own words\nnest-init-line"),
    ("x" * 4080, "x" * 4080 + "busybox (pid N)"),
    ("x" * 4095, "x" * 4095),
    ("x" * 5000, "x" * 5000),
])
def test_kubernetes_finds_it_in_the_termination_log(nest_init, box, tmp_path, before, after):
    log = tmp_path / "termination-log"
    log.write_text(before)
    with container(nest_init, box, [], "sh", "-c", "exit 7", mounts=[bundle.bind(log, "/dev/termination-log")]) as c:
        assert c.wait(BACKSTOP) == 7
    written = re.sub(r"busybox \(pid \d+\) ended with status 7 after \S+\n$", "nest-init-line", log.read_text())
    assert re.sub(r"pid \d\)", "pid N)", written).rstrip("\n") == after
    assert len(log.read_text()) <= max(4096, len(before))


def test_the_last_words_are_in_the_termination_log(nest_init, box, tmp_path):
    log = tmp_path / "termination-log"
    log.write_text("")
    with container(nest_init, box, ["--service-log", "tagged"], "sh", "-c", "echo no table >&2; exit 7",
                   mounts=[bundle.bind(log, "/dev/termination-log")]) as c:
        assert c.wait(BACKSTOP) == 7
    assert re.fullmatch(r"busybox \(pid \d+\) ended with status 7 after \S+; stderr: no table\n", log.read_text())


@pytest.mark.parametrize("options", [["--read-only"], ["--read-only", "--cap-drop=all", "--user=1001:1001"]])
def test_a_read_only_root_does_not_hold_it_up(nest_init, box, tmp_path, options):
    log = tmp_path / "termination-log"
    log.write_text("")
    with container(nest_init, box, options, "sh", "-c", "exit 7", mounts=[bundle.bind(log, "/dev/termination-log")]) as c:
        assert c.wait(BACKSTOP) == 7
    assert re.fullmatch(r"busybox \(pid \d+\) ended with status 7 after \S+\n", log.read_text())


@pytest.mark.parametrize("options, status, said", [
    (["--user=nosuch"], 125, "user: user 'nosuch' is not in /etc/passwd"),
    (["--drain", "x"], 125, "--drain: 'x': expected a duration"),
    (["--read-only=verify"], 125, "read_only: the root file system is writable"),
])
def test_a_refusal_is_in_the_termination_log(nest_init, box, tmp_path, options, status, said):
    log = tmp_path / "termination-log"
    log.write_text("")
    with container(nest_init, box, options, "true", mounts=[bundle.bind(log, "/dev/termination-log")]) as c:
        assert c.wait(BACKSTOP) == status
    assert log.read_text().startswith(said) and log.read_text().count("\n") == 1


def test_a_success_leaves_the_termination_log_alone(nest_init, box, tmp_path):
    log = tmp_path / "termination-log"
    log.write_text("")
    with container(nest_init, box, [], "true", mounts=[bundle.bind(log, "/dev/termination-log")]) as c:
        assert c.wait(BACKSTOP) == 0
    assert log.read_text() == ""


def test_under_another_name_only_the_termination_log_is_written(nest_init, box, tmp_path):
    log = tmp_path / "termination-log"
    log.write_text("")
    with bundle.Container(["/sbin/tini", "--", "/bin/busybox", "sh", "-c", "exit 7"], rootfs=box,
                          files={"/sbin/tini": nest_init}, mounts=[bundle.bind(log, "/dev/termination-log")]) as c:
        assert (c.wait(BACKSTOP), c.errors()) == (7, "")
    assert re.fullmatch(r"busybox \(pid \d+\) ended with status 7 after \S+\n", log.read_text())


def test_a_termination_log_that_is_no_file_is_left_alone(nest_init, box):
    """A FIFO without a reader would hold up the end."""
    with container(nest_init, box, [], "sh", "-c", "busybox mkfifo /dev/termination-log; exit 7") as c:
        assert c.wait(BACKSTOP) == 7
