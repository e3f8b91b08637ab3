"""--seccomp in real containers: our profiles, Docker's and Podman's JSON, profiles of one's own, compiled ones.

Calls are made with arguments that no kernel takes, so that what answers is either the kernel (CALLS) or the filter.
"""
import hashlib
import json
import re
import signal
import subprocess

import pytest

from bundle import Container, tmpfs
from busybox import (BACKSTOP, DOCKER_CAPS, METRICS, NEST_INIT, PRIVILEGED, REPO, Outcome, but, image,  # noqa: F401
                     layers, needs_runc, run, running, status, wait_output)

pytestmark = needs_runc

STATUS = ["/bin/cat", "/proc/self/status"]
OURS = ["default", "nginx", "node"]
MARKER = "/bin/attempt create=/marker/started"
DATA = REPO / "tests/data/seccomp"

# operation: what the kernel says in a privileged container
CALLS = {
    "call=ptrace": "ESRCH", "call=keyctl": "EOPNOTSUPP", "call=bpf": "EINVAL", "call=io_uring_setup": "EFAULT",
    "call=unshare": "ok", "call=mount": "EFAULT", "call=umount2": "EFAULT", "call=pivot_root": "EFAULT",
    "call=setns": "EBADF", "call=kcmp": "EINVAL", "call=perf_event_open": "EFAULT", "call=userfaultfd": "EINVAL",
    "call=add_key": "EFAULT", "call=reboot": "EINVAL", "call=swapon": "EFAULT", "call=sethostname": "ok",
    "call=open_tree": "EINVAL", "call=clone3": "EINVAL",
    "clone=10000000": "ok", "clone=20000000": "ok",  # CLONE_NEWUSER, CLONE_NEWPID
}
WORKS = ["call=getpid", "fork", "thread", "create=/data/new", "rename=/data/new", "mkdir=/data/newdir", "bind=8080"]
FILTERED = {**dict.fromkeys(CALLS, "EPERM"), "call=clone3": "ENOSYS"}


def attempt(*operations):
    return ["/bin/attempt", *operations]


def test_without_a_profile_the_kernel_answers(image):
    """What the others are compared with."""
    assert run(image, "", attempt(*CALLS, *WORKS), caps=PRIVILEGED).answers() == {**CALLS, **dict.fromkeys(WORKS, "ok")}


@pytest.mark.parametrize("container", [{"caps": PRIVILEGED}, {}, {"caps": ()}, {"user": 1001}],
                         ids=["privileged", "default", "none", "uid 1001"])
@pytest.mark.parametrize("profile", OURS)
def test_our_profiles(image, profile, container):
    outcome = run(image, ["--seccomp", profile], attempt(*FILTERED, *WORKS), **container)
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.answers() == {**FILTERED, **dict.fromkeys(WORKS, "ok")}


def let_everybody_ping(config):
    """As Docker does."""
    config["linux"]["sysctl"]["net.ipv4.ping_group_range"] = "0 2147483647"


@pytest.mark.parametrize("profile", OURS)
def test_raw_sockets_are_refused_and_ping_works(image, profile):
    """Docker's profile leaves raw ones to CAP_NET_RAW. ping(8) takes a datagram socket, which needs no capability."""
    sockets = ["socket=2", "socket=10", "socket=17"]
    assert set(run(image, "", attempt(*sockets)).answers().values()) == {"ok"}
    assert run(image, ["--seccomp", profile], attempt(*sockets)).answers() == dict.fromkeys(sockets, "EPERM")
    ping = run(image, ["--seccomp", profile], attempt("ping"), user=1001, edit=let_everybody_ping)
    assert ping.answers() == {"ping": "ok"}


def test_what_is_newer_than_the_profile_is_enosys(image):
    """So that a libc falls back: mseal(2) is of Linux 6.10."""
    if run(image, "", attempt("call=mseal")).answers() == {"call=mseal": "ENOSYS"}:
        pytest.skip("the kernel is older than that")
    for profile in OURS:
        assert run(image, ["--seccomp", profile], attempt("call=mseal")).answers() == {"call=mseal": "ENOSYS"}


@pytest.mark.parametrize("options, mode, filters", [
    ("", "0", "0"), ("--seccomp unconfined", "0", "0"), ("--seccomp node", "2", "1"), ("--seccomp=default", "2", "1"),
    ("--seccomp node --user 1001 --cap-drop all --read-only=landlock", "2", "1"),
])
def test_the_filter_is_in_force(image, options, mode, filters):
    process = run(image, options, STATUS).process()
    assert (process["Seccomp"], process["Seccomp_filters"]) == (mode, filters)


