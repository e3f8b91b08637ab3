"""The manual pages: they render, say what the program has and no more, and their examples are true."""
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import examples
from examples import NEST_INIT
from test_config_schema import ROWS, object_of, schema_of

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NEST_INIT_GLIBC", ROOT / "build/debug/nest-init")).parent
PAGES = {path.stem: path.read_text() for path in sorted((ROOT / "packaging/man").glob("*.scd"))}
MAIN, CONFIGURATION = PAGES["nest-init.1"], PAGES["nest-init.json.5"]


def plain(text):
    """Without what makes it bold or underlined."""
    return re.sub(r"\\(.)|[*_](?![^*_\s]*\w_\w)", r"\1", text)


def subcommand(page):
    """The words behind nest-init: of nest-init-health.1 "health"."""
    return page.removesuffix(".1").split("-")[2:]


SUBCOMMANDS = set(re.findall(r"^  nest-init ([a-z]+) ", subprocess.run([NEST_INIT, "--help"], capture_output=True, text=True,
                                                                       check=True).stdout, re.M))

# ---- the pages as such ----

@pytest.mark.parametrize("page", PAGES)
def test_a_page_renders_without_a_warning(page, tmp_path):
    path = tmp_path / page
    with open(path, "wb") as out:
        subprocess.run(["scdoc"], input=PAGES[page].encode(), stdout=out, check=True)
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True)
    # scdoc itself puts a paragraph behind each heading.
    assert [line for line in lint.stdout.splitlines() if "skipping paragraph macro: PP" not in line] == []
    groff = subprocess.run(["groff", "-man", "-t", "-ww", "-Tutf8", "-rLL=78n", path], capture_output=True, text=True)
    assert (groff.returncode, groff.stderr) == (0, "")
    text = re.sub(r"\x1b\[[\d;]*m|.\x08", "", groff.stdout)
    assert max(map(len, text.splitlines())) <= 80 and "SEE ALSO" in text


def test_meson_installs_the_pages_and_the_completions(tmp_path):
    subprocess.run(["meson", "install", "--no-rebuild", "--quiet", "--destdir", tmp_path], cwd=BUILD, check=True, stdout=subprocess.DEVNULL)
    share = tmp_path / "usr/local/share"
    assert {str(path.relative_to(share)) for path in share.rglob("*") if path.is_file()} == {
        f"man/man{page[-1]}/{page}" for page in PAGES} | {
        "bash-completion/completions/nest-init", "fish/vendor_completions.d/nest-init.fish", "zsh/site-functions/_nest-init"}


def test_the_pages_are_of_the_subcommands_there_are():
    listed = set(re.findall(r"^\|[ \[] \*([a-z]+)\*\n:[ <] .*: nest-init-\1\(1\)$", MAIN, re.M))
    assert len(SUBCOMMANDS) > 6
    assert {" ".join(subcommand(page)) for page in PAGES} - {""} == listed == SUBCOMMANDS


@pytest.mark.parametrize("page", PAGES)
def test_a_page_refers_to_pages_that_exist(page):
    named = {f"{name}.{section}" for name, section in re.findall(r"\b(nest-init[\w.-]*)\((\d)\)", PAGES[page])}
    assert page in named and named <= set(PAGES)


# ---- options ----

def help_of(*words):
    return subprocess.run([NEST_INIT, *words], capture_output=True, text=True, check=True).stdout


def entries(text):
    """What each option's line says behind it, by the line."""
    return {plain(line): body for line, body in re.findall(r"^(\*-.*)\n((?:\t.*\n)+)", text, re.M)}


# Of the help: `  --name ARGUMENT  what it is (default)`.
OPTIONS = dict(re.findall(r"^  (--[a-z-]+\S*(?: \S+)?) +(\S.*)$", help_of("--help", "all"), re.M))


def test_the_options_of_the_page_are_those_of_the_help_in_its_order():
    assert len(OPTIONS) > 50 and list(entries(MAIN)) == [*OPTIONS, "--help [TOPIC]", "--version"]


