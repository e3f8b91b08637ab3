"""--group-add, --workdir, --umask, --ulimit and --oom-score-adj in real containers: what the workload finds, and what is
said where it cannot be had."""
import re

import pytest

from busybox import but, image, layers, needs_runc, run, running, wait_output  # noqa: F401

pytestmark = needs_runc

MARKER = "/bin/attempt create=/marker/started"


def shell(image, options, script, **configuration):
    outcome = run(image, options, ["/bin/sh", "-c", script], **configuration)
    assert (outcome.status, outcome.errors) == (0, "")
    return outcome.output


def assert_refused(outcome, sentence):
    assert (outcome.status, outcome.output, outcome.errors) == (125, "", f"nest-init: {sentence}\n")


def rlimits(*limits):
    """The runtime's own, as docker run --ulimit sets them."""
    def edit(config):
        config["process"]["rlimits"] = [{"type": f"RLIMIT_{name}", "soft": soft, "hard": hard} for name, soft, hard in limits]
    return edit


def directory(config_path):
    def edit(config):
        config["process"]["cwd"] = config_path
    return edit


# --- groups -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, uid, gid, groups", [
    ("--group-add 4242", "0", "0", {"4242"}),
    ("--group-add video --group-add=70", "0", "0", {"44", "70"}),
    ("--user app --group-add 4242", "1001", "1002", {"50", "44", "4242"}),
    ("--user app --group-add video", "1001", "1002", {"50", "44"}),
    ("--user 1234 --group-add staff --cap-drop all", "1234", "0", {"50"}),
])
def test_groups_are_added(image, options, uid, gid, groups):
    process = run(image, options, "/bin/cat /proc/self/status").process()
    assert (process["Uid"].split()[0], process["Gid"].split()[0]) == (uid, gid)
    assert set(process["Groups"].split()) == groups


def test_groups_of_the_container_stay(image):
    def edit(config):
        config["process"]["user"]["additionalGids"] = [7, 8]

    assert run(image, "--group-add 9", "/bin/cat /proc/self/status", edit=edit).process()["Groups"] == "7 8 9"
    assert shell(image, "--group-add 9", "echo $HOME", env={"HOME": "/elsewhere"}) == "/elsewhere\n"


def test_groups_that_cannot_be_had_are_refused(image):
    assert_refused(run(image, "--group-add audio", MARKER),
                   "user: group 'audio' is not in /etc/group: add it to the image or give a number")
    assert_refused(run(image, "--group-add 9", MARKER, user=1001),
                   "user: cannot set the supplementary groups: Operation not permitted (it needs CAP_SETGID)")
    with running(image, "--best-effort --group-add 9", "/bin/sleep 1000", user=1001) as c:
        assert layers(c) == but(user="asked")


# --- working directory and umask ----------------------------------------------------------------------------------

def test_the_workload_starts_in_its_directory(image):
    assert shell(image, "--workdir /data", "pwd") == "/data\n"
    assert shell(image, "--workdir /data", "pwd", edit=directory("/scratch")) == "/data\n"
    assert shell(image, "", "pwd", edit=directory("/scratch")) == "/scratch\n"
    assert run(image, "--workdir /bin", "./attempt root").output == "root: ok\n"


def test_the_directory_is_entered_behind_the_mounts(image):
    outcome = run(image, "--tmpfs /scratch --workdir /scratch", "/bin/busybox ls", caps=("sys_admin",))
    assert (outcome.status, outcome.output, outcome.errors) == (0, "", "")



@pytest.mark.parametrize("options, sentence", [
    ("--workdir /nope", "workdir: cannot enter '/nope': No such file or directory"),
    ("--workdir /etc/passwd", "workdir: cannot enter '/etc/passwd': Not a directory"),
    ("--best-effort --workdir /nope", "workdir: cannot enter '/nope': No such file or directory"),
    ("--user 1001 --workdir /locked", "workdir: cannot enter '/locked': Permission denied"),
    ("--user 1001 --cap-drop all --workdir /locked", "workdir: cannot enter '/locked': Permission denied"),
])
def test_a_directory_that_the_user_cannot_enter_is_refused(image, options, sentence):
    assert_refused(run(image, options, MARKER, mounts=[{"type": "tmpfs", "source": "tmpfs", "destination": "/locked",
                                                       "options": ["mode=700"]}]), sentence)


def test_umask(image):
    assert shell(image, "--umask 027", "umask") == "0027\n"
    assert shell(image, "--umask=0 --user 1001 --cap-drop all", "umask") == "0000\n"
    assert shell(image, "", "umask") == "0022\n"


# --- limits -------------------------------------------------------------------------------------------------------

def limits_of(text):
    return {name: (soft, hard) for name, soft, hard in re.findall(r"^(Max [a-z ]+?) {2,}(\w+) +(\w+)", text, re.M)}


