"""nest-init as PID 1 of a PID namespace of its own, or as an ordinary process in one, from start to end.

    with Namespace(NEST_INIT, "sleep", "1000") as n:
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert n.errors() == ""

Needs root and util-linux. Standard library only.

- The namespace has a /proc of its own and ends with the `with` block, whatever happened: nothing is left, and that is
  checked.
- Output goes to files, so that nobody ever blocks on it; stdin, stdout, stderr take what subprocess.Popen takes.
- Limits are far above what is expected: a test that hangs fails, a slow machine does not.
"""
import ctypes
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

LIMIT = 60  # seconds, for anything

_libc = ctypes.CDLL(None, use_errno=True)


def wait_until(condition, limit=LIMIT, pause=0.005):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + limit
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {limit} s"
        time.sleep(pause)


def sigqueue(pid, number, value):
    """sigqueue(3). BlockingIOError when the queue is full."""
    if _libc.sigqueue(pid, int(number), ctypes.c_void_p(value)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


CERTIFICATE = re.compile(r"^nest-init: \S+ \(pid \d+\) (?:ended with status|was killed by|does not end).*\n", re.M)


def without_certificate(text):
    """What was said beside the line that says how the workload ended."""
    return CERTIFICATE.sub("", text)


def children(pid):
    """The children of a process, its first thread's."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def helper_of(init, what):
    for pid in children(init):
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(f"nest-init\0{what}\0".encode()):
                return pid
        except OSError:  # it has ended meanwhile
            pass
    return None


def monitor_of(init):
    """The pid of the monitor of a nest-init, as the host numbers both; None while there is none."""
    return helper_of(init, "monitor")


def workloads(init):
    """The children of a nest-init but for its monitor."""
    return [child for child in children(init) if child != monitor_of(init)]


def logger_of(init):
    """The same of its log process."""
    return helper_of(init, "logger")


def status_of(pid):
    """/proc/PID/status as a dict."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def environment_of(pid):
    """Of a process that has been executed (proc(5)): the file is empty for a moment while execve(2) does it."""
    def read():
        return Path(f"/proc/{pid}/environ").read_bytes()
    return dict(variable.split("=", 1) for variable in wait_until(read).decode().split("\0") if "=" in variable)


def members(namespace):
    """The processes of a PID namespace, named as readlink(2) of /proc/PID/ns/pid does."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/ns/pid") == namespace:
                found.append(int(name))
        except OSError:  # it has ended meanwhile
            pass
    return found


class Namespace:
    """One run of nest-init.

    init     the binary
    command  the workload
    options  nest-init's
    wrap     a command that stands before nest-init and executes it: ["env", "--ignore-signal=HUP"]
    parent   a command that stands before nest-init and has it as a child, so that it is not PID 1; it is to end with
             nest-init's status: PLAIN_PARENT, or strace
    env      variables beside those we have
    """

    PLAIN_PARENT = ("sh", "-c", '"$@"; exit $?', "sh")

    def __init__(self, init, *command, options=(), wrap=(), parent=(), env=None, stdin=subprocess.DEVNULL, stdout=None,
                 stderr=None, **popen):
        self.init = os.path.realpath(init)
        self._streams = {name: tempfile.TemporaryFile() for name in ("stdout", "stderr")}
        self._pid = self._namespace = None
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NEST_INIT")}
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--", *map(str, parent), *map(str, wrap),
             self.init, *map(str, options), "--", *map(str, command)],
            stdin=stdin, stdout=stdout if stdout is not None else self._streams["stdout"],
            stderr=stderr if stderr is not None else self._streams["stderr"],
            env={**environment, **(env or {})}, **popen)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends it, if it has not ended. Whatever was in the namespace is gone then."""
        first = children(self.process.pid)  # the namespace's PID 1, as long as there is one
        if first and self._namespace is None and self.process.poll() is None:
            try:
                self._namespace = os.readlink(f"/proc/{first[0]}/ns/pid")
            except OSError:
                pass
        if self.process.poll() is None:
            # PID 1 first: unshare then reaps it and ends. Besides, --kill-child is forgotten when the child becomes
            # another user (PR_SET_PDEATHSIG, prctl(2)).
            for child in first:
                try:
                    os.kill(child, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not first:
                self.process.kill()
            self.process.wait()
        for stream in self._streams.values():
            stream.close()
        if self._namespace is not None and self._namespace != os.readlink("/proc/self/ns/pid"):
            wait_until(lambda: not members(self._namespace))

    # who is who

    @property
    def pid(self):
        """nest-init's, as the host numbers it, once it is being executed."""
        if self._pid is None:
            self._pid = wait_until(self._find, pause=0.001)
            self._namespace = os.readlink(f"/proc/{self._pid}/ns/pid")
        return self._pid

    def is_to_be(self, pid):
        """Names the process that will execute nest-init, for who must know before it does."""
        self._pid = pid
        self._namespace = os.readlink(f"/proc/{pid}/ns/pid")

    def _find(self):
        todo = children(self.process.pid)
        while todo:
            pid = todo.pop(0)
            below = children(pid)  # before its program: once it is nest-init a child of it is for a moment, too
            try:
                if os.readlink(f"/proc/{pid}/exe") == self.init:
                    return pid
            except OSError:
                pass
            todo += below
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.errors()}"
        return None

    def workload(self):
        """The pid of the workload, as the host numbers it: nest-init's first child, once it executes a program."""
        def executed():
            for pid in children(self.pid):
                try:
                    if os.readlink(f"/proc/{pid}/exe") != self.init:
                        return pid
                except OSError:
                    pass
            return None
        return wait_until(executed)

    def members(self):
        """All that runs in the namespace, as the host numbers it."""
        return members(self._namespace or os.readlink(f"/proc/{self.pid}/ns/pid"))

    # what it gets, says and ends with

    def kill(self, number):
        os.kill(self.pid, number)

    def queue(self, number, value):
        sigqueue(self.pid, number, value)

    def wait(self, limit=LIMIT):
        """nest-init's exit status; -N if it was itself killed by signal N."""
        return self.process.wait(limit)

    def output(self):
        return self._said("stdout")

    def errors(self):
        return self._said("stderr")

    def complaints(self):
        """Its standard error but for the death certificate."""
        return without_certificate(self.errors())

    def certificate(self):
        """What the death certificate says behind the workload's name and pid; None if there is none."""
        lines = CERTIFICATE.findall(self.errors())
        assert len(lines) <= 1, self.errors()
        return lines[0].partition(") ")[2].rstrip("\n") if lines else None

    def _said(self, name):
        stream = self._streams[name]
        if stream.closed:
            return ""
        return os.pread(stream.fileno(), 1 << 24, 0).decode(errors="replace")

    def lines(self):
        return self.output().splitlines()

    def wait_for(self, *lines):
        """Until each of these lines is among its output."""
        def there():
            said = self.lines()
            if all(line in said for line in lines):
                return True
            assert self.process.poll() is None or all(line in self.lines() for line in lines), \
                f"ended with {self.process.returncode}, said {self.output()!r}, {self.errors()!r}"
            return False
        wait_until(there)

    def wait_for_error(self, text):
        """Until its standard error has this text."""
        wait_until(lambda: text in self.errors() or self.process.poll() is not None)
        assert text in self.errors()
