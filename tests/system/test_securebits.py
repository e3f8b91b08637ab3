"""--securebits (capabilities(7)): what a program reads of them inside, that they hold, and what they cost those that
leave root by themselves. That is why the hardened preset sets none."""
import re
import subprocess

import pytest

from bundle import Container
from busybox import DOCKER_CAPS, bits, image, layers, needs_runc, run, running, status, wait_until  # noqa: F401

pytestmark = needs_runc

# Says its uid, securebits, permitted, effective and ambient set; "drop" becomes 1001 and says it again, itself and
# after an exec; "raise" and "clear" try what is locked.
PROGRAM = r"""
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char *when)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	unsigned long long ambient = 0;

	syscall(SYS_capget, &header, data);
	for (int i = 0; i < 41; i++)
		ambient |= (unsigned long long)(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1) << i;
	dprintf(1, "%s: %d %x %08x%08x %08x%08x %016llx\n", when, (int)geteuid(), prctl(PR_GET_SECUREBITS),
		data[1].permitted, data[0].permitted, data[1].effective, data[0].effective, ambient);
}

int main(int argc, char **argv)
{
	say(argc > 2 ? argv[2] : "start");
	if (argc < 2)
		return 0;
	if (strcmp(argv[1], "drop") == 0) {
		if (setgid(1001) != 0 || setuid(1001) != 0)
			return 1;
		say("dropped");
		execl("/proc/self/exe", argv[0], "-", "executed", (char *)NULL);
	}
	if (strcmp(argv[1], "raise") == 0)
		dprintf(1, "raise: %s\n", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0 ? "ok" : strerror(errno));
	if (strcmp(argv[1], "clear") == 0)
		dprintf(1, "clear: %s\n", prctl(PR_SET_SECUREBITS, 0) == 0 ? "ok" : strerror(errno));
	return 0;
}
"""
NOROOT, NO_FIXUP, KEEP_LOCKED, NO_RAISE = 0x1, 0x4, 0x20, 0x40


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("securebits")
    for name in "look", "with-kill":
        subprocess.run(["gcc", "-static", "-O1", "-o", directory / name, "-xc", "-"], input=PROGRAM, text=True, check=True)
    subprocess.run(["setcap", "cap_kill+ep", directory / "with-kill"], check=True)
    return {f"/programs/{name}": directory / name for name in ("look", "with-kill")}


def look(image, programs, options, command="/programs/look", **configuration):
    """{when: (uid, securebits, permitted, effective, ambient)}, and what was tried."""
    outcome = run(image, options, command, files=programs, **configuration)
    assert (outcome.status, outcome.errors) == (0, "")
    found = dict(line.split(": ", 1) for line in outcome.output.splitlines())
    return {when: (int((words := text.split())[0]), int(words[1], 16), *words[2:]) if text[0].isdigit() else text
            for when, text in found.items()}


NONE, KILL, DOCKER, TWO = bits(), bits("kill"), bits(*DOCKER_CAPS), bits("chown", "kill")


@pytest.mark.parametrize("options, expected", [
    ("", (0, 0, DOCKER, DOCKER, NONE)),
    ("--securebits noroot", (0, NOROOT, DOCKER, DOCKER, DOCKER)),
    ("--securebits noroot,noroot_locked --cap-drop all", (0, NOROOT * 3, NONE, NONE, NONE)),
    ("--securebits noroot --cap-drop all --cap-add chown,kill", (0, NOROOT, TWO, TWO, TWO)),
    ("--securebits no_cap_ambient_raise --cap-drop all", (0, NO_RAISE, NONE, NONE, NONE)),
    ("--securebits no_setuid_fixup,keep_caps_locked", (0, NO_FIXUP | KEEP_LOCKED, DOCKER, DOCKER, NONE)),
    ("--securebits noroot,no_setuid_fixup,no_cap_ambient_raise,noroot_locked,no_setuid_fixup_locked,"
     "no_cap_ambient_raise_locked --security-level hardened --cap-add chown,kill", (0, 0xcf, TWO, TWO, TWO)),
    ("--securebits noroot,no_cap_ambient_raise --user 1001 --cap-add chown,kill",
     (1001, NOROOT | NO_RAISE, TWO, TWO, TWO)),
    ("--securebits noroot --user 1001 --no-new-privs=no", (1001, NOROOT, NONE, NONE, NONE)),
])
def test_they_are_set_and_what_was_added_is_kept(image, programs, options, expected):
    assert look(image, programs, options) == {"start": expected}


