"""Break out, if you can. One list of what an attacker would try from inside a hardened container, and one of what a
service still does there: each forbidden thing is refused, and the refusal is seen in /metrics; each allowed thing works.

break_out.c makes the attempts, a word each. How a refusal is seen depends on who refuses:
- what the seccomp profile refuses is counted, one more for each attempt: nest_init_seccomp_denials_total;
- what the kernel refuses (a capability that is missing, a read-only mount, Landlock, no_new_privs) it tells nobody in the
  container: then nest_init_hardening_enforced says that the very layer is in force.

The container's runtime does nothing that would help: no filter, no masked or read-only paths, /sys and the cgroups are
writable. The counter-proof makes the same attempts there with every privilege and without confinement.
"""
import os
import platform
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bundle import tmpfs
from busybox import DOCKER_CAPS, PRIVILEGED, image, layers, needs_runc, running, wait_until  # noqa: F401
from namespace import status_of
from test_denials import denials, monitor, told

pytestmark = needs_runc

HERE = Path(__file__).resolve().parent
X86 = platform.machine() == "x86_64"
PROFILES = ["default", "node", "nginx"]

HARDENED = ("--security-level hardened --seccomp-report --writable /marker --tmpfs /tmp "
            "--exec-allow /bin/setuid --exec-allow /bin/capable ")
# Who tries: what the container gives, and the options beside.
USER = ("--user 1001", {"caps": DOCKER_CAPS})           # another user than PID 1's
ROOT = ("", {"caps": DOCKER_CAPS})                      # root, whose capabilities are all dropped
PRIVILEGED_ROOT = ("", {"caps": PRIVILEGED})            # the same where the container may remount the root
ROOTLESS = ("", {"caps": (), "user": 1001})             # PID 1 is no more than the service: a Dockerfile's USER
WHO = {"user": USER, "root": ROOT, "privileged": PRIVILEGED_ROOT, "rootless": ROOTLESS}


@dataclass(frozen=True)
class Refusal:
    errno: str
    layer: str
    counted: str = ""  # as what, if seccomp's filter refuses


def seccomp(syscall):
    return Refusal("EPERM", "seccomp", syscall)


NO_CAPABILITY = Refusal("EPERM", "capabilities")
NOT_OURS = Refusal("EACCES", "capabilities")       # another's file or process, and no capability to pass by that
READ_ONLY = Refusal("EACCES", "read_only")         # Landlock; EROFS where the root could be remounted
NO_PROGRAM = Refusal("EACCES", "exec_allow")
NO_MEMORY_PROGRAM = Refusal("EPERM", "exec_allow")
NO_NEW_PRIVS = Refusal("EPERM", "no_new_privs")
UNKNOWN = Refusal("ENOSYS", "seccomp")             # so that libc takes clone(2): asked, not denied, and not counted
OK = Refusal("ok", "")


@dataclass(frozen=True)
class Attempt:
    """What is tried, who refuses it, the answer to who may ("other": any but the refusal's), and where it is otherwise:
    under a profile, or for one of WHO."""
    word: str
    refused: Refusal
    free: str = "ok"
    but: dict = field(default_factory=dict)

    def expected(self, profile, who):
        refusal = self.but.get(profile) or self.but.get(who) or self.refused
        return replace(refusal, errno="EROFS") if refusal == READ_ONLY and who == "privileged" else refusal


def tried(word, refused, free="ok", **but):
    return Attempt(word, refused, free, but)


def strict(refusal):
    """Of the two profiles that are for one kind of program."""
    return {"node": refusal, "nginx": refusal}


