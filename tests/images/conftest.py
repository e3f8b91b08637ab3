"""What the tests of images share: the helpers of the system tests, the images, and the stores that they live on."""
import fcntl
import os
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system"), str(HERE)]

import engine  # noqa: E402
from medianest import SECRETS, Stores  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left():
    """Images stay, for the next run; of this process's containers there is none."""
    yield
    assert engine.podman("ps", "--all", "--quiet", "--filter", f"name=medianest-{os.getpid()}-") == ""
    engine.remove_cgroups()


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """built(STAGE[, LEVEL]): the name of its image, which is built once for all of xdist's workers, and one at a time."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent

    def build(stage, level="standard"):
        tag = "dev" if level == "standard" else level
        stamp = shared / f"{stage}-{tag}"
        with open(shared / "build.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not stamp.exists():
                engine.build("--stage", stage, "--security-level", level, "--tag", tag)
                stamp.touch()
        return engine.image(stage, tag)
    return build


@pytest.fixture(scope="session")
def stores():
    """Postgres and Redis in a network of their own, which containers may join."""
    with Stores() as running:
        yield running


@pytest.fixture
def network(stores):
    return f"ns:{stores.network}"


@pytest.fixture
def public():
    """A new directory that every user may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="nest-public-") as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


def secrets_of(directory, **texts):
    """--volume of a directory of secrets, as an engine puts them there: for uid 1001 alone."""
    directory.mkdir()
    for name, text in texts.items():
        (directory / name).write_text(f"{text}\n")
        (directory / name).chmod(0o400)
        os.chown(directory / name, 1001, 1001)
    return ["--volume", f"{directory}:/run/secrets:ro"]


@pytest.fixture
def backend_options(stores, public):
    """What a container of the backend's needs to run on an empty database."""
    stores.new_database("medianest")
    given = secrets_of(public / "secrets", database_url="postgres://postgres@127.0.0.1/medianest", **SECRETS)
    return [*given, "--env", "POSTGRES=127.0.0.1:5432", "--env", "REDIS=127.0.0.1:6379", "--env", "RATE_LIMIT=0"]
