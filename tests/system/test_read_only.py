"""--read-only, --writable and --tmpfs in real containers: every cell of what works where, and what is said of it.

A cell is a container (privileged, default capabilities, none, another uid), a mode, and a root that the runtime has
mounted writable or read-only. A workload tries to write to a directory that anybody may write to, so that only the
protection can refuse it.
"""
import os
import pty
import subprocess

import pytest

from bundle import Container, bind, tmpfs
from busybox import (BACKSTOP, DOCKER_CAPS, PRIVILEGED, but, image, layers, needs_runc, run, running, status,  # noqa: F401
                     wait_output, wait_until)

pytestmark = needs_runc

CONTAINERS = {"privileged": {"caps": PRIVILEGED}, "default": {"caps": DOCKER_CAPS}, "none": {"caps": ()},
              "uid 1001": {"caps": DOCKER_CAPS, "user": 1001}}
UNPRIVILEGED = ["default", "none", "uid 1001"]

NO_REMOUNT = ("nest-init: read_only: cannot remount the root read-only: Operation not permitted "
              "(it needs CAP_SYS_ADMIN)\n")
NOT_VERIFIED = "nest-init: read_only: the root file system is writable (start the container with --read-only)\n"

# In this order all of them work where nothing forbids them.
WRITES = ["create=/scratch/new", "append=/scratch/file", "truncate=/scratch/file", "open=/scratch/file",
          "mknod=/scratch/plain", "shrink=/scratch/file", "mksock=/scratch/socket", "link=/scratch/file",
          "mkdir=/scratch/newdir", "rmdir=/scratch/directory", "symlink=/scratch/link", "mkfifo=/scratch/fifo",
          "unlink=/scratch/old", "rename=/scratch/file"]
DEVICES = ["write=/dev/null", "write=/dev/zero", "read=/dev/zero", "read=/dev/urandom", "write=/dev/urandom",
           "open=/dev/stdout", "open=/dev/stderr"]


def all_answer(words, answer):
    return dict.fromkeys(words, answer)


def expected(container, mode, already):
    """How the root is protected, or the refusal."""
    if mode == "verify":
        return "already" if already else NOT_VERIFIED
    if mode == "auto" and already:
        return "already"
    if mode == "landlock":
        return "landlock"
    if container == "privileged":
        return "remount"
    return "landlock" if mode == "auto" else NO_REMOUNT


CELLS = [(container, mode, already) for container in CONTAINERS for mode in ("remount", "landlock", "auto", "verify")
         for already in (False, True)]


def test_without_protection_every_write_works(image):
    """What the others are compared with."""
    for configuration in CONTAINERS.values():
        operations = [*WRITES, *DEVICES]
        assert run(image, "", ["/bin/attempt", *operations], **configuration).answers() == all_answer(operations, "ok")


@pytest.mark.parametrize("container, mode, already", CELLS,
                         ids=[f"{c}-{m}-{'already' if a else 'writable root'}" for c, m, a in CELLS])
def test_cell(image, container, mode, already):
    """/vol is a volume; /data is a directory of the root, which only we can make an exception of."""
    outcome = expected(container, mode, already)
    options = [f"--read-only={mode}", "--writable", "/vol"]
    data = not already and outcome in ("remount", "landlock")
    if data:
        options += ["--writable", "/data"]
    configuration = {**CONTAINERS[container], "read_only": already, "mounts": [tmpfs("/vol")]}
    operations = [*WRITES, *DEVICES, "create=/vol/new", "mkdir=/vol/directory", "append=/vol/new", "unlink=/vol/new"]
    if data:
        operations += ["create=/data/new", "append=/data/file", "rename=/data/file", "mkdir=/data/directory"]

    if outcome.startswith("nest-init:"):
        refused = run(image, options, ["/bin/attempt", *operations], **configuration)
        assert (refused.status, refused.output, refused.errors) == (125, "", outcome)
        return
    with running(image, options, ["/bin/attempt", *operations, "wait"], **configuration) as c:
        answers = wait_output(c, f"{operations[-1]}: ").answers()
        assert layers(c) == but(read_only="in force")
        assert status(c)["read_only"]["how"] == outcome
        assert c.errors() == ""
    refusal = "EACCES" if outcome == "landlock" and not already else "EROFS"  # the mount is asked before Landlock
    assert {word: answers.pop(word) for word in WRITES} == all_answer(WRITES, refusal)
    assert answers == all_answer([word for word in operations if word not in WRITES], "ok")


