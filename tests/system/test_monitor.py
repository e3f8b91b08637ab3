"""The monitor: what it may do, what happens when it dies, hangs or goes mad, and what its checks make of the service.

NEST_INIT names the binary, the release unless it is set. It runs as PID 1 of runc containers whose image has it and one
static program, and nothing else. The services that are checked live in this process, with sockets in the container's
network: so a test decides to the request what they answer. Where time counts, limits are far from what is expected.
"""
import contextlib
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

import bundle
from namespace import environment_of, monitor_of, without_certificate

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/release/nest-init"))
MONITOR = "http://127.0.0.1:9911"
METRICS = ("--metrics", "127.0.0.1:9911")
BACKSTOP = 20  # seconds: nothing here comes near
NOBODY = 65534
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("runc"), reason="needs root and runc")

# PORT STATUS [OUTER...]: answers HTTP, a request for /slow after a second, one for /burn after 0.2 s of the processor's
# time (who answers that ends when its client does); says what it is sent; TERM ends it with STATUS.
WORKLOAD = r"""
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int status;
static void say(const char *text) { if (write(1, text, strlen(text)) < 0) _exit(99); }
static void on_term(int number) { (void)number; _exit(status); }
static void on_usr1(int number) { (void)number; say("USR1\n"); }

static void answer(int client)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwell\n";
    char request[4096];
    ssize_t length = read(client, request, sizeof request);

    if (length > 9 && memcmp(request, "GET /slow", 9) == 0) {
        say("slow\n");
        sleep(1);
    }
    if (length > 9 && memcmp(request, "GET /burn", 9) == 0) {
        while (clock() < CLOCKS_PER_SEC / 5)
            continue;
        if (write(client, text, sizeof text - 1) < 0 || read(client, request, 1) < 0)
            _exit(1);
        _exit(0);
    }
    if (write(client, text, sizeof text - 1) < 0)
        _exit(1);
    _exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (argc < 3)
        return 98;
    status = atoi(argv[2]);
    signal(SIGTERM, on_term);
    signal(SIGUSR1, on_usr1);
    signal(SIGCHLD, SIG_IGN);
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 64) < 0)
        return 97;
    say("listening\n");
    for (;;) {
        int client = accept(listener, NULL, NULL);

        if (client >= 0 && fork() == 0)
            answer(client);
        if (client >= 0)
            close(client);
    }
}
"""


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """What a container has: nest-init and the workload."""
    folder = tmp_path_factory.mktemp("workload")
    (folder / "work.c").write_text(WORKLOAD)
    subprocess.run(["gcc", "-std=gnu11", "-Os", "-s", "-static", "-o", folder / "work", folder / "work.c"], check=True)
    (folder / "there").write_text("")
    return {"/nest-init": NEST_INIT, "/work": folder / "work", "/there": folder / "there"}


@pytest.fixture
def start(image):
    """start(OPTION..., **of the container): a container, whose workload serves port 4000; gone with the test."""
    with contextlib.ExitStack() as stack:
        def run(*options, command=("/work", 4000, 7), files=None, **more):
            args = ["/nest-init", *options, "--", *command] if command else ["/nest-init", *options]
            return stack.enter_context(bundle.Container(args, files={**image, **(files or {})}, **more))
        yield run
    assert bundle.leftovers() == []


# --- looking ------------------------------------------------------------------------------------------------------

def until(condition, what, seconds=BACKSTOP):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
    except OSError:
        return [""]


def monitor(container):
    return until(lambda: monitor_of(container.pid), "there is a monitor")


def workload(container):
    return until(lambda: [p for p in children(container.pid) if command_line(p)[0] == "/work"], "the workload runs")[0]


def replaced(container, old):
    """The pid of the monitor that comes after the old one."""
    def other():
        pid = monitor_of(container.pid)
        return pid if pid != old else None
    return until(other, f"another monitor than {old}")


def answers(container, path="/livez", status=200):
    return container.wait_http(MONITOR + path, status, timeout=BACKSTOP)


def samples(container):
    """{"family{labels}": value} of /metrics, without nest_init_."""
    page = container.http(f"{MONITOR}/metrics").text
    return {name.removeprefix("nest_init_"): float(value)
            for name, value in re.findall(r"^([^# ][^ ]*(?:\{.*\})?) (\S+)$", page, re.M)}


def descriptors(pid):
    return {int(path.name): os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}


