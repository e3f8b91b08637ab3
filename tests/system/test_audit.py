"""nest-init audit: what is found in real containers, weak ones and hardened ones."""
import contextlib
import json
import os
import pty
import shutil
import subprocess

import pytest

from bundle import Container, bind, tmpfs
from busybox import DOCKER_CAPS, NEST_INIT, PRIVILEGED, image, needs_runc, running  # noqa: F401

pytestmark = needs_runc

HARDENED = ["/nest-init", "--security-level", "hardened"]


def audit(image, *words, before=(), **configuration):
    """`nest-init audit` as PID 1 of a container, or as the COMMAND of `before`: status and output."""
    with Container([*before, "/nest-init", "audit", *words], image, **configuration) as c:
        return c.wait(), c.output(), c.errors()


def findings(image, **configuration):
    """{item: (level, found)}"""
    status, output, errors = audit(image, "--json", **configuration)
    assert (status, errors) == (0, "")
    return {f["item"]: (f["level"], f["found"]) for f in json.loads(output)["findings"]}


def test_a_weak_container_fails(image):
    status, output, errors = audit(image, "--fail-on", "high")
    assert (status, errors) == (1, "")
    lines = output.splitlines()
    assert lines[0] == "1 high, 6 medium, 0 low"
    assert lines[2:5] == ["  high    user          uid 0",
                          "                        a way out of the container leads to root of the host",
                          "                     -> --user NAME|UID"]
    assert "  medium  capabilities  chown, dac_override, fowner, fsetid, kill, setgid," in lines
    assert "  medium  path          writable: /bin" in lines
    assert max(map(len, lines)) <= 80 and "\033" not in output


@pytest.mark.parametrize("caps", [DOCKER_CAPS, (), PRIVILEGED], ids=["docker", "none", "privileged"])
def test_a_hardened_container_is_clean(image, caps):
    user = {"before": [*HARDENED, "--user", "65534", "--"]} if caps else {"before": [*HARDENED, "--"], "user": 65534}
    status, output, errors = audit(image, "--fail-on", "low", caps=caps, **user)
    assert (status, errors) == (0, "")
    assert output.startswith("0 high, 0 medium, 0 low\n")


def test_it_judges_whoever_runs_it(image):
    """What docker exec starts is not confined, unless it is told to be; and root that has nothing is still root."""
    environment = {"NEST_INIT_SECURITY_LEVEL": "hardened"}
    with running(image, "", "/bin/attempt wait", env=environment) as c:
        look = ["/nest-init", "audit", "--fail-on"]
        assert c.exec(*look, "high").returncode == 1
        assert c.exec("/nest-init", "exec", "--", *look, "medium").returncode == 0
        assert c.exec("/nest-init", "exec", "--", *look, "low").returncode == 1
        assert c.exec("/nest-init", "exec", "--user", "1001", "--", *look, "low").returncode == 0


def test_json_has_the_five_sets_and_never_a_value(image):
    environment = {"API_TOKEN": "hunter2", "URL": "http://a:hunter2@b/", "KEY_FILE": "/run/hunter2"}
    status, output, errors = audit(image, "--json", caps=["kill", "chown"], env=environment)
    assert (status, errors) == (0, "")
    known = json.loads(output)
    two = ["chown", "kill"]
    assert known["capabilities"] == {"bounding": two, "permitted": two, "effective": two, "inheritable": [],
                                     "ambient": []}
    assert (known["uid"], known["counts"]) == (0, {"info": 8, "low": 0, "medium": 7, "high": 1})
    assert known["findings"][-1] == {
        "item": "secrets", "level": "medium", "found": "API_TOKEN, URL",
        "means": "every child inherits them, and docker inspect shows them", "mends": "mount a file, and give its path"}
    assert "hunter2" not in output


def refuse(*calls):
    """A filter of the engine that has no such system calls."""
    return {"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": list(calls), "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}


ACHIEVED_BY = {"user": "--user 1002", "capabilities": "--cap-drop all", "securebits": "--securebits noroot",
               "no_new_privs": "--no-new-privs", "seccomp": "--seccomp default",
               "report": "--seccomp default --seccomp-report", "read_only": "--read-only", "tmpfs": "--tmpfs /scratch",
               "exec_allow": "--exec-allow /bin", "tcp": "--tcp-bind none"}
LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")


@pytest.mark.parametrize("configuration, missing", [
    ({"caps": PRIVILEGED}, {}),
    ({"caps": DOCKER_CAPS}, {"tmpfs": "no"}),
    ({"caps": ()}, {"user": "no", "securebits": "no", "tmpfs": "no"}),
    ({"user": 1001}, {"user": "no", "capabilities": "in part", "securebits": "no", "tmpfs": "no"}),
    ({"seccomp": refuse(*LANDLOCK)}, {"read_only": "no", "exec_allow": "no", "tcp": "no", "tmpfs": "no"}),
    ({"seccomp": refuse("seccomp")}, {"seccomp": "no", "report": "no", "exec_allow": "no", "tcp": "no", "tmpfs": "no"}),
    ({"read_only": True, "seccomp": refuse(*LANDLOCK)}, {"exec_allow": "no", "tcp": "no", "tmpfs": "no"}),
], ids=["privileged", "docker", "none", "uid 1001", "no landlock", "no filter", "read-only"])
def test_what_is_achievable_can_be_had_and_the_rest_cannot(image, configuration, missing):
    """Held to the options themselves: a start is refused where the answer is not yes."""
    status, output, errors = audit(image, "--json", **configuration)
    assert (status, errors) == (0, "")
    said = {one["item"]: one["answer"] for one in json.loads(output)["achievable"]}
    assert said == {**dict.fromkeys(ACHIEVED_BY, "yes"), **missing}
    for item, options in ACHIEVED_BY.items():
        with Container(["/nest-init", *options.split(), "--", "/bin/sh", "-c", ":"], image, **configuration) as c:
            assert c.wait() == (0 if said[item] == "yes" else 125), (item, c.errors())


def test_a_listener_that_is_there_already_is_found(image):
    status, output, errors = audit(image, before=["/nest-init", "--seccomp", "default", "--seccomp-report", "--"])
    assert status == 0
    assert "\nachievable here\n\n  yes     user          any\n" in output
    assert "\n  no      report        a filter that is in force here has a listener already\n" in output
    assert max(map(len, output.splitlines())) <= 80


def unmask(config):
    config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []


def share_pids(config):
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]