def test_no_option_is_no_protection(image):
    with running(image, "", "/bin/sleep 1000") as c:
        assert layers(c) == but()
        assert "how" not in status(c)["read_only"]


# --- remount ------------------------------------------------------------------------------------------------------

def test_remount_covers_docker_exec(image):
    with running(image, "--read-only=remount --writable /data --writable /vol", "/bin/sleep 1000", caps=PRIVILEGED,
                 mounts=[tmpfs("/vol")]) as c:
        wait_until(lambda: status(c)["read_only"]["enforced"])
        words = ["create=/new", "create=/scratch/new", "create=/tmp/new", "create=/dev/shm/new", "create=/dev/new",
                 "create=/data/new", "create=/vol/new"]
        outcome = c.exec("/bin/attempt", *words)
        assert outcome.stdout == ("create=/new: EROFS\ncreate=/scratch/new: EROFS\ncreate=/tmp/new: EROFS\n"
                                  "create=/dev/shm/new: EROFS\ncreate=/dev/new: EROFS\n"
                                  "create=/data/new: ok\ncreate=/vol/new: ok\n")


def test_landlock_does_not_cover_docker_exec(image):
    """As the design says it: this is what remount is better for."""
    with running(image, "--read-only=landlock", "/bin/sleep 1000") as c:
        wait_until(lambda: status(c)["read_only"]["enforced"])
        assert c.exec("/bin/attempt", "create=/scratch/new").stdout == "create=/scratch/new: ok\n"


@pytest.mark.parametrize("mode, how", [("remount", "EROFS"), ("landlock", "EACCES")])
def test_children_are_confined_too(image, mode, how):
    outcome = run(image, f"--read-only={mode}", ["/bin/sh", "-c", "(/bin/attempt create=/scratch/new); exit 3"],
                  caps=PRIVILEGED)
    assert (outcome.status, outcome.output) == (3, f"create=/scratch/new: {how}\n")


def hold(path):
    """A command line that gives PID 1 a file that is open for writing."""
    return ["/bin/sh", "-c", f'exec 5>>{path}; exec "$@"', "sh"]


def test_remount_is_refused_while_a_file_is_open_for_writing(image):
    def through_shell(config):
        config["process"]["args"] = hold("/data/file") + config["process"]["args"]

    refused = run(image, "--read-only=remount", "/bin/attempt create=/scratch/new", caps=PRIVILEGED, edit=through_shell)
    assert (refused.status, refused.output, refused.errors) == (
        125, "", "nest-init: read_only: cannot remount the root read-only while a file on it is open for writing\n")

    with running(image, "--read-only --writable /data", "/bin/attempt create=/scratch/new create=/data/new "
                 "create=/dev/shm/new wait", caps=PRIVILEGED, edit=through_shell) as c:
        answers = wait_output(c, "create=/dev/shm/new: ").answers()
        assert status(c)["read_only"] == {"requested": True, "enforced": True, "how": "landlock"}
    assert answers == {"create=/scratch/new": "EACCES", "create=/data/new": "ok", "create=/dev/shm/new": "EACCES"}


def test_where_nest_init_is_not_pid_1_the_mounts_of_others_stay_as_they_are(image):
    """In a shell of the host, say: the remount and the tmpfs are the workload's own."""
    def under_a_shell(config):
        config["process"]["args"] = ["/bin/sh", "-c", '"$@"; /bin/attempt create=/scratch/after create=/data/after; '
                                     "ls /dev/shm", "sh", *config["process"]["args"]]

    outcome = run(image, "--read-only=remount --tmpfs /data", "/bin/attempt create=/scratch/new create=/data/new "
                  "create=/dev/shm/new", caps=PRIVILEGED, edit=under_a_shell)
    assert outcome.output == ("create=/scratch/new: EROFS\ncreate=/data/new: ok\ncreate=/dev/shm/new: EROFS\n"
                              "create=/scratch/after: ok\ncreate=/data/after: ok\n")