def test_the_filter_comes_on_top_of_the_runtime_s(image):
    runtime = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
               "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2}]}
    outcome = run(image, "--seccomp node", ["/bin/sh", "-c", "cat /proc/self/status; attempt mkdir=/data/newdir call=unshare"],
                  seccomp=runtime)
    assert outcome.process()["Seccomp_filters"] == "2"
    assert outcome.answers()["mkdir=/data/newdir"] == "ENOENT"
    assert outcome.answers()["call=unshare"] == "EPERM"


CANNOT_LOAD = "seccomp: cannot load profile node: Permission denied (it needs no_new_privs or CAP_SYS_ADMIN)"


@pytest.mark.parametrize("options, container", [
    ("", {}), ("", {"caps": ()}), ("", {"user": 1001}),
    ("--cap-drop all", {"caps": PRIVILEGED}), ("--user 1001", {"caps": PRIVILEGED}),
])
def test_without_no_new_privs_a_filter_needs_sys_admin(image, options, container):
    options = f"--seccomp node --no-new-privs=no {options}"
    refused = run(image, options, MARKER, **container)
    assert (refused.status, refused.output, refused.errors) == (125, "", f"nest-init: {CANNOT_LOAD}\n")
    with running(image, f"--best-effort {options}", MARKER + " wait", **container) as c:
        outcome = wait_output(c, "started: ok\n", CANNOT_LOAD)
        assert outcome.errors == f"nest-init: warning: not in force: {CANNOT_LOAD}\n"
        assert layers(c)["seccomp"] == "asked"


def test_without_no_new_privs_with_sys_admin(image):
    process = run(image, "--seccomp node --no-new-privs=no", STATUS, caps=PRIVILEGED).process()
    assert (process["Seccomp"], process["NoNewPrivs"]) == ("2", "0")


@pytest.mark.parametrize("profile", OURS)
def test_status_and_metrics_name_the_profile(image, profile):
    compiled = subprocess.run([NEST_INIT, "seccomp", "compile", profile, "-o", "-"], capture_output=True, check=True)
    with running(image, ["--seccomp", profile], "/bin/sleep 1000") as c:
        assert layers(c) == but(seccomp="in force")
        assert status(c)["seccomp"] == {"requested": True, "enforced": True, "profile": profile,
                                        "default_action": "SCMP_ACT_ERRNO"}
        info, = re.findall(r"^nest_init_seccomp_info\{(.*)\} 1$", c.http(f"http://{METRICS}/metrics").text, re.M)
        labels = dict(re.findall(r'(\w+)="([^"]*)"', info))
        assert (labels["profile"], labels["sha256"]) == (profile, hashlib.sha256(compiled.stdout).hexdigest())


# --- files --------------------------------------------------------------------------------------------------------

def run_file(image, tmp_path, content, command, options="", **configuration):
    """With --seccomp /profile.json of that content, a text or what is to be JSON."""
    profile = tmp_path / "profile.json"
    if isinstance(content, bytes):
        profile.write_bytes(content)
    else:
        profile.write_text(content if isinstance(content, str) else json.dumps(content))
    return run(image, ["--seccomp", "/profile.json", *options.split()], command, files={"/profile.json": profile},
               **configuration)


def deny(*names, **rule):
    return {"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO", **rule}]}


def test_docker_s_profile(image, tmp_path):
    """Its includes and excludes are asked about the bounding set that the workload will have."""
    content = (DATA / "docker-default.json").read_bytes()
    asked = ["call=mount", "call=unshare", "call=clone3", "clone=10000000", "call=keyctl", "call=ptrace", "call=reboot",
             "call=userfaultfd", *WORKS]
    denied = {"call=mount": "EPERM", "call=unshare": "EPERM", "call=clone3": "ENOSYS", "clone=10000000": "EPERM",
              "call=keyctl": "EPERM", "call=ptrace": "ESRCH", "call=reboot": "EPERM", "call=userfaultfd": "EPERM",
              **dict.fromkeys(WORKS, "ok")}
    # Names that are newer than the libseccomp we are built with are told, in one line.
    warning = re.compile(r"(nest-init: warning: /profile\.json:\d+:\d+: syscalls that libseccomp does not know: [a-z0-9_, ]+\n)?")
    for options, container, expected in (
            ("", {}, denied), ("--cap-drop all", {"caps": PRIVILEGED}, denied),
            ("", {"caps": PRIVILEGED}, {**denied, "call=mount": "EFAULT", "call=unshare": "ok", "call=clone3": "EINVAL",
                                        "clone=10000000": "ok", "call=reboot": "EINVAL"})):
        outcome = run_file(image, tmp_path, content, attempt(*asked), options, **container)
        assert outcome.status == 0
        assert warning.fullmatch(outcome.errors)
        assert outcome.answers() == expected


