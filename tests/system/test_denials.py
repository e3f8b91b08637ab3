"""--seccomp-report in real containers: the workload sees what it would see without it, and somebody is told.

Calls are made with arguments that no kernel takes (busybox.py). `hammer N` has N processes make denied calls until USR1
comes; it says how many they made, how many did not fail with EPERM, and then waits to be ended.
"""
import json
import os
import re
import signal
import stat
import subprocess
import time

import pytest

from bundle import Container
from busybox import (BACKSTOP, DOCKER_CAPS, METRICS, NEST_INIT, PRIVILEGED, image, layers, needs_runc,  # noqa: F401
                     run, running, wait_output, wait_until)
from namespace import children, monitor_of, status_of

pytestmark = needs_runc

CALLS = ["call=ptrace", "call=keyctl", "call=unshare", "call=clone3", "clone=10000000", "call=getpid", "thread", "fork"]
STATUS = ["/bin/cat", "/proc/self/status"]

HAMMER = r"""
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct { volatile int stop; volatile long calls, wrong; } *shared;

static void stop(int number) { (void)number; shared->stop = 1; }

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 1, status, bad = 0;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signal(SIGUSR1, stop);
    for (int i = 0; i < count; i++)
        if (fork() == 0) {
            while (!shared->stop) {
                if (syscall(SYS_ptrace, 16, 0x7fffffff, 0, 0) != -1 || errno != EPERM)
                    __atomic_add_fetch(&shared->wrong, 1, __ATOMIC_SEQ_CST);
                __atomic_add_fetch(&shared->calls, 1, __ATOMIC_SEQ_CST);
            }
            _exit(7);
        }
    for (int i = 0; i < count; i++) {
        while (wait(&status) < 0 && errno == EINTR)
            continue;
        bad += !WIFEXITED(status) || WEXITSTATUS(status) != 7;
    }
    printf("%ld calls, %ld wrong, %d dead\n", shared->calls, shared->wrong, bad);
    fflush(stdout);
    for (;;)
        pause();
}
"""


@pytest.fixture(scope="module")
def hammer(tmp_path_factory):
    program = tmp_path_factory.mktemp("hammer") / "hammer"
    subprocess.run(["musl-gcc", "-static", "-O1", "-o", program, "-xc", "-"], input=HAMMER, text=True, check=True)
    return program


def attempt(*operations):
    return ["/bin/attempt", *operations]


def denials(container):
    page = container.http(f"http://{METRICS}/metrics").text
    return {(syscall, action): int(count) for syscall, action, count in re.findall(
        r'^nest_init_seccomp_denials_total\{syscall="([^"]+)",action="([^"]+)"\} (\d+)$', page, re.M)}


def status_denials(container):
    known = json.loads(container.exec("/nest-init", "status", "--json").stdout)["seccomp_denials"]
    return {(kind["syscall"], kind["action"]): kind["count"] for kind in known}


def told(errors):
    return re.findall(r"^nest-init monitor: (\S+) \(pid \d+\) called (\S+): (.*)$", errors, re.M)


def monitor(container):
    return monitor_of(container.pid)


@pytest.mark.parametrize("options, container", [
    ("", {"caps": PRIVILEGED}), ("", {}), ("", {"caps": ()}), ("", {"user": 1001}), ("--user 1001", {}),
    ("--user 1001 --cap-drop all", {}), ("--cap-drop all --read-only=landlock", {}), ("--no-new-privs=no", {"caps": PRIVILEGED}),
    ("--exec-allow /bin --tcp-bind none", {}),
], ids=str)
@pytest.mark.parametrize("profile", ["node", "default"])
def test_the_application_sees_the_very_same(image, profile, options, container):
    options = f"--seccomp {profile} {options}"
    plain = run(image, options, attempt(*CALLS), **container)
    reported = run(image, f"--seccomp-report {options}", attempt(*CALLS), **container)
    assert plain.answers()["call=ptrace"] == "EPERM" and plain.answers()["call=clone3"] == "ENOSYS"
    assert (reported.status, reported.answers()) == (plain.status, plain.answers())


