"""A service that speaks for itself (sd_notify): READY=1, STATUS=, WATCHDOG=1 and their like, by real programs and by
those who have no business there; and a monitor that is killed meanwhile."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from listener import Listener
from namespace import Namespace, children, environment_of, status_of, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

PYTHON = shutil.which("python3", path="/usr/bin:/bin")
NOTIFY = ("--ready", "notify")

# Does what its standard input says, line by line, and says so.
SPEAKER = r"""
import array, os, select, signal, socket, subprocess, sys, time

def address():
    name = os.environ["NOTIFY_SOCKET"]
    return "\0" + name[1:] if name.startswith("@") else name

def send(text, fds=()):
    data = text if isinstance(text, bytes) else text.encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect(address())
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        out.sendmsg([data], rights)

def barrier(seconds=None):
    # As sd_notify_barrier(3) does it: the other end is closed once all before it was read.
    mine, theirs = os.pipe()
    send("BARRIER=1", [theirs])
    os.close(theirs)
    heard = select.select([mine], [], [], seconds)[0] != []
    os.close(mine)
    return heard

def as_child(what, new_session=False, orphan=False, uid=None):
    # Runs it in a child that stays until it is ended.
    if os.fork():
        return
    if new_session:
        os.setsid()
    if orphan and os.fork():
        os._exit(0)
    if uid is not None:
        os.setuid(uid)
    what()
    print("child done", flush=True)
    time.sleep(1000)

print("up", os.getpid(), flush=True)
for line in sys.stdin:
    try:
        exec(line)
        print("done", flush=True)
    except Exception as error:
        print("failed", repr(error), flush=True)
