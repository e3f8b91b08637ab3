"""Real containers for tests and the demo: an OCI bundle, run by runc, that leaves nothing behind.

    with Container(["/nest-init", "--", "/prog"], files={"/nest-init": RELEASE, "/prog": prog}) as c:
        c.http("http://127.0.0.1:9911/metrics").body
        c.exec("/nest-init", "health").returncode
        c.kill("TERM")
        assert c.wait(10) == 143

Needs root, runc and util-linux. Standard library only.

- The root is an overlay: image directory below, a tmpfs above. So an image is shared by any number of containers, none
  of which can change it. The mounts are made in a mount namespace of the container's own and end with it.
- `runc run` stays in the foreground: it is our child, it ends with the status of the container's PID 1 (128+N for a
  signal), and it removes the cgroups. Its output, and so PID 1's, goes to two files.
- The id holds our process id: what a killed run leaves is found and removed by the next one.
- The defaults are those of `docker run`, without its seccomp profile and AppArmor.
"""
import ctypes
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

DOCKER_CAPS = ("chown", "dac_override", "fsetid", "fowner", "mknod", "net_raw", "setgid", "setuid", "setfcap",
               "setpcap", "net_bind_service", "sys_chroot", "kill", "audit_write")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PREFIX = "nest-"
STATE = Path("/run/runc")  # runc's own default, so that a user's `runc list` shows our containers

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


# --- configuration ------------------------------------------------------------------------------------------------

def tmpfs(path, *options):
    """An OCI mount: a tmpfs, writable by all unless `options` say otherwise."""
    return {"type": "tmpfs", "source": "tmpfs", "destination": path,
            "options": ["nosuid", "nodev", *(options or ("mode=1777",))]}


def bind(source, path, *options):
    """An OCI mount: a file or directory of the host, writable unless "ro" is among the options."""
    return {"type": "bind", "source": str(source), "destination": path, "options": ["rbind", *options]}


def capabilities(names):
    """Docker's names ("net_raw", "CAP_NET_RAW") as OCI's. "all" is not among them: runc has no such thing."""
    return ["CAP_" + name.upper().removeprefix("CAP_") for name in names]


def numeric_user(user):
    """1001, "1001", "1001:1002" or (1001, 1002) as (uid, gid); the gid is the uid's unless given."""
    if isinstance(user, (tuple, list)):
        return int(user[0]), int(user[1])
    uid, _, gid = str(user).partition(":")
    return int(uid), int(gid or uid)


