"""Under the names of dumb-init, tini and catatonit: what they do at run time, as the originals that Debian has do it.

Each test runs under each name of a family, and against the original too where it is installed, with the same
assertions. test_personality_cli.py has the command lines."""
import os
import random
import shlex
import shutil
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from namespace import Namespace, children, members, sigqueue, status_of, wait_until
from test_init import Terminal

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/release/nest-init"))
ORIGINAL = {"dumb-init": "dumb-init", "tini": "tini", "tini-static": "tini-static", "docker-init": "tini",
            "podman-init": "tini", "catatonit": "catatonit"}
DUMB_INIT, TINI, CATATONIT = ("dumb-init",), ("tini", "tini-static", "docker-init", "podman-init"), ("catatonit",)
ALL = DUMB_INIT + TINI + CATATONIT
FAMILIES = ("dumb-init", "tini", "catatonit")  # one name of each

KILL, STOP, CHLD, CONT = 9, 19, 17, 18
TSTP, TTIN, TTOU = STOPPING = (20, 21, 22)
SYNCHRONOUS = {4, 5, 6, 7, 8, 11, 31}  # ILL TRAP ABRT BUS FPE SEGV SYS
REAL_TIME = range(34, 65)              # the libc's; glibc cannot block 32 and 33, which it keeps to itself
END = 1000000  # workload.c: a queued value from here on ends `take` with what is above it
LAST = 64      # the signal that is taken after all others

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")


# --- whom we test -------------------------------------------------------------------------------------------------

class Run(Namespace):
    """A shell stands before the program, so that a search may come too early to see the program, and then see its child
    before that executes anything: the parent is meant."""

    def _find(self):
        pid = super()._find()
        try:
            parent = pid and int(status_of(pid)["PPid"])
            return parent if parent and os.readlink(f"/proc/{parent}/exe") == self.init else pid
        except OSError:  # it has ended meanwhile
            return None


class Init:
    """A program under a name; calling it starts it in a namespace."""

    def __init__(self, name, directory, ours):
        self.name, self.ours, self.program = name, ours, str(directory / name)
        self.family = "tini" if name in TINI else name

    def __call__(self, *command, options=(), before=(), dashes=True, **more):
        """options: its own. before: a command in front of it, which executes it. All else as Namespace has it."""
        words = [*map(str, before), self.program, *map(str, options), *["--"][:dashes], *map(str, command)]
        # Namespace executes a file by its real path, which would be the alias's end: that, and "--", are dropped.
        return Run(self.program, wrap=[*more.pop("wrap", ()), "sh", "-c", f"exec {shlex.join(words)}"], **more)


def inits(*names):
    """Parameters for the fixture `init`."""
    found = []
    for name in names:
        missing = not shutil.which(ORIGINAL[name])
        found += [pytest.param((name, True), id=name),
                  pytest.param((name, False), id=f"{name} (original)", marks=pytest.mark.skipif(
                      missing, reason=f"{ORIGINAL[name]} is not installed"))]
    return pytest.mark.parametrize("init", found, indirect=True)


def ours(*names):
    """The same without the originals: where they do otherwise, or have no such thing."""
    return pytest.mark.parametrize("init", [pytest.param((name, True), id=name) for name in names], indirect=True)


def variants(*rows):
    """(NAME, OPTIONS, ENVIRONMENT, EXPECTED), each for both programs: parameters init, options, env, expected."""
    found = []
    for name, options, env, expected in rows:
        title = " ".join([*(f"{key}={value}" for key, value in env.items()), name, *options.split()])
        missing = not shutil.which(ORIGINAL[name])
        found += [pytest.param((name, True), options.split(), env, expected, id=title),
                  pytest.param((name, False), options.split(), env, expected, id=f"{title} (original)",
                               marks=pytest.mark.skipif(missing, reason=f"{ORIGINAL[name]} is not installed"))]
    return pytest.mark.parametrize("init,options,env,expected", found, indirect=["init"])


