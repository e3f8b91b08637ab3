"""--watch: the service is started again when its files change, and one that has ended waits for that."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from bundle import Container, bind
from busybox import image, needs_runc  # noqa: F401
from namespace import Namespace, monitor_of, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
BURST = 0.2  # s: it is over once it is quiet for so long
SERVICE = "echo life; exec sleep 1000"


def watching(init, *paths, options=(), command=("sh", "-c", SERVICE), **keywords):
    watch = [word for path in paths for word in ("--watch", path)]
    return Namespace(init, *command, options=[*watch, *options], **keywords)


def lives(n):
    return n.lines().count("life")


def begins(n, count=1):
    """The count-th life; and the monitor, which is there before, watches."""
    wait_until(lambda: lives(n) == count)
    wait_until(lambda: watches(n))


def watches(n):
    monitor = monitor_of(n.pid)
    if monitor is None:
        return False
    try:
        # It has read all directories before it confines itself.
        return "Seccomp:\t2" in open(f"/proc/{monitor}/status").read()
    except OSError:
        return False


def stays_at(n, count):
    """Longer than a burst takes to be told, and a little."""
    time.sleep(5 * BURST)
    assert lives(n) == count


@pytest.fixture
def tree(public):
    (public / "src/lib").mkdir(parents=True)
    (public / "src/lib/a").write_text("1")
    return public / "src"


# --- what is a change -------------------------------------------------------------------------------------------------

def replaced(path, text):
    """As editors save."""
    new = path.with_name("new-" + path.name)
    new.write_text(text)
    os.replace(new, path)


CHANGES = {
    "a file is written": lambda tree: (tree / "lib/a").write_text("2"),
    "replaced": lambda tree: replaced(tree / "lib/a", "2"),
    "made": lambda tree: (tree / "b").write_text(""),
    "removed": lambda tree: (tree / "lib/a").unlink(),
    "renamed": lambda tree: (tree / "lib/a").rename(tree / "lib/b"),
    "a link": lambda tree: (tree / "l").symlink_to("lib/a"),
    "one more name": lambda tree: os.link(tree / "lib/a", tree / "name"),
    "a directory with files": lambda tree: shutil.copytree(tree / "lib", tree / "new/lib"),
    "a directory is renamed": lambda tree: (tree / "lib").rename(tree / "lib2"),
    "all is made anew": lambda tree: (shutil.rmtree(tree), (tree / "lib").mkdir(parents=True), (tree / "c").write_text("")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_starts_it_again(nest_init, tree, what):
    with watching(nest_init, tree) as n:
        begins(n)
        CHANGES[what](tree)
        begins(n, 2)
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert "a change of its files; starting it again\n" in n.errors()


def test_what_is_new_is_watched_as_well(either, tree):
    with watching(either, tree) as n:
        begins(n)
        (tree / "new/deep/er").mkdir(parents=True)
        time.sleep(2 * BURST)  # empty directories are no change, but watched
        assert lives(n) == 1
        (tree / "new/deep/er/file").write_text("1")
        begins(n, 2)
        (tree / "new").rename(tree / "moved")
        begins(n, 3)
        (tree / "moved/deep/er/file").write_text("2")
        begins(n, 4)
        shutil.rmtree(tree)
        begins(n, 5)
        (tree / "lib").mkdir(parents=True)
        (tree / "lib/a").write_text("3")
        begins(n, 6)


def test_what_is_no_part_of_the_program_is_ignored(either, tree):
    (tree / "node_modules/x").mkdir(parents=True)
    with watching(either, tree) as n:
        begins(n)
        (tree / "node_modules/x/index.js").write_text("")
        (tree / "node_modules/y").mkdir()
        shutil.copytree(tree / "lib", tree / "node_modules/y/lib")
        (tree / ".git").mkdir()
        (tree / ".git/index").write_text("")
        for name in (".a.swp", "4913", "a~", ".#a", "#a#"):
            (tree / "lib" / name).write_text("")
            (tree / "lib" / name).unlink()
        (tree.parent / "beside").write_text("")
        os.close(os.open(tree, os.O_TMPFILE | os.O_WRONLY))
        stays_at(n, 1)
    with watching(either, tree / "node_modules") as n:
        begins(n)
        (tree / "node_modules/x/index.js").write_text("named")
        begins(n, 2)


def test_a_file_alone_counts_however_it_is_replaced(either, tree):
    """Also behind a link that is swapped as a whole, as Kubernetes mounts a ConfigMap."""
    for version in ("v1", "v2"):
        (tree / version).mkdir()
        (tree / version / "config").write_text(version)
    (tree / "..data").symlink_to("v1")
    (tree / "config").symlink_to("..data/config")
    with watching(either, tree / "config", f"{tree}/lib/a") as n:
        begins(n)
        (tree / "lib/other").write_text("")
        (tree / "other").write_text("")
        stays_at(n, 1)
        replaced(tree / "lib/a", "2")
        begins(n, 2)
        (tree / "..new").symlink_to("v2")
        os.replace(tree / "..new", tree / "..data")
        begins(n, 3)


def test_a_burst_is_one_change(either, tree):
    with watching(either, tree) as n:
        begins(n)
        for i in range(300):
            (tree / f"lib/{i}").write_text("")
        begins(n, 2)
        stays_at(n, 2)


# --- what comes of it -------------------------------------------------------------------------------------------------

@needs_node
def test_a_service_of_node_with_an_error_waits_for_the_next_change(either, public):
    (public / "lib").mkdir()
    (public / "server.js").write_text("console.log(require('./lib/words').hello); setInterval(() => {}, 1000)")
    words = public / "lib/words.js"
    words.write_text("exports.hello = 'one'")
    with watching(either, public, command=("node", str(public / "server.js"))) as n:
        wait_until(lambda: n.lines() == ["one"] and watches(n))
        words.write_text("exports.hello = 'two'")
        wait_until(lambda: n.lines() == ["one", "two"])
        words.write_text("exports.hello = ")
        wait_until(lambda: "SyntaxError" in n.errors() and "; waiting for a change of its files\n" in n.errors())
        words.write_text("exports.hello = 'three'")
        wait_until(lambda: n.lines() == ["one", "two", "three"])
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


@pytest.mark.parametrize("status", [0, 3])
def test_one_that_has_ended_waits_and_a_stop_ends_that(either, tree, status):
    with watching(either, tree, command=("sh", "-c", f"echo life; exit {status}")) as n:
        wait_until(lambda: "waiting for a change of its files" in n.errors())
        wait_until(lambda: watches(n))
        (tree / "lib/a").write_text("2")
        wait_until(lambda: n.errors().count("waiting for a change of its files") == 2)
        asked = subprocess.run(["nsenter", f"--target={n.pid}", "--pid", "--mount", n.init, "status"],
                               capture_output=True, text=True, timeout=20)
        assert "NOT in force" not in asked.stdout.split("confinement")[0]
        assert re.search(r"^service         none: sh \(pid \d+\) ended .*; waiting for a change of its files$", asked.stdout, re.M)
        n.kill(signal.SIGTERM)
        assert n.wait() == status
        assert lives(n) == 2


def test_changes_are_no_failures(either, tree):
    """Neither the limit of --restart nor its backoff counts them."""
    with watching(either, tree, options=["--restart", "on-failure:1", "--restart-backoff", "1h"]) as n:
        begins(n)
        for life in range(2, 6):
            (tree / "lib/a").write_text(str(life))
            begins(n, life)
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
        assert "not started again" not in n.errors()


def test_a_change_does_not_wait_for_a_backoff(either, tree):
    with watching(either, tree, options=["--restart", "always", "--restart-backoff", "1h"],
                  command=("sh", "-c", "echo life; exit 3")) as n:
        wait_until(lambda: "starting it again in" in n.errors())
        wait_until(lambda: watches(n))
        (tree / "lib/a").write_text("2")
        wait_until(lambda: lives(n) == 2)


def test_the_stop_is_the_declared_one(either, tree):
    """A service that does not end is killed within --stop-timeout, and then started again."""
    script = "trap 'echo term' TERM; echo life; while :; do sleep 0.02; done"
    with watching(either, tree, options=["--stop-timeout", "300ms"], command=("sh", "-c", script)) as n:
        begins(n)
        (tree / "lib/a").write_text("2")
        begins(n, 2)
        assert "term" in n.lines()
        assert "--stop-timeout (300ms) has passed" in n.errors()


def test_what_cannot_be_executed_ends_as_ever(either, tree):
    with watching(either, tree, command=("/no/such/program",)) as n:
        assert n.wait() == 127


def test_a_monitor_that_is_killed_is_followed_by_one_that_watches(either, tree):
    with watching(either, tree) as n:
        begins(n)
        before = monitor_of(n.pid)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: monitor_of(n.pid) not in (None, before) and watches(n))
        (tree / "lib/a").write_text("2")
        begins(n, 2)


# --- where it is said -------------------------------------------------------------------------------------------------

def test_variables_and_the_file_say_it_too(either, tree, tmp_path):
    with Namespace(either, "sh", "-c", SERVICE, env={**os.environ, "NEST_INIT_WATCH": f"{tree}/lib {tree}/none-yet"}) as n:
        assert n.wait() == 125
        assert f"--watch {tree}/none-yet: No such file or directory (for the monitor, which is uid 65534)\n" in n.errors()
    path = tmp_path / "nest-init.json"
    path.write_text(json.dumps({"services": {"main": {"command": ["sh", "-c", SERVICE], "watch": [str(tree)]}}}))
    with Namespace(either, options=["--config", path]) as n:
        begins(n)
        (tree / "lib/a").write_text("2")
        begins(n, 2)


def test_what_the_monitor_may_not_read_refuses_the_start(either, tree):
    (tree / "lib").chmod(0o700)
    with watching(either, tree / "lib") as n:
        assert n.wait() == 125
        assert n.errors() == f"nest-init: --watch {tree}/lib: Permission denied (for the monitor, which is uid 65534)\n"


def test_below_a_root_it_is_told_and_the_rest_is_watched(either, tree):
    (tree / "lib").chmod(0o700)
    with watching(either, tree) as n:
        begins(n)
        assert f"nest-init monitor: warning: --watch: {tree}/lib: Permission denied: not watched\n" in n.errors()
        (tree / "b").write_text("2")
        begins(n, 2)


# --- where inotify does not do ------------------------------------------------------------------------------------------

def denying(call, number):
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
            "syscalls": [{"names": [call], "action": "SCMP_ACT_ERRNO", "errnoRet": number}]}


@needs_runc
@pytest.mark.parametrize("call, number, why", [
    ("inotify_init1", 1, "Operation not permitted"), ("inotify_init1", 24, "No file descriptors available"),
    ("inotify_add_watch", 28, "no more watches (fs.inotify.max_user_watches)")])
def test_it_looks_every_second_instead(image, tree, call, number, why):  # noqa: F811
    with Container(["/nest-init", "--watch", "/src", "--", "/bin/sh", "-c", SERVICE], image, mounts=[bind(tree, "/src")],
                   seccomp=denying(call, number)) as c:
        told = f"nest-init monitor: --watch: {why}: files are looked at every second instead\n"
        wait_until(lambda: told in c.errors() and c.output() == "life\n")
        time.sleep(2)
        assert c.output() == "life\n"
        for life, change in enumerate((lambda: (tree / "lib/a").write_text("2"), lambda: (tree / "lib/a").unlink(),
                                       lambda: (tree / "new/lib").mkdir(parents=True) or (tree / "new/lib/b").write_text("")), 2):
            change()
            wait_until(lambda: c.output() == "life\n" * life)
        (tree / "node_modules").mkdir()
        (tree / "node_modules/x").write_text("")
        time.sleep(2)
        assert c.output() == "life\n" * 4


@pytest.mark.skipif(shutil.which("bindfs") is None or not os.path.exists("/dev/fuse"), reason="needs bindfs and /dev/fuse")
def test_a_file_system_that_hears_nothing_is_looked_at(either, tree):
    """bindfs tells nobody of what changes below it, as a shared directory of a virtual machine does not."""
    mount = tree.parent / "mount"
    mount.mkdir()
    subprocess.run(["bindfs", tree, mount], check=True, timeout=20)
    try:
        with watching(either, mount) as n:
            begins(n)
            assert ("nest-init monitor: --watch: a network or shared file system tells of no change: "
                    "files are looked at every second instead\n") in n.errors()
            (tree / "lib/a").write_text("2")
            begins(n, 2)
    finally:
        subprocess.run(["fusermount", "-u", mount], check=True, timeout=20)


@needs_runc
def test_under_another_name_it_means_nothing(image, tree):  # noqa: F811
    from busybox import NEST_INIT
    with Container(["/tini", "--", "/bin/sh", "-c", "echo life; exit 3"], image, files={"/tini": NEST_INIT},
                   mounts=[bind(tree, "/src")], env=["NEST_INIT_WATCH=/src"]) as c:
        assert c.wait() == 3
        assert "about stopping mean nothing under the name tini" in c.errors()


def test_help_names_it(nest_init):
    done = subprocess.run([nest_init, "--help", "stopping"], capture_output=True, text=True, timeout=20)
    assert "--watch PATH" in done.stdout
