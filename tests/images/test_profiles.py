"""compose.yml's profiles for developers and for CI. Those of production are in test_end_to_end.py."""
import json
import shutil

import pytest

from compose import Project, wait_until
from engine import MEDIANEST


@pytest.fixture
def sources(public):
    """A copy of the backend's, to be changed."""
    shutil.copytree(MEDIANEST / "backend/src", public / "src")
    return public / "src"


def test_dev_runs_the_backend_from_its_sources_and_starts_it_again_when_they_change(built, sources):
    for stage in ("development", "migration-runner"):
        built(stage)
    with Project(SOURCES=str(sources), BACKEND="127.0.0.1:0") as project:
        project.up("dev")
        started = {service: project.containers(service) for service in ("development", "postgres", "redis", "backend", "nginx")}
        assert [name for name, containers in started.items() if containers] == ["development", "postgres", "redis"]
        project.ready("development")
        assert json.loads(project.get("development", 4000, "/api/media")[1]) == []  # the migration has been there
        app = sources / "app.ts"
        text = app.read_text()
        assert text.count("'/health'") == 1
        app.write_text(text.replace("'/health'", "['/health', '/changed']"))
        wait_until(lambda: project.serves("development", 4000, "/api/changed"))
        assert project.containers("development") == started["development"]


def test_test_runs_the_browser_and_ends_with_its_status(built):
    built("test-runner")
    with Project() as project:
        project.profile = "test"
        said = project.compose("run", "--rm", "test")
        assert "# pass 2" in said.stdout and "# fail 0" in said.stdout
        project.compose("run", "--rm", "test", "node", "-e", "process.exit(7)", status=7)
        assert project.containers("test", "--all") == []