"""


class Speaking(Namespace):
    """A service that does what it is told."""

    def __init__(self, init, *options, **other):
        super().__init__(init, PYTHON, "-u", "-c", SPEAKER, options=options, stdin=subprocess.PIPE, **other)
        self.said = 0

    def does(self, line):
        """Has it done, and waits until it is."""
        before = [said for said in self.lines() if said.startswith(("done", "failed"))]
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        said = wait_until(lambda: [said for said in self.lines() if said.startswith(("done", "failed"))][len(before):])
        assert said == ["done"], said

    def up(self):
        wait_until(lambda: any(line.startswith("up ") for line in self.lines()))

    def says(self, *texts):
        """Sends them, and waits until they were heard."""
        for text in texts:
            self.does(f"send({text!r})")
        self.does("barrier()")

    def close(self):
        self.process.stdin.close()
        super().close()


def inside(n, *command, **other):
    """As docker exec has it: no descendant of PID 1."""
    return subprocess.run(["nsenter", f"--target={n.pid}", "--pid", "--mount", *map(str, command)], capture_output=True,
                          text=True, timeout=60, **other)


def health(n, *words):
    return inside(n, n.init, "health", *words)


def ready(n):
    """None until there is an answer."""
    shown = health(n, "--ready")
    return None if "no nest-init answers" in shown.stdout else shown.returncode == 0


def reason(n, *words):
    return health(n, *words).stdout.splitlines()[0]


def status(n):
    return json.loads(wait_until(lambda: inside(n, n.init, "status", "--json").stdout))


def monitor(n):
    """Its pid."""
    def found():
        for pid in children(n.pid):
            try:
                if b"monitor" in open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0"):
                    return pid
            except OSError:
                pass
        return None
    return wait_until(found)


# --- who is asked to speak ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, names", [
    ([], set()),
    (["--ready", "file:/etc/passwd"], set()),
    (NOTIFY, {"NOTIFY_SOCKET"}),
    (["--watchdog", "3s"], {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}),
])
def test_the_workload_is_asked_to_speak_where_somebody_listens(either, tmp_path, options, names):
    with Listener(str(tmp_path / "notify")) as systemd, \
            Namespace(either, "sh", "-c", "echo up $$; exec sleep 1000", options=options, env={
                **systemd.env, "WATCHDOG_USEC": "123456789", "WATCHDOG_PID": "1"}) as n:
        n.wait_for("up 2")
        seen = environment_of(n.workload())
        assert {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(seen) == names
        if names:
            assert seen["NOTIFY_SOCKET"].startswith("@nest-init/") and seen["NOTIFY_SOCKET"].endswith("/notify")
        if "WATCHDOG_PID" in names:
            assert (seen["WATCHDOG_USEC"], seen["WATCHDOG_PID"]) == ("3000000", "2")


def test_under_another_name_too(either, tmp_path):
    alias = tmp_path / "tini"
    alias.symlink_to(either)
    with Listener(str(tmp_path / "notify")) as systemd, \
            subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", alias, "--", "sh", "-c",
                              "sleep 0.3; systemd-notify --ready; exec sleep 1000"],
                             env={**os.environ, **systemd.env, "NEST_INIT_READY": "notify"}) as run:
        try:
            time.sleep(0.2)
            assert systemd.hear() == []
            wait_until(systemd.hear)
            assert systemd.heard == ["READY=1"]
        finally:
            for child in children(run.pid):
                os.kill(child, signal.SIGKILL)


# --- ready --------------------------------------------------------------------------------------------------------

def test_it_is_ready_when_it_says_so(either, tmp_path):
    with Listener(str(tmp_path / "notify")) as systemd, Speaking(either, *NOTIFY, env=systemd.env) as n:
        n.up()
        wait_until(lambda: ready(n) is False)
        assert reason(n, "--ready") == "not ready: notify: no READY=1 yet"
        n.says("STATUS=warming up")
        assert ready(n) is False and systemd.hear() == []
        n.says("READY=1")
        assert ready(n) is True
        n.says("RELOADING=1\nMONOTONIC_USEC=12345")
        assert reason(n, "--ready") == "not ready: notify: RELOADING=1"
        n.says("READY=1")
        assert ready(n) is True
        n.says("STOPPING=1")
        assert reason(n, "--ready") == "not ready: notify: STOPPING=1"
        assert systemd.hear() == ["READY=1"]
        assert n.errors() == ""


def test_settings_for_many_looks_mean_nothing_to_it(either):
    with Speaking(either, "--ready", "success_threshold=5 retries=7 notify") as n:
        n.up()
        n.says("READY=1")
        assert ready(n) is True
        n.says("RELOADING=1")
        assert ready(n) is False


def test_it_is_one_of_several_conditions(either, public):
    flag = public / "flag"
    with Speaking(either, *NOTIFY, "--ready", f"file:{flag}", "--health-start-interval", "20ms") as n:
        n.up()
        n.says("READY=1")
        assert ready(n) is False
        flag.touch()
        wait_until(lambda: ready(n))


def test_a_new_life_begins_anew(either, tmp_path):
    with Speaking(either, *NOTIFY, "--restart", "always", "--restart-backoff", "10ms") as n:
        n.up()
        n.says("READY=1\nSTATUS=first\nERRNO=5")
        assert ready(n) is True
        first = n.workload()
        n.process.stdin.write(b"os._exit(0)\n")
        n.process.stdin.flush()
        wait_until(lambda: sum(line.startswith("up") for line in n.lines()) == 2)
        wait_until(lambda: status(n)["services"][0]["starts"] == 2 and status(n)["state"] == "running")
        assert status(n)["services"][0]["says"] == {"state": "starting", "status": "", "errno": 0}
        assert reason(n, "--ready") == "not ready: notify: no READY=1 yet"
        n.says("READY=1")
        assert ready(n) is True and n.workload() != first


def test_what_is_said_before_anybody_listens_is_heard(either):
    """It speaks as soon as it is executed, before the monitor is."""
    with Namespace(either, PYTHON, "-c", SPEAKER.replace("for line in sys.stdin", "send('READY=1')\nfor line in sys.stdin"),
                   options=NOTIFY, stdin=subprocess.PIPE) as n:
        wait_until(lambda: ready(n))
        n.process.stdin.close()


# --- status -------------------------------------------------------------------------------------------------------

def test_its_words_are_shown(either):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("STATUS=loading 3 of 7", "ERRNO=13")
        assert status(n)["services"][0]["says"] == {"state": "starting", "status": "loading 3 of 7", "errno": 13}
        assert "it says         starting: loading 3 of 7 (error 13: Permission denied)\n" in inside(n, n.init, "status").stdout
        n.says("READY=1\nSTATUS=\nERRNO=0")
        assert "it says         ready\n" in inside(n, n.init, "status").stdout


@pytest.mark.parametrize("text, shown", [
    (b"STATUS=\x1b[2J\r\x07\xc3\xa4\xff ok", "?[2J?????" + " ok"),
    (b"STATUS=" + b"x" * 4000, "x" * 479),
    (b"STATUS=one\nSTATUS=two\n\n", "two"),
])
def test_its_words_do_no_harm(either, text, shown):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says(text)
        assert status(n)["services"][0]["says"]["status"] == shown
        assert f"starting: {shown}\n" in inside(n, n.init, "status").stdout


def test_nothing_is_shown_of_a_service_that_is_not_asked(either):
    with Namespace(either, "sleep", "1000", options=["--ready", "file:/etc/passwd"]) as n:
        wait_until(lambda: ready(n))
        assert "says" not in status(n)["services"][0]
        assert "it says" not in inside(n, n.init, "status").stdout


# --- the watchdog -------------------------------------------------------------------------------------------------

def test_who_says_nothing_is_not_alive(either):
    with Speaking(either, "--watchdog", "300ms") as n:
        n.up()
        wait_until(lambda: reason(n, "--live") == "not alive: watchdog: no WATCHDOG=1 for 300ms")
        n.says("WATCHDOG=1")
        wait_until(lambda: health(n, "--live").returncode == 0)
        wait_until(lambda: reason(n, "--live") == "not alive: watchdog: no WATCHDOG=1 for 300ms")


def test_who_says_it_in_time_stays_alive(either):
    with Speaking(either, "--watchdog", "20s") as n:
        n.up()
        for _ in range(5):
            n.says("WATCHDOG=1")
            assert health(n, "--live").returncode == 0
        check, = [check for check in status(n)["checks"] if check["name"] == "watchdog"]
        assert (check["kind"], check["successes"], check["failures"], check["reason"]) == ("live", 5, 0, "WATCHDOG=1")


def test_a_trigger_fails_at_once(either):
    with Speaking(either, "--watchdog", "1h") as n:
        n.up()
        n.says("WATCHDOG=trigger")
        assert reason(n, "--live") == "not alive: watchdog: WATCHDOG=trigger"


def test_the_service_chooses_another_time(either):
    with Speaking(either, "--watchdog", "1h") as n:
        n.up()
        n.says("WATCHDOG_USEC=200000")
        wait_until(lambda: reason(n, "--live") == "not alive: watchdog: no WATCHDOG=1 for 200ms")
        n.says("WATCHDOG_USEC=3600000000\nWATCHDOG=1")
        time.sleep(0.4)
        assert health(n, "--live").returncode == 0


def test_it_cannot_choose_to_be_left_alone(either):
    with Speaking(either, "--watchdog", "300ms") as n:
        n.up()
        n.says("WATCHDOG_USEC=0", "WATCHDOG_USEC=18446744073709551615")
        wait_until(lambda: reason(n, "--live") == "not alive: watchdog: no WATCHDOG=1 for 300ms")


def test_the_start_period_is_its_own(either):
    """Until READY=1 or the first WATCHDOG=1, and at the latest until the start period is over."""
    with Speaking(either, *NOTIFY, "--watchdog", "200ms", "--health-start-period", "1h") as n:
        n.up()
        time.sleep(0.5)
        n.says("STATUS=x")
        assert health(n, "--live").returncode == 0
        n.says("READY=1\nWATCHDOG=1")
        wait_until(lambda: reason(n, "--live") == "not alive: watchdog: no WATCHDOG=1 for 200ms")
    with Speaking(either, "--watchdog", "200ms", "--health-start-period", "300ms") as n:
        wait_until(lambda: "no WATCHDOG=1 for 200ms" in reason(n, "--live"))


def test_a_hung_service_is_started_again(either):
    with Speaking(either, "--watchdog", "500ms", "--on-unhealthy", "restart", "--restart-backoff", "10ms",
                  "--stop-timeout", "10s") as n:
        n.up()
        n.says("WATCHDOG=1")
        wait_until(lambda: sum(line.startswith("up") for line in n.lines()) >= 2)
        assert "a check found python3" in n.errors()
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_without_a_watchdog_it_may_say_what_it_likes(either):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("READY=1\nWATCHDOG=trigger\nWATCHDOG_USEC=1000")
        time.sleep(0.1)
        assert health(n, "--live").returncode == 0 and ready(n) is True


# --- who is heard -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["", "uid=65534", "new_session=True", "orphan=True", "orphan=True, uid=65534"])
def test_its_children_speak_for_it(either, how):
    """NotifyAccess=all: also one in a session of its own, or one in its session that its parent has left."""
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.does(f"as_child(lambda: (send('READY=1'), barrier()), {how})")
        n.wait_for("child done")
        assert ready(n) is True and n.errors() == ""


FROM_OUTSIDE = """
import os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.connect("\\0" + sys.argv[1][1:])
    out.send(b"READY=1\\nSTATUS=evil")
    mine, theirs = os.pipe()
    socket.send_fds(out, [b"BARRIER=1"], [theirs])
    os.close(theirs)
    sys.exit(0 if os.read(mine, 1) == b"" else 1)
