"""--user, --cap-drop, --cap-add and --no-new-privs in real containers, as the kernel says it in /proc/self/status."""
import os

import pytest

from bundle import Container, bind
from busybox import (BACKSTOP, DOCKER_CAPS, NAMES, NEST_INIT, PRIVILEGED, Outcome, bits, but, image,  # noqa: F401
                     layers, needs_runc, run, running, status, wait_output)

pytestmark = needs_runc

STATUS = ["/bin/cat", "/proc/self/status"]
STATUS_AND_HOME = ["/bin/sh", "-c", "cat /proc/self/status; echo HOME: $HOME"]
MARKER = "/bin/attempt create=/marker/started"


def assert_refused(outcome, sentence):
    assert (outcome.status, outcome.output, outcome.errors) == (125, "", f"nest-init: {sentence}\n")


# --- user ---------------------------------------------------------------------------------------------------------

# the option: uid, gid, supplementary groups, HOME
USERS = {
    "app": (1001, 1002, {44, 50}, "/home/app"),
    "app:other": (1001, 60, {44, 50}, "/home/app"),
    "app:60": (1001, 60, {44, 50}, "/home/app"),
    "app:4321": (1001, 4321, {44, 50}, "/home/app"),
    "1001": (1001, 1002, set(), "/home/app"),        # a bare uid: its group, as under docker run, and no other
    "1001:1001": (1001, 1001, set(), "/home/app"),
    "1001:staff": (1001, 50, set(), "/home/app"),
    "1003": (1003, 0, set(), "/"),                   # a user is named so, but a number is a uid
    "4242": (4242, 0, set(), "/"),                   # /etc/passwd knows nothing of it
    "4242:4343": (4242, 4343, set(), "/"),
    "homeless": (1005, 1005, set(), "/"),
    "root": (0, 0, set(), "/root"),
    "0": (0, 0, set(), "/root"),
    "0:1": (0, 1, set(), "/root"),
    "4294967294": (4294967294, 0, set(), "/"),
}


def more_groups(config):
    """As docker run --group-add: none of them may stay."""
    config["process"]["user"]["additionalGids"] = [7, 8, 50]


@pytest.mark.parametrize("user", USERS)
def test_user(image, user):
    uid, gid, groups, home = USERS[user]
    outcome = run(image, ["--user", user], STATUS_AND_HOME, edit=more_groups)
    process = outcome.process()
    assert (outcome.status, outcome.errors) == (0, "")
    assert (process["Uid"], process["Gid"]) == (" ".join([str(uid)] * 4), " ".join([str(gid)] * 4))
    assert set(map(int, process["Groups"].split())) == groups
    assert process["HOME"] == home


def test_without_user_nothing_changes(image):
    process = run(image, "", STATUS_AND_HOME, edit=more_groups, env={"HOME": "/mine"}).process()
    assert process["Uid"] == process["Gid"] == "0 0 0 0"
    assert set(map(int, process["Groups"].split())) >= {7, 8, 50}
    assert process["HOME"] == "/mine"


@pytest.mark.parametrize("user, sentence", [
    ("nobody", "user: user 'nobody' is not in /etc/passwd: add it to the image or give a number"),
    ("App", "user: user 'App' is not in /etc/passwd: add it to the image or give a number"),
    ("app:nogroup", "user: group 'nogroup' is not in /etc/group: add it to the image or give a number"),
    ("app:", "user: user 'app:': the group behind ':' is missing"),
    (":50", "user: user ':50': expected NAME or UID[:GID]"),
    ("4294967295", "user: user '4294967295': expected a number from 0 to 4294967294"),
    ("-1", "user: user '-1': expected a number from 0 to 4294967294"),
])
@pytest.mark.parametrize("effort", ["", "--best-effort"])
def test_a_user_that_is_none_is_refused(image, user, sentence, effort):
    """Also under best effort: running as somebody else is no lesser protection, it is a mistake."""
    assert_refused(run(image, [*effort.split(), f"--user={user}"], MARKER), sentence)


def run_in_empty_image(image, options, command):
    with Container(["/nest-init", *options, "--", *command], files={"/nest-init": NEST_INIT, "/busybox": image / "bin/busybox"}) as c:
        return Outcome(c.wait(BACKSTOP), c.output(), c.errors())