DEFAULTS = [(usage, match[1]) for usage, text in OPTIONS.items() if (match := re.search(r"\(([^()]+)\)$", text)) and match[1] != "PEM"]


@pytest.mark.parametrize("usage,default", DEFAULTS)
def test_an_option_has_the_default_that_the_help_tells(usage, default):
    assert f"Default: {default}" in re.sub(r"\s+", " ", plain(entries(MAIN)[usage]))


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("nest-init.1", "nest-init.json.5", "nest-init-exec.1")])
def test_the_options_of_a_subcommands_page_are_those_of_its_help(page):
    words = subcommand(page)
    own = [help_of(*words, *more, "--help") for more in ([[name] for name in ("compile", "diff", "explain", "record")]
                                                         if words == ["seccomp"] else [[]])]
    options = {name for text in own for name in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.M)} - {"--help"}
    assert {re.search(r"--[a-z-]+", line)[0] for line in entries(PAGES[page])} == options


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_no_option_that_does_not_exist(page):
    known = {re.match(r"--[a-z-]+", usage)[0] for usage in OPTIONS} | {"--help", "--version"}
    for text in PAGES.values():
        known |= {name for line in entries(text) for name in re.findall(r"--[a-z-]+", line)}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", PAGES[page]))
    assert named <= known


def test_no_text_of_the_page_names_a_variable_that_does_not_exist():
    variables = {"NEST_INIT_" + re.match(r"--([a-z-]+)", usage)[1].replace("-", "_").upper() for usage in OPTIONS}
    for text in PAGES.values():
        assert set(re.findall(r"NEST_INIT_[A-Z]+(?:_[A-Z]+)*", text)) - variables == set()


def test_the_settings_of_a_target_are_those_that_a_check_takes():
    names = re.search(r"key_names\[\]\[KEY_SIZE\] = \{(.*?)\}", (ROOT / "base/check.c").read_text(), re.S)[1]
    settings = PAGES["nest-init-probe.1"].split("# SETTINGS")[1].split("# OPTIONS")[0]
    documented = re.findall(r"^\|[ \[] ([a-z_]+)$", settings, re.M)
    assert set(documented) == set(re.findall(r'"(\w+)"', names)) - {"bearer_file"}  # that is a page's


# ---- keys ----

HEADINGS = {"THE FILE": "ROOT", "A SERVICE": "SERVICE", "capabilities": "CAPABILITIES", "seccomp": "SECCOMP",
            "filesystem": "FILESYSTEM", "network": "NETWORK", "restart": "RESTART", "stop": "STOP", "health": "HEALTH",
            "a check": "CHECK", "logging": "LOGGING", "A TASK": "TASK", "A SECRET": "SECRET", "METRICS": "METRICS",
            "a page": "PAGE", "TRACING": "TRACING", "LOG": "LOG"}
TYPES = {"flag": "boolean", "time": "duration", "duration": "duration", "pause": "duration", "path": "path",
         "signal": "signal", "command": "command", "ports": "ports", "statuses": "statuses"}


def documented_keys():
    """By heading: key to the text in parentheses behind it, and what is said of it."""
    found, heading = {}, None
    for line in CONFIGURATION.splitlines():
        if line.startswith("#"):
            heading = found.setdefault(line.lstrip("# "), {})
        elif line.startswith("*"):
            last = re.findall(r"\*([\w$]+)\*(?: \(([^)]*)\))?", line)
            for name, kind in last:
                heading[name] = kind
        elif line.startswith("\t") and last:
            for name, _ in last:
                heading[name] += " " + line.strip()
    return found


def keys_of(group):
    """Those of a task that a service has as well are told by what it has not."""
    if group == "TASK":
        return {name for name, of, *_ in ROWS if of == "TASK"}
    return set(schema_of(group)["properties"])


@pytest.mark.parametrize("heading,group", HEADINGS.items())
def test_the_keys_of_the_page_are_those_of_the_schema(heading, group):
    assert set(documented_keys()[heading]) == keys_of(group)


def test_every_group_of_keys_has_its_heading():
    assert set(HEADINGS.values()) == {group for _, group, *_ in ROWS}


