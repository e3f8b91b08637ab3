"""The README's five steps, as somebody takes them who has an image with dumb-init: after each one the image is built, run and
stopped. Its service is the demo's, on a root file system of that one's."""
import json
import os
import re
import shutil
import subprocess
import threading

import pytest

import engine
from engine import Container, podman, wait_until

README = (engine.REPOSITORY / "README.md").read_text()
SECTION = re.search(r"^## From dumb-init to a hardened container in five steps\n(.*?)^## ", README, re.S | re.M)[1]
BEFORE = re.search(r"^```text\n(.*?)^```", SECTION, re.S | re.M)[1]
# By the number in front of it. The first is the binary itself.
STEPS = {int(number): block for number, block in re.findall(r"^(\d)\. (?:(?!^\d\. ).)*?```dockerfile\n(.*?)```", SECTION, re.S | re.M)}
NAME = f"localhost/medianest-test/steps-{os.getpid()}"
HEALTH = "http://127.0.0.1:4000/api/health"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """images(N): its name, after the steps up to N; 1 is as it was before."""
    made = tmp_path_factory.mktemp("steps")
    subprocess.run(["packaging/demo/image.sh"], cwd=engine.REPOSITORY, check=True)
    root = made / "root"
    subprocess.run(["cp", "-a", engine.REPOSITORY / "build/demo/rootfs", root], check=True)
    (root / "sbin/nest-init").unlink()
    shutil.copy("/usr/bin/dumb-init", root / "usr/bin")
    subprocess.run(["tar", "-C", root, "-cf", made / "root.tar", "."], check=True)
    podman("import", "--quiet", "--change", "WORKDIR /app/backend", "--change", "ENV PATH=/usr/bin:/sbin", made / "root.tar",
           f"{NAME}:root")
    shutil.rmtree(root)
    shutil.copy(engine.REPOSITORY / "build/release/nest-init", made)

    def build(last):
        text = BEFORE + "".join(STEPS[number] for number in range(2, last + 1))
        (made / "Dockerfile").write_text(f"FROM {NAME}:root\n{text}")
        engine.run("buildah", "build", "--format", "docker", "--pull-never", "--network", "none", "-t", f"{NAME}:{last}", made)
        return f"{NAME}:{last}"
    yield build
    podman("rmi", "--force", *[f"{NAME}:{tag}" for tag in ("root", *range(1, 6))
                               if engine.run("podman", "image", "exists", f"{NAME}:{tag}", status=None).returncode == 0])


@pytest.fixture(params=range(1, 6))
def step(request):
    return request.param


@pytest.fixture
def container(images, step):
    with Container(images(step)) as running:
        wait_until(lambda: running.curl("-f", HEALTH, status=None).returncode == 0)
        yield running


def posted(container, path):
    """(status, object) of what the service tried."""
    said = container.curl("-X", "POST", "-w", r"\n%{http_code}", f"http://127.0.0.1:4000{path}").stdout
    body, status = said.rsplit("\n", 1)
    return int(status), json.loads(body)


def test_each_of_them_changes_the_image():
    assert sorted(STEPS) == [2, 3, 4, 5]
    assert re.findall(r"^(\d)\. ", SECTION, re.M) == list("12345")


def test_the_service_runs_and_ends_well(container, step):
    assert container.exec("/usr/bin/node", "-p", "fs.readFileSync('/proc/1/comm', 'utf8')").stdout.strip() == (
        "dumb-init" if step == 1 else "nest-init")
    podman("stop", "--time", "20", container.name)
    assert container.state()["ExitCode"] == 0, container.logs()


def test_from_the_third_on_the_engine_is_answered(container, step):
    assert (engine.inspect(f"{NAME}:{step}").get("Healthcheck") is not None) == (step >= 3)
    if step >= 3:
        wait_until(container.healthy)
        assert "nest_init_ready 1" in container.curl("http://127.0.0.1:9911/metrics").stdout
        assert container.exec("/sbin/nest-init", "status").stdout
        assert "achievable here" in container.exec("/sbin/nest-init", "audit").stdout


def test_from_the_fourth_on_a_service_that_hangs_is_ended_with_a_reason(container, step):
    hangs = threading.Thread(target=container.curl, args=("http://127.0.0.1:4000/slow?ms=30000",), kwargs={"status": None})
    hangs.start()
    wait_until(lambda: "slow request begins" in container.logs())
    podman("stop", "--time", "12", container.name)
    hangs.join()
    assert container.state()["ExitCode"] == 137
    assert ("--stop-timeout (8s) has passed" in container.logs()) == (step >= 4)


def test_the_fifth_hardens(container, step):
    hardened = step == 5
    assert (posted(container, "/write?path=/app/backend/server.js")[0] == 403) == hardened
    assert posted(container, "/write?path=/app/backend/uploads/file")[0] == 201
    # Whether unshare(2) is refused is the engine's affair before, but never is unshare's execution.
    assert (posted(container, "/unshare")[1]["status"] == "EACCES") == hardened
    if hardened:
        layers = json.loads(container.exec("/sbin/nest-init", "status", "--json").stdout)["services"][0]["confinement"]
        assert {name for name, layer in layers.items() if layer["enforced"]} == {
            "user", "capabilities", "no_new_privs", "seccomp", "read_only", "exec_allow"}
        confined = container.exec("/sbin/nest-init", "exec", "--", "/sbin/nest-init", "audit", status=None)
        assert confined.returncode == 0, confined.stderr
