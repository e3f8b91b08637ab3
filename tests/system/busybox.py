"""An image to confine things in, and its probe: busybox for a shell, nest-init, and a program that tries things.

The image is a directory that every container of a test run shares: bundle.py lays a tmpfs over it. `attempt` does what
it is told, one operation a word, and says how the kernel answered: "ok" or the name of the errno, nothing in between.
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundle import DOCKER_CAPS, Container

REPO = Path(__file__).resolve().parents[2]
NEST_INIT = os.environ.get("NEST_INIT", str(REPO / "build/release/nest-init"))
METRICS = "127.0.0.1:9911"
BACKSTOP = 30  # seconds: nothing here comes near

needs_runc = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("runc", "unshare", "busybox", "musl-gcc"))),
    reason="needs root, runc, busybox-static and musl-gcc")


def machine_capabilities():
    """The bounding set of this machine's root: what --privileged can give, which may be less than all there are."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"^CapBnd:\s*(\w+)", status, re.M)[1], 16)


NAMES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
    net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin
    sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override
    mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore""".split()  # capabilities(7)
PRIVILEGED = tuple(name for bit, name in enumerate(NAMES) if machine_capabilities() >> bit & 1)


def bits(*names):
    """The set as /proc/PID/status writes it."""
    return "%016x" % sum(1 << NAMES.index(name) for name in names)


ATTEMPT = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Arguments that no kernel takes, so that nothing is changed; the answer without a filter is in the tests. */
static const struct call { const char *name; long number, a, b, c; } calls[] = {
	{ "ptrace", SYS_ptrace, 16, 0x7fffffff, 0 }, { "keyctl", SYS_keyctl, -1, 0, 0 }, { "bpf", SYS_bpf, -1, 0, 0 },
	{ "io_uring_setup", 425, 0, 0, 0 }, { "unshare", SYS_unshare, 0, 0, 0 }, { "mount", SYS_mount, 0, 0, 0 },
	{ "umount2", SYS_umount2, 0, 0, 0 }, { "pivot_root", SYS_pivot_root, 0, 0, 0 }, { "setns", SYS_setns, -1, 0, 0 },
	{ "kcmp", SYS_kcmp, 1, 1, -1 }, { "perf_event_open", SYS_perf_event_open, 0, 0, 0 },
	{ "userfaultfd", SYS_userfaultfd, -1, 0, 0 }, { "add_key", SYS_add_key, 0, 0, 0 },
	{ "delete_module", SYS_delete_module, 0, 0, 0 }, { "reboot", SYS_reboot, 0, 0, 0 },
	{ "swapon", SYS_swapon, 0, 0, 0 }, { "sethostname", SYS_sethostname, 0, 0, 0 },
	{ "open_tree", 428, -1, 0, -1 }, { "clone3", 435, 0, 0, 0 }, { "mseal", 462, 1, 0, 0 },
	{ "getpid", SYS_getpid, 0, 0, 0 },
};

static int create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	return fd < 0 ? -1 : close(fd);
}

static int write_to(const char *path, int flags)
{
	int fd = open(path, O_WRONLY | O_NOCTTY | flags);

	if (fd < 0)
		return -1;
	return write(fd, "", flags & O_TRUNC ? 0 : 1) < 0 || close(fd) < 0 ? -1 : 0;
}

static int open_only(const char *path)
{
	int fd = open(path, O_WRONLY | O_NOCTTY);

	return fd < 0 ? -1 : close(fd);
}

static int read_from(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY);

	return fd < 0 || read(fd, &byte, 1) < 0 ? -1 : 0;
}

/* By a name of its own beside it. */
static int link_beside(const char *path)
{
	char other[4096];

	snprintf(other, sizeof other, "%s.link", path);
	return link(path, other);
}

static int rename_beside(const char *path)
{
	char other[4096];

	snprintf(other, sizeof other, "%s.renamed", path);
	return rename(path, other);
}

static int bind_port(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
}

static void *leave_mark(void *mark)
{
	*(int *)mark = 1;
	return NULL;
}

static int run_thread(void)
{
	pthread_t thread;
	int mark = 0, error = pthread_create(&thread, NULL, leave_mark, &mark);

	if (error == 0)
		error = pthread_join(thread, NULL);
	errno = error;
	return error == 0 && mark == 1 ? 0 : -1;
}

/* clone(2) with flags, as fork does it; the child ends with 7. */
static int run_child(long flags)
{
	int status;
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(7);
	if (pid < 0 || waitpid((pid_t)pid, &status, 0) < 0)
		return -1;
	errno = ECHILD;
	return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : -1;
}

static int call(const char *name)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (strcmp(calls[i].name, name) == 0)
			return syscall(calls[i].number, calls[i].a, calls[i].b, calls[i].c, 0, 0, 0) < 0 ? -1 : 0;
	errno = E2BIG;
	return -1;
}

static int perform(const char *what, const char *on)
{
#define IS(word) (strcmp(what, word) == 0)
	return IS("create") ? create(on) : IS("append") ? write_to(on, O_APPEND) : IS("write") ? write_to(on, 0) :
		IS("open") ? open_only(on) :
		IS("truncate") ? write_to(on, O_TRUNC) : IS("mkdir") ? mkdir(on, 0755) : IS("rmdir") ? rmdir(on) :
		IS("unlink") ? unlink(on) : IS("symlink") ? symlink("target", on) : IS("mkfifo") ? mkfifo(on, 0644) :
		IS("mknod") ? mknod(on, S_IFREG | 0644, 0) : IS("mksock") ? mknod(on, S_IFSOCK | 0644, 0) :
		IS("shrink") ? truncate(on, 0) : IS("link") ? link_beside(on) :
		IS("rename") ? rename_beside(on) : IS("read") ? read_from(on) : IS("chmod") ? chmod(on, 0700) :
		IS("mount") ? mount("tmpfs", on, "tmpfs", 0, NULL) :
		IS("unprotect") ? mount(NULL, on, NULL, MS_REMOUNT | MS_BIND, NULL) : IS("umount") ? umount2(on, MNT_DETACH) :
		IS("bind") ? bind_port(on) : IS("socket") ? -(socket(atoi(on), SOCK_RAW, IPPROTO_ICMP) < 0) :
		IS("ping") ? -(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) < 0) :
		IS("root") ? (errno = EPERM, -(geteuid() != 0)) : IS("thread") ? run_thread() : IS("fork") ? run_child(0) :
		IS("clone") ? run_child(strtol(on, NULL, 16)) : IS("call") ? call(on) : (errno = E2BIG, -1);
}

static const char *name_of(int error)
{
	static const struct { int number; const char *name; } names[] = { { EPERM, "EPERM" }, { ENOENT, "ENOENT" },
		{ EACCES, "EACCES" }, { EROFS, "EROFS" }, { EBUSY, "EBUSY" }, { EINVAL, "EINVAL" }, { ENOSYS, "ENOSYS" },
		{ ESRCH, "ESRCH" }, { EFAULT, "EFAULT" }, { EBADF, "EBADF" }, { EOPNOTSUPP, "EOPNOTSUPP" },
		{ EEXIST, "EEXIST" }, { EXDEV, "EXDEV" }, { ENOTDIR, "ENOTDIR" }, { EISDIR, "EISDIR" }, { ENOSPC, "ENOSPC" },
		{ ENOTEMPTY, "ENOTEMPTY" }, { EADDRINUSE, "EADDRINUSE" }, { ECHILD, "ECHILD" }, { ENXIO, "ENXIO" } };
	static char number[16];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].number == error)
			return names[i].name;
	snprintf(number, sizeof number, "%d", error);
	return number;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *operation = strdup(argv[i]), *on = strchr(operation, '=');

		if (on != NULL)
			*on++ = '\0';
		if (strcmp(operation, "wait") == 0)
			pause();
		dprintf(STDOUT_FILENO, "%s: %s\n", argv[i], perform(operation, on ? on : "") == 0 ? "ok" : name_of(errno));
	}
	return 0;
}
"""


