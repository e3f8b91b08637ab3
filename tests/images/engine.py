"""Podman and buildah with a storage of their own under build/, so that the machine's own is not touched.

Layers and base images stay there for the next run. What a test starts, it removes.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MEDIANEST = REPOSITORY / "packaging/medianest"
PLACE = REPOSITORY / "build/images"
# Podman takes no long path for its sockets; a tree has its own directory there.
STATE = Path("/run") / f"medianest-{hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]}"
CERTIFICATES = Path(os.environ.get("NODE_EXTRA_CA_CERTS", "/etc/ssl/certs/ca-certificates.crt"))
LIMIT = 900  # seconds, for anything; what is expected is far below
PATIENCE = 300  # for what a container is to come to
STAGES = re.findall(r"^FROM .* AS (\S+)$", (MEDIANEST / "Dockerfile").read_text(), re.M)

STORAGE = f"""
[storage]
driver = "overlay"
graphroot = "{PLACE}/storage"
runroot = "{STATE}/run"
"""
# What a machine without systemd and with both versions of cgroups takes. Each podman is to have the same tmp_dir: one that finds
# another there takes that for a restart of the machine, and the containers of the others for ended ones.
CONTAINERS = f"""
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{STATE}/tmp"
"""


sys.path.append(str(REPOSITORY / "tests/system"))
import namespace  # noqa: E402


def wait_until(condition, pause=0.2):
    """As the system tests do it, for as long as a busy machine may take."""
    return namespace.wait_until(condition, limit=PATIENCE, pause=pause)


def _settle(path, text):
    """The file has this text. Another worker's podman may be reading it: at no time is there less."""
    if not path.exists() or path.read_text() != text:
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(text)
        new.replace(path)


def environment():
    """What makes podman, buildah and the build script use this storage. TMPDIR is where buildah keeps npm's cache."""
    PLACE.mkdir(parents=True, exist_ok=True)
    _settle(PLACE / "storage.conf", STORAGE)
    _settle(PLACE / "containers.conf", CONTAINERS)
    return {**os.environ, "CONTAINERS_STORAGE_CONF": str(PLACE / "storage.conf"),
            "CONTAINERS_CONF": str(PLACE / "containers.conf"), "TMPDIR": str(PLACE)}


def run(*words, status=0, timeout=LIMIT, **more):
    """The finished process; `status` None: whatever its status is."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, errors="replace", timeout=timeout,
                          stdin=subprocess.DEVNULL, env=environment(), **more)
    assert status in (None, done.returncode), f"{words}: status {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


def podman(*words, **more):
    return run("podman", *words, **more).stdout


def image(stage, tag="dev"):
    return f"localhost/medianest/{stage}:{tag}"


def secrets():
    """This user's npm configuration and certificates, where there are any."""
    npmrc = Path(run("npm", "config", "get", "userconfig").stdout.strip())
    given = {"npmrc": npmrc, "npm-ca": CERTIFICATES}
    return [word for name, file in given.items() if file.is_file() for word in ("--secret", f"id={name},src={file}")]


def build(*options, **more):
    """What packaging/medianest/build prints: the layers, and which of them were there."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / "build.lock", "w") as lock:  # one at a time: what it makes, the next finds
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(MEDIANEST / "build", "--engine", "buildah", "--local-bases", "--network", "host", *secrets(), *options, **more)
    return done.stdout + done.stderr


def inspect(of):
    return json.loads(podman("image", "inspect", of))[0]


@contextlib.contextmanager
def mounted(of):
    """The files of an image."""
    name = podman("image", "mount", of).strip()
    try:
        yield Path(name)
    finally:
        podman("image", "unmount", of)


def remove_cgroups():
    """Podman leaves its own behind where there is no systemd. Those that somebody is in stay."""
    for parent in [*Path("/sys/fs/cgroup").glob("libpod_parent"), *Path("/sys/fs/cgroup").glob("*/libpod_parent")]:
        for cgroup in [*sorted(parent.glob("*"), reverse=True), parent]:
            with contextlib.suppress(OSError):
                cgroup.rmdir()


class Container:
    """Runs one, and removes it at the end. Its network is that of the test's own, or none."""

    def __init__(self, *words, network="none"):
        self.name = f"medianest-{os.getpid()}-{time.monotonic_ns()}"
        podman("run", "--detach", "--name", self.name, "--network", network, "--health-interval", "disable", *words)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        podman("rm", "--force", "--time", "0", "--volumes", self.name)

    def logs(self):
        done = run("podman", "logs", self.name)
        return done.stdout + done.stderr

    def exec(self, *words, status=0):
        return run("podman", "exec", self.name, *words, status=status)

    def state(self):
        return json.loads(podman("inspect", self.name))[0]["State"]

    def pid(self):
        return self.state()["Pid"]

    def curl(self, *words, status=0):
        """The host's curl in the container's network: there is none in the image."""
        return run("nsenter", "-t", self.pid(), "-n", "curl", "-sS", *words, status=status)

    def wait(self):
        """The exit status."""
        return int(podman("wait", self.name))

    def healthy(self):
        return run("podman", "healthcheck", "run", self.name, status=None).returncode == 0