@pytest.fixture(scope="session")
def aliases(tmp_path_factory):
    """{ours: directory of symlinks}"""
    directories = {True: tmp_path_factory.mktemp("ours"), False: tmp_path_factory.mktemp("originals")}
    for name, original in ORIGINAL.items():
        (directories[True] / name).symlink_to(os.path.realpath(NEST_INIT))
        if shutil.which(original):
            (directories[False] / name).symlink_to(shutil.which(original))
    return directories


@pytest.fixture
def init(request, aliases):
    name, is_ours = request.param
    return Init(name, aliases[is_ours], is_ours)


# --- looking ------------------------------------------------------------------------------------------------------

def bit(number):
    return 1 << (number - 1)


def masks(pid, *names):
    status = status_of(pid)
    found = 0
    for name in names:
        found |= int(status[name], 16)
    return found


def pending(pid):
    """The signals that wait for a process that blocks them."""
    found = masks(pid, "ShdPnd", "SigPnd")
    return {number for number in range(1, 65) if found & bit(number)}


def state(pid):
    return status_of(pid)["State"][0]


def numbers(lines):
    """The signals that `take` said, in order."""
    return [int(line.split()[0]) for line in lines if line[0].isdigit()]


def wait_for_signal(n, number):
    wait_until(lambda: number in numbers(n.lines()))


def end(n, status=0):
    """Ends `take`, and awaits the end of all."""
    sigqueue(n.workload(), LAST, END + status)
    assert n.wait() == status


def settled(n):
    """Once it has passed a signal on, it is past all that it does at the start."""
    n.kill(signal.SIGUSR1)
    wait_for_signal(n, signal.SIGUSR1)


def ready(n, count=1):
    """Until that many `take`, the child among them: it was forked with all signals blocked, so that none is lost."""
    n.workload()
    wait_until(lambda: n.lines().count("ready") == count)


# --- status -------------------------------------------------------------------------------------------------------

@inits(*ALL)
@pytest.mark.parametrize("status", [0, 7, 128, 255])
def test_ends_with_the_status_of_its_child(init, status):
    with init("sh", "-c", f"echo out; echo err >&2; exit {status}") as n:
        assert (n.wait(), n.output(), n.errors()) == (status, "out\n", "err\n")


@inits(*FAMILIES)
@pytest.mark.parametrize("number", [1, 6, 9, 15, 31, 34, 64])
def test_ends_with_128_and_the_signal_that_killed_its_child(init, number):
    with init("sh", "-c", f"kill -{number} $$; sleep 10") as n:
        assert (n.wait(), n.output(), n.errors()) == (128 + number, "", "")


@inits("tini", "docker-init")
@pytest.mark.parametrize("options,script,status", [
    ("-e 143", "kill $$", 0), ("-e 7", "exit 7", 0), ("-e 7", "exit 8", 8), ("-e 7 -e 255", "exit 255", 0),
    ("-e 0", "exit 0", 0), ("-e 15", "kill $$", 143),
])
def test_tini_maps_an_expected_status_to_0(init, options, script, status):
    with init("sh", "-c", script, options=options.split()) as n:
        assert n.wait() == status


@inits(*FAMILIES)
def test_the_status_of_an_orphan_is_not_its_childs(init, workload):
    with init("sh", "-c", '"$0" orphans 3; exit 4', workload) as n:
        assert (n.wait(), n.output()) == (4, "made 3\nleft 0\n")


# --- exec ---------------------------------------------------------------------------------------------------------

SAYS = {"dumb-init": "[dumb-init] {0}: {1}\n", "tini": "[FATAL tini (2)] exec {0} failed: {1}\n",
        "catatonit": "ERROR (catatonit:2): failed to exec pid1: {1}\n"}
FAULTS = {  # what is to be executed: dumb-init's status, tini's, catatonit's, the reason
    "no-such-program": (2, 127, 1, "No such file or directory"),
    "/no/such/program": (2, 127, 1, "No such file or directory"),
    "/etc/passwd": (2, 126, 1, "Permission denied"),
    "/etc": (2, 126, 1, "Permission denied"),
    "/etc/passwd/x": (2, 1, 1, "Not a directory"),
}


