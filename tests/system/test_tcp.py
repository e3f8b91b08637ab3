"""--tcp-bind and --tcp-connect: which ports of TCP a workload may use, by Landlock (ABI 4)."""
import json
import platform
import re
import shutil
import subprocess

import pytest

from busybox import but, image, layers, needs_runc, run, running  # noqa: F401
from namespace import Namespace

pytestmark = needs_runc

# What the kernel answers to each word: bind:PORT, connect:PORT (nobody listens), listen, udp.
PROGRAM = r"""
import errno, json, socket, sys
found = {}
for word in sys.argv[1:]:
    what, _, port = word.partition(":")
    for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
        s = socket.socket(family, socket.SOCK_DGRAM if what == "udp" else socket.SOCK_STREAM)
        try:
            if what == "listen":
                s.listen()
            elif what == "connect":
                s.connect((host, int(port)))
            else:
                s.bind((host, int(port)))
            answer = "ok"
        except OSError as e:
            answer = errno.errorcode[e.errno]
        found.setdefault(word, []).append(answer)
print(json.dumps(found))
"""


def answers(nest_init, options, *words):
    """In a network of its own, with a loopback that is up."""
    with Namespace(nest_init, "/usr/bin/python3", "-c", PROGRAM, *words, options=options.split(),
                   wrap=("unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")) as n:
        assert (n.wait(), n.errors()) == (0, "")
        return {word: "/".join(sorted(set(found))) for word, found in json.loads(n.output()).items()}


WORDS = ["bind:8080", "bind:8081", "bind:0", "connect:443", "connect:5432", "udp:8081", "listen"]
FREE = {"bind:8080": "ok", "bind:8081": "ok", "bind:0": "ok", "connect:443": "ECONNREFUSED",
        "connect:5432": "ECONNREFUSED", "udp:8081": "ok", "listen": "ok"}


WAYS = r"""
import ctypes, errno, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
listener = socket.socket()
listener.bind(("127.0.0.1", 8080))
listener.listen()
address = ("127.0.0.1", 8080)

def name(answer):
    return "ok" if answer >= 0 else errno.errorcode[ctypes.get_errno()]

def fast_open(call):
    try:
        with socket.socket() as s:
            call(s)
            return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]

print(name(libc.socket(socket.AF_INET, socket.SOCK_STREAM, 262)))
print(fast_open(lambda s: s.sendto(b"x", 0x20000000, address)), fast_open(lambda s: s.sendmsg([b"x"], [], 0x20000000, address)))
with socket.socket() as s:
    print(name(libc.sendmmsg(s.fileno(), None, 0, 0x20000000)))
    s.connect(address)
    print(s.send(b"x"), s.sendmsg([b"y"]))
"""


@pytest.mark.skipif(not shutil.which("ip"), reason="needs iproute2")
def test_what_landlock_does_not_see_is_refused(either):
    """MPTCP, and connections that sendto(2), sendmsg(2) and sendmmsg(2) make (MSG_FASTOPEN). All else is as ever."""
    def ways(options):
        with Namespace(either, "/usr/bin/python3", "-c", WAYS, options=options,
                       wrap=("unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")) as n:
            assert (n.wait(), n.errors()) == (0, "")
            return n.output().split("\n")[:-1]

    assert ways([]) == ["ok", "ok ok", "ok", "1 1"]
    for options in ["--tcp-bind=8080"], ["--tcp-connect=8080"]:
        assert ways(options) == ["EPROTONOSUPPORT", "ENOTSUP ENOTSUP", "ENOTSUP", "1 1"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86's own way")
def test_nor_is_it_by_the_other_way_into_the_kernel(nest_init, tmp_path):
    source = r"""
#include <stdio.h>
static long call(long number, long a, long b, long c, long d)
{
	long answer;

	__asm__ volatile("int $0x80" : "=a"(answer) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return answer;
}
int main(void)
{
	printf("%ld %ld %ld %ld %ld %ld\n", call(102, 0, 0, 0, 0), call(359, 2, 1, 262, 0) >= 0 ? 0 : call(359, 2, 1, 262, 0),
		call(359, 43, 1, 0, 0), call(369, -1, 0, 0, 0x20000000), call(370, -1, 0, 0x20000000, 0),
		call(345, -1, 0, 0, 0x20000000));
	return 0;
}
"""
    program = tmp_path / "other"
    subprocess.run(["musl-gcc", "-static", "-O1", "-o", program, "-xc", "-"], input=source, text=True, check=True)
    for options, expected in ([], "-22 0 {} -9 -9 -9\n"), (["--tcp-bind=1"], "-1 -93 -93 -95 -95 -95\n"):
        with Namespace(nest_init, program, options=options) as n:
            assert n.wait() == 0
            assert re.fullmatch(expected.format(r"-?\d+"), n.output())


@pytest.mark.skipif(not shutil.which("ip"), reason="needs iproute2")
@pytest.mark.parametrize("options, refused", [
    ("", []),
    ("--tcp-bind 8080", ["bind:8081", "bind:0"]),
    ("--tcp-bind 8080,0", ["bind:8081"]),
    ("--tcp-bind 8080 --tcp-bind=8081", ["bind:0"]),
    ("--tcp-bind none", ["bind:8080", "bind:8081", "bind:0"]),
    ("--tcp-connect 443", ["connect:5432"]),
    ("--tcp-connect none", ["connect:443", "connect:5432"]),
    ("--tcp-bind 8080 --tcp-connect 5432 --user 65534 --cap-drop all --read-only=landlock --seccomp node",
     ["bind:8081", "bind:0", "connect:443"]),
])
def test_ports_outside_the_list_are_refused(either, options, refused):
    assert answers(either, options, *WORDS) == {**FREE, **dict.fromkeys(refused, "EACCES")}


def test_the_monitor_serves_where_the_workload_may_not(image):
    """And what is in force is said."""
    with running(image, "--tcp-bind none --tcp-connect none", "/bin/sleep 1000") as c:
        assert layers(c) == but(tcp="in force")


def test_it_needs_no_new_privs_or_sys_admin(image):
    outcome = run(image, "--tcp-bind 80 --no-new-privs=no", "/bin/attempt create=/marker/started")
    assert (outcome.status, outcome.output, outcome.errors) == (
        125, "", "nest-init: tcp: cannot put Landlock in force: Operation not permitted "
                 "(it needs no_new_privs or CAP_SYS_ADMIN)\n")


# landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) answers as an older kernel would.
def old_kernel(config):
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["landlock_create_ruleset"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}


def test_where_the_kernel_has_no_landlock_it_is_refused(image):
    sentence = "tcp: the kernel's Landlock knows no ports (ABI 0; 4 does, Linux 6.7)"
    outcome = run(image, "--tcp-bind 80", "/bin/attempt create=/marker/started", edit=old_kernel)
    assert (outcome.status, outcome.output, outcome.errors) == (125, "", f"nest-init: {sentence}\n")
    outcome = run(image, "--best-effort --tcp-bind 80", "/bin/attempt bind=81", edit=old_kernel)
    assert (outcome.status, outcome.output, outcome.errors) == (
        0, "bind=81: ok\n", f"nest-init: warning: not in force: {sentence}\n")
    outcome = run(image, "--exec-allow /bin", "/bin/attempt create=/marker/started", edit=old_kernel)
    assert (outcome.status, outcome.output, outcome.errors) == (
        125, "", "nest-init: exec_allow: the kernel has no Landlock\n")
