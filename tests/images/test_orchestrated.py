"""Each service's own image, as each orchestrator's files start it: that user, those variables, a read-only root, no capability.

What the files say is read by tests/system/orchestrators.py; the engine is podman here, whoever it is there.
"""
import pytest

from engine import Container, podman, wait_until
from orchestrators import EVERYWHERE, SERVICES, STAGE, job, kubectl, modules, rendered  # noqa: F401

WHERE = ["compose", "kubernetes-hardened", "nomad", "swarm", "quadlet"]


def options(told):
    """`podman run`'s. What the files do not say, is not there: podman would add a /tmp of its own."""
    yield from ("--user", told["user"], "--read-only-tmpfs=false")
    yield from ["--read-only"] * told["read_only"]
    yield from (word for capability in told["dropped"] for word in ("--cap-drop", capability))
    yield from ["--security-opt", "no-new-privileges"] * told["no_new_privs"]
    yield from (word for group in told["groups"] for word in ("--group-add", str(group)))
    yield from (word for name, value in told["environment"].items() for word in ("--env", f"{name}={value}"))
    yield from (word for path, size in told["tmpfs"].items() for word in ("--tmpfs", f"{path}:size={size}"))
    yield from (word for path in told["kept"] for word in ("--volume", path))
    yield from (word for path, source in told["files"].items() for word in ("--volume", f"{source}:{path}:ro"))
    yield from ["--memory", str(told["memory"])] * (told["memory"] is not None)


def found(container):
    """Is there no doubt any more? It is ready, or it has ended."""
    return container.healthy() or container.state()["Status"] != "running"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("where", WHERE)
def test_it_starts_as_the_files_have_it_and_ends_with_0(request, built, network, rendered, job, where, service):  # noqa: F811
    told = EVERYWHERE[where](service, rendered, job)
    stores = request.getfixturevalue("backend_options") if service == "backend" else []
    names = [word for name in ("backend", "frontend") for word in ("--add-host", f"{name}:127.0.0.1")]
    with Container(*options(told), *stores, *names, built(STAGE[service]), network=network) as c:
        wait_until(lambda: found(c))
        assert c.healthy(), c.logs()
        if service == "nginx":  # nobody is behind it: it asks itself, and then whom the name leads to
            for path in ("/", "/api/media", "/socket.io/"):
                assert c.curl("-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:8080{path}").stdout == "502"
        podman("stop", "--time", str(told["grace"]), c.name)
        assert c.state()["ExitCode"] == 0, c.logs()
        assert "ermission denied" not in c.logs()


@pytest.mark.parametrize("where", WHERE)
def test_it_migrates_as_the_files_have_it(built, backend_options, network, rendered, job, where):  # noqa: F811
    with Container(*options(EVERYWHERE[where]("migrate", rendered, job)), *backend_options, built(STAGE["migrate"]), network=network) as c:
        assert (c.wait(), '"applied":["001' in c.logs()) == (0, True), c.logs()