@inits(*ALL)
@pytest.mark.parametrize("what", FAULTS)
def test_what_cannot_be_executed(init, what):
    *statuses, reason = FAULTS[what]
    with init(what) as n:
        assert n.wait() == statuses[FAMILIES.index(init.family)]
        assert (n.output(), n.errors()) == ("", SAYS[init.family].format(what, reason))


@ours(*FAMILIES)
@pytest.mark.parametrize("what", FAULTS)
def test_what_cannot_be_executed_under_confinement(init, what):
    *statuses, reason = FAULTS[what]
    with init(what, env={"NEST_INIT_SECCOMP": "node"}) as n:
        assert n.wait() == statuses[FAMILIES.index(init.family)]
        assert (n.output(), n.errors()) == ("", SAYS[init.family].format(what, reason))


@inits(*FAMILIES)
@pytest.mark.parametrize("by", ["path", "name"])
def test_a_script_without_shebang_is_for_the_shell(init, tmp_path, by):
    script = tmp_path / "script"
    script.write_text('echo "$0|$1|$2|"; readlink /proc/$$/exe\nexit 5\n')
    script.chmod(0o755)
    with init(script if by == "path" else "script", "a b", "",
              env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}) as n:
        assert n.wait() == 5
        assert n.output() == f"{script}|a b||\n{os.path.realpath('/bin/sh')}\n"


@inits(*FAMILIES)
def test_our_commands_are_none_of_its(init, tmp_path):
    for name in ("health", "monitor", "probe", "seccomp", "status"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$0" "$@"\nexit 6\n')
        (tmp_path / name).chmod(0o755)
        with init(name, "x", dashes=False, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}) as n:
            assert (n.wait(), n.output(), n.errors()) == (6, f"{tmp_path / name} x\n", "")


@inits(*ALL)
def test_the_name_stays(init, workload):
    with init(workload, "take") as n:
        ready(n)
        assert Path(f"/proc/{n.pid}/comm").read_text() == f"{init.name}\n"
        assert Path(f"/proc/{n.pid}/cmdline").read_bytes().split(b"\0")[0].decode() == init.program
        end(n)


# --- the child's place --------------------------------------------------------------------------------------------

CONTROLLING = ("setsid", "--ctty")  # PID 1 leads a session, whose terminal standard input is


@variants(
    ("dumb-init", "", {}, "session 2 group 2 terminal 2"),
    ("dumb-init", "-c", {}, "session 1 group 1 terminal 1"),
    ("dumb-init", "", {"DUMB_INIT_SETSID": "0"}, "session 1 group 1 terminal 1"),
    ("tini", "", {}, "session 1 group 2 terminal 2"), ("tini-static", "", {}, "session 1 group 2 terminal 2"),
    ("docker-init", "", {}, "session 1 group 2 terminal 2"), ("tini", "-g", {}, "session 1 group 2 terminal 2"),
    ("catatonit", "", {}, "session 1 group 2 terminal 2"), ("catatonit", "-g", {}, "session 1 group 2 terminal 2"),
)
def test_the_childs_place_on_a_terminal_that_is_ours(init, workload, options, env, expected):
    with Terminal() as terminal, init(workload, "place", options=options, env=env, wrap=CONTROLLING,
                                      stdin=terminal.theirs, start_new_session=True) as n:
        assert (n.wait(), n.errors()) == (0, "")
        assert n.output() == f"pid 2 parent 1 {expected} descriptors 0 1 2\n"