FORBIDDEN = [
    # The root file system: files that every user may write to, and root's own.
    tried("create=/data/new", READ_ONLY),
    tried("append=/data/file", READ_ONLY),
    tried("truncate=/data/file", READ_ONLY),
    tried("mkdir=/data/directory", READ_ONLY),
    tried("mkfifo=/data/fifo", READ_ONLY, **strict(seccomp("mknodat"))),
    tried("symlink=/data/symlink", READ_ONLY),
    tried("link=/scratch/old", READ_ONLY),
    tried("rename=/scratch/file", READ_ONLY),
    tried("unlink=/scratch/old", READ_ONLY),
    tried("create=/dev/shm/new", READ_ONLY),
    tried("append=/etc/passwd", NOT_OURS, root=READ_ONLY, privileged=READ_ONLY),
    tried("write=/proc/sys/kernel/core_pattern", NOT_OURS, root=READ_ONLY, privileged=READ_ONLY),
    tried("write=/proc/self/oom_score_adj", READ_ONLY),
    tried("write=/proc/1/oom_score_adj", NOT_OURS, root=READ_ONLY, privileged=READ_ONLY),
    tried("create=/proc/1/root/data/through", NOT_OURS),
    tried("mknod=/marker/mem", NO_CAPABILITY, **strict(seccomp("mknodat"))),
    tried("open_by_handle_at=/", seccomp("open_by_handle_at"), "ESTALE"),
    # Mounts and namespaces.
    tried("mount=/empty", seccomp("mount")),
    tried("remount=/", seccomp("mount")),
    tried("bind-mount=/scratch", seccomp("mount")),
    tried("umount=/dev/mqueue", seccomp("umount2")),
    tried("chroot=/data", seccomp("chroot")),
    tried("pivot_root=/", seccomp("pivot_root"), "EBUSY"),
    tried("open_tree=/", seccomp("open_tree")),
    tried("fsopen=tmpfs", seccomp("fsopen")),
    tried("move_mount=/", seccomp("move_mount"), "ELOOP"),
    tried("mount_setattr=/", seccomp("mount_setattr")),
    tried("unshare=10000000", seccomp("unshare")),  # CLONE_NEWUSER
    tried("unshare=20000", seccomp("unshare")),     # CLONE_NEWNS
    tried("clone=10000000", seccomp("clone")),
    tried("clone=20000", seccomp("clone")),
    tried("clone3=10000000", UNKNOWN),
    tried("setns=/proc/self/ns/uts", seccomp("setns")),
    tried("setns=/proc/1/ns/mnt", NOT_OURS),
    # Programs: a shell, by whatever way.
    tried("exec=/bin/sh", NO_PROGRAM),
    tried("exec=/nest-init", NO_PROGRAM, "other"),
    tried("exec=/proc/1/exe", NOT_OURS, "other"),
    tried("exec=/lib/loader", NO_PROGRAM, "other"),
    tried("exec-copy=/marker/copy", NO_PROGRAM),
    tried("exec-script=/marker/script", NO_PROGRAM),
    tried("exec-memory=/bin/break-out", NO_MEMORY_PROGRAM),
    tried("execveat=/bin/sh", NO_PROGRAM, **strict(seccomp("execveat"))),
    # Privileges, gained or had again.
    tried("privileges-of=/bin/setuid", NO_NEW_PRIVS),
    tried("privileges-of=/bin/capable", NO_NEW_PRIVS),
    tried("new-privs", Refusal("EINVAL", "no_new_privs")),
    tried("capset=0", NO_CAPABILITY, node=seccomp("capset")),
    tried("securebits", NO_CAPABILITY),
    tried("setuid=65534", NO_CAPABILITY),
    tried("setgid=65534", NO_CAPABILITY),
    tried("chown=/marker/mine", NO_CAPABILITY),
    # Other processes: one of the service's own, PID 1, the monitor.
    tried("ptrace=sibling", seccomp("ptrace")),
    tried("ptrace=1", seccomp("ptrace")),
    tried("ptrace={monitor}", seccomp("ptrace")),
    tried("process_vm_writev=sibling", seccomp("process_vm_writev")),
    tried("process_vm_writev=1", seccomp("process_vm_writev"), "EFAULT"),
    tried("process_vm_writev={monitor}", seccomp("process_vm_writev"), "EFAULT"),
    tried("memory=sibling", READ_ONLY),
    tried("memory=1", NOT_OURS, privileged=READ_ONLY),
    tried("memory={monitor}", NOT_OURS, privileged=READ_ONLY),
    tried("kcmp=sibling", seccomp("kcmp")),
    tried("pidfd_getfd=sibling", seccomp("pidfd_getfd"), nginx=seccomp("pidfd_open")),
    tried("pidfd_getfd=1", seccomp("pidfd_getfd"), nginx=seccomp("pidfd_open")),
    tried("kill=1", NO_CAPABILITY, root=OK, privileged=OK, rootless=OK),  # its own user may: see below what comes of it
    tried("kill={monitor}", NO_CAPABILITY, rootless=OK),
    tried("TIOCSTI=x", NO_CAPABILITY),
    # Sockets that a service has no use for.
    tried("socket=2,3,1", seccomp("socket")),      # AF_INET, SOCK_RAW, ICMP
    tried("socket=10,3,58", seccomp("socket")),    # AF_INET6
    tried("socket=2,10,0", seccomp("socket")),     # SOCK_PACKET
    tried("socket=17,3,768", seccomp("socket")),   # AF_PACKET
    tried("socket=38,5,0", seccomp("socket"), "other"),  # AF_ALG
    tried("socket=40,1,0", seccomp("socket"), "other"),  # AF_VSOCK
    # Interfaces of the kernel that exploits begin with, and those that are the host's.
    tried("bpf", seccomp("bpf")),
    tried("io_uring_setup", seccomp("io_uring_setup")),
    tried("call=io_uring_enter", seccomp("io_uring_enter"), "other"),
    tried("call=io_uring_register", seccomp("io_uring_register"), "other"),
    tried("call=keyctl", seccomp("keyctl")),
    tried("add_key=x", seccomp("add_key")),
    tried("call=request_key", seccomp("request_key"), "EFAULT"),
    tried("call=userfaultfd", seccomp("userfaultfd")),
    tried("perf_event_open", seccomp("perf_event_open")),
    tried("personality", seccomp("personality")),
    tried("call=fanotify_init", seccomp("fanotify_init")),
    tried("call=syslog", seccomp("syslog")),
    tried("call=acct", seccomp("acct")),
    tried("call=swapoff", seccomp("swapoff"), "EFAULT"),
    tried("call=reboot", seccomp("reboot"), "EINVAL"),
    tried("call=init_module", seccomp("init_module"), "other"),
    tried("call=delete_module", seccomp("delete_module"), "other"),
    tried("call=settimeofday", seccomp("settimeofday")),
    tried("call=clock_settime", seccomp("clock_settime"), "EFAULT"),
    tried("call=sethostname", seccomp("sethostname")),
    # A filter of one's own: it takes nothing away from the one that is in force, and hears nothing.
    tried("mount-after-prctl=/empty", seccomp("mount")),
    tried("mount-after-seccomp=/empty", seccomp("mount"), **strict(seccomp("seccomp"))),
    tried("listener", Refusal("EBUSY", "seccomp"), **strict(seccomp("seccomp"))),
]
if X86:  # its other ways into the kernel
    FORBIDDEN += [
        tried("i386", seccomp("x86:mount"), "other"),
        tried("call=x32", seccomp("x32:getpid"), "other"),
        tried("call=modify_ldt", seccomp("modify_ldt")),
    ]

