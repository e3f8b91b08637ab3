"""The configuration file: a run from it, nest-init exec, the monitor, and nest-init check."""
import contextlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from busybox import NEST_INIT, image, needs_runc, wait_until  # noqa: F401
from bundle import Container
from namespace import Namespace, monitor_of, without_certificate

pytestmark = needs_runc
DEFAULT = "/etc/nest-init.json"
PAGE = "127.0.0.1:9911"


@pytest.fixture
def write(tmp_path):
    """write(SERVICE, **of the root): a file with this one service."""
    def write(service, name="nest-init.json", **root):
        path = tmp_path / name
        path.write_text(json.dumps({"services": {"main": service}, **root}))
        return path
    return write


@contextlib.contextmanager
def container(image, path, *words, **configuration):
    with Container(["/nest-init", *words], image, files={DEFAULT: path}, **configuration) as c:
        yield c


def to_the_end(image, path, *words, **configuration):
    with container(image, path, *words, **configuration) as c:
        return c.wait(), c.output(), c.errors()


# ---- a run ----

def test_the_default_file_says_what_runs_and_how(image, write):
    path = write({"command": ["/bin/sh", "-c", "id -u; umask; pwd; echo $$ARG; exit ${CODE:-7}"], "user": "app",
                  "umask": "027", "working_dir": "/data", "environment": {"ARG": "$${x}", "B": 1}})
    code, output, errors = to_the_end(image, path)
    assert (code, output, without_certificate(errors)) == (7, "1001\n0027\n/data\n${x}\n", "")
    assert to_the_end(image, path, env=["CODE=9"])[0] == 9


def test_both_binaries_take_it(either, write):
    path = write({"command": "sh -c env", "environment": {"A": "${B:-c}"}, "oom_score_adj": 500})
    with Namespace(either, options=["--config", path]) as n:
        assert (n.wait(), n.errors()) == (0, "")
        assert "A=c" in n.lines()


def test_a_command_beside_it_takes_the_place_of_the_files(image, write):
    path = write({"command": ["/bin/false"], "user": 1001, "environment": {"A": "b"}})
    assert to_the_end(image, path, "/bin/sh", "-c", "id -u; echo $A") == (0, "1001\nb\n", "")
    assert to_the_end(image, path, "--user", "1002", "--", "/bin/id", "-u")[:2] == (0, "1002\n")
    assert to_the_end(image, path, "/bin/id", "-u", env=["NEST_INIT_USER=1003"])[:2] == (0, "1003\n")


def test_a_file_that_is_named_is_read_in_place_of_the_default(image, write, tmp_path):
    wrong, right = tmp_path / "wrong.json", write({"command": ["/bin/sh", "-c", "echo right"]}, "right.json")
    wrong.write_text("{")
    for words, env in ((["--config", "/right"], []), ([], ["NEST_INIT_CONFIG=/right"])):
        with Container(["/nest-init", *words], image, files={DEFAULT: wrong, "/right": right}, env=env) as c:
            assert (c.wait(), c.output(), c.errors()) == (0, "right\n", "")


def test_the_environment_is_the_services_alone(image, write):
    """It wins over what is inherited, and over HOME of the user."""
    path = write({"command": ["/bin/sh", "-c", "echo $HOME $INHERITED $NEW; exec sleep 1000"], "user": "app",
                  "environment": ["HOME=/data", "INHERITED=file", "NEW=new"]})
    path.write_text(path.read_text().replace("$", "$$"))
    with container(image, path, env=["INHERITED=engine"]) as c:
        wait_until(lambda: c.output() == "/data file new\n")


def test_the_command_is_found_in_the_files_path(image, write):
    """By exec and by the allow-list of programs alike."""
    path = write({"command": ["sh", "-c", "echo found"], "environment": {"PATH": "/bin"},
                  "security_level": "hardened", "user": 1001})
    assert to_the_end(image, path, env=["PATH=/nowhere"]) == (0, "found\n", "")


def test_pre_stop_and_exec_checks_have_the_environment_too(image, write):
    path = write({"command": ["/bin/sh", "-c", "exec sleep 1000"], "environment": {"A": "is set"},
                  "stop": {"pre_stop": ["/bin/sh", "-c", "echo pre-stop: $$A"], "rewrite": {"TERM": "KILL"}},
                  "health": {"ready": ["exec:/bin/sh /check"]}}, metrics={"listen": PAGE})
    script = path.with_name("check")
    script.write_text('test "$A" = "is set"\n')
    with Container(["/nest-init"], image, files={DEFAULT: path, "/check": script}) as c:
        c.wait_http(f"http://{PAGE}/readyz")
        c.kill("TERM")
        c.wait()
        assert c.output() == "pre-stop: is set\n"