@variants(
    ("dumb-init", "", {}, "session 2 group 2 terminal 2"), ("dumb-init", "-c", {}, "session 1 group 1 terminal -1"),
    ("tini", "", {}, "session 1 group 2 terminal -1"), ("catatonit", "", {}, "session 1 group 2 terminal -1"),
)
def test_the_childs_place_on_a_terminal_that_is_nobodys(init, workload, options, env, expected):
    with Terminal() as terminal, init(workload, "place", options=options, env=env, wrap=["setsid"],
                                      stdin=terminal.theirs, start_new_session=True) as n:
        assert (n.wait(), n.errors()) == (0, "")
        assert n.output() == f"pid 2 parent 1 {expected} descriptors 0 1 2\n"


@inits(*FAMILIES)
def test_which_terminal_it_looks_at(init, workload):
    """Standard input is none, but there is a controlling one: catatonit alone asks /dev/tty."""
    with Terminal() as terminal, init(workload, "take", wrap=CONTROLLING, stdin=terminal.theirs,
                                      before=["sh", "-c", 'exec "$@" </dev/null', "sh"],
                                      start_new_session=True) as n:
        ready(n)
        settled(n)
        foreground = n.workload() if init.family == "catatonit" else n.pid
        assert os.tcgetpgrp(terminal.ours) == foreground
        end(n)


@inits(*FAMILIES)
def test_control_c_reaches_the_child_once(init, workload):
    with Terminal() as terminal, init(workload, "take", wrap=CONTROLLING, stdin=terminal.theirs,
                                      start_new_session=True) as n:
        ready(n)
        settled(n)
        terminal.type("\x03")
        wait_for_signal(n, signal.SIGINT)
        n.kill(signal.SIGUSR2)
        wait_for_signal(n, signal.SIGUSR2)
        assert numbers(n.lines()) == [signal.SIGUSR1, signal.SIGINT, signal.SIGUSR2]
        end(n)


@inits("dumb-init")
def test_dumb_init_takes_its_own_hang_up_for_none(init, workload):
    """As the session's leader it gives the terminal up, which brings HUP and CONT upon it; those after them pass."""
    with Terminal() as terminal, init(workload, "take", wrap=CONTROLLING, stdin=terminal.theirs,
                                      start_new_session=True) as n:
        ready(n)
        wait_until(lambda: not pending(n.pid))
        settled(n)
        assert numbers(n.lines()) == [signal.SIGUSR1]
        for number in (signal.SIGHUP, signal.SIGCONT):
            n.kill(number)
            wait_for_signal(n, number)
        end(n)


# --- forwarding ---------------------------------------------------------------------------------------------------

@variants(
    ("dumb-init", "", {}, 2), ("dumb-init", "-c", {}, 1), ("dumb-init", "--single-child", {}, 1),
    ("dumb-init", "", {"DUMB_INIT_SETSID": "0"}, 1), ("dumb-init", "", {"DUMB_INIT_SETSID": "1"}, 2),
    ("tini", "", {}, 1), ("tini", "-g", {}, 2), ("tini", "", {"TINI_KILL_PROCESS_GROUP": ""}, 2),
    ("docker-init", "-g", {}, 2), ("podman-init", "", {}, 1), ("tini-static", "-g", {}, 2),
    ("catatonit", "", {}, 1), ("catatonit", "-g", {}, 2),
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, 40])
def test_signals_go_to_the_group_or_to_the_child(init, workload, options, env, expected, number):
    with init("sh", "-c", '"$0" take & exec "$0" take', workload, options=options, env=env) as n:
        ready(n, 2)
        n.kill(number)
        main = n.workload()
        wait_for_signal(n, number)
        # Both are asked for a last one, lower ones come before it: the member has said all that it got.
        for pid in (main, *children(main)):
            os.kill(pid, LAST)
        wait_until(lambda: numbers(n.lines()).count(LAST) == 2)
        assert numbers(n.lines()).count(number) == expected
        end(n, 3)


NOT_FORWARDED = {"dumb-init": {CHLD, *STOPPING}, "tini": {CHLD, TTIN, TTOU, *SYNCHRONOUS},
                 "catatonit": {CHLD, *STOPPING, *SYNCHRONOUS}}