def test_podman_s_profile(image, tmp_path):
    content = (DATA / "containers-default.json").read_bytes()
    asked = ["call=mount", "call=keyctl", "call=clone3", "call=kcmp", "call=swapon", "call=mseal"]
    allowed = {"call=mount": "EFAULT", "call=keyctl": "EOPNOTSUPP", "call=clone3": "EINVAL", "call=swapon": "EPERM",
               "call=mseal": "ENOSYS", **dict.fromkeys(WORKS, "ok")}
    for container, kcmp in ({}, "EPERM"), ({"caps": PRIVILEGED}, "EINVAL"):
        outcome = run_file(image, tmp_path, content, attempt(*asked, *WORKS), **container)
        assert outcome.status == 0
        assert outcome.answers() == {**allowed, "call=kcmp": kcmp}


def test_a_profile_of_one_s_own(image, tmp_path):
    outcome = run_file(image, tmp_path, deny("mkdir", "mkdirat", errnoRet=28), attempt("mkdir=/data/newdir", *CALLS), caps=PRIVILEGED)
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.answers() == {"mkdir=/data/newdir": "ENOSPC", **CALLS}


def test_errno_is_eperm_unless_the_rule_says(image, tmp_path):
    assert run_file(image, tmp_path, deny("mkdir", "mkdirat"), attempt("mkdir=/data/newdir")).output == "mkdir=/data/newdir: EPERM\n"


@pytest.mark.parametrize("action, answer", [("ERRNO", "ERRNO(EPERM)"), ("KILL_PROCESS", "KILL_PROCESS"), ("TRAP", "TRAP")])
@pytest.mark.parametrize("allowed, refused", [(["exit_group", "read"], "execve"), (["execve", "exit"], "exit_group")])
@pytest.mark.parametrize("way", ["run", "exec"])
def test_a_profile_under_which_nothing_starts_is_refused(tmp_path, way, action, answer, allowed, refused):
    """Its child could neither execute, nor tell, nor end: it ran for ever."""
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"defaultAction": f"SCMP_ACT_{action}",
                                "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]}))
    words = [NEST_INIT, *(["exec"] if way == "exec" else []), "--seccomp", path, "--", "true"]
    shown = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (shown.returncode, shown.stdout, shown.stderr) == (
        125, "", f"nest-init: seccomp: {path} answers {answer} to {refused}: no program could run under it; allow that\n")


def test_an_argument_decides(image, tmp_path):
    rule = deny("clone", args=[{"index": 0, "value": 0x20000000, "valueTwo": 0x20000000, "op": "SCMP_CMP_MASKED_EQ"}])
    outcome = run_file(image, tmp_path, rule, attempt("clone=10000000", "clone=20000000", "fork"), caps=PRIVILEGED)
    assert outcome.answers() == {"clone=10000000": "ok", "clone=20000000": "EPERM", "fork": "ok"}


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_TRAP"])
def test_a_kill_is_the_workload_s_status(image, tmp_path, action):
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": action}]}
    outcome = run_file(image, tmp_path, profile, attempt("create=/data/new", "mkdir=/data/newdir"))
    assert (outcome.status, outcome.output) == (128 + 31, "create=/data/new: ok\n")  # SIGSYS


