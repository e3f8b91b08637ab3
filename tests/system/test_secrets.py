"""Secrets from files, given to services and given anew when they change; and that nobody else ever has them.

The files lie on a tmpfs of the namespace's own, /run/secrets, as container runtimes have them.
"""
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from namespace import Namespace, children, wait_until
from ports import free_ports

REPO = Path(__file__).resolve().parents[2]
NEST_INIT = os.environ.get("NEST_INIT", str(REPO / "build/release/nest-init"))
PREPARE = ("sh", "-c", 'mount -t tmpfs none /run && mkdir /run/secrets && cp -a "$1/." /run/secrets && shift && exec "$@"', "sh")
TELL = 'echo "$$ $DB"; trap "exit 0" TERM; while :; do sleep 0.02; done'

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")


def kubelet_write(directory, payload):
    """As Kubernetes' AtomicWriter does it: a directory of its own, and ..data renamed to lead there."""
    old = os.readlink(directory / "..data") if (directory / "..data").is_symlink() else None
    new = f"..{time.strftime('%Y_%m_%d_%H_%M_%S')}.{time.monotonic_ns()}"
    (directory / new).mkdir(mode=0o755)
    for name, text in payload.items():
        (directory / new / name).write_text(text)
    os.symlink(new, directory / "..data_tmp")
    os.rename(directory / "..data_tmp", directory / "..data")
    for name in payload:
        if not (directory / name).is_symlink():
            os.symlink(f"..data/{name}", directory / name)
    if old:
        shutil.rmtree(directory / old)


def rename_over(directory, name, text, mode=0o444):
    temporary = directory / f".{name}.new"
    temporary.write_text(text)
    temporary.chmod(mode)
    os.rename(temporary, directory / name)


class Container(Namespace):
    """nest-init with a configuration file, and secrets in /run/secrets."""

    def __init__(self, public, services, secrets, files, env=None, init=NEST_INIT, wrap=(), user=(), **more):
        self.seed = public / "seed"
        self.seed.mkdir(exist_ok=True)
        for name, text in files.items():
            (self.seed / name).parent.mkdir(parents=True, exist_ok=True)
            (self.seed / name).write_text(text)
        config = public / "nest-init.json"
        # What a shell is to see of a dollar sign stands there twice.
        config.write_text(json.dumps({"services": services, "secrets": secrets, **more}).replace("$", "$$"))
        wrap = [self.seed if word == "SEED" else word for word in wrap]
        super().__init__(init, options=("--config", config), wrap=(*wrap, *PREPARE, self.seed, *user), env=env)

    @property
    def secrets(self):
        return Path(f"/proc/{self.pid}/root/run/secrets")

    def status(self):
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-p", "-m", self.init, "status", "--json"], check=True,
                              capture_output=True, text=True)
        return json.loads(done.stdout)

    def rotations(self, name="DB"):
        return next(secret["rotations"] for secret in self.status()["secrets"] if secret["name"] == name)

    def monitor(self):
        def find():
            for pid in children(self.pid):
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"nest-init\0monitor"):
                        return pid
            return None
        return wait_until(find)

    def values(self):
        """What each life had."""
        return [line.partition(" ")[2] for line in self.lines()]


def shell(script, **more):
    return {"command": ["sh", "-c", script], **more}


@pytest.fixture
def start(public):
    containers = []

    def run(*args, **kwargs):
        containers.append(Container(public, *args, **kwargs))
        return containers[-1]
    yield run
    for container in containers:
        container.close()


# ---- rotation ----

WAYS = {"in place": lambda directory, text: (directory / "db").write_text(text),
        "rename": lambda directory, text: rename_over(directory, "db", text)}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_file_that_changes_starts_the_service_again(start, way):
    n = start({"main": shell(TELL)}, {"DB": {"file": "/run/secrets/db", "on_change": "restart"}}, {"db": "one\n"})
    wait_until(lambda: n.values() == ["one"])
    for count, text in enumerate(("two", "three\n"), 1):
        WAYS[way](n.secrets, text)
        wait_until(lambda: n.values()[-1] == text.strip())
        wait_until(lambda: n.rotations() == count)
    os.utime(n.secrets / "db")
    WAYS[way](n.secrets, "three\n")
    time.sleep(1)
    WAYS[way](n.secrets, "four\n")
    wait_until(lambda: n.values()[-1] == "four")
    assert n.values() == ["one", "two", "three", "four"] and n.rotations() == 3
    n.kill(signal.SIGTERM)
    assert n.wait() == 0