def test_numbers_need_no_accounts(image):
    outcome = run_in_empty_image(image, ["--user", "1001:1002"], ["/busybox", "sh", "-c", STATUS_AND_HOME[2].replace("cat", "/busybox cat")])
    process = outcome.process()
    assert (outcome.status, outcome.errors) == (0, "")
    assert (process["Uid"], process["Gid"], process["Groups"], process["HOME"]) == (
        "1001 1001 1001 1001", "1002 1002 1002 1002", "", "/")


def test_names_need_accounts(image):
    assert_refused(run_in_empty_image(image, ["--user", "app"], ["/busybox", "true"]),
                   "user: user 'app' is not in /etc/passwd: add it to the image or give a number")


def test_another_user_needs_setuid(image):
    assert_refused(run(image, "--user 1002", MARKER, user=1001),
                   "user: cannot become group 0: Operation not permitted (it needs CAP_SETGID)")
    assert_refused(run(image, "--user 1002:1001", MARKER, user=1001),
                   "user: cannot become user 1002: Operation not permitted (it needs CAP_SETUID)")
    assert_refused(run(image, "--user app:1001", MARKER, user=1001),
                   "user: cannot set the supplementary groups: Operation not permitted (it needs CAP_SETGID)")
    assert_refused(run(image, "--user 1001:1001", MARKER, caps=("setgid",)),
                   "user: cannot become user 1001: Operation not permitted (it needs CAP_SETUID)")
    assert_refused(run(image, "--user 1001:1001", MARKER, caps=("setuid",)),
                   "user: cannot become group 1001: Operation not permitted (it needs CAP_SETGID)")


def test_who_is_that_user_already_needs_nothing(image):
    """USER in the image and --user beside it say the same."""
    outcome = run(image, "--user 1001:1001", STATUS_AND_HOME, user=1001, caps=())
    process = outcome.process()
    assert (outcome.status, outcome.errors) == (0, "")
    assert (process["Uid"], process["Gid"], process["HOME"]) == ("1001 1001 1001 1001", "1001 1001 1001 1001", "/home/app")
    assert_refused(run(image, "--user 1001:1001", MARKER, user=1001, caps=(), edit=more_groups),
                   "user: cannot set the supplementary groups: Operation not permitted (it needs CAP_SETGID)")


# --- capabilities -------------------------------------------------------------------------------------------------

NONE = bits()
DOCKER = bits(*DOCKER_CAPS)
BIND = bits("net_bind_service")


def without(*names):
    return bits(*(set(DOCKER_CAPS) - set(names)))


def sets(inheritable=NONE, permitted=NONE, effective=NONE, bounding=NONE, ambient=NONE):
    return {"CapInh": inheritable, "CapPrm": permitted, "CapEff": effective, "CapBnd": bounding, "CapAmb": ambient}


def root_sets(held):
    return sets(permitted=held, effective=held, bounding=held)


def user_sets(held, bounding):
    """Of a user other than root execve leaves what is ambient, and that is in all of them."""
    return sets(held, held, held, bounding, held)


def as_inheritable(config):
    """Docker before 20.10.14 (CVE-2022-24769)."""
    config["process"]["capabilities"]["inheritable"] = config["process"]["capabilities"]["bounding"]


