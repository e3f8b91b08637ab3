"""Each system call of PID 1 fails in turn, from the point of no return on, and the container ends as it should.

strace(1) is attached to nest-init from outside its namespace before it is executed, and follows no child: it sees the
calls of nest-init alone, and makes those alone fail. Each mode runs once undisturbed, which tells what is called, and
how often. Then each call fails with each error of its row the first time and every time, and with the first two errors
the second and the last time as well. A call that has no row fails the test, so the table is complete as long as the
modes are.

The point of no return has no system call of its own. The first one below it is the pipe for the child's news, the only
pipe2(2) that asks for O_NONBLOCK."""
import collections
import concurrent.futures
import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field

import pytest

from conftest import BINARIES
from listener import Listener
from namespace import Namespace, children, status_of, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

END = 1000000  # workload.c: a queued value from here on ends `take` with what is above it
PATIENCE = 20  # seconds, for a run that takes two at most
AT_ONCE = 10   # runs at a time: most of a run is waiting
SPIN = 2000    # traced calls of one kind, far more than any run makes in its budget and one that spins makes at once
CANNOT_START = "cannot start the workload"


# --- what may fail ------------------------------------------------------------------------------------------------

ALL = "all"


@dataclass
class Call:
    """errors  those of its manual page, and what a seccomp filter may answer (EPERM, ENOSYS); "0": it returns that
    loses   what is lost by nature if it fails every time; "": nothing. Signals may be missing then, but the run ends
            within its budget, with the status of the workload or with 137, what SIGKILL made of it
    once    the errors with which that is lost if it fails but once
    keeps   "once", "always": how often it may fail and the status is the workload's all the same
    deaf    PID 1 cannot even hear of a stop: it ends when the workload does"""
    errors: str
    loses: str = ""
    once: str = ""
    keeps: str = ""
    deaf: bool = False

    def loses_by(self, error, every):
        return bool(self.loses) and (every or self.once == ALL or error in self.once.split())

    def keeps_status(self, error, every):
        return not self.loses_by(error, every) or self.keeps == "always" or (self.keeps == "once" and not every)


