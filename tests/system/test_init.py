"""PID 1's main job, seen from outside: status, signals, orphans, stop, terminal, and all that may go wrong around it.

What is essential runs under both builds (`either`), the rest under the release binary."""
import collections
import errno
import fcntl
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
import urllib.request
from pathlib import Path

import pytest

from listener import Listener
from namespace import Namespace, children, members, status_of, wait_until
from ports import free_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

KILL, STOP, CHLD = 9, 19, 17
CONT = 18  # takes TSTP, TTIN and TTOU away where they wait, as they do with it (signal(7))
STOP_SIGNALS = (2, 3, 15, 37)  # INT, QUIT, TERM and RTMIN+3 as systemd counts it
FORWARDED = [n for n in range(1, 65) if n not in (KILL, STOP, CHLD)]
END = 1000000  # workload.c: a queued value from here on ends `take` with what is above it
LAST = 64   # the signal that is taken after all others
SI_USER, SI_QUEUE, SI_KERNEL = 0, -1, 128
SOMEBODY = 12345  # a uid that nobody has


def numbers(lines):
    """The signals that `take` said, in order."""
    return [int(line.split()[0]) for line in lines if line != "ready"]


def tree(workload, *, leader="member leader 3"):
    """A workload of three: the leader, a process in its group, and an orphan in a session of its own."""
    return ["sh", "-c", f'"$0" member group 0 & (setsid "$0" member orphan 0 &) ; exec "$0" {leader}', workload]


ALL_UP = ("leader up", "group up", "orphan up")


# --- status -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [0, 1, 7, 125, 126, 127, 128, 255])
def test_ends_with_the_status_of_the_workload(either, status):
    with Namespace(either, "sh", "-c", f"exit {status}") as n:
        assert (n.wait(), n.output(), n.complaints()) == (status, "", "")


@pytest.mark.parametrize("number", [1, 2, 3, 6, 9, 11, 13, 15, 31, 32, 33, 34, 50, 64])
def test_ends_with_128_and_the_signal_that_killed_the_workload(either, number):
    with Namespace(either, "sh", "-c", f"kill -{number} $$; sleep 10") as n:
        assert (n.wait(), n.output(), n.complaints()) == (128 + number, "", "")


def test_the_status_of_an_orphan_is_not_the_workloads(either):
    with Namespace(either, "sh", "-c", "(sh -c 'exit 9' &); sleep 0.1; exit 4") as n:
        assert n.wait() == 4


def test_arguments_environment_and_output_pass_unchanged(either):
    with Namespace(either, "sh", "-c", 'printf "%s|" "$@" "$X"; echo err >&2', "sh", "a b", "", "--", "--help",
                   env={"X": " x\ty "}) as n:
        assert (n.wait(), n.output(), n.errors()) == (0, "a b||--|--help| x\ty |", "err\n")


# --- forwarding ---------------------------------------------------------------------------------------------------

def test_every_signal_arrives_exactly_once(either, workload):
    sent = [number for number in FORWARDED if number not in STOP_SIGNALS[1:]]  # of those that stop, one
    with Namespace(either, workload, "take") as n:
        n.wait_for("ready")
        n.kill(CONT)
        n.wait_for(f"{CONT} {SI_USER} 1 0")
        for number in random.sample(sent, len(sent)):
            if number != CONT:
                n.kill(number)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert sorted(numbers(n.lines())) == sorted(sent)
        assert n.errors() == ""


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_stop_signal_arrives_exactly_once_as_itself(either, workload, number):
    with Namespace(either, workload, "take") as n:
        n.wait_for("ready")
        n.kill(number)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert n.lines() == ["ready", f"{number} {SI_USER} 1 0"]


def test_30000_queued_signals_keep_value_order_and_sender(either, workload):
    with Namespace(either, workload, "flood", 30000) as n:
        assert (n.wait(), n.output(), n.errors()) == (0, "all 30000\n", "")


def test_a_full_queue_holds_signals_in_order_and_loses_none(either, workload, public):
    shutil.copy(workload, public / "workload")
    count, room = 3000, 50
    with Namespace(either, public / "workload", "limited", room, "take", public / "gate",
                   options=["--user", SOMEBODY]) as n:
        n.wait_for("ready")
        for value in range(count):
            n.queue(50, value)
        main = n.workload()
        wait_until(lambda: status_of(main)["SigQ"] == f"{room}/{room}")
        n.queue(50, END)
        (public / "gate").touch()
        assert n.wait() == 0
        assert n.lines() == ["ready", *(f"50 {SI_QUEUE} 0 {value}" for value in range(count))]
        assert n.errors() == ""


def hold_up(n, workload_pid, room):
    """Fills the workload's queue, and then some."""
    for value in range(room + 20):
        n.queue(50, value)
    wait_until(lambda: status_of(workload_pid)["SigQ"] == f"{room}/{room}")


