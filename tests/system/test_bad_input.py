"""What nest-init refuses: exit 125, one line on standard error that names the thing and its place, nothing started.

Each case runs as PID 1 of a real container. The workload would leave a mark on standard output and in a file; neither
may be there.
"""
import json
import os
import re
import socket
import subprocess

import pytest

from bundle import Container, bind
from busybox import PRIVILEGED, image, needs_runc, run  # noqa: F401

pytestmark = needs_runc

WORKLOAD = ["/bin/sh", "-c", "echo started; : >/marker/started"]


@pytest.fixture
def refused(image, tmp_path):
    """refused(options, ...) runs nest-init, checks all that every refusal has in common, and returns the sentence."""
    marker = tmp_path / "marker"
    marker.mkdir()
    marker.chmod(0o777)

    def check(options, **configuration):
        mounts = [bind(marker, "/marker"), *configuration.pop("mounts", ())]
        outcome = run(image, options, WORKLOAD, mounts=mounts, **configuration)
        assert outcome.output == ""
        assert list(marker.iterdir()) == []
        assert outcome.status == 125
        assert outcome.errors.endswith("\n") and outcome.errors.count("\n") == 1
        assert outcome.errors.startswith("nest-init: ")
        assert outcome.errors.replace("\n", "").isprintable()
        return outcome.errors.removeprefix("nest-init: ").rstrip("\n")

    return check


def test_the_workload_would_leave_its_marks(image, tmp_path):
    """Else the other tests would prove nothing."""
    outcome = run(image, "", WORKLOAD, mounts=[bind(tmp_path, "/marker")])
    assert (outcome.status, outcome.output) == (0, "started\n")
    assert [path.name for path in tmp_path.iterdir()] == ["started"]


# --- options ------------------------------------------------------------------------------------------------------

CAPABILITY = "unknown capability '{}' (see capabilities(7); 'all' for every one)"
SIGNAL = "--stop-signal: unknown signal '{}' (TERM, SIGTERM, 15, RTMIN+3 ...)"
DURATION = "'{}': expected a duration such as 500ms, 8s or 1m30s"
ADDRESS = "--metrics: '{}': expected ADDRESS:PORT, such as 127.0.0.1:9911"
NUMBERS = "--metrics: '{}': expected an address in numbers, such as 127.0.0.1:9911 or [::1]:9911"
UNKNOWN = "unknown option '{}' (nest-init --help all lists them)"