def test_each_syscall_is_counted_and_told_once_for_each_program(image):
    script = "attempt call=ptrace call=ptrace call=keyctl call=clone3; cp /bin/attempt /data/other; " \
             "/data/other call=ptrace call=ptrace; attempt call=ptrace; echo done; exec sleep 1000"
    (image / "bin/cp").exists() or (image / "bin/cp").symlink_to("busybox")
    with running(image, "--seccomp node --seccomp-report", ["/bin/sh", "-c", script]) as c:
        errors = wait_output(c, "done\n").errors
        assert denials(c) == {("ptrace", "ERRNO(EPERM)"): 5, ("keyctl", "ERRNO(EPERM)"): 1}
        assert status_denials(c) == denials(c)
        assert re.search(r"\nsystem calls denied\n  ptrace +ERRNO\(EPERM\) +5\n  keyctl +ERRNO\(EPERM\) +1\n$",
                         c.exec("/nest-init", "status").stdout)
        why = "profile node answers EPERM; add it there if the program needs it"
        wait_until(lambda: len(told(c.errors())) == 3)
        assert told(c.errors()) == [("attempt", "ptrace", why), ("attempt", "keyctl", why), ("other", "ptrace", why)], errors
        assert layers(c)["seccomp"] == "in force"


def test_a_log_of_json_has_it_too(image):
    with running(image, "--seccomp node --seccomp-report --log-format json", attempt("call=ptrace", "wait")) as c:
        line = json.loads(wait_output(c, "call=ptrace: EPERM\n", "\n").errors.splitlines()[0])
        assert line["program"] == "nest-init monitor"
        assert re.fullmatch(r"attempt \(pid \d+\) called ptrace: .*", line["message"])


def test_without_the_option_nobody_is_asked(image):
    with running(image, "--seccomp node", attempt("call=ptrace", "wait")) as c:
        assert wait_output(c, "call=ptrace: EPERM\n").errors == ""
        assert denials(c) == {}


def test_the_orphans_are_the_workloads_alone(image):
    """What hands the listener over is no process that somebody would have to reap."""
    with running(image, "--seccomp node --seccomp-report", "/bin/sleep 1000") as c:
        page = c.http(f"http://{METRICS}/metrics").text
        assert 'nest_init_reaped_processes_total{origin="orphan"} 0' in page
        assert len(children(c.pid)) == 2


def test_the_workload_has_the_filter_and_no_descriptor_of_ours(image):
    process = run(image, "--seccomp node --seccomp-report", STATUS).process()
    assert (process["Seccomp"], process["Seccomp_filters"], process["NoNewPrivs"]) == ("2", "1", "1")
    (image / "bin/ls").exists() or (image / "bin/ls").symlink_to("busybox")
    assert run(image, "--seccomp node --seccomp-report", ["/bin/ls", "/proc/self/fd"]).output.split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("denied", [["sendmsg", "sendmmsg", "sendto"], ["sched_yield", "futex", "nanosleep", "close", "exit"]])
