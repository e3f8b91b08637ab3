"""The same verdicts as the runtimes: runc and crun load a profile, the kernel hands the filter back, and every syscall
number of every architecture of this kernel is run through theirs and ours.

What differs does so by design, and is stated here to the number: which numbers get ENOSYS as newer than the profile.
- crun knows no such thing: they get the default action.
- runc counts from the highest number that the profile names, we count from the highest that libseccomp knows. A call that
  the profile's author could have named and has not is denied by us; to runc it is new.
"""
import ctypes
import errno
import functools
import itertools
import json
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest

from bundle import DOCKER_CAPS, Container, oci_config
from busybox import NEST_INIT, PRIVILEGED, REPO, image, needs_runc  # noqa: F401
from engine_profile import as_oci

pytestmark = [needs_runc, pytest.mark.skipif(platform.machine() != "x86_64", reason="the tables here are amd64's")]

DATA = REPO / "tests/data/seccomp"
AMD64, I386, X32_BIT = 0xC000003E, 0x40000003, 0x40000000
ALLOW, ERRNO, KILL_THREAD = 0x7FFF0000, 0x00050000, 0
NUMBERS = 700
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
libseccomp = ctypes.CDLL("libseccomp.so.2")
libseccomp.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p


# --- the filter as the kernel has it --------------------------------------------------------------------------------

SEIZE, INTERRUPT, DETACH, GET_FILTER, WALL = 0x4206, 0x4207, 17, 0x420C, 0x40000000


def ptrace(request, pid, address=None, data=None):
    result = libc.ptrace(request, pid, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")
    return result


def filters_of(pid):
    """The programs of a process, the oldest first (PTRACE_SECCOMP_GET_FILTER of ptrace(2))."""
    deadline = time.monotonic() + 30
    while not re.search(r"^Seccomp_filters:\s*[1-9]", Path(f"/proc/{pid}/status").read_text(), re.M):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found = []
    ptrace(SEIZE, pid)
    try:
        ptrace(INTERRUPT, pid)
        os.waitpid(pid, WALL)
        while True:
            try:
                count = ptrace(GET_FILTER, pid, len(found))
            except OSError as error:
                assert error.errno == errno.ENOENT
                return found
            buffer = ctypes.create_string_buffer(8 * count)
            ptrace(GET_FILTER, pid, len(found), ctypes.cast(buffer, ctypes.c_void_p))
            found.append(buffer.raw)
    finally:
        libc.ptrace(DETACH, pid, None, None)


def loaded_by_runc(image, oci, caps):
    with Container(["/bin/sleep", "1000"], image, seccomp=oci, caps=caps) as c:
        program, = filters_of(c.pid)
        return program


# crun 1.8 refuses a machine with both versions of cgroups: it sees version 2 alone.
CRUN = """
umount -R -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec crun --root "$1/state" --cgroup-manager=disabled run --bundle "$1" --pid-file "$1/pid" "$2"
"""


def loaded_by_crun(image, oci, caps, directory):
    config = oci_config(["/bin/sleep", "1000"], seccomp=oci, caps=caps, read_only=True)
    config["root"]["path"] = str(Path(image).resolve())
    config["mounts"] = [mount for mount in config["mounts"] if mount["type"] in ("proc", "tmpfs")]
    del config["linux"]["resources"]
    (directory / "config.json").write_text(json.dumps(config))
    pid_file, pid = directory / "pid", None
    process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-ec", CRUN, "sh", directory,
                                f"nest-{os.getpid()}-crun"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while not pid_file.exists() or not pid_file.read_text():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        pid = int(pid_file.read_text())
        program, = filters_of(pid)
        return program
    finally:
        if process.poll() is None:
            os.kill(pid or process.pid, signal.SIGKILL)  # crun ends with it, and removes what it has made
        process.wait(30)
        process.stderr.close()


# --- a machine that runs it ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """The machine of denial reports and unit tests, which shares nothing with what simulates: bpf_run.h."""
    library = tmp_path_factory.mktemp("machine") / "bpf_run.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", f"-I{REPO}", "-o", library, REPO / "seccomp-profiles/bpf_run.c"], check=True)
    bpf_run = ctypes.CDLL(library).bpf_run
    answer, looked = ctypes.c_uint32(), ctypes.c_bool()

    def run(program, arch, number, *args):
        """The answer of a filter, and whether it looked at an argument."""
        data = struct.pack("<IIQ6Q", number, arch, 0, *args, *[0] * (6 - len(args)))
        assert bpf_run(program, ctypes.c_size_t(len(program) // 8), data, ctypes.byref(answer), ctypes.byref(looked)) == 0
        return answer.value, looked.value

    return run


def vectors(programs):
    """Arguments on both sides of every number that a program compares them with."""
    values = {0, 2**32, 2**64 - 1}
    for program in programs:
        loaded = 0
        for code, _, _, k in struct.iter_unpack("<HBBI", program):
            loaded = k if code == 0x20 else loaded
            if code != 0x20 and code & 7 == 5 and loaded >= 16:
                values |= {max(k - 1, 0), k, k + 1, k | 1 << 40}
    for value, index in itertools.product(values, range(3)):
        yield [value if i == index else 0 for i in range(3)]
    yield from itertools.product([1, 2, 10, 16, 40], [1, 2, 3, 2**32 + 2], [0, 2, 9])


def differences(run, theirs, ours):
    """{(architecture, number): (theirs, ours)}; of numbers that look at arguments the first vector that differs."""
    found, compared = {}, list(vectors((theirs, ours)))
    for space, arch, base in ("amd64", AMD64, 0), ("x86", I386, 0), ("x32", AMD64, X32_BIT):
        for number in range(NUMBERS):
            (one, looks), (other, look) = (run(p, arch, base + number) for p in (theirs, ours))
            for vector in compared if looks or look else []:
                if one != other:
                    break
                one, other = (run(p, arch, base + number, *vector)[0] for p in (theirs, ours))
            if one != other:
                found[space, number] = (one, other)
    assert run(theirs, 0x80000016, 1)[0] == run(ours, 0x80000016, 1)[0] == KILL_THREAD  # s390x
    return found


# --- what is expected ---------------------------------------------------------------------------------------------

TOKENS = {"amd64": AMD64, "x86": I386, "x32": 0x4000003E}


@functools.cache
def known(space):
    """The numbers that libseccomp has a name for, without x32's bit."""
    base = X32_BIT if space == "x32" else 0
    return {n for n in range(NUMBERS)
            if libseccomp.seccomp_syscall_resolve_num_arch(ctypes.c_uint32(TOKENS[space]), base + n)}


def named(space, oci):
    """The numbers that a profile names."""
    names = {name.encode() for rule in oci["syscalls"] for name in rule["names"]}
    numbers = {libseccomp.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(TOKENS[space]), name) for name in names}
    return {n & ~X32_BIT for n in numbers if n >= 0}


def expected(oci, runtime):
    default = ERRNO | oci.get("defaultErrnoRet", errno.EPERM)
    enosys = ERRNO | errno.ENOSYS
    found = {}
    if oci["defaultAction"] != "SCMP_ACT_ERRNO" or default == enosys:
        return found
    for space in TOKENS:
        last = max(known(space))
        if runtime == "crun":
            found |= {(space, n): (default, enosys) for n in range(last + 1, NUMBERS)}
        else:
            found |= {(space, n): (enosys, default) for n in range(max(named(space, oci)) + 1, last + 1)}
    return found


# Every action and comparison; what a container needs to start is from Docker's.
OTHERWISE = {"mount", "ptrace", "bpf", "kexec_load", "reboot", "keyctl", "socket", "personality", "ioctl", "lseek", "fallocate"}
NEWEST = 440  # of what the OCI profile names: some that libseccomp knows are newer
BASE = [name for name in json.loads((DATA / "docker-default.json").read_text())["syscalls"][0]["names"] + ["arch_prctl"]
        if name not in OTHERWISE and libseccomp.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(AMD64), name.encode()) < NEWEST]