OPTIONS = {
    # names
    "--cap-dorp=all": "unknown option '--cap-dorp=all': did you mean --cap-drop?",
    "--readonly": "unknown option '--readonly': did you mean --read-only?",
    "--seccmp node": "unknown option '--seccmp': did you mean --seccomp?",
    "--frobnicate": UNKNOWN.format("--frobnicate"),
    "--CAP-DROP=all": UNKNOWN.format("--CAP-DROP=all"),
    "-x": UNKNOWN.format("-x"),
    "-vv": UNKNOWN.format("-vv"),
    "---": UNKNOWN.format("---"),
    # capabilities
    "--cap-drop net_rawr": "--cap-drop: " + CAPABILITY.format("net_rawr"),
    "--cap-drop none": "--cap-drop: " + CAPABILITY.format("none"),
    "--cap-add=chown,CAP_NOPE,kill": "--cap-add: " + CAPABILITY.format("CAP_NOPE"),
    "--cap-add chown;kill": "--cap-add: " + CAPABILITY.format("chown;kill"),
    "--cap-drop 7": "--cap-drop: " + CAPABILITY.format("7"),
    "--cap-drop ,all": "--cap-drop: " + CAPABILITY.format(""),
    # identity and limits
    "--umask 9": "--umask: '9': expected an octal mode from 0 to 777, such as 027",
    "--workdir data": "--workdir: 'data': expected an absolute path",
    "--ulimit nofile": "--ulimit: 'nofile': expected NAME=SOFT[:HARD], such as nofile=65536",
    "--ulimit nofiles=1": "--ulimit: 'nofiles=1': no such limit (nofile, nproc, core ...: getrlimit(2))",
    "--ulimit nofile=2:1": "--ulimit: 'nofile=2:1': the soft limit is above the hard one",
    "--oom-score-adj 1001": "--oom-score-adj: '1001': expected a number from -1000 to 1000",
    # signals
    "--stop-signal TREM": SIGNAL.format("TREM"),
    "--stop-signal SIGSIGTERM": SIGNAL.format("SIGSIGTERM"),
    "--stop-signal 0": SIGNAL.format("0"),
    "--stop-signal 65": SIGNAL.format("65"),
    "--stop-signal -15": SIGNAL.format("-15"),
    "--stop-signal 15x": SIGNAL.format("15x"),
    "--stop-signal RTMIN+99": SIGNAL.format("RTMIN+99"),
    # durations
    "--stop-timeout soon": "--stop-timeout: " + DURATION.format("soon"),
    "--stop-timeout 8": "--stop-timeout: " + DURATION.format("8"),
    "--stop-timeout -1s": "--stop-timeout: " + DURATION.format("-1s"),
    "--stop-timeout 0s": "--stop-timeout: '0s': expected at least 1ms",
    "--drain 1h2": "--drain: " + DURATION.format("1h2"),
    "--drain 5parsecs": "--drain: " + DURATION.format("5parsecs"),
    "--drain 99999999999999999999s": "--drain: '99999999999999999999s': expected at most a year (8760h)",
    "--health-interval 1ms": "--health-interval: '1ms': expected at least 10ms",
    # other values
    "--health-retries 0": "--health-retries: '0': expected a number from 1 to 1000",
    "--health-retries 1001": "--health-retries: '1001': expected a number from 1 to 1000",
    "--health-retries many": "--health-retries: 'many': expected a number from 1 to 1000",
    "--health-retries 99999999999999999999": "--health-retries: '99999999999999999999': expected a number from 1 to 1000",
    "--no-new-privs=maybe": "--no-new-privs: 'maybe': expected yes or no",
    "--best-effort=sometimes": "--best-effort: 'sometimes': expected yes or no",
    "--read-only=always": "--read-only: 'always': expected auto, remount, landlock or verify",
    "--writable data": "--writable: 'data': expected an absolute path",
    "--tmpfs tmp:size=1m": "--tmpfs: 'tmp:size=1m': expected an absolute path",
    "--user=": "--user: the value is empty",
    "--seccomp=": "--seccomp: the value is empty",
    "--version=1": "--version takes no value",
    # addresses
    "--metrics 9911": ADDRESS.format("9911"),
    "--metrics 127.0.0.1": ADDRESS.format("127.0.0.1"),
    "--metrics 127.0.0.1:": ADDRESS.format("127.0.0.1:"),
    "--metrics 127.0.0.1:0": ADDRESS.format("127.0.0.1:0"),
    "--metrics 127.0.0.1:65536": ADDRESS.format("127.0.0.1:65536"),
    "--metrics 127.0.0.1:http": ADDRESS.format("127.0.0.1:http"),
    "--metrics 127.0.0.256:9911": NUMBERS.format("127.0.0.256:9911"),
    "--metrics example.org:9911": NUMBERS.format("example.org:9911"),
    "--metrics ::1:9911": NUMBERS.format("::1:9911"),
    "--metrics [::1:9911": NUMBERS.format("[::1:9911"),
}


@pytest.mark.parametrize("options", OPTIONS)
def test_option(refused, options):
    assert refused(options) == OPTIONS[options]


@pytest.mark.parametrize("target", [
    "localhost", "http://", "http:///path", "http://host:0/", "http://host:65536/", "http://host:port/", "ftp://host/",
    "https://host/", "tcp://host", "tcp://:80", "tcp://host:80/path", "unix:", "unix:" + "/x" * 60, "http+unix:/socket",
    "file:", "file:/x?max_age=soon", "http://[::1/", "http://user@host/", "exec:",
    "http://" + "h" * 300 + "/", "http://host/" + "p" * 2000, "tcp://host:80:80",
], ids=lambda target: target[:24])
@pytest.mark.parametrize("kind", ["--ready", "--live"])
def test_target(refused, kind, target):
    """The sentence quotes the target, and says what is wrong with it."""
    sentence = refused([kind, target])
    quoted = f"{kind}: '{target[:100]}': "
    assert sentence.startswith(quoted)
    assert len(quoted) + 10 < len(sentence) < 512