@variants(*((name, "", {}, NOT_FORWARDED[name]) for name in FAMILIES),
          ("dumb-init", "-c", {}, {CHLD}), ("tini", "-g", {}, NOT_FORWARDED["tini"]),
          ("catatonit", "-g", {}, NOT_FORWARDED["catatonit"]), ("docker-init", "", {}, NOT_FORWARDED["tini"]))
def test_which_signals_are_forwarded(init, workload, tmp_path, options, env, expected):
    """Those that stop dumb-init's session have a test of their own."""
    sent = {*range(1, 32), *REAL_TIME} - {KILL, STOP, CONT, LAST}
    if (init.name, options) == ("dumb-init", []):
        sent -= set(STOPPING)
    with init(workload, "take", tmp_path / "gate", options=options, env=env) as n:
        ready(n)
        for number in random.sample(sorted(sent), len(sent)):
            n.kill(number)
        n.kill(LAST)
        wait_until(lambda: LAST in pending(n.workload()))
        assert pending(n.workload()) == (sent | {LAST}) - expected
        assert n.errors() == ""


@inits(*FAMILIES)
def test_continue_is_forwarded(init, workload):
    with init(workload, "take") as n:
        ready(n)
        settled(n)
        n.kill(CONT)
        wait_for_signal(n, CONT)
        end(n)


@variants(*((name, "", {}, None) for name in ("tini", "catatonit")), ("dumb-init", "-c", {}, None))
def test_nothing_stops_those_that_stand_aside(init, workload, options, env, expected):
    """As PID 1, which cannot be stopped from within its namespace; nor is the child, which handles them."""
    with init(workload, "take", options=options) as n:
        ready(n)
        for number in STOPPING:
            n.kill(number)
        settled(n)
        forwarded = [number for number in numbers(n.lines()) if number in STOPPING]
        assert forwarded == {"dumb-init": list(STOPPING), "tini": [TSTP], "catatonit": []}[init.family]
        assert (state(n.pid), state(n.workload())) == ("S", "S")
        end(n)


@inits("dumb-init")
@pytest.mark.parametrize("number", STOPPING)
def test_dumb_init_stops_its_session(init, workload, number):
    with init(workload, "take") as n:
        ready(n)
        n.kill(number)
        wait_until(lambda: state(n.workload()) == "T")
        n.kill(CONT)
        wait_for_signal(n, CONT)
        settled(n)
        assert numbers(n.lines()) == [CONT, signal.SIGUSR1]
        end(n)


@inits("dumb-init")
@pytest.mark.parametrize("options", ["", "-c"])
@pytest.mark.parametrize("number", STOPPING)
def test_dumb_init_stops_itself_where_it_can(init, workload, number, options):
    with init(workload, "take", options=options.split(), parent=Namespace.PLAIN_PARENT) as n:
        ready(n)
        n.kill(number)
        wait_until(lambda: state(n.pid) == "T")
        if options:
            wait_for_signal(n, number)
        else:
            wait_until(lambda: state(n.workload()) == "T")
        n.kill(CONT)
        wait_for_signal(n, CONT)
        assert state(n.workload()) != "T"
        wait_until(lambda: state(n.pid) == "S")
        end(n, 9)


@variants(
    ("dumb-init", "-r 15:3", {}, [3, 10]), ("dumb-init", "-c -r 15:3", {}, [3, 10]),
    ("dumb-init", "-r 15:0", {}, [10]), ("dumb-init", "--rewrite 15:2 --rewrite 15:3", {}, [3, 10]),
    ("dumb-init", "-r 15:3x -r 3:0", {}, [3, 10]), ("dumb-init", "-r 10:12 -r 15:10", {}, [10, 12]),
    ("dumb-init", "-r 20:15", {}, [10, 15]), ("dumb-init", "-c -r 20:15", {}, [10, 15]),
)
def test_dumb_init_rewrites(init, workload, options, env, expected):
    with init(workload, "take", options=options) as n:
        ready(n)
        n.kill(TSTP if "20:15" in options else signal.SIGTERM)
        last = 12 if "10:12" in options else 10
        wait_until(lambda: not pending(n.pid))
        n.kill(10)
        wait_for_signal(n, last)
        assert sorted(numbers(n.lines())) == expected
        end(n)


