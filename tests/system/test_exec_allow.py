"""--exec-allow: what a workload may execute, what of it comes by itself, and what the list cannot stop.

`runner` executes each of its words in a child and says how the kernel answered: "ok" or the name of the errno. It comes
static and dynamic."""
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from bundle import Container
from busybox import PRIVILEGED, but, image, layers, needs_runc, run, running, wait_output  # noqa: F401
from namespace import Namespace

pytestmark = needs_runc

RUNNER = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A copy of the file in memory that is on no file system. */
static void execute_from_memory(const char *path, unsigned flags)
{
	char bytes[65536], *words[] = { "memory", NULL };
	int from = open(path, O_RDONLY), to = memfd_create("copy", flags);
	ssize_t length;

	if (to < 0)
		return;
	fchmod(to, 0755);
	while ((length = read(from, bytes, sizeof bytes)) > 0)
		if (write(to, bytes, length) != length)
			return;
	fexecve(to, words, environ);
}

/* memfd_create(2) with no name, by the other ways into the kernel. */
static void call_otherwise(const char *way)
{
#ifdef __x86_64__
	long answer;

	if (strcmp(way, "x32") == 0)
		syscall(0x40000000 | 319, NULL, 0);
	else {
		__asm__ volatile("int $0x80" : "=a"(answer) : "a"(356L), "b"(0L), "c"(0L) : "memory");
		errno = -answer;
	}
#endif
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char word[512], *comma;
		int status;

		snprintf(word, sizeof word, "%s", argv[i]);
		comma = strchr(word, ',');
		if (comma)
			*comma++ = '\0';
		fflush(stdout);
		if (vfork() == 0) {
			char *words[] = { word, comma, NULL };

			if (strcmp(word, "memory") == 0)
				execute_from_memory(comma, MFD_CLOEXEC);
			else if (strcmp(word, "sealed") == 0)
				execute_from_memory(comma, MFD_CLOEXEC | 8 /* MFD_NOEXEC_SEAL */);
			else if (strcmp(word, "other") == 0)
				call_otherwise(comma);
			else
				execve(word, words, environ);
			_exit(100 + errno);
		}
		wait(&status);
		status = WEXITSTATUS(status);
		printf("%s: %s\n", argv[i], status < 100 ? "ok" : strerrorname_or_number(status - 100));
	}
	return 0;
}
""".replace("strerrorname_or_number(status - 100)", '(status == 100 + EACCES ? "EACCES" : status == 100 + EPERM ? "EPERM" : "other")')

LOADER = "/lib64/ld-linux-x86-64.so.2"


@pytest.fixture(scope="module")
def place():
    """A directory with runners and scripts, which every user may enter."""
    with tempfile.TemporaryDirectory(prefix="nest-public-") as directory:
        os.chmod(directory, 0o755)
        fill(Path(directory))
        yield Path(directory)


def fill(place):
    for name, compiler in ("static", ["musl-gcc", "-static"]), ("dynamic", ["gcc"]):
        subprocess.run([*compiler, "-O1", "-w", "-o", place / name, "-xc", "-"], input=RUNNER, text=True, check=True)
    (place / "programs").mkdir()
    for name, text in {
        "python": f"#! {os.path.realpath('/usr/bin/python3')} -B\nimport os\nos.execv('/bin/true', ['true'])\n",
        "env": "#!/usr/bin/env python3\nprint('env')\n",
        "nested": f"#!{place}/env\n",
        "text": "echo text; /bin/true\n",
    }.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    shutil.copy2("/bin/true", place / "programs/true")


def answers(nest_init, *command, options=(), **more):
    with Namespace(nest_init, *command, options=options, **more) as n:
        assert (n.wait(), n.errors()) == (0, "")
        return dict(line.split(": ") for line in n.output().splitlines())


def allow(*paths):
    return [f"--exec-allow={path}" for path in paths]


@pytest.mark.parametrize("kind", ["static", "dynamic"])
@pytest.mark.parametrize("more", [(), ("--read-only=landlock",), ("--read-only", "--user", "65534", "--cap-drop", "all"),
                                  ("--seccomp", "node")], ids=["alone", "landlock", "read-only", "seccomp"])
def test_only_the_command_and_the_list(either, place, kind, more):
    runner, true = place / kind, place / "programs/true"
    assert answers(either, runner, runner, "/bin/sh", "/bin/false", true, options=[*allow(true), *more]) == {
        str(runner): "ok", "/bin/sh": "EACCES", "/bin/false": "EACCES", str(true): "ok"}


def test_without_the_list_everything_is_executed(either, place):
    words = ["/bin/true", "/bin/false", "memory,/bin/true", f"{LOADER},/bin/true"]
    assert answers(either, place / "static", *words) == dict.fromkeys(words, "ok")


def test_what_is_below_a_directory(either, place):
    true = place / "programs/true"
    assert answers(either, place / "dynamic", true, "/bin/true", options=allow(place / "programs")) == {
        str(true): "ok", "/bin/true": "EACCES"}
    # A directory brings no loader: nobody has looked at what is in it.
    assert answers(either, place / "static", true, options=allow(place / "programs")) == {str(true): "EACCES"}


def test_children_are_held_to_it_too(either, place):
    inner = place / "dynamic"
    with Namespace(either, "/bin/bash", "-c", f"{inner} /bin/sh; /bin/true; echo $?", options=allow(inner)) as n:
        assert n.wait() == 0
        assert n.output() == "/bin/sh: EACCES\n126\n"


@pytest.mark.parametrize("script, status, output, errors", [
    ("python", 1, "", "PermissionError: [Errno 13] Permission denied\n"),
    ("env", 0, "env\n", ""),
    ("nested", 0, "env\n", ""),
    ("text", 126, "text\n", "/bin/true: Permission denied\n"),
])
def test_interpreters_come_by_themselves(either, place, script, status, output, errors):
    """Of the #! line, of the interpreter's own, what env looks for in PATH, and /bin/sh for a text without one."""
    with Namespace(either, place / script, options=allow(place / "programs"), env={"PATH": "/usr/bin:/bin"}) as n:
        assert (n.wait(), n.output()) == (status, output)
        assert n.complaints().endswith(errors) and bool(n.errors()) == bool(errors)


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_a_service_of_node_has_no_shell(either):
    script = ("const r = require('child_process').spawnSync('/bin/sh', ['-c', 'true']); console.log(r.error.code);"
              "console.log(require('child_process').spawnSync(process.execPath, ['-p', '6 * 7']).stdout.toString())")
    with Namespace(either, "node", "-e", script, options=[*allow("/bin/true"), "--cap-drop", "all"]) as n:
        assert (n.wait(), n.output(), n.errors()) == (0, "EACCES\n42\n\n", "")