"""


@pytest.mark.parametrize("who", ["host", "exec", "exec as another user", "orphan in a session of its own"])
def test_nobody_else_speaks_for_it(either, who):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        name = environment_of(n.workload())["NOTIFY_SOCKET"]
        if who == "host":  # as a neighbour of the pod: the network namespace is shared, the PID namespace is not
            assert subprocess.run([PYTHON, "-c", FROM_OUTSIDE, name], timeout=60).returncode == 0
        elif who == "exec":
            assert inside(n, PYTHON, "-c", FROM_OUTSIDE, name).returncode == 0
        elif who == "exec as another user":
            assert inside(n, "setpriv", "--reuid=1234", "--clear-groups", PYTHON, "-c", FROM_OUTSIDE, name).returncode == 0
        else:
            n.does("as_child(lambda: (time.sleep(0.2), send('READY=1\\nSTATUS=evil'), barrier()), new_session=True, orphan=True)")
            n.wait_for("child done")
        n.wait_for_error("a message to NOTIFY_SOCKET is not heard: pid ")
        assert ready(n) is False
        assert status(n)["services"][0]["says"]["status"] == ""
        n.says("READY=1")
        assert ready(n) is True
        assert n.errors().count("is not heard") == 1  # once a life


FORGED = """
import os, socket, struct, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.connect("\\0" + sys.argv[1][1:])
    credentials = struct.pack("iII", int(sys.argv[2]), int(sys.argv[3]), 0)
    out.sendmsg([b"READY=1"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)])
