"""Podman: HEALTHCHECK of an image, and --sdnotify=container, with the real thing.

An image from nothing (buildah, FROM scratch): the binary, and one static service that answers 200 while a file is there,
else 503. NEST_INIT names the binary. Needs root, podman, buildah and runc.

- Images, containers and state are the test's own, in a directory that ends with it; no registry, no network.
- Podman would have its timers from systemd: here `podman healthcheck run` is called by hand.
"""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from namespace import wait_until

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/release/nest-init"))
KEPT = 500  # characters of a log entry: MaxHealthCheckLogLength of libpod

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, ("podman", "buildah", "runc"))),
                                reason="needs root, podman, buildah and runc")

# What a machine without systemd and with both versions of cgroups takes.
CONFIGURATION = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
"""

SERVICE = r"""
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_term(int number) { (void)number; _exit(0); }

int main(void)
{
    static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char bad[] = "HTTP/1.1 503 Not Yet\r\nContent-Length: 0\r\n\r\n";
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(4000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char request[4096];

    signal(SIGTERM, on_term);
    signal(SIGPIPE, SIG_IGN);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 64) < 0)
        return 97;
    for (;;) {
        int client = accept(listener, NULL, NULL);
        const char *answer = access("/state/well", F_OK) == 0 ? good : bad;

        if (read(client, request, sizeof request) > 0 && write(client, answer, strlen(answer)) < 0)
            return 98;
        close(client);
    }
}
"""

CONTAINERFILE = """
FROM scratch
COPY nest-init /sbin/nest-init
COPY service /service
ENV NEST_INIT_READY="name=api http://127.0.0.1:4000/health" NEST_INIT_HEALTH_START_INTERVAL=50ms
ENV NEST_INIT_HEALTH_INTERVAL=50ms NEST_INIT_HEALTH_RETRIES=1
ENTRYPOINT ["/sbin/nest-init", "--"]
CMD ["/service"]
HEALTHCHECK --interval=30s --timeout=30s CMD ["/sbin/nest-init", "health", "--timeout", "20s"]
"""


class Podman:
    def __init__(self, directory):
        self.directory = directory
        self.storage = ["--root", directory / "storage", "--runroot", directory / "run", "--storage-driver", "vfs"]
        (directory / "containers.conf").write_text(CONFIGURATION)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(directory / "containers.conf")}

    def run(self, *words, program="podman", status=0, **env):
        """Its standard output; `status` None: whatever its status is, which comes first."""
        local = ["--tmpdir", self.directory / "tmp"] if program == "podman" else []
        done = subprocess.run([program, *map(str, [*self.storage, *local, *words])], capture_output=True, text=True,
                              timeout=120, env={**self.environment, **env}, stdin=subprocess.DEVNULL)
        assert status in (None, done.returncode), done.stderr
        return done.stdout if status is not None else (done.returncode, done.stdout)

    def last_log(self, container):
        """(status, entry) of the last health check, as podman keeps it."""
        state = json.loads(self.run("inspect", container, "--format", "{{json .State.Healthcheck}}"))
        return state["Status"], state["Log"][-1]


@pytest.fixture(scope="module")
def podman():
    """With the image localhost/service in its storage."""
    with tempfile.TemporaryDirectory(prefix="nest-podman-") as name:  # podman takes no long path for its state
        yield from set_up(Path(name))


def set_up(directory):
    podman = Podman(directory)
    context = directory / "context"
    context.mkdir()
    (context / "service.c").write_text(SERVICE)
    (context / "Containerfile").write_text(CONTAINERFILE)
    shutil.copy(NEST_INIT, context / "nest-init")
    subprocess.run(["gcc", "-Os", "-s", "-static", "-o", context / "service", context / "service.c"], check=True)
    podman.run("bud", "--format", "docker", "--pull-never", "--network", "none", "-t", "localhost/service:1", context,
               program="buildah")
    yield podman
    podman.run("rmi", "--all", "--force")
    assert str(directory) not in Path("/proc/mounts").read_text()
    for parent in [*Path("/sys/fs/cgroup").glob("libpod_parent"), *Path("/sys/fs/cgroup").glob("*/libpod_parent")]:
        for cgroup in [*sorted(parent.glob("*"), reverse=True), parent]:
            with contextlib.suppress(OSError):  # a file; or somebody else's containers are in it
                cgroup.rmdir()


@pytest.fixture
def start(podman, tmp_path):
    """start(OPTION...): the name of a container, whose /state is tmp_path."""
    started = []

    def run(*options, **env):
        name = f"nest-{os.getpid()}-{len(started)}"
        started.append(name)
        podman.run("run", "--detach", "--name", name, "--network", "none", "--health-interval", "disable", "--volume",
                   f"{tmp_path}:/state", *options, "localhost/service:1", **env)
        return name
    yield run
    for name in started:
        podman.run("rm", "--force", "--time", "0", name, status=None)


def healthcheck(podman, container):
    return podman.run("healthcheck", "run", container, status=None)[0]


def test_healthcheck_run_says_what_pid_1_says(podman, start, tmp_path):
    """0 healthy, 1 not; the reason is in the log, in one line. There is no shell and no curl in the image."""
    container = start()
    assert healthcheck(podman, container) == 1
    wait_until(lambda: healthcheck(podman, container) == 1 and
               "503" in podman.last_log(container)[1]["Output"], pause=0.1)
    state, entry = podman.last_log(container)
    assert (entry["ExitCode"], entry["Output"].rstrip("\n")) == (
        1, "not ready: api: 503 Service Unavailable")
    (tmp_path / "well").touch()
    wait_until(lambda: healthcheck(podman, container) == 0, pause=0.1)
    state, entry = podman.last_log(container)
    assert (state, entry["ExitCode"], entry["Output"].rstrip("\n")) == ("healthy", 0, "ready")
    (tmp_path / "well").unlink()
    wait_until(lambda: healthcheck(podman, container) == 1, pause=0.1)
    for _ in range(3):  # retries, of podman's own
        healthcheck(podman, container)
    assert podman.last_log(container)[0] == "unhealthy"


def test_the_reason_is_in_what_podman_keeps(podman, start):
    """Twenty checks of long names fail: the log of podman ends, the reason of the first does not."""
    checks = " ".join(f"http://127.0.0.1:1/{i}{'x' * 300}" for i in range(20))
    container = start("--env", f"NEST_INIT_READY={checks}")
    wait_until(lambda: healthcheck(podman, container) == 1 and
               "refused" in podman.last_log(container)[1]["Output"], pause=0.1)
    kept = podman.last_log(container)[1]["Output"]
    assert len(kept) <= KEPT + 1
    assert re.match(r"not ready: http://127\.0\.0\.1:1/0x+\.\.\.: connection refused", kept)


def test_without_a_monitor_healthcheck_run_looks_itself(podman, start, tmp_path):
    """The service is PID 1, as in an image that has nest-init for its HEALTHCHECK alone."""
    container = start("--entrypoint", "[]")
    wait_until(lambda: podman.run("top", container, "pid", status=None)[0] == 0)
    assert healthcheck(podman, container) == 1
    wait_until(lambda: healthcheck(podman, container) == 1 and podman.last_log(container)[1]["Output"].rstrip("\n") ==
               "not ready: api: 503 Service Unavailable (looked at just now: no monitor runs)", pause=0.1)
    (tmp_path / "well").touch()
    assert healthcheck(podman, container) == 0
    assert podman.last_log(container)[1]["Output"].rstrip("\n") == "ready: looked at just now, as no monitor runs"


def test_ready_reaches_podman_when_the_verdict_is_ready(podman, start, tmp_path):
    """--sdnotify=container: conmon passes on what comes out of the container. MAINPID and nothing of readiness, until the
    check has succeeded; then READY=1, once."""
    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)

        def listen():
            try:
                while True:
                    heard.extend(systemd.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return heard
        container = start("--sdnotify=container", NOTIFY_SOCKET=str(tmp_path / "notify"))
        wait_until(lambda: "503" in podman.run("exec", container, "/sbin/nest-init", "health", "--timeout", "20s",
                                               status=None)[1], pause=0.1)
        assert "READY=1" not in listen()
        (tmp_path / "well").touch()
        wait_until(lambda: "READY=1" in listen(), pause=0.01)
        podman.run("exec", container, "/sbin/nest-init", "health", "--ready", "--timeout", "20s")
        podman.run("stop", "--time", "20", container)
        assert listen().count("READY=1") == 1
        assert [line for line in heard if line.startswith("MAINPID=")]
        if "STOPPING=1" in heard:
            assert heard.index("STOPPING=1") > heard.index("READY=1")