# options: container, the five sets
CAPABILITIES = {
    "": ({}, root_sets(DOCKER)),
    "--cap-drop all": ({}, sets()),
    "--cap-drop=ALL": ({"caps": PRIVILEGED}, sets()),
    "--cap-drop net_raw,CAP_CHOWN": ({}, root_sets(without("net_raw", "chown"))),
    "--cap-drop Net_Raw --cap-drop cap_chown": ({}, root_sets(without("net_raw", "chown"))),
    "--cap-drop sys_admin": ({}, root_sets(DOCKER)),
    "--cap-drop all --cap-add net_bind_service": ({}, root_sets(BIND)),
    "--cap-drop all --cap-add net_bind_service,kill,chown": ({"caps": PRIVILEGED}, root_sets(bits("net_bind_service", "kill", "chown"))),
    "--cap-drop all --cap-add all": ({}, root_sets(DOCKER)),
    "--cap-add net_raw": ({}, root_sets(DOCKER)),
    "--cap-drop setpcap": ({}, root_sets(without("setpcap"))),
    "--cap-drop all --user 0:0": ({}, sets()),
    "--cap-drop all --no-new-privs=no": ({}, sets()),
    "--cap-drop all --seccomp default --read-only": ({}, sets()),
    "--cap-drop all --best-effort": ({"edit": as_inheritable}, sets()),
    "--user 1001": ({}, user_sets(NONE, DOCKER)),
    "--user 1001 --cap-drop all": ({}, sets()),
    "--user 1001 --cap-drop net_raw": ({}, user_sets(NONE, without("net_raw"))),
    "--user 1001 --cap-drop all --cap-add net_bind_service": ({}, user_sets(BIND, BIND)),
    "--user 1001 --cap-add net_bind_service": ({}, user_sets(BIND, DOCKER)),
    "--user 1001 --cap-add all": ({}, user_sets(DOCKER, DOCKER)),
    "--user 1001 --cap-add net_bind_service --cap-drop all": ({"caps": PRIVILEGED}, user_sets(BIND, BIND)),
    "--user 1001 --cap-drop all --cap-add net_bind_service --no-new-privs=no": ({}, user_sets(BIND, BIND)),
    "--user 1001 --cap-drop all --cap-add net_bind_service --seccomp node": ({"edit": as_inheritable}, user_sets(BIND, BIND)),
    "--user app --cap-drop all --cap-add net_bind_service": ({}, user_sets(BIND, BIND)),
    "--cap-drop  all": ({"caps": ()}, sets()),                        # there is nothing to drop, so nothing is needed
    "--cap-drop chown": ({"caps": ("net_raw",)}, root_sets(bits("net_raw"))),
    "--no-new-privs": ({"user": 1001, "ambient": ("net_bind_service",)}, user_sets(BIND, DOCKER)),
    "--cap-add net_bind_service": ({"user": 1001, "ambient": ("net_bind_service",)}, user_sets(BIND, DOCKER)),
}


@pytest.mark.parametrize("options", CAPABILITIES)
def test_all_five_sets(image, options):
    configuration, expected = CAPABILITIES[options]
    outcome = run(image, options, STATUS, **configuration)
    process = outcome.process()
    assert (outcome.status, outcome.errors) == (0, "")
    assert {name: process[name] for name in expected} == expected
    assert process["Uid"] == ("1001 1001 1001 1001" if "1001" in options + str(configuration) or "app" in options
                              else "0 0 0 0")


def privileged_ports(config):
    """As the kernel has it, and Podman; Docker lets everybody bind port 80."""
    del config["linux"]["sysctl"]


@pytest.mark.parametrize("options, answer", [
    ("--user 1001 --cap-drop all", "EACCES"),
    ("--user 1001", "EACCES"),
    ("--user 1001 --cap-drop all --cap-add net_bind_service", "ok"),
    ("--user 1001 --cap-drop all --cap-add net_bind_service --seccomp node --read-only", "ok"),
    ("--cap-drop all", "EACCES"),
    ("--cap-drop all --cap-add net_bind_service", "ok"),
])
def test_port_80(image, options, answer):
    outcome = run(image, options, "/bin/attempt bind=80", edit=privileged_ports)
    assert (outcome.status, outcome.output) == (0, f"bind=80: {answer}\n")


def test_children_of_the_workload_have_no_more(image):
    outcome = run(image, "--user 1001 --cap-drop all --cap-add net_bind_service", ["/bin/sh", "-c", "(cat /proc/self/status)"])
    process = outcome.process()
    assert {name: process[name] for name in sets()} == user_sets(BIND, BIND)


CANNOT_ADD = "capabilities: cannot add {0}: the container does not have it (start it with --cap-add {0})"
CANNOT_DROP = ("capabilities: cannot drop {} from the bounding set without CAP_SETPCAP "
               "(start the container with --cap-drop, or as root with --user here)")