def test_a_volume_of_kubernetes(start, public):
    (public / "seed").mkdir()
    (public / "seed/app").mkdir()
    kubelet_write(public / "seed/app", {"DB": "one", "KEY": "k1"})
    n = start({"main": shell(TELL.replace("$DB", "$DB $KEY"))},
              {"app": {"directory": "/run/secrets/app", "on_change": "restart"}}, {})
    wait_until(lambda: n.values() == ["one k1"])
    kubelet_write(n.secrets / "app", {"DB": "one", "KEY": "k2"})
    wait_until(lambda: n.values()[-1] == "one k2")
    kubelet_write(n.secrets / "app", {"DB": "two", "KEY": "k2"})
    wait_until(lambda: n.values()[-1] == "two k2")
    kubelet_write(n.secrets / "app", {"DB": "two", "KEY": "k2"})  # the same once more: nothing has changed
    kubelet_write(n.secrets / "app", {"DB": "two", "KEY": "k2", "NEW": "x"})
    wait_until(lambda: len(n.values()) == 4)
    assert n.values() == ["one k1", "one k2", "two k2", "two k2"] and n.rotations("app") == 3


def test_one_file_of_a_volume_of_kubernetes(start, public):
    (public / "seed").mkdir()
    kubelet_write(public / "seed", {"db": "one"})
    n = start({"main": shell(TELL)}, {"DB": {"file": "/run/secrets/db", "on_change": "restart"}}, {})
    wait_until(lambda: n.values() == ["one"])
    for text in ("two", "three"):
        kubelet_write(n.secrets, {"db": text})
        wait_until(lambda: n.values()[-1] == text)
    assert n.values() == ["one", "two", "three"]


def test_what_is_gone_or_empty_is_no_change(start):
    n = start({"main": shell(TELL)}, {"DB": {"file": "/run/secrets/db", "on_change": "restart"}}, {"db": "one"})
    wait_until(lambda: n.values() == ["one"])
    (n.secrets / "db").write_text("")
    n.wait_for_error("secret DB: /run/secrets/db is empty: that is no change")
    (n.secrets / "db").unlink()
    n.wait_for_error("secret DB: /run/secrets/db cannot be looked at: No such file or directory")
    (n.secrets / "db").write_text("two")
    wait_until(lambda: n.values() == ["one", "two"])


def test_a_service_that_drops_all_reads_what_is_roots_alone_again_and_again(start, either):
    main = shell(TELL + " # $(id -u)", user="1001", capabilities={"drop": "all"}, seccomp="default")
    n = start({"main": main}, {"DB": {"file": "/run/secrets/db", "on_change": "restart"}}, {"db": "one"}, init=either,
              wrap=("sh", "-c", 'chmod 400 "$1/db"; shift; exec "$@"', "sh", "SEED"))
    wait_until(lambda: n.values() == ["one"])
    for text in ("two", "three"):
        rename_over(n.secrets, "db", text, 0o400)
        wait_until(lambda: n.values()[-1] == text)
    status = Path(f"/proc/{n.workload()}/status").read_text()
    assert "Uid:\t1001\t1001\t1001\t1001" in status and "CapEff:\t0000000000000000" in status


def test_where_the_monitor_may_not_look_pid_1_does(start):
    """A directory that is root's alone: there is nothing to watch, so it is looked at every ten seconds."""
    n = start({"main": shell(TELL)}, {"DB": {"file": "/run/secrets/private/db", "on_change": "restart"}}, {"private/db": "one"},
              wrap=("sh", "-c", 'chmod 700 "$1/private"; shift; exec "$@"', "sh", "SEED"))
    wait_until(lambda: n.values() == ["one"])
    n.monitor()
    (n.secrets / "private/db").write_text("two")
    wait_until(lambda: n.values() == ["one", "two"])