CANNOT_FAIL = Call("")
START = Call("EAGAIN ENOMEM EPERM ENOSYS", "no process, no workload; EAGAIN and ENOMEM may pass", "EPERM ENOSYS")
ASKED_ONCE = "a process is asked to end once: who is not found then is killed at the end of the budget"
CALLS = {
    # signals and children
    "rt_sigtimedwait": Call("EAGAIN EINTR EINVAL", "no signal can be taken", deaf=True),
    "signalfd4": Call("EINVAL EMFILE ENFILE ENODEV ENOMEM ENOSYS"),
    "ppoll": Call("EINTR EINVAL ENOMEM ENOSYS"),
    "kill": Call("EPERM ESRCH EAGAIN", "the signal that was to be sent", ALL),
    "rt_sigqueueinfo": Call("EAGAIN EPERM ESRCH", "the signal; after EAGAIN it is sent again", "EPERM ESRCH"),
    "wait4": Call("EINTR ECHILD EPERM", "nobody can be reaped; by ECHILD nobody is left", "ECHILD", keeps="once"),
    "vfork": START,
    "fork": START,
    "clone": START,
    # descriptors
    "pipe2": Call("EMFILE ENFILE ENOMEM", "no child without its news; ENOMEM may pass", "EMFILE ENFILE"),
    "close": Call("EINTR EIO"),
    "read": Call("EAGAIN EINTR EIO ENOMEM"),
    # the log
    "pwritev2": Call("EAGAIN EBADF EINTR EINVAL EIO ENOSPC ENOSYS EOPNOTSUPP EPIPE"),
    "poll": Call("EINTR ENOMEM"),
    "write": Call("EAGAIN EINTR EIO ENOSPC EPIPE"),
    # the monitor's channel
    "socketpair": Call("EMFILE ENFILE ENOMEM"),
    "sendto": Call("EAGAIN ECONNREFUSED ECONNRESET EINTR ENOBUFS ENOMEM EPIPE"),
    "recvmsg": Call("EAGAIN ECONNREFUSED EINTR ENOMEM"),
    # systemd's socket
    "socket": Call("EACCES EMFILE ENFILE ENOBUFS ENOMEM"),
    "connect": Call("EACCES EAGAIN ECONNREFUSED ENOENT EPROTOTYPE"),
    "sendmsg": Call("EAGAIN ECONNREFUSED ENOBUFS EPIPE"),
    # how the workload ended
    "prctl": Call("EINVAL EPERM ENOSYS"),
    # what PID 1 gives up once the workload runs
    "capset": Call("EPERM ENOSYS"),
    # who descends from us, by /proc; what the cgroup says
    "open": Call("EACCES EMFILE ENFILE ENOENT ENOMEM", ASKED_ONCE, ALL, keeps="always"),
    "openat": Call("EACCES EMFILE ENFILE ENOENT ENOMEM", ASKED_ONCE, ALL, keeps="always"),
    "newfstatat": Call("EACCES ENOMEM", ASKED_ONCE, ALL, keeps="always"),
    "fcntl": Call("EINVAL"),
    "getdents64": Call("EINVAL ENOENT ENOMEM", ASKED_ONCE, ALL, keeps="always"),
    "brk": Call("0"),  # it fails by a break that was not moved (brk(2))
    "mmap": Call("ENOMEM", ASKED_ONCE, ALL, keeps="always"),
    "munmap": Call("ENOMEM"),
    "pidfd_open": Call("EINVAL EMFILE ENFILE ENODEV ENOMEM EPERM ENOSYS"),
    "pidfd_send_signal": Call("EINVAL EPERM ENOSYS"),
    # the manners of other names
    "chdir": Call("EACCES ENOENT ENOMEM"),
    "close_range": Call("EINVAL EMFILE ENOMEM ENOSYS"),
    # what cannot fail, by its manual page
    "getpid": CANNOT_FAIL,
    "getuid": CANNOT_FAIL,
    "geteuid": CANNOT_FAIL,
    "getgid": CANNOT_FAIL,
    "getegid": CANNOT_FAIL,
    "exit_group": CANNOT_FAIL,
    "rt_sigprocmask": CANNOT_FAIL,  # libc's own, around fork(3)
}


# --- modes --------------------------------------------------------------------------------------------------------

def up(n, hasty, *lines):
    """Waits for the lines, and returns whether they are there. hasty: not for a workload that cannot be started."""
    def there():
        return all(line in n.lines() for line in lines)
    wait_until(lambda: there() or n.process.poll() is not None or (hasty and CANNOT_START in n.errors()))
    return there()


def send(n, *signals):
    """(NUMBER) or (NUMBER, VALUE); to one that has ended already, nothing."""
    for number, *value in signals:
        try:
            n.queue(number, *value) if value else n.kill(number)
        except ProcessLookupError:
            return


SIGNALS = ((signal.SIGUSR1,), (50, 7), (signal.SIGTERM,), (64, END + 9))
TAKEN = ["10 0 1 0", "15 0 1 0", "50 -1 0 7", "ready"]


def take(n, hasty):
    up(n, hasty, "ready")
    send(n, *SIGNALS)


def executed_by(pid):
    """The program of a process, None if it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


def monitors(n):
    """Once the workload is up nobody else has PID 1's program."""
    return [pid for pid in children(n.pid) if executed_by(pid) == n.init]


def soon(condition):
    """Where a fault may keep it from ever coming."""
    try:
        return wait_until(condition, limit=0.5)
    except AssertionError:
        return None


def take_and_kill_the_monitor(n, hasty):
    if up(n, hasty, "ready"):
        first = soon(lambda: monitors(n))
        if first:
            with contextlib.suppress(ProcessLookupError):  # the fault may have ended it meanwhile
                os.kill(first[0], signal.SIGKILL)
            soon(lambda: monitors(n) not in ([], first))
    send(n, *SIGNALS)


