"""With which flags filters are loaded. Before Linux 5.16 a filter without SPEC_ALLOW slows everything down that runs under
it (Speculative Store Bypass is switched off); crun and newer versions of runc load it unless the profile says otherwise."""
import json
import re
import subprocess

import pytest

from busybox import NEST_INIT, REPO

DOCKER = REPO / "tests/data/seccomp/docker-default.json"
SPEC_ALLOW = "SECCOMP_FILTER_FLAG_SPEC_ALLOW"


def loaded(directory, *options, inject=()):
    """The flags of each filter that was loaded or refused, and what /proc/self/status says of it then."""
    trace = directory / "trace"
    done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=seccomp", *inject, "-o", trace, NEST_INIT, "exec", *options, "--",
                           "/bin/cat", "/proc/self/status"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (re.findall(r"SECCOMP_SET_MODE_FILTER, (\S+),", trace.read_text()),
            int(re.search(r"^Seccomp_filters:\s*(\d+)", done.stdout, re.M)[1]))


def before(directory):
    return loaded(directory)[1]


@pytest.mark.parametrize("profile", ["node", "default", DOCKER], ids=["node", "default", "docker"])
def test_a_profile_without_flags_is_loaded_with_spec_allow(tmp_path, profile):
    assert loaded(tmp_path, "--seccomp", profile) == ([SPEC_ALLOW], before(tmp_path) + 1)


def test_so_is_a_compiled_one(tmp_path):
    subprocess.run([NEST_INIT, "seccomp", "compile", DOCKER, "-o", tmp_path / "bpf"], check=True, stderr=subprocess.DEVNULL)
    assert loaded(tmp_path, "--seccomp", tmp_path / "bpf")[0] == [SPEC_ALLOW]


@pytest.mark.parametrize("flags, expected", [([], "0"), (["SECCOMP_FILTER_FLAG_LOG"], "SECCOMP_FILTER_FLAG_LOG")])
def test_what_a_profile_says_of_flags_holds(tmp_path, flags, expected):
    (tmp_path / "profile.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "flags": flags}))
    assert loaded(tmp_path, "--seccomp", tmp_path / "profile.json")[0] == [expected]


def test_filters_behind_other_options_have_it_too(tmp_path):
    flags, filters = loaded(tmp_path, "--exec-allow", "/bin/cat", "--tcp-bind", "none")
    assert flags == [SPEC_ALLOW] * 2 and filters == before(tmp_path) + 2


def test_a_kernel_that_does_not_know_it_loads_the_filter_without(tmp_path):
    """Linux 4.17 is the first that does."""
    flags, filters = loaded(tmp_path, "--seccomp", "node", inject=["-e", "inject=seccomp:error=EINVAL:when=1"])
    assert (flags, filters) == ([SPEC_ALLOW, "0"], before(tmp_path) + 1)