def test_what_changes_while_there_is_no_monitor_is_seen_by_the_next_one(start):
    n = start({"main": shell(TELL)}, {"DB": {"file": "/run/secrets/db", "on_change": "restart"}}, {"db": "one"})
    wait_until(lambda: n.values() == ["one"])
    (n.secrets / "db").write_text("two")
    wait_until(lambda: n.values() == ["one", "two"])
    wait_until(lambda: n.rotations() == 1)
    monitor = n.monitor()
    os.kill(monitor, signal.SIGSTOP)
    (n.secrets / "db").write_text("three")
    os.kill(monitor, signal.SIGKILL)
    wait_until(lambda: n.values() == ["one", "two", "three"])
    wait_until(lambda: n.monitor() != monitor)
    wait_until(lambda: n.rotations() == 2)  # and the count goes on


# ---- other actions ----

def test_a_signal(start):
    script = 'trap "cat /run/secrets/db; echo; echo hup" HUP; trap "exit 0" TERM; echo up; while :; do sleep 0.02; done'
    n = start({"main": shell(script)}, {"DB": {"file": "/run/secrets/db", "on_change": "HUP"}}, {"db": "one"},
              env={"DB_FILE": "/run/secrets/db"})
    n.wait_for("up")
    (n.secrets / "db").write_text("two")
    n.wait_for("hup")
    assert n.lines() == ["up", "two", "hup"]
    n.wait_for_error("secret DB has changed: who has it gets SIGHUP")


def test_a_command_confined_as_the_service_with_the_new_secret(start):
    n = start({"main": shell("echo up; exec sleep 1000", user="1001")},
              {"DB": {"file": "/run/secrets/db", "on_change": {"command": ["sh", "-c", 'echo "$(id -u) $DB"; exit 3']}}},
              {"db": "one"})
    n.wait_for("up")
    (n.secrets / "db").write_text("two")
    n.wait_for("1001 two")
    n.wait_for_error("secret DB: sh ended with status 3")
    assert n.lines() == ["up", "1001 two"]


def test_nothing_is_done_where_nothing_is_asked_for(start):
    n = start({"main": shell(TELL)}, {"DB": "/run/secrets/db"}, {"db": "one"})
    wait_until(lambda: n.values() == ["one"])
    assert children(n.pid) == [n.workload()]  # nobody watches
    (n.secrets / "db").write_text("two")
    n.kill(signal.SIGTERM)
    assert n.wait() == 0 and n.values() == ["one"]


def test_those_who_depend_on_it_follow_where_it_rolls(start):
    def telling(name, **more):
        return shell(f'echo "{name} $DB"; trap "exit 0" TERM; while :; do sleep 0.02; done', **more)
    services = {"web": telling("web", depends_on=["api"]), "api": telling("api"), "other": telling("other")}
    n = start(services, {"DB": {"file": "/run/secrets/db", "services": "api", "on_change": "rolling"}}, {"db": "one"})
    wait_until(lambda: len(n.lines()) == 3)
    assert sorted(n.lines()) == ["api one", "other ", "web "]
    (n.secrets / "db").write_text("two")
    wait_until(lambda: len(n.lines()) == 5)
    assert n.lines()[3:] == ["api two", "web "]


def test_one_that_does_not_come_up_with_a_bad_secret_costs_only_itself(start):
    a = 'echo "a $DB"; [ "$DB" = bad ] || touch /run/ready; trap "rm -f /run/ready; exit 0" TERM; while :; do sleep 0.02; done'
    n = start({"a": shell(a, health={"ready": ["file:/run/ready"], "interval": "50ms", "start_interval": "50ms"}), "b": shell(TELL)},
              {"DB": {"file": "/run/secrets/db", "on_change": "restart"}}, {"db": "good"})
    wait_until(lambda: sorted(n.values()) == ["good", "good"] and (Path(f"/proc/{n.pid}/root/run/ready")).exists())
    (n.secrets / "db").write_text("bad")
    n.wait_for("a bad")
    wait_until(lambda: n.rotations() == 1)
    time.sleep(1)
    assert n.values().count("bad") == 1
    (n.secrets / "db").write_text("better")
    wait_until(lambda: n.values().count("better") == 2)
    assert n.values().count("bad") == 1


def test_who_failed_with_the_old_one_does_not_wait(start):
    script = 'echo "$$ $DB"; [ "$DB" = new ] || exit 1; trap "exit 0" TERM; while :; do sleep 0.02; done'
    n = start({"main": shell(script, restart={"policy": "always", "backoff": "1h", "max_backoff": "1h"})},
              {"DB": {"file": "/run/secrets/db", "on_change": "restart"}}, {"db": "revoked"})
    n.wait_for_error("starting it again in")
    wait_until(lambda: n.values() == ["revoked"])
    (n.secrets / "db").write_text("new")
    wait_until(lambda: n.values() == ["revoked", "new"])