ALLOWED = [
    "create=/marker/new", "append=/marker/new", "lock=/marker/new",  # --writable
    "create=/tmp/new", "append=/tmp/new",                            # --tmpfs
    "read=/data/file", "read=/etc/passwd", "append=/dev/null", "append=/dev/stdout", "say=a line",
    "thread", "fork", "exec=/bin/break-out", "end-child=15", "end-child=9",
    "tcp=8080", "tcp=80", "tcp6=8081", "unix=/marker/socket", "unix=@name", "socketpair", "dns=service.test",
    "ping=127.0.0.1",  # a datagram socket, as the container's net.ipv4.ping_group_range allows it
    "clocks", "jit", "epoll",
]


# ---- the rig ----

@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """{path in the container: file}: the program, and two copies that a user would gain something by, elsewhere."""
    directory = tmp_path_factory.mktemp("break-out")
    program = directory / "break-out"
    subprocess.run(["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, HERE / "break_out.c",
                    "-lresolv"], check=True)
    for name in "setuid", "capable":
        shutil.copy2(program, directory / name)
    (directory / "setuid").chmod(0o4755)
    subprocess.run(["setcap", "cap_net_raw,cap_chown+ep", directory / "capable"], check=True)
    loader = Path(os.path.realpath("/lib64/ld-linux-x86-64.so.2" if X86 else "/lib/ld-linux-aarch64.so.1"))
    return {"/bin/break-out": program, "/bin/setuid": directory / "setuid", "/bin/capable": directory / "capable",
            "/lib/loader": loader}


def careless(config):
    """A runtime that leaves everything in /proc and /sys as it is."""
    config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []
    for mount in config["mounts"]:
        mount["options"] = [option for option in mount["options"] if option != "ro"]
    config["linux"]["sysctl"]["net.ipv4.ping_group_range"] = "0 2147483647"


class Inside:
    """The program in a container: one attempt after the other."""

    def __init__(self, container):
        self.container = container
        self.monitor = status_of(monitor(container))["NSpid"].split()[-1]
        self.answers = 0

    def attempt(self, word):
        self.container.process.stdin.write(word.format(monitor=self.monitor).encode() + b"\n")
        self.container.process.stdin.flush()
        self.answers += 1
        wait_until(lambda: self.container.output().count("\n") >= self.answers)
        return self.container.output().splitlines()[-1].rsplit(": ", 1)[1]

    def attempt_and_count(self, word):
        """The answer, and which counters have risen by how many."""
        before = denials(self.container)
        answer = self.attempt(word)
        return answer, {key: count - before.get(key, 0) for key, count in denials(self.container).items()
                        if count != before.get(key, 0)}


@contextmanager
def inside(image, programs, options, **configuration):
    with running(image, options, "/bin/break-out", files=programs, edit=careless, mounts=[tmpfs("/tmp")],
                 stdin=subprocess.PIPE, **configuration) as container:
        yield Inside(container)


@contextmanager
def hardened(image, programs, profile, who):
    options, configuration = WHO[who]
    with inside(image, programs, f"{HARDENED} --seccomp {profile} {options}", **configuration) as attacker:
        yield attacker