# --- Landlock -----------------------------------------------------------------------------------------------------

def test_landlock_forbids_mounts(image):
    """Else CAP_SYS_ADMIN would get a writable file system in a minute."""
    outcome = run(image, "--read-only=landlock", "/bin/attempt mount=/scratch umount=/dev/shm unprotect=/",
                  caps=PRIVILEGED)
    assert outcome.answers() == {"mount=/scratch": "EPERM", "umount=/dev/shm": "EPERM", "unprotect=/": "EPERM"}


@pytest.mark.parametrize("container", ["default", "none"])
def test_landlock_without_no_new_privs_needs_sys_admin(image, container):
    refused = run(image, "--read-only=landlock --no-new-privs=no", "/bin/attempt create=/scratch/new",
                  **CONTAINERS[container])
    assert (refused.status, refused.output, refused.errors) == (
        125, "", "nest-init: read_only: cannot put Landlock in force: Operation not permitted "
        "(it needs no_new_privs or CAP_SYS_ADMIN)\n")


def test_landlock_without_no_new_privs_with_sys_admin(image):
    outcome = run(image, "--read-only=landlock --no-new-privs=no", "/bin/attempt create=/scratch/new", caps=PRIVILEGED)
    assert (outcome.status, outcome.output) == (0, "create=/scratch/new: EACCES\n")


def test_renames_out_of_a_writable_directory(image):
    """A file may not leave for where nothing may be written, nor come from there; inside it may go where it will."""
    script = ("busybox mv /data/file /scratch/stolen; busybox mv /scratch/file /data/taken; busybox ln /scratch/old /data/old;"
              "busybox mkdir /data/sub; busybox ln /data/file /data/sub/hard; busybox ls /data /data/sub /scratch")
    outcome = run(image, "--read-only=landlock --writable /data", ["/bin/sh", "-c", script])
    assert outcome.output == "/data:\nfile\nsub\n\n/data/sub:\nhard\n\n/scratch:\ndirectory\nfile\nold\n"


# --- standard streams and devices ---------------------------------------------------------------------------------

REOPEN = ["/bin/sh", "-c", "echo one >/dev/stdout; echo two >/dev/stderr; echo three >>/proc/self/fd/1; cat </dev/stdin"]


@pytest.mark.parametrize("mode", ["remount", "landlock"])
def test_streams_that_are_pipes_may_be_opened_again(image, mode):
    """nginx and many others log to /dev/stdout by opening it."""
    with Container(["/nest-init", f"--read-only={mode}", "--", *REOPEN], image, caps=PRIVILEGED, stdin=subprocess.PIPE) as c:
        c.process.stdin.write(b"four\n")
        c.process.stdin.close()
        assert (c.wait(BACKSTOP), c.output(), c.errors()) == (0, "one\nthree\nfour\n", "two\n")


def test_streams_that_are_files_may_be_opened_again(image):
    """Files on the very root that is read-only."""
    script = 'echo four >/marker/in; "$@" </marker/in >>/marker/out 2>>/marker/err; cat /marker/out /marker/err'

    def edit(config):
        config["process"]["args"] = ["/bin/sh", "-c", script, "sh", *config["process"]["args"]]

    outcome = run(image, "--read-only=landlock", ["/bin/sh", "-c", "echo one >>/dev/stdout; echo two >>/dev/stderr; "
                                         "cat </dev/stdin >>/proc/self/fd/1; attempt create=/marker/new append=/marker/in"],
                  caps=PRIVILEGED, edit=edit)
    assert outcome.output == "one\nfour\ncreate=/marker/new: EACCES\nappend=/marker/in: EACCES\ntwo\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_open_nothing(image, closed):
    """Their numbers are held by something else meanwhile, which must not become writable in their place."""
    def edit(config):
        config["process"]["args"] = ["/bin/sh", "-c", f'exec 3>&1; "$@" {closed}; cat /data/said', "sh",
                                     *config["process"]["args"]]

    outcome = run(image, "--read-only --writable /data",
                  ["/bin/sh", "-c", "attempt create=/scratch/new create=/new create=/etc/new mkdir=/bin/new >/data/said"],
                  edit=edit)
    assert outcome.answers() == {"create=/scratch/new": "EACCES", "create=/new": "EACCES", "create=/etc/new": "EACCES",
                                 "mkdir=/bin/new": "EACCES"}