def kill_the_first_life(n, hasty):
    if up(n, hasty, "ready"):
        for pid in children(n.pid):
            if executed_by(pid) not in (None, n.init):
                send_to(pid, signal.SIGKILL)
        soon(lambda: n.lines().count("ready") == 2)
    send(n, *SIGNALS)


def stop_the_tree(n, hasty):
    up(n, hasty, "leader up", "group up", "orphan up")
    send(n, (signal.SIGTERM,))


def stop_the_leader(n, hasty):
    up(n, hasty, "leader up")
    send(n, (signal.SIGTERM,))


TREE = '"$0" {0} group 0 & (setsid "$0" {0} orphan 0 &) ; exec "$0" {0} leader 3'
MEMBERS = ("sh", "-c", TREE.format("member"), "WORKLOAD")
STUBBORN = ("sh", "-c", TREE.format("stubborn"), "WORKLOAD")
MEMBERS_SAY = ["group", "group up", "leader", "leader up", "orphan", "orphan up"]
STUBBORN_SAY = ["group up", "leader up", "orphan up"]
# Who is not PID 1 reads /proc, and not only the child's news.
SUBREAPER = {"parent": Namespace.PLAIN_PARENT,
             "rows": {"read": Call("EAGAIN EINTR EIO ENOMEM", ASKED_ONCE, ALL, keeps="always")}}
# Only what was executed once is started again.
NO_NEWS = "the end of the child's news: that it was executed, and so its next life"
WATCHED = ("--ready", "file:/etc/passwd")
NO_SYSTEMD = {"NOTIFY_SOCKET": "/nowhere/socket"}
MANAGER = Listener(f"@nest-faults-{os.getpid()}")
SYSTEMD = {**MANAGER.env, "WATCHDOG_USEC": "50000"}
SPEAKS = ("sh", "-c", 'systemd-notify --ready --status=up; exec "$0" take', "WORKLOAD")


@dataclass
class Mode:
    drive: callable
    status: int = 9
    says: list = field(default_factory=lambda: TAKEN)
    command: tuple = ("WORKLOAD", "take")
    options: tuple = ()
    build: str = "release"
    name: str = "nest-init"
    parent: tuple = ()
    env: dict = field(default_factory=dict)
    patient: tuple = ("--stop-timeout", "60s")  # nothing may depend on the budget where nothing is lost
    hasty: tuple = ("--stop-timeout", "300ms")  # where something is, the budget ends the run
    rows: dict = field(default_factory=dict)  # instead of those in CALLS

    def row(self, call):
        return self.rows.get(call) or CALLS[call]


def stand_in(name, *options, **other):
    return Mode(name=name, options=options, patient=(), hasty=(), **{"drive": take, **other})


def to_the_end_of_the_budget(**other):
    budget = ("--stop-timeout", "300ms", "--drain", "100ms")
    return Mode(stop_the_tree, 137, STUBBORN_SAY, STUBBORN, patient=budget, hasty=budget, **other)