def health(container, *options, **how):
    done = container.exec("/nest-init", "health", "--timeout", "20s", *options, **how)
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def switches(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


class Service:
    """A service in the container's network, which answers what the test says: a status, "hang" or "drop"."""

    def __init__(self, container, port, answer=200):
        self.answer = answer
        self.asked = 0
        self.listener = container.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(64)
        self.held = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.answer == "hang":
                    self.held.append(client)
                    self.asked += 1
                    continue
                with client, contextlib.suppress(OSError):
                    client.settimeout(1)
                    client.recv(4096)
                    if self.answer != "drop":
                        client.sendall(f"HTTP/1.1 {self.answer} Told\r\nContent-Length: 0\r\n\r\n".encode())
                    self.asked += 1

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for client in self.held:
            client.close()

    __enter__ = lambda self: self

    def __exit__(self, *_):
        self.close()


# --- what it is ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how, uid, bounding", [
    ({}, NOBODY, 0),
    ({"caps": ["setuid", "setgid"]}, NOBODY, 1 << 6 | 1 << 7),  # no SETPCAP: the bounding set cannot be emptied
    ({"caps": []}, 0, 0),
    ({"user": 1001}, 1001, None),
], ids=["root", "without_setpcap", "root_without_capabilities", "another_user"])
def test_the_monitor_has_no_power(start, how, uid, bounding):
    container = start(*METRICS, env={"DATABASE_URL": "secret", "NEST_INIT_HEALTH_RETRIES": "5"}, **how)
    answers(container)
    pid = monitor(container)
    status = container.status_of(pid)
    assert int(status["PPid"]) == container.pid
    assert (status["Uid"].split(), status["Gid"].split()) == ([str(uid)] * 4, [str(uid)] * 4)
    held = {name: int(status[name], 16) for name in SETS}
    if bounding is None:
        bounding = int(container.status_of()["CapBnd"], 16)
    assert held == {**dict.fromkeys(SETS, 0), "CapBnd": bounding}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert os.getpgid(pid) == pid  # what a terminal sends to PID 1's group is not for it
    assert Path(f"/proc/{pid}/environ").read_bytes() == b"NEST_INIT_HEALTH_RETRIES=5\0"


def test_the_monitor_has_only_its_own_descriptors(start):
    container = start(*METRICS)
    answers(container)
    pid = monitor(container)
    sockets = lambda: [link for link in descriptors(pid).values() if link.startswith("socket:")]
    until(lambda: len(sockets()) <= 3, "our own connection is closed on the other side too")
    own, pid1 = descriptors(pid), descriptors(container.pid)
    assert [own[fd] for fd in range(3)] == [pid1[fd] for fd in range(3)]
    shared = {link for link in own.values() if link.startswith("socket:")} & set(pid1.values())
    assert len(shared) == 2 and {own[4], own[6]} == shared  # the control socket and --metrics: PID 1 keeps both
    assert own[3].startswith("socket:") and own[3] not in shared  # its end of the channel
    others = [link for fd, link in own.items() if fd == 5 or fd > 6]
    assert all(link == "/proc" or link.startswith("/sys/fs/cgroup") or link == "anon_inode:[eventpoll]"
               for link in others), others


def test_the_workload_inherits_none_of_it(start):
    """Not at the start, and not from the fork that starts the monitor again."""
    container = start(*METRICS, "--ready", "http://127.0.0.1:4000/")
    answers(container, "/readyz")
    main = workload(container)
    listener, = (link for fd, link in descriptors(main).items() if fd > 2)  # the one it made itself
    assert listener not in descriptors(container.pid).values()
    old = monitor(container)
    os.kill(old, signal.SIGKILL)
    replaced(container, old)
    assert set(descriptors(main)) == {0, 1, 2, 3}
    assert os.path.samefile(f"/proc/{monitor(container)}/exe", f"/proc/{container.pid}/exe")


@pytest.mark.skipif(not shutil.which("unshare"), reason="unshare is not installed")
def test_what_pid_1_inherited_is_the_workloads_and_not_the_monitors():
    reader, writer = os.pipe()
    process = subprocess.Popen(["unshare", "-pf", "--mount-proc", "--kill-child", NEST_INIT, "--ready", "file:/", "--",
                                "/bin/sleep", "1000"], pass_fds=[writer], stdin=subprocess.DEVNULL)
    try:
        pid1, = until(lambda: children(process.pid), "PID 1")
        pid = until(lambda: monitor_of(pid1), "its monitor")
        main, = (child for child in children(pid1) if child != pid)
        pipe = os.readlink(f"/proc/self/fd/{writer}")
        assert descriptors(main)[writer] == pipe
        assert pipe not in descriptors(pid).values()
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)


@pytest.mark.skipif("release" not in NEST_INIT, reason="figures of the release")
def test_pid_1_stays_small_beside_a_monitor(start):
    container = start(*METRICS, "--ready", "http://127.0.0.1:4000/")
    answers(container, "/readyz")
    rollup = Path(f"/proc/{container.pid}/smaps_rollup").read_text()
    dirty = sum(int(kib) for kib in re.findall(r"^Private_Dirty:\s+(\d+) kB", rollup, re.M))
    assert dirty <= 96
    assert int(container.status_of()["VmRSS"].split()[0]) <= 768


def test_nothing_happens_when_nothing_happens(start):
    """No wakeup of PID 1 or the monitor: neither polls for anything."""
    container = start(*METRICS, "--ready", "http://127.0.0.1:4000/")
    answers(container, "/readyz")
    health(container)
    pids = container.pid, monitor(container)
    time.sleep(0.2)
    before = [switches(pid) for pid in pids]
    time.sleep(1.5)
    assert [switches(pid) for pid in pids] == before