def test_the_loader_runs_what_it_can_read(either, place):
    """What the list cannot stop: a loader that is allowed executes nothing, it maps (ld.so(8)). A static program brings
    none."""
    trick = f"{LOADER},/bin/true"
    assert answers(either, place / "dynamic", trick, "/bin/true", options=allow(place / "static")) == {
        trick: "ok", "/bin/true": "EACCES"}
    assert answers(either, place / "static", trick, options=allow(place / "static")) == {trick: "EACCES"}


@pytest.mark.parametrize("more", [(), ("--seccomp", "node")], ids=["", "node"])
def test_nothing_is_executed_from_memory(either, place, more):
    """A file that is on no file system is not Landlock's (memfd_create(2)): it cannot be made, unless it is sealed
    against execution; and the kernel sees to that."""
    assert answers(either, place / "static", "memory,/bin/true", "sealed,/bin/true",
                   options=[*allow("/bin/true"), *more]) == {
        "memory,/bin/true": "EPERM", "sealed,/bin/true": "EPERM" if more else "EACCES"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86's own ways")
def test_nor_is_it_by_the_other_ways_into_the_kernel(nest_init, place):
    words = ["other,i386", "other,x32"]
    assert answers(nest_init, place / "static", *words) == dict.fromkeys(words, "other")
    assert answers(nest_init, place / "static", *words, options=allow("/bin/true")) == dict.fromkeys(words, "EPERM")


def test_files_still_move_but_not_to_where_they_could_be_executed(either, place, tmp_path):
    for name in "a", "b", "c":
        (tmp_path / name).mkdir()
    shutil.copy2("/bin/true", tmp_path / "a/program")
    script = ("import errno, os\nos.rename('a/program', 'b/program')\nos.link('b/program', 'a/again')\n"
              "for move in (os.rename, os.link):\n"
              "    try: move('b/program', 'c/program')\n"
              "    except OSError as e: print(errno.errorcode[e.errno])\n")
    with Namespace(either, "/usr/bin/python3", "-c", script, options=allow(tmp_path / "c"), cwd=tmp_path) as n:
        assert (n.wait(), n.output(), n.errors()) == (0, "EXDEV\nEXDEV\n", "")


def test_a_directory_in_the_wrong_place_opens_nothing(either, place):
    """Nor an interpreter that only PATH would find: neither is executed."""
    script = place / "programs/script"
    for line in f"#!{place}/", "#!true":
        script.write_text(line + "\n")
        script.chmod(0o755)
        assert answers(either, place / "static", script, place / "programs/true", "/bin/true", options=allow(script)) == {
            str(script): "EACCES" if "/" in line[2:] else "other", str(place / "programs/true"): "EACCES",
            "/bin/true": "EACCES"}


def test_a_command_that_is_not_there_is_told_as_ever(either):
    with Namespace(either, "no-such-program", options=allow("/bin/true")) as n:
        assert (n.wait(), n.errors()) == (127, "nest-init: no-such-program: not found in PATH\n")


def test_a_path_that_is_not_there_is_a_mistake(image):
    for more in "", "--best-effort ":
        outcome = run(image, f"{more}--exec-allow /nope", "/bin/attempt create=/marker/started")
        assert (outcome.status, outcome.output, outcome.errors) == (
            125, "", "nest-init: exec_allow: path '/nope': No such file or directory (it has to be in the image, or be "
                     "mounted)\n")


@pytest.mark.parametrize("options, expected", [
    ("--exec-allow /bin/attempt", but(exec_allow="in force")),
    ("--exec-allow /bin --read-only=landlock", but(exec_allow="in force", read_only="in force")),
])
def test_status_and_metrics_say_it(image, options, expected):
    with running(image, options, "/bin/sleep 1000") as c:
        assert layers(c) == expected


def test_it_needs_no_new_privs_or_sys_admin(image):
    sentence = ("exec_allow: cannot put Landlock in force: Operation not permitted "
                "(it needs no_new_privs or CAP_SYS_ADMIN)")
    outcome = run(image, "--exec-allow /bin --no-new-privs=no", "/bin/attempt create=/marker/started")
    assert (outcome.status, outcome.output, outcome.errors) == (125, "", f"nest-init: {sentence}\n")
    with running(image, "--best-effort --exec-allow /bin --no-new-privs=no", "/bin/attempt create=/marker/started wait") as c:
        wait_output(c, "ok\n", f"nest-init: warning: not in force: {sentence}\n")
        assert layers(c) == but(exec_allow="asked", no_new_privs="-")
    assert run(image, "--exec-allow /bin --no-new-privs=no", "/bin/attempt create=/marker/x", caps=PRIVILEGED).status == 0


def test_the_same_by_a_variable_and_for_exec(image, place):
    environment = {"NEST_INIT_EXEC_ALLOW": "/bin/attempt /bin/setuid-attempt"}
    files = {"/runner": place / "static"}
    for words in (["/nest-init", "--"], ["/nest-init", "exec", "--"]):
        with Container([*words, "/runner", "/bin/attempt", "/bin/sh"], image, env=environment, files=files) as c:
            assert (c.wait(), c.output(), c.errors()) == (0, "/bin/attempt: ok\n/bin/sh: EACCES\n", "")
