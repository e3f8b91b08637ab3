"""What the sources promise about themselves: their floors, their format, their version, the README's examples."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import examples

ROOT = Path(__file__).resolve().parents[2]
NEST_INIT = os.environ.get("NEST_INIT", str(ROOT / "build/release/nest-init"))
ROOMS = ["base", "init", "health", "metrics", "logs", "seccomp-profiles"]
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).glob("*.[ch]"))

# Which rooms a room may include, beside itself. A main (floor 3) may include what it needs.
MAY_INCLUDE = {
    "base": set(),
    "init": {"base", "seccomp-profiles"},
    "health": {"base"},
    "metrics": {"base"},
    "logs": {"base"},
    "seccomp-profiles": {"base"},
}
# Each library is known to one file.
LIBRARY_OF = {
    "cjson/cJSON.h": {"base/json.c"},
    "seccomp.h": {"seccomp-profiles/compile.c"},
    "cap-ng.h": {"init/capabilities.c"},
    "microhttpd.h": {"metrics/serve.c"},
    "gnutls/gnutls.h": {"base/tls.c"},
    "gnutls/x509.h": {"base/tls.c"},
    "crypt.h": {"metrics/bcrypt.c"},
}


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(), re.M)


def is_main(path):
    return path.name == "main.c" or path.name.endswith(("_main.c", "_main.h"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_includes_only_its_own_floor_and_those_below(path):
    room = path.parent.name
    for header in includes(path):
        if header in LIBRARY_OF:
            assert f"{room}/{path.name}" in LIBRARY_OF[header], f"{header} is known to {LIBRARY_OF[header]} alone"
        other = header.split("/")[0]
        if other in ROOMS and other != room and not is_main(path):
            assert other in MAY_INCLUDE[room], f"{room}/ must not include {header}"


PURE = {"init": ["init_lib", "supervise_lib"], "health": ["health_lib"], "metrics": ["metrics_sources"],
        "logs": ["logs_lib"],
        "seccomp-profiles": ["profile_sources", "record_sources"]}


def pure_sources():
    """The files of the libraries that the meson files call pure."""
    found = []
    for room in ROOMS[1:]:
        text = (ROOT / room / "meson.build").read_text()
        for name in PURE[room]:
            block = text[text.index(f"{name} ="):]
            found += [ROOT / room / file for file in re.findall(r"'([a-z_0-9]+\.c)'", block[:block.index(")")])]
    return found


EFFECTS = re.compile(r"^(unistd|fcntl|poll|sys/(socket|stat|mount|wait|epoll|prctl|syscall|ioctl)|pthread|time)\.h$")


@pytest.mark.parametrize("path", pure_sources(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_pure_file_includes_nothing_that_acts(path):
    allowed = {"sys/wait.h", "sys/stat.h"}  # their macros take a wait status and a mode apart
    acting = [header for header in includes(path) if EFFECTS.match(header) and header not in allowed]
    assert acting == []


def test_the_format_is_clang_formats():
    files = SOURCES + sorted((ROOT / "tests").glob("**/*.[ch]")) + sorted((ROOT / "packaging/completions").glob("*.[ch]"))
    run = subprocess.run(["clang-format", "--dry-run", "--Werror", *files], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]


def test_the_version_is_said_once():
    meson = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)
    shown = subprocess.run([NEST_INIT, "--version"], capture_output=True, text=True)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"nest-init {meson}\n", "")


def test_the_release_is_one_small_static_file():
    release = ROOT / "build/release/nest-init"
    assert release.stat().st_size <= 768 * 1024
    headers = subprocess.run(["readelf", "-lhdW", release], capture_output=True, text=True, check=True).stdout
    assert "DYN (" in headers
    assert "INTERP" not in headers and "(NEEDED)" not in headers


README = (ROOT / "README.md").read_text()
SHELL_EXAMPLES = [example for block in re.findall(r"```sh\n(.*?)```", README, re.S) for example in examples.commands(block)]


@pytest.mark.parametrize("command,status", SHELL_EXAMPLES)
def test_a_command_of_the_readme_ends_as_it_says(command, status, tmp_path):
    examples.check(command, status, tmp_path)


def test_the_readmes_list_of_subcommands_is_the_programs():
    shown = subprocess.run([NEST_INIT, "--help"], capture_output=True, text=True, check=True).stdout
    for line in re.findall(r"^    (nest-init \S.*?)   ", README, re.M):
        assert line in shown


@pytest.mark.parametrize("subcommand", ["check", "exec", "health", "probe", "status", "audit", "seccomp"])
def test_each_subcommand_explains_itself(subcommand):
    shown = subprocess.run([NEST_INIT, subcommand, "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and f"nest-init {subcommand}" in shown.stdout


def test_the_help_fits_a_screen():
    lines = subprocess.run([NEST_INIT, "--help"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 80


def test_the_help_has_topics():
    everything = subprocess.run([NEST_INIT, "--help", "all"], capture_output=True, text=True)
    stopping = subprocess.run([NEST_INIT, "-h", "stopping"], capture_output=True, text=True)
    assert everything.returncode == stopping.returncode == 0
    assert stopping.stdout.startswith("Stopping") and stopping.stdout in everything.stdout
    assert "\n  --oom-score-adj N " in everything.stdout


def test_a_topic_that_the_help_has_not_is_refused():
    shown = subprocess.run([NEST_INIT, "--help", "teleport"], capture_output=True, text=True)
    assert (shown.returncode, shown.stdout, shown.stderr) == (
        125, "", "nest-init: --help: no topic 'teleport': expected all, confinement, stopping, health, metrics or log\n")