@pytest.mark.parametrize("value, sentence", [
    ("http://ho st/", "'st/': target \"st/\" is of an unknown form; "),
    ("intervall=3s tcp://a:1", "unknown setting 'intervall': did you mean interval?"),
    ("tcp://a:1 name=x expect=9 http://a/", "expect: character 1 does not begin a status from 200 to 599 "),
    ("name=x", "a TARGET is missing: "),
    ("header='Authorization: Bearer s3cret\n' http://a/", "header: the value has a byte that is not visible"),
    ("tcp://a:1 tcp://a:1", "two checks have the name 'tcp://a:1': give one of them another (name=...)"),
])
def test_settings(refused, value, sentence):
    said = refused(["--ready", value])
    assert said.startswith(f"--ready: {sentence}") and "s3cret" not in said


@pytest.mark.parametrize("option", ["--user", "--cap-drop", "--cap-add", "--seccomp", "--writable", "--tmpfs", "--stop-signal",
                                    "--drain", "--stop-timeout", "--ready", "--live", "--startup", "--metrics"])
def test_an_option_whose_value_is_missing(refused, option):
    def nothing_behind(config):
        config["process"]["args"] = ["/nest-init", option]

    assert refused("", edit=nothing_behind) == f"{option}: a value is missing"


@pytest.mark.parametrize("arguments", [[], ["--"], ["--user", "1001"], ["--user", "1001", "--"], ["--read-only"]])
def test_no_command(refused, arguments):
    def no_command(config):
        config["process"]["args"] = ["/nest-init", *arguments]

    assert refused("", edit=no_command) == "no command given: nest-init [OPTION...] [--] COMMAND [ARG...]"


@pytest.mark.parametrize("option, value, most", [
    ("--writable", "/data", 32), ("--tmpfs", "/tmp", 8), ("--metrics", "127.0.0.1:99{:02}", 4), ("--ready", "tcp://a:1{}", 1000)])
def test_too_many(refused, option, value, most):
    sentence = refused([f"{option}={value.format(i)}" for i in range(most + 1)])
    assert re.fullmatch(rf"{option}: '.*': at most {most}( paths| checks| addresses)?", sentence)


def test_a_name_that_is_far_too_long(refused):
    for option in "--user", "--cap-drop", "--stop-signal", "--seccomp", "--writable", "--metrics", "--drain", "--ready":
        sentence = refused([f"{option}={'x' * 100000}"])
        assert len(sentence) < 512
        assert sentence.startswith((option, option[2:])) and "xxxxx" in sentence
    assert refused([f"--{'x' * 100000}"]).startswith("unknown option '--xxxxx")
    assert len(refused([f"--tmpfs=/{'x' * 100000}"])) < 512
    assert len(refused([f"--tmpfs=/tmp:{'x' * 100000}"])) < 512


@pytest.mark.parametrize("options", [
    ["--user", "a\nb"], ["--cap-drop", "a\nb"], ["--stop-signal", "\x1b[31mred"], ["--seccomp", "/no\nsuch"], ["--x\ny"],
    ["--writable", "a\r\nb"], ["--tmpfs", "/a\nb"], ["--metrics", "a\nb"], ["--ready", "tcp://a\nb:1"], ["--user", "\x7f"],
])
def test_what_is_quoted_stays_on_one_line(refused, options):
    """Else what somebody put into a variable could write log lines of its own, or paint a terminal."""
    refused(options)


def test_the_first_mistake_is_told(refused):
    assert refused("--drain soon --user nobody --frobnicate") == "--drain: " + DURATION.format("soon")


def test_bad_options_are_told_before_the_container_is_looked_at(refused):
    """Options are checked as a whole, whatever the machine offers."""
    assert refused("--read-only=remount --seccomp /no/such --stop-signal NOPE") == SIGNAL.format("NOPE")