@pytest.mark.parametrize("mode", ["remount", "landlock"])
def test_a_terminal_may_be_opened_again(image, mode):
    leader, follower = pty.openpty()

    def edit(config):
        config["process"]["terminal"] = True

    script = "echo one >/dev/stdout; echo two >/dev/tty; echo three >/dev/console; attempt create=/scratch/new"
    try:
        with Container(["/nest-init", f"--read-only={mode}", "--", "/bin/sh", "-c", script], image, caps=PRIVILEGED,
                       stdin=follower, stdout=follower, stderr=follower, edit=edit) as c:
            assert c.wait(BACKSTOP) == 0
        said = os.read(leader, 65536).decode().replace("\r\n", "\n")
    finally:
        os.close(leader)
        os.close(follower)
    assert said == f"one\ntwo\nthree\ncreate=/scratch/new: {'EROFS' if mode == 'remount' else 'EACCES'}\n"


@pytest.mark.parametrize("mode", ["remount", "landlock"])
def test_the_termination_log_stays_writable(image, mode, tmp_path):
    """Kubernetes mounts a file there, and shows what it holds when the container has ended."""
    log = tmp_path / "termination-log"
    log.touch()
    outcome = run(image, f"--read-only={mode}", ["/bin/sh", "-c", "echo out of memory >/dev/termination-log"],
                  caps=PRIVILEGED, mounts=[bind(log, "/dev/termination-log")])
    assert (outcome.status, outcome.errors) == (0, "")
    assert log.read_text() == "out of memory\n"


# --- writable paths -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["remount", "landlock"])
def test_a_writable_path_may_be_a_file(image, mode):
    outcome = run(image, f"--read-only={mode} --writable /data/file",
                  "/bin/attempt append=/data/file truncate=/data/file create=/data/new unlink=/data/file",
                  caps=PRIVILEGED)
    refusal = "EROFS" if mode == "remount" else "EACCES"
    answers = outcome.answers()
    # A bind mount's own place cannot be removed: busy, before anybody asks whether it is read-only.
    assert answers.pop("unlink=/data/file") in (refusal, "EBUSY")
    assert answers == {"append=/data/file": "ok", "truncate=/data/file": "ok", "create=/data/new": refusal}


@pytest.mark.parametrize("mode", ["remount", "landlock"])
def test_a_writable_path_may_be_a_link(image, mode):
    """What it stands for is meant: var/run is a link to run in many an image."""
    def edit(config):
        config["process"]["args"] = ["/bin/sh", "-c", 'busybox ln -s /data /link; exec "$@"', "sh",
                                     *config["process"]["args"]]

    outcome = run(image, f"--read-only={mode} --writable /link",
                  "/bin/attempt create=/link/one create=/data/two create=/scratch/three", caps=PRIVILEGED, edit=edit)
    assert outcome.answers() == {"create=/link/one": "ok", "create=/data/two": "ok",
                                 "create=/scratch/three": "EROFS" if mode == "remount" else "EACCES"}


@pytest.mark.parametrize("mode", ["remount", "landlock"])
def test_writable_paths_inside_each_other(image, mode):
    outcome = run(image, f"--read-only={mode} --writable /scratch/directory --writable /scratch",
                  "/bin/attempt create=/scratch/new create=/scratch/directory/new create=/data/new", caps=PRIVILEGED)
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.answers() == {"create=/scratch/new": "ok", "create=/scratch/directory/new": "ok",
                                 "create=/data/new": "EROFS" if mode == "remount" else "EACCES"}


