"""nest-init seccomp compile, explain and diff: what they say of profiles, files and running processes."""
import json
import os
import random
import re
import struct
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/seccomp"
NEST_INIT = os.environ.get("NEST_INIT", str(ROOT / "build/release/nest-init"))
DOCKER = str(DATA / "docker-default.json")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def seccomp(*words, **options):
    return subprocess.run([NEST_INIT, "seccomp", *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def said(*words, status=0):
    done = seccomp(*words)
    assert done.returncode == status, done.stderr
    return done.stdout


def refused(*words):
    done = seccomp(*words)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith("nest-init seccomp: ") and done.stderr.count("\n") == 1
    return done.stderr.removeprefix("nest-init seccomp: ").rstrip("\n")


def profile(path, *rules, **keys):
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules, **keys}))
    return path


def allow(*names, **keys):
    return {"names": names, "action": "SCMP_ACT_ALLOW", **keys}


def arg(index, op, value, value_two=0):
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": value_two}


# --- compile ------------------------------------------------------------------------------------------------------

def shuffled(value, order):
    """The same JSON with the keys of its objects in another order."""
    if isinstance(value, list):
        return [shuffled(item, order) for item in value]
    if isinstance(value, dict):
        items = [(key, shuffled(item, order)) for key, item in value.items()]
        order.shuffle(items)
        return dict(items)
    return value


@pytest.mark.parametrize("name", ["docker-default.json", "containers-default.json"])
def test_a_compiled_profile_is_reproducible(tmp_path, name):
    """Twice, from two directories, under two names, with the keys in two orders: the same bytes."""
    content, outputs = json.loads((DATA / name).read_text()), set()
    for number in range(4):
        directory = tmp_path / str(number)
        directory.mkdir()
        source = directory / f"profile-{number}.json"
        source.write_text(json.dumps(shuffled(content, random.Random(number)) if number else content, indent=number))
        done = seccomp("compile", source.name, "-o", "out", "--caps", "chown,KILL", cwd=directory,
                       env={"LC_ALL": "C", "N": "x" * number * 100})
        assert done.returncode == 0, done.stderr
        outputs.add((directory / "out").read_bytes())
    assert len(outputs) == 1


def test_strict_refuses_a_name_that_is_not_known(tmp_path):
    source = profile(tmp_path / "p.json", allow("read", "frobnicate"))
    done = seccomp("compile", source, "-o", tmp_path / "out")
    assert (done.returncode, done.stderr) == (
        0, f"nest-init seccomp: {source}:1:69: a syscall that libseccomp does not know: frobnicate\n")
    (tmp_path / "out").unlink()
    assert refused("compile", "--strict", source, "-o", tmp_path / "out") == (
        f'{source}:1:69: libseccomp does not know the syscall "frobnicate"')
    assert not (tmp_path / "out").exists()


# --- explain ------------------------------------------------------------------------------------------------------

def lines(text):
    return {line.split(None, 1)[0]: line.split(None, 1)[1] for line in text.splitlines()}