@pytest.mark.parametrize("number", [15, 37])
def test_a_full_queue_does_not_hold_up_a_stop(either, workload, public, number):
    shutil.copy(workload, public / "workload")
    with Namespace(either, public / "workload", "limited", 10, "take", public / "gate",
                   options=["--user", SOMEBODY]) as n:
        n.wait_for("ready")
        main = n.workload()
        hold_up(n, main, 10)
        n.queue(number, 5)
        wait_until(lambda: int(status_of(main)["ShdPnd"], 16) & 1 << number - 1, limit=10)
        n.queue(50, END)
        (public / "gate").touch()
        assert n.wait() == 0
        # No room for the value of this one; those that came before it have kept theirs.
        assert n.lines() == ["ready", f"{number} {SI_USER} 0 0", *(f"50 {SI_QUEUE} 0 {value}" for value in range(30))]


def test_a_full_queue_does_not_hold_up_the_end_of_the_budget(nest_init, workload, public):
    shutil.copy(workload, public / "workload")
    with Namespace(nest_init, public / "workload", "limited", 10, "take", public / "gate",
                   options=["--user", SOMEBODY, "--stop-timeout", "300ms"]) as n:
        n.wait_for("ready")
        hold_up(n, n.workload(), 10)
        n.kill(signal.SIGTERM)
        assert n.wait(20) == 137


def test_signals_sent_before_the_start_arrive_exactly_once(either, workload):
    early = (1, 10, 12, 28, 34, 50, 64)
    script = "".join(f"kill -{number} $$; " for number in early)
    with Namespace(either, workload, "take", wrap=["env", "--block-signal", "sh", "-c", script + 'exec "$@"', "sh"]) as n:
        n.wait_for("ready")
        n.queue(LAST, END)
        assert n.wait() == 0
        assert sorted(numbers(n.lines())) == sorted(early)


@pytest.mark.parametrize("options", [(), ("--cap-drop", "net_raw")], ids=["plain", "confined"])
def test_signals_sent_during_the_start_arrive_exactly_once(either, workload, options):
    # Real-time signals count: 300 of them, from before the execution of nest-init to after the workload's.
    sender = 'i=0; while [ $i -lt 300 ]; do kill -50 $$; i=$((i+1)); done'
    with Namespace(either, workload, "take", options=options,
                   wrap=["env", "--block-signal", "sh", "-c", f'({sender}; kill -51 $$) & exec "$@"', "sh"]) as n:
        wait_until(lambda: numbers(n.lines()).count(51) == 1)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert numbers(n.lines()) == [50] * 300 + [51]


def test_a_stop_sent_before_the_start_stops_the_workload_that_is_started(either, workload):
    with Namespace(either, workload, "take", wrap=["env", "--block-signal", "sh", "-c", 'kill -TERM $$; exec "$@"',
                                                   "sh"]) as n:
        wait_until(lambda: numbers(n.lines()) or n.process.poll() is not None)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert numbers(n.lines()) == [15]


@pytest.mark.parametrize("options", [(), ("--cap-drop", "net_raw")], ids=["vfork", "fork"])
def test_a_stop_between_fork_and_exec_arrives_exactly_once(nest_init, workload, options):
    # The child is held in setsid(2), the first thing that it does. Its mask has everything blocked, so that what comes
    # early is still there when the program begins.
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=setsid", "-e", "inject=setsid:delay_enter=700000"]
    with Namespace(nest_init, workload, "take", options=options, parent=strace, wrap=["env", "--block-signal"]) as n:
        wait_until(lambda: children(n.pid))
        assert n.output() == ""
        n.kill(signal.SIGTERM)
        n.kill(50)
        wait_until(lambda: len(n.lines()) == 3)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert numbers(n.lines()) == [15, 50]


@pytest.mark.parametrize("options", [(), ("--cap-drop", "net_raw")], ids=["vfork", "fork"])
def test_a_stop_between_fork_and_exec_stops_a_workload_that_handles_no_signal(nest_init, workload, options):
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=setsid", "-e", "inject=setsid:delay_enter=700000"]
    with Namespace(nest_init, "sleep", "1000", options=options, parent=strace) as n:
        wait_until(lambda: children(n.pid))
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_a_storm_of_2000_signals_loses_no_real_time_signal_and_keeps_the_status(either, workload):
    choice = random.Random(2000)
    kinds = [number for number in FORWARDED if number not in (*STOP_SIGNALS, CONT)]
    sent = collections.Counter(choice.choice(kinds) for _ in range(2000))
    with Namespace(either, workload, "take") as n:
        n.wait_for("ready")
        for number in choice.sample(list(sent.elements()), 2000):
            n.kill(number)
        n.queue(LAST, END + 7)
        assert n.wait() == 7
        said = collections.Counter(numbers(n.lines()))
        assert set(said) == set(sent)
        assert {number: said[number] for number in sent if number >= 32} == \
            {number: sent[number] for number in sent if number >= 32}
        assert all(1 <= said[number] <= sent[number] for number in sent)