def _make_image(root):
    for directory in ("bin", "etc", "proc", "dev", "sys", "data", "scratch", "tmp", "marker", "empty"):
        (root / directory).mkdir()
    for directory in ("data", "scratch", "tmp", "marker"):
        (root / directory).chmod(0o777)
    shutil.copy2(shutil.which("busybox"), root / "bin/busybox")
    for applet in ("sh", "cat", "sleep", "id", "env", "touch"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n"
                                     "app:x:1001:1002:a comment:/home/app:/bin/sh\n"
                                     "1003:x:1004:1004::/home/number:/bin/sh\n"
                                     "homeless:x:1005:1005\n")
    (root / "etc/group").write_text("root:x:0:\napp:x:1002:\nstaff:x:50:app,other\nvideo:x:44:app\nother:x:60:other\n"
                                    "numbers:x:70:1003\n")
    for name in ("data/file", "scratch/file", "scratch/old"):
        (root / name).write_text("content\n")
        (root / name).chmod(0o666)
    (root / "scratch/directory").mkdir(mode=0o777)
    subprocess.run(["musl-gcc", "-static", "-O1", "-o", root / "bin/attempt", "-xc", "-"], input=ATTEMPT, text=True,
                   check=True)
    shutil.copy2(root / "bin/attempt", root / "bin/setuid-attempt")
    (root / "bin/setuid-attempt").chmod(0o4755)
    shutil.copy2(NEST_INIT, root / "nest-init")


