"""${memory.limit} in a container's configuration: what real programs make of it, and what their cgroups say."""
import contextlib
import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from busybox import NEST_INIT, image, needs_runc, wait_until  # noqa: F401
from bundle import Container
from test_seccomp import node_image  # noqa: F401

pytestmark = needs_runc
FILE = "/etc/nest-init.json"
MEMORY = Path("/sys/fs/cgroup/memory")
MIB = 1 << 20
numbers = itertools.count()
needs_version_1 = pytest.mark.skipif(not (MEMORY / "memory.limit_in_bytes").exists(), reason="needs cgroup version 1")


def file_of(tmp_path, command, variables):
    path = tmp_path / "nest-init.json"
    path.write_text(json.dumps({"services": {"main": {"command": command, "environment": variables}}}))
    return path


def environment(image, tmp_path, variables, **options):
    """Status, {name: value}, standard error."""
    path = file_of(tmp_path, ["/bin/sh", "-c", "env"], variables)
    with Container(["/nest-init"], image, files={FILE: path}, **options) as c:
        status = c.wait()
        lines = dict(line.split("=", 1) for line in c.output().splitlines())
        return status, {name: lines.get(name) for name in variables}, c.errors()


def test_the_heap_of_node_follows_the_limit(node_image, tmp_path):  # noqa: F811
    """Beside the old space it has the young generation: three semi-spaces of 16 MiB at the most."""
    script = "console.log(require('v8').getHeapStatistics().heap_size_limit)"
    path = file_of(tmp_path, ["/usr/bin/node", "-e", script],
                   {"NODE_OPTIONS": "--max-old-space-size=${memory.limit * 75% / 1MiB}"})
    said = {}
    for limit in (256, 512, 1024):
        with Container(["/sbin/nest-init"], node_image, files={FILE: path, "/sbin/nest-init": NEST_INIT},
                       memory=limit * MIB) as c:
            assert c.wait(60) == 0, c.errors()
            said[limit] = int(c.output()) / MIB
    assert all(limit * 3 / 4 <= heap <= limit * 3 / 4 + 64 for limit, heap in said.items()), said


