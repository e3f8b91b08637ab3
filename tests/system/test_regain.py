"""What was dropped cannot be had again: by a program of root's, a setuid one, or one with capabilities of its own
(capabilities(7)), with no_new_privs and without. Only where the container may not shrink the bounding set it takes
no_new_privs, and that is pinned here, too."""
import subprocess

import pytest

from busybox import DOCKER_CAPS, bits, image, needs_runc, run  # noqa: F401

pytestmark = needs_runc

PROGRAM = r"""
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (argc < 1 || syscall(SYS_capget, &header, data) != 0)
		return 1;
	printf("%s: %d %08x%08x\n", strrchr(argv[0], '/') + 1, (int)geteuid(), data[1].permitted, data[0].permitted);
	return 0;
}
"""
KINDS = ["plain", "setuid", "permitted", "inheritable"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """{path in the container: file}, one of each kind."""
    directory = tmp_path_factory.mktemp("programs")
    for kind in KINDS:
        subprocess.run(["gcc", "-static", "-O1", "-o", directory / kind, "-xc", "-"], input=PROGRAM, text=True, check=True)
    (directory / "setuid").chmod(0o4755)
    for kind, flag in ("permitted", "p"), ("inheritable", "i"):
        subprocess.run(["setcap", f"cap_net_raw,cap_chown,cap_kill+{flag}", directory / kind], check=True)
    return {f"/programs/{kind}": directory / kind for kind in KINDS}


def found(image, programs, options, **configuration):
    """{kind: (uid, permitted set)} of the programs, as the workload starts them."""
    script = "; ".join(f"/programs/{kind}" for kind in KINDS)
    outcome = run(image, options, ["/bin/sh", "-c", script], files=programs, **configuration)
    assert outcome.status == 0
    return {kind: tuple(rest.split()) for kind, rest in (line.split(": ") for line in outcome.output.splitlines())}


def as_inheritable(config):
    """Docker before 20.10.14 (CVE-2022-24769): what a file may inherit, no bounding set would stop."""
    config["process"]["capabilities"]["inheritable"] = config["process"]["capabilities"]["bounding"]


NONE, KILL, DOCKER = bits(), bits("kill"), bits(*DOCKER_CAPS)
LEFT = bits(*(set(DOCKER_CAPS) - {"net_raw"}))
FILE = bits("net_raw", "chown", "kill")


@pytest.mark.parametrize("no_new_privs", ["yes", "no"])
@pytest.mark.parametrize("edit", [None, as_inheritable], ids=["", "inheritable container"])
@pytest.mark.parametrize("options", ["--cap-drop all", "--cap-drop all --user 1001"])
def test_nothing_comes_back_after_cap_drop_all(image, programs, options, edit, no_new_privs):
    answers = found(image, programs, f"{options} --no-new-privs={no_new_privs}", edit=edit)
    assert {kind: held for kind, (_, held) in answers.items()} == dict.fromkeys(KINDS, NONE)
    # A setuid program may make the user root again: one without a capability.
    assert answers["setuid"][0] == ("1001" if "--user" in options and no_new_privs == "yes" else "0")


@pytest.mark.parametrize("no_new_privs", ["yes", "no"])
def test_what_was_dropped_does_not_come_back_and_root_keeps_the_rest(image, programs, no_new_privs):
    """Without securebits: root's programs get what the bounding set has."""
    answers = found(image, programs, f"--cap-drop net_raw --no-new-privs={no_new_privs}")
    assert answers == {kind: ("0", LEFT) for kind in KINDS}


@pytest.mark.parametrize("no_new_privs, setuid", [("yes", ("1001", KILL)), ("no", ("0", KILL))])
def test_another_user_gets_no_more_than_was_added(image, programs, no_new_privs, setuid):
    answers = found(image, programs, f"--user 1001 --cap-drop all --cap-add kill --no-new-privs={no_new_privs}")
    # A file's capabilities clear the ambient set; what it has may not be more than the bounding set.
    assert answers == {"plain": ("1001", KILL), "setuid": setuid, "permitted": ("1001", KILL), "inheritable": ("1001", KILL)}


def test_without_the_option_files_may_give_what_the_container_has(image, programs):
    """What the tests above are compared with."""
    answers = found(image, programs, "--user 1001 --no-new-privs=no")
    assert answers == {"plain": ("1001", NONE), "setuid": ("0", DOCKER), "permitted": ("1001", FILE),
                       "inheritable": ("1001", NONE)}


@pytest.mark.parametrize("no_new_privs, expected", [("yes", NONE), ("no", bits("kill", "net_raw"))])
def test_where_the_bounding_set_cannot_shrink_no_new_privs_does_it(image, programs, no_new_privs, expected):
    """Setting securebits needs the very capability that is missing: no option of ours could help, and the start says so."""
    answers = found(image, programs, f"--best-effort --cap-drop all --no-new-privs={no_new_privs}", caps=("kill", "net_raw"))
    assert answers["plain"] == ("0", expected)