# --- the child's signals ------------------------------------------------------------------------------------------

@inits(*FAMILIES)
def test_the_childs_mask_and_ignored_signals(init):
    before = ["env", "--block-signal=USR1", "--ignore-signal=USR2", "--default-signal=HUP"]
    with init("cat", "/proc/self/status", before=before) as n:
        assert n.wait() == 0
        found = {key: int(value.strip(), 16) for key, _, value in (line.partition(":") for line in n.lines())
                 if key in ("SigBlk", "SigIgn")}
    blocked = {"dumb-init": 0, "tini": bit(10), "catatonit": bit(10) | bit(TSTP) | bit(TTIN) | bit(TTOU)}[init.family]
    assert found["SigBlk"] == blocked
    assert found["SigIgn"] & bit(12) == (0 if init.family == "dumb-init" else bit(12))
    assert found["SigIgn"] & bit(1) == 0
    if init.family == "dumb-init":
        assert found["SigIgn"] & 0x7fffffff == 0


@ours(*ALL)
@pytest.mark.parametrize("confinement", [{}, {"NEST_INIT_CAP_DROP": "all"}], ids=["plain", "confined"])
def test_an_ignored_sigchld_hangs_nothing(init, confinement):
    """tini and catatonit hang."""
    with init("sh", "-c", "exit 5", before=["env", "--ignore-signal=CHLD"], env=confinement) as n:
        assert n.wait() == 5


# --- the end ------------------------------------------------------------------------------------------------------

@inits(*ALL)
def test_leftovers_do_not_hold_up_the_end(init, workload):
    with init("sh", "-c", '"$0" stubborn group & (setsid "$0" stubborn orphan &); exec "$0" take', workload) as n:
        n.wait_for("group up", "orphan up")
        ready(n)
        end(n, 3)
        assert n.errors() == ""


@variants(
    ("dumb-init", "", {}, {15}), ("dumb-init", "-r 15:3", {}, {3}), ("dumb-init", "-r 15:0", {}, set()),
    ("dumb-init", "-c", {}, set()), ("tini", "", {}, set()), ("tini", "-g", {}, set()), ("catatonit", "", {}, set()),
    ("catatonit", "-g", {}, set()),
)
def test_what_leftovers_are_sent(init, workload, tmp_path, options, env, expected):
    """Its parent lives on, so that they do."""
    gate = tmp_path / "gate"
    parent = ["sh", "-c", f'"$@"; echo "status $?"; until [ -e {shlex.quote(str(gate))} ]; do sleep 0.01; done', "sh"]
    with init("sh", "-c", '"$0" take "$1" & exec "$0" take', workload, gate, options=options, parent=parent) as n:
        ready(n, 2)
        leftover, = children(n.workload())
        sigqueue(n.workload(), LAST, END + 3)
        n.wait_for("status 3")
        assert pending(leftover) == expected
        gate.touch()
        assert n.wait() == 0


# --- its own directory, descriptors and name ----------------------------------------------------------------------

@inits(*FAMILIES)
def test_its_directory_and_descriptors(init, workload, tmp_path):
    """Debian's catatonit is older than 0.2, which goes to / and closes what it inherited."""
    with init("sh", "-c", 'pwd; echo "fd $(readlink /proc/$$/fd/7)"; exec "$0" take', workload, cwd=tmp_path,
              before=["sh", "-c", 'exec 7</etc/passwd; exec "$@"', "sh"]) as n:
        ready(n)
        settled(n)
        assert n.lines()[:2] == [str(tmp_path), "fd /etc/passwd"]
        goes = init.family == "dumb-init" or (init.family == "catatonit" and init.ours)
        assert os.readlink(f"/proc/{n.pid}/cwd") == ("/" if goes else str(tmp_path))
        if init.ours or init.family != "catatonit":
            assert os.path.exists(f"/proc/{n.pid}/fd/7") == (init.family != "catatonit")
        end(n)