def test_limits_are_in_force(image):
    options = "--ulimit nofile=512:1024 --ulimit core=0 --ulimit cpu=100:200 --ulimit nproc=77"
    configuration = {"edit": rlimits(("NOFILE", 1000, 2000), ("NPROC", 100, 100))}
    for more in "", " --user 1001 --cap-drop all --seccomp node --read-only":
        found = limits_of(run(image, options + more, "/bin/cat /proc/self/limits", **configuration).output)
        assert found["Max open files"] == ("512", "1024")
        assert found["Max core file size"] == ("0", "0")
        assert found["Max cpu time"] == ("100", "200")
        assert found["Max processes"] == ("77", "77")


def test_a_soft_limit_rises_to_the_hard_one(image):
    found = limits_of(run(image, "--ulimit nofile=2000 --user 1001", "/bin/cat /proc/self/limits",
                          edit=rlimits(("NOFILE", 1000, 2000))).output)
    assert found["Max open files"] == ("2000", "2000")


def test_limits_of_pid_1_are_its_own(image):
    with running(image, "--ulimit nofile=99 --ulimit cpu=1:2 --umask 077 --workdir /data --oom-score-adj 1000", "/bin/sleep 1000") as c:
        assert layers(c) == but(limits="in force")
        found = limits_of(c.exec("/bin/cat", "/proc/1/limits").stdout)
        assert found["Max open files"] != ("99", "99") and found["Max cpu time"] == ("unlimited", "unlimited")
        assert c.exec("/bin/cat", "/proc/1/oom_score_adj").stdout != "1000\n"
        assert "Umask:\t0022\n" in c.exec("/bin/cat", "/proc/1/status").stdout


def test_a_umask_is_the_workloads_alone(image):
    """It takes no fork of its own: a vforked child has its own umask."""
    with running(image, "--umask 077", "/bin/sleep 1000") as c:
        assert layers(c) == but()
        assert "Umask:\t0022\n" in c.exec("/bin/cat", "/proc/1/status").stdout


RAISE = ("limits: cannot set {} to {}: raising a hard limit needs CAP_SYS_RESOURCE, and it is {} "
         "(start the container with --ulimit)")


@pytest.mark.parametrize("option, sentence", [
    ("nofile=3000", RAISE.format("nofile", 3000, 2000)),
    ("nofile=100:-1", RAISE.format("nofile", "unlimited", 2000)),
    ("nproc=unlimited", RAISE.format("nproc", "unlimited", 100)),
])
def test_a_hard_limit_that_may_not_be_raised(image, option, sentence):
    edit = rlimits(("NOFILE", 1000, 2000), ("NPROC", 100, 100))
    assert_refused(run(image, f"--ulimit {option}", MARKER, edit=edit), sentence)
    with running(image, f"--best-effort --ulimit {option}", "/bin/attempt create=/marker/started wait", edit=edit) as c:
        wait_output(c, "create=/marker/started: ok\n", f"warning: not in force: {sentence}\n")
        assert layers(c) == but(limits="asked")


def test_best_effort_has_the_most_there_is(image):
    outcome = run(image, "--best-effort --ulimit nofile=3000 --ulimit nproc=5000 --ulimit core=0 --oom-score-adj 1000",
                  ["/bin/sh", "-c", "cat /proc/self/limits /proc/self/oom_score_adj"],
                  edit=rlimits(("NOFILE", 1000, 2000), ("NPROC", 90, 100)))
    found = limits_of(outcome.output)
    assert (found["Max open files"], found["Max processes"], found["Max core file size"]) == (
        ("2000", "2000"), ("100", "100"), ("0", "0"))
    assert outcome.output.endswith("\n1000\n")
    assert outcome.errors.count("\n") == 1


def test_oom_score_adj(image):
    def high(config):
        config["process"]["oomScoreAdj"] = 700

    for options in "--oom-score-adj 900", "--user 1001 --cap-drop all --oom-score-adj=900":
        assert shell(image, options, "cat /proc/self/oom_score_adj", edit=high) == "900\n"
    assert_refused(run(image, "--oom-score-adj -5", MARKER, edit=high),
                   "limits: cannot set oom_score_adj to -5: lowering oom_score_adj needs CAP_SYS_RESOURCE")
    assert run(image, "--oom-score-adj 900", ["/bin/cat", "/proc/self/oom_score_adj"], user=1001, edit=high).output == "900\n"


def test_variables(image):
    outcome = run(image, "", ["/bin/sh", "-c", "umask; pwd; id -G; ulimit -n; cat /proc/self/oom_score_adj"], env={
        "NEST_INIT_USER": "app", "NEST_INIT_GROUP_ADD": "4242 70", "NEST_INIT_UMASK": "007", "NEST_INIT_WORKDIR": "/data",
        "NEST_INIT_ULIMIT": "nofile=100 core=0", "NEST_INIT_OOM_SCORE_ADJ": "1000"})
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output == "0007\n/data\n1002 44 50 70 4242\n100\n1000\n"