def test_a_stopped_pid_1_catches_up_when_it_goes_on(either, workload):
    with Namespace(either, workload, "take") as n:
        n.wait_for("ready")
        n.kill(signal.SIGSTOP)
        wait_until(lambda: status_of(n.pid)["State"].startswith("T"))
        for number in (10, 50, 50, 50):
            n.kill(number)
        n.kill(signal.SIGCONT)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert sorted(numbers(n.lines())) == [10, 18, 50, 50, 50]


def test_a_workload_of_another_user_that_may_not_be_signalled_is_said_and_ends_with_the_budget(nest_init, workload,
                                                                                               public):
    shutil.copy(workload, public / "workload")
    with Namespace(nest_init, public / "workload", "stubborn", "main",
                   options=["--user", SOMEBODY, "--stop-timeout", "300ms"],
                   wrap=["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"]) as n:
        n.wait_for("main up")
        n.kill(signal.SIGUSR1)
        n.kill(signal.SIGTERM)
        assert n.wait() == 137
        assert n.errors().splitlines() == [
            "nest-init: cannot send SIGUSR1 to the workload: Operation not permitted (it runs as another user: leave "
            "CAP_KILL to the container)"] + n.errors().splitlines()[-1:]
        assert re.fullmatch(r"does not end, not even by SIGKILL, after \S+, \S+ after SIGTERM asked for a stop; "
                            r"--stop-timeout \(300ms\) has passed", n.certificate())


# --- place, orphans -----------------------------------------------------------------------------------------------

def test_the_workload_leads_a_session_of_its_own(either, workload):
    with Namespace(either, workload, "place") as n:
        assert n.wait() == 0
        assert n.output() == "pid 2 parent 1 session 2 group 2 terminal -1 descriptors 0 1 2\n"


@pytest.mark.parametrize("session", [(), ("session",)], ids=["group", "sessions"])
def test_2000_orphans_are_reaped_and_no_zombie_is_left(either, workload, session):
    with Namespace(either, workload, "orphans", 2000, *session) as n:
        assert (n.wait(), n.output()) == (0, "made 2000\nleft 0\n")


def test_reaped_orphans_are_counted_to_the_last(nest_init, workload, tmp_path):
    port = free_port()
    gate = tmp_path / "gate"
    script = 'until [ -e "$1" ]; do sleep 0.01; done; "$0" orphans 500 && exec "$0" take'

    def count():
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
        return int(re.search(r'^nest_init_reaped_processes_total\{origin="orphan"\} (\d+)$', page, re.M).group(1))

    def answers():
        try:
            return count() == 0
        except OSError:
            return False

    with Namespace(nest_init, "sh", "-c", script, workload, gate, options=["--metrics", f"127.0.0.1:{port}"]) as n:
        wait_until(answers)
        gate.touch()
        n.wait_for("left 0", "ready")
        wait_until(lambda: count() >= 500)
        assert count() == 500
        n.queue(LAST, END)
        assert n.wait() == 0


@pytest.mark.parametrize("options", [(), ("--metrics", "127.0.0.1:PORT"),
                                     ("--cap-drop", "all", "--seccomp", "default", "--read-only=landlock")],
                         ids=["plain", "monitor", "confined"])
def test_the_workload_has_the_descriptors_that_pid_1_was_given_and_no_other(either, workload, options):
    options = [option.replace("PORT", str(free_port())) for option in options]
    with Namespace(either, workload, "place", options=options,
                   wrap=["sh", "-c", 'exec "$@" 7</dev/null 9>/dev/null', "sh"]) as n:
        assert n.wait() == 0
        assert n.lines()[0].partition("descriptors ")[2] == "0 1 2 7 9"


@pytest.mark.parametrize("options", [(), ("--metrics", "127.0.0.1:PORT"), ("--cap-drop", "net_raw")],
                         ids=["plain", "monitor", "confined"])
def test_closed_standard_descriptors_stay_closed(either, workload, options):
    options = [option.replace("PORT", str(free_port())) for option in options]
    with Namespace(either, workload, "place", options=options,
                   wrap=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]) as n:
        assert n.wait() == 100


def test_nothing_of_pid_1_takes_the_place_of_a_closed_standard_descriptor(either, workload):
    with Namespace(either, workload, "take", options=["--metrics", f"127.0.0.1:{free_port()}"],
                   wrap=["sh", "-c", 'exec "$@" <&- 2>&-', "sh"]) as n:
        n.wait_for("ready")
        assert [os.readlink(f"/proc/{n.pid}/fd/{fd}") for fd in (0, 2)] == ["/", "/"]