# --- its death ----------------------------------------------------------------------------------------------------

def test_a_killed_monitor_is_not_missed(start):
    """The workload goes on, with the request in flight; a port never refuses; a verdict never falls."""
    container = start(*METRICS, "--ready", "http://127.0.0.1:4000/", "--startup", "tcp://127.0.0.1:4000")
    answers(container, "/readyz")
    main, old = workload(container), monitor(container)
    slow, seen, stop = [], [], threading.Event()

    def ask_slow():
        slow.append(container.http("http://127.0.0.1:4000/slow").text)

    def ask_always():
        while not stop.is_set():
            try:
                seen.append(container.http(f"{MONITOR}/readyz").status)
            except ConnectionRefusedError:
                seen.append("refused")
            except (OSError, http.client.HTTPException):
                pass  # a connection that the killed one had taken

    threads = [threading.Thread(target=ask_slow), threading.Thread(target=ask_always)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: "slow" in container.output(), "the request arrives")
        begin = time.monotonic()
        os.kill(old, signal.SIGKILL)
        new = replaced(container, old)
        assert health(container)[0] == 0
        assert samples(container)["monitor_restarts_total"] == 1
        assert time.monotonic() - begin < 5
        time.sleep(0.3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert slow == ["well\n"]
    assert set(seen) == {200}
    assert workload(container) == main and monitor(container) == new
    status = container.exec("/nest-init", "status").stdout
    assert re.search(r"^PID 1 +nest-init \S+, up \S+, \d+ orphans reaped, monitor replaced 1 times$", status, re.M)
    assert container.status_of(new)["Seccomp"] == "2"
    assert "nest-init: the monitor was killed by SIGKILL; starting it again\n" in container.errors()


def test_repeated_deaths_are_answered_more_and_more_slowly(start):
    container = start(*METRICS)
    answers(container)
    old, pauses = monitor(container), []
    for _ in range(4):
        begin = time.monotonic()
        os.kill(old, signal.SIGKILL)
        old = replaced(container, old)
        pauses.append(time.monotonic() - begin)
    for pause, backoff in zip(pauses, (0.1, 0.2, 0.4, 0.8)):
        assert backoff <= pause < backoff + 2
    assert samples(container)["monitor_restarts_total"] == 4
    container.kill("TERM")
    assert container.wait(BACKSTOP) == 7


def test_the_time_to_ready_survives_the_monitor(start):
    container = start(*METRICS, "--ready", "http://127.0.0.1:5000/", "--health-start-interval", "50ms")
    begin = time.monotonic()
    time.sleep(0.5)
    with Service(container, 5000):
        answers(container, "/readyz")
        first = until(lambda: samples(container).get('time_to_ready_seconds{service="main"}'), "the time to ready")
        assert 0.4 < first < time.monotonic() - begin + 1
        old = monitor(container)
        os.kill(old, signal.SIGKILL)
        replaced(container, old)
        answers(container, "/readyz")
    assert samples(container)['time_to_ready_seconds{service="main"}'] == first


COUNTERS = re.compile(r"_total(\{|$)|^healthcheck_(duration_seconds_|last_success_timestamp)")


def burn(container):
    """CPU time of a child whose own parent does not wait for it: it is gone from /proc when the child is."""
    with container.connect(4000) as connection:
        connection.sendall(b"GET /burn HTTP/1.1\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")
        page = samples(container)
    until(lambda: samples(container)['service_processes{service="main"}'] == 1, "the child is gone")
    return sum(page[f'service_cpu_seconds_total{{service="main",mode="{mode}"}}'] for mode in ("user", "system"))


def test_no_counter_goes_back_when_the_monitor_is_killed(start):
    """Seen by who scrapes all the time. Checks run all the time as well; one fails, one has its own process."""
    container = start(*METRICS, "--health-interval", "10ms", "--health-start-interval", "10ms",
                      "--ready", "name=page http://127.0.0.1:4000/ name=nobody tcp://127.0.0.1:4001",
                      "--live", "name=file file:/there name=run exec:/nest-init --version")
    answers(container)
    assert burn(container) >= 0.19
    pages, stop = [samples(container)], threading.Event()

    def scrape():
        while not stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):  # a connection that the killed one had taken
                pages.append(samples(container))

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        for restarts in range(1, 5):
            old, seen = monitor(container), len(pages)
            os.kill(old, signal.SIGKILL)
            replaced(container, old)
            until(lambda: len(pages) > seen + 5 and pages[-1]["monitor_restarts_total"] == restarts, "scrapes go on")
            runs = pages[-1]['healthcheck_runs_total{check="page",result="success"}']
            until(lambda: pages[-1]['healthcheck_runs_total{check="page",result="success"}'] > runs, "checks go on")
    finally:
        stop.set()
        thread.join()
    counters = {name for name in pages[0] if COUNTERS.search(name)}
    assert len(counters) > 50 and 'healthcheck_duration_seconds_count{check="run"}' in counters
    for before, after in zip(pages, pages[1:]):
        back = {name: (before[name], after.get(name)) for name in counters if after.get(name, -1) < before[name]}
        assert back == {}
    for page in pages:
        for check in "page", "nobody", "file", "run":
            assert page[f'healthcheck_duration_seconds_count{{check="{check}"}}'] == sum(
                page[f'healthcheck_runs_total{{check="{check}",result="{result}"}}'] for result in ("success", "failure"))