def test_a_line_names_the_rule_that_decides(tmp_path):
    source = profile(
        tmp_path / "p.json",
        allow("read", "write"),
        allow("mount", includes={"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}, comment="by root\x1b[31m"),
        allow("clone", args=[arg(0, "MASKED_EQ", 0x7E020000)], excludes={"arches": ["s390", "arm"], "minKernel": "99.1"}),
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38})
    assert lines(said("explain", source, "0", "mount", "clone", "clone3", "ptrace", "9999", "--caps", "chown", "--arch", "amd64")) == {
        "read": "ALLOW; syscalls[0] (line 1): ALLOW",
        "mount": 'ERRNO(EPERM); default action; not in force: syscalls[1] (line 1, if CAP_CHOWN and CAP_SYS_ADMIN): ALLOW '
                 '"by root?[31m"',
        "clone": "arg0 & 0x7e020000 == 0x0 -> ALLOW, else ERRNO(EPERM); syscalls[2] (line 1, unless arm or s390, "
                 "unless Linux 99.1): ALLOW where arg0 & 0x7e020000 == 0x0",
        "clone3": "ERRNO(ENOSYS); syscalls[3] (line 1): ERRNO(ENOSYS)",
        "ptrace": "ERRNO(EPERM); default action",
        "9999": "ERRNO(ENOSYS); newer than the profile",
    }
    assert lines(said("explain", source, "mount", "--caps", "all"))["mount"].startswith("ALLOW; syscalls[1] (line 1, if CAP_")


@pytest.mark.parametrize("op, value, says", [
    ("EQ", 5, "arg1 == 0x5 -> ALLOW, else ERRNO(EPERM)"),
    ("NE", 5, "arg1 == 0x5 -> ERRNO(EPERM), else ALLOW"),
    ("LT", 5, "arg1 <= 0x4 -> ALLOW, else ERRNO(EPERM)"),
    ("LE", 5, "arg1 <= 0x5 -> ALLOW, else ERRNO(EPERM)"),
    ("GE", 5, "arg1 >= 0x5 -> ALLOW, else ERRNO(EPERM)"),
    ("GT", 5, "arg1 >= 0x6 -> ALLOW, else ERRNO(EPERM)"),
    ("EQ", 2**64 - 1, "arg1 == 0xffffffffffffffff -> ALLOW, else ERRNO(EPERM)"),
    ("GE", 2**32 + 5, "arg1 >= 0x100000005 -> ALLOW, else ERRNO(EPERM)"),
])
def test_each_comparison_is_found_in_the_compiled_filter(tmp_path, op, value, says):
    source = profile(tmp_path / "p.json", allow("lseek", args=[arg(1, op, value)]))
    said("compile", source, "-o", tmp_path / "p.bpf")
    assert lines(said("explain", tmp_path / "p.bpf", "lseek"))["lseek"] == says


def test_without_names_it_groups_what_is_answered(tmp_path):
    source = profile(tmp_path / "p.json", allow("read", "write"), {"names": ["mount"], "action": "SCMP_ACT_KILL_PROCESS"},
                     {"names": ["ptrace"], "action": "SCMP_ACT_LOG"}, allow("socket", args=[arg(0, "EQ", 2)]))
    text = said("explain", source, "--arch", "amd64")
    assert text.startswith(f"{source}, amd64\n\nALLOW (2)\n  read write\n\nLOG (1)\n  ptrace\n\nERRNO(EPERM) (")
    assert text.endswith("\n\nKILL_PROCESS (1)\n  mount\n\nby arguments\n"
                         "  socket                arg0 == 0x2 -> ALLOW, else ERRNO(EPERM)\n\n"
                         "numbers above 456\n  ERRNO(ENOSYS)\n")
    assert max(map(len, text.splitlines())) <= max(80, len(str(source)) + 7)


def test_json_has_the_same(tmp_path):
    source = profile(tmp_path / "p.json", allow("clone", args=[arg(0, "GT", 7)], comment="why", excludes={"caps": ["CAP_KILL"]}))
    report = json.loads(said("explain", "--json", source, "clone", "mount", "--caps", "none", "--arch", "amd64"))
    assert report == {
        "source": str(source), "arch": "amd64", "filters": 1, "syscalls": [
            {"name": "clone", "number": 56, "verdict": "arg0 >= 0x8 -> ALLOW, else ERRNO(EPERM)", "by_arguments": True,
             "decided_by": "rules", "rules": [
                 {"index": 0, "line": 1, "in_force": True, "action": "SCMP_ACT_ALLOW", "args": "arg0 > 0x7",
                  "filters": "unless CAP_KILL", "comment": "why"}]},
            {"name": "mount", "number": 165, "verdict": "ERRNO(EPERM)", "by_arguments": False,
             "decided_by": "default action", "rules": []}]}
    assert len(json.loads(said("explain", "--json", "node"))["syscalls"]) > 300


def test_a_profile_of_ours_and_its_file_are_explained_alike(tmp_path):
    assert lines(said("explain", "node", "clone3", "ptrace", "read")) == {
        "clone3": "ERRNO(ENOSYS)", "ptrace": "ERRNO(EPERM)", "read": "ALLOW"}
    said("compile", "node", "-o", tmp_path / "node.bpf")
    own, compiled = (said("explain", source).split("\n", 1)[1] for source in ("node", tmp_path / "node.bpf"))
    assert own == compiled


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
@pytest.mark.parametrize("name", ["default", "node", "monitor"])
def test_a_json_profile_is_explained_for_either_architecture(name, arch):
    """Against the tables that the unit tests pin; what depends on arguments says so."""
    pinned = dict(re.findall(r"^\d+ (\S+): (.*)$", (ROOT / f"tests/unit/verdicts/{name}-{arch}.txt").read_text(), re.M))
    report = json.loads(said("explain", "--json", ROOT / f"seccomp-profiles/{name}.json", "--arch", arch, "--caps", "none"))
    found = {call["name"]: "by its arguments" if call["by_arguments"] else re.sub(r"^ERRNO\((\w+)\)$", r"\1", call["verdict"])
             for call in report["syscalls"]}
    assert report["arch"] == arch and {call: found[call] for call in pinned if call in found} == {
        call: verdict for call, verdict in pinned.items() if call in found}
    assert len(found) > 250 and ("open" in found) == (arch == "amd64")


def test_an_embedded_profile_is_of_one_architecture_and_says_where_the_other_is():
    own, other = ("arm64", "amd64") if os.uname().machine == "aarch64" else ("amd64", "arm64")
    assert refused("explain", "node", "--arch", other) == (
        f"node: our own profiles are here for {own} alone: for another take seccomp-profiles/node.json of the source")


@pytest.mark.parametrize("words, sentence", [
    (["explain"], "explain: takes a SOURCE; see nest-init seccomp explain --help"),
    (["explain", "/no/file"], "/no/file: No such file or directory"),
    (["explain", "node", "frob"], "frob: no system call of this architecture that libseccomp knows; give its number"),
    (["explain", "node", "--arch", "mips"], "mips: the architectures are amd64 and arm64"),
    (["explain", "node", "--caps", "frob"], "frob: not a list of capabilities"),
    (["explain", "--pid"], "--pid: takes an argument"),
    (["explain", "pid:0"], "pid:0: no such process here"),
    (["explain", "pid:x/../1"], "pid:x/../1: not a process number"),
    (["explain", "pid:x"], "pid:x: not a process number"),
    (["explain", "pid:"], "pid:: not a process number"),
    (["explain", "--pid", "-1"], "pid:-1: not a process number"),
    (["explain", "nosuch"], "'nosuch' is neither a profile of ours (default, logger, monitor, nginx, node) nor a file"),
    (["compile", "nosuch", "-o", "-"], "'nosuch' is neither a profile of ours (default, logger, monitor, nginx, node) nor a file"),
    (["diff", "node", "nosuch"], "'nosuch' is neither a profile of ours (default, logger, monitor, nginx, node) nor a file"),
    (["explain", "pid:99999999"], "pid:99999999: no such process here"),
    (["diff", "node"], "diff: takes two sources; see nest-init seccomp diff --help"),
    (["diff", "node", "/no/file"], "/no/file: No such file or directory"),
    (["diff", "--frob", "node", "node"], "--frob: unknown option; see --help"),
    (["frob"], "frob: no subcommand; see nest-init seccomp --help"),
])
def test_what_is_refused(words, sentence):
    assert refused(*words) == sentence


def test_a_program_that_the_kernel_does_not_take_is_refused(tmp_path):
    path = tmp_path / "p.bpf"
    path.write_bytes(struct.pack("<HBBIHBBI", 0x20, 0, 0, 64, 6, 0, 0, 0))
    assert refused("explain", path) == f"{path}: instruction 0 is none that seccomp(2) takes there"
    path.write_bytes(struct.pack("<HBBI", 0x20, 0, 0, 0))
    assert refused("diff", path, "node") == f"{path}: instruction 0 is none that seccomp(2) takes there"


@pytest.mark.parametrize("content", [b"\x7fELF\2\1\1\0\0", b"\x20\x01\0\0\0\0\0\0", b"\x15\x15\x15", b"a\0"])
def test_what_is_neither_json_nor_a_filter_is_called_so(tmp_path, content):
    path = tmp_path / "p.bpf"
    path.write_bytes(content)
    for words in ("explain", path), ("compile", path, "-o", "-"):
        assert refused(*words) == f"{path}: neither JSON nor a filter as seccomp compile writes it"


@pytest.mark.parametrize("subcommand", ["compile", "explain", "diff"])
def test_help(subcommand):
    text = said(subcommand, "--help")
    assert said(subcommand, "-h") == text
    assert text.startswith(f"Usage: nest-init seccomp {subcommand} ")
    assert subcommand in said("--help")


# --- of a running process -----------------------------------------------------------------------------------------

@pytest.fixture
def confined():
    """A process under two of our filters: node's inside, default's around it."""
    process = subprocess.Popen([NEST_INIT, "--seccomp", "default", "--", NEST_INIT, "--seccomp", "node", "--",
                                "sleep", "1000"], start_new_session=True)
    pid, deadline = None, time.monotonic() + 30
    while pid is None:
        assert time.monotonic() < deadline and process.poll() is None
        for path in Path("/proc").glob("[0-9]*/status"):
            try:
                text = path.read_text()
            except OSError:
                continue
            if (text.startswith("Name:\tsleep\n") and re.search(r"^Seccomp_filters:\t2$", text, re.M)
                    and descends(int(path.parent.name), process.pid)):
                pid = int(path.parent.name)
        time.sleep(0.02)
    yield pid
    process.terminate()
    process.wait(30)


def descends(pid, ancestor):
    while pid > 1 and pid != ancestor:
        pid = int(re.search(r"^PPid:\t(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.M)[1])
    return pid == ancestor


@needs_root
def test_the_filters_of_a_process_are_read_and_the_strictest_wins(confined):
    report = json.loads(said("explain", "--json", "--pid", confined, "read", "memfd_create", "mount", "clone3"))
    assert report["filters"] == 2
    assert {call["name"]: call["verdict"] for call in report["syscalls"]} == {
        "read": "ALLOW", "memfd_create": "ERRNO(EPERM)", "mount": "ERRNO(EPERM)", "clone3": "ERRNO(ENOSYS)"}
    # node forbids whatever default forbids.
    assert said("diff", f"pid:{confined}", "node").startswith("amd64: 0 gained, 0 lost, 0 changed\n")
    assert "+ memfd_create" in said("diff", f"pid:{confined}", "default", status=1)
    assert Path(f"/proc/{confined}/stat").read_text().split()[2] == "S"  # it goes on


@needs_root
def test_without_the_privilege_mode_and_number_are_said(confined):
    done = subprocess.run(["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", NEST_INIT, "seccomp", "explain",
                           f"pid:{confined}"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == (
        f"nest-init seccomp: pid:{confined}: seccomp mode 2, filters: 2, but they cannot be read: Permission denied (it takes "
        "CAP_SYS_ADMIN, and no filter on who reads: ask as root from outside the container)\n")


def test_a_process_without_a_filter_is_allowed_everything():
    with subprocess.Popen(["sleep", "1000"]) as process:
        if "Seccomp:\t0" not in Path(f"/proc/{process.pid}/status").read_text():
            pytest.skip("this machine filters")
        report = json.loads(said("explain", "--json", f"pid:{process.pid}"))
        process.kill()
    assert report["filters"] == 0 and {call["verdict"] for call in report["syscalls"]} == {"ALLOW"}


# --- diff ---------------------------------------------------------------------------------------------------------

def test_what_was_gained_and_lost(tmp_path):
    before = profile(tmp_path / "a.json", allow("read", "mount"), allow("socket", args=[arg(0, "EQ", 1)]),
                     allow("ioctl", args=[arg(1, "LE", 9)]), {"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 3})
    after = profile(tmp_path / "b.json", allow("read", "write"), allow("socket", args=[arg(0, "LE", 1)]),
                    allow("ioctl", args=[arg(1, "GE", 5)]), {"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4})
    text = said("diff", before, after, "--arch", "amd64", status=1)
    assert text.splitlines() == [
        "+ write                   ERRNO(EPERM) => ALLOW",
        "~ ioctl                   arg1 <= 0x9 -> ALLOW, else ERRNO(EPERM) => arg1 >= 0x5 -> ALLOW, else ERRNO(EPERM)",
        "+ socket                  arg0 == 0x1 -> ALLOW, else ERRNO(EPERM) => arg0 <= 0x1 -> ALLOW, else ERRNO(EPERM)",
        "~ ptrace                  ERRNO(ESRCH) => ERRNO(EINTR)",
        "- mount                   ALLOW => ERRNO(EPERM)",
        "amd64: 2 gained, 1 lost, 2 changed", "x86: 0 gained, 0 lost, 0 changed", "x32: 0 gained, 0 lost, 0 changed"]
    report = json.loads(said("diff", "--json", before, after, "--arch", "amd64", status=1))
    assert {call["name"]: call["change"] for call in report["syscalls"]} == {
        "write": "gained", "ioctl": "changed", "socket": "gained", "ptrace": "changed", "mount": "lost"}
    assert report["count"]["amd64"] == {"gained": 2, "lost": 1, "changed": 2}
    assert report["syscalls"][0] == {"name": "write", "change": "gained", "a": "ERRNO(EPERM)", "b": "ALLOW"}


def test_the_same_answers_of_another_program_are_no_difference(tmp_path):
    """Compared is what is answered: a range in three pieces is a range."""
    whole = profile(tmp_path / "a.json", allow("socket", args=[arg(0, "LE", 20)]), allow("read"))
    pieces = profile(tmp_path / "b.json", allow("read"), allow("socket", args=[arg(0, "LT", 7)]),
                     *[allow("socket", args=[arg(0, "EQ", n)]) for n in range(7, 21)])
    assert "0 gained, 0 lost, 0 changed" in said("diff", whole, pieces)


def test_a_program_with_too_many_ways_is_said_to_be_one(tmp_path):
    """Thirty bits that are asked one by one: the same file is the same, another is not said to be."""
    ask = b"".join(struct.pack("<HBBIHBBIHBBI", 0x20, 0, 0, 16, 0x45, 0, 1, 1 << bit, 2, 0, 0, 0) for bit in range(30))
    one, two = tmp_path / "one.bpf", tmp_path / "two.bpf"
    one.write_bytes(ask + struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000))
    two.write_bytes(ask + struct.pack("<HBBI", 6, 0, 0, 0x7FFC0000))
    assert lines(said("explain", one, "read"))["read"] == "depends on arguments in more ways than can be shown"
    assert said("diff", one, one).startswith("amd64: 0 gained, 0 lost, 0 changed\n")
    assert "~ read " in said("diff", one, two, status=1)


def test_another_architecture_s_calls_count(tmp_path):
    """The numbers of amd64 may be the same while those of i386 are not."""
    one = profile(tmp_path / "a.json", allow("read", "write"), architectures=["SCMP_ARCH_X86_64"])
    two = profile(tmp_path / "b.json", allow("read", "write"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
    first, second, _ = said("diff", one, two, "--arch", "amd64", status=1).splitlines()
    assert first == "amd64: 0 gained, 0 lost, 0 changed"
    assert second.startswith("x86: 2 gained, 0 lost, ")


def test_capabilities_are_what_both_are_read_with(tmp_path):
    compiled = tmp_path / "none.bpf"
    assert seccomp("compile", DOCKER, "-o", compiled, "--caps", "none").returncode == 0
    assert said("diff", compiled, DOCKER, "--caps", "none").startswith("amd64: 0 gained, 0 lost, 0 changed\n")
    assert "+ mount                   ERRNO(EPERM) => ALLOW\n" in said("diff", compiled, DOCKER, "--caps", "sys_admin", status=1)