MODES = {
    "plain": Mode(take),
    "confined": Mode(take, options=("--cap-drop", "net_raw"), env=NO_SYSTEMD),
    "glibc": Mode(take, options=("--cap-drop", "net_raw"), env=NO_SYSTEMD, build="glibc"),
    "managed": Mode(take, options=("--cap-drop", "net_raw"), env=SYSTEMD),
    "glibc_managed": Mode(take, options=("--cap-drop", "net_raw"), env=SYSTEMD, build="glibc"),
    "notify": Mode(take, command=SPEAKS, options=("--ready", "notify", "--watchdog", "1h"), env=SYSTEMD),
    "monitor": Mode(take_and_kill_the_monitor, options=WATCHED, env=NO_SYSTEMD),
    "glibc_monitor": Mode(take_and_kill_the_monitor, options=(*WATCHED, "--cap-drop", "net_raw"), env=NO_SYSTEMD,
                          build="glibc"),
    "restart": Mode(kill_the_first_life, says=[*TAKEN, "ready"],
                    options=("--restart", "on-failure:1", "--restart-backoff", "10ms"),
                    rows={"close": Call("EINTR EIO", NO_NEWS, ALL), "read": Call("EAGAIN EINTR EIO ENOMEM", NO_NEWS)}),
    "exec_check": Mode(take, options=("--ready", "start_interval=10ms interval=10ms exec:true"), env=NO_SYSTEMD),
    "leftovers": Mode(stop_the_tree, 3, MEMBERS_SAY, MEMBERS),
    "subreaper": Mode(stop_the_tree, 3, MEMBERS_SAY, MEMBERS, **SUBREAPER),
    "glibc_subreaper": Mode(stop_the_tree, 3, MEMBERS_SAY, MEMBERS, **SUBREAPER, build="glibc"),
    "pre_stop": Mode(stop_the_leader, 3, ["leader", "leader up"], ("WORKLOAD", "member", "leader", "3"),
                     options=("--pre-stop", "true")),
    "killed": to_the_end_of_the_budget(),
    "killed_subreaper": to_the_end_of_the_budget(**SUBREAPER),
    "tini": stand_in("tini", "-vvv"),
    "dumb-init": stand_in("dumb-init", "-v", drive=stop_the_leader, status=3, says=["leader", "leader up"],
                          command=("WORKLOAD", "member", "leader", "3")),
    "catatonit": stand_in("catatonit"),
}


# --- a run under strace -------------------------------------------------------------------------------------------

@dataclass
class Run:
    status: int
    says: list    # what the workload said, sorted
    errors: str
    calls: list   # the lines of strace


