"""The README's five steps, taken from its text and run: the image of the demo with the README's lines in front."""

import json
import re
import shlex
import subprocess
from pathlib import Path

from bundle import Container

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
HARDENED = {"user", "capabilities", "no_new_privs", "seccomp", "read_only", "exec_allow"}


def dockerfile_lines():
    """The instructions of all ```dockerfile blocks, in order."""
    blocks = re.findall(r"^ *```dockerfile\n(.*?)^ *```", README, re.S | re.M)
    return [line.strip().split(" ", 1) for block in blocks for line in block.strip().splitlines()]


def instruction(name):
    return [value for key, value in dockerfile_lines() if key == name]


def environment():
    return [assignment for value in instruction("ENV") for assignment in shlex.split(value)]


def image():
    subprocess.run(["packaging/demo/image.sh"], cwd=ROOT, check=True)
    return ROOT / "build/demo/rootfs"


def test_the_five_steps_of_the_readme_confine_answer_and_stop_a_service():
    command = json.loads(instruction("ENTRYPOINT")[0]) + json.loads(instruction("CMD")[0])
    healthcheck = json.loads(instruction("HEALTHCHECK")[0].split("CMD ", 1)[1])
    with Container(command, rootfs=image(), env=environment(), cwd="/app/backend") as container:
        container.wait_http("http://127.0.0.1:9911/readyz")
        health = container.exec(*healthcheck)
        assert (health.returncode, health.stdout) == (0, "ready\n"), container.errors()
        status = json.loads(container.exec("/sbin/nest-init", "status", "--json").stdout)
        asked = {layer for layer, state in status["services"][0]["confinement"].items() if state["requested"]}
        in_force = {layer for layer, state in status["services"][0]["confinement"].items() if state["enforced"]}
        assert asked == in_force == HARDENED
        container.kill("TERM")
        assert container.wait() == 0, container.errors()


def test_the_file_of_the_readme_says_what_the_five_steps_do(tmp_path):
    """And a little more, which is in force as well."""
    text = re.findall(r"^```json\n(.*?)^```", README, re.S | re.M)[0]
    path = tmp_path / "nest-init.json"
    path.write_text(text)
    with Container(["/sbin/nest-init"], rootfs=image(), files={"/etc/nest-init.json": path}, cwd="/app/backend") as container:
        container.wait_http("http://127.0.0.1:9911/readyz")
        status = json.loads(container.exec("/sbin/nest-init", "status", "--json").stdout)
        in_force = {layer for layer, state in status["services"][0]["confinement"].items() if state["enforced"]}
        assert in_force == HARDENED | {"limits"}
        assert [check["name"] for check in status["checks"]] == ["api"]
        container.kill("TERM")
        assert container.wait() == 0, container.errors()


def test_the_binary_goes_where_the_readme_copies_it():
    assert instruction("COPY") == ["nest-init /sbin/nest-init"]
    assert json.loads(instruction("ENTRYPOINT")[0])[0] == "/sbin/nest-init"