def test_a_task_lacks_the_keys_that_the_page_tells():
    lacking = set(schema_of("SERVICE")["properties"]) - set(schema_of("TASK")["properties"])
    sentence = re.search(r"the keys of a service but (.*?), and these", CONFIGURATION)[1]
    assert set(re.findall(r"\*(\w+)\*", sentence)) == lacking


def test_the_limits_of_the_page_are_those_of_the_schema():
    assert set(documented_keys()["limits"]) == set(object_of(schema_of("SERVICE")["properties"]["limits"])["properties"])


@pytest.mark.parametrize("heading,group", HEADINGS.items())
def test_a_key_has_the_type_that_the_schema_has(heading, group):
    keys, looked_at = schema_of(group)["properties"], 0
    for name, said in documented_keys()[heading].items():
        reference = keys[name].get("$ref", "").rsplit("/", 1)[-1]
        if reference in TYPES:
            assert re.match(rf"{TYPES[reference]}\b", said), name
            looked_at += 1
    assert looked_at > 0 or group in ("ROOT", "CAPABILITIES", "FILESYSTEM", "LOG", "LOGGING")


def test_a_key_has_the_default_of_its_option():
    groups = {group: heading for heading, group in HEADINGS.items()}
    defaults, keys, looked_at = dict(DEFAULTS), documented_keys(), 0
    for name, group, _, _, sets in ROWS:
        option = "--" + sets.removeprefix("OPTION_").lower().replace("_", "-")
        default = next((value for usage, value in defaults.items() if re.split(r"[ =\[]", usage)[0] == option), None)
        if group in groups and sets.startswith("OPTION_") and default is not None:
            said = keys[groups[group]][name]
            value = {"yes": "true"}.get(default, default)
            assert f"default {value}" in said or f"Default: {value}" in said, (group, name, said)
            looked_at += 1
    assert looked_at >= 18


# ---- examples ----

BLOCKS = [(page, block) for page, text in PAGES.items() for block in re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)]
JSON = [(page, block) for page, block in BLOCKS if block.startswith("{")]
DOCKERFILE = [(page, block) for page, block in BLOCKS if re.match("COPY|ENV|HEALTHCHECK", block)]
SHELL = [(page, *example) for page, block in BLOCKS if (page, block) not in JSON + DOCKERFILE
         for example in examples.commands(block)]


def test_a_subcommands_page_has_examples():
    assert set(PAGES) == {page for page, _ in BLOCKS} and len(SHELL) > 25 and len(JSON) > 3


@pytest.mark.parametrize("page,command,status", SHELL)
def test_a_command_of_a_page_ends_as_it_says(page, command, status, tmp_path):
    examples.check(command, status, tmp_path)


def check(text, tmp_path, **variables):
    path = tmp_path / "nest-init.json"
    path.write_text(text)
    return subprocess.run([NEST_INIT, "check", path], capture_output=True, text=True, env=variables)


@pytest.mark.parametrize("page,text", JSON)
def test_a_file_of_a_page_is_right(page, text, tmp_path):
    done = check(text, tmp_path)
    warned = [line for line in done.stderr.splitlines() if not line.endswith("(here; a start needs it)")]
    assert (done.returncode, warned) == (0, []), done.stderr


@pytest.mark.parametrize("page,text", DOCKERFILE)
def test_the_lines_of_a_dockerfile_are_right(page, text, tmp_path):
    variables = {}
    for keyword, rest in (line.split(" ", 1) for line in text.splitlines()):
        if keyword == "ENV":
            variables |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif keyword == "COPY":
            assert rest == "nest-init /sbin/nest-init"
        elif keyword == "HEALTHCHECK":
            assert json.loads(rest.split("CMD ", 1)[1]) == ["/sbin/nest-init", "health"]
        elif keyword == "ENTRYPOINT":
            assert json.loads(rest) == ["/sbin/nest-init", "--"]
        else:
            assert keyword == "CMD" and json.loads(rest)
    done = check('{"services": {"main": {"command": ["true"]}}}', tmp_path, **variables)
    assert done.returncode == 0, done.stderr