"""


def test_a_number_alone_does_not_make_kin(either):
    """A process of the service has the number of a sender that ended by now, but is not the same user: only root can
    forge that, so root does."""
    with Speaking(either, *NOTIFY) as n:
        n.up()
        name = environment_of(n.workload())["NOTIFY_SOCKET"]
        n.does("as_child(lambda: print('child', os.getpid(), flush=True))")
        n.wait_for("child done")
        child = next(line.split()[1] for line in n.lines() if line.startswith("child ") and line != "child done")
        assert inside(n, PYTHON, "-c", FORGED, name, child, 1234).returncode == 0
        n.wait_for_error(f"pid {child} (user 1234) is not of the service")
        assert ready(n) is False
        assert inside(n, PYTHON, "-c", FORGED, name, child, 0).returncode == 0
        wait_until(lambda: ready(n))


def test_who_has_ended_is_not_heard(either):
    """Nobody knows who it was. sd_notify_barrier(3) is for that."""
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("STATUS=x")
        os.kill(monitor(n), signal.SIGSTOP)
        n.does("p = os.fork() or (send('READY=1'), os._exit(0)); os.waitpid(p, 0)")
        os.kill(monitor(n), signal.SIGCONT)
        n.wait_for_error("is not of the service, or has ended")
        assert ready(n) is False


def test_the_main_process_is_who_it_is(either):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("MAINPID=2")
        assert n.errors() == ""
        n.says("READY=1\nMAINPID=77", "MAINPID=78")
        assert ready(n) is True
        assert n.errors() == ("nest-init monitor: MAINPID=77 is passed over: the main process is the one that PID 1 started\n")
        assert status(n)["services"][0]["pid"] == 2


# --- what does harm elsewhere -------------------------------------------------------------------------------------

@pytest.mark.parametrize("message", [
    "b'READY=1\\n' + b'x' * 4089", "b'READY=1\\n' + b'x' * 100000", "b'READY=1\\n\\0\\0'", "b'\\0READY=1'",
    "bytes(range(256)) * 4 + b'\\nREADY=1'", "b'READY=1\\0\\nREADY=1'",
])
def test_what_is_no_message_is_not_heard(either, message):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.does(f"send({message})")
        n.does("barrier()")
        assert ready(n) is False
        assert "is not heard: it has a NUL or more than 4096 bytes" in n.errors()
        n.says("READY=1")
        assert ready(n) is True


@pytest.mark.parametrize("message, heard", [
    ("b'READY=1\\n' + b'x' * 4088", True), ("b'READY=1\\0'", True), ("b''", False), ("b'\\n'", False), ("b'READY=1 '", False),
    ("bytes(range(1, 256)) * 4 + b'\\nREADY=1\\n' + bytes(range(128, 256))", True),
])
def test_what_is_odd_is_read_as_systemd_reads_it(either, message, heard):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.does(f"send({message})")
        n.does("barrier()")
        assert ready(n) is heard and n.errors() == ""


def test_descriptors_are_closed_and_never_taken(either):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("STATUS=x")
        before = len(os.listdir(f"/proc/{monitor(n)}/fd"))
        n.does("files = [os.open('/dev/null', os.O_RDONLY) for i in range(250)]")
        for _ in range(20):
            n.does("send('FDSTORE=1\\nFDNAME=x', files)")
        n.says("READY=1")
        assert ready(n) is True
        assert len(os.listdir(f"/proc/{monitor(n)}/fd")) == before


def test_a_flood_of_others_does_not_drown_it(either):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        name = environment_of(n.workload())["NOTIFY_SOCKET"]
        flood = f"import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect({chr(0) + name[1:]!r})\n" \
                "while True: s.send(b'READY=1\\nSTATUS=evil')"
        with subprocess.Popen(["nsenter", f"--target={n.pid}", "--pid", "--mount", PYTHON, "-c", flood]) as flooding:
            try:
                n.wait_for_error("is not heard")
                n.says("STATUS=mine\nREADY=1")
                assert ready(n) is True
                assert status(n)["services"][0]["says"]["status"] == "mine"
            finally:
                flooding.kill()


def test_its_own_flood_does_not_keep_pid_1_busy(either):
    """A new STATUS= wakes PID 1 ten times a second at the most."""
    def turns():
        with open(f"/proc/{n.pid}/status") as lines:
            return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("READY=1")
        before, start = turns(), time.monotonic()
        n.does("[send('STATUS=%d' % i) for i in range(20000)]")
        n.does("barrier()")
        seconds = time.monotonic() - start
        assert turns() - before <= 10 * (seconds + 1) * 3
        assert status(n)["services"][0]["says"]["status"] == "19999"
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


# --- a monitor that is killed -------------------------------------------------------------------------------------

def kill_monitor(n):
    """And waits until there is another one."""
    first = monitor(n)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in children(n.pid))


def test_what_was_said_outlives_the_monitor(either):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("READY=1\nSTATUS=serving\nERRNO=7\nWATCHDOG_USEC=9000000")
        time.sleep(0.3)  # a new STATUS= alone may wait so long to be told
        kill_monitor(n)
        assert wait_until(lambda: health(n, "--ready").stdout) == "ready\n"  # nobody hears the contrary in between
        assert status(n)["services"][0]["says"] == {"state": "ready", "status": "serving", "errno": 7}
        n.says("STOPPING=1")
        kill_monitor(n)
        wait_until(lambda: "STOPPING=1" in reason(n, "--ready"))


def test_what_is_said_while_there_is_no_monitor_is_heard(either):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("STATUS=x")
        os.kill(monitor(n), signal.SIGKILL)
        n.does("send('READY=1')")
        wait_until(lambda: ready(n))


def test_no_message_is_lost_however_often_the_monitor_is_killed(either):
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("READY=1")
        for turn in range(6):
            word, is_ready = (("RELOADING=1", False), ("READY=1", True))[turn % 2]
            victim = monitor(n)
            n.process.stdin.write(f"send({word!r})\n".encode())
            n.process.stdin.flush()
            time.sleep(0.0005 * turn)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: ready(n) is is_ready)


def test_what_pid_1_was_told_is_not_lost_with_who_told_it(either):
    """It hears of the monitor's end before it has read all that the monitor said."""
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("READY=1")
        victim = monitor(n)
        os.kill(n.pid, signal.SIGSTOP)
        n.says("RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1")
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: status_of(victim)["State"].startswith("Z"))
        go_on(n)
        wait_until(lambda: victim not in children(n.pid))
        wait_until(lambda: "STOPPING=1" in reason(n, "--ready"))


