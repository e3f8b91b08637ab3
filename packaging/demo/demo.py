#!/usr/bin/python3
"""./dev demo: a real Express service under nest-init, in a real container.

Shows what nest-init enforces and proves it: the commands are those a user would type, the output is their own, and each
mark is a check. A check that fails says what was expected, and the demo exits 1.
Run from the repository's root, as root, once build/release/nest-init is there.
"""
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "system"))
sys.dont_write_bytecode = True
import bundle  # noqa: E402

ROOTFS = REPO / "build/demo/rootfs"
INIT = REPO / "build/release/nest-init"
SERVICE = "http://127.0.0.1:4000"
MONITOR = "http://127.0.0.1:9911"
DRAIN = 1
STOP_TIMEOUT = 8
SLOW_MS = 3000
OPTIONS = [
    "--user medianest --cap-drop all --seccomp node",
    "--read-only --writable /app/backend/uploads",
    f"--ready {SERVICE}/api/health",
    "--health-interval 2s --health-start-interval 100ms",
    f"--metrics {MONITOR.removeprefix('http://')} --drain {DRAIN}s --stop-timeout {STOP_TIMEOUT}s",
    "-- node server.js",
]

COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
UNICODE = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
YES, NO = ("✓", "✗") if UNICODE else ("ok", "FAILED")


# --- what the terminal shows --------------------------------------------------------------------------------------

def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def say(text=""):
    print(text, flush=True)


def columns():
    """The terminal's width; without one nothing is broken into lines."""
    return max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else sys.maxsize