def test_what_is_wrong_refuses_the_run(image, write, tmp_path):
    path = write({"command": ["/bin/true"], "usr": 1, "umask": "9"})
    assert to_the_end(image, path) == (
        125, "", f"nest-init: {DEFAULT}:1:50: services.main.usr: unknown key; did you mean \"user\"? "
                 f"(the first of 2: nest-init check {DEFAULT})\n")
    assert to_the_end(image, path, "--config", "/missing") == (125, "", "nest-init: /missing: No such file or directory\n")
    assert to_the_end(image, write({"user": 1001})) == (
        125, "", "nest-init: no command given: nest-init [OPTION...] [--] COMMAND [ARG...]\n")


def test_a_refusal_has_the_format_that_the_file_says(image, write):
    code, _, errors = to_the_end(image, write({"command": "/bin/true", "usr": 1}, log={"format": "json"}))
    assert (code, json.loads(errors)["level"]) == (125, "error")


def test_a_file_that_cannot_be_read_is_no_missing_one(image, write):
    """What it would confine must not be off."""
    path = write({"command": ["/bin/true"]})
    path.chmod(0o000)
    code, _, errors = to_the_end(image, path, "/bin/true", user=1001)
    assert (code, errors) == (125, f"nest-init: {DEFAULT}: Permission denied\n")


def test_exec_is_confined_as_the_file_says(image, write):
    path = write({"command": ["/bin/sleep", "1000"], "user": "app", "environment": {"A": "b"},
                  "stop": {"drain": "1s"}, "capabilities": {"drop": ["all"]}})
    with container(image, path) as c:
        done = c.exec("/nest-init", "exec", "--", "/bin/sh", "-c", "id -u; echo $A; grep CapBnd /proc/self/status")
        assert (done.returncode, done.stdout) == (0, "1001\nb\nCapBnd:\t0000000000000000\n"), done.stderr


def test_other_names_take_the_protections_of_a_file_that_is_named(image, write):
    """Not those of the default file: a drop-in replacement does what that program does."""
    path = write({"user": "app", "stop": {"drain": "1s"}})
    with Container(["/tini", "--", "/bin/id", "-u"], image, files={DEFAULT: path, "/tini": NEST_INIT}) as c:
        assert (c.wait(), c.output()) == (0, "0\n")
    with Container(["/tini", "--", "/bin/id", "-u"], image, files={DEFAULT: path, "/tini": NEST_INIT},
                   env=[f"NEST_INIT_CONFIG={DEFAULT}"]) as c:
        assert (c.wait(), c.output()) == (0, "1001\n")
        assert "about stopping mean nothing under the name tini" in c.errors()


# ---- the monitor ----


def checks_of(c):
    done = c.exec("/nest-init", "status", "--json")
    return [check["name"] for check in json.loads(done.stdout)["checks"]] if done.returncode == 0 else None


def test_the_monitor_knows_what_pid_1_has_read_whatever_becomes_of_the_file(image, write):
    """Also the next one, and with the variables that only PID 1 has. Exec checks go by their number in PID 1's list."""
    path = write({"command": ["/bin/sleep", "1000"],
                  "health": {"startup": ["file:/etc/passwd"], "ready": [{"name": "${NAME}", "target": "exec:/bin/sh -c true"}],
                             "live": [{"name": "second", "target": "exec:/bin/sh -c true"}], "start_interval": "50ms"}},
                 metrics={"listen": [PAGE]})
    with container(image, path, "--live", "name=by-word exec:/bin/sh -c true", env=["NAME=first"]) as c:
        c.wait_http(f"http://{PAGE}/readyz")
        assert checks_of(c) == ["by-word", "first", "file:/etc/passwd"]
        assert c.exec("/bin/sh", "-c", f"echo nonsense > {DEFAULT}").returncode == 0
        monitor = monitor_of(c.pid)
        os.kill(monitor, 9)
        wait_until(lambda: monitor_of(c.pid) not in (None, monitor))
        c.wait_http(f"http://{PAGE}/readyz")
        assert checks_of(c) == ["by-word", "first", "file:/etc/passwd"]
        wait_until(lambda: c.exec("/nest-init", "health").returncode == 0)