def test_without_memory_that_outlives_it_the_monitor_serves_all_the_same(start):
    """A runtime's filter that refuses memfd_create, as our own profiles do."""
    refuse = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
              "syscalls": [{"names": ["memfd_create"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
    container = start(*METRICS, "--ready", "name=page http://127.0.0.1:4000/", seccomp=refuse)
    answers(container, "/readyz")
    assert samples(container)['healthcheck_runs_total{check="page",result="success"}'] == 1
    old = monitor(container)
    os.kill(old, signal.SIGKILL)
    replaced(container, old)
    answers(container, "/readyz")
    assert samples(container)['healthcheck_runs_total{check="page",result="success"}'] == 1
    assert container.errors().startswith(
        "nest-init: warning: monitor: no memory for its counts: Operation not permitted; they begin anew when it is killed "
        "(does the runtime's seccomp profile refuse memfd_create?)\n")


def test_a_stopped_monitor_holds_nobody_up(start):
    """SIGSTOP: it reads nothing and never ends. PID 1 forwards signals all the same, and ends in time."""
    container = start(*METRICS, "--stop-timeout", "5s")
    answers(container)
    os.kill(monitor(container), signal.SIGSTOP)
    for count in (1, 2, 3):
        container.kill("USR1")
        until(lambda: container.output().count("USR1") == count, "the workload gets USR1")
    begin = time.monotonic()
    container.kill("TERM")
    assert container.wait(BACKSTOP) == 7
    assert time.monotonic() - begin < 4


def test_a_stopped_monitor_is_no_health(start):
    container = start("--ready", "http://127.0.0.1:4000/")
    until(lambda: health(container)[0] == 0, "ready")
    os.kill(monitor(container), signal.SIGSTOP)
    status, line = health(container, "--timeout", "100ms")
    assert status == 1 and line == "unhealthy: nest-init does not answer in time: PID 1 or its monitor hangs"


@pytest.mark.parametrize("caps", [["setuid", "setgid"], ["setuid", "setgid", "kill"], []])
def test_the_end_does_not_wait_for_the_monitor(start, caps):
    """Without CAP_KILL PID 1 may not even kill its monitor, which has become another user."""
    container = start(*METRICS, caps=caps)
    answers(container)
    begin = time.monotonic()
    os.kill(workload(container), signal.SIGTERM)
    assert container.wait(BACKSTOP) == 7
    assert time.monotonic() - begin < 4
    assert without_certificate(container.errors()) == ""


def test_a_monitor_ends_with_its_nest_init(start):
    """Where that is not PID 1 the kernel does not end it for us."""
    container = start(command=("/nest-init", *METRICS, "--", "/work", 4000, 7))
    answers(container)
    inner, = children(container.pid)
    pid = until(lambda: monitor_of(inner), "its monitor")
    os.kill(inner, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists(), "the monitor is gone")


# --- a monitor that lies ------------------------------------------------------------------------------------------

def channel_of(pid):
    """The monitor's end of its channel, in our hands: what we send, it might have sent (pidfd_getfd(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        fd = libc.syscall(438, pidfd, 3, 0)
    finally:
        os.close(pidfd)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    return socket.socket(fileno=fd)


def record(kind, body=b"", version=1, length=None):
    return struct.pack("=HHI", version, kind, 8 + len(body) if length is None else length) + body


REFRESH, HEALTH, END = 2, 3, 7
GARBAGE = {
    "one_byte": b"\0",
    "a_header_cut_short": record(REFRESH)[:7],
    "another_version": record(REFRESH, version=2),
    "an_unknown_type": record(99),
    "type_zero": record(0),
    "a_length_that_is_not_its_own": record(REFRESH, length=16),
    "longer_than_its_type": record(REFRESH, bytes(8)),
    "longer_than_it_says": record(REFRESH, bytes(8), length=8),
    "shorter_than_it_says": record(HEALTH, bytes(4), length=24),
    "health_out_of_range": record(HEALTH, bytes([0, 2, 0]) + bytes(13)),
    "health_with_something_behind": record(HEALTH, bytes(7) + b"\1" + bytes(8)),
    "longer_than_any_record": b"\xff" * 65536,
    "nothing_at_all": b"",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="the number of pidfd_getfd")
def test_a_bad_record_costs_the_monitor_its_place(start, garbage):
    container = start(*METRICS)
    answers(container)
    main, old = workload(container), monitor(container)
    with channel_of(old) as channel:
        channel.send(garbage)
        replaced(container, old)
    assert answers(container) and samples(container)["monitor_restarts_total"] == 1
    assert workload(container) == main
    container.kill("TERM")
    assert container.wait(BACKSTOP) == 7


def test_a_monitor_that_does_not_end_by_itself_is_killed(start):
    container = start(*METRICS)
    answers(container)
    old = monitor(container)
    with channel_of(old) as channel:
        os.kill(old, signal.SIGSTOP)
        channel.send(b"garbage")
        replaced(container, old)
    answers(container)


def test_a_flood_of_records_delays_no_signal(start):
    container = start(*METRICS)
    answers(container)
    stop = threading.Event()
    with channel_of(monitor(container)) as channel:
        def flood():
            while not stop.is_set():
                with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                    channel.send(record(REFRESH))
                    channel.send(record(END))  # valid, and nothing that PID 1 has asked for
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            time.sleep(0.2)
            container.kill("USR1")
            until(lambda: "USR1" in container.output(), "the workload gets USR1")
            container.kill("TERM")
            assert container.wait(BACKSTOP) == 7
        finally:
            stop.set()
            thread.join()


def test_a_stopped_pid_1_delays_a_page_by_a_moment_only(start):
    """The other way round: the monitor never waits for PID 1 for long. It shows what it heard last."""
    container = start(*METRICS)
    answers(container)
    before = samples(container)
    os.kill(container.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        for _ in range(3):
            assert samples(container)["start_time_seconds"] == before["start_time_seconds"]
        assert container.http(f"{MONITOR}/livez").status == 200
        assert time.monotonic() - begin < 5
    finally:
        os.kill(container.pid, signal.SIGCONT)


# --- who spins ----------------------------------------------------------------------------------------------------

def is_quiet_for_a_second(pid):
    before = cpu_ticks(pid)
    time.sleep(1)
    return cpu_ticks(pid) - before <= 0.2 * os.sysconf("SC_CLK_TCK")


def test_no_client_makes_it_spin(start):
    """Half a request, half a connection, answers that nobody reads, a control client that says nothing."""
    container = start(*METRICS)
    answers(container)
    pid = monitor(container)
    get = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n"
    with contextlib.ExitStack() as stack:
        def connect(data, close=False):
            client = stack.enter_context(container.connect(9911))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.settimeout(0.2)
            with contextlib.suppress(OSError):
                client.sendall(data)
                if close:
                    client.shutdown(socket.SHUT_WR)
        for data in (b"", b"GET /li", get[:-2], get, get * 500, b"\x16\x03\x01", b"POST /metrics HTTP/1.1\r\n"
                     b"Host: test\r\nContent-Length: 100\r\n\r\n"):
            connect(data)
            connect(data, close=True)
        control = stack.enter_context(container.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        control.connect(control_name(container))
        time.sleep(0.3)
        # What is on its way may take a busy machine longer; who spins is never quiet.
        assert any(is_quiet_for_a_second(pid) for _ in range(5))
        assert container.http(f"{MONITOR}/livez").status == 200
    assert monitor(container) == pid


def control_name(container):
    return f"\0nest-init/{os.stat(f'/proc/{container.pid}/ns/pid').st_ino}"


def test_no_descriptor_left_is_no_reason_to_spin(start):
    """Connections take every descriptor that the limit allows. Then neither listener can be accepted from."""
    def few(config):
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 20, "hard": 20}]
    container = start(*METRICS, edit=few)
    answers(container)
    pid = monitor(container)
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(container.connect(9911))
        for _ in range(5):
            control = stack.enter_context(container.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            control.connect(control_name(container))
        time.sleep(0.3)
        before = cpu_ticks(pid)
        time.sleep(1)
        assert cpu_ticks(pid) - before <= 0.2 * os.sysconf("SC_CLK_TCK")
    assert answers(container) and health(container) == (0, "ready")
    assert monitor(container) == pid


# --- nest-init health ---------------------------------------------------------------------------------------------

def test_health_says_what_the_pages_say(start):
    """Three kinds, each with a check of its own; exit 0 or 1 and one line."""
    container = start(*METRICS, "--ready", "http://127.0.0.1:5001/", "--live", "tcp://127.0.0.1:5002",
                      "--startup", "file:/there", "--health-interval", "20ms", "--health-start-interval", "20ms",
                      "--health-retries", "2")
    with Service(container, 5002):
        until(lambda: health(container, "--startup") == (0, "started"), "started")
        assert health(container, "--live") == (0, "alive")
        refused = "not ready: http://127.0.0.1:5001/: connection refused (127.0.0.1:5001)"
        assert health(container) == health(container, "--ready") == (1, refused)
        with Service(container, 5001):
            until(lambda: health(container) == (0, "ready"), "ready")
            assert [container.http(f"{MONITOR}/{page}").status for page in ("readyz", "livez", "startupz", "healthz")] \
                == [200] * 4
        until(lambda: health(container) == (1, refused), "not ready again")
    until(lambda: health(container, "--live")[0] == 1, "not alive")
    assert health(container) == health(container, "--live")  # without an option: alive, started and ready
    assert health(container, "--live")[1] == "not alive: tcp://127.0.0.1:5002: connection refused (127.0.0.1:5002)"
    assert [container.http(f"{MONITOR}/{page}").status for page in ("readyz", "livez", "startupz", "healthz")] \
        == [503, 503, 200, 503]
    assert health(container, "--startup") == (0, "started")


@pytest.mark.parametrize("user", [0, 1001])
def test_health_needs_nothing_but_itself(start, user, record_property):
    """A root that is read-only and holds two programs and a file: no shell, no libc, no /tmp. Asked through runc exec."""
    container = start("--user", "1001", "--cap-drop", "all", "--seccomp", "node", "--read-only", "--ready",
                      "http://127.0.0.1:4000/", read_only=True)
    until(lambda: health(container, user=user)[0] == 0, "ready")
    assert health(container, user=user) == (0, "ready")
    begin = time.monotonic()
    subprocess.run(["nsenter", "-t", str(container.pid), "-m", "-n", "-p", "/nest-init", "health", "--timeout", "20s"], check=True,
                   stdout=subprocess.DEVNULL)
    record_property("milliseconds", round((time.monotonic() - begin) * 1000, 1))
    assert not any(Path(f"/proc/{container.pid}/root/{name}").exists() for name in ("bin", "usr", "lib", "tmp"))
    probed = container.exec("/nest-init", "probe", "--timeout", "20s", "http://127.0.0.1:4000/", "tcp://127.0.0.1:4000",
                            "file:/nest-init")
    assert (probed.returncode, probed.stdout.count("ok ")) == (0, 3), probed.stdout


def test_health_without_a_monitor_says_so(start):
    container = start()
    status, line = health(container)
    assert status == 1
    assert re.fullmatch(r"unhealthy: no nest-init answers at @nest-init/\d+: Connection refused "
                        r"\(PID 1 serves it when it has a check, --metrics, --seccomp-report or several services\), and no check is "
                        r"configured: set NEST_INIT_READY=TARGET, or give PID 1 --ready TARGET", line)
    assert container.exec("/nest-init", "status").returncode == 1


@pytest.mark.parametrize("words", [["--reddy"], ["--readyx=file:/"], ["--timeout", "soon"], ["--timeout", "0"], ["--timeout"], ["extra"]])
def test_health_refuses_what_it_does_not_know(words):
    done = subprocess.run([NEST_INIT, "health", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (125, "", 1)
    assert words[-1] in done.stderr


def test_a_nest_init_that_is_not_pid_1_is_found_by_its_variable(start):
    container = start(command=("/nest-init", "--ready", "tcp://127.0.0.1:1", "--live", "tcp://127.0.0.1:4000", "--",
                               "/work", 4000, 7))
    inner, = until(lambda: children(container.pid), "the inner one")
    main = until(lambda: [p for p in children(inner) if command_line(p)[0] == "/work"], "the workload")[0]
    env = environment_of(main)
    name = {"NEST_INIT_CONTROL": env["NEST_INIT_CONTROL"]}
    until(lambda: health(container, "--live", env=name)[0] == 0, "alive")
    assert health(container, env=name) == (1, "not ready: tcp://127.0.0.1:1: connection refused (127.0.0.1:1)")
    assert health(container)[1].startswith("unhealthy: no nest-init answers at @nest-init/")


def test_two_containers_in_one_network_do_not_answer_for_each_other(start):
    """A pod: one network, two PID namespaces, two verdicts."""
    well = start("--ready", "file:/there")
    ill = start("--ready", "file:/not/there", network=f"/proc/{well.pid}/ns/net", command=("/work", 4001, 7))
    until(lambda: health(well)[0] == 0, "the first is ready")
    until(lambda: "no result" not in health(ill)[1], "the second has looked")
    assert health(ill) == (1, "not ready: file:/not/there: not there (/not/there)")
    assert health(well) == (0, "ready")
    ill.kill("TERM")
    assert ill.wait(BACKSTOP) == 7
    assert health(well) == (0, "ready")


# --- checks -------------------------------------------------------------------------------------------------------

def test_a_check_falls_after_its_retries_and_comes_back(start):
    """Pages, health and metrics tell one story at any time."""
    container = start(*METRICS, "--ready", "http://127.0.0.1:5000/up?x=1", "--health-interval", "40ms",
                      "--health-start-interval", "40ms", "--health-retries", "3")
    label = '{check="http://127.0.0.1:5000/up?x=1",probe="ready"}'

    def look(status, answer):
        answers(container, "/readyz", status)
        now = samples(container)
        assert now["ready"] == now[f"healthcheck_up{label}"] == (status == 200)
        assert health(container)[0] == (status != 200)
        verbose = container.http(f"{MONITOR}/readyz?verbose").text.splitlines()
        assert verbose[1] == f"[{'+' if status == 200 else '-'}]http://127.0.0.1:5000/up?x=1 {answer}"
        return now

    def never_too_early():
        """While it fails: ready until the third failure in a row, and not any more after it."""
        while True:
            now = samples(container)
            failures = now[f"healthcheck_consecutive_failures{label}"]
            assert now["ready"] == (failures < 3), failures
            if failures >= 3:
                return

    answers(container, "/readyz", 503)
    with Service(container, 5000) as service:
        look(200, "ok")
        for answer, said in ((500, "500 Internal Server Error"), ("drop", "closed without an answer (127.0.0.1:5000)"),
                             (404, "404 Not Found")):
            service.answer = answer
            never_too_early()
            look(503, f"failed: {said}")
            service.answer = 302
            look(200, "ok")
    never_too_early()
    look(503, "failed: connection refused (127.0.0.1:5000)")
    with Service(container, 5000):
        now = look(200, "ok")
    assert now['healthcheck_runs_total{check="http://127.0.0.1:5000/up?x=1",result="failure"}'] >= 12


def test_the_start_period_forgives(start):
    """Failures in it do not count for life, however many; after it they do."""
    begin = time.monotonic()
    options = ("--live", "tcp://127.0.0.1:1", "--health-start-interval", "20ms", "--health-retries", "2")
    container = start(*METRICS, *options, "--health-start-period", "1s")
    answers(container)
    failed = 'healthcheck_runs_total{check="tcp://127.0.0.1:1",result="failure"}'
    until(lambda: samples(container)[failed] > 5, "several failures")
    assert health(container, "--live") == (0, "alive")
    answers(container, "/livez", 503)
    assert time.monotonic() - begin >= 1
    assert samples(container)['healthcheck_consecutive_failures{check="tcp://127.0.0.1:1",probe="live"}'] >= 2
    # Without one it is the second failure that counts.
    container = start(*METRICS, *options)
    answers(container, "/livez", 503)


def test_a_service_that_hangs_is_cut_off(start):
    container = start(*METRICS, "--ready", "http://127.0.0.1:5000/", "--health-timeout", "150ms",
                      "--health-start-interval", "20ms", "--health-retries", "1")
    answers(container, "/livez")
    with Service(container, 5000, "hang"):
        said = "[-]http://127.0.0.1:5000/ failed: no answer within 150ms (127.0.0.1:5000)\n"
        until(lambda: said in container.http(f"{MONITOR}/readyz?verbose").text, "cut off")
        assert container.http(f"{MONITOR}/livez").status == 200  # the monitor itself does not hang
        now = samples(container)
        family = 'healthcheck_duration_seconds_{}{{check="http://127.0.0.1:5000/"{}}}'
        assert now[family.format("count", "")] > now[family.format("bucket", ',le="0.1"')]  # some were long
        assert now[family.format("count", "")] == now[family.format("bucket", ',le="5.0"')]  # none was longer
        assert len([link for link in descriptors(monitor(container)).values() if link.startswith("socket:")]) <= 5


@pytest.mark.parametrize("target", ["http://localhost:4000/", "tcp://backend.internal:4000"])
def test_names_are_resolved(start, tmp_path, target):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n127.0.0.1 backend.internal\n")
    container = start(*METRICS, "--ready", target, files={"/etc/hosts": tmp_path / "hosts"})
    answers(container, "/readyz")
    pid = monitor(container)
    until(lambda: children(pid) == [], "the resolver has ended")


def test_an_unknown_name_is_a_failure_and_nothing_worse(start, tmp_path):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    container = start(*METRICS, "--ready", "tcp://nowhere.invalid:1", "--health-timeout", "300ms",
                      "--health-start-interval", "50ms",
                      files={"/etc/hosts": tmp_path / "hosts", "/etc/resolv.conf": tmp_path / "resolv.conf"})
    answers(container)
    pid = monitor(container)
    until(lambda: samples(container)['healthcheck_runs_total{check="tcp://nowhere.invalid:1",result="failure"}'] >= 3,
          "three failures")
    assert health(container)[0] == 1
    assert monitor(container) == pid and samples(container)["monitor_restarts_total"] == 0


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_check_that_is_faster_than_the_workload_is_heard(tmp_path):
    """A file is there before the workload is executed: PID 1 learns that it is ready all the same."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["unshare", "-pf", "--mount-proc", "--kill-child", "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=execve",
         "-e", "inject=execve:delay_enter=400000", NEST_INIT, "--cap-drop", "net_raw", "--ready", "file:/etc/passwd",
         "--metrics", f"127.0.0.1:{port}", "--", "/bin/sleep", "1000"], stdin=subprocess.DEVNULL)

    def page():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BACKSTOP)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()
    try:
        until(lambda: "nest_init_ready 1\n" in page(), "ready")
        seconds = until(lambda: re.search(r'^nest_init_time_to_ready_seconds\S* (\S+)$', page(), re.M),
                        "the time to ready", 3)[1]
        assert float(seconds) >= 0.4
    finally:
        process.kill()
        process.wait()