@pytest.mark.parametrize("subcommand", [[], ["exec"]])
def test_a_profile_that_denies_even_the_end_ends_the_start(tmp_path, subcommand):
    """By a trap, where a rule of arguments denies it: a libc tries exit_group(2) for ever."""
    rules = [{"names": ["exit_group"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_NE"}]}]
    (tmp_path / "p.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}))
    done = subprocess.run([NEST_INIT, *subcommand, "--seccomp", tmp_path / "p.json", "--", "/no/such"], timeout=BACKSTOP)
    assert done.returncode in (128 + signal.SIGILL, 128 + signal.SIGTRAP, -signal.SIGILL, -signal.SIGTRAP)


def test_an_unknown_syscall_is_a_warning_that_names_it(image, tmp_path):
    text = ('{"defaultAction": "SCMP_ACT_ALLOW",\n "syscalls": [{"names": ["mkdir", "frobnicate", "mkdirat",\n'
            '  "uprobe_the_moon"], "action": "SCMP_ACT_ERRNO"}]}')
    outcome = run_file(image, tmp_path, text, attempt("mkdir=/data/newdir"))
    assert (outcome.status, outcome.output) == (0, "mkdir=/data/newdir: EPERM\n")
    assert outcome.errors == ("nest-init: warning: /profile.json:2:35: syscalls that libseccomp does not know: "
                              "frobnicate, uprobe_the_moon\n")


def test_a_compiled_profile(image, tmp_path):
    """What `seccomp compile` writes does what the JSON does."""
    source, compiled = tmp_path / "source.json", tmp_path / "compiled.bpf"
    source.write_text(json.dumps(deny("mkdir", "mkdirat", errnoRet=28)))
    subprocess.run([NEST_INIT, "seccomp", "compile", source, "-o", compiled], check=True)
    outcome = run_file(image, tmp_path, compiled.read_bytes(), attempt("mkdir=/data/newdir", "create=/data/new"))
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.answers() == {"mkdir=/data/newdir": "ENOSPC", "create=/data/new": "ok"}


def test_a_file_of_the_name_of_a_profile_needs_a_slash(image, tmp_path):
    """The embedded one is meant, whatever lies in the working directory."""
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(deny("mkdir", "mkdirat", errnoRet=28)))
    command = attempt("mkdir=/data/newdir", "call=unshare")
    files = {"/node": profile}
    assert run(image, "--seccomp node", command, files=files).answers() == {"mkdir=/data/newdir": "ok", "call=unshare": "EPERM"}
    assert run(image, "--seccomp ./node", command, files=files, caps=PRIVILEGED).answers() == {
        "mkdir=/data/newdir": "ENOSPC", "call=unshare": "ok"}


def test_the_profile_is_read_before_anything_is_confined(image, tmp_path):
    """By root, who may read it, though the workload may not."""
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(deny("mkdir", "mkdirat", errnoRet=28)))
    profile.chmod(0o600)
    outcome = run(image, "--user 1001 --cap-drop all --read-only --writable /data --seccomp /profile.json",
                  attempt("mkdir=/data/newdir", "read=/profile.json", "create=/data/new"), files={"/profile.json": profile})
    assert outcome.answers() == {"mkdir=/data/newdir": "ENOSPC", "read=/profile.json": "EACCES", "create=/data/new": "ok"}


def test_a_file_shows_in_status(image, tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(deny("mkdir", "mkdirat")))
    with running(image, "--seccomp /profile.json", "/bin/sleep 1000", files={"/profile.json": profile}) as c:
        assert layers(c) == but(seccomp="in force")
        said = status(c)["seccomp"]
        assert (said["profile"], said["default_action"]) == ("/profile.json", "SCMP_ACT_ALLOW")


# --- Node ---------------------------------------------------------------------------------------------------------

SERVICE = r"""
const http = require('http'), net = require('net'), fs = require('fs'), dns = require('dns').promises;
const zlib = require('zlib'), crypto = require('crypto');
const { execFile, spawn, fork } = require('child_process'), { Worker, isMainThread, parentPort } = require('worker_threads');
const { promisify } = require('util'), { once } = require('events');

if (process.send) { process.send(6 * 7); process.disconnect(); return; }
if (!isMainThread) { parentPort.postMessage(6 * 7); return; }

const trials = {
  async http() {
    const server = http.createServer((request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const body = await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text();
    server.closeAllConnections(); server.close();
    return body;
  },
  async unix_socket() {
    const server = net.createServer((socket) => socket.end('hello')).listen('/tmp/socket');
    await once(server, 'listening');
    const [data] = await once(net.connect('/tmp/socket'), 'data');
    server.close();
    return String(data);
  },
  async child_process() {
    const { stdout } = await promisify(execFile)(process.execPath, ['-p', '6 * 7']);
    return stdout.trim();
  },
  async spawn() {
    const child = spawn(process.execPath, ['-e', 'process.exitCode = 7; process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
    child.stdin.end();
    return (await once(child, 'exit'))[0];
  },
  async kill() {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(child, 'spawn');
    child.kill('SIGTERM');
    return (await once(child, 'exit'))[1];
  },
  async fork() { return (await once(fork(__filename), 'message'))[0]; },
  async worker_threads() { return (await once(new Worker(__filename), 'message'))[0]; },
  async watch() {
    fs.mkdirSync('/tmp/watched');
    const watcher = fs.watch('/tmp/watched');
    setImmediate(() => fs.writeFileSync('/tmp/watched/file', 'x'));
    const [, name] = await once(watcher, 'change');
    watcher.close();
    return name;
  },
  async dns() { return (await dns.lookup('localhost', { family: 4 })).address; },
  async files() {
    const p = fs.promises;
    await p.writeFile('/tmp/a', 'x'.repeat(100000));
    await p.copyFile('/tmp/a', '/tmp/b'); await p.rename('/tmp/b', '/tmp/c'); await p.symlink('/tmp/c', '/tmp/d');
    await p.chmod('/tmp/c', 0o600); await p.utimes('/tmp/c', 1, 1); await p.truncate('/tmp/c', 10); await p.link('/tmp/c', '/tmp/e');
    const handle = await p.open('/tmp/c', 'r+'); await handle.sync(); await handle.datasync(); await handle.close();
    await p.mkdtemp('/tmp/x-'); await p.rm('/tmp/d'); await p.readdir('/tmp'); await p.access('/tmp/c');
    return (await p.stat('/tmp/e')).size;
  },
  async threadpool() {
    const key = await promisify(crypto.scrypt)('secret', 'salt', 16);
    return (await promisify(zlib.gunzip)(await promisify(zlib.gzip)(key))).equals(key);
  },
  async signals() {
    const signal = once(process, "SIGUSR2");
    process.kill(process.pid, "SIGUSR2");
    return (await signal)[0];
  },
  async memory() { return process.memoryUsage().rss > 0 && require('os').cpus().length > 0 && require('os').hostname(); },
  async root_is_read_only() { try { fs.writeFileSync('/new', ''); } catch (error) { return error.code; } },
  async denied() {
    const child = spawn('/usr/bin/unshare', ['--user', '/usr/bin/unshare', '--version'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let message = '';
    child.stderr.on('data', (data) => { message += data; });
    await once(child, 'close');
    return message.trim();
  },
};

(async () => {
  const alive = setInterval(() => {}, 1000);  // a signal that is waited for keeps nothing alive
  for (const [name, trial] of Object.entries(trials)) {
    let said;
    try { said = await trial(); } catch (error) { said = `${error}`; }
    console.log(JSON.stringify([name, said]));
  }
  clearInterval(alive);
})();
"""

SAID = {"http": "hello", "unix_socket": "hello", "child_process": "42", "spawn": 7, "kill": "SIGTERM", "fork": 42,
        "worker_threads": 42, "watch": "file", "dns": "127.0.0.1", "files": 10, "threadpool": True, "signals": "SIGUSR2",
        "memory": "nest", "root_is_read_only": "EACCES", "denied": "unshare: unshare failed: Operation not permitted"}


@pytest.fixture(scope="session")
def node_image():
    rootfs = REPO / "build/demo/rootfs"
    if not (rootfs / "usr/bin/node").exists():
        subprocess.run(["sh", "packaging/demo/image.sh"], cwd=REPO, check=True)
    return rootfs


@pytest.mark.parametrize("options, user", [
    (["--seccomp", "node", "--user", "1001", "--cap-drop", "all", "--read-only", "--tmpfs", "/tmp"], 0),
    (["--seccomp", "default", "--cap-drop", "all", "--read-only", "--tmpfs", "/tmp"], 0),
    (["--seccomp", "/docker.json", "--read-only", "--tmpfs", "/tmp"], 1001),
], ids=["node", "default", "docker's JSON"])
def test_node(node_image, tmp_path, options, user):
    """What a service does, and more; and what it may not do is refused with the error that it expects."""
    (tmp_path / "service.js").write_text(SERVICE)
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    with Container(["/sbin/nest-init", *options, "--", "/usr/bin/node", "/service.js"], node_image, user=user,
                   mounts=[tmpfs("/tmp")], files={"/sbin/nest-init": NEST_INIT, "/service.js": tmp_path / "service.js",
                                                  "/etc/hosts": tmp_path / "hosts",
                                                  "/docker.json": DATA / "docker-default.json"}) as c:
        outcome = Outcome(c.wait(60), c.output(), c.errors())
    assert dict(map(json.loads, outcome.output.splitlines())) == SAID
    assert outcome.status == 0
    assert [line for line in outcome.lines() if not line.startswith("nest-init: warning: /docker.json:")] == []