OCI = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13,
       "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
       "syscalls": [
           {"names": BASE, "action": "SCMP_ACT_ALLOW"},
           {"names": ["mount", "no_such_call"], "action": "SCMP_ACT_KILL_PROCESS"},
           {"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 3},
           {"names": ["bpf"], "action": "SCMP_ACT_TRAP"},
           {"names": ["kexec_load"], "action": "SCMP_ACT_LOG"},
           {"names": ["reboot"], "action": "SCMP_ACT_TRACE", "errnoRet": 77},
           {"names": ["keyctl"], "action": "SCMP_ACT_ERRNO"},
           {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 15, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]},
           {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_GT"}]},
           {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 4294967296, "op": "SCMP_CMP_EQ"}]},
           {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "args": [{"index": 1, "value": 21522, "op": "SCMP_CMP_NE"}]},
           {"names": ["lseek"], "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 2, "value": 3, "op": "SCMP_CMP_LT"}, {"index": 1, "value": 4294967298, "op": "SCMP_CMP_LE"}]},
           {"names": ["fallocate"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 41, "op": "SCMP_CMP_GE"}]},
       ]}

def prepare(profile, caps, directory):
    """The profile as the runtime gets it, and our filter of the profile as its author wrote it."""
    source = directory / "profile.json"
    if isinstance(profile, dict):
        oci = profile
        source.write_text(json.dumps(profile))
    else:
        oci = as_oci(json.loads((DATA / profile).read_text()), caps)
        shutil.copy(DATA / profile, source)
    done = subprocess.run([NEST_INIT, "seccomp", "compile", source, "-o", "-", "--caps", ",".join(caps) or "none"],
                          capture_output=True, check=True)
    return oci, done.stdout


CAPS = {"default": DOCKER_CAPS, "privileged": PRIVILEGED, "none": ()}


@pytest.mark.parametrize("profile, caps", [
    *itertools.product(["docker-default.json", "containers-default.json"], CAPS), (OCI, "default"),
], ids=lambda value: "OCI" if value is OCI else value)
@pytest.mark.parametrize("runtime", ["runc", pytest.param("crun", marks=pytest.mark.skipif(
    not shutil.which("crun"), reason="needs crun"))])
def test_verdicts_are_the_runtimes(image, machine, tmp_path, runtime, profile, caps):
    caps = CAPS[caps]
    oci, ours = prepare(profile, caps, tmp_path)
    theirs = loaded_by_runc(image, oci, caps) if runtime == "runc" else loaded_by_crun(image, oci, caps, tmp_path)
    assert differences(machine, theirs, ours) == expected(oci, runtime)
    # The simulator says so, too, of all arguments: nothing but these is different.
    (tmp_path / "theirs.bpf").write_bytes(theirs)
    (tmp_path / "ours.bpf").write_bytes(ours)
    done = subprocess.run([NEST_INIT, "seccomp", "diff", "--json", tmp_path / "theirs.bpf", tmp_path / "ours.bpf"],
                          capture_output=True, text=True)
    here = {number for space, number in expected(oci, runtime) if space == "amd64"}
    names = {call["name"] for call in json.loads(done.stdout)["syscalls"]}
    assert len(names) == len(here & known("amd64")) + bool(here - known("amd64") - {max(known("amd64"))})
    assert done.returncode == bool(expected(oci, runtime))