def send_to(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def find_gated(n):
    """The process that is to become nest-init, once it waits for USR1."""
    todo = children(n.process.pid)
    while todo:
        pid = todo.pop()
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                gated = words.read().split(b"\0")[1:2] == [b"gated"]
            if gated and int(status_of(pid)["SigCgt"], 16) & 1 << signal.SIGUSR1 - 1:
                return pid
        except (OSError, KeyError):
            pass  # it has ended, or is between the two
        todo += children(pid)
    return None


def end_from_outside(n):
    """Ends the workload behind the back of PID 1; where none runs, PID 1 itself."""
    running = [pid for pid in children(n.pid) if executed_by(pid) not in (None, n.init)]
    for pid in running or [n.pid]:
        send_to(pid, signal.SIGKILL)
    return n.wait(PATIENCE) if running else 128 + signal.SIGKILL  # unshare(1) does not tell


def end_of(n, mode, row):
    if row is not None and (row.deaf or not mode.hasty):
        try:
            return n.wait(0.7)
        except subprocess.TimeoutExpired:
            return end_from_outside(n)
    try:
        return n.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return None


def traced(mode, workload, log, fault=(), row=None):
    """One run of the mode, from start to end. row: of the fault, if something is lost by it."""
    MANAGER.hear()  # nobody is to find its queue full
    command = [workload if word == "WORKLOAD" else word for word in mode.command]
    with Namespace(BINARIES[mode.build], *command, options=[*mode.options, *(mode.hasty if row else mode.patient)],
                   parent=mode.parent, wrap=[workload, "gated", mode.name], env=mode.env) as n:
        pid = wait_until(lambda: find_gated(n), pause=0.001)
        n.is_to_be(pid)
        with subprocess.Popen(["strace", "-qq", "-o", log, *fault, "-p", str(pid)]) as tracer:  # ends with nest-init
            wait_until(lambda: tracer.poll() is not None or status_of(pid)["TracerPid"] != "0", pause=0.001)
            os.kill(pid, signal.SIGUSR1)
            try:
                mode.drive(n, row is not None)
                status = end_of(n, mode, row)
            finally:
                send_to(pid, signal.SIGKILL)
        says = sorted(line for line in n.lines() if not line.startswith("["))  # tini reports there, in brackets
        return Run(status, says, n.errors(), log.read_text(errors="replace").splitlines())


def point_of_no_return(calls):
    return next(number for number, call in enumerate(calls) if call.startswith("pipe2(") and "O_NONBLOCK" in call)


def named(calls):
    return collections.Counter(call.partition("(")[0] for call in calls if "(" in call)


# --- the tests ----------------------------------------------------------------------------------------------------

def turns(before, count, only_the_first):
    """When a call is to fail, as strace(1) counts: `before` calls come before the point of no return."""
    once = {1} if only_the_first else {1, min(2, count), count}
    return {**{f"{before + turn}": False for turn in sorted(once)}, f"{before + 1}+": True}


def complaint(mode, row, error, every, run):
    """What is wrong with a run under a fault, or None."""
    loses = row.loses_by(error, every)
    fine = {mode.status} if row.keeps_status(error, every) else {mode.status, 137}
    if loses and CANNOT_START in run.errors:
        fine |= {125, 128 + signal.SIGTERM}
    if run.status not in fine:
        return f"status {run.status}, not {sorted(fine)}"
    if loses and collections.Counter(run.says) - collections.Counter(mode.says):
        return f"it says more than {mode.says}"
    if not loses and run.says != mode.says:
        return f"it does not say {mode.says}"
    if len(run.calls) > SPIN:
        return f"it spins: {len(run.calls)} calls"
    return None


def under(mode, workload, tmp_path, call, error, when, every):
    """A run in which the call fails. Returns whether it did so, and what is wrong, or None."""
    row = mode.row(call)
    loses = row.loses_by(error, every)
    fault = ["-e", f"trace={call}", "-e", f"inject={call}:{'retval' if error == '0' else 'error'}={error}:when={when}"]
    run = traced(mode, workload, tmp_path / f"{call}-{error}-{when}", fault, row if loses else None)
    wrong = complaint(mode, row, error, every, run)
    return (call, any("(INJECTED)" in line for line in run.calls),
            wrong and f"{call} {error} {when}: {wrong}; says {run.says}, {run.errors!r}")


# A child that executes at once is not waited for, and a check may come too late for systemd to hear of it.
NOT_ALWAYS_CALLED = {"ppoll", "signalfd4", "socket", "connect", "sendmsg"}


@pytest.mark.parametrize("name", MODES)
def test_whatever_system_call_fails_the_run_ends_as_it_should(workload, tmp_path, name):
    mode = MODES[name]
    undisturbed = traced(mode, workload, tmp_path / "undisturbed")
    assert (undisturbed.status, undisturbed.says) == (mode.status, mode.says), undisturbed.errors
    border = point_of_no_return(undisturbed.calls)
    before, after = named(undisturbed.calls[:border]), named(undisturbed.calls[border:])
    assert set(after) <= set(CALLS), "called below the point of no return, but not in the table of faults"
    runs = [(call, error, when, every) for call in after for number, error in enumerate(mode.row(call).errors.split())
            for when, every in turns(before[call], after[call], number > 1).items()]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda run: under(mode, workload, tmp_path, *run), runs))
    wrong = [sentence for _, _, sentence in results if sentence]
    assert not wrong, "\n".join(wrong)
    assert {call for call in after if mode.row(call).errors} - {call for call, failed, _ in results if failed} \
        <= NOT_ALWAYS_CALLED


def test_no_monitor_is_started_again_once_the_end_is_certain(nest_init, workload, tmp_path):
    """Both are dead when the first is reaped, and the restart is due when the last is."""
    slowly = ["-e", "trace=wait4,fork", "-e", "inject=wait4:delay_enter=300000"]
    strace = ["strace", "-qq", "-o", tmp_path / "log", *slowly]
    with Namespace(nest_init, workload, "take", options=WATCHED, parent=strace) as n:
        n.wait_for("ready")
        main, monitor = n.workload(), wait_until(lambda: monitors(n))[0]
        os.kill(monitor, signal.SIGKILL)
        os.kill(main, signal.SIGKILL)
        assert n.wait() == 137
    assert "ECHILD" in (tmp_path / "log").read_text().splitlines()[-1]
