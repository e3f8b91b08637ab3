"""A workload that cannot be executed: the status that a shell would give, and one sentence that says what is wrong.

Each case runs under both builds. They agree word for word, except where the system's own message is quoted."""
import os
import platform
import struct
import subprocess
from pathlib import Path

import pytest

from namespace import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

NOT_EXECUTABLE, NOT_FOUND = 126, 127
DENIED = ("permission denied (a noexec mount, an interpreter or a parent that this user may not use, or an execute bit that "
          "is for others)")
NO_EXECUTE_BIT = "permission denied: it has no execute bit (chmod +x)"
MACHINES = {"x86_64": (62, "amd64"), "aarch64": (183, "arm64")}


def run(init, *command, **options):
    """Status, output and errors of a run."""
    with Namespace(init, *command, **options) as n:
        return n.wait(), n.output(), n.complaints()


def program(path, content, mode=0o755):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def elf_header(machine):
    """The header of a 64-bit little-endian executable, and nothing behind it (elf(5))."""
    return b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56,
                                                                1, 64, 0, 0)


# --- not found: 127 ---

def test_a_path_that_does_not_exist(either):
    assert run(either, "/nowhere/program") == (NOT_FOUND, "", "nest-init: /nowhere/program: not found\n")


def test_a_name_that_is_not_in_path(either):
    assert run(either, "no-such-program") == (NOT_FOUND, "", "nest-init: no-such-program: not found in PATH\n")


def test_an_empty_name(either):
    assert run(either, "") == (NOT_FOUND, "", "nest-init: '': not found in PATH\n")


def test_a_path_through_a_file(either, tmp_path):
    file = program(tmp_path / "file", "")
    assert run(either, file / "program") == \
        (NOT_FOUND, "", f"nest-init: {file}/program: a part of the path is not a directory\n")


def test_a_missing_interpreter(either, tmp_path):
    script = program(tmp_path / "nest-script", "#!/nowhere/python -u\nprint(1)\n")
    assert run(either, script) == \
        (NOT_FOUND, "", f"nest-init: {script}: its interpreter '/nowhere/python' does not exist in this image\n")


def test_a_missing_interpreter_of_a_script_in_path(either, tmp_path):
    script = program(tmp_path / "nest-script", "#!/nowhere/python\n")
    assert run(either, "nest-script", env={"PATH": f"{tmp_path}:/usr/bin:/bin"}) == \
        (NOT_FOUND, "", f"nest-init: {script}: its interpreter '/nowhere/python' does not exist in this image\n")


def test_a_script_with_crlf_line_ends(either, tmp_path):
    script = program(tmp_path / "nest-script", "#!/bin/sh\r\necho hello\r\n")
    assert run(either, script) == \
        (NOT_FOUND, "", f"nest-init: {script}: its first line ends in CRLF: save the script with Unix line ends\n")


def test_a_missing_dynamic_loader(either, tmp_path):
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    binary = tmp_path / "binary"
    subprocess.run(["gcc", "-Wl,--dynamic-linker=/nowhere/ld.so", "-o", binary, tmp_path / "main.c"], check=True)
    assert run(either, binary) == \
        (NOT_FOUND, "", f"nest-init: {binary}: its dynamic loader does not exist in this image (built for another "
                        "libc? musl and glibc differ)\n")


# --- found, and not to be executed: 126 ---

def test_a_file_without_an_execute_bit(either, tmp_path):
    script = program(tmp_path / "nest-script", "#!/bin/sh\n", mode=0o644)
    assert run(either, script) == (NOT_EXECUTABLE, "", f"nest-init: {script}: {NO_EXECUTE_BIT}\n")


def test_a_file_without_an_execute_bit_in_path(either, tmp_path):
    script = program(tmp_path / "nest-script", "#!/bin/sh\n", mode=0o644)
    assert run(either, "nest-script", env={"PATH": f"{tmp_path}:/usr/bin:/bin"}) == \
        (NOT_EXECUTABLE, "", f"nest-init: {script}: {NO_EXECUTE_BIT}\n")


def test_a_directory(either, tmp_path):
    assert run(either, tmp_path) == (NOT_EXECUTABLE, "", f"nest-init: {tmp_path}: is a directory\n")