def oci_config(args, *, env=(), cwd="/", user=0, caps=DOCKER_CAPS, ambient=(), no_new_privs=False, read_only=False,
               mounts=(), hostname="nest", network="new", memory=None, pids=None, seccomp=None, cgroup=None):
    """The config.json of a container. `env` is a dict or NAME=VALUE strings; `network` is "new" (loopback alone, which
    runc brings up), "host" or the path of a namespace; `memory` is in bytes."""
    uid, gid = numeric_user(user)
    # Of a user other than root exec keeps the ambient set alone, as under Docker.
    held = capabilities(caps)
    ambient = capabilities(ambient)
    namespaces = [{"type": t} for t in ("pid", "ipc", "uts", "mount")]
    if network != "host":
        namespaces.append({"type": "network"} | ({} if network == "new" else {"path": str(network)}))
    if isinstance(env, dict):
        env = [f"{name}={value}" for name, value in env.items()]
    resources = {"devices": [{"allow": False, "access": "rwm"}]}  # runc adds /dev/null and the like itself
    if memory is not None:
        resources["memory"] = {"limit": memory}
    if pids is not None:
        resources["pids"] = {"limit": pids}
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": uid, "gid": gid},
            "args": [str(a) for a in args],
            "env": [PATH, f"HOSTNAME={hostname}", *env],
            "cwd": cwd,
            "capabilities": {"bounding": held, "effective": held, "permitted": held,
                             "inheritable": ambient, "ambient": ambient},
            "noNewPrivileges": no_new_privs,
        },
        "root": {"path": "root", "readonly": read_only},
        "hostname": hostname,
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
            *mounts,
        ],
        "linux": {
            "namespaces": namespaces,
            "resources": resources,
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
                            "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }
    if network != "host":  # as Docker does it: any user may bind port 80
        config["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0"}
    if seccomp is not None:
        config["linux"]["seccomp"] = seccomp
    if cgroup is not None:
        config["linux"]["cgroupsPath"] = cgroup
    return config


# --- a container --------------------------------------------------------------------------------------------------

# $1 bundle, $2 lower directories, $3 id. Nothing here is seen outside the new mount namespace.
_LAUNCH = """
mount -t tmpfs -o mode=755 nest "$1/fs"
mkdir -m 755 "$1/fs/upper" "$1/fs/work"
mount -t overlay -o "lowerdir=$2,upperdir=$1/fs/upper,workdir=$1/fs/work" nest "$1/root"
exec runc run --bundle "$1" --pid-file "$1/pid" "$3"
"""


class ContainerError(Exception):
    """runc could not do what was asked; says what it wrote."""


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


class Container:
    """One container, started when the `with` block is entered and gone when it is left.

    args     what PID 1 executes
    rootfs   the image's directory; None for an empty root
    files    {path in the container: file of the host} laid over the image: copied, mode kept
    edit     a function that gets the config.json as a dict, and may change it
    stdin, stdout, stderr  as of subprocess.Popen; by default nothing and two files: see output() and errors()
    The rest is oci_config()'s.
    """

    def __init__(self, args, rootfs=None, *, files=None, edit=None, stdin=subprocess.DEVNULL, stdout=None,
                 stderr=None, **options):
        sweep()
        self.id = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
        self.process = None  # runc's
        self.pid = None      # PID 1, as the host numbers it
        self.bundle = Path(tempfile.mkdtemp(prefix=f"{self.id}."))
        try:
            self.config = oci_config(args, cgroup=f"/{self.id}", **options)
            if edit:
                edit(self.config)
            lower = [str(self.bundle / "layer")]
            if rootfs is not None:
                lower.append(str(Path(rootfs).resolve(strict=True)))
            for directory in ("fs", "root", "layer"):
                (self.bundle / directory).mkdir()
            for path, source in (files or {}).items():
                target = self.bundle / "layer" / _behind_links(rootfs, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
            (self.bundle / "config.json").write_text(json.dumps(self.config))
        except BaseException:
            shutil.rmtree(self.bundle)
            raise
        self._command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _LAUNCH, "sh",
                         str(self.bundle), ":".join(lower), self.id]
        self._streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}

    # life

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.cleanup()
            raise
        return self

    def __exit__(self, *_):
        self.cleanup()

    def start(self, timeout=20):
        """Returns when PID 1's program is being executed, or has already ended. A container that runc refuses raises."""
        streams = dict(self._streams)
        opened = []
        for name in ("stdout", "stderr"):
            if streams[name] is None:
                streams[name] = open(self.bundle / name, "wb")
                opened.append(streams[name])
        try:
            # A session of its own: a Ctrl-C in a test run is not the container's, which is removed in good order.
            self.process = subprocess.Popen(self._command, start_new_session=True, **streams)
        finally:
            for stream in opened:
                stream.close()
        # runc writes the file once the program has been let go.
        pid_file = self.bundle / "pid"
        deadline = time.monotonic() + timeout
        while not pid_file.exists():
            if self.process.poll() is not None and not pid_file.exists():
                raise ContainerError(f"runc run: status {self.process.returncode}: {self.errors().strip()}")
            if time.monotonic() > deadline:
                raise ContainerError(f"runc run: not started within {timeout} s: {self.errors().strip()}")
            time.sleep(0.002)
        self.pid = int(pid_file.read_text())

    def wait(self, timeout=30):
        """PID 1's exit status, 128+N after a signal. All output is in the files then. Raises subprocess.TimeoutExpired."""
        return self.process.wait(timeout)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, sig="TERM"):
        """`runc kill`: a signal to PID 1 from outside, by name or number."""
        self._runc("kill", self.id, sig.name if isinstance(sig, signal.Signals) else str(sig))

    def cleanup(self):
        """Ends and removes everything; may be called at any time and again."""
        if self.process is not None:
            if self.running():
                self._runc("delete", "--force", self.id, check=False)
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:  # it was still setting up: nothing runs in there yet
                    os.killpg(self.process.pid, signal.SIGKILL)
                    self.process.wait()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                if stream:
                    stream.close()
        _remove(self.id)
        shutil.rmtree(self.bundle, ignore_errors=True)

    # what it says and does

    def output(self):
        """Its standard output so far, unless the caller gave a stdout of his own."""
        return self._said("stdout")

    def errors(self):
        """Its standard error so far: PID 1's, the workload's, and runc's own complaints."""
        return self._said("stderr")

    def _said(self, name):
        path = self.bundle / name
        return path.read_text(errors="replace") if path.exists() else ""

    def state(self):
        """runc's state as a dict; its "status" is "stopped" once the container is gone."""
        done = self._runc("state", self.id, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {"id": self.id, "status": "stopped"}

    def exec(self, *args, user=None, env=None, cwd=None, input=None, timeout=30, text=True):
        """`runc exec`, which is what docker exec does: a process that does not descend from PID 1, with the container's
        configuration. Returns a CompletedProcess with both outputs."""
        options = []
        if user is not None:
            options.append("--user=%d:%d" % numeric_user(user))
        if cwd is not None:
            options.append(f"--cwd={cwd}")
        options += [f"--env={name}={value}" for name, value in (env or {}).items()]
        feed = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        return subprocess.run(["runc", "exec", *options, self.id, *map(str, args)], capture_output=True, text=text,
                              timeout=timeout, **feed)

    def processes(self):
        """{pid as the host numbers it: command line} of all that runs inside."""
        done = self._runc("ps", "--format", "json", self.id)
        return {pid: _command_line(pid) for pid in json.loads(done.stdout)}

    def status_of(self, pid=None):
        """/proc/PID/status as a dict, PID 1's unless given: what the kernel enforces, whatever anybody claims."""
        lines = Path(f"/proc/{pid or self.pid}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def cgroup(self, controller):
        """The directory of its cgroup: a v1 controller's where there is one, else the unified one."""
        for line in Path(f"/proc/{self.pid}/cgroup").read_text().splitlines():
            number, names, path = line.split(":", 2)
            if controller in names.split(","):
                return Path("/sys/fs/cgroup") / controller / path.lstrip("/")
            if number == "0":
                unified = path
        base = Path("/sys/fs/cgroup/unified")
        return (base if base.is_dir() else base.parent) / unified.lstrip("/")

    # its network

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A new socket in the container's network namespace: abstract Unix names and 127.0.0.1 are the container's own.
        A socket stays in the namespace it was made in, so only a thread of a moment has to enter it."""
        result = []

        def enter():
            try:
                with open(f"/proc/{self.pid}/ns/net") as namespace:
                    if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                        error = ctypes.get_errno()
                        raise OSError(error, os.strerror(error))
                result.append(socket.socket(family, kind))
            except OSError as error:
                result.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]

    def connect(self, port, host="127.0.0.1", timeout=10):
        """A TCP connection to a port inside."""
        sock = self.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.settimeout(timeout)
        try:
            sock.connect((host, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def http(self, url, method="GET", headers=None, body=None, timeout=10):
        """One request to a server inside. Any status is a Response; no connection is an OSError."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
        connection.sock = self.connect(connection.port, connection.host, timeout)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, {"Connection": "close", **(headers or {})})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def wait_http(self, url, status=200, timeout=15):
        """Asks until the answer has the status; raises TimeoutError, or ContainerError when the container ends first."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                response = self.http(url, timeout=max(0.1, deadline - time.monotonic()))
                if response.status == status:
                    return response
                last = f"status {response.status}"
            except (OSError, http.client.HTTPException) as error:
                last = str(error)
            if not self.running():
                raise ContainerError(f"{url}: the container ended with {self.process.returncode}: {self.errors()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url}: not {status} within {timeout} s: {last}")
            time.sleep(0.02)

    def _runc(self, *args, check=True):
        done = subprocess.run(["runc", *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        if check and done.returncode != 0:
            raise ContainerError(f"runc {' '.join(args)}: {done.stderr.strip()}")
        return done


def http_get(container, url, **options):
    return container.http(url, **options)


# --- nothing left over --------------------------------------------------------------------------------------------

def leftovers(prefix=f"{PREFIX}{os.getpid()}-"):
    """What is still there of the containers of this process (or of all: PREFIX): state, cgroups, mounts, bundles,
    processes. A test run ends with an empty list."""
    found = [str(p) for p in STATE.glob(prefix + "*")]
    found += [str(p) for p in Path("/sys/fs/cgroup").glob(f"{prefix}*")]
    found += [str(p) for p in Path("/sys/fs/cgroup").glob(f"*/{prefix}*")]
    found += [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if prefix in line]
    found += [str(p) for p in Path(tempfile.gettempdir()).glob(f"{prefix}*")]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"/{prefix}" in Path(f"/proc/{pid}/cgroup").read_text():
                found.append(f"process {pid}: {_command_line(pid)}")
        except OSError:  # it has ended meanwhile
            pass
    return found


def sweep():
    """Removes what killed runs have left: containers and bundles whose id names a process that is no more. Once a
    process is enough: ids of our own are cleaned up by their owners."""
    if sweep.done:
        return
    sweep.done = True
    temporary = Path(tempfile.gettempdir())
    for path in [*STATE.glob(PREFIX + "*"), *temporary.glob(PREFIX + "*")]:
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if not owner.isdigit() or Path(f"/proc/{owner}").exists():
            continue
        if path.parent == STATE:
            _remove(path.name)
        else:
            shutil.rmtree(path, ignore_errors=True)


sweep.done = False


def _remove(identifier):
    """Removes a container if runc still knows it: a foreground runc that ends in good order has done so itself."""
    if (STATE / identifier).exists():
        subprocess.run(["runc", "delete", "--force", identifier], capture_output=True, stdin=subprocess.DEVNULL,
                       timeout=30)


def _behind_links(rootfs, path):
    """`path` with its directories as the image really has them, relative to the root. A layer with a directory sbin
    would hide an image's link sbin -> usr/sbin, and all that is behind it."""
    done = []
    todo = path.strip("/").split("/")
    links = 0
    while todo:
        part = todo.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            done = done[:-1]
            continue
        here = Path(rootfs, *done, part) if rootfs is not None else None
        if todo and here is not None and here.is_symlink() and links < 40:
            links += 1
            target = os.readlink(here)
            if target.startswith("/"):
                done = []
            todo = target.strip("/").split("/") + todo
        else:
            done.append(part)
    return Path(*done)


def _command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