everywhere = pytest.mark.parametrize("profile, who", [
    *((profile, who) for profile in PROFILES for who in ("user", "root")),
    ("default", "privileged"), ("default", "rootless"), ("node", "rootless")])


# ---- the proofs ----

@everywhere
def test_each_forbidden_thing_is_refused_and_that_is_seen(image, programs, profile, who):
    expected = {attempt.word: attempt.expected(profile, who) for attempt in FORBIDDEN}
    with hardened(image, programs, profile, who) as attacker:
        first = monitor(attacker.container)
        found = {word: attacker.attempt_and_count(word) for word in expected}
        assert found == {word: (refusal.errno, {(refusal.counted, "ERRNO(EPERM)"): 1} if refusal.counted else {})
                         for word, refusal in expected.items()}
        in_force = {layer for layer, state in layers(attacker.container).items() if state == "in force"}
        assert {refusal.layer for refusal in expected.values()} - {""} <= in_force
        counted = {refusal.counted for refusal in expected.values()} - {""}
        wait_until(lambda: {call for _, call, _ in told(attacker.container.errors())} == counted)
        assert monitor(attacker.container) == first


def test_without_confinement_each_of_them_works_or_fails_otherwise(image, programs):
    """So that nothing above is refused for a reason that is not ours: a file that is not there, a kernel without it."""
    with inside(image, programs, "--no-new-privs=no", caps=PRIVILEGED) as attacker:
        found = {attempt.word: attacker.attempt_and_count(attempt.word) for attempt in FORBIDDEN}
    refusals = {attempt.word: {attempt.expected(profile, who).errno for profile in PROFILES for who in WHO}
                for attempt in FORBIDDEN}
    as_expected = {attempt.word: found[attempt.word][0] if attempt.free == "other" else attempt.free
                   for attempt in FORBIDDEN}
    assert found == {word: (answer, {}) for word, answer in as_expected.items()}
    assert not {word for word, answer in as_expected.items() if answer != "ok" and answer in refusals[word]}


@pytest.mark.parametrize("refusal, without", [
    (READ_ONLY, "--read-only=no"), (NO_PROGRAM, "--exec-allow /"), (NO_CAPABILITY, "--cap-add all")],
    ids=["read_only", "exec_allow", "capabilities"])
def test_it_is_that_layer_that_refuses(image, programs, refusal, without):
    """All of the others are in force: where this one is left out, what it refused is done."""
    theirs = {attempt.word: attempt.free for attempt in FORBIDDEN
              if attempt.refused == refusal and "privileged" not in attempt.but}
    with inside(image, programs, f"{HARDENED} {without}", **PRIVILEGED_ROOT[1]) as attacker:
        found = {word: attacker.attempt(word) for word in theirs}
    assert len(theirs) > 5
    assert {word: answer for word, answer in found.items() if answer != theirs[word] and theirs[word] != "other"} == {}
    assert not [word for word, answer in found.items() if answer == refusal.errno]


@everywhere
def test_each_allowed_thing_works_and_is_no_denial(image, programs, profile, who):
    with hardened(image, programs, profile, who) as service:
        found = {word: service.attempt(word) for word in ALLOWED}
        assert found == dict.fromkeys(ALLOWED, "ok")
        assert denials(service.container) == {}
        assert "xappend=/dev/stdout: ok\n" in service.container.output()
        wait_until(lambda: "a line\n" in service.container.errors())


@pytest.mark.parametrize("who", WHO)
def test_no_signal_ends_pid_1_nor_its_watch(image, programs, who):
    """Each that does not ask for a stop, to PID 1 and to the monitor. Whose user it is may send them: PID 1 passes on
    what can be passed on, and the monitor comes back."""
    with hardened(image, programs, "default", who) as attacker:
        first = monitor(attacker.container)
        assert attacker.attempt("kill-all=1") == ("EPERM" if who == "user" else "ok")
        assert attacker.attempt("mount=/empty") == "EPERM"
        assert attacker.attempt("kill-all={monitor}") == ("ok" if who == "rootless" else "EPERM")
        assert attacker.attempt("mount=/empty") == "EPERM"
        wait_until(lambda: monitor(attacker.container) is not None)
        assert (monitor(attacker.container) == first) == (who != "rootless")
        attacker.container.wait_http("http://127.0.0.1:9911/readyz")
        assert denials(attacker.container) == {("mount", "ERRNO(EPERM)"): 2}


def test_a_filter_of_its_own_that_asks_nobody_hides_a_denial_but_opens_nothing(image, programs):
    """The later one of two that ask is asked (seccomp_unotify(2)): ENOSYS, and not counted."""
    with hardened(image, programs, "default", "user") as attacker:
        assert attacker.attempt_and_count("mount-unheard=/empty") == ("ENOSYS", {})