@pytest.mark.parametrize("options, configuration, sentence", [
    ("--cap-add sys_admin", {}, CANNOT_ADD.format("sys_admin")),
    ("--cap-drop all --cap-add chown,sys_time,sys_admin", {}, CANNOT_ADD.format("sys_admin")),
    ("--cap-add net_raw", {"caps": ()}, CANNOT_ADD.format("net_raw")),
    ("--cap-add net_bind_service", {"user": 1001}, CANNOT_ADD.format("net_bind_service")),
    ("--user 1001 --cap-add bpf", {}, CANNOT_ADD.format("bpf")),
    ("--cap-drop all", {"user": 1001}, CANNOT_DROP.format("chown")),
    ("--cap-drop net_raw", {"user": 1001}, CANNOT_DROP.format("net_raw")),
    ("--cap-drop all", {"caps": ("net_raw", "kill")}, CANNOT_DROP.format("kill")),
    # With kill, as runc sends PID 1 a signal of its own now and then, which it could not pass on otherwise.
    ("--user 1001 --cap-drop all", {"caps": ("kill", "setuid", "setgid")}, CANNOT_DROP.format("kill")),
])
def test_what_the_container_cannot_do_is_refused(image, options, configuration, sentence):
    assert_refused(run(image, options, MARKER, **configuration), sentence)
    with running(image, f"--best-effort {options}", "/bin/attempt create=/marker/started wait", **configuration) as c:
        outcome = wait_output(c, "create=/marker/started: ok\n", sentence)
        said = layers(c)
        assert outcome.errors == f"nest-init: warning: {sentence}\n"
        assert said == but(capabilities="asked", user="in force" if "--user" in options else "-")


@pytest.mark.parametrize("options, configuration, expected", [
    ("--cap-drop all --cap-add sys_admin", {}, sets()),
    ("--cap-drop all --cap-add sys_admin,chown", {}, root_sets(bits("chown"))),
    ("--cap-drop all", {"caps": ("net_raw", "kill")}, sets(bounding=bits("net_raw", "kill"))),
])
def test_best_effort_drops_what_can_be_dropped(image, options, configuration, expected):
    outcome = run(image, f"--best-effort {options}", ["/bin/cat", "/proc/self/status"], **configuration)
    process = outcome.process()
    assert {name: process[name] for name in sets()} == expected


def test_best_effort_user(image):
    with running(image, "--best-effort --user 1002:1002", "/bin/sleep 1000", user=1001) as c:
        assert layers(c) == but(user="asked")
        assert wait_output(c, "", "\n").errors == ("nest-init: warning: not in force: user: cannot become group 1002: "
                              "Operation not permitted (it needs CAP_SETGID)\n")


@pytest.mark.parametrize("options, expected, bounding", [
    ("", but(), set(DOCKER_CAPS)),
    ("--cap-drop all", but(capabilities="in force"), set()),
    ("--user 1001 --cap-drop all --cap-add net_bind_service --no-new-privs=no",
     but(user="in force", capabilities="in force", no_new_privs="-"), {"net_bind_service"}),
    ("--user app --cap-drop net_raw --seccomp node --read-only=landlock",
     but(user="in force", capabilities="in force", seccomp="in force", read_only="in force"),
     set(DOCKER_CAPS) - {"net_raw"}),
])
def test_status_and_metrics_say_what_is_in_force(image, options, expected, bounding):
    with running(image, options, "/bin/sleep 1000") as c:
        assert layers(c) == expected
        assert set(status(c)["capabilities"]["bounding"]) == bounding
        page = c.http("http://127.0.0.1:9911/metrics").text
        for name in NAMES:
            assert f'nest_init_capability_bounding{{capability="{name}"}} {int(name in bounding)}\n' in page


# --- no_new_privs -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, answer, flag", [
    ("--user 1001", "EPERM", "1"),
    ("--user 1001 --no-new-privs", "EPERM", "1"),
    ("--user 1001 --no-new-privs=yes", "EPERM", "1"),
    ("--user 1001 --no-new-privs=no", "ok", "0"),
    ("--user 1001 --no-new-privs=no --cap-drop all --cap-add setuid,setgid", "ok", "0"),
])
def test_a_setuid_file_gains_nothing(image, options, answer, flag):
    outcome = run(image, options, ["/bin/sh", "-c", "/bin/setuid-attempt root; cat /proc/self/status"])
    assert outcome.output.startswith(f"root: {answer}\n")
    assert outcome.process()["NoNewPrivs"] == flag


def test_no_new_privs_is_on_where_nothing_is_asked_for(image):
    assert run(image, "", STATUS).process()["NoNewPrivs"] == "1"


def test_no_new_privs_of_the_runtime_stays(image):
    """Nobody can take it back (prctl(2)): no means that we add none."""
    assert run(image, "--no-new-privs=no", STATUS, no_new_privs=True).process()["NoNewPrivs"] == "1"