# --- pages and status in a container ------------------------------------------------------------------------------

def test_the_pages_of_a_confined_container(start):
    container = start("--user", "1001", "--cap-drop", "all", "--seccomp", "node", "--read-only", *METRICS, "--ready",
                      "http://127.0.0.1:4000/")
    answers(container, "/readyz")
    page = container.http(f"{MONITOR}/metrics")
    assert page.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    if shutil.which("promtool"):
        lint = subprocess.run(["promtool", "check", "metrics"], input=page.body, capture_output=True)
        assert (lint.returncode, lint.stdout, lint.stderr) == (0, b"", b"")
    now = samples(container)
    for layer in ("user", "capabilities", "no_new_privs", "seccomp", "read_only"):
        assert now[f'hardening_requested{{layer="{layer}"}}'] == now[f'hardening_enforced{{layer="{layer}"}}'] == 1
    assert {value for name, value in now.items() if name.startswith("capability_bounding")} == {0}
    head = container.http(f"{MONITOR}/metrics", method="HEAD")
    assert (head.status, head.body) == (200, b"") and int(head.headers["Content-Length"]) > 1000
    assert container.http(f"{MONITOR}/nothing").status == 404
    assert container.http(f"{MONITOR}/readyz", method="POST").status == 405


def test_status_is_for_people_and_machines(start):
    container = start("--user", "1001", "--cap-drop", "all", "--seccomp", "node", "--read-only", "--ready",
                      "http://127.0.0.1:4000/", "--live", "tcp://127.0.0.1:1", "--health-start-interval", "20ms",
                      "--best-effort", "--tmpfs", "/there", "--health-start-period", "1m")
    until(lambda: health(container)[0] == 0, "ready")
    done = container.exec("/nest-init", "status")
    assert done.returncode == 0 and done.stderr == "" and "\033" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "main is ready"
    assert lines[1] == "NOT in force: tmpfs"
    assert re.search(r"^service +pid \d+, up \S+, ready after \S+$", done.stdout, re.M)
    assert "  capabilities  in force  bounding set: empty" in lines
    assert "  seccomp       in force  node, otherwise SCMP_ACT_ERRNO" in lines
    assert "  tmpfs         NOT in force" in lines
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines)
    known = json.loads(container.exec("/nest-init", "status", "--json").stdout)
    assert known["state"] == "running"
    assert known["health"] == {"live": True, "ready": True, "startup": True}
    assert known["services"][0]["confinement"]["seccomp"] == {"requested": True, "enforced": True, "profile": "node",
                                               "default_action": "SCMP_ACT_ERRNO"}
    assert known["services"][0]["confinement"]["capabilities"] == {"requested": True, "enforced": True, "bounding": []}
    assert known["services"][0]["confinement"]["tmpfs"] == {"requested": True, "enforced": False}
    assert [(check["kind"], check["healthy"]) for check in known["checks"]] == [("ready", True), ("live", True)]


