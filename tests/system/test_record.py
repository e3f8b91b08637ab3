"""`seccomp record`: real servers, recorded while they start, answer and stop, then run again as the summary says.

Debian's programs run in containers whose /usr is the machine's; /etc is a copy, /var and /run are the image's own and new
for each container, so that the second run finds what the first one found.
"""
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bundle import DOCKER_CAPS, Container, bind, tmpfs
from busybox import BACKSTOP, NEST_INIT, REPO, needs_runc, wait_until

# --- servers ------------------------------------------------------------------------------------------------------


def talk(container, port, request, kind=socket.SOCK_STREAM):
    """What is answered first to these bytes."""
    with container.socket(kind=kind) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))
        sock.sendall(request)
        return sock.recv(65536)


def http(port, status=200):
    return lambda container: container.http(f"http://127.0.0.1:{port}/").status == status


def redis(container):
    return talk(container, 6379, b"SET a b\r\n") == b"+OK\r\n" and b"ackground sav" in talk(container, 6379, b"BGSAVE\r\n")


def memcached(container):
    return talk(container, 11211, b"set a 0 0 1\r\nb\r\n") == b"STORED\r\n"


def dns(container):
    query = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\1x\4test\0\0\1\0\1"
    return b"\1\2\3\4" in talk(container, 5353, query, socket.SOCK_DGRAM)


def mqtt(container):
    return talk(container, 1883, bytes.fromhex("100d00044d5154540402003c000161")) == bytes.fromhex("20020000")


@dataclass
class Server:
    command: str
    asks: object          # a request; true if the answer is right
    status: int = 0       # what it ends with after a TERM
    writable: tuple = ()  # what it has to be given at least
    options: dict = field(default_factory=dict)


def docker_s_profile():
    """Docker's default as it hands it to runc on amd64 for its default capabilities."""
    profile = json.loads((REPO / "tests/data/seccomp/docker-default.json").read_text())
    rules = []
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes", {}), rule.get("excludes", {})
        if "caps" in includes or "amd64" not in includes.get("arches", ["amd64"]) or "amd64" in excludes.get("arches", []):
            continue
        rules.append({key: rule[key] for key in ("names", "action", "args", "errnoRet") if rule.get(key)})
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": rules}


NOBODY = {"user": 1001, "caps": (), "no_new_privs": True}
NODE = "require('http').createServer((q,r)=>r.end('x')).listen(8000);process.on('SIGTERM',()=>process.exit(3))"
SERVERS = {
    "nginx": Server("nginx -g 'daemon off;'", http(80, 403), writable=("/run", "/var/lib/nginx")),
    "redis": Server("redis-server --dir /var/lib/redis --save '1 1'", redis, writable=("/var/lib/redis",)),
    "memcached": Server("memcached -u memcache", memcached),
    "dnsmasq": Server("dnsmasq -k --port=5353 --no-resolv --address=/x.test/1.2.3.4", dns, writable=("/run",)),
    "mosquitto": Server("mosquitto -c /etc/mosquitto/mosquitto.conf", mqtt, writable=("/var/lib/mosquitto",)),
    "node": Server(f"node -e \"{NODE}\"", http(8000), 3),
    "python": Server("/usr/bin/python3 -m http.server 8000", http(8000), 143),
    "node, docker's profile": Server(f"node -e \"{NODE}\"", http(8000), 3, options={"seccomp": docker_s_profile()}),
    "redis, no privilege": Server("redis-server --dir /tmp --save '1 1'", redis, writable=("/tmp",), options=NOBODY),
    "python, no privilege": Server("/usr/bin/python3 -m http.server 8000", http(8000), 143, options=NOBODY),
}

STATE = ("nginx", "redis", "mosquitto")


