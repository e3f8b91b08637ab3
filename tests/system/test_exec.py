"""nest-init exec: confined as a run is, and then the command itself: no supervision, no process that stays."""
import json
import os
import subprocess

import pytest

from busybox import (DOCKER_CAPS, NEST_INIT, PRIVILEGED, bits, image, needs_runc, running, status, wait_until)  # noqa: F401
from bundle import Container

pytestmark = needs_runc


def execute(image, *words, **configuration):
    """nest-init exec as PID 1 of a container: status, output, errors."""
    with Container(["/nest-init", "exec", *words], image, **configuration) as c:
        return c.wait(), c.output(), c.errors()


def process(text):
    return {line.split(":")[0]: " ".join(line.split(":")[1].split()) for line in text.splitlines() if ":" in line}


def test_it_becomes_the_command(image):
    """In place: the command is PID 1 itself, and has no child that it did not make."""
    assert execute(image, "--", "/bin/sh", "-c", "echo $$ $PPID /proc/[0-9]*; exit 7") == (7, "1 0 /proc/1\n", "")
    assert execute(image, "/bin/sh", "-c", "kill -9 $$; exit 3")[0] == 3  # PID 1 cannot kill itself: it is the shell


def test_the_remedy_of_who_has_joined_a_container(image):
    """docker exec --user, where the variables drop capabilities: the container has them already."""
    with running(image, "", "/bin/sleep 1000") as c:
        joined = c.exec("/nest-init", "exec", "--", "/bin/attempt", "root", user=1001, env={"NEST_INIT_CAP_DROP": "all"})
        assert joined.stderr == ("nest-init: capabilities: cannot drop chown from the bounding set without CAP_SETPCAP "
                                 "(docker exec without --user, and --user here)\n")
    assert execute(image, "--cap-drop", "all", "/bin/attempt", "root", user=1001) == (
        125, "", "nest-init: capabilities: cannot drop chown from the bounding set without CAP_SETPCAP "
                 "(start the container with --cap-drop, or as root with --user here)\n")


def test_every_protection_is_in_force(image):
    code, output, errors = execute(
        image, "--user", "app", "--group-add", "4242", "--cap-drop", "all", "--cap-add", "kill", "--seccomp", "node",
        "--read-only", "--writable", "/data", "--ulimit", "nofile=99", "--umask", "027", "--workdir", "/data", "--",
        "/bin/sh", "-c", "cat /proc/self/status; pwd; umask; ulimit -n; echo $HOME; /bin/attempt create=new create=/scratch/new")
    assert (code, errors) == (0, "")
    found = process(output)
    assert found["Uid"] == "1001 1001 1001 1001" and set(found["Groups"].split()) == {"44", "50", "4242"}
    assert [found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [bits("kill")] * 5
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    assert output.endswith("/data\n0027\n99\n/home/app\ncreate=new: ok\ncreate=/scratch/new: EACCES\n")


@pytest.mark.parametrize("words, expected, sentence", [
    (["--", "/nope"], 127, "/nope: not found"),
    (["nope"], 127, "nope: not found in PATH"),
    (["/etc/passwd"], 126, "/etc/passwd: permission denied: it has no execute bit (chmod +x)"),
    (["--user", "nobody", "/bin/sh"], 125, "user: user 'nobody' is not in /etc/passwd: add it to the image or give a number"),
    (["--read-only=verify", "/bin/sh"], 125, "read_only: the root file system is writable (start the container with --read-only)"),
    (["--drain", "1s", "/bin/sh"], 125, "--drain: nest-init exec supervises nothing"),
    (["--ready=tcp://a:1", "/bin/sh"], 125, "--ready: nest-init exec supervises nothing"),
    (["--metrics", "nonsense", "/bin/sh"], 125, "--metrics: nest-init exec supervises nothing"),
    (["--usr", "x"], 125, "unknown option '--usr': did you mean --user?"),
    ([], 125, "no command given: nest-init exec [OPTION...] [--] COMMAND [ARG...]"),
])
def test_refusals_have_the_statuses_of_a_run(image, words, expected, sentence):
    assert execute(image, *words) == (expected, "", f"nest-init: {sentence}\n")


def test_best_effort_warns(image):
    code, output, errors = execute(image, "--best-effort", "--user", "1002:1002", "/bin/cat", "/proc/self/status", user=1001)
    assert (code, process(output)["Uid"].split()[0]) == (0, "1001")
    assert errors == ("nest-init: warning: not in force: user: cannot become group 1002: Operation not permitted "
                      "(it needs CAP_SETGID)\n")


@pytest.mark.parametrize("caps", [DOCKER_CAPS, PRIVILEGED], ids=["default", "privileged"])
def test_docker_exec_gets_the_policy_of_the_container(image, caps):
    """All by variables, those of the supervision too."""
    env = {"NEST_INIT_USER": "app", "NEST_INIT_CAP_DROP": "all", "NEST_INIT_SECCOMP": "node", "NEST_INIT_READ_ONLY": "auto",
           "NEST_INIT_WRITABLE": "/data", "NEST_INIT_ULIMIT": "nofile=99:199", "NEST_INIT_UMASK": "027",
           "NEST_INIT_DRAIN": "1s", "NEST_INIT_STOP_TIMEOUT": "8s", "NEST_INIT_HEALTH_RETRIES": "3"}
    keys = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
            "Seccomp_filters", "Umask")
    with running(image, "", "/bin/sleep 1000", env=env, caps=caps) as c:
        wait_until(lambda: status(c)["read_only"]["enforced"])
        [service] = [pid for pid in open(f"/proc/{c.pid}/task/{c.pid}/children").read().split()
                     if open(f"/proc/{pid}/cmdline").read().startswith("/bin/sleep")]
        outcome = c.exec("/nest-init", "exec", "--", "/bin/sh", "-c",
                         "cat /proc/self/status /proc/self/limits; /bin/attempt create=/scratch/new create=/data/new")
        assert (outcome.returncode, outcome.stderr) == (0, "")
        found, services = process(outcome.stdout), process(open(f"/proc/{service}/status").read())
        assert {key: found[key] for key in keys} == {key: services[key] for key in keys}
        assert "Max open files            99                   199" in outcome.stdout
        refusal = "EROFS" if caps is PRIVILEGED else "EACCES"
        assert outcome.stdout.endswith(f"create=/scratch/new: {refusal}\ncreate=/data/new: ok\n")