def go_on(n):
    os.kill(n.pid, signal.SIGCONT)
    os.kill(n.process.pid, signal.SIGCONT)  # unshare(1) has stopped as its child did


UNTIL_UNHEARD = "\n".join(["turns = 0", "while turns < 5000:", " turns += 1", " send(('READY=1', 'RELOADING=1')[turns % 2])",
                             " if not barrier(2): break", "print('turns', turns, flush=True)"])


def test_what_pid_1_was_not_told_is_not_taken_out_of_the_queue(either):
    """PID 1 is stopped, so that the channel to it is full at some time; the monitor is killed then."""
    with Speaking(either, *NOTIFY) as n:
        n.up()
        n.says("READY=1")
        victim = monitor(n)
        os.kill(n.pid, signal.SIGSTOP)
        n.does(f"exec({UNTIL_UNHEARD!r})")
        os.kill(victim, signal.SIGKILL)
        go_on(n)
        turns = int(next(line.split()[1] for line in n.lines() if line.startswith("turns ")))
        assert 10 < turns < 5000
        wait_until(lambda: victim not in children(n.pid) and ready(n) is (turns % 2 == 0))
        said = ("READY=1", "RELOADING=1")[turns % 2]
        wait_until(lambda: any(check["reason"] == said for check in status(n)["checks"]))