@pytest.mark.parametrize("mode, container", [("remount", "privileged"), ("auto", "privileged"), ("landlock", "none"),
                                             ("auto", "none"), ("auto", "uid 1001")])
def test_a_writable_path_that_is_not_there(image, mode, container):
    refused = run(image, f"--read-only={mode} --writable /data --writable /no/such", "/bin/attempt create=/marker/started",
                  **CONTAINERS[container])
    assert (refused.status, refused.output, refused.errors) == (
        125, "", "nest-init: read_only: writable path '/no/such': No such file or directory (it has to be in the image, "
                 "or be mounted)\n")


@pytest.mark.parametrize("mode", ["auto", "verify"])
def test_a_writable_path_on_a_root_that_is_read_only_already(image, mode):
    """Nobody in the container can make it writable: better to say so now than to fail in the middle of a request."""
    refused = run(image, f"--read-only={mode} --writable /data", "/bin/attempt create=/data/new", read_only=True)
    assert (refused.status, refused.output, refused.errors) == (
        125, "", "nest-init: read_only: writable path '/data' is on a read-only file system "
        "(mount a volume or a tmpfs there)\n")


@pytest.mark.parametrize("container", UNPRIVILEGED)
def test_remount_names_the_missing_capability_with_writable_paths_too(image, container):
    refused = run(image, "--read-only=remount --writable /data", "/bin/attempt create=/data/new",
                  **CONTAINERS[container])
    assert (refused.status, refused.output, refused.errors) == (125, "", NO_REMOUNT)


# --- tmpfs --------------------------------------------------------------------------------------------------------

def test_tmpfs_is_mounted(image):
    script = "grep ' /empty ' /proc/mounts; /bin/attempt create=/empty/new create=/tmp/new"
    with running(image, "--tmpfs /empty:size=1m,mode=0700 --tmpfs /tmp",
                 ["/bin/sh", "-c", f"busybox {script} wait"], caps=PRIVILEGED) as c:
        output = wait_output(c, "create=/tmp/new: ").output
        assert layers(c) == but(tmpfs="in force")
    assert output == ("tmpfs /empty tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700 0 0\n"
                      "create=/empty/new: ok\ncreate=/tmp/new: ok\n")


def test_tmpfs_takes_the_words_of_docker(image):
    outcome = run(image, "--tmpfs /empty:rw,exec,noatime,size=64k,uid=1001", "/bin/busybox grep /empty /proc/mounts", caps=PRIVILEGED)
    assert outcome.output == "tmpfs /empty tmpfs rw,nosuid,nodev,noatime,size=64k,uid=1001 0 0\n"


@pytest.mark.parametrize("container", UNPRIVILEGED)
def test_tmpfs_without_sys_admin_is_refused(image, container):
    refused = run(image, "--tmpfs /empty", "/bin/attempt create=/marker/started", **CONTAINERS[container])
    assert (refused.status, refused.output, refused.errors) == (
        125, "", "nest-init: tmpfs: cannot mount a tmpfs on '/empty': Operation not permitted "
        "(it needs CAP_SYS_ADMIN; or start the container with --tmpfs)\n")


@pytest.mark.parametrize("container, mode", [("privileged", "remount"), ("privileged", "auto"), ("default", "landlock"),
                                             ("none", "auto"), ("uid 1001", "auto"), ("none", "verify")])
def test_a_tmpfs_of_the_runtime_is_taken(image, container, mode):
    """docker run --tmpfs /tmp: there is one already, nothing is mounted, and it is writable under every mode."""
    with running(image, f"--read-only={mode} --tmpfs /tmp", "/bin/attempt create=/tmp/new create=/scratch/new wait",
                 mounts=[tmpfs("/tmp")], read_only=mode == "verify", **CONTAINERS[container]) as c:
        answers = wait_output(c, "create=/scratch/new: ").answers()
        assert layers(c) == but(tmpfs="in force", read_only="in force")
        mounts = [line.split() for line in c.exec("/bin/cat", "/proc/self/mountinfo").stdout.splitlines()]
        assert len({mount[2] for mount in mounts if mount[4] == "/tmp"}) == 1  # it is still the runtime's
    landlock = expected(container, mode, mode == "verify") == "landlock"
    assert answers == {"create=/tmp/new": "ok", "create=/scratch/new": "EACCES" if landlock else "EROFS"}