# --- variables ----------------------------------------------------------------------------------------------------

def sees(image, environment, options=""):
    outcome = run(image, options, STATUS_AND_HOME, env=environment)
    assert (outcome.status, outcome.errors) == (0, "")
    process = outcome.process()
    return {"uid": int(process["Uid"].split()[0]), "bounding": process["CapBnd"], "nnp": process["NoNewPrivs"],
            "seccomp": process["Seccomp"]}


def test_variables_do_what_options_do(image):
    assert sees(image, {"NEST_INIT_USER": "app", "NEST_INIT_CAP_DROP": "all", "NEST_INIT_CAP_ADD": "kill chown",
                        "NEST_INIT_SECCOMP": "node", "NEST_INIT_NO_NEW_PRIVS": "yes"}) == {
        "uid": 1001, "bounding": bits("kill", "chown"), "nnp": "1", "seccomp": "2"}


def test_options_win_over_variables(image):
    """Wholly: a list is not joined to the variable's."""
    assert sees(image, {"NEST_INIT_USER": "app", "NEST_INIT_CAP_DROP": "all", "NEST_INIT_NO_NEW_PRIVS": "yes",
                        "NEST_INIT_SECCOMP": "/no/such/file"},
                "--user 4242 --cap-drop chown --no-new-privs=no --seccomp unconfined") == {
        "uid": 4242, "bounding": without("chown"), "nnp": "0", "seccomp": "0"}


def test_an_empty_variable_is_an_unset_one(image):
    assert sees(image, {"NEST_INIT_USER": "", "NEST_INIT_CAP_DROP": "", "NEST_INIT_READ_ONLY": ""}) == {
        "uid": 0, "bounding": DOCKER, "nnp": "1", "seccomp": "0"}


def test_variables_of_the_file_system(image):
    outcome = run(image, "", "/bin/attempt create=/data/new create=/scratch/new create=/tmp/new",
                  env={"NEST_INIT_READ_ONLY": "landlock", "NEST_INIT_WRITABLE": "/data /tmp"})
    assert outcome.answers() == {"create=/data/new": "ok", "create=/scratch/new": "EACCES", "create=/tmp/new": "ok"}


def test_variables_that_kubernetes_makes_are_not_meant(image):
    """A Service that is called nest-init gives every pod of its namespace these."""
    service = {"NEST_INIT_SERVICE_HOST": "10.0.0.1", "NEST_INIT_SERVICE_PORT": "80", "NEST_INIT_PORT": "tcp://10.0.0.1:80",
               "NEST_INIT_PORT_80_TCP_ADDR": "10.0.0.1", "NEST_INIT_SERVICE_PORT_HTTP": "80"}
    assert run(image, "", "/bin/busybox true", env=service).status == 0


def test_a_user_may_open_the_containers_output_again(image):
    """nginx and others log to /dev/stdout; the pipe is root's, who started the container."""
    outcome = run(image, "--user 1001", ["/bin/sh", "-c", "echo out >/dev/stdout; echo err >/dev/stderr"])
    assert (outcome.status, outcome.output, outcome.errors) == (0, "out\n", "err\n")


@pytest.mark.parametrize("options", ["--user 1001", "--cap-drop all"])
def test_the_monitor_takes_no_output_away(image, options):
    """It becomes another user as well."""
    script = "until [ -e /marker/go ]; do sleep 0.05; done; echo out >/dev/stdout; echo err >/dev/stderr"
    with running(image, options, ["/bin/sh", "-c", script]) as c:
        c.exec("/bin/touch", "/marker/go")
        assert (c.wait(BACKSTOP), c.output(), c.errors()) == (0, "out\n", "err\n")


def test_a_writable_path_that_is_not_there_is_no_matter_of_best_effort(image):
    assert_refused(run(image, "--best-effort --read-only --writable /nope", MARKER),
                   "read_only: writable path '/nope': No such file or directory (it has to be in the image, or be mounted)")


def test_landlock_covers_volumes_too(image, tmp_path):
    os.chmod(tmp_path, 0o777)
    outcome = run(image, "--read-only=landlock", "/bin/attempt create=/volume/new", mounts=[bind(tmp_path, "/volume")])
    assert outcome.output == "create=/volume/new: EACCES\n"