def test_all_of_it_without_root(start):
    n = start({"main": shell(TELL)}, {"DB": {"file": "/run/secrets/db", "on_change": "restart"},
                                      "KEY": {"file": "/run/secrets/key", "as": "file"}}, {"db": "one", "key": "k"},
              user=("setpriv", "--reuid", "1001", "--regid", "1001", "--clear-groups", "--bounding-set", "-all"))
    wait_until(lambda: n.values() == ["one"])
    (n.secrets / "db").write_text("two")
    wait_until(lambda: n.values() == ["one", "two"])


# ---- how it is given ----

def run(public, main, secrets, files, env=None, modes=None):
    with Container(public, {"main": main}, secrets, files, env=env,
                   wrap=("sh", "-c", f'cd "$1"; {modes or ":"}; cd /; shift; exec "$@"', "sh", "SEED")) as n:
        return n.wait(), n.output(), n.errors()


def test_only_who_is_named_gets_it(start):
    n = start({name: shell(f'echo "{name} $A $B"; exec sleep 1000') for name in ("a", "b")},
              {"A": {"file": "/run/secrets/a", "services": "a"}, "B": "/run/secrets/b"}, {"a": "1", "b": "2"})
    wait_until(lambda: len(n.lines()) == 2)
    assert sorted(n.lines()) == ["a 1 2", "b  2"]


def test_a_copy_in_memory_that_nobody_changes(public):
    script = ('import os, fcntl; path = os.environ["KEY_FILE"]; number = int(path.rsplit("/", 1)[1]);\n'
              'print(path.startswith("/proc/self/fd/"), open(path, "rb").read(), open(path, "rb").read(), fcntl.fcntl(number, 1034) & 15)\n'
              'print("KEY" in os.environ)\n'
              'for how in ("os.write(os.open(path, os.O_RDWR), b\'x\')", "os.ftruncate(number, 0)", "os.write(number, b\'x\')"):\n'
              '    try: exec(how); print("done")\n'
              '    except OSError as error: print("refused")')
    for user in ("0", "1001"):
        status, output, errors = run(public, {"command": ["python3", "-c", script], "user": user},
                                     {"KEY": {"file": "/run/secrets/key", "as": "file"}}, {"key": "\0binary\n\n"}, modes="chmod 400 key")
        assert (status, errors) == (0, "")
        assert output == "True b'\\x00binary\\n\\n' b'\\x00binary\\n\\n' 15\nFalse\nrefused\nrefused\nrefused\n"


@pytest.mark.parametrize("secret, files, env, modes, complaint", [
    ("/run/secrets/none", {}, {}, None, "secret DB: /run/secrets/none: No such file or directory"),
    ("/run/secrets/db", {"db": "hush"}, {"DB": "x"}, None,
     "secret DB: /run/secrets/db: DB is set in the environment as well: unset one of them"),
    ("/run/secrets/db", {"db": "hush"}, {"DB_FILE": "/x"}, None,
     "secret DB: /run/secrets/db: DB_FILE in the environment names another file: unset one of them"),
    ("/run/secrets/db", {"db": ""}, {}, None, "secret DB: /run/secrets/db: the file is empty"),
    ("/run/secrets/db", {"db": "hu\0sh"}, {}, None,
     'secret DB: /run/secrets/db: the file holds a NUL byte, which no variable can (deliver it "as": "file")'),
    ("/run/secrets/db", {"db": "hush" * 16385}, {}, None, "secret DB: /run/secrets/db: more than 65536 bytes"),
    ("/run/secrets/fifo", {}, {}, "mkfifo fifo", "secret DB: /run/secrets/fifo: no regular file"),
    ("/run/secrets", {}, {}, None, "secret DB: /run/secrets: no regular file"),
    ("/run/secrets/db", {"db": "hush"}, {}, "chmod 400 db; chown 7 db",
     "secret DB: /run/secrets/db: Permission denied (neither PID 1's user nor the service's may read it)"),
    ("/run/secrets/own/db", {"own/db": "hush"}, {}, "chmod 400 own/db; chown 1001 own",
     "secret DB: /run/secrets/own/db: the service may not read it, and could put another file in its place: a directory "
     "of the path is open to it"),
    ("/run/secrets/db", {"own/db": "hush"}, {}, "chmod 400 own/db; chown 1001 own; ln -s own/db db",
     "secret DB: /run/secrets/db: the service may not read it, and could put another file in its place: a directory of "
     "the path is open to it"),
    ({"directory": "/run/secrets"}, {"tls.crt": "hush"}, {}, None,
     "secret DB: /run/secrets/tls.crt: no name of a variable (letters, digits and _): rename it, or name the files one by one"),
])
def test_what_cannot_be_given_is_refused_and_said(public, secret, files, env, modes, complaint):
    status, output, errors = run(public, {"command": ["echo", "ran"], "user": "1001", "capabilities": {"drop": "all"}},
                                 {"DB": secret}, files, env, modes)
    assert (status, output) == (125, "")
    assert errors.splitlines()[0] == f"nest-init: {complaint}" and "hush" not in errors