@pytest.mark.parametrize("options, attempt, answer", [
    ("--securebits noroot,noroot_locked", "clear", "Operation not permitted"),
    ("--securebits noroot", "clear", "ok"),
    ("--securebits noroot,no_cap_ambient_raise", "raise", "Operation not permitted"),
    ("--securebits noroot", "raise", "ok"),
])
def test_they_hold(image, programs, options, attempt, answer):
    assert look(image, programs, options, f"/programs/look {attempt}")[attempt] == answer


@pytest.mark.parametrize("options, dropped", [
    ("--security-level hardened --cap-add setuid,setgid", NONE),
    ("--security-level hardened --cap-add setuid,setgid --securebits noroot", NONE),
    ("--security-level hardened --cap-add setuid,setgid --securebits no_setuid_fixup", bits("setuid", "setgid")),
])
def test_without_the_fixup_who_leaves_root_keeps_its_capabilities(image, programs, options, dropped):
    """A server that starts as root and makes its workers another user: the reason why the preset leaves it alone."""
    found = look(image, programs, options + " --exec-allow /programs", "/programs/look drop")
    assert found["dropped"][0] == 1001 and found["dropped"][2] == dropped


@pytest.mark.parametrize("securebits, held", [("", TWO), (" --securebits noroot", KILL)])
def test_without_roots_privileges_a_file_with_capabilities_gives_its_own_alone(image, programs, securebits, held):
    """The other reason: a server whose file has cap_net_bind_service, run as root that was to keep chown as well."""
    found = look(image, programs, f"--cap-drop all --cap-add chown,kill{securebits}", "/programs/with-kill")
    assert found["start"][2] == held


def test_a_pre_stop_command_has_them_too(image, programs):
    """By then PID 1 has given up what it did not need."""
    options = ["--securebits", "noroot", "--cap-drop", "all", "--cap-add", "chown,kill", "--pre-stop", "/programs/look"]
    script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    with Container(["/nest-init", *options, "--", "/bin/sh", "-c", script], image, files=programs) as c:
        wait_until(lambda: "ready" in c.output())
        c.kill("TERM")
        assert (c.wait(), c.output()) == (0, f"ready\nstart: 0 1 {TWO} {TWO} {TWO}\n")


REFUSAL = ("nest-init: securebits: cannot set them: Operation not permitted (it needs CAP_SETPCAP: start the container "
           "with it, and as root with --user here)\n")


@pytest.mark.parametrize("configuration", [{"caps": ("kill",)}, {"user": 1001}], ids=["", "uid 1001"])
def test_without_setpcap_they_are_refused(image, configuration):
    outcome = run(image, "--securebits noroot", "/bin/true", **configuration)
    assert (outcome.status, outcome.errors) == (125, REFUSAL)


def test_best_effort_goes_on_without_them_and_keeps_nothing_for_it(image, programs):
    outcome = run(image, "--best-effort --securebits noroot", "/programs/look", files=programs, caps=("kill",))
    assert (outcome.status, outcome.output) == (0, f"start: 0 0 {KILL} {KILL} {KILL}\n")
    assert outcome.errors == REFUSAL.replace("nest-init: ", "nest-init: warning: not in force: ")


def test_status_names_them(image):
    with running(image, "--securebits noroot,noroot_locked --cap-drop all", "/bin/sleep 1000") as c:
        assert layers(c)["securebits"] == "in force"
        assert status(c)["securebits"] == {"requested": True, "enforced": True, "bits": ["noroot", "noroot_locked"]}
        shown = c.exec("/nest-init", "status").stdout
        assert re.search(r"^  securebits    in force  noroot, noroot_locked$", shown, re.M)
