"""What PID 1 itself still holds once a confined workload runs, and that it can do with that what it has to."""
import contextlib
import json
import os
import re
import signal

import pytest

from bundle import Container
from busybox import DOCKER_CAPS, METRICS, bits, image, needs_runc, run, running, wait_until  # noqa: F401
from namespace import children

pytestmark = needs_runc

NONE, KILL, DOCKER = bits(), bits("kill"), bits(*DOCKER_CAPS)
TO_START = ("kill", "setgid", "setuid", "setpcap")


def held(container):
    """Permitted, effective and inheritable set of PID 1."""
    status = container.status_of()
    return status["CapPrm"], status["CapEff"], status["CapInh"]


@pytest.mark.parametrize("options, configuration, kept", [
    ("", {}, DOCKER),
    ("--no-new-privs=no", {}, DOCKER),
    ("--user 1001", {}, KILL),
    ("--user 1001 --cap-drop all --seccomp node --read-only", {}, KILL),
    ("--cap-drop all", {}, KILL),
    ("--seccomp node", {}, KILL),
    # A workload that held all that PID 1 holds could trace it.
    ("--cap-drop net_raw", {}, bits("kill", "net_raw")),
    ("--cap-drop all --cap-add kill,chown", {}, bits("kill", "setfcap")),
    ("--cap-drop all", {"caps": ("net_raw", "setpcap")}, bits("net_raw")),
    ("--read-only=landlock", {"user": 1001}, NONE),
])
def test_without_a_monitor_nothing_is_started_again(image, options, configuration, kept):
    with Container(["/nest-init", *options.split(), "--", "/bin/sleep", "1000"], image, **configuration) as c:
        wait_until(lambda: held(c) == (kept, kept, NONE))


@pytest.mark.parametrize("options, kept", [
    ("", DOCKER_CAPS),
    ("--user 1001 --cap-drop all", TO_START),
    ("--cap-drop net_raw", (*TO_START, "net_raw")),
])
def test_with_a_monitor_it_can_be_started_again(image, options, kept):
    def monitors(c):
        found = []
        for pid in children(c.pid):
            with contextlib.suppress(OSError):  # it has just ended
                if "monitor" in open(f"/proc/{pid}/cmdline").read().split("\0"):
                    found.append(pid)
        return found

    with running(image, options, "/bin/sleep 1000") as c:
        wait_until(lambda: held(c)[:2] == (bits(*kept), bits(*kept)))
        [first] = monitors(c)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: monitors(c) not in ([], [first]))
        c.wait_http(f"http://{METRICS}/readyz")
        status = c.status_of(monitors(c)[0])
        assert status["Uid"].split() == ["65534"] * 4
        assert [status[name] for name in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb")] == [NONE] * 5
        known = c.exec("/nest-init", "status", "--json")
        assert set(json.loads(known.stdout)["own_capabilities"]) == set(kept)
        page = c.http(f"http://{METRICS}/metrics").text
        assert set(re.findall(r'^nest_init_own_capability{capability="(\w+)"} 1$', page, re.M)) == set(kept)
        shown = re.search(r"^PID 1 keeps +((.|\n )*)$", c.exec("/nest-init", "status").stdout, re.M)[1]
        assert set(re.split(r",\s+", shown)) == set(kept)


def test_a_workload_of_another_user_and_its_orphans_are_still_stopped(image):
    """The orphan has a session of its own: it is PID 1 alone that signals it."""
    script = ("/bin/busybox setsid /bin/busybox sh -c 'trap \"echo orphan; exit\" TERM; : >/marker/ready; "
              "while :; do sleep 0.05; done' & while [ ! -e /marker/ready ]; do :; done; trap 'echo main; exit 3' TERM; "
              "echo ready; while :; do sleep 0.05; done")
    with Container(["/nest-init", "--user", "1001", "--cap-drop", "all", "--", "/bin/sh", "-c", script], image) as c:
        wait_until(lambda: held(c)[0] == KILL and "ready" in c.output())
        c.kill("TERM")
        assert c.wait() == 3
        assert c.output() == "ready\nmain\norphan\n"


@pytest.mark.parametrize("options, kept", [
    ("--cap-drop net_raw", ("kill", "net_raw")),
    ("--cap-drop all --cap-add kill,chown", ("kill", "setfcap")),
    ("--cap-drop all", ("kill",)),
    ("--user 1001 --cap-add kill", ("kill",)),
])
def test_what_pid_1_keeps_puts_it_out_of_the_workloads_reach(image, options, kept):
    """Who may write to its memory may do what it may: without a filter (ptrace(2), PTRACE_MODE_ATTACH)."""
    script = f"until /bin/busybox grep -q CapPrm:.{bits(*kept)} /proc/1/status; do :; done; /bin/attempt open=/proc/1/mem"
    with Container(["/nest-init", *options.split(), "--", "/bin/sh", "-c", script], image) as c:
        assert (c.wait(), c.output()) == (0, "open=/proc/1/mem: EACCES\n")


@pytest.mark.parametrize("options, configuration", [
    ("--seccomp node", {}),
    ("--seccomp node", {"user": 1001, "caps": ()}),
    ("--seccomp node --read-only", {"user": 1001, "caps": (), "read_only": True}),
    ("--seccomp node --oom-score-adj 500", {"user": 1001}),
], ids=str)
def test_nor_does_a_user_reach_it_who_has_all_that_it_has(image, options, configuration):
    """As what a Dockerfile's USER starts: nothing but the filter is between the two, and PID 1 has none (PR_SET_DUMPABLE)."""
    command = "/bin/attempt open=/proc/1/mem create=/proc/1/root/data/new"
    outcome = run(image, options, command, **configuration)
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.answers() == {"open=/proc/1/mem": "EACCES", "create=/proc/1/root/data/new": "EACCES"}
    assert run(image, "", command, **configuration).answers() == {
        "open=/proc/1/mem": "ok", "create=/proc/1/root/data/new": "EROFS" if "read_only" in configuration else "ok"}