def test_a_profile_that_denies_what_hands_the_listener_over(image, tmp_path, denied):
    profile = tmp_path / "own.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": denied, "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
                     {"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2}]}))
    with running(image, "--seccomp /etc/own.json --seccomp-report", attempt("call=ptrace", "wait"),
                 files={"/etc/own.json": profile}) as c:
        wait_output(c, "call=ptrace: ENOENT\n")
        assert denials(c)[("ptrace", "ERRNO(ENOENT)")] == 1


def test_what_the_runtimes_filter_refuses_is_not_ours_to_report(image):
    runtime = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
               "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2}]}
    with running(image, "--seccomp node --seccomp-report", attempt("call=ptrace", "call=keyctl", "wait"), seccomp=runtime) as c:
        wait_output(c, "call=ptrace: ENOENT\ncall=keyctl: EPERM\n")
        assert denials(c) == {("keyctl", "ERRNO(EPERM)"): 1}


def test_a_command_that_cannot_be_executed(image):
    outcome = run(image, "--seccomp node --seccomp-report", "/no/such")
    assert outcome.status == 127
    assert "/no/such" in outcome.errors


@pytest.mark.parametrize("seccomp", ["", "--seccomp unconfined"])
def test_without_a_filter_there_is_nothing_to_report(image, seccomp):
    outcome = run(image, f"--seccomp-report {seccomp}", "/bin/attempt create=/marker/started")
    assert (outcome.status, outcome.output) == (125, "")
    assert outcome.errors == "nest-init: --seccomp-report: there is no filter to report on; give a --seccomp\n"


RECORDED = [NEST_INIT, "seccomp", "record", "-o", "/dev/null", "--", NEST_INIT, "--seccomp", "node", "--seccomp-report"]
BUSY = "seccomp: cannot listen to what the filter denies: Resource busy (a filter that is in force here has a " \
       "listener already: leave out --seccomp-report)"


def test_where_somebody_listens_already_it_is_refused():
    outcome = subprocess.run([*RECORDED, "--", "echo", "started"], capture_output=True, text=True, timeout=60)
    assert (outcome.returncode, outcome.stdout) == (125, "")
    assert f"nest-init: {BUSY}\n" in outcome.stderr


def test_where_somebody_listens_already_best_effort_is_the_plain_filter():
    outcome = subprocess.run([*RECORDED, "--best-effort", "--", "sh", "-c", "unshare -U true || echo refused"],
                             capture_output=True, text=True, timeout=60)
    assert (outcome.returncode, outcome.stdout) == (0, "refused\n"), outcome.stderr
    assert f"nest-init: warning: not reported: {BUSY}\n" in outcome.stderr


def test_the_workload_cannot_reach_who_answers_it(image):
    """Of the same user, and as much without capabilities."""
    script = "until [ -s /marker/pid ]; do sleep 0.05; done; exec attempt open=/proc/$(cat /marker/pid)/mem wait"
    with running(image, "--seccomp node --seccomp-report", ["/bin/sh", "-c", script], user=65534, caps=()) as c:
        status = status_of(monitor(c))
        assert status["Uid"].split() == ["65534"] * 4
        pid = status["NSpid"].split()[-1]
        c.exec("/bin/sh", "-c", f"echo {pid} >/marker/pid")
        assert wait_output(c, "mem: ").output == f"open=/proc/{pid}/mem: EACCES\n"


@pytest.mark.parametrize("configuration", [{"user": 1001, "caps": ()}, {"user": 1001}, {"caps": ()}], ids=str)
def test_nor_can_it_in_the_moment_when_that_starts(image, configuration):
    """Before the monitor has said that it is not dumpable, the kernel says so of a program that its user cannot read: what
    is executed is a copy in memory. Every time."""
    with running(image, "--seccomp node --seccomp-report", "/bin/sleep 1000", **configuration) as c:
        for _ in range(2):
            old = monitor(c)
            program = os.stat(f"/proc/{old}/exe")
            assert (stat.S_IMODE(program.st_mode), program.st_uid) == (0o100, configuration.get("user", 0))
            os.kill(old, signal.SIGKILL)
            wait_until(lambda: monitor(c) not in (None, old))
            c.wait_http(f"http://{METRICS}/readyz", timeout=BACKSTOP)


def test_a_monitor_that_is_another_user_takes_no_copy(image):
    with running(image, "--seccomp node --seccomp-report", "/bin/sleep 1000") as c:
        assert os.stat(f"/proc/{monitor(c)}/exe").st_ino == os.stat(f"/proc/{c.pid}/exe").st_ino


def test_where_nothing_is_executed_from_memory_the_start_is_refused(image):
    """As vm.memfd_noexec=2 has it, which is the host's."""
    runtime = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
               "syscalls": [{"names": ["memfd_create"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}
    outcome = run(image, "--seccomp node --seccomp-report", "/bin/attempt create=/marker/started", user=1001, seccomp=runtime)
    assert (outcome.status, outcome.output) == (125, "")
    assert outcome.errors == ("nest-init: --seccomp-report: cannot put the monitor out of the workload's reach: Permission "
                              "denied (is vm.memfd_noexec set? start the container as root, with --user here)\n")


# ---- whatever becomes of the monitor ----


def test_a_killed_monitor_loses_no_call_and_no_caller(image, hammer):
    with running(image, "--seccomp node --seccomp-report", "/bin/hammer 4", files={"/bin/hammer": hammer}) as c:
        for _ in range(4):
            seen = sum(denials(c).values())
            wait_until(lambda: sum(denials(c).values()) > seen + 100)
            old = monitor(c)
            os.kill(old, signal.SIGKILL)
            wait_until(lambda: monitor(c) not in (None, old))
            c.wait_http(f"http://{METRICS}/readyz", timeout=BACKSTOP)
        c.kill("USR1")
        calls, wrong, dead = map(int, re.search(r"(\d+) calls, (\d+) wrong, (\d+) dead",
                                                wait_output(c, "dead\n").output).groups())
        assert (wrong, dead) == (0, 0)
        assert denials(c) == {("ptrace", "ERRNO(EPERM)"): calls}
        assert [name for name, _, _ in told(c.errors())] == ["hammer"]


@pytest.mark.parametrize("command, budget, status", [
    (attempt("call=getpid", "call=ptrace"), "25s", 143),
    (["/bin/sh", "-c", "trap '' TERM; attempt call=getpid call=ptrace"], "1s", 137),
])
def test_stop_ends_those_who_wait(image, command, budget, status):
    """The monitor is held, so that nobody answers; one of the workloads does not care for the stop signal."""
    options = f"--seccomp node --seccomp-report --stop-timeout {budget}"
    with running(image, options, ["/bin/sh", "-c", 'until [ -e /marker/go ]; do sleep 0.05; done; exec "$@"', "sh", *command]) as c:
        os.kill(monitor(c), signal.SIGSTOP)
        c.exec("/bin/touch", "/marker/go")
        wait_output(c, "call=getpid: ok\n")
        time.sleep(0.2)
        assert "ptrace" not in c.output()
        c.kill("TERM")
        assert c.wait(BACKSTOP) == status


def test_what_is_left_behind_gets_enosys(image):
    """The monitor has ended with the workload's main process."""
    left = "trap '' TERM; until attempt call=ptrace | grep ENOSYS; do sleep 0.05; done"
    (image / "bin/grep").exists() or (image / "bin/grep").symlink_to("busybox")
    outcome = run(image, "--seccomp node --seccomp-report", ["/bin/sh", "-c", f"({left}) & exec sleep 0.2"])
    assert (outcome.status, outcome.output) == (0, "call=ptrace: ENOSYS\n")


def test_a_pre_stop_command_has_the_plain_filter(image):
    with running(image, ["--seccomp", "node", "--seccomp-report", "--pre-stop", "/bin/attempt call=ptrace"],
                 "/bin/sleep 1000") as c:
        os.kill(monitor(c), signal.SIGSTOP)
        c.kill("TERM")
        assert c.wait(BACKSTOP) == 143
        assert c.output() == "call=ptrace: EPERM\n"


def test_under_another_name(image):
    with Container(["/tini", "--", "/bin/attempt", "call=ptrace"], image, files={"/tini": NEST_INIT},
                   env={"NEST_INIT_SECCOMP": "node", "NEST_INIT_SECCOMP_REPORT": "yes"}) as c:
        assert c.wait(BACKSTOP) == 0
        assert c.output() == "call=ptrace: EPERM\n"
        assert [call for _, call, _ in told(c.errors())] == ["ptrace"]
