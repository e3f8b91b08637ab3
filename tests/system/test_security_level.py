"""--security-level: what the preset puts in force, and what is said beside it."""
import pytest

from busybox import but, image, layers, needs_runc, run, running  # noqa: F401

pytestmark = needs_runc

ALL = {"capabilities": "in force", "seccomp": "in force", "read_only": "in force", "exec_allow": "in force"}


@pytest.mark.parametrize("options, environment, expected", [
    ("--security-level hardened", {}, but(**ALL)),
    ("", {"NEST_INIT_SECURITY_LEVEL": "hardened"}, but(**ALL)),
    ("", {"SECURITY_LEVEL": "hardened"}, but(**ALL)),
    ("", {"SECURITY_LEVEL": "strict"}, but()),
    ("--security-level standard", {"SECURITY_LEVEL": "hardened"}, but()),
    ("--security-level hardened --read-only=no --seccomp unconfined", {}, but(**{**ALL, "read_only": "-", "seccomp": "-"})),
])
def test_status_spells_the_preset_out(image, options, environment, expected):
    with running(image, options, "/bin/sleep 1000", env=environment) as c:
        assert layers(c) == expected


@pytest.mark.parametrize("exec_", ["", "exec"])
def test_a_level_that_is_none_is_told(image, exec_):
    """The variable may belong to another program: nothing is refused."""
    for value in "Hardened", "bogus\x1b[31m":
        outcome = run(image, [*exec_.split(), "--workdir", "/"], "/bin/attempt root", env={"SECURITY_LEVEL": value})
        assert (outcome.status, outcome.output) == (0, "root: ok\n")
        assert outcome.errors == (f"nest-init: warning: SECURITY_LEVEL is '{value.replace(chr(27), '?')}', which is neither "
                                  "standard nor hardened: it confines nothing (--security-level goes before it)\n")
    for value in "standard", "":
        assert run(image, "", "/bin/attempt root", env={"SECURITY_LEVEL": value}).errors == ""
    assert run(image, "--security-level=standard", "/bin/attempt root", env={"SECURITY_LEVEL": "bogus"}).errors == ""


def test_denials_are_reported_under_every_name_of_the_preset(image):
    """The monitor reads the same environment as PID 1."""
    for environment in ({"SECURITY_LEVEL": "hardened"}, {"NEST_INIT_SECURITY_LEVEL": "hardened"}):
        outcome = run(image, "--seccomp-report", "/bin/attempt call=ptrace", env=environment)
        assert outcome.answers() == {"call=ptrace": "EPERM"}
        assert "called ptrace: profile default answers EPERM" in outcome.errors


def test_hardened_leaves_nothing_but_the_command(image):
    outcome = run(image, "--security-level hardened", "/bin/attempt create=/marker/new call=ptrace root")
    assert outcome.answers() == {"create=/marker/new": "EACCES", "call=ptrace": "EPERM", "root": "ok"}
    assert run(image, "--security-level hardened", ["/bin/sh", "-c", "exec /bin/attempt root"]).status == 126
    process = run(image, "--security-level hardened", "/bin/cat /proc/self/status").process()
    assert {process[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert process["NoNewPrivs"] == "1"


def test_what_is_said_beside_it_wins(image):
    """A capability that is added is kept, a writable path stays so, an allowed program may be executed."""
    outcome = run(image, "--security-level hardened --cap-add kill --writable /marker --exec-allow /bin/attempt",
                  ["/bin/sh", "-c", "exec /bin/attempt create=/marker/new create=/data/new"])
    assert outcome.answers() == {"create=/marker/new": "ok", "create=/data/new": "EACCES"}
    process = run(image, "--security-level hardened --cap-add kill", "/bin/cat /proc/self/status").process()
    assert process["CapBnd"] == process["CapEff"] == "%016x" % (1 << 5)