def test_examples_of_the_readme(image, tmp_path):  # noqa: F811
    variables = {"NODE_OPTIONS": "--max-old-space-size=${memory.limit * 75% / 1MiB}",
                 "GOMEMLIMIT": "${memory.limit * 90%}",
                 "JAVA_TOOL_OPTIONS": "-Xmx${(memory.limit - 64MiB) * 75% / 1MiB}m"}
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    assert all(f'"{name}": "{value}"' in readme for name, value in variables.items())
    assert environment(image, tmp_path, variables, memory=512 * MIB) == (
        0, {"NODE_OPTIONS": "--max-old-space-size=384", "GOMEMLIMIT": str(512 * MIB * 9 // 10),
            "JAVA_TOOL_OPTIONS": "-Xmx336m"}, "")


def test_options_and_variables_compute_as_well(image, tmp_path):  # noqa: F811
    """And the monitor, whose configuration is the same, need not do it again."""
    path = file_of(tmp_path, ["/bin/false"], {"A": "file", "B": "${memory.limit / 1MiB}"})
    script = "echo $A $B $C $D; exec sleep 1000"
    with Container(["/nest-init", "--env", "A=${memory.limit * 90%}", "--metrics", "127.0.0.1:9911", "--", "/bin/sh", "-c", script],
                   image, files={FILE: path}, env=["NEST_INIT_ENV=C=no D=no", "C=engine"], memory=512 * MIB) as c:
        c.wait_http("http://127.0.0.1:9911/readyz")
        wait_until(lambda: c.output() == f"{512 * MIB * 9 // 10} 512 engine\n")
    with Container(["/nest-init", "--metrics", "127.0.0.1:9911", "--", "/bin/sh", "-c", script], image,
                   env=["NEST_INIT_ENV=A=${memory.limit*50%} D=d", "C=engine"], memory=512 * MIB) as c:
        c.wait_http("http://127.0.0.1:9911/readyz")
        wait_until(lambda: c.output() == f"{256 * MIB} engine d\n")


def has_no_limit_here():
    return int((MEMORY / "memory.stat").read_text().split("hierarchical_memory_limit ")[1].split()[0]) > 1 << 62


@needs_version_1
@pytest.mark.skipif("not has_no_limit_here()", reason="the machine itself is limited")
def test_without_a_limit_the_default_counts_or_the_start_is_refused(image, tmp_path):  # noqa: F811
    status, said, _ = environment(image, tmp_path, {"A": "${memory.limit:-2GiB / 1MiB}", "B": "${memory.limit:-memory.total}"})
    assert (status, said["A"]) == (0, "2048")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert int(said["B"]) == total
    path = file_of(tmp_path, ["/bin/true"], {"A": "${memory.limit / 2}"})
    with Container(["/nest-init"], image, files={FILE: path}) as c:
        assert (c.wait(), c.errors()) == (125, f"nest-init: {FILE}:1:71: services.main.environment.A: '${{memory.limit / 2}}' "
                                          "at 'memory.limit / 2}': this container has no memory limit: give it one, or write "
                                          "memory.limit:-SIZE\n")


@contextlib.contextmanager
def group(name, limit):
    path = MEMORY / name
    path.mkdir()
    try:
        (path / "memory.limit_in_bytes").write_text(str(limit))
        yield path
    finally:
        for left in Path("/sys/fs/cgroup").glob(f"*/{name}"):  # the runtime makes it in every hierarchy
            left.rmdir()


@needs_version_1
@pytest.mark.parametrize("outer, inner", [(256, 512), (512, 256), (256, None)])
def test_the_smallest_limit_on_the_way_counts(image, tmp_path, outer, inner):  # noqa: F811
    name = f"nest-{os.getpid()}-memory-{next(numbers)}"

    def move(config):
        config["linux"]["cgroupsPath"] = f"/{name}/inner"

    with group(name, outer * MIB):
        status, said, errors = environment(image, tmp_path, {"A": "${memory.limit / 1MiB}"}, edit=move,
                                           memory=inner and inner * MIB)
    assert (status, said, errors) == (0, {"A": "256"}, "")


def test_no_more_than_the_machine_has(image, tmp_path):  # noqa: F811
    status, said, errors = environment(image, tmp_path, {"A": "${memory.limit:-memory.total - memory.total}"}, memory=1 << 50)
    assert (status, said, errors) == (0, {"A": "0"}, "")


def test_check_computes_and_warns_of_what_a_start_needs(tmp_path):
    """Nothing is started: a limit that is missing here is none of the file's faults."""
    path = file_of(tmp_path, ["/bin/true"], {"A": "${1 + memory.total - memory.total}", "B": "${memory.limt}"})
    done = subprocess.run([NEST_INIT, "check", path], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        1, f"{path}:1:114: services.main.environment.B: '${{memory.limt}}' at 'memory.limt}}': expected a number, a size such "
           "as 64MiB, memory.limit, memory.total, min(, max( or (\n")
    path = file_of(tmp_path, ["/bin/true"], {"A": "${1 + memory.total - memory.total}"})
    done = subprocess.run([NEST_INIT, "check", "--print", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and json.loads(done.stdout)["services"]["main"]["environment"] == {"A": "1"}


@pytest.mark.skipif(shutil.which("java") is None, reason="needs java")
def test_java_takes_it(tmp_path):
    """On the machine itself: an image with a Java would be a large one."""
    path = file_of(tmp_path, ["java", "-XX:+PrintFlagsFinal", "-version"], {"JAVA_TOOL_OPTIONS": "-Xmx${min(memory.total, 128MiB) / 1MiB}m"})
    done = subprocess.run([NEST_INIT, "--config", path], capture_output=True, text=True, timeout=60)
    [line] = [line for line in done.stdout.splitlines() if " MaxHeapSize " in line]
    assert line.split()[3] == str(128 * MIB)