def test_the_same_file_said_twice_is_one(public):
    status, output, _ = run(public, shell('echo "$DB ${DB_FILE-unset}"'), {"DB": "/run/secrets/db"}, {"db": "one\n"},
                            {"DB_FILE": "/run/secrets/db"})
    assert (status, output) == (0, "one unset\n")


@pytest.mark.parametrize("words, env, output", [
    (["--file-env", "A,B"], {"A_FILE": "a", "B_FILE": "b", "C_FILE": "c"}, "1 2  unset unset PUBLIC/c"),
    (["--file-env", "A"], {"B": "x"}, " x  unset unset unset"),
    (["--file-env", "all"], {"A_FILE": "a", "SSL_CERT_FILE": "/etc/none"}, "   PUBLIC/a unset unset"),
    (["--env", "A_FILE=PUBLIC/a", "--file-env", "A"], {"A_FILE": "b"}, None),
    (["--env", "A_FILE=PUBLIC/a", "--file-env", "A"], {}, "1   unset unset unset"),
    ([], {"A_FILE": "a"}, "   PUBLIC/a unset unset"),
    # An empty one is none, as for the images' own entry points: a Dockerfile cannot unset one.
    (["--file-env", "A"], {"A": "", "A_FILE": "a"}, "1   unset unset unset"),
    (["--env", "A=", "--file-env", "A"], {"A_FILE": "a"}, "1   unset unset unset"),
    (["--file-env", "A"], {"A": "x", "A_FILE": ""}, "x    unset unset"),
])
def test_name_file_is_read_where_that_is_asked_for(either, public, words, env, output):
    for number, name in enumerate("abc", 1):
        (public / name).write_text(f"{number}\n")
    env = {name: f"{public}/{value}" if len(value) == 1 and name.endswith("_FILE") else value for name, value in env.items()}
    done = subprocess.run([either, *[word.replace("PUBLIC", str(public)) for word in words], "--", "sh", "-c",
                           'echo "$A $B $C ${A_FILE-unset} ${B_FILE-unset} ${C_FILE-unset}"'],
                          capture_output=True, text=True, env={"PATH": os.environ["PATH"], **env})
    if output is None:
        assert done.returncode == 125 and "A_FILE in the environment names another file" in done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, output.replace("PUBLIC", str(public)) + "\n"), done.stderr


def test_both_name_and_name_file_are_an_error(either, public):
    (public / "a").write_text("1")
    done = subprocess.run([either, "--file-env", "A", "--", "true"], capture_output=True, text=True,
                          env={"A_FILE": str(public / "a"), "A": "2", "PATH": os.environ["PATH"]})
    assert done.returncode == 125
    assert f"nest-init: secret A: {public}/a: A is set in the environment as well: unset one of them\n" in done.stderr


# ---- nobody else has it ----

def memory_has(pid, needle):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            first, last = (int(word, 16) for word in line.split()[0].split("-"))
            with contextlib.suppress(OSError, OverflowError, ValueError):
                memory.seek(first)
                if needle in memory.read(last - first):
                    return True
    return False


