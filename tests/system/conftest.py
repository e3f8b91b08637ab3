"""What the system tests share: the binaries under test, and the workloads compiled for them."""
import fcntl
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from misbehaving import Server

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
BINARIES = {
    "release": os.environ.get("NEST_INIT", str(BUILD / "release/nest-init")),
    "glibc": os.environ.get("NEST_INIT_GLIBC", str(BUILD / "debug/nest-init")),
}


@pytest.fixture
def nest_init():
    """The release binary."""
    return BINARIES["release"]


@pytest.fixture(params=sorted(BINARIES))
def either(request):
    """Both binaries, one after the other: what is essential holds whatever the libc."""
    return BINARIES[request.param]


def compiled(tmp_path_factory, name):
    """The program of NAME.c, compiled once for all of xdist's workers."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    program = shared / name
    with open(shared / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", f"{program}.new", str(HERE / f"{name}.c")],
                           check=True)
            os.chmod(shared, 0o755)
            os.rename(f"{program}.new", program)
    return str(program)


@pytest.fixture(scope="session")
def workload(tmp_path_factory):
    """The program of workload.c."""
    return compiled(tmp_path_factory, "workload")


@pytest.fixture(scope="session")
def storm(tmp_path_factory):
    """The program of storm.c."""
    return compiled(tmp_path_factory, "storm")


@pytest.fixture
def public():
    """A new directory that every user may enter, as pytest's own are not: for programs that other users execute."""
    with tempfile.TemporaryDirectory(prefix="nest-public-") as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


@pytest.fixture
def server():
    """One on a port of 127.0.0.1 that answers as its paths want (misbehaving.py)."""
    server = Server(socket.AF_INET, ("127.0.0.1", 0))
    yield server
    server.close()


@pytest.fixture(scope="session")
def minutes(tmp_path_factory):
    """A clock that makes a minute of each second, for a program with a libc that can be told to load it."""
    library = tmp_path_factory.mktemp("minutes") / "minutes.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, HERE / "minutes.c"], check=True)
    return {"LD_PRELOAD": str(library), "MINUTES_START": str(int(time.time()))}
