"""Where nest-init may find itself: below another init, without /proc, with a limit of a billion descriptors, with no
memory left. What concerns a closed descriptor, an ignored SIGCHLD and the pids limit is in test_init.py."""
import os
import resource
import shutil
import signal
import subprocess

import pytest

from bundle import Container, tmpfs
from busybox import image  # noqa: F401, a fixture
from conftest import BINARIES
from namespace import Namespace, children, sigqueue, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

END = 1000000  # workload.c: a queued value from here on ends `take` with what is above it
LAST = 64      # the signal that is taken after all others
TREE = '"$0" member group 0 & (setsid "$0" member orphan 0 &) ; exec "$0" member leader 3'
ALL_UP = ("leader up", "group up", "orphan up")


# --- nested -------------------------------------------------------------------------------------------------------

# `docker run --init` is tini, Podman's is catatonit; the other build of nest-init has a path of its own.
OUTER = {"tini": ["tini", "--"], "dumb-init": ["dumb-init", "--"], "catatonit": ["catatonit", "--"],
         "nest-init": [BINARIES["glibc"], "--"]}
outer = pytest.mark.parametrize("outer", OUTER.values(), ids=OUTER)


@outer
def test_below_another_init_a_stop_runs_its_course(nest_init, workload, outer):
    with Namespace(nest_init, "sh", "-c", TREE, workload, parent=outer) as n:
        n.wait_for(*ALL_UP)
        os.kill(children(n.process.pid)[0], signal.SIGTERM)
        assert n.wait() == 3
        assert n.lines()[3:] == ["leader", "group", "orphan"]
        assert n.complaints() == ""


@outer
def test_below_another_init_it_reaps_and_its_status_is_the_workloads(nest_init, workload, outer):
    with Namespace(nest_init, "sh", "-c", '"$0" orphans 100 && exit 7', workload, parent=outer) as n:
        assert (n.wait(), n.output(), n.complaints()) == (7, "made 100\nleft 0\n", "")


def test_below_itself_signals_keep_their_values_and_their_order(nest_init, workload):
    with Namespace(nest_init, workload, "take", parent=OUTER["nest-init"]) as n:
        n.wait_for("ready")
        outermost = children(n.process.pid)[0]
        for value in range(200):
            sigqueue(outermost, 50, value)
        sigqueue(outermost, LAST, END + 9)
        assert n.wait() == 9
        assert n.lines() == ["ready", *(f"50 -1 0 {value}" for value in range(200))]


# --- no /proc -----------------------------------------------------------------------------------------------------

NO_PROC = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
PROFILE = '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}'


@pytest.mark.parametrize("options", [
    "", "--user 12345", "--user nobody --cap-drop all", "--cap-drop net_raw", "--seccomp default", "--seccomp PROFILE",
    "--read-only=landlock", "--read-only=remount", "--tmpfs /mnt", "--ready file:/etc/passwd",
    "--user nobody --cap-drop all --seccomp default --read-only",
], ids=lambda options: options or "plain")
def test_without_proc_it_confines_forwards_and_ends_as_ever(either, workload, public, options):
    shutil.copy(workload, public / "workload")
    (public / "profile").write_text(PROFILE)
    options = options.replace("PROFILE", str(public / "profile")).split()
    with Namespace(either, public / "workload", "take", options=options, wrap=NO_PROC) as n:
        n.wait_for("ready")
        n.kill(signal.SIGUSR1)
        n.kill(signal.SIGTERM)
        n.queue(LAST, END + 9)
        assert n.wait() == 9
        assert n.lines() == ["ready", "10 0 1 0", "15 0 1 0"]
        said = "nest-init: SIGTERM: stopping\n" if "--ready" in options else ""
        assert n.complaints() == said