def test_a_closed_standard_input_stays_closed(either, workload):
    with Namespace(either, workload, "place", wrap=["sh", "-c", 'exec "$@" <&-', "sh"]) as n:
        assert n.wait() == 0
        assert n.lines()[0].partition("descriptors ")[2] == "1 2"


def test_blocked_and_ignored_signals_reach_the_workload_as_an_exec_would_leave_them(either):
    wrap = ["env", "--block-signal=USR1", "--block-signal=TERM", "--ignore-signal=HUP", "--ignore-signal=INT",
            "--ignore-signal=PIPE"]
    question = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    with Namespace(either, *question, wrap=wrap) as n:
        assert n.wait() == 0
        assert n.output() == "SigBlk:\t0000000000004200\nSigIgn:\t0000000000001003\n"


def test_a_signal_that_is_ignored_on_entry_is_still_forwarded(either, workload):
    with Namespace(either, workload, "take", wrap=["env", "--ignore-signal=HUP", "--ignore-signal=USR1"]) as n:
        n.wait_for("ready")
        n.kill(signal.SIGHUP)
        n.kill(signal.SIGUSR1)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert sorted(numbers(n.lines())) == [1, 10]


def test_sigchld_ignored_on_entry_hangs_nothing_and_loses_no_status(either, workload):
    with Namespace(either, "sh", "-c", '"$0" orphans 20 && exit 7', workload,
                   wrap=["env", "--ignore-signal=CHLD"]) as n:
        assert (n.wait(), n.output()) == (7, "made 20\nleft 0\n")


# --- stop ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_stop_asks_the_leader_then_its_group_then_orphans_in_other_sessions(either, workload, number):
    # Everybody waits for TERM, whatever the container was sent.
    # A budget of an hour: nobody is given time that he does not need.
    with Namespace(either, *tree(workload), options=["--stop-signal", "TERM", "--stop-timeout", "1h"]) as n:
        n.wait_for(*ALL_UP)
        n.kill(number)
        assert n.wait() == 3
        assert n.lines()[3:] == ["leader", "group", "orphan"]
        assert n.complaints() == ""


def test_stop_signal_rewrites_each_stop_signal_and_no_other(either, workload):
    with Namespace(either, workload, "take", options=["--stop-signal", "USR2"]) as n:
        n.wait_for("ready")
        n.kill(signal.SIGHUP)
        n.kill(signal.SIGINT)
        wait_until(lambda: len(n.lines()) == 3)
        n.kill(signal.SIGTERM)
        wait_until(lambda: len(n.lines()) == 4)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert sorted(numbers(n.lines())[:2]) == [1, 12] and numbers(n.lines())[2:] == [12]


def test_drain_delays_the_stop_signal_and_nothing_else(either, workload):
    with Namespace(either, workload, "take", options=["--drain", "800ms"]) as n:
        n.wait_for("ready")
        start = time.monotonic()
        n.kill(signal.SIGTERM)
        n.kill(signal.SIGUSR1)
        wait_until(lambda: 15 in numbers(n.lines()))
        assert time.monotonic() - start >= 0.8
        n.queue(LAST, END)
        assert n.wait() == 0
        assert numbers(n.lines()) == [10, 15]


def test_a_second_stop_signal_skips_the_drain(either, workload):
    with Namespace(either, workload, "take", options=["--drain", "1h"]) as n:
        n.wait_for("ready")
        n.kill(signal.SIGTERM)
        time.sleep(0.2)
        assert n.lines() == ["ready"]
        n.kill(signal.SIGTERM)
        wait_until(lambda: len(n.lines()) == 2)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert numbers(n.lines()) == [15]


def test_the_workload_may_end_during_the_drain(either, workload):
    with Namespace(either, workload, "take", options=["--drain", "1h"]) as n:
        n.wait_for("ready")
        n.kill(signal.SIGTERM)
        n.queue(LAST, END + 6)
        assert (n.wait(), n.lines()) == (6, ["ready"])


@pytest.mark.parametrize("drain", [(), ("--drain", "200ms")], ids=["stop", "drain"])
def test_stop_timeout_kills_and_says_so(either, workload, drain):
    with Namespace(either, workload, "stubborn", "main", options=["--stop-timeout", "400ms", *drain]) as n:
        n.wait_for("main up")
        start = time.monotonic()
        n.kill(signal.SIGTERM)
        assert n.wait() == 137
        assert time.monotonic() - start >= 0.4
        assert re.fullmatch(r"was killed by SIGKILL after \S+, \S+ after SIGTERM asked for a stop; "
                            r"--stop-timeout \(400ms\) has passed", n.certificate())
        assert n.complaints() == ""