@inits(*FAMILIES)
@pytest.mark.parametrize("value,becomes", [("1", "2"), ("01", "2"), ("5", "5"), ("", ""), ("x", "x")])
def test_listen_pid(init, value, becomes):
    with init("sh", "-c", 'echo "$$ $LISTEN_PID $LISTEN_FDS"', env={"LISTEN_PID": value, "LISTEN_FDS": "1"}) as n:
        assert n.wait() == 0
        assert n.output() == f"2 {becomes if init.family == 'catatonit' else value} 1\n"


# --- not PID 1 ----------------------------------------------------------------------------------------------------

WARNING = "Tini is not running as PID 1 and isn't registered as a child subreaper."


@variants(
    ("dumb-init", "", {}, False), ("tini", "", {}, False), ("tini", "-s", {}, True), ("docker-init", "", {}, False),
    ("tini", "", {"TINI_SUBREAPER": ""}, True), ("catatonit", "", {}, True),
)
def test_elsewhere_than_as_pid_1(init, workload, tmp_path, options, env, expected):
    """Orphans come to a subreaper; tini warns if it is none."""
    with init("sh", "-c", '(setsid "$0" take "$1" & echo orphaned); exec "$0" take', workload, tmp_path / "gate",
              options=options, env=env, parent=Namespace.PLAIN_PARENT) as n:
        ready(n, 2)
        first, = children(n.process.pid)
        main = n.workload()
        orphan, = set(n.members()) - {first, n.pid, main}
        wait_until(lambda: status_of(orphan)["PPid"] != str(main))
        assert status_of(orphan)["PPid"] == str(n.pid if expected else first)
        if expected or init.family != "tini":
            assert n.errors() == ""
        else:
            assert n.errors().startswith("[WARN  tini (") and WARNING in n.errors()
        if expected:
            os.kill(orphan, signal.SIGKILL)
            wait_until(lambda: children(n.pid) == [main])
        end(n, 7)


@inits("tini")
def test_tini_says_what_it_reaps_if_asked_to(init, workload):
    with init(workload, "orphans", 1, options=["-w"]) as n:
        assert (n.wait(), n.output()) == (0, "made 1\nleft 0\n")
        assert n.errors().startswith("[WARN  tini (1)] Reaped zombie process with pid=")


@inits("tini")
def test_tini_hears_of_its_parents_death(init, workload, tmp_path):
    gate = shlex.quote(str(tmp_path / "gate"))
    script = f'"$@" & until [ -e {gate} ]; do sleep 0.01; done'
    parent = ["sh", "-c", f'sh -c "$0" sh "$@"; until [ -e {gate}.end ]; do sleep 0.01; done', script]
    with init(workload, "take", options=["-s", "-p", "SIGUSR1"], parent=parent) as n:
        ready(n)
        (tmp_path / "gate").touch()
        wait_for_signal(n, signal.SIGUSR1)
        (tmp_path / "gate.end").touch()
        assert n.wait() == 0


# --- catatonit without a child ------------------------------------------------------------------------------------

@inits("catatonit")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_catatonit_pauses_and_reaps(init, workload, number):
    """It has a child by inheritance, as another container's orphan in a pod would be."""
    with init(options=["-P"], dashes=False,
              before=["sh", "-c", 'w=$1; shift; "$w" take & exec "$@"', "sh", workload]) as n:
        n.wait_for("ready")
        child, = children(n.pid)
        for other in (signal.SIGHUP, signal.SIGUSR1, TSTP):
            n.kill(other)
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: not children(n.pid))  # so it takes signals by now
        n.kill(number)
        assert (n.wait(), n.errors()) == (0, "")


# --- what the originals have not ----------------------------------------------------------------------------------