def test_without_proc_an_oom_score_is_refused(either):
    run = subprocess.run([*NO_PROC, either, "--oom-score-adj", "5", "--", "true"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (
        125, "nest-init: limits: cannot set oom_score_adj to 5: /proc is not there (mount it)\n")


def test_without_proc_pid_1_finds_those_that_are_left(either, workload):
    with Namespace(either, "sh", "-c", TREE, workload, wrap=NO_PROC) as n:
        n.wait_for(*ALL_UP)
        n.kill(signal.SIGTERM)
        assert (n.wait(), n.lines()[3:], n.complaints()) == (3, ["leader", "group", "orphan"], "")


def test_without_proc_a_subreaper_says_whom_it_cannot_find_and_ends_within_its_budget(either, workload):
    with Namespace(either, "sh", "-c", TREE, workload, wrap=NO_PROC, parent=Namespace.PLAIN_PARENT,
                   options=["--stop-timeout", "400ms"]) as n:
        n.wait_for(*ALL_UP)
        n.kill(signal.SIGTERM)
        assert n.wait(20) == 3
        assert n.lines()[3:] == ["leader", "group"]  # kill(2) reaches a group whose number is known
        assert n.errors().splitlines()[0] == ("nest-init: cannot find the processes that are left: /proc: No such file "
                                              "or directory (mount /proc)")
        assert n.errors().count("cannot find") == 1


# --- a billion descriptors ----------------------------------------------------------------------------------------

MANY = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # as many as may be had here


@pytest.mark.parametrize("name, options", [
    ("nest-init", ""), ("nest-init", "--cap-drop net_raw --seccomp default"), ("nest-init", "--ready file:/etc/passwd"),
    ("catatonit", ""), ("dumb-init", ""),
], ids=["plain", "confined", "monitor", "catatonit", "dumb-init"])
def test_a_limit_of_very_many_descriptors_costs_nothing(either, workload, tmp_path, name, options):
    """Nobody closes them one by one: a billion are as good as ten. The monitor alone asks how many there may be."""
    log = tmp_path / "strace"
    (tmp_path / name).symlink_to(either)
    with Namespace(either, workload, "take", options=options.split(), wrap=["prlimit", f"--nofile={MANY}:{MANY}"],
                   parent=["strace", "-f", "-qq", "-o", log, "-e",
                           "trace=close,fcntl,close_range,prlimit64,getrlimit,execveat"]) as n:
        n.wait_for("ready")
        n.queue(LAST, END + 9)
        assert n.wait() == 9
    calls = [line for line in log.read_text(errors="replace").splitlines() if "(" in line]
    execution = next(number for number, line in enumerate(calls) if "prlimit64(0, RLIMIT_NOFILE, {" in line)
    asks = {line.split()[0] for line in calls[execution + 1:] if "RLIMIT_NOFILE" in line}
    assert asks <= {line.split()[0] for line in calls if "execveat(" in line}
    assert 0 < len(calls) < 500 < MANY


# --- no memory ----------------------------------------------------------------------------------------------------

MEMORY = 24 << 20
EAT = 'x=x; while :; do x="$x$x"; done'  # a shell that doubles a word soon has all there is


@pytest.fixture
def container(nest_init, image):  # noqa: F811
    def start(script, options=""):
        return Container(["/nest-init", *options.split(), "--", "/bin/sh", "-c", script], image,
                         files={"/nest-init": nest_init}, memory=MEMORY, mounts=[tmpfs("/full", "mode=1777")])
    return start


def test_a_workload_that_eats_all_memory_is_killed_and_pid_1_is_not(container):
    with container(EAT) as c:
        assert c.wait(60) == 128 + signal.SIGKILL


def test_a_child_that_eats_all_memory_costs_the_workload_nothing(container):
    with container(f"sh -c '{EAT}'; echo $?; exit 7") as c:
        assert (c.wait(60), c.output()) == (7, "137\n")


# The pages of a tmpfs are nobody's and cannot be taken back. A little room stays: where there is none at all the kernel
# may kill PID 1 as well as anybody.
FILL = f"busybox dd if=/dev/zero of=/full/file bs=64k count={(MEMORY - (3 << 20)) >> 16} 2>/dev/null"


@pytest.mark.parametrize("options", ["", "--ready file:/etc/passwd"], ids=["plain", "monitor"])
def test_a_stop_while_memory_is_at_its_limit_ends_as_it_should(container, options):
    with container(f"sleep 1000 & trap 'exit 5' TERM; {FILL}; echo full; wait", options) as c:
        wait_until(lambda: "full" in c.output() or not c.running())
        usage = c.cgroup("memory") / "memory.usage_in_bytes"  # of v2: memory.current
        assert int((usage if usage.exists() else usage.with_name("memory.current")).read_text()) > 0.85 * MEMORY
        c.kill("TERM")
        assert c.wait(60) == 5


def test_a_plain_start_allocates_nothing(nest_init, tmp_path):
    """Neither heap nor mapping: the first of them costs a tenth of the start."""
    log = tmp_path / "strace"
    done = subprocess.run(["strace", "-qq", "-o", log, "-e", "trace=brk,mmap", nest_init, "--", "true"], timeout=60)
    assert done.returncode == 0 and log.read_text() == ""