@pytest.fixture(scope="module")
def root():
    with tempfile.TemporaryDirectory(prefix="nest-record-") as directory:
        path = Path(directory, "root")
        for part in ("usr", "proc", "dev", "sys", "run/mosquitto", "out", "root", "var/www/html", "var/lib", "var/log"):
            (path / part).mkdir(parents=True)
        (path / "tmp").mkdir()
        (path / "tmp").chmod(0o1777)
        (path / "var/run").symlink_to("/run")
        for name in ("bin", "sbin", "lib", "lib64"):
            (path / name).symlink_to(f"usr/{name}")
        copied = ["/etc", *(f"/var/{kind}/{name}" for kind in ("lib", "log") for name in STATE)]
        for source in filter(os.path.exists, copied):
            subprocess.run(["cp", "-a", source, path / Path(source).parent.relative_to("/")], check=True)
        for made in (path / "var/lib/nginx").iterdir():  # by an nginx that this machine has run: here it is the first one
            shutil.rmtree(made)
        shutil.chown(path / "run/mosquitto", "mosquitto")
        shutil.copy2(NEST_INIT, path / "nest-init")
        yield path


def live(root, out, arguments, server):
    """One life: start, requests, TERM. Returns the status and what it wrote to standard error."""
    with Container(arguments, root, mounts=[bind("/usr", "/usr", "ro"), bind(out, "/out")], **server.options) as c:
        def answers():
            assert c.running(), c.errors()
            try:
                return server.asks(c)
            except OSError:
                return False

        wait_until(answers)
        assert answers() and answers()
        c.kill("TERM")
        return c.wait(BACKSTOP), c.errors()


def proposed(errors):
    """The command line that the summary proposes."""
    return shlex.split(re.search(r"^  run it as: nest-init (.*)$", errors, re.M).group(1))


@needs_runc
@pytest.mark.parametrize("name", SERVERS)
def test_a_recorded_server_runs_again_under_what_was_learnt(root, tmp_path, name):
    server = SERVERS[name]
    tmp_path.chmod(0o777)
    command = shlex.split(server.command)
    record = ["/nest-init", "seccomp", "record", "-o", "/out/profile.json", "--", *command]
    status, errors = live(root, tmp_path, record, server)
    assert status == server.status, errors
    arguments = proposed(errors)
    assert arguments[:3] == ["--seccomp", "/out/profile.json", "--read-only"] and arguments[-len(command):] == command
    paths = [value for option, value in zip(arguments, arguments[1:]) if option == "--writable"]
    assert set(server.writable) <= set(paths) and not {"/", "/etc", "/usr", "/var", "/var/lib"} & set(paths)
    again, errors = live(root, tmp_path, ["/nest-init", *arguments], server)
    assert again == status, errors


# --- the program --------------------------------------------------------------------------------------------------

def record(tmp_path, *command, output="profile.json", options=(), **run):
    return subprocess.run([NEST_INIT, "seccomp", "record", "-o", tmp_path / output, *options, "--", *command],
                          capture_output=True, text=True, timeout=BACKSTOP, cwd=tmp_path, **run)


def profile(tmp_path, output="profile.json"):
    return json.loads((tmp_path / output).read_text())