# --- variables ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("variable, value, sentence", [
    ("NEST_INIT_CAP_DROP", "all net_rawr", "NEST_INIT_CAP_DROP: " + CAPABILITY.format("net_rawr")),
    ("NEST_INIT_USER", "nobody", "user: user 'nobody' is not in /etc/passwd: add it to the image or give a number"),
    ("NEST_INIT_DRAIN", "soon", "NEST_INIT_DRAIN: " + DURATION.format("soon")),
    ("NEST_INIT_NO_NEW_PRIVS", "maybe", "NEST_INIT_NO_NEW_PRIVS: 'maybe': expected yes or no"),
    ("NEST_INIT_METRICS", "127.0.0.1", "NEST_INIT_METRICS: '127.0.0.1': expected ADDRESS:PORT, such as 127.0.0.1:9911"),
    ("NEST_INIT_CAPDROP", "all", "unknown variable NEST_INIT_CAPDROP: did you mean NEST_INIT_CAP_DROP?"),
    ("NEST_INIT_FROBNICATE", "1", "unknown variable NEST_INIT_FROBNICATE (an option of nest-init --help all, in capitals)"),
    ("NEST_INIT_", "1", "unknown variable NEST_INIT_ (an option of nest-init --help all, in capitals)"),
    ("NEST_INIT_HELP", "1", "unknown variable NEST_INIT_HELP (an option of nest-init --help all, in capitals)"),
])
def test_variable(refused, variable, value, sentence):
    """A protection that is misspelt is not silently off."""
    assert refused("", env={variable: value}) == sentence


# --- the machine --------------------------------------------------------------------------------------------------