@pytest.fixture(scope="session")
def image():
    with tempfile.TemporaryDirectory(prefix="nest-image-") as directory:
        root = Path(directory, "root")
        root.mkdir()
        _make_image(root)
        yield root


@dataclass
class Outcome:
    status: int
    output: str
    errors: str

    def lines(self):
        return self.errors.splitlines()

    def answers(self):
        """What `attempt` said, {operation: answer}."""
        return dict(re.findall(r"^(\S+): (\S+)$", self.output, re.M))


    def process(self):
        """What `cat /proc/self/status` wrote."""
        return {key: " ".join(value.split()) for key, value in re.findall(r"^(\w+):[ \t]*(.*)$", self.output, re.M)}


def run(image, options, command, **configuration):
    """nest-init as PID 1 with these options (a string is split at blanks) and this command, to its end."""
    with Container(_arguments(options, command), image, **configuration) as container:
        status = container.wait(BACKSTOP)
        return Outcome(status, container.output(), container.errors())


@contextlib.contextmanager
def running(image, options, command, **configuration):
    """The same with metrics, while the workload runs."""
    options = [*_words(options), "--metrics", METRICS]
    with Container(_arguments(options, command), image, **configuration) as container:
        container.wait_http(f"http://{METRICS}/readyz", timeout=BACKSTOP)
        yield container


def _words(text):
    return text.split() if isinstance(text, str) else list(text)


def _arguments(options, command):
    return ["/nest-init", *_words(options), "--", *_words(command)]


def wait_until(condition, timeout=BACKSTOP):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def wait_output(container, text, errors=""):
    """What it has written, once the one is in its output and the other among its errors. runc copies each stream by
    itself: that the later one is there does not mean that the earlier one is."""
    wait_until(lambda: text in container.output() and errors in container.errors())
    return Outcome(0, container.output(), container.errors())


def status(container):
    """`nest-init status --json`, its confinement."""
    done = container.exec("/nest-init", "status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)["services"][0]["confinement"]


def layers(container):
    """{layer: "in force", "asked" or "-"}, as /metrics says it; and status has to say the same."""
    page = container.http(f"http://{METRICS}/metrics").text

    def family(name):
        return dict(re.findall(rf'^nest_init_{name}{{layer="(\w+)"}} ([01])$', page, re.M))

    def word(requested, enforced):
        return {(1, 1): "in force", (1, 0): "asked", (0, 0): "-"}[int(requested), int(enforced)]

    requested, enforced = family("hardening_requested"), family("hardening_enforced")
    said = {layer: word(requested[layer], enforced[layer]) for layer in requested}
    assert said == {layer: word(s["requested"], s["enforced"]) for layer, s in status(container).items()}
    return said


NOTHING = {"user": "-", "capabilities": "-", "securebits": "-", "no_new_privs": "in force", "seccomp": "-", "read_only": "-", "tmpfs": "-",
           "limits": "-", "exec_allow": "-", "tcp": "-"}


def but(**changes):
    """What layers() says where nothing is asked for but this."""
    return {**NOTHING, **{name: word.replace("_", " ") for name, word in changes.items()}}


__all__ = ["BACKSTOP", "DOCKER_CAPS", "METRICS", "NEST_INIT", "NAMES", "PRIVILEGED", "REPO", "Outcome", "bits", "but",
           "image", "layers", "needs_runc", "run", "running", "status", "wait_output", "wait_until"]