def user_namespace(config):
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
        {"containerID": 0, "hostID": 0, "size": 65536}]


@pytest.mark.parametrize("configuration, expected", [
    ({"user": 1001, "caps": ()}, {"user": ("info", "uid 1001"), "capabilities": ("info", "none, in none of the five sets"),
                                  "root": ("medium", "writable: /scratch, /tmp, /data, /marker"),
                                  "path": ("info", "no directory in PATH is writable")}),
    ({"user": 1001}, {"capabilities": ("low", "in the bounding set alone: chown, dac_override, fowner, fsetid, kill, "
                                       "setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod, "
                                       "audit_write, setfcap")}),
    ({"caps": PRIVILEGED}, {"capabilities": ("high", None)}),
    ({"no_new_privs": True}, {"no_new_privs": ("info", "on"), "setuid": ("info", "/bin/setuid-attempt")}),
    ({}, {"no_new_privs": ("medium", "off"), "setuid": ("medium", "/bin/setuid-attempt"),
          "seccomp": ("medium", "no filter")}),
    ({"read_only": True, "mounts": [tmpfs("/data")]}, {"root": ("info", "mounted read-only"),
                                                       "path": ("info", "no directory in PATH is writable")}),
    ({"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}}, {"seccomp": ("info", "1 filter")}),
    ({"edit": unmask}, {"kernel": ("high", None), "proc": ("low", None)}),
    ({"edit": share_pids}, {"namespaces": ("high", None)}),
    ({"edit": user_namespace}, {"user": ("medium", "uid 0, in a user namespace")}),
    ({"memory": 100 << 20, "pids": 50}, {"memory": ("info", "100 MiB"), "pids": ("info", "50 tasks")}),
    ({"env": {"PATH": "bin:/usr/bin:"}, "user": 1001}, {"path": ("low", "relative: bin/, ./")}),
])
def test_what_the_runtime_gave_is_found(image, configuration, expected):
    if configuration.get("edit") is share_pids and os.stat("/proc/self/ns/pid").st_ino != 0xeffffffc:
        pytest.skip("this machine is itself in a PID namespace")
    found = findings(image, **configuration)
    for item, (level, text) in expected.items():
        said = found[item]
        if item == "root" and text.startswith("writable: "):  # in the directory's own order
            said = said[0], "writable: " + ", ".join(sorted(said[1].removeprefix("writable: ").split(", ")))
            text = "writable: " + ", ".join(sorted(text.removeprefix("writable: ").split(", ")))
        assert (said[0], text and said[1]) == (level, text), item


def test_a_file_with_capabilities_gives_rights_as_setuid_does(image, tmp_path):
    for name in ("plain", "raised"):
        shutil.copy(NEST_INIT, tmp_path / name)
    subprocess.run(["setcap", "cap_net_raw+ep", tmp_path / "raised"], check=True)
    found = findings(image, mounts=[bind(tmp_path, "/raises")], env={"PATH": "/raises"})
    assert found["setuid"] == ("medium", "/raises/raised")


def test_it_leaves_nothing_behind(image):
    script = "/bin/busybox find / -xdev > /marker/a; /nest-init audit > /dev/null; /bin/busybox find / -xdev > /marker/b"
    with Container(["/bin/sh", "-c", f"touch /marker/a /marker/b; {script}; /bin/busybox cmp /marker/a /marker/b"],
                   image) as c:
        assert (c.wait(), c.output(), c.errors()) == (0, "", "")


@pytest.mark.parametrize("more, coloured", [({}, True), ({"NO_COLOR": "1"}, False)], ids=["colour", "NO_COLOR"])
def test_colours_are_for_a_terminal(more, coloured):
    master, slave = pty.openpty()
    with subprocess.Popen([NEST_INIT, "audit"], stdout=slave, env={"PATH": "/bin", "TERM": "xterm", **more}) as audit:
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: nobody has the other side any more
            while part := os.read(master, 65536):
                shown += part
    os.close(master)
    assert audit.returncode == 0 and b"uid" in shown
    assert (b"\033[" in shown) == coloured


@pytest.mark.parametrize("words, sentence", [
    (["--fail-on"], "--fail-on: expected low, medium, high or none"),
    (["--fail-on=info"], "--fail-on: expected low, medium, high or none"),
    (["--json", "now"], "unknown option 'now' (nest-init audit --help)"),
])
def test_bad_usage(words, sentence):
    done = subprocess.run([NEST_INIT, "audit", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (125, "", f"nest-init audit: {sentence}\n")


def test_without_proc_it_cannot_look(image):
    script = "/bin/busybox umount -l /proc; exec /nest-init audit"
    with Container(["/bin/sh", "-c", script], image, caps=PRIVILEGED) as c:
        assert (c.wait(), c.output()) == (125, "")
        assert c.errors() == "nest-init audit: /proc/self/status: No such file or directory\n"