@pytest.fixture
def network():
    """A network namespace with somebody on port 9911."""
    holder = subprocess.Popen(["unshare", "--net", "/usr/bin/python3", "-c", """
import socket, sys
server = socket.create_server(("0.0.0.0", 9911))
print(flush=True)
sys.stdin.read()
"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.read(1) == b"\n"
        yield f"/proc/{holder.pid}/ns/net"
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait()


IN_USE = r"--metrics {}: Address (already )?in use \(another process listens there: choose another port\)"  # musl, glibc


def test_an_address_in_use(refused, network):
    def given_network(config):  # its sysctl are its owner's
        del config["linux"]["sysctl"]

    for address in "0.0.0.0:9911", ":9911":
        assert re.fullmatch(IN_USE.format(address), refused(["--metrics", address], network=network, edit=given_network))
    sentence = refused("--metrics 0.0.0.0:9912 --metrics 0.0.0.0:9911", network=network, edit=given_network)
    assert re.fullmatch(IN_USE.format("0.0.0.0:9911"), sentence)


def test_the_same_address_twice(refused):
    for first, second in (("127.0.0.1:9911", "127.0.0.1:9911"), (":9911", "127.0.0.1:9911"), ("localhost:9911", "0.0.0.0:9911")):
        sentence = refused(["--metrics", first, "--metrics", second])
        assert re.fullmatch(IN_USE.format(second), sentence)


def test_a_second_nest_init_of_a_container_is_told_of_the_first(image):
    """docker exec with a subcommand that is none, where a variable says --metrics."""
    with Container(["/nest-init", "--", "/bin/sleep", "1000"], image, env={"NEST_INIT_METRICS": "127.0.0.1:9911"}) as c:
        c.wait_http("http://127.0.0.1:9911/readyz")
        said = c.exec("/nest-init", "healt", env={"NEST_INIT_METRICS": "127.0.0.1:9911"})
    assert said.returncode == 125
    assert "(PID 1 of this container, most likely: nest-init --help names what one asks it; else choose another port)" in said.stderr


def test_paths_that_are_one_word_are_told_apart(refused):
    assert refused("--read-only --writable /a,/b") == (
        "read_only: writable path '/a,/b': No such file or directory (say the option once for each path; in a variable blanks "
        "part them)")


def test_an_address_of_somebody_else(refused):
    assert re.fullmatch("--metrics 192.0.2.1:9911: (Address not available|Cannot assign requested address)",
                        refused("--metrics 192.0.2.1:9911"))


def test_a_low_port_needs_its_capability(refused):
    def privileged_ports(config):
        del config["linux"]["sysctl"]

    assert refused("--metrics 127.0.0.1:80", user=1001, edit=privileged_ports) == (
        "--metrics 127.0.0.1:80: Permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)")


@pytest.mark.parametrize("spoil, sentence", [
    ("rm /etc/passwd; busybox mkdir /etc/passwd", "user: /etc/passwd: Is a directory"),
    ("rm /etc/group; busybox mkdir /etc/group", "user: /etc/group: Is a directory"),
    ("truncate -s 100M /etc/passwd", "user: /etc/passwd: File too large"),
    ("ln -sf /etc/group /etc/group", "user: /etc/group: {loop}"),
])
def test_accounts_that_cannot_be_read(refused, spoil, sentence):
    def edit(config):
        config["process"]["args"] = ["/bin/sh", "-c", f'busybox {spoil}; exec "$@"', "sh", *config["process"]["args"]]

    said = refused("--user app", edit=edit)
    assert said in (sentence.format(loop="Symbolic link loop"), sentence.format(loop="Too many levels of symbolic links"))


def test_a_tmpfs_over_the_root(refused):
    """Everybody would go on using the root that is below it."""
    for path in "/", "/..", "/bin/../":
        assert refused(["--tmpfs", path], caps=PRIVILEGED) == f"tmpfs: cannot mount a tmpfs on '{path}': it is the root"


@pytest.mark.parametrize("mode", ["auto", "remount", "landlock", "verify"])
def test_a_read_only_root_that_is_writable(refused, mode):
    for path in "/", "/bin/..":
        for options in [], ["--best-effort"]:
            assert refused([*options, f"--read-only={mode}", "--writable", path], caps=PRIVILEGED) == (
                f"read_only: writable path '{path}': it is the root (leave out --read-only, or say --read-only=no)")


# --- profiles -----------------------------------------------------------------------------------------------------

P = "seccomp: /profile.json:"
ALLOW = '{"defaultAction": "SCMP_ACT_ALLOW"'


def rule(text):
    return ALLOW + ', "syscalls": [' + text + "]}"


def value(text):
    return rule('{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": '
                + text + "}]}")


# name: the text, the sentence
PROFILES = {
    "empty": ("", P + "1:1: the file is empty"),
    "blank": (" \n\t\n", P + "3:1: expected a value: a string, a number, [, {, true, false or null, not the end of the text"),
    "not JSON": ("hello", None),
    "YAML": ("defaultAction: SCMP_ACT_ALLOW\n", None),
    "cut short": ('{"defaultAction": "SCMP_ACT_ALLOW",\n "syscalls": [', None),
    "trailing comma": ('{"defaultAction": "SCMP_ACT_ALLOW",\n}', P + "2:1: "),
    "comment": ('{\n  // nothing\n  "defaultAction": "SCMP_ACT_ALLOW"\n}', P + "2:3: "),
    "single quotes": ("{'defaultAction': 'SCMP_ACT_ALLOW'}", P + "1:2: "),
    "two documents": (ALLOW + "}\n" + ALLOW + "}", P + "2:1: "),
    "raw control character": ('{"defaultAction": "SCMP_\x01ACT_ALLOW"}', P + "1:"),
    "not UTF-8": (b'{"defaultAction": "\xff\xfe"}', P + "1:20: "),
    "a NUL inside": (b'{"defaultAction": "SCMP\x00"}', P + "1:24: "),
    "an escaped NUL": ('{"defaultAction": "SCMP_ACT_ALLOW\\u0000"}', P + "1:"),
    "a lone surrogate": ('{"defaultAction": "\\ud800"}', P + "1:"),
    "a key twice": (ALLOW + ',\n"defaultAction": "SCMP_ACT_ERRNO"}', P + "2:1: "),
    "UTF-16": ('{"defaultAction": "SCMP_ACT_ALLOW"}'.encode("utf-16"), P),
    "an array": ("[]", P + "1:1: "),
    "a number": ("42", P + "1:1: "),
    "null": ("null", P + "1:1: "),
    "no default action": ('{"syscalls": []}', P + "1:1: "),
    "unknown key": (ALLOW + ',\n "syscals": []}', P + "2:2: "),
    "unknown action": ('{"defaultAction": "SCMP_ACT_FORBID"}', P + "1:19: "),
    "action of the wrong type": ('{"defaultAction": 7}', P + "1:19: "),
    "syscalls of the wrong type": (ALLOW + ',\n "syscalls": {}}', P + "2:14: "),
    "rule of the wrong type": (rule('\n"mkdir"'), P + "2:1: "),
    "names of the wrong type": (rule('\n{"names": "mkdir", "action": "SCMP_ACT_ERRNO"}'), P + "2:11: "),
    "name of the wrong type": (rule('\n{"names": ["mkdir", 7], "action": "SCMP_ACT_ERRNO"}'), P + "2:21: "),
    "no names": (rule('\n{"action": "SCMP_ACT_ERRNO"}'), P + "2:1: "),
    "name and names": (rule('\n{"name": "mkdir", "names": ["rmdir"], "action": "SCMP_ACT_ERRNO"}'), P + "2:"),
    "no action": (rule('\n{"names": ["mkdir"]}'), P + "2:1: "),
    "errno of the wrong type": (rule('\n{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": "1"}'), P + "2:62: "),
    "errno out of range": (rule('\n{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096}'), P + "2:62: "),
    "errno below zero": (rule('\n{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": -1}'), P + "2:62: "),
    "errno with a fraction": (rule('\n{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1.5}'), P + "2:62: "),
    "index out of range": (rule('\n{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 0, '
                                '"op": "SCMP_CMP_EQ"}]}'), P + "2:69: "),
    "unknown operator": (rule('\n{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 0, '
                              '"op": "SCMP_CMP_LIKE"}]}'), P + "2:"),
    "value over 64 bits": (value("\n18446744073709551616"), P + "2:1: "),
    "value below zero": (value("\n-1"), P + "2:1: "),
    "value with an exponent": (value("\n1e3"), P + "2:1: "),
    "value with a fraction": (value("\n1.0"), P + "2:1: "),
    "value of a hundred digits": (value("\n" + "9" * 100), P + "2:101: a number of more than 63 characters"),
    "value with a leading zero": (value("\n007"), P + "2:"),
    "value in hexadecimal": (value("\n0x7f"), P + "2:"),
    "value that is a text": (value('\n"1"'), P + "2:1: "),
    "value that is not a number": (value("\nNaN"), P + "2:1: "),
    "archMap and architectures": (ALLOW + ', "architectures": ["SCMP_ARCH_X86_64"],\n"archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}', P),
    "unknown architecture": (ALLOW + ',\n"architectures": ["SCMP_ARCH_VAX"]}', P + "2:19: "),
    "unknown flag": (ALLOW + ',\n"flags": ["SECCOMP_FILTER_FLAG_NOPE"]}', P + "2:11: "),
    "a listener that nobody has": (rule('\n{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}'), P),
    "unknown capability": (rule('\n{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_NOPE"]}}'), P + "2:"),
    "a megabyte of nesting": ("[" * ((1 << 20) - 1), P + "1:65: "),
    "a megabyte of nested objects": ('{"a":' * 200000, P + "1:"),
    "a megabyte of nesting inside": (ALLOW + ', "syscalls": ' + "[" * 1000000, P + "1:"),
    "a megabyte in one text": ('{"defaultAction": "' + "x" * 1000000 + '"}', P + "1:19: "),
    "a megabyte of names": (rule('{"names": [' + ", ".join(['"mkdir"'] * 110000) + '], "action": "SCMP_ACT_ERRNO"}'), P + "1:"),
    "more than a megabyte": (ALLOW + "}" + " " * (1 << 20), "seccomp: /profile.json: larger than 1048576 bytes"),
    "half a compiled instruction": (b"\x20\x00\x00\x00\x04\x00\x00\x00\x15\x00\x00", None),
    "a compiled file of nothing sensible": (b"\x99\x00" * 32, None),
    "a compiled file without a return": (b"\x20\x00\x00\x00\x04\x00\x00\x00", None),
    "an ELF file": (b"\x7fELF\x02\x01\x01" + bytes(57), None),
}


@pytest.mark.parametrize("name", PROFILES)
def test_profile(refused, tmp_path, name):
    """FILE:LINE:COL of what is wrong."""
    content, expected = PROFILES[name]
    profile = tmp_path / "profile.json"
    profile.write_bytes(content if isinstance(content, bytes) else content.encode())
    sentence = refused("--seccomp /profile.json", files={"/profile.json": profile})
    assert len(sentence) < 512
    if expected is None:
        assert sentence.startswith("seccomp: ")
        assert "/profile.json" in sentence
    else:
        assert sentence.startswith(expected)
        assert sentence == expected or len(sentence) > len(expected) + 10


def test_a_name_with_a_line_feed_in_it(image, tmp_path):
    """A syscall that nobody knows is a warning, and one line."""
    profile = tmp_path / "profile.json"
    profile.write_text(rule('{"names": ["a\\nnest-init: all is well"], "action": "SCMP_ACT_ERRNO"}'))
    outcome = run(image, "--seccomp /profile.json", "/bin/busybox true", files={"/profile.json": profile})
    assert outcome.errors.count("\n") == 1
    assert outcome.errors.startswith("nest-init: warning: /profile.json:1:")


@pytest.mark.parametrize("number, answer", [
    # attempt's bpf(-1): its first argument is 64 ones.
    (2**64 - 1, "EPERM"), (2**64 - 2, "EINVAL"), (2**53 + 1, "EINVAL"), (2**63, "EINVAL")])
def test_a_value_is_compared_in_all_its_bits(image, tmp_path, number, answer):
    """A double cannot hold them: 2^64 - 2 would be 2^64 - 1, or none at all."""
    profile = tmp_path / "profile.json"
    profile.write_text(value(str(number)).replace("mkdir", "bpf"))
    outcome = run(image, "--seccomp /profile.json", "/bin/attempt call=bpf", files={"/profile.json": profile}, caps=PRIVILEGED)
    assert (outcome.status, outcome.output, outcome.errors) == (0, f"call=bpf: {answer}\n", "")


@pytest.mark.parametrize("name, sentence", [
    ("nose", "seccomp: 'nose' is neither a profile of ours (default, nginx, node) nor a file"),
    ("Node", "seccomp: 'Node' is neither a profile of ours (default, nginx, node) nor a file"),
    ("monitor", "seccomp: 'monitor' is neither a profile of ours (default, nginx, node) nor a file"),
    ("/no/such.json", "seccomp: /no/such.json: No such file or directory"),
    ("./node.json", "seccomp: ./node.json: No such file or directory"),
    ("/etc/passwd/x", "seccomp: /etc/passwd/x: Not a directory"),
    ("/etc", "seccomp: /etc: Is a directory"),
    ("/dev/null", "seccomp: /dev/null:1:1: the file is empty"),
    ("/dev/zero", "seccomp: /dev/zero: larger than 1048576 bytes"),
    ("/dev/urandom", "seccomp: /dev/urandom: larger than 1048576 bytes"),
])
def test_a_profile_that_is_no_file(refused, name, sentence):
    assert refused(["--seccomp", name]) == sentence
    assert refused(["--best-effort", "--seccomp", name]) == sentence  # a mistake, which best effort does not cover


def test_a_profile_that_may_not_be_read(refused, tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(ALLOW + "}")
    profile.chmod(0)
    assert refused("--seccomp /profile.json", files={"/profile.json": profile}, user=1001) == (
        "seccomp: /profile.json: Permission denied")


def test_a_profile_that_is_huge(refused, tmp_path):
    """100 MB of nothing: refused by its size, without reading it all."""
    profile = tmp_path / "profile.json"
    profile.touch()
    os.truncate(profile, 100 << 20)
    assert refused("--seccomp /profile.json", mounts=[bind(profile, "/profile.json")], memory=32 << 20) == (
        "seccomp: /profile.json: larger than 1048576 bytes")


def test_a_profile_that_never_comes(refused, tmp_path):
    """A FIFO that nobody writes to: the start does not hang for ever."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert refused("--seccomp /fifo", mounts=[bind(fifo, "/fifo")]) == "seccomp: /fifo: not compiled after 10 s"


def test_a_profile_that_is_a_socket(refused, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        sentence = refused("--seccomp /socket", mounts=[bind(tmp_path / "socket", "/socket")])
    assert sentence == "seccomp: /socket: No such device or address"


def test_more_rules_than_the_kernel_takes(refused, tmp_path):
    """Refused by number, and within the container's memory."""
    profile = tmp_path / "profile.json"
    rules = [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": i, "op": "SCMP_CMP_EQ"}]}
             for i in range(4200)]
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}))
    sentence = refused("--seccomp /profile.json", files={"/profile.json": profile}, memory=128 << 20)
    assert re.fullmatch(r"seccomp: /profile\.json: \d+ instructions, the kernel takes 4096", sentence)