def test_neither_pid_1_nor_the_monitor_nor_anybody_they_tell_has_it(start):
    first, second = "0c5f-first-of-all", "77aa-second-of-all"
    n = start({"main": shell('echo "$$ up"; trap "exit 0" TERM; while :; do sleep 0.02; done')},
              {"DB": {"file": "/run/secrets/db", "on_change": "restart"},
               "KEY": {"file": "/run/secrets/key", "as": "file", "on_change": "restart"}},
              {"db": first, "key": first}, metrics={"listen": ["unix:/run/metrics?mode=666"]}, log={"level": "info"})
    wait_until(lambda: len(n.lines()) == 1)
    (n.secrets / "db").write_text(second)
    wait_until(lambda: len(n.lines()) == 2)
    (n.secrets / "key").write_text(second)
    wait_until(lambda: len(n.lines()) == 3)
    wait_until(lambda: n.rotations("KEY") == 1 and n.rotations() == 1)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"/proc/{n.pid}/root/run/metrics")
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    assert 'nest_init_secret_rotations_total{secret="DB",action="restart"} 1\n' in page
    secret = n.status()["secrets"][0]
    assert set(secret) == {"name", "on_change", "rotations", "last_rotation"} and abs(secret["last_rotation"] - time.time()) < 600
    printed = subprocess.run(["nsenter", "-t", str(n.pid), "-p", "-m", n.init, "check", "--print",
                              str(n.seed.parent / "nest-init.json")], capture_output=True, text=True, check=True,
                             env={"PATH": os.environ["PATH"]}).stdout
    for value in (first, second):
        needle = value[1:].encode()
        for pid in (n.pid, n.monitor()):
            assert not memory_has(pid, needle)
            assert needle not in Path(f"/proc/{pid}/environ").read_bytes()
        for text in (n.errors(), page, json.dumps(n.status()), printed):
            assert value not in text
    # The search finds what is there.
    assert memory_has(n.workload(), second.encode()) and memory_has(n.pid, b"/run/secrets/db")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_child_that_reads_leaves_no_core(start, tmp_path):
    """Before it opens the file it is not dumpable, and between that and its exec it does not become so again."""
    trace = tmp_path / "trace"
    n = start({"main": shell('trap "exit 0" TERM; echo up; while :; do sleep 0.02; done', user="1001", capabilities={"drop": "all"})},
              {"DB": {"file": "/run/secrets/db", "on_change": "HUP"}}, {"db": "one"},
              wrap=("strace", "-f", "-D", "-qq", "-o", trace, "-e", "trace=prctl,openat,open,execve,setresuid,setresgid"))
    n.wait_for("up")  # strace is a child of PID 1, too
    n.kill(signal.SIGTERM)
    assert n.wait() == 0
    lines = trace.read_text().splitlines()
    readers = {line.split()[0] for line in lines if '"/run/secrets/db"' in line}
    assert readers
    for reader in readers:
        own = [line for line in lines if line.split()[0] == reader]
        opened = next(number for number, line in enumerate(own) if '"/run/secrets/db"' in line)
        assert any("PR_SET_DUMPABLE, SUID_DUMP_DISABLE" in line for line in own[:opened])
        assert not any("PR_SET_DUMPABLE, SUID_DUMP_USER" in line for line in own)


def test_what_runs_for_the_service_has_its_secrets_too(public):
    status, output, errors = run(public, shell('trap "exit 0" TERM; kill -TERM 1; while :; do sleep 0.02; done',
                                               stop={"pre_stop": ["sh", "-c", 'echo "before the end: $DB"']}),
                                 {"DB": "/run/secrets/db"}, {"db": "one"})
    assert (status, output) == (0, "before the end: one\n"), errors


def test_the_example_of_the_readme(start):
    block = re.search(r'^    "secrets": (\{\n(?:    .*\n)*?    \})\n', (REPO / "README.md").read_text(), re.M)[1]
    secrets = json.loads(block)
    services = {"backend": shell('echo "$DATABASE_URL $USER_KEY"; cat "$SIGNING_KEY_FILE"; exec sleep 1000'),
                "other": shell('echo "other $DATABASE_URL $USER_KEY"; exec sleep 1000', depends_on=["backend"])}
    n = start(services, secrets, {"database_url": "url\n", "signing_key": "key\n", "app/USER_KEY": "u"})
    wait_until(lambda: len(n.lines()) == 3)
    assert sorted(n.lines()) == ["key", "other  u", "url u"]
    assert [(secret["name"], secret["on_change"]) for secret in n.status()["secrets"]] == [
        ("DATABASE_URL", "restart"), ("SIGNING_KEY", "restart"), ("app", "command")]