def test_options_of_a_tmpfs_that_is_there_already_are_not_dropped_in_silence(image):
    """What nest-init itself has mounted has them: neither a life that is started again nor `nest-init exec` is told."""
    options = "--tmpfs /dev/shm:size=1m,mode=700 --tmpfs /empty:size=1m --tmpfs /run"
    with running(image, options, "/bin/sleep 1000", caps=PRIVILEGED,
                 mounts=[tmpfs("/run", "size=64k"), tmpfs("/dev/shm", "size=64k")]) as c:
        said = "tmpfs: the runtime mounted /dev/shm already: size=1m,mode=700 is not put in force (say it there)"
        wait_until(lambda: c.errors() != "")
        assert c.errors() == f"nest-init: warning: {said}\n"
        inside = c.exec("/nest-init", "exec", *options.split(), "--", "/bin/attempt", "root")
        assert (inside.stdout, inside.stderr) == ("root: ok\n", "")
    again = run(image, "--restart on-failure:1 --restart-backoff 10ms --tmpfs /empty:size=1m", "/bin/busybox false",
                caps=PRIVILEGED)
    assert again.status == 1 and "tmpfs" not in again.errors


@pytest.mark.parametrize("mode, refusal", [("remount", "EROFS"), ("landlock", "EACCES")])
def test_tmpfs_below_a_read_only_root(image, mode, refusal):
    outcome = run(image, f"--read-only={mode} --tmpfs /empty", "/bin/attempt create=/empty/new create=/scratch/new",
                  caps=PRIVILEGED)
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.answers() == {"create=/empty/new": "ok", "create=/scratch/new": refusal}


def test_tmpfs_where_there_is_no_directory(image):
    refused = run(image, "--tmpfs /no/such", "/bin/attempt create=/marker/started", caps=PRIVILEGED)
    assert (refused.status, refused.output, refused.errors) == (
        125, "", "nest-init: tmpfs: cannot mount a tmpfs on '/no/such': No such file or directory\n")


def test_tmpfs_with_an_option_that_is_none(image):
    refused = run(image, "--tmpfs /empty:size=lots", "/bin/attempt create=/marker/started", caps=PRIVILEGED)
    assert (refused.status, refused.output, refused.errors) == (
        125, "", "nest-init: tmpfs: cannot mount a tmpfs on '/empty': Invalid argument (options 'size=lots', see tmpfs(5))\n")


# --- best effort --------------------------------------------------------------------------------------------------

def test_best_effort_warns_and_goes_on(image):
    with running(image, "--best-effort --read-only=verify --tmpfs /empty", "/bin/attempt create=/scratch/new wait") as c:
        outcome = wait_output(c, "create=/scratch/new: ", "tmpfs: ")
        assert layers(c) == but(read_only="asked", tmpfs="asked")
        assert "how" not in status(c)["read_only"]
    assert outcome.output == "create=/scratch/new: ok\n"
    assert sorted(outcome.lines()) == [
        "nest-init: warning: not in force: " + NOT_VERIFIED.removeprefix("nest-init: ").strip(),
        "nest-init: warning: not in force: tmpfs: cannot mount a tmpfs on '/empty': Operation not permitted "
        "(it needs CAP_SYS_ADMIN; or start the container with --tmpfs)"]


def test_best_effort_changes_nothing_where_all_is_possible(image):
    with running(image, "--best-effort --read-only --writable /data", "/bin/attempt create=/scratch/new wait") as c:
        outcome = wait_output(c, "create=/scratch/new: ")
        assert layers(c) == but(read_only="in force")
    assert (outcome.output, outcome.errors) == ("create=/scratch/new: EACCES\n", "")