def test_stop_timeout_holds_for_group_and_orphans_and_keeps_the_leaders_status(either, workload):
    script = '"$0" stubborn group & (setsid "$0" stubborn orphan &) ; exec "$0" member leader 3'
    with Namespace(either, "sh", "-c", script, workload, options=["--stop-timeout", "600ms"]) as n:
        n.wait_for(*ALL_UP)
        start = time.monotonic()
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert time.monotonic() - start >= 0.6
        assert re.fullmatch(r"ended with status 3 after \S+, \S+ after SIGTERM asked for a stop; --stop-timeout "
                            r"\(600ms\) has passed; killed 2 that were left: workload \(\d+\), workload \(\d+\)",
                            n.certificate())


def test_a_stubborn_group_does_not_keep_the_orphans_from_being_asked(either, workload):
    script = '"$0" stubborn group & (setsid "$0" member orphan 0 &) ; exec "$0" member leader 3'
    with Namespace(either, "sh", "-c", script, workload, options=["--stop-timeout", "1s"]) as n:
        n.wait_for(*ALL_UP)
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert n.lines()[3:] == ["leader", "orphan"]


def test_a_second_signal_reaches_whoever_is_being_asked(either, workload):
    script = '"$0" take & exec "$0" member leader 3'
    with Namespace(either, "sh", "-c", script, workload, options=["--stop-timeout", "20s"]) as n:
        n.wait_for("ready", "leader up")
        n.kill(signal.SIGTERM)
        n.wait_for("leader", f"15 {SI_USER} 1 0")
        n.kill(signal.SIGUSR1)
        n.wait_for(f"10 {SI_USER} 1 0")
        for child in children(n.pid):
            os.kill(child, signal.SIGKILL)
        assert n.wait() == 3


def test_a_main_process_that_ends_by_itself_takes_its_children_with_it_in_order(either, workload):
    with Namespace(either, *tree(workload)) as n:
        n.wait_for(*ALL_UP)
        os.kill(n.workload(), signal.SIGTERM)  # past PID 1: to it the leader ends by itself
        assert n.wait() == 3
        assert n.lines()[3:] == ["leader", "group", "orphan"]
        assert n.complaints() == ""


def test_a_main_process_that_is_killed_takes_its_children_with_it(either, workload):
    with Namespace(either, *tree(workload, leader="stubborn leader")) as n:
        n.wait_for(*ALL_UP)
        os.kill(n.workload(), signal.SIGKILL)
        assert n.wait() == 137
        assert n.lines()[3:] == ["group", "orphan"]


def test_stubborn_leftovers_have_five_seconds(nest_init, workload):
    with Namespace(nest_init, "sh", "-c", '"$0" stubborn left & exec "$0" member main 5', workload) as n:
        n.wait_for("left up", "main up")
        os.kill(n.workload(), signal.SIGTERM)
        start = time.monotonic()
        assert n.wait() == 5
        assert time.monotonic() - start >= 4.9
        assert re.fullmatch(r"ended with status 5 after \S+; what was left did not end within 5s; "
                            r"killed 1 that was left: workload \(\d+\)", n.certificate())


def test_stop_timeout_bounds_the_leftovers_of_a_main_process_that_ends_by_itself(either, workload):
    with Namespace(either, "sh", "-c", '"$0" stubborn left & exec "$0" member main 5', workload,
                   options=["--stop-timeout", "300ms"]) as n:
        n.wait_for("left up", "main up")
        start = time.monotonic()
        os.kill(n.workload(), signal.SIGTERM)
        assert n.wait() == 5
        assert 0.3 <= time.monotonic() - start < 4.9
        assert re.fullmatch(r"ended with status 5 after \S+; what was left did not end within 3\d\dms; "
                            r"killed 1 that was left: workload \(\d+\)", n.certificate())


@pytest.mark.parametrize("parent", [(), Namespace.PLAIN_PARENT], ids=["pid1", "subreaper"])
def test_a_chain_of_sessions_is_asked_to_the_last(either, workload, parent):
    with Namespace(either, "sh", "-c", '"$0" chain 4 & exec "$0" member main 5', workload, parent=parent) as n:
        n.wait_for("main up", *(f"{depth} up" for depth in range(1, 5)))
        n.kill(signal.SIGTERM)
        assert n.wait() == 5
        assert sorted(line for line in n.lines() if "up" not in line) == ["1", "2", "3", "4", "main"]
        assert n.complaints() == ""


def test_killed_pid_1_leaves_nobody_behind(either, workload):
    with Namespace(either, *tree(workload)) as n:
        n.wait_for(*ALL_UP)
        namespace = os.readlink(f"/proc/{n.pid}/ns/pid")
        assert len(members(namespace)) == 4
        n.kill(signal.SIGKILL)
        n.wait()  # unshare(1) does not say how it ended
        assert members(namespace) == []


# --- terminal -----------------------------------------------------------------------------------------------------