PROCESS = ("cat", "/proc/self/status")


def confinement_of(n):
    assert (n.wait(), n.errors()) == (0, "")
    return dict((key, value.strip()) for key, _, value in (line.partition(":") for line in n.lines()))


@ours(*ALL)
def test_nothing_is_confined_unasked(init):
    here = status_of("self")
    with init(*PROCESS) as n:
        found = confinement_of(n)
    for key in ("NoNewPrivs", "Seccomp", "CapBnd", "CapEff", "CapPrm", "Uid"):
        assert found[key] == here[key], key


@ours(*ALL)
@pytest.mark.parametrize("env,expected", [
    ({"NEST_INIT_SECCOMP": "node"}, {"Seccomp": "2", "NoNewPrivs": "1"}),
    ({"NEST_INIT_CAP_DROP": "all"}, {"CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"}),
    ({"NEST_INIT_USER": "12345"}, {"Uid": "\t".join(["12345"] * 4), "NoNewPrivs": "1"}),
    ({"NEST_INIT_NO_NEW_PRIVS": "yes"}, {"NoNewPrivs": "1"}),
    ({"NEST_INIT_SECCOMP": "node", "NEST_INIT_NO_NEW_PRIVS": "no"}, {"Seccomp": "2", "NoNewPrivs": "0"}),
    ({"NEST_INIT_SECCOMP": ""}, {"NoNewPrivs": "0"}),
], ids=lambda value: " ".join(f"{key[10:]}={word}" for key, word in value.items() if key.startswith("NEST_INIT_")))
def test_variables_confine(init, env, expected):
    with init(*PROCESS, env=env) as n:
        found = confinement_of(n)
    assert {key: found[key] for key in expected} == expected


@ours(*FAMILIES)
def test_a_bad_variable_is_refused(init):
    with init("true", env={"NEST_INIT_CAP_DROP": "everything"}) as n:
        assert n.wait() == 125
        assert n.errors().startswith("nest-init: NEST_INIT_CAP_DROP: unknown capability 'everything'")


def ask(url):
    """Status and page; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


@ours(*ALL)
def test_the_monitor_answers(init, workload):
    with socket.create_server(("127.0.0.1", 0)) as service, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        env = {"NEST_INIT_METRICS": f"127.0.0.1:{port}",
               "NEST_INIT_READY": f"tcp://127.0.0.1:{service.getsockname()[1]}"}
        with init(workload, "take", env=env) as n:
            ready(n)
            wait_until(lambda: (ask(f"http://127.0.0.1:{port}/readyz") or [0])[0] == 200)
            status, page = ask(f"http://127.0.0.1:{port}/metrics")
            assert (status, "\nnest_init_" in page) == (200, True)
            assert len(children(n.pid)) == 2  # the workload and the monitor
            settled(n)
            end(n, 7)
            assert members(n._namespace) == []


# --- what our variables cannot add -------------------------------------------------------------------------------------

@pytest.mark.parametrize("variable", ["NEST_INIT_DRAIN=1s", "NEST_INIT_STOP_TIMEOUT=8s", "NEST_INIT_PRE_STOP=true",
                                      "NEST_INIT_STOP_ON=USR1", "NEST_INIT_STOP_SIGNAL=INT", "NEST_INIT_CLEAN_EXIT=143",
                                      "NEST_INIT_REWRITE=TERM:QUIT"])
@ours(*FAMILIES)
def test_variables_about_stopping_are_said_to_mean_nothing(init, variable):
    with init("true", env=dict([variable.split("=", 1)])) as n:
        assert n.wait() == 0
        assert n.errors() == ("nest-init: warning: the NEST_INIT_ variables about stopping mean nothing under the name "
                              f"{init.name}\n")


@ours(*FAMILIES)
def test_variables_that_add_something_are_not_talked_about(init):
    with init("true", env={"NEST_INIT_SECCOMP": "default"}) as n:
        assert (n.wait(), n.errors()) == (0, "")