def test_a_directory_that_the_user_may_not_enter(either, workload, public):
    closed = public / "closed"
    closed.mkdir(mode=0o700)
    os.link(workload, closed / "workload") if os.stat(workload).st_dev == os.stat(closed).st_dev else \
        program(closed / "workload", Path(workload).read_bytes())
    assert run(either, closed / "workload", "place", options=["--user", "12345"]) == \
        (NOT_EXECUTABLE, "", f"nest-init: {closed}/workload: {DENIED}\n")


def test_a_noexec_mount(either, tmp_path, workload):
    mount = ["sh", "-c", 'mount -t tmpfs -o noexec tmpfs "$0" && cp "$1" "$0/workload" && shift && exec "$@"', tmp_path,
             workload]
    assert run(either, tmp_path / "workload", "place", wrap=mount) == \
        (NOT_EXECUTABLE, "", f"nest-init: {tmp_path}/workload: {DENIED}\n")


def test_a_program_for_another_architecture(either, tmp_path):
    here = platform.machine()
    there = "x86_64" if here == "aarch64" else "aarch64"
    if any(Path("/proc/sys/fs/binfmt_misc").glob(f"qemu-{there}")):
        pytest.skip("this machine runs programs of the other architecture")
    binary = program(tmp_path / "binary", elf_header(MACHINES[there][0]))
    assert run(either, binary) == \
        (NOT_EXECUTABLE, "", f"nest-init: {binary}: built for {MACHINES[there][1]}, this machine is "
                             f"{MACHINES[here][1]}\n")


def test_a_damaged_program(either, tmp_path):
    binary = program(tmp_path / "binary", elf_header(MACHINES[platform.machine()][0]))
    assert run(either, binary) == (NOT_EXECUTABLE, "", f"nest-init: {binary}: a damaged ELF file\n")


def test_bytes_that_are_neither_program_nor_script(either, tmp_path):
    binary = program(tmp_path / "binary", b"\0\1\2\3" * 100)
    assert run(either, binary) == \
        (NOT_EXECUTABLE, "", f"nest-init: {binary}: neither a program nor a script with a #! line\n")


def test_arguments_beyond_what_the_kernel_takes(either, tmp_path):
    # One string may have 128 KiB (MAX_ARG_STRLEN, execve(2)): a script's #! line cannot be blamed for it.
    script = program(tmp_path / "nest-script", "exit 0\n")
    assert run(either, script, *["x"] * 1100) == \
        (NOT_EXECUTABLE, "", f"nest-init: {script}: Argument list too long\n")


# --- executed after all ---

def test_a_text_without_shebang_is_run_by_the_shell(either, tmp_path):
    script = program(tmp_path / "nest-script", 'echo "$0: $# $1 $2"; exit 9\n')
    assert run(either, script, "one", "two words") == (9, f"{script}: 2 one two words\n", "")


def test_a_text_without_shebang_in_path_is_run_by_the_shell(either, tmp_path):
    script = program(tmp_path / "nest-script", 'echo "$0: $*"; exit 9\n')
    assert run(either, "nest-script", "one", env={"PATH": f"/usr/bin:/bin:{tmp_path}"}) == (9, f"{script}: one\n", "")


def test_an_empty_file_is_an_empty_script(either, tmp_path):
    assert run(either, program(tmp_path / "nest-script", "")) == (0, "", "")


def test_the_search_goes_on_behind_a_file_that_is_not_executable(either, tmp_path):
    for name, mode in (("first", 0o644), ("second", 0o755)):
        (tmp_path / name).mkdir()
        program(tmp_path / name / "nest-script", f"#!/bin/sh\necho {name}\n", mode)
    assert run(either, "nest-script", env={"PATH": f"{tmp_path}/nowhere:{tmp_path}/first:{tmp_path}/second:/usr/bin:/bin"}) \
        == (0, "second\n", "")


def test_without_path_the_usual_directories_are_searched(either):
    assert run(either, "sh", "-c", "echo here", wrap=["env", "-u", "PATH"]) == (0, "here\n", "")


def test_an_empty_part_of_path_is_the_working_directory(either, tmp_path):
    program(tmp_path / "nest-script", "#!/bin/sh\necho here\n")
    assert run(either, "nest-script", wrap=["env", f"--chdir={tmp_path}", "PATH=/nowhere:"]) == (0, "here\n", "")
