"""Completions of bash, zsh and fish, asked in the shells themselves, and held to what the program takes."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from shells import Bash, Fish, Zsh

ROOT = Path(__file__).resolve().parents[2]
NEST_INIT = os.environ.get("NEST_INIT", str(ROOT / "build/release/nest-init"))
GLIBC = Path(os.environ.get("NEST_INIT_GLIBC", ROOT / "build/debug/nest-init"))
COMPLETIONS = GLIBC.parent / "packaging/completions"


def new_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shell") / "here"
    folder.mkdir()
    for name in ("alpha.json", "beta.json"):
        (folder / name).touch()
    (folder / "alphabet").mkdir()
    return folder


@pytest.fixture(scope="module", params=[Bash, Zsh, Fish], ids=["bash", "zsh", "fish"])
def shell(request, tmp_path_factory):
    shell = request.param(COMPLETIONS, new_folder(tmp_path_factory))
    yield shell
    shell.close()


def offers(shell, line):
    """What may stand in the place of the last word, or of the last item of its list: shells differ in how much of a
    word they name, and fish tells where a value may follow."""
    return {re.sub(r"^(--[\w-]+=)?((file|unix):|.*,)?(?=.)", "", offer).rstrip("/") for offer in shell.ask(line) if not
            re.match(r"--[\w-]+=$", offer)}


CAPABILITIES = {"net_bind_service", "net_broadcast"}


@pytest.mark.parametrize("line,expected", [
    # Options.
    ("nest-init --cap", {"--cap-drop", "--cap-add"}),
    ("nest-init --user 1:2 --stop", {"--stop-on", "--stop-signal", "--stop-timeout"}),
    ("nest-init --read-only --no", {"--no-new-privs"}),
    ("nest-init --vers", {"--version"}),
    # Values of them, also behind =.
    ("nest-init --log-format ", {"text", "json", "ecs"}),
    ("nest-init --log-format=", {"text", "json", "ecs"}),
    ("nest-init --log-level=e", {"error"}),
    ("nest-init --read-only=", {"auto", "remount", "landlock", "verify", "no"}),
    ("nest-init --no-new-privs=", {"yes", "no"}),
    ("nest-init --security-level ", {"standard", "hardened"}),
    ("nest-init --restart ", {"no", "on-failure", "always"}),
    ("nest-init --service-log ", {"tagged", "json", "none"}),
    ("nest-init --help ", {"all", "confinement", "stopping", "health", "metrics", "log"}),
    ("nest-init --stop-signal USR", {"USR1", "USR2"}),
    ("nest-init --stop-on TERM,IN", {"INT"}),
    ("nest-init --on-unhealthy re", {"restart"}),
    ("nest-init --cap-drop net_b", CAPABILITIES),
    ("nest-init --cap-drop chown,net_b", CAPABILITIES),
    ("nest-init --cap-add=chown,net_b", CAPABILITIES),
    ("nest-init --securebits noroot,keep", {"keep_caps_locked"}),
    ("nest-init --ulimit no", {"nofile="}),
    ("nest-init --ready no", {"notify"}),
    ("nest-init --live http", {"http:", "http+unix:"}),
    ("nest-init --user roo", {"root"}),
    ("nest-init --group-add daemo", {"daemon"}),
    ("nest-init --drain ", set()),
    # Files where files belong, directories where these do.
    ("nest-init probe file:al", {"alpha.json", "alphabet"}),
    ("nest-init --live unix:be", {"beta.json"}),
    ("nest-init --ready=file:al", {"alpha.json", "alphabet"}),
    ("nest-init --metrics unix:al", {"alpha.json", "alphabet"}),
    ("nest-init --config be", {"beta.json"}),
    ("nest-init --seccomp ", {"node", "nginx", "default", "unconfined", "alpha.json", "beta.json", "alphabet"}),
    ("nest-init --seccomp=al", {"alpha.json", "alphabet"}),
    ("nest-init --workdir al", {"alphabet"}),
    # Subcommands, and what they take.
    ("nest-init check al", {"alpha.json", "alphabet"}),
    ("nest-init audit --fail-on ", {"none", "low", "medium", "high"}),
    ("nest-init seccomp ", {"compile", "explain", "diff", "record"}),
    ("nest-init seccomp explain n", {"nginx", "node"}),
    ("nest-init seccomp compile node --output al", {"alpha.json", "alphabet"}),
    ("nest-init seccomp compile node -o al", {"alpha.json", "alphabet"}),
    ("nest-init seccomp diff node --arch ", {"amd64", "arm64"}),
    ("nest-init ctl ", {"start", "stop", "restart", "signal", "reload"}),
    ("nest-init ctl signal U", {"USR1", "USR2"}),
    ("nest-init ctl restart --timeout 3s --n", {"--no-wait"}),
    ("nest-init probe --wait 3s tc", {"tcp:"}),
    ("nest-init health --live=un", {"unix:"}),
    ("nest-init exec --stop", set()),
    ("nest-init exec --serv", {"--service"}),
    # COMMAND's words are its own.
    ("nest-init cat be", {"beta.json"}),
    ("nest-init --umask 027 cat be", {"beta.json"}),
    ("nest-init --user a:b -- health be", {"beta.json"}),
    ("nest-init exec --cap-drop all cat be", {"beta.json"}),
    ("nest-init seccomp record -o out cat be", {"beta.json"}),
])
def test_a_shell_offers(shell, line, expected):
    assert offers(shell, line) == expected


@pytest.mark.parametrize("line", ["nest-init chmo", "nest-init -- chmo", "nest-init exec chmo",
                                  "nest-init seccomp record -o out chmo"])
def test_a_program_is_offered_where_command_belongs(shell, line):
    assert "chmod" in offers(shell, line)


def subcommands():
    shown = subprocess.run([NEST_INIT, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  nest-init ([a-z]+) ", shown, re.M))


def options_of(*words):
    shown = subprocess.run([NEST_INIT, *words], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", shown, re.M))


def test_each_subcommand_of_the_help_is_offered(shell):
    assert {"check", "exec", "seccomp"} < subcommands() <= offers(shell, "nest-init ")


@pytest.mark.parametrize("words", ["ctl start", "ctl stop", "ctl restart", "ctl reload"])
def test_the_options_of_ctl_are_those_of_its_help(shell, words):
    assert offers(shell, f"nest-init {words} --") == options_of("ctl", "--help")


def test_the_options_of_a_run_are_those_of_the_help(shell):
    options = options_of("--help", "all") | {"--help", "--version"}
    assert len(options) > 50 and offers(shell, "nest-init --") == options


@pytest.mark.parametrize("words", ["audit", "check", "health", "probe", "status", "seccomp compile", "seccomp diff",
                                   "seccomp explain", "seccomp record"])
def test_the_options_of_a_subcommand_are_those_of_its_help(shell, words):
    options = options_of(*words.split(), "--help")
    assert options and offers(shell, f"nest-init {words} --") == options | {"--help"}


def test_the_options_of_exec_are_those_that_it_takes(shell):
    taken = {option for option in options_of("--help", "all") | options_of("exec", "--help")
             if "supervises nothing" not in subprocess.run([NEST_INIT, "exec", f"{option}=x"], capture_output=True, text=True).stderr}
    assert "--service" in taken and len(taken) > 20 and offers(shell, "nest-init exec --") == taken | {"--help"}


ENUMERATIONS = ["--cap-add", "--cap-drop", "--log-format", "--log-level", "--no-new-privs", "--on-unhealthy", "--read-only",
                "--restart", "--securebits", "--security-level", "--service-log", "--stop-on", "--stop-signal", "--tcp-bind"]


def test_each_word_that_is_offered_is_taken(shell, tmp_path):
    """By the option's variable, which is read as the option is."""
    path = tmp_path / "nest-init.json"
    path.write_text('{"services": {"main": {"command": ["true"], "health": {"live": ["tcp://127.0.0.1:1"]}}}}')
    looked_at = 0
    for option in ENUMERATIONS:
        for word in offers(shell, f"nest-init {option}="):
            variable = "NEST_INIT_" + option[2:].replace("-", "_").upper()
            done = subprocess.run([NEST_INIT, "check", path], capture_output=True, text=True, env={variable: word})
            assert done.returncode == 0, f"{option} {word}: {done.stderr}"
            looked_at += 1
    assert looked_at > 200


def test_what_bash_completion_knows_of_a_command_is_offered(tmp_path_factory):
    """Where it is loaded; the word with colons before it counts as several for bash."""
    bash = Bash(COMPLETIONS, new_folder(tmp_path_factory), more=". /usr/share/bash-completion/bash_completion\n")
    try:
        assert bash.ask("nest-init --user a:b --umask=027 ls --author") == ["--author"]
        assert bash.ask("nest-init -- umount --al") == ["--all", "--all-targets"]
    finally:
        bash.close()