def test_status_leads_with_what_is_wrong(start):
    container = start("--ready", "tcp://127.0.0.1:1", "--live", "file:/not/there", "--health-start-interval", "20ms",
                      "--drain", "10s", "--stop-timeout", "12s")
    until(lambda: health(container, "--live")[0] == 1, "not alive")
    status = lambda: container.exec("/nest-init", "status").stdout.splitlines()
    assert status()[0] == "main is not alive: file:/not/there: not there (/not/there)"
    assert "  FAILED    live     file:/not/there" in status()
    container = start("--ready", "tcp://127.0.0.1:1", "--drain", "10s", "--stop-timeout", "12s")
    until(lambda: "refused" in health(container)[1], "not ready")
    assert status()[0] == "main is not ready: tcp://127.0.0.1:1: connection refused (127.0.0.1:1)"
    container.kill("TERM")
    until(lambda: "draining" in status()[0], "the drain shows")
    assert re.fullmatch(r"main is being stopped: draining, SIGKILL in 1[01]\.\ds", status()[0])
    container.kill("TERM")
    assert container.wait(BACKSTOP) == 7


def test_status_is_in_colour_on_a_terminal_only(start):
    container = start("--ready", "file:/there")
    until(lambda: health(container)[0] == 0, "ready")

    def on_terminal(**env):
        command = ["runc", "exec", "-t", *(f"--env={name}={value}" for name, value in env.items()), container.id,
                   "/nest-init", "status"]
        return subprocess.run(["script", "-qec", " ".join(command), "/dev/null"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True).stdout
    assert "\033[32mmain is ready\033[0m" in on_terminal(TERM="xterm")
    assert "\033" not in on_terminal(TERM="xterm", NO_COLOR="1") and "main is ready" in on_terminal(NO_COLOR="1")
    assert "\033" not in on_terminal(TERM="dumb")
