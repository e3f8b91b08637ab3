"""--tcp-bind and --tcp-connect: which ports of TCP a workload may use, by Landlock (ABI 4)."""
import json
import shutil

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
