"""Kernels whose Landlock is older than what is asked for: refused, or as much as there is under best effort.

old_landlock.c answers for such a kernel; whatever it lets through is this kernel's.
"""
import os
import shutil

import pytest

from conftest import compiled
from namespace import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

TRUNCATION = "read_only: the kernel's Landlock does not stop truncate(2) (ABI {abi}; 3 does, Linux 6.2)"
PORTS = "tcp: the kernel's Landlock knows no ports (ABI {abi}; 4 does, Linux 6.7)"
TRIES = ("{ echo x >$0/new; } 2>/dev/null && echo made; { echo x >>$0/old; } 2>/dev/null && echo written; "
         "truncate -s 0 $0/old 2>/dev/null && echo cut; echo done")


@pytest.fixture(scope="session")
def old_landlock(tmp_path_factory):
    return compiled(tmp_path_factory, "old_landlock")


@pytest.fixture
def run(old_landlock, either, public):
    (public / "old").write_text("something\n")

    def run(abi, *options, command=("sh", "-c", TRIES)):
        with Namespace(either, *command, str(public), options=options, parent=(old_landlock, abi)) as n:
            return n.wait(), n.lines(), n.errors()
    return run


@pytest.mark.parametrize("abi", [3, 4])
def test_read_only_is_in_force_from_abi_3_on(run, abi):
    assert run(abi, "--read-only=landlock") == (0, ["done"], "")


@pytest.mark.parametrize("abi", [1, 2])
def test_before_it_read_only_is_refused(run, abi):
    assert run(abi, "--read-only=landlock") == (125, [], f"nest-init: {TRUNCATION.format(abi=abi)}\n")


@pytest.mark.parametrize("abi", [1, 2])
def test_best_effort_has_what_there_is(run, abi):
    """Files can be cut, and nothing else."""
    status, said, errors = run(abi, "--best-effort", "--read-only=landlock")
    assert (status, errors) == (0, f"nest-init: warning: not in force: {TRUNCATION.format(abi=abi)}\n")
    assert set(said) <= {"cut", "done"}


@pytest.mark.parametrize("abi", [1, 2, 3, 4])
def test_programs_are_listed_under_every_abi(run, abi):
    assert run(abi, "--exec-allow", "/usr/bin/true", command=("sh", "-c", "/usr/bin/true && echo ran")) == (0, ["ran"], "")
    status, _, errors = run(abi, "--exec-allow", "/usr/bin/true", command=("sh", "-c", "exec /usr/bin/env"))
    assert status == 126 and "Permission denied" in errors


@pytest.mark.parametrize("abi", [1, 2, 3])
def test_ports_are_refused_before_abi_4(run, abi):
    assert run(abi, "--tcp-bind", "80") == (125, [], f"nest-init: {PORTS.format(abi=abi)}\n")
    assert run(abi, "--best-effort", "--tcp-bind", "80", command=("echo", "on")) == (
        0, run(abi, command=("echo", "on"))[1], f"nest-init: warning: not in force: {PORTS.format(abi=abi)}\n")


def test_ports_are_listed_from_abi_4_on(run):
    script = "import socket\ns = socket.socket()\ntry: s.bind(('127.0.0.1', 0))\nexcept OSError as e: print(e.strerror)"
    assert run(4, "--tcp-bind", "none", command=("python3", "-c", script)) == (0, ["Permission denied"], "")