def test_a_monitor_that_was_killed_gives_a_whole_time_anew(either):
    with Speaking(either, "--watchdog", "1500ms") as n:
        n.up()
        n.says("WATCHDOG=1")
        kill_monitor(n)
        wait_until(lambda: "no WATCHDOG=1 for 1.5s" in reason(n, "--live"))


# --- real programs ------------------------------------------------------------------------------------------------

def test_systemd_notify_speaks_for_a_script(either):
    """It waits until it was heard (BARRIER=1), and ends with 0 only then."""
    script = 'systemd-notify --status="half way" && systemd-notify --ready && echo heard; read line; ' \
             'systemd-notify WATCHDOG=trigger && echo heard again; exec sleep 1000'
    with Namespace(either, "sh", "-c", script, options=[*NOTIFY, "--watchdog", "1h"], stdin=subprocess.PIPE) as n:
        n.wait_for("heard")
        assert ready(n) is True
        assert status(n)["services"][0]["says"]["status"] == "half way"
        n.process.stdin.write(b"\n")
        n.process.stdin.close()
        n.wait_for("heard again")
        assert "WATCHDOG=trigger" in reason(n, "--live")
        assert n.errors() == "nest-init monitor: check watchdog (live) failed: WATCHDOG=trigger\n"


CONFINED = ("--user", "65534", "--cap-drop", "all", "--seccomp", "node", "--seccomp-report", "--read-only=landlock")


@pytest.mark.parametrize("options", [(), CONFINED], ids=["plain", "confined"])
def test_redis_speaks_for_itself(either, public, options):
    """Under all that takes descriptors of the monitor, too: an address for metrics, denial reports."""
    public.chmod(0o777)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        metrics = f"127.0.0.1:{taken.getsockname()[1]}"
    with Namespace(either, "redis-server", "--supervised", "systemd", "--port", "0", "--save", "", "--unixsocket",
                   public / "socket", options=[*NOTIFY, *options, "--writable", public, "--metrics", metrics]) as n:
        wait_until(lambda: ready(n))
        assert "Ready to accept connections" in status(n)["services"][0]["says"]["status"]


def test_node_speaks_through_a_child(either):
    program = """
const http = require("http"), {execFile} = require("child_process");
http.createServer((request, reply) => reply.end("hello")).listen(0, "127.0.0.1", () =>
    execFile("systemd-notify", ["--ready", "--status=listening"], (error) => console.log(error ? "refused" : "heard")));
"""
    with Namespace(either, shutil.which("node"), "-e", program, options=NOTIFY) as n:
        n.wait_for("heard")
        assert ready(n) is True
        assert status(n)["services"][0]["says"] == {"state": "ready", "status": "listening", "errno": 0}


def test_where_nest_init_is_not_pid_1(either):
    with Speaking(either, *NOTIFY, parent=Namespace.PLAIN_PARENT) as n:
        n.up()
        variables = environment_of(n.workload())
        assert variables["NOTIFY_SOCKET"].rsplit("/", 2)[1:] == [variables["NEST_INIT_CONTROL"].rsplit("/", 1)[1], "notify"]
        n.says("READY=1")
        shown = inside(n, "env", f"NEST_INIT_CONTROL={variables['NEST_INIT_CONTROL']}", n.init, "health", "--ready")
        assert shown.returncode == 0