def test_a_misspelt_variable_is_refused_here_too(image):
    assert execute(image, "/bin/sh", env={"NEST_INIT_CAPDROP": "all"}) == (
        125, "", "nest-init: unknown variable NEST_INIT_CAPDROP: did you mean NEST_INIT_CAP_DROP?\n")


def test_in_place_of_gosu():
    """On any machine, not as PID 1, and with a descriptor and a variable that pass unchanged."""
    reader, writer = os.pipe()
    done = subprocess.run([NEST_INIT, "exec", "--user", "65534:65534", "bash", "-c", f"echo $(id -u):$(id -g):$X >&{writer}"],
                          pass_fds=[writer], env={"PATH": os.environ["PATH"], "X": "y z"}, check=True)
    os.close(writer)
    assert done.returncode == 0
    with os.fdopen(reader) as text:
        assert text.read() == "65534:65534:y z\n"


# Each has a umask of its own, by which it is known.
SEVERAL = {"services": {"web": {"command": ["/bin/sh", "-c", "umask"], "umask": "021"},
                        "worker": {"command": ["/bin/sh", "-c", "umask"], "umask": "022", "user": "app",
                                   "capabilities": {"drop": ["all"]}, "environment": {"WHO": "worker"}}},
           "tasks": {"migrate": {"command": ["/bin/true"], "umask": "023", "before": ["web"]}},
           "secrets": {"TOKEN": {"file": "/token", "services": ["worker"]}}}


@pytest.fixture
def several(tmp_path):
    def files(content=SEVERAL):
        (tmp_path / "c.json").write_text(json.dumps(content))
        (tmp_path / "token").write_text("swordfish\n")
        return {"/etc/nest-init.json": tmp_path / "c.json", "/token": tmp_path / "token"}
    return files


@pytest.mark.parametrize("name, umask", [("web", "0021"), ("worker", "0022"), ("migrate", "0023")])
def test_of_several_services_one_is_named(image, several, name, umask):
    assert execute(image, "--service", name, "--", "/bin/sh", "-c", "umask", files=several()) == (0, f"{umask}\n", "")
    assert execute(image, f"--service={name}", "/bin/sh", "-c", "umask", files=several()) == (0, f"{umask}\n", "")


def test_it_is_confined_as_that_one_and_has_what_that_one_has(image, several):
    code, output, errors = execute(image, "--service", "worker", "--", "/bin/sh", "-c",
                                   'cat /proc/self/status; echo "$WHO $TOKEN"', files=several())
    found = process(output)
    assert (code, errors, found["Uid"].split()[0], found["CapBnd"]) == (0, "", "1001", "0" * 16)
    assert output.endswith("\nworker swordfish\n")
    assert execute(image, "--service", "web", "--", "/bin/sh", "-c", 'echo "$WHO$TOKEN"', files=several()) == (0, "\n", "")


def test_without_a_command_it_is_that_ones_own(image, several):
    assert execute(image, "--service", "worker", files=several()) == (0, "0022\n", "")


def test_the_only_service_needs_no_name_and_tasks_do_not_count(image, several):
    one = {**SEVERAL, "services": {"worker": SEVERAL["services"]["worker"]},
           "tasks": {"migrate": {"command": ["/bin/true"], "umask": "023", "before": ["worker"]}}}
    assert execute(image, "--", "/bin/sh", "-c", "umask", files=several(one)) == (0, "0022\n", "")


@pytest.mark.parametrize("words, sentence", [
    (["--", "/bin/sh"], "there are several services, so say whose confinement it is to be: --service NAME (web, worker, migrate)"),
    (["--service", "wob", "--", "/bin/sh"], "no service is called 'wob': did you mean 'web'?"),
    (["--service"], "--service: a value is missing"),
])
def test_whose_confinement_it_is_must_be_plain(image, several, words, sentence):
    assert execute(image, *words, files=several()) == (125, "", f"nest-init: {sentence}\n")
