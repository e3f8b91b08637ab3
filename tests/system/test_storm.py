"""Storms: orphans, signals, kills of the monitor and stops, many of each and at random moments. Nothing is lost, no
zombie is left, the status is right.

Everything random comes from one seed, which a failure names. STORM_SEED gives it again, STORM_ROUND picks one round."""
import collections
import concurrent.futures
import ctypes
import errno
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass

import pytest

from conftest import BINARIES
from namespace import Namespace, children, wait_until
from ports import free_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

_libc = ctypes.CDLL(None, use_errno=True)
SYS_PIDFD_SEND_SIGNAL, SI_QUEUE = 424, -1
END, DIE = 1000000, 1001000  # storm.c
LAST = 64  # the signal that is taken after all others
SEED = int(os.environ.get("STORM_SEED") or random.randrange(1 << 32))
ROUNDS, GROUPS = 500, 10
AT_ONCE = 4  # rounds at a time: most of a round is waiting
LIMIT = 30   # seconds, for a round: its budget is a second at most
WATCHED = ("--ready", "file:/etc/passwd")  # with a monitor
CONFINED = ("--cap-drop", "net_raw")       # with fork(2) in place of vfork(2)


def is_monitor(pid):
    """A child of PID 1 that is still to execute the workload is none, and has PID 1's own program too."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            return words.read().startswith(b"nest-init\0monitor\0")
    except OSError:
        return False


def kill_a_monitor(n):
    """Returns whether there was one to kill."""
    for pid in filter(is_monitor, children(n.pid)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True
    return False


# --- one great storm ----------------------------------------------------------------------------------------------

def page(port):
    """/metrics, from whichever monitor answers."""
    def ask():
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        except OSError:
            return None
    return wait_until(ask)


def sample(text, name):
    return int(re.search(f"^{re.escape(name)} (\\d+)$", text, re.M).group(1))


def test_20000_orphans_and_100000_signals_while_the_monitor_is_killed(nest_init, storm):
    choice, port = random.Random(SEED), free_port()
    killed = 0
    with Namespace(nest_init, storm, "heavy", 100000, 20000, options=["--metrics", f"127.0.0.1:{port}"]) as n:
        while "all 100000" not in n.lines():
            assert n.process.poll() is None, n.output()
            killed += kill_a_monitor(n)
            time.sleep(choice.uniform(0.01, 0.6))
        n.wait_for("made")
        wait_until(lambda: sample(page(port), 'nest_init_reaped_processes_total{origin="orphan"}') >= 20000)
        text = page(port)
        n.queue(LAST, END + 7)
        assert (n.wait(), n.lines()) == (7, ["all 100000", "made", "zombies 0"])
    assert killed > 0
    assert sample(text, 'nest_init_reaped_processes_total{origin="orphan"}') == 20000


# --- 500 small ones -----------------------------------------------------------------------------------------------

STOPS = (2, 3, 15, 37)         # INT, QUIT, TERM and RTMIN+3: each asks for a stop
STANDARD = (10, 12, 28)        # of these one stands for many
QUEUED = (34, 35, 40, 50, 63)  # of these each counts
REWRITTEN = (1, 3, 12, 38)     # what a stop may become
NAMES = {1: "HUP", 2: "INT", 3: "QUIT", 12: "USR2", 15: "TERM", 37: "RTMIN+3", 38: "RTMIN+4"}


@dataclass
class Round:
    """What happens in a round, all of it drawn beforehand."""
    build: str
    options: list
    subreaper: bool
    kills: list      # when a monitor is killed, in seconds after the start
    leader: str      # take, stubborn or plain
    orphans: list    # how many of each fate (storm.c)
    sends: list      # (NUMBER,) or (NUMBER, VALUE) or a pause in seconds, in order
    stops: list      # the stop signals among them
    becomes: dict    # what the leader gets for one
    drains: bool
    end: int         # value of the marker that ends the leader
    late: list       # stop signals that come after the marker, each with a pause before it
    status: int
    late_status: int  # if one of these came while the leader was still there


def draw_stop(choice, leader):
    """Options of a stop, what it becomes for the leader, and which statuses are clean."""
    options, becomes, clean = [], {}, set()
    if choice.random() < 0.4:
        signal_, to = choice.choice(STOPS), choice.choice(REWRITTEN)
        options += ["--rewrite", f"{NAMES[signal_]}:{NAMES[to]}"]
        becomes[signal_] = to
    if choice.random() < 0.4:
        options += ["--drain", f"{choice.randrange(1, 80)}ms"]
    if leader == "stubborn":
        options += ["--stop-timeout", f"{choice.randrange(100, 400)}ms"]
    elif choice.random() < 0.5:
        options += ["--stop-timeout", "60s"]
    if choice.random() < 0.4:
        clean = set(choice.sample(range(256), 100)) | {143}
        options += ["--clean-exit", ",".join(map(str, sorted(clean)))]
    return options, becomes, clean


def draw_end(choice, leader, stops, becomes):
    """The value of the marker, and the status that comes of it."""
    if leader == "stubborn":
        return 0, 128 + signal.SIGKILL
    if leader == "plain":
        return 0, 128 + becomes.get(stops[0], stops[0])
    if choice.random() < 0.3:
        number = choice.choice((1, 6, 9, 11, 15, 34, 64))
        return DIE + number, 128 + number
    status = choice.randrange(256)
    return END + status, status


def draw(seed):
    choice = random.Random(seed)
    leader = choice.choices(("take", "stubborn", "plain"), (7, 1, 2))[0]
    options, becomes, clean = draw_stop(choice, leader)
    watched = choice.random() < 0.25
    stops = [choice.choice(STOPS)] if leader != "take" or choice.random() < 0.7 else []
    if stops and leader == "take" and choice.random() < 0.4:
        stops.append(choice.choice(STOPS))
    end, status = draw_end(choice, leader, stops, becomes)
    sends = [] if leader == "plain" else \
        [(choice.choice(STANDARD),) if choice.random() < 0.2 else (choice.choice(QUEUED), value)
         for value in range(choice.randrange(120))]
    for number in stops:
        sends.insert(choice.randrange(len(sends) + 1), (number,))
    for pause in range(choice.randrange(4)):
        sends.insert(choice.randrange(len(sends) + 1), choice.choice((0.0005, 0.002, 0.01, 0.05)))
    return Round(
        build=choice.choice(("release", "glibc")), subreaper=choice.random() < 0.15, leader=leader,
        options=[*options, *(WATCHED if watched else ()), *(CONFINED if choice.random() < 0.3 else ())],
        kills=[choice.uniform(0, 0.1) for _ in range(choice.randrange(3) if watched else 0)],
        orphans=[choice.randrange(40), choice.randrange(10), choice.randrange(5), 3 * (leader == "stubborn")],
        sends=sends, stops=stops, becomes=becomes, drains="--drain" in options, end=end,
        late=[(choice.uniform(0, 0.02), choice.choice(STOPS)) for _ in range(choice.randrange(3) if end else 0)],
        status=0 if stops and status in clean else status, late_status=0 if status in clean else status)


def play(r, storm):
    """Returns the status, and what was said."""
    command = ["plain"] if r.leader == "plain" else ["take", *r.orphans]
    parent = ["sh", "-c", '"$@"; status=$?; "$0" left; exit $status', storm] if r.subreaper else ()
    with Namespace(BINARIES[r.build], storm, *command, options=r.options, parent=parent, wrap=[storm, "blocked"]) as n:
        n.wait_for("blocked")
        n.is_to_be(child_of(child_of(n.process.pid)) if r.subreaper else child_of(n.process.pid))
        held = os.pidfd_open(n.pid)  # it may end while it is still being sent something
        killer = threading.Thread(target=kill_monitors, args=(n, r.kills))
        killer.start()
        try:
            for one in [*r.sends, *([(LAST, r.end)] if r.end else [])]:
                if isinstance(one, float):
                    time.sleep(one)
                else:
                    send(held, *one)
            for pause, number in r.late:
                time.sleep(pause)
                send(held, number)
            return n.wait(LIMIT), n.lines(), n.errors()
        finally:
            os.close(held)
            killer.join()


def kill_monitors(n, moments):
    start = time.monotonic()
    for moment in sorted(moments):
        time.sleep(max(0, start + moment - time.monotonic()))
        kill_a_monitor(n)


def send(held, number, value=None):
    """As kill(2) or as sigqueue(3), by pidfd: whoever has ended does not hear it, and nobody else does."""
    info = None
    if value is not None:
        info = struct.pack("iiiiiiQ", number, 0, SI_QUEUE, 0, os.getpid(), os.getuid(), value).ljust(128, b"\0")
    if _libc.syscall(SYS_PIDFD_SEND_SIGNAL, held, int(number), info, 0) < 0:
        error = ctypes.get_errno()
        if error != errno.ESRCH:
            raise OSError(error, os.strerror(error))


def child_of(pid):
    return wait_until(lambda: children(pid), pause=0.001)[0]


def fault_of(r, status, lines, errors):
    """What was lost, left over or wrong in a round, or None."""
    if status != r.status and not (r.late and status == r.late_status):
        return f"status {status}, not {r.status}"
    if r.subreaper and "left 0" not in lines:
        return "it left somebody behind"
    if r.leader == "take" and "zombies 0" not in lines:
        return "it left a zombie"
    got = [tuple(map(int, line.split())) for line in lines if re.fullmatch(r"\d+ -?\d+", line)]
    sent = [one for one in r.sends if isinstance(one, tuple)]
    for number in QUEUED:
        expected = [one for one in sent if one[0] == number]
        arrived = [one for one in got if one[0] == number]
        if arrived != expected and not (r.leader == "stubborn" and arrived == expected[:len(arrived)]):
            return f"of signal {number} came {arrived}, not {expected}"
    return fault_of_counts(r, collections.Counter(number for number, _ in got),
                           collections.Counter(one[0] for one in sent))


def fault_of_counts(r, got, sent):
    """Of a standard signal many are one; a stop signal is not seen where the leader ends while it drains."""
    stops = collections.Counter(r.becomes.get(number, number) for number in r.stops)
    late = collections.Counter(r.becomes.get(number, number) for _, number in r.late)
    for number in {*STANDARD, *STOPS, *REWRITTEN}:
        most = stops[number] + late[number] + (sent[number] if number in STANDARD else 0)
        needed = number in STANDARD and sent[number] > 0 or stops[number] > 0 and not r.drains
        if got[number] > most or (needed and got[number] == 0 and r.leader == "take"):
            return f"signal {number} came {got[number]} times of {most}"
    return None


def run_round(number, storm):
    r = draw(f"{SEED}/{number}")
    try:
        status, lines, errors = play(r, storm)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return f"STORM_SEED={SEED} STORM_ROUND={number}: {error!r}: {r}"
    fault = fault_of(r, status, lines, errors)
    return fault and f"STORM_SEED={SEED} STORM_ROUND={number}: {fault}; it said {errors!r}: {r}"


@pytest.mark.parametrize("group", range(GROUPS))
def test_500_rounds_lose_nothing_and_end_as_they_should(storm, group):
    wanted = os.environ.get("STORM_ROUND")
    rounds = range(group, ROUNDS, GROUPS) if wanted is None else [int(wanted)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        faults = [fault for fault in pool.map(lambda number: run_round(number, storm), rounds) if fault]
    assert not faults, "\n".join(faults)