class Terminal:
    """A pseudo terminal, and all that was written to it."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        os.set_blocking(self.ours, False)
        self.said = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for fd in (self.ours, self.theirs):
            if fd >= 0:
                os.close(fd)

    def type(self, text):
        os.write(self.ours, text.encode())

    def read(self):
        try:
            while select.select([self.ours], [], [], 0)[0]:
                self.said += os.read(self.ours, 65536).decode(errors="replace")
        except OSError as error:
            assert error.errno in (errno.EIO, errno.EAGAIN)
        return self.said

    def expect(self, text):
        """Waits for the text, and forgets all up to its end."""
        try:
            wait_until(lambda: text in self.read())
        except AssertionError:
            raise AssertionError(f"no {text!r} in {self.said!r}") from None
        before, _, self.said = self.said.partition(text)
        return before


# PID 1's own controlling terminal, as container runtimes have it, and one that is nobody's yet.
OWNED = pytest.mark.parametrize("wrap", [("setsid", "--ctty"), ()], ids=["controlling", "free"])


@OWNED
def test_the_workload_controls_the_terminal(either, workload, wrap):
    with Terminal() as terminal, Namespace(either, workload, "place", wrap=wrap, stdin=terminal.theirs,
                                           start_new_session=True) as n:
        assert n.wait() == 0
        assert n.output() == "pid 2 parent 1 session 2 group 2 terminal 2 descriptors 0 1 2\n"


@OWNED
def test_control_c_and_a_new_window_size_reach_the_workload_exactly_once(either, workload, wrap):
    with Terminal() as terminal, Namespace(either, workload, "take", wrap=wrap, stdin=terminal.theirs,
                                           start_new_session=True) as n:
        n.wait_for("ready")
        terminal.type("\x03")
        n.wait_for(f"2 {SI_KERNEL} 0 0")
        fcntl.ioctl(terminal.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 0, 0))
        n.wait_for(f"28 {SI_KERNEL} 0 0")
        n.queue(LAST, END)
        assert n.wait() == 0
        assert n.lines() == ["ready", f"2 {SI_KERNEL} 0 0", f"28 {SI_KERNEL} 0 0"]


@OWNED
def test_a_terminal_that_hangs_up_says_so_to_the_workload_exactly_once(nest_init, workload, wrap):
    with Terminal() as terminal, Namespace(nest_init, workload, "take", wrap=wrap, stdin=terminal.theirs,
                                           start_new_session=True) as n:
        n.wait_for("ready")
        os.close(terminal.ours)
        terminal.ours = -1
        wait_until(lambda: len(n.lines()) == 3)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert sorted(numbers(n.lines())) == [signal.SIGHUP, signal.SIGCONT]


@OWNED
def test_a_shell_has_job_control(either, wrap):
    with Terminal() as terminal, Namespace(either, "bash", "--norc", "--noprofile", "-i", wrap=wrap,
                                           stdin=terminal.theirs, stdout=terminal.theirs, stderr=terminal.theirs,
                                           start_new_session=True, env={"TERM": "dumb", "PS1": "now> "}) as n:
        assert "no job control" not in terminal.expect("now> ")
        terminal.type("sleep 1000\n")
        shell = n.workload()
        wait_until(lambda: children(shell) and Path(f"/proc/{children(shell)[0]}/comm").read_text() == "sleep\n")
        terminal.type("\x1a")
        terminal.expect("Stopped")
        terminal.expect("now> ")
        terminal.type("fg\n")
        wait_until(lambda: status_of(children(shell)[0])["State"].startswith("S"))
        terminal.type("\x03")
        terminal.expect("now> ")
        terminal.type("echo $?; exit 3\n")
        terminal.expect("130")
        assert n.wait() == 3


# --- not PID 1 ----------------------------------------------------------------------------------------------------

def test_as_a_subreaper_it_adopts_and_reaps(either, workload):
    with Namespace(either, workload, "orphans", 300, parent=Namespace.PLAIN_PARENT) as n:
        assert (n.wait(), n.output()) == (0, "made 300\nleft 0\n")


def test_as_a_subreaper_it_ends_what_is_left_and_nobody_else(either, workload):
    parent = ["sh", "-c", '"$0" stubborn foreign & "$@"; status=$?; kill -0 $! && echo foreign lives; exit $status',
              workload]
    with Namespace(either, *tree(workload), parent=parent) as n:
        n.wait_for("foreign up", *ALL_UP)
        n.kill(signal.SIGTERM)
        assert n.wait() == 3
        assert [line for line in n.lines() if not line.endswith(" up")] == ["leader", "group", "orphan",
                                                                           "foreign lives"]


def test_as_a_subreaper_it_kills_what_does_not_end(either, workload):
    script = '(setsid "$0" chain 3 &) ; (setsid "$0" stubborn orphan &) ; exec "$0" stubborn leader'
    parent = ["sh", "-c", '"$0" stubborn foreign & "$@"; status=$?; ps -C workload -o args=; exit $status', workload]
    with Namespace(either, "sh", "-c", script, workload, parent=parent, options=["--stop-timeout", "300ms"]) as n:
        n.wait_for("foreign up", "orphan up", "leader up", "1 up")
        n.kill(signal.SIGTERM)
        assert n.wait() == 137
        assert [line for line in n.lines() if not line.endswith(" up")] == [f"{workload} stubborn foreign"]


# --- limits, and what goes wrong ----------------------------------------------------------------------------------

CANNOT_FORK = ("nest-init: cannot start the workload: Resource temporarily unavailable; trying again (is the pids or "
               "memory limit too low?)\n")


# A user of this test process's own: the limit counts all processes of a user.
NON_ROOT = ["setpriv", f"--reuid={50000 + os.getpid() % 10000}", f"--regid={SOMEBODY}", "--clear-groups"]


def crowded(init, workload, public, *command, options=(), wrap=()):
    """nest-init as a user who may have one process."""
    for program in (init, workload):
        shutil.copy(program, public)
    return Namespace(public / "nest-init", public / "workload", *command, options=options,
                     wrap=[*NON_ROOT, "prlimit", "--nproc=1:100", *wrap])


def make_room(n):
    # Without CAP_SYS_RESOURCE nobody but the user may: prlimit(2).
    subprocess.run([*NON_ROOT, "prlimit", f"--pid={n.pid}", "--nproc=100"], check=True)


@pytest.mark.parametrize("options", [(), ("--read-only=landlock",)], ids=["vfork", "fork"])
def test_a_reached_pids_limit_is_said_once_and_waited_for(either, workload, public, options):
    with crowded(either, workload, public, "place", options=options) as n:
        n.wait_for_error("cannot start")
        time.sleep(0.5)  # some tries
        assert (n.process.poll(), n.output(), n.errors()) == (None, "", CANNOT_FORK)
        make_room(n)
        assert n.wait() == 0
        assert n.output().startswith("pid ")
        assert n.errors() == CANNOT_FORK


def test_signals_that_come_while_the_pids_limit_is_reached_arrive_exactly_once(either, workload, public):
    with crowded(either, workload, public, "take", wrap=["env", "--block-signal"]) as n:
        n.wait_for_error("cannot start")
        for number in (10, 50, 50, 50, 34):
            n.kill(number)
        time.sleep(0.2)
        make_room(n)
        n.wait_for("ready")
        n.queue(LAST, END)
        assert n.wait() == 0
        assert numbers(n.lines()) == [10, 34, 50, 50, 50]


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_stop_while_the_pids_limit_is_reached_ends_at_once(nest_init, workload, public, number):
    with crowded(nest_init, workload, public, "place") as n:
        n.wait_for_error("cannot start")
        n.kill(number)
        assert (n.wait(), n.output()) == (128 + number, "")


@pytest.mark.parametrize("name", ["dumb-init", "tini", "catatonit"])
def test_under_another_name_too_a_stop_while_the_pids_limit_is_reached_ends_at_once(nest_init, workload, public, name):
    # There every signal is the workload's, but there is none.
    wrap = ["bash", "-c", 'exec -a "$0" "$@"', name]
    with crowded(nest_init, workload, public, "place", wrap=wrap) as n:
        n.wait_for_error("cannot start")
        n.kill(signal.SIGUSR1)
        n.kill(signal.SIGTERM)
        assert (n.wait(), n.output()) == (143, "")


def test_a_full_standard_error_does_not_block_pid_1(either, workload):
    reading, writing = os.pipe()
    try:
        with Namespace(either, workload, "fill", "main", options=["--stop-timeout", "300ms"], stderr=writing) as n:
            n.wait_for("main up")
            n.kill(signal.SIGTERM)
            assert n.wait(20) == 137
    finally:
        os.close(reading)
        os.close(writing)


def test_a_broken_standard_error_sends_the_workload_no_sigpipe(either, workload):
    reading, writing = os.pipe()
    with Namespace(either, workload, "take", stderr=writing, options=["--metrics", f"127.0.0.1:{free_port()}"]) as n:
        n.wait_for("ready")
        os.close(writing)
        os.close(reading)
        n.kill(signal.SIGTERM)  # "SIGTERM: stopping" goes to the log when there is a monitor
        wait_until(lambda: len(n.lines()) >= 2)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert numbers(n.lines()) == [15]


def test_a_standard_error_at_its_size_limit_sends_the_workload_no_sigxfsz(nest_init, workload, tmp_path):
    with open(tmp_path / "log", "wb") as log:
        log.write(b"x" * 4096)
        log.flush()
        with Namespace(nest_init, workload, "take", stderr=log, wrap=["prlimit", "--fsize=4096"],
                       options=["--metrics", f"127.0.0.1:{free_port()}"]) as n:
            n.wait_for("ready")
            n.kill(signal.SIGTERM)
            wait_until(lambda: len(n.lines()) >= 2)
            n.queue(LAST, END)
            assert n.wait() == 0
            assert numbers(n.lines()) == [15]


def test_idle_it_never_wakes_up(nest_init, workload):
    runs = [Namespace(nest_init, workload, "take", options=options, parent=parent)
            for options, parent in (((), ()), (("--cap-drop", "all"), ()), (("--stop-timeout", "8s"), ()),
                                    ((), Namespace.PLAIN_PARENT))]
    try:
        for n in runs:
            n.wait_for("ready")

        def switches():
            return [(status_of(n.pid)["voluntary_ctxt_switches"], status_of(n.pid)["nonvoluntary_ctxt_switches"])
                    for n in runs]

        time.sleep(0.2)  # until each has gone to sleep
        before = switches()
        time.sleep(4)
        assert switches() == before
    finally:
        for n in runs:
            n.close()


# --- sd_notify ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_systemd_hears_ready_and_stopping_once_each(either, workload, tmp_path, abstract):
    name = f"@nest-{os.getpid()}-{time.monotonic_ns()}" if abstract else str(tmp_path / "notify")
    with Listener(name) as systemd, Namespace(either, workload, "take", env=systemd.env) as n:
        n.wait_for("ready")
        wait_until(systemd.hear)
        assert systemd.heard == ["READY=1"]
        n.kill(signal.SIGTERM)
        n.kill(signal.SIGTERM)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert systemd.hear() == ["READY=1", "STOPPING=1"]


def test_systemd_hears_nothing_before_the_check_succeeds(either, workload, public):
    flag = public / "flag"  # the monitor looks for it as nobody
    with Listener(str(public / "notify")) as systemd, \
            Namespace(either, workload, "take", env=systemd.env,
                      options=["--ready", f"file:{flag}", "--health-start-interval", "50ms"]) as n:
        n.wait_for("ready")
        time.sleep(0.3)  # some checks
        assert systemd.hear() == []
        flag.touch()
        wait_until(systemd.hear)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert systemd.hear() == ["READY=1"]


def test_systemd_does_not_hear_of_a_stop_before_it_was_ready(either, workload, tmp_path):
    with Listener(str(tmp_path / "notify")) as systemd, \
            Namespace(either, workload, "take", env=systemd.env, options=["--ready", f"file:{tmp_path}/flag"]) as n:
        n.wait_for("ready")
        n.kill(signal.SIGTERM)
        n.queue(LAST, END)
        assert n.wait() == 0
        assert systemd.hear() == []


@pytest.mark.parametrize("command", [["/nowhere/program"], ["/"]], ids=["missing", "directory"])
def test_systemd_hears_nothing_of_a_workload_that_cannot_be_executed(either, tmp_path, command):
    with Listener(str(tmp_path / "notify")) as systemd, Namespace(either, *command, env=systemd.env) as n:
        assert n.wait() in (126, 127)
        assert systemd.hear() == []


@pytest.mark.parametrize("name", ["relative", "/nowhere/socket", "@nobody-listens", "/" + "x" * 200])
def test_a_notify_socket_that_cannot_be_used_stops_nothing(either, name):
    with Namespace(either, "sh", "-c", "exit 7", env={"NOTIFY_SOCKET": name}) as n:
        assert n.wait() == 7


# --- rewritten signals, clean exits -------------------------------------------------------------------------------

SAYS = "trap 'echo quit; exit 3' QUIT; trap 'echo term; exit 143' TERM; trap 'echo hup' HUP; echo up; while :; do sleep 0.02; done"


@pytest.mark.parametrize("options, sent, said, status", [
    (["--rewrite", "TERM:QUIT"], [signal.SIGTERM], ["up", "quit"], 3),
    (["--rewrite", "TERM:QUIT", "--clean-exit", "3"], [signal.SIGTERM], ["up", "quit"], 0),
    (["--rewrite", "HUP:0"], [signal.SIGHUP, signal.SIGTERM], ["up", "term"], 143),
    (["--rewrite", "HUP:TERM"], [signal.SIGHUP], ["up", "term"], 143),
    (["--clean-exit", "143"], [signal.SIGTERM], ["up", "term"], 0),
    (["--clean-exit", "143", "--rewrite", "HUP:TERM"], [signal.SIGHUP], ["up", "term"], 143),  # no stop was asked for
])
def test_rewritten_signals_and_clean_exits(nest_init, options, sent, said, status):
    with Namespace(nest_init, "sh", "-c", SAYS, options=options) as n:
        n.wait_for("up")
        for number in sent:
            n.kill(number)
        assert (n.wait(), n.lines(), n.complaints()) == (status, said, "")