def pieces(line, width, marks, end=""):
    """A line in pieces of that width, broken behind one of the marks and nowhere else."""
    while len(line) > width:
        cut = max(line.rfind(mark, width // 4, width - len(end)) for mark in marks) + 1
        if cut == 0:
            break
        yield line[:cut].rstrip(" ") + end
        line = line[cut:]
    yield line


def fitted(text, first, rest, marks=" ", end=""):
    """`first` and `rest` are what stands before the first piece and before the others: equally wide."""
    for number, piece in enumerate(pieces(text, columns() - len(rest), marks, end)):
        say((rest if number else first) + piece)


def title(number, text, caption):
    say(f"\n{paint('1;36', number)}  {paint('1', text)}")
    fitted(caption, "   ", "   ")


def command(text):
    fitted(text, f"   {paint('33', '$')} ", "     ", end=" \\")


def output(text):
    for line in text.rstrip().splitlines():
        if "\033" in line:  # what nest-init paints is narrow
            say("     " + line)
        else:
            fitted(line, "     ", "     ", marks=" ,")


class Failed(Exception):
    """A check that did not hold: what was expected, and what was found."""


def check(what, held, expected=None, got=None):
    if held:
        fitted(what, f"   {paint('32', YES)} ", " " * (4 + len(YES)))
    else:
        raise Failed(f"{what}\n     expected {expected}\n     got      {got}")


def run(text, show=True):
    """Runs exactly what it prints. Both outputs in one, as on a terminal."""
    command(text)
    done = subprocess.run(["sh", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, errors="replace", timeout=30)
    if show:
        output(done.stdout)
    return done


def run_on_terminal(text):
    """The same on a terminal of its own, so that the program shows its colours."""
    command(text)
    ours, theirs = os.openpty()
    process = subprocess.Popen(["sh", "-c", text], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:  # EIO: nobody has the other end any more (pty(7))
        pass
    os.close(ours)
    text = written.decode(errors="replace").replace("\r", "")
    output(text)
    return subprocess.CompletedProcess(text, process.wait(30), text)


def run_json(text, show=True):
    done = run(text, show)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Failed(f"{text}\n     expected JSON\n"
                     f"     got      status {done.returncode}: {done.stdout.strip()!r}") from None


# --- the steps ----------------------------------------------------------------------------------------------------

class Demo:
    def __init__(self, container):
        self.c = container

    def exec(self, text, options=""):
        return f"runc exec {f'{options} ' if options else ''}{self.c.id} {text}"

    def curl(self, url, options=""):
        # The container has a network of its own and no curl: the host's, inside that network.
        return f"nsenter -t {self.c.pid} -n curl -s {options}{' ' if options else ''}{shlex.quote(url)}"

    def start(self):
        begin = time.monotonic()
        say(f"   {paint('2', 'ENTRYPOINT')}  /sbin/nest-init {OPTIONS[0]}")
        for line in OPTIONS[1:]:
            say(f"               {line}")
        command(f"runc run --bundle {self.c.bundle} {self.c.id}")
        self.c.start()
        self.c.wait_http(f"{MONITOR}/readyz")
        seconds = time.monotonic() - begin
        output(self.c.output())
        service = [pid for pid, line in self.c.processes().items() if line == "node server.js"]
        check(f"ready {seconds:.2f} s after runc run, Node's own start included", len(service) == 1,
              "one process 'node server.js'", self.c.processes())
        self.service = service[0]

    def in_force(self):
        done = run_on_terminal(self.exec("nest-init status", "-t")) if COLOUR else run(self.exec("nest-init status"))
        check("main is ready", done.returncode == 0 and "main is ready" in done.stdout, "exit 0, main is ready",
              f"exit {done.returncode}")
        known = run_json(self.exec("nest-init status --json"), show=False)
        layers = known["services"][0]["confinement"] if known else {}
        asked = {name for name, layer in layers.items() if layer["requested"]}
        enforced = {name for name, layer in layers.items() if layer["enforced"]}
        check(f"for machines the same: {', '.join(sorted(enforced))} enforced", len(asked) >= 5 and asked <= enforced,
              "all that was asked for", layers)
        # What PID 1 says is one thing, what the kernel holds another.
        run(f"grep -E '^(Uid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/{self.service}/status")
        kernel = self.c.status_of(self.service)
        uids = kernel["Uid"].split()
        check("the kernel agrees: user 1001 in all four ids", uids == ["1001"] * 4, "1001", uids)
        sets = {name: int(kernel[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        check("no capability in any of the five sets", not any(sets.values()), "0 in each", sets)
        modes = (kernel["NoNewPrivs"], kernel["Seccomp"])
        check("no_new_privs is set, a seccomp filter is loaded", modes == ("1", "2"), "1 and 2", modes)

    def refused_write(self):
        own = "/app/backend/server.js"
        answer = run_json(self.curl(f"{SERVICE}/write?path={own}", "-X POST"))
        check("the service cannot overwrite its own program", answer.get("error") in ("EROFS", "EACCES"),
              "EROFS (a read-only mount) or EACCES (Landlock)", answer)
        done = run(self.exec(f"node -e 'fs.appendFileSync(\"{own}\", \"\")'", "--user 1001:1001"))
        check("for comparison: the same user outside nest-init can, the file is its own", done.returncode == 0,
              "exit 0", f"exit {done.returncode}")
        answer = run_json(self.curl(f"{SERVICE}/write?path=/app/backend/uploads/photo.jpg", "-X POST"))
        check("what --writable names is writable", answer.get("written") is True, "written: true", answer)

    def denied_syscall(self):
        answer = run_json(self.curl(f"{SERVICE}/unshare", "-X POST"))
        check("unshare(2) gets EPERM from the filter, and the service lives on",
              answer.get("status") == 1 and "Operation not permitted" in answer.get("stderr", ""),
              "Operation not permitted", answer)
        done = run(self.exec("unshare --user node --version", "--user 1001:1001"))
        check("for comparison: without the filter the kernel lets the same user do it",
              done.returncode == 0 and done.stdout.startswith("v"), "exit 0 and Node's version",
              f"exit {done.returncode}; are user namespaces switched off on this machine?")

    def health(self):
        begin = time.monotonic()
        done = run(self.exec("nest-init health"))
        whole = (time.monotonic() - begin) * 1000
        check(f"exit {done.returncode}: healthy, in {whole:.0f} ms; most of it is runc's own start",
              done.returncode == 0, "exit 0", f"exit {done.returncode}")
        times = []
        enter = ["nsenter", "-t", str(self.c.pid), "-m", "-n", "-p", "/sbin/nest-init", "health"]
        for _ in range(21):
            begin = time.monotonic()
            status = subprocess.run(enter, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode
            times.append((time.monotonic() - begin) * 1000)
            if status != 0:
                raise Failed(f"{shlex.join(enter)}\n     expected exit 0\n     got      exit {status}")
        median = statistics.median(times)
        check(f"{median:.1f} ms without runc (median of {len(times)}): no shell, no curl, no request to the service",
              median < 100, "less than 100 ms", f"{median:.1f} ms")

    def metrics(self):
        done = run(f"{self.curl(f'{MONITOR}/metrics')} | grep -E '^[^#]+_(up|ready(_seconds)?|bytes|enforced)[ {{]'")
        page = self.c.http(f"{MONITOR}/metrics")
        kind = page.headers["Content-Type"] or ""
        check(f"a page for Prometheus: {kind}", done.returncode == 0 and kind.startswith("text/plain; version=0.0.4"),
              "text/plain; version=0.0.4", repr(kind))
        # {family: {labels: value}}
        samples = {}
        for line in page.text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = re.fullmatch(r"([^ {]+)(\{.*\})? (\S+)", line).groups()
                samples.setdefault(name.removeprefix("nest_init_"), {})[labels or ""] = float(value)
        for family in ("ready", "service_up", "healthcheck_up"):
            values = set(samples.get(family, {}).values())
            check(f"{family} is 1", values == {1.0}, 1, values)
        asked = {labels for labels, value in samples.get("hardening_requested", {}).items() if value}
        enforced = {labels for labels, value in samples.get("hardening_enforced", {}).items() if value}
        check(f"all {len(asked)} layers that were asked for are enforced", asked and asked <= enforced, asked, enforced)

    def stop(self):
        before = len(self.c.output())
        slow = self.curl(f"{SERVICE}/slow?ms={SLOW_MS}", "-w ' %{http_code}'")
        command(f"{slow} &")
        request = subprocess.Popen(["sh", "-c", slow], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   stdin=subprocess.DEVNULL)
        try:
            self.until(lambda: "slow request begins" in self.c.output()[before:], "the request arrives")
            begin = time.monotonic()
            command(f"runc kill {self.c.id} TERM")
            self.c.kill("TERM")
            self.until(lambda: self.c.http(f"{MONITOR}/readyz").status == 503, "/readyz says 503")
            check("not ready at once: /readyz says 503, a load balancer sends no more requests", True)
            done = run(self.exec("nest-init status") + " | head -n 1")
            check(f"for {DRAIN} s the service does not even know, so that the last new request is served",
                  "draining" in done.stdout and "SIGTERM: no new" not in self.c.output()[before:] and
                  self.c.http(f"{SERVICE}/").status == 200, "draining, and the service answers", done.stdout)
            self.until(lambda: "SIGTERM: no new" in self.c.output()[before:], "the service gets SIGTERM")
            check("then it gets SIGTERM, the slow request still in flight", request.poll() is None, "still running",
                  request.poll())
            answer = request.communicate(timeout=STOP_TIMEOUT)[0]
        finally:
            request.kill()
            request.wait()
        output(answer)
        check("the request in flight was answered in full", answer == f'{{"slept":{SLOW_MS}}} 200',
              f'{{"slept":{SLOW_MS}}} 200', repr(answer))
        status = self.c.wait(STOP_TIMEOUT + 2)
        seconds = time.monotonic() - begin
        say(f"   {paint('2', 'all that was logged meanwhile:')}")
        output(self.c.output()[before:])
        check(f"exit status {status}, {seconds:.1f} s after the signal, within the {STOP_TIMEOUT} s allowed",
              status == 0 and seconds < STOP_TIMEOUT, f"0 within {STOP_TIMEOUT} s", f"{status} after {seconds:.1f} s")

    @staticmethod
    def until(condition, what, seconds=3):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"{what}\n     expected within {seconds} s\n     got      nothing")
            time.sleep(0.01)


def steps(container):
    demo = Demo(container)
    for number, (text, caption, step) in enumerate([
        ("Start", "The container is root with Docker's default capabilities; the service gets neither.",
         demo.start),
        ("What is in force", "PID 1 says what it enforces, the kernel confirms it.", demo.in_force),
        ("A refused write", "A bug lets somebody name any path: the root is read-only for the service all the same.",
         demo.refused_write),
        ("A denied system call", "A bug lets somebody run a program of the image: the node profile refuses namespaces.",
         demo.denied_syscall),
        ("The health verdict", 'HEALTHCHECK CMD ["nest-init", "health"]: the monitor checks every 2 s, this asks it.',
         demo.health),
        ("Metrics", "For Prometheus, from the monitor; PID 1 speaks no HTTP.", demo.metrics),
        ("Stop during a slow request", f"A request of {SLOW_MS / 1000:.0f} s is in flight when the container is stopped.",
         demo.stop),
    ], 1):
        title(number, text, caption)
        step()


def main():
    if os.geteuid() != 0:
        sys.exit("demo: a container needs root: sudo ./dev demo")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the container is removed
    begin = time.monotonic()
    os.chdir(REPO)
    if not ROOTFS.is_dir():
        say("Building the image: Node, and npm ci for the service ...")
    built = subprocess.run(["packaging/demo/image.sh"])
    if built.returncode != 0:
        return 1
    lock = open(ROOTFS.parent / "lock")
    fcntl.flock(lock, fcntl.LOCK_SH)  # nobody replaces the image under our container

    node = subprocess.run([f"{ROOTFS}/usr/bin/node", "--version"], capture_output=True, text=True).stdout.strip()
    say(f"\n{paint('1', 'nest-init: PID 1 for containers')}")
    fitted(f"an Express service in a runc container; the image has Node {node}, the service, nest-init "
           f"({INIT.stat().st_size / 1000:.0f} KB)", "", "")

    args = ["/sbin/nest-init", *(word for line in OPTIONS for word in line.split())]
    container = bundle.Container(args, ROOTFS, cwd="/app/backend", hostname="demo", env={"NODE_ENV": "production"},
                                 stderr=subprocess.STDOUT)
    try:
        steps(container)
    except (Failed, bundle.ContainerError, OSError, TimeoutError, subprocess.TimeoutExpired) as error:
        say(f"   {paint('1;31', NO)} {error}")
        said = container.output() if container.process else ""
        if said.strip():
            say("   the container said:")
            output("\n".join(said.splitlines()[-20:]))
        return 1
    finally:
        container.cleanup()
    left = bundle.leftovers()
    if left:
        say(f"   {paint('1;31', NO)} left behind: {left}")
        return 1
    say(f"\n{paint('32', YES)} {paint('1', 'all of it held')}, {time.monotonic() - begin:.1f} s; nothing is left behind\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
