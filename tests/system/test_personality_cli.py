"""Command lines of dumb-init, tini and catatonit: output, stream and status are the originals', byte for byte.

Each row runs twice, the original and ours under its name; what the original says is all that a row has to know."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEST_INIT = os.environ.get("NEST_INIT", str(ROOT / "build/release/nest-init"))
ORIGINAL = {"dumb-init": "dumb-init", "tini": "tini", "tini-static": "tini-static", "docker-init": "tini",
            "podman-init": "tini", "catatonit": "catatonit"}

# ENVIRONMENT, words. What is executed is harmless, and short.
NONE = {}
DUMB_INIT = [
    # Help and version, also abbreviated, and whatever stands behind them.
    (NONE, "-h"), (NONE, "--help"), (NONE, "--h"), (NONE, "-hx"), (NONE, "-h --yolo"), (NONE, "-V"),
    (NONE, "--version"), (NONE, "--vers"), (NONE, "-Vx"), (NONE, "-cV"), (NONE, "-r 15:3 -V true"),
    # No command.
    (NONE, ""), (NONE, "--"), (NONE, "-c"), (NONE, "--verb"), (NONE, "--rew 15:3x"),
    # Bad options.
    (NONE, "-x"), (NONE, "-xh"), (NONE, "-c-"), (NONE, "-:"), (NONE, "-;"), (NONE, "-c="), (NONE, "--yolo"),
    (NONE, "--foo=bar"), (NONE, "--v"), (NONE, "--ver"), (NONE, "--ver=1"), (NONE, "--=x"), (NONE, "--help=1"),
    (NONE, "--s=1"), (NONE, "--versions"), (NONE, "--rewrite"), (NONE, "-r"), (NONE, "-cr"), (NONE, "--yolo --help"),
    # Rewrites.
    (NONE, ["-r", ""]), (NONE, "--rewrite= echo"), (NONE, "-r herp"), (NONE, "-r herp:derp"), (NONE, "-r 15"),
    (NONE, "-r 15: echo"), (NONE, "-r :3"), (NONE, "-r 15::12"), (NONE, "-r 15:derp"), (NONE, "-r 0:1"),
    (NONE, "-r 1:32 echo"), (NONE, "-r 32:1 echo"), (NONE, "-r -1:1 echo"), (NONE, "-r 1:-1 echo"),
    (NONE, "-r 15:12 -r"), (NONE, "-r 15:12 -r 0 echo"), (NONE, ["-r", "15 :3", "echo"]),
    (NONE, ["-r", " 15: 3", "echo", "ok"]), (NONE, "-r +15:+3 echo ok"), (NONE, "-r 15:-0 echo ok"),
    (NONE, "-r 15:3x echo ok"), (NONE, "-r15:3 echo ok"), (NONE, "-cr15:3 echo ok"), (NONE, "--rew=15:3 echo ok"),
    (NONE, "--rew 15:3 echo ok"), (NONE, "-r 31:0 -r 1:31 echo ok"), (NONE, "-r --help echo"), (NONE, "-r -- echo"),
    # It stops at the first word that is no option.
    (NONE, "echo -c --help"), (NONE, "-- echo -- -c"), (NONE, "--single-child echo -V"), (NONE, "- -V"),
    # Variables.
    ({"DUMB_INIT_DEBUG": "1"}, ""), ({"DUMB_INIT_DEBUG": "1"}, "-V"), ({"DUMB_INIT_DEBUG": "1"}, "true"),
    ({"DUMB_INIT_DEBUG": "1", "DUMB_INIT_SETSID": "0"}, "false"), ({"DUMB_INIT_DEBUG": "yes"}, "true"),
    ({"DUMB_INIT_DEBUG": ""}, "true"), ({"DUMB_INIT_SETSID": "0"}, "-v true"), ({"DUMB_INIT_SETSID": "no"}, "-v true"),
    # What it says while it runs.
    (NONE, "-v true"), (NONE, "-vc true"), (NONE, "-v -r 15:0 true"), (NONE, "-v -r 15:3 false"),
    (NONE, "-v -r 15:15 false"), (NONE, ["-v", "sh", "-c", "kill -9 $$"]), (NONE, "-v nonexistent-program"),
    # No program.
    (NONE, "nonexistent-program"), (NONE, [""]), (NONE, "/etc/passwd"), (NONE, "/etc"), (NONE, "/etc/passwd/x"),
    (NONE, "-c nonexistent-program"),
]
TINI = [
    # Help and version.
    (NONE, "-h"), (NONE, "--version"), (NONE, "--version x"), (NONE, "-h --version"), (NONE, "echo -h"), (NONE, "-vh"),
    # No command.
    (NONE, ""), (NONE, "--"), (NONE, "-s"), (NONE, "-p SIGTERM"),
    # Bad options.
    (NONE, "-x"), (NONE, "--help"), (NONE, "-V"), (NONE, "--"), (NONE, "-s-"), (NONE, "-e"), (NONE, "-p"),
    (NONE, "-se"), (NONE, "echo -x"), (NONE, "echo -e"), (NONE, "-- -x"),
    # Values.
    (NONE, "-p 15 true"), (NONE, "-p TERM true"), (NONE, "-p sigterm true"), (NONE, "-p SIG15 true"),
    (NONE, "-p SIGRTMIN true"), (NONE, "-p SIGIO true"), (NONE, "-p SIGPWR true"), (NONE, "-p SIGSTKFLT true"),
    (NONE, "-p SIGPOLL true"), (NONE, ["-p", "", "true"]), (NONE, "-s -p SIGTERM true"), (NONE, "-s -pSIGSYS true"),
    (NONE, "-s -p SIGHUP true"), (NONE, "-s -p SIGSTOP true"), (NONE, "-s -p SIGCHLD true"), (NONE, "-e 256 true"),
    (NONE, "-e -1 true"), (NONE, "-e 1x false"), (NONE, "-e 0x1 false"), (NONE, "-e 99999999999999999999 false"),
    (NONE, ["-e", "1 ", "false"]), (NONE, "-s -e 1 false"), (NONE, "-s -e1 false"), (NONE, "-s -e +1 false"),
    (NONE, ["-s", "-e", " 1", "false"]), (NONE, ["-s", "-e", "", "true"]), (NONE, ["-s", "-e", "", "false"]),
    (NONE, "-s -e 2 -e 1 -e 255 false"), (NONE, "-s -e 127 nonexistent-program"),
    (NONE, ["-s", "-e", "143", "--", "sh", "-c", "kill $$"]), (NONE, ["-s", "-e", "142", "--", "sh", "-c", "kill $$"]),
    # Options may stand behind the command, up to "--".
    (NONE, "echo -s hi"), (NONE, "-s echo -- hi"), (NONE, "-s -- echo -- -g"), (NONE, "echo -sg hi -- -x"),
    (NONE, "-s echo -e 3 hi -p SIGTERM there"), (NONE, ["-s", "sh", "-c", "echo hi"]), (NONE, ["-s", "-"]),
    (NONE, ["-s", "echo", "", "-", "x"]), ({"POSIXLY_CORRECT": ""}, "-s echo -g hi"),
    # Variables.
    (NONE, "true"), ({"TINI_SUBREAPER": ""}, "true"), ({"TINI_VERBOSITY": ""}, "true"),
    ({"TINI_VERBOSITY": "0"}, "true"),
    ({"TINI_VERBOSITY": "x"}, "-svvvv true"), ({"TINI_VERBOSITY": "4x"}, "-s true"), ({"TINI_VERBOSITY": "3"}, "true"),
    ({"TINI_VERBOSITY": "-1"}, "-s true"), ({"TINI_VERBOSITY": "0"}, "-s nonexistent-program"),
    # What it says while it runs.
    (NONE, "-sv true"), (NONE, "-svvv true"), (NONE, ["-sv", "--", "sh", "-c", "kill $$"]),
    (NONE, "-svv nonexistent-program"),
    # No program.
    (NONE, "-s nonexistent-program"), (NONE, ["-s", ""]), (NONE, "-s /etc/passwd"), (NONE, "-s /etc"),
    (NONE, "-s /etc/passwd/x"),
]
CATATONIT = [
    # Help.
    (NONE, "-h"), (NONE, "-gh"), (NONE, "echo -h"),
    # No command.
    (NONE, ""), (NONE, "--"), (NONE, "-g"),
    # Bad options.
    (NONE, "-x"), (NONE, "-gx"), (NONE, "-P=1"), (NONE, "--help"), (NONE, "--rewrite"), (NONE, "--version=1"),
    (NONE, "--=x"), (NONE, "--versions"), (NONE, "-s"), (NONE, "echo -x"), (NONE, "---"),
    # Options may stand behind the command, up to "--".
    (NONE, "echo -g hi"), (NONE, "echo -- hi -g"), (NONE, "-- echo -- -g"), ({"POSIXLY_CORRECT": "1"}, "echo -g hi"),
    # Variables.
    ({"CATATONIT_LOG": ""}, "true"), ({"CATATONIT_LOG": "x"}, "-V"), ({"CATATONIT_DEBUG": ""}, "true"),
    ({"CATATONIT_DEBUG": "", "LISTEN_PID": "99999999999999999999"}, "true"),
    ({"CATATONIT_DEBUG": "0"}, "nonexistent-program"),
    ({"LISTEN_PID": "99999999999999999999"}, "true"),
    # No program.
    (NONE, "nonexistent-program"), (NONE, [""]), (NONE, "-"), (NONE, "/etc/passwd"), (NONE, "/etc"),
    (NONE, "/etc/passwd/x"),
]
ROWS = [(name, environment, words if isinstance(words, list) else words.split())
        for name, rows in (("dumb-init", DUMB_INIT), ("tini", TINI), ("catatonit", CATATONIT))
        for environment, words in rows]
# The other names of tini: what depends on the name.
ROWS += [(name, NONE, words.split()) for name in ("tini-static", "docker-init", "podman-init")
         for words in ("--version", "-h", "", "-x", "-e 256 true", "-s nonexistent-program", "-s -- echo hi", "true")]


PIDS = re.compile(r"(?<=tini \()\d+(?=\))|(?<=catatonit:)\d+(?=\))|(?<=PID )\d+|(?<=pid ')\d+(?=')|"
                  r"(?<=pid: ')\d+(?=')|(?<=pid1 \()\d+(?=\))")


def lines(text):
    """The pids unnamed; where there are any, sorted, for parent and child write at the same time. strerror(3) is the
    libc's. What tini's child says of a missing terminal is lost in its buffer unless standard output is a terminal, or
    exec fails."""
    text, pids = PIDS.subn("<pid>", text.replace("Not a tty", "Inappropriate ioctl for device"))
    found = [line for line in text.splitlines(True) if not line.endswith("(ok to proceed)\n")]
    return sorted(found) if pids else found


def run(program, argv0, words, environment):
    """Status, output, errors."""
    done = subprocess.run([argv0, *words], executable=program, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, env={"PATH": os.environ["PATH"], **environment})
    return done.returncode, lines(done.stdout), lines(done.stderr)


@pytest.fixture(scope="session")
def aliases(tmp_path_factory):
    directory = tmp_path_factory.mktemp("aliases")
    for name in ORIGINAL:
        (directory / name).symlink_to(NEST_INIT)
    return directory


def title(row):
    name, environment, words = row
    variables = [f"{key}={value}" for key, value in environment.items()]
    return " ".join([*variables, name, *(word or "''" for word in words)])


@pytest.mark.parametrize("name,environment,words", ROWS, ids=map(title, ROWS))
def test_it_says_and_ends_as_the_original(aliases, name, environment, words):
    ours = run(aliases / name, name, words, environment)
    for _ in range(3):  # catatonit's two processes write a line in pieces, which mix now and then
        original = run(shutil.which(ORIGINAL[name]), name, words, environment)
        if original == ours:
            break
    assert ours == original


@pytest.mark.parametrize("name", ["dumb-init", "tini", "catatonit"])
def test_a_complaint_quotes_the_name_it_was_called_by(aliases, name):
    called = f"/sbin/{name}"
    original = run(shutil.which(name), called, ["-x"], {})
    assert any(line.startswith(called) for line in original[2])
    assert run(aliases / name, called, ["-x"], {}) == original


@pytest.mark.parametrize("words", [["-V"], ["--version"], ["--v"], ["-gV"], ["echo", "-V"], ["--version", "x"]])
def test_catatonit_calls_itself_a_tini(aliases, words):
    """Docker looks for that beginning; the number is the release's whose behaviour is ours."""
    original = run(shutil.which("catatonit"), "catatonit", words, {})
    assert re.fullmatch(r"tini version [0-9.]+_catatonit\n", original[1][0])
    assert run(aliases / "catatonit", "catatonit", words, {}) == (0, ["tini version 0.2.1_catatonit\n"], [])


@pytest.mark.parametrize("name,option", [("tini", "-l"), ("catatonit", "-L")])
def test_the_license_is_ours(aliases, name, option):
    assert run(shutil.which(name), name, [option], {})[::2] == (0, [])
    assert run(aliases / name, name, [option], {}) == (0, lines((ROOT / "LICENSE").read_text()), [])


def test_catatonit_hands_over_its_listen_pid(aliases):
    script = 'exec -a catatonit "$0" -- sh -c \'[ "$LISTEN_PID" = $$ ]\''
    for program in (shutil.which("catatonit"), aliases / "catatonit"):
        for value, status in (("$$", 0), ('" +$$.5"', 0), ("1$$", 1)):
            command = ["bash", "-c", f"export LISTEN_PID={value}; {script}", program]
            assert subprocess.run(command, timeout=30).returncode == status


def test_tini_runs_without_a_standard_input(aliases):
    """The original ends with 1 there: it takes the missing terminal for a fault."""
    assert subprocess.run(["tini", "-s", "true"], executable=aliases / "tini", timeout=30,
                          preexec_fn=lambda: os.close(0)).returncode == 0