def descriptors(pid):
    """What is open there. The connection of a request that has just been answered may go meanwhile."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found


def test_the_monitor_has_nothing_of_the_workloads_environment(image, write):
    """Nor has PID 1, of whose environment a later monitor gets what configures."""
    path = write({"command": ["/bin/sleep", "1000"], "environment": {"NEST_INIT_TOKEN": "geheim"}},
                 metrics={"listen": PAGE})
    with container(image, path) as c:
        c.wait_http(f"http://{PAGE}/livez")
        os.kill(first := monitor_of(c.pid), 9)
        wait_until(lambda: monitor_of(c.pid) not in (None, first))
        c.wait_http(f"http://{PAGE}/livez")
        monitor = monitor_of(c.pid)
        assert Path(f"/proc/{monitor}/cmdline").read_bytes() == b"nest-init\0monitor\0--model\0"
        assert b"geheim" not in Path(f"/proc/{monitor}/environ").read_bytes()
        assert not [name for name in descriptors(monitor) if "memfd:model" in name]


def test_nobody_changes_what_the_next_monitor_reads(image, write):
    """Not even root who writes through a descriptor of PID 1."""
    with container(image, write({"command": ["/bin/sleep", "1000"]}, metrics={"listen": PAGE})) as c:
        c.wait_http(f"http://{PAGE}/livez")
        [model] = [fd for fd in Path(f"/proc/{c.pid}/fd").iterdir() if "memfd:model" in os.readlink(fd)]
        fd = os.open(model, os.O_RDWR)
        try:
            with pytest.raises(PermissionError):
                os.write(fd, b"x")
            with pytest.raises(PermissionError):
                os.ftruncate(fd, 0)
        finally:
            os.close(fd)


def test_denial_reports_of_a_file(image, write):
    path = write({"command": ["/bin/sh", "-c", "unshare -U true; exit 5"], "seccomp": {"profile": "node", "report": True}})
    code, _, errors = to_the_end(image, path)
    assert code == 5 and "called unshare: profile node answers EPERM" in errors


def test_the_command_of_a_check_may_be_words(image, write):
    path = write({"command": ["/bin/sleep", "1000"], "health": {
        "start_interval": "20ms", "retries": 1,
        "ready": [{"name": "words", "command": ["/bin/sh", "-c", "echo 'a  b'; exit 3"]}]}})
    with container(image, path) as c:
        wait_until(lambda: "words: status 3: a  b" in c.exec("/nest-init", "health", "--timeout", "20s").stdout)
    code, output, _ = check("--print", path)
    again = path.with_name("again.json")
    again.write_text(output)
    assert code == 0 and '"echo \'a  b\'; exit 3"' in output and check("--print", again) == (0, output, "")


# ---- nest-init check ----

def check(*words, env=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEST_INIT")}
    done = subprocess.run([NEST_INIT, "check", *map(str, words)], capture_output=True, text=True,
                          env={**environment, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def test_check_tells_all_that_is_wrong(write):
    path = write({"usr": 1, "stop": {"drain": 5}}, log={"level": "loud"})
    assert check(path) == (
        1, "", f'{path}:1:24: services.main.usr: unknown key; did you mean "user"?\n'
               f'{path}:1:52: services.main.stop.drain: expected a duration in quotes, such as "1m30s", not 5\n'
               f"{path}:1:75: log.level: 'loud': expected error, warning, notice or info\n")


def test_check_finds_the_file_as_a_run_does(write):
    path = write({"command": "true"})
    assert check(path) == check(env={"NEST_INIT_CONFIG": str(path)}) == (0, f"{path}: nothing is wrong\n", "")


@pytest.mark.parametrize("words, sentence", [
    (["/missing"], "/missing: No such file or directory"),
    (["/"], "/: Is a directory"),
    (["--prnt"], "unexpected '--prnt' (nest-init check --help)"),
    (["/a", "/b"], "unexpected '/b' (nest-init check --help)"),
])
def test_check_cannot_look(words, sentence):
    assert check(*words) == (125, "", f"nest-init check: {sentence}\n")


def test_a_variable_that_is_not_set_yet_is_no_error(write):
    """An image is checked where it is built."""
    path = write({"command": ["run", "${DATABASE}"]})
    code, output, errors = check(path)
    assert (code, output) == (0, f"{path}: nothing is wrong but what is not there here\n")
    assert errors == (f"{path}:1:43: services.main.command[1]: the variable DATABASE is not set: set it, or write "
                      "${DATABASE:-TEXT} (here; a start needs it)\n")


def test_print_shows_what_a_run_would_make_of_it(write):
    path = write({"command": "run", "stop": {"drain": "2s"}, "security_level": "hardened"})
    code, output, _ = check("--print", path, env={"NEST_INIT_DRAIN": "1s", "NEST_INIT_SECCOMP": "node"})
    service = json.loads(output)["services"]["main"]
    assert code == 0 and service["stop"]["drain"] == "1s" and service["seccomp"]["profile"] == "node"
    assert service["capabilities"] == {"drop": ["all"], "add": []} and service["filesystem"]["read_only"] == "auto"
    again = path.with_name("again.json")
    again.write_text(output)
    assert check("--print", again) == (0, output, "")


def test_print_shows_no_secret(write):
    path = write({"command": ["run", "--password=${DB_PASSWORD}"], "environment": {"API_KEY": "geheim", "URL": "${URL}"},
                  "health": {"ready": [{"target": "http://a/", "headers": {"Authorization": "Bearer geheim"}}]}})
    literal = write({"command": ["run", "--password", "geheim", "https://u:geheim@h/?token=geheim"],
                     "environment": {"JWT": "geheim", "SMTP_PASS": "geheim", "HEADER": "Bearer geheim"},
                     "stop": {"pre_stop": "curl -u a:geheim http://a/"},
                     "health": {"ready": [{"target": "exec:redis-cli -a geheim ping"},
                                          {"target": "http://a/?key=geheim", "headers": {"X-Plex-Token": "geheim"},
                                           "body": '"token": "geheim"'}]}}, name="literal.json")
    code, output, errors = check("--print", literal)
    assert code == 0 and "geheim" not in output + errors and output.count("REDACTED") == 11
    code, output, errors = check("--print", path, env={"DB_PASSWORD": "geheim", "URL": "redis://u:geheim@h"})
    assert code == 0 and "geheim" not in output + errors and output.count("REDACTED") == 4
    assert "geheim" not in check(write({"umask": "${DB_PASSWORD}"}), env={"DB_PASSWORD": "geheim"})[2]


def test_check_tells_of_a_bad_variable(write):
    assert check(write({"command": "run"}), env={"NEST_INIT_DRAIN": "x"}) == (
        1, "", "nest-init check: NEST_INIT_DRAIN: 'x': expected a duration such as 500ms, 8s or 1m30s\n")


@pytest.mark.parametrize("service, key, sentence", [
    ({"seccomp": "nodee"}, "seccomp", "'nodee' is neither a profile of ours (default, nginx, node) nor a file"),
    ({"seccomp": {"profile": "/no/x.json"}}, "seccomp.profile", "/no/x.json: No such file or directory"),
    ({"user": "nosuchuser"}, "user", "user 'nosuchuser' is not in /etc/passwd: add it to the image or give a number"),
    ({"group_add": ["nosuch"]}, "group_add", "group 'nosuch' is not in /etc/group: add it to the image or give a number"),
])
def test_what_is_not_there_here_is_a_warning_and_refuses_the_run(image, write, service, key, sentence):
    path = write({"command": "true", **service})
    code, output, errors = check(path)
    assert code == 0
    assert re.fullmatch(rf"{path}:1:\d+: services\.main\.{key}: {re.escape(sentence)} \(here; a start needs it\)\n", errors)
    assert output == f"{path}: nothing is wrong but what is not there here\n"
    code, _, errors = to_the_end(image, path)
    assert code == 125 and sentence in errors
    if key != "group_add":
        assert re.fullmatch(rf"nest-init: \S+:1:\d+: services\.main\.{key}: {re.escape(sentence)}\n", errors)


def test_an_option_is_to_blame_for_itself(image, write):
    path = write({"command": "true", "user": "root"})
    assert to_the_end(image, path, "--user", "nosuchuser", "--", "/bin/true")[2].startswith(
        "nest-init: user: user 'nosuchuser'")


def test_a_user_that_nobody_can_be_is_wrong_everywhere(write):
    path = write({"command": "true", "user": -1})
    code, output, errors = check(path)
    assert (code, output) == (1, "")
    assert re.fullmatch(rf"{path}:1:\d+: services\.main\.user: user '-1': expected a number from 0 to 4294967294\n", errors)


@pytest.mark.parametrize("path, why", [("/no/such", "No such file or directory"), ("/etc/passwd", "Not a directory")])
def test_a_working_directory_that_is_none_here_is_a_warning(write, path, why):
    code, _, errors = check(write({"command": "true", "working_dir": path}))
    assert code == 0
    assert re.fullmatch(rf"\S+:1:\d+: services\.main\.working_dir: {path}: {why} \(here; a start needs it\)\n", errors)
    assert check(write({"command": "true", "working_dir": "/usr"}))[2] == ""


def test_a_file_of_users_that_is_not_there_is_a_warning(write):
    path = write({"command": "true"}, metrics={"listen": "127.0.0.1:1", "users": "/nosuch"})
    code, _, errors = check(path)
    assert code == 0 and "metrics.users: /nosuch: No such file or directory (here; a start needs it)" in errors