# ---- the whole ----

EXPRESS = """
const express = require('express');
const app = express();
app.get('/', (request, response) => setTimeout(() => response.json({ secret: process.env.API_KEY, port: process.env.PORT }), 5));
app.get('/ready', (request, response) => response.sendStatus(200));
const server = app.listen(process.env.PORT, '127.0.0.1');
process.on('SIGTERM', () => server.close(() => process.exit(0)));
"""
NGINX = """
daemon off; worker_processes 1; pid {public}/nginx.pid; error_log {public}/errors;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {public}/body; proxy_temp_path {public}/proxy;
  fastcgi_temp_path {public}/f; uwsgi_temp_path {public}/u; scgi_temp_path {public}/s;
  upstream backend {{ server 127.0.0.1:{a} max_fails=0; server 127.0.0.1:{b} max_fails=0; }}
  server {{ listen 127.0.0.1:{front};
    location / {{ proxy_pass http://backend; proxy_next_upstream error timeout; proxy_connect_timeout 5s; }} }}
}}
"""


@pytest.fixture(scope="module")
def modules():
    """Express, with all it needs, as the demo has it."""
    subprocess.run([REPO / "packaging/demo/image.sh"], cwd=REPO, check=True, timeout=120)
    with open(REPO / "build/demo/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield REPO / "build/demo/service/node_modules"


class Clients:
    """Who asks all the time, and counts."""

    def __init__(self, url, count=4):
        self.url, self.answers, self.failures, self.stopped = url, [], [], False
        self.threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self):
        while not self.stopped:
            try:
                with urllib.request.urlopen(self.url, timeout=30) as answer:
                    self.answers.append(json.load(answer))
            except Exception as error:  # whatever it is, it was a request
                self.failures.append(repr(error))

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()


@pytest.mark.skipif(not all(map(shutil.which, ("node", "npm", "nginx"))), reason="needs node, npm and nginx")
def test_express_behind_nginx_gets_a_new_secret_and_no_request_is_lost(start, public, modules):
    a, b, front = free_ports(3)
    (public / "server.js").write_text(EXPRESS)
    (public / "nginx.conf").write_text(NGINX.format(public=public, a=a, b=b, front=front))

    def backend(port):
        return {"command": ["node", str(public / "server.js")], "stop": {"drain": "100ms", "timeout": "20s"},
                "environment": {"PORT": str(port), "NODE_PATH": str(modules)},
                "health": {"ready": [f"http://127.0.0.1:{port}/ready"], "interval": "100ms", "start_interval": "50ms"}}
    services = {"a": backend(a), "b": backend(b),
                "nginx": {"command": ["nginx", "-e", str(public / "errors"), "-c", str(public / "nginx.conf")], "stop": {"signal": "QUIT"}}}
    del services["b"]["health"]
    n = start(services, {"API_KEY": {"file": "/run/secrets/key", "services": ["a", "b"], "on_change": "restart"}}, {"key": "old\n"})

    def serves(port):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return json.load(answer)["secret"]
        return None
    wait_until(lambda: serves(a) == serves(b) == serves(front) == "old", pause=0.05)
    clients = Clients(f"http://127.0.0.1:{front}/")
    try:
        wait_until(lambda: len(clients.answers) > 100)
        rename_over(n.secrets, "key", "new\n", 0o400)
        wait_until(lambda: serves(a) == "new" and serves(b) == "new", pause=0.05)
        enough = len(clients.answers) + 100
        wait_until(lambda: len(clients.answers) > enough)
    finally:
        clients.stop()
    assert clients.failures == []
    assert {answer["secret"] for answer in clients.answers} == {"old", "new"}
    assert {answer["secret"] for answer in clients.answers[-50:]} == {"new"}
    assert {(answer["port"], answer["secret"]) for answer in clients.answers} == {
        (str(port), secret) for port in (a, b) for secret in ("old", "new")}
    assert n.rotations("API_KEY") == 1
    starts = {service["name"]: service["starts"] for service in n.status()["services"]}
    assert starts == {"a": 2, "b": 2, "nginx": 1}
    # One behind the other: b was asked to stop when a was ready again.
    said = n.errors()
    assert re.findall(r"nest-init: (\w) \(pid \d+\) ended", said) == ["a", "b"], said