def allowed(tmp_path, output="profile.json"):
    return {name for rule in profile(tmp_path, output)["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW"
            for name in rule["names"]}


def comment(tmp_path, key):
    """The words behind `Programs:` or `Writable:`."""
    return [word for rule in profile(tmp_path)["syscalls"] if rule["comment"].startswith(key)
            for word in rule["comment"].split()[1:]]


def test_the_profile_is_what_seccomp_compile_takes(tmp_path):
    assert record(tmp_path, "true").returncode == 0
    compiled = subprocess.run([NEST_INIT, "seccomp", "compile", "--strict", tmp_path / "profile.json", "-o", "-"],
                              capture_output=True)
    assert (compiled.returncode, compiled.stderr) == (0, b"") and len(compiled.stdout) > 0


def test_the_command_s_output_and_status_are_its_own(tmp_path):
    run = record(tmp_path, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (run.returncode, run.stdout) == (7, "out\n")
    assert run.stderr.startswith("err\nnest-init seccomp record: ")


def test_a_signal_s_status(tmp_path):
    assert record(tmp_path, "sh", "-c", "kill -KILL $$").returncode == 137
    assert "kill" in allowed(tmp_path) or "write" in allowed(tmp_path)


@pytest.mark.parametrize("command, status, reason", [
    (["no-such-program"], 127, "no-such-program"), (["/etc/passwd"], 126, "/etc/passwd"),
])
def test_what_cannot_be_executed_leaves_no_profile(tmp_path, command, status, reason):
    run = record(tmp_path, *command)
    assert run.returncode == status and reason in run.stderr and run.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments, sentence", [
    (["-o", "/no/such/directory/p", "true"], "/no/such/directory/p: No such file or directory"),
    (["true"], "-o FILE: is missing"),
    (["-o", "p"], "COMMAND: is missing"),
    (["-o", "p", "--teleport", "true"], "--teleport: unknown option; see nest-init seccomp record --help"),
    (["-o"], "-o: takes an argument"),
    (["-o", "p", "--merge"], "--merge: takes an argument"),
    (["-o", "p", "-x", "true"], "-x: unknown option; see nest-init seccomp record --help"),
    (["-o", "p", "--merge", "/no/such/file", "true"], "/no/such/file: No such file or directory"),
])
def test_a_mistake_is_told_before_anything_runs(tmp_path, arguments, sentence):
    run = subprocess.run([NEST_INIT, "seccomp", "record", *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (125, "")
    assert run.stderr == f"nest-init seccomp record: {sentence}\n"
    assert list(tmp_path.iterdir()) == []


def test_written_paths_and_executed_programs(tmp_path):
    (tmp_path / "there").write_text("")
    for name in ("made", "moved", "linked", "left", "deep/1", "deep/2", "deep/3"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "moved/old").write_text("")
    script = tmp_path / "script"
    script.write_text("#!/bin/dash\necho >> there\n: > made/new\nmv moved/old moved/new\nln -s x linked/x\n"
                      "mkdir left/x; rmdir left/x\nfor i in 1 2 3; do : > deep/$i/x; done\n"
                      ": > /dev/null; : < there; cat no-such-file 2>/dev/null; ( : > no/such/file ) 2>/dev/null; exit 0\n")
    script.chmod(0o755)
    run = record(tmp_path, "./script", options=["--merge", empty(tmp_path)])
    assert run.returncode == 0, run.stderr
    # Not three neighbours: the test's directory itself would be what they give way to.
    assert comment(tmp_path, "Writable:") == [str(tmp_path)]
    programs = comment(tmp_path, "Programs:")
    assert {str(script), "/usr/bin/dash", "/usr/bin/mv", "/usr/bin/cat"} <= set(programs)
    assert all(Path(program).is_file() for program in programs)


def empty(tmp_path):
    path = tmp_path / "empty.json"
    path.write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
    return path


@pytest.mark.parametrize("script, written", [
    (": > a/new", ["a"]), (": >> a/file", ["a/file"]), ("mv a/file b/file", ["a", "b"]), ("rm a/file", ["a"]),
    ("rm -f a/none", []), ("mkdir a/x", ["a"]), ("mkdir -p a", []), ("chmod 600 a/file", ["a/file"]),
    ("ln a/file b/name", ["b"]), ("cd a; touch file", ["a/file"]), ("cd a; ln -s file ../b/x", ["b"]),
    (": < a/file", []), ("cat a/file", []), (": > a/link", ["b/target"]), (": > a/none/x", []), (": > /$PWD/a//file", ["a/file"]), (": > /dev/null", []),
    ("chroot . /a/file", []), (": > a/x; rm -r a", ["."]),
])
def test_a_path_s_directory_is_noted_when_the_file_is_not_there(tmp_path, script, written):
    home = tmp_path / "home"
    for name in ("a", "b"):
        (home / name).mkdir(parents=True)
    (home / "a/file").write_text("")
    (home / "b/target").write_text("")
    (home / "a/link").symlink_to("../b/target")
    record(tmp_path, "sh", "-c", f"cd home; {script}")
    assert comment(tmp_path, "Writable:") == [str((home / name).resolve()) for name in written]


def test_a_socket_in_a_directory(tmp_path):
    script = "import socket, os; os.chdir('d'); s = socket.socket(socket.AF_UNIX); s.bind('s')"
    (tmp_path / "d").mkdir()
    assert record(tmp_path, "/usr/bin/python3", "-c", script).returncode == 0
    assert comment(tmp_path, "Writable:") == [str(tmp_path / "d")]


def test_merge_adds_to_an_earlier_profile(tmp_path):
    one, both = tmp_path / "d1", tmp_path / "d2"
    one.mkdir(), both.mkdir()
    assert record(tmp_path, "sh", "-c", ": > d1/x").returncode == 0
    first = allowed(tmp_path)
    run = record(tmp_path, "/usr/bin/python3", "-c", "import socket; open('d2/x', 'w'); socket.socket(socket.AF_UNIX)",
                 options=["--merge", "profile.json"])
    assert run.returncode == 0, run.stderr
    assert first < allowed(tmp_path) and "socket" in allowed(tmp_path) - first
    assert comment(tmp_path, "Writable:") == [str(one), str(both)]
    assert {"/usr/bin/dash"} < set(comment(tmp_path, "Programs:"))
    assert record(tmp_path, "true", options=["--merge", "profile.json"], output="again.json").returncode == 0
    assert allowed(tmp_path, "again.json") == allowed(tmp_path)


def test_merge_refuses_what_record_did_not_write(tmp_path):
    (tmp_path / "other.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    run = record(tmp_path, "true", options=["--merge", "other.json"])
    assert run.returncode == 125 and run.stderr.startswith("nest-init seccomp record: other.json:1:1: --merge takes")
    assert not (tmp_path / "profile.json").exists()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGRTMIN + 3])
def test_signals_are_forwarded(tmp_path, sent):
    script = (f"import signal, sys; signal.signal({int(sent)}, lambda n, f: sys.exit(n)); print('ready', flush=True)\n"
              "while True: signal.pause()")
    with subprocess.Popen([NEST_INIT, "seccomp", "record", "-o", tmp_path / "p", "--", "/usr/bin/python3", "-c", script],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(sent)
        assert process.wait(BACKSTOP) == int(sent)


def test_what_the_command_leaves_behind_is_ended(tmp_path):
    run = record(tmp_path, "sh", "-c", "setsid sleep 1000 & setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2; exit 4")
    assert run.returncode == 4
    wait_until(lambda: not Path(f"/proc/{run.stdout.strip()}").exists())


def test_threads_and_grandchildren_are_seen(tmp_path):
    script = ("import threading, os\n"
              "t = threading.Thread(target=lambda: os.mkdir('by-thread')); t.start(); t.join()\n"
              "if os.fork() == 0:\n os.system('umask 7; ulimit -n; nice -n 1 true'); os._exit(0)\nos.wait()")
    home = tmp_path / "home"
    home.mkdir()
    run = record(tmp_path, "/usr/bin/python3", "-c", f"import os; os.chdir('home')\n{script}")
    assert run.returncode == 0, run.stderr
    assert {"setpriority", "umask", "clone", "wait4"} <= allowed(tmp_path)
    assert comment(tmp_path, "Writable:") == [str(home)]


def test_namespaces_stay_refused_unless_they_were_seen(tmp_path):
    clone = "import ctypes, os; n = ctypes.CDLL(None, use_errno=True).syscall(56, {flag:#x} | 17, 0, 0, 0, 0)\n" \
            "if n == 0: os._exit(0)\nprint(ctypes.get_errno() if n < 0 else 'made'); n > 0 and os.wait()"
    uts, ipc = clone.format(flag=0x04000000), clone.format(flag=0x08000000)
    assert record(tmp_path, "/usr/bin/python3", "-c", uts).stdout == "made\n"

    def under(script):
        return subprocess.run([NEST_INIT, "--seccomp", tmp_path / "profile.json", "--", "/usr/bin/python3", "-c", script],
                              capture_output=True, text=True, timeout=BACKSTOP).stdout

    assert under(uts) == "made\n"
    assert under(ipc) == "1\n"  # EPERM


def test_syscalls_of_another_architecture_are_told(tmp_path):
    """getpid(2) of i386, by its own door."""
    subprocess.run(["gcc", "-o", tmp_path / "program", "-xc", "-"], text=True, check=True,
                   input='int main(void) { int n = 20; __asm__ volatile("int $0x80" : "+a"(n)); return n <= 0; }')
    run = record(tmp_path, tmp_path / "program")
    if run.returncode != 0:
        pytest.skip("this kernel has no i386")
    assert "  syscalls of another architecture were made: the profile does not list them\n" in run.stderr


def test_processes_that_die_under_its_eyes_do_not_stop_it(tmp_path):
    """Some are killed while their syscall is looked at."""
    script = "for i in $(seq 30); do (while :; do : > x; done) & p=$!; ls / >/dev/null; kill -9 $p; wait $p; done; echo end"
    run = record(tmp_path, "bash", "-c", script)
    assert (run.returncode, run.stdout) == (0, "end\n")


def test_there_is_one_listener_only(tmp_path):
    run = record(tmp_path, NEST_INIT, "seccomp", "record", "-o", "inner", "--", "true")
    assert run.returncode == 125
    assert re.search(r"^nest-init seccomp record: cannot listen to syscalls: \w[\w ]* busy \(the seccomp filter "
                     r"that is in force here has a listener already", run.stderr, re.M)
    assert not (tmp_path / "inner").exists()


def test_the_command_line_comes_back_as_it_was(tmp_path):
    """Under any shell, and without an order to the terminal."""
    words = ["a\nb", "t\tt", "\x1b[31m\x01\x7f", "it's", "", "*", "$HOME", "`x`", "\\", "a b", "\n", "\x02"]
    run = record(tmp_path, "printf", "<%s>", *words)
    line = run.stderr[run.stderr.index("  run it as: ") + len("  run it as: "):]
    assert not set(line) & set("\x01\x02\x1b\x7f")
    for shell in "dash", "bash":
        again = subprocess.run([shell, "-c", line.replace("nest-init", str(NEST_INIT), 1)],
                               capture_output=True, text=True)
        assert (again.returncode, again.stdout) == (0, "".join(f"<{word}>" for word in words)), again.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_without_proc_it_refuses(tmp_path):
    run = subprocess.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh", NEST_INIT,
                          "seccomp", "record", "-o", tmp_path / "p", "true"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (125, "nest-init seccomp record: /proc: is not there (mount it): nothing would "
                                                 "be known of paths and programs\n")
    assert list(tmp_path.iterdir()) == []


def test_help():
    run = subprocess.run([NEST_INIT, "seccomp", "record", "--help"], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.startswith("Usage: nest-init seccomp record ")


def test_minus_is_standard_output(tmp_path):
    """Behind what is there already, also in a file."""
    with open(tmp_path / "all", "w") as out:
        run = subprocess.run([NEST_INIT, "seccomp", "record", "-o", "-", "echo", "its own"], stdout=out,
                             stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    first, text = (tmp_path / "all").read_text().split("\n", 1)
    assert (run.returncode, first) == (0, "its own") and json.loads(text)["syscalls"]
    assert re.match(r"nest-init seccomp record: \d+ syscalls seen, \d+ allowed with their families: standard output\n",
                    run.stderr)
    assert "  run it as: nest-init --seccomp FILE --read-only" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["all"]


def test_a_signal_waits_until_there_is_a_command(tmp_path):
    """It comes while the recorder is busy with something else: a --merge that does not end."""
    os.mkfifo(tmp_path / "earlier")
    with subprocess.Popen([NEST_INIT, "seccomp", "record", "-o", tmp_path / "p", "--merge", tmp_path / "earlier", "--",
                           "sleep", "1000"], stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: " S " in Path(f"/proc/{process.pid}/stat").read_text())
        process.terminate()
        (tmp_path / "earlier").write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
        assert process.wait(BACKSTOP) == 128 + signal.SIGTERM, process.stderr.read()


def test_a_file_that_is_removed_in_the_run_is_made_anew(tmp_path):
    assert record(tmp_path, "rm", "profile.json").returncode == 0
    assert "unlink" in allowed(tmp_path)


@pytest.mark.parametrize("output, script, reason", [
    ("dir/p", "rm -r dir", "No such file or directory"), ("/dev/full", "true", "No space left on device"),
])
def test_what_cannot_be_written_is_not_lost(tmp_path, output, script, reason):
    (tmp_path / "dir").mkdir()
    run = record(tmp_path, "sh", "-c", script, output=output)
    line, text = run.stderr.split("\n", 1)
    assert run.returncode == 125
    assert line == f"nest-init seccomp record: {tmp_path / output}: {reason}; the profile is:"
    assert json.loads(text)["syscalls"]


@needs_runc
def test_who_writes_to_the_root_itself_gets_no_read_only_root(root, tmp_path):
    command = ["/nest-init", "seccomp", "record", "-o", "/out/p", "--", "/bin/sh", "-c", ": > /new; : > /var/new"]
    with Container(command, root, mounts=[bind("/usr", "/usr", "ro"), bind(tmp_path, "/out")]) as c:
        assert c.wait(BACKSTOP) == 0, c.errors()
        assert c.errors().endswith("\n  it writes to / itself: --read-only is left out\n  run it as: nest-init --seccomp "
                                   "/out/p -- /bin/sh -c ': > /new; : > /var/new'\n"), c.errors()


# --- without the right to look ------------------------------------------------------------------------------------

@needs_runc
def test_a_process_that_may_not_be_looked_at_is_told(root, tmp_path):
    """It has changed its user, and Docker's default capabilities have no CAP_SYS_PTRACE."""
    script = "import os; os.setgid(1001); os.setuid(1001); open('/srv/file', 'w')"
    for caps, expected in (DOCKER_CAPS, True), ((*DOCKER_CAPS, "sys_ptrace"), False):
        command = ["/bin/sh", "-c", 'mkdir -m 777 /srv; touch -d 2020-01-01 /srv; exec "$@"', "sh", "/nest-init", "seccomp",
                   "record", "-o", "/out/p", "--", "/usr/bin/python3", "-c", script]
        with Container(command, root, mounts=[bind("/usr", "/usr", "ro"), bind(tmp_path, "/out")], caps=caps) as c:
            assert c.wait(BACKSTOP) == 0, c.errors()
            assert ("paths unseen" in c.errors()) == expected
            assert "--writable /srv" in c.errors(), c.errors()


@needs_runc
def test_what_changed_is_found_beside_a_large_volume(root, tmp_path):
    """More than the 100000 files that are looked through: one directory, mounted many times over."""
    volume, out = tmp_path / "volume", tmp_path / "out"
    volume.mkdir(), out.mkdir()
    for number in range(15000):
        (volume / str(number)).touch()
    script = "import os; os.setgid(1001); os.setuid(1001); open('/srv/file', 'w')"
    command = ["/bin/sh", "-c", 'touch -d 2020-01-01 /srv; exec "$@"', "sh", "/nest-init", "seccomp", "record",
               "-o", "/out/p", "--", "/usr/bin/python3", "-c", script]
    # A tmpfs, as the container's root is one, lists first what was made last.
    mounts = [bind("/usr", "/usr", "ro"), bind(out, "/out"), tmpfs("/srv", "mode=777"),
              *(bind(volume, f"/volume{i}") for i in range(8))]
    with Container(command, root, mounts=mounts) as c:
        assert c.wait(4 * BACKSTOP) == 0, c.errors()
        assert " (among the first 100000 files: add --writable for what lies beyond)\n" in c.errors()
        assert "--writable /srv" in c.errors(), c.errors()
