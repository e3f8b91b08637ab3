"""MediaNest as people run it: compose.yml with its profiles, the real images, Postgres, Redis and Prometheus.

The tests of this file go through the life of one installation, in their order: it comes up, works, is replaced under load,
loses each of its containers, and is taken down.
"""
import contextlib
import json
import re
import subprocess
import urllib.parse
from pathlib import Path

import pytest

import engine
import measure
from compose import Project, wait_until
from medianest import token

PRODUCTION = ["backend", "frontend", "nginx", "postgres", "redis"]


@pytest.fixture(scope="module")
def project(built):
    for stage in ("backend-production", "frontend-production", "nginx-proxy", "migration-runner", "monitoring"):
        built(stage)
    with Project() as installation:
        installation.up("prod")
        yield installation


@pytest.fixture(scope="module")
def full(project):
    """The same with Prometheus."""
    project.up("full")
    return project


def add(project, title):
    """A new medium, through the proxy."""
    secret = (project.folder / "secrets/jwt_secret").read_text().strip()
    headers = {"Authorization": f"Bearer {token(secret)}", "Content-Type": "application/json"}
    with project.http("nginx", 8080, "/api/media", "POST", headers, json.dumps({"title": title, "kind": "film"})) as answer:
        assert answer.status == 201, answer.read()
        return json.loads(answer.read())


# --- up -----------------------------------------------------------------------------------------------------------

def test_the_profile_comes_up_and_each_container_is_healthy(project):
    started = {service: project.containers(service) for service in [*PRODUCTION, "monitoring", "development", "test"]}
    assert [name for name, containers in started.items() if len(containers) == 1] == PRODUCTION
    project.ready("backend", "frontend", "nginx", "postgres", "redis")
    for service in ("backend", "frontend", "nginx"):
        [container] = started[service]
        # What the engine's timer would call, and a HEALTHCHECK that the image has.
        assert project.podman("healthcheck", "run", container, status=None).returncode == 0
        assert project.health(container).stdout == "ready\n"


def test_the_migration_has_run_once(project):
    [container] = project.containers("migration", "--all")
    assert project.state(container)["ExitCode"] == 0
    applied = [json.loads(line)["applied"] for line in project.logs(container).splitlines() if '"message":"migrated"' in line]
    assert applied == [["001_media.sql", "002_description.sql"]]
    [backend] = project.containers("backend")
    assert '"message":"migrated","applied":[],' in project.logs(backend)


def test_a_medium_goes_through_all_of_it(project):
    medium = add(project, "Metropolis")
    wait_until(lambda: json.loads(project.get("nginx", 8080, f"/api/media/{medium['id']}")[1])["described_at"])
    status, page = project.get("nginx", 8080, "/")
    assert status == 200 and "Metropolis" in page
    assert project.get("nginx", 8080, "/metrics")[0] == 404


def test_a_container_can_write_where_it_is_to_and_nowhere_else(project):
    for service in ("backend", "frontend", "nginx"):
        [container] = project.containers(service)
        status = json.loads(project.podman("exec", container, "/sbin/nest-init", "status", "--json").stdout)
        layers = status["services"][0]["confinement"]
        asked = {name for name, layer in layers.items() if layer["requested"]}
        assert {"capabilities", "no_new_privs", "seccomp", "read_only"} <= asked
        assert asked == {name for name, layer in layers.items() if layer["enforced"]}, service
        # No image has a shell, and none gets one.
        assert project.podman("exec", container, "sh", "-c", "true", status=None).returncode == 127


# --- metrics ------------------------------------------------------------------------------------------------------

def test_prometheus_has_what_all_of_them_say(full):
    full.ready(*PRODUCTION, "monitoring")
    add(full, "Faust")

    def query(expression):
        status, text = full.get("monitoring", 9090, f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        assert status == 200, text
        return {row["metric"].get("compose_service"): row["value"][1] for row in json.loads(text)["data"]["result"]}
    everybody = {"backend": "1", "frontend": "1", "nginx": "1"}
    for name in ("medianest_health_check_status", "medianest_readiness_check_status"):
        wait_until(lambda: query(name) == everybody, limit=180, pause=1)  # rules are evaluated once a minute
    # The backend's own page has come with it, by the token.
    assert query('nest_init_app_scrape_success{target="backend"}') == {"backend": "1"}
    wait_until(lambda: int(query('medianest_jobs_total{result="completed"}').get("backend", 0)) >= 1, pause=1)
    assert full.get("backend", 4000, "/metrics")[0] == 401


# --- replaced under load ------------------------------------------------------------------------------------------

@contextlib.contextmanager
def load(address, path):
    """wrk on a page for as long as the block takes; the result has what it printed."""
    result = {}
    # A connection for each request: of one that is kept open nobody could tell whose fault its end is (RFC 9112, 9.5).
    process = subprocess.Popen(["wrk", "-t1", "-c8", "-d600s", "-H", "Connection: close", f"http://{address}:8080{path}"],
                               stdout=subprocess.PIPE, text=True)
    try:
        yield result
    finally:
        process.send_signal(2)  # INT: it prints what it has, and ends
        result["said"], _ = process.communicate(timeout=60)


def replaced(project, service, strategy):
    command = [engine.MEDIANEST / "replace", "--strategy", strategy, service]
    return project.run(*command, env={"ENGINE": "podman", "COMPOSE": " ".join(project.client)}).stdout


@pytest.mark.parametrize("service, path", [("backend", "/api/media"), ("frontend", "/robots.txt")])
@pytest.mark.parametrize("strategy", ["blue-green", "rolling"])
def test_a_replacement_loses_no_request(project, service, path, strategy):
    project.ready("backend", "frontend", "nginx")
    if strategy == "rolling":  # one of two is the interesting case
        project.compose("up", "--detach", "--no-deps", "--no-recreate", "--scale", f"{service}=2", service)
    before = project.containers(service)
    upstream = (project.upstreams / f"{service}.conf").read_text()
    address = project.address(project.containers("nginx")[0])
    slow = subprocess.Popen(["curl", "-sS", "--fail", f"http://{address}:8080/api/media/export?seconds=4"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with load(address, path) as result:
        said = replaced(project, service, strategy)
    exported, complaint = slow.communicate(timeout=60)
    after = project.containers(service)
    assert said == f"replace: {service}:dev has taken over, {len(before)} of {len(before)}, {strategy}\n"
    assert len(after) == len(before) and not set(after) & set(before)
    assert (project.upstreams / f"{service}.conf").read_text() == upstream
    requests = int(re.search(r"(\d+) requests in", result["said"])[1])
    assert requests > 100 and "Socket errors" not in result["said"] and "Non-2xx" not in result["said"], result["said"]
    assert (slow.returncode, complaint) == (0, b"") and b'{"exported":' in exported


def test_after_a_replacement_the_proxy_finds_them_when_it_starts_again_and_when_all_is_made_anew(project):
    def served():
        return project.containers("nginx") and project.serves("nginx", 8080, "/api/media")
    replaced(project, "backend", "blue-green")
    project.podman("restart", *project.containers("nginx"))
    wait_until(served)
    # Containers of other names than those that the replacement made.
    project.compose("rm", "--stop", "--force", "nginx", "backend")
    project.compose("up", "--detach")
    wait_until(served)


def test_one_that_never_becomes_ready_replaces_nobody(project):
    project.ready("backend")
    before = set(project.containers("backend"))
    serving = (project.upstreams / "backend.conf").read_text()
    command = [engine.MEDIANEST / "replace", "backend"]
    done = project.run(*command, status=1, env={
        "ENGINE": "podman", "COMPOSE": " ".join(project.client), "PATIENCE": "5", "REDIS": "redis:1"})
    assert re.search(r"not within 5 s; its last answer: not ready.*redis", done.stderr), done.stderr
    assert set(project.containers("backend")) == before and (project.upstreams / "backend.conf").read_text() == serving


# --- lost ---------------------------------------------------------------------------------------------------------

SERVICES = [*PRODUCTION, "monitoring"]


def whole(project):
    """All of them ready, and a request goes through."""
    project.ready(*SERVICES)
    wait_until(lambda: project.get("nginx", 8080, "/api/media")[0] == 200)


@pytest.mark.parametrize("service", SERVICES)
def test_who_is_stopped_ends_with_0_and_comes_back(full, service):
    whole(full)
    container = full.containers(service)[0]
    full.podman("stop", container)
    state = full.state(container)
    assert (state["Status"], state["ExitCode"]) == ("exited", 0), full.logs(container)[-3000:]
    full.podman("start", container)
    whole(full)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("who", ["PID 1", "the service"])
def test_who_is_killed_ends_with_137_and_is_started_again_by_the_engine(full, service, who):
    whole(full)
    container = full.containers(service)[0]
    before = full.state(container)
    ended = ends(full, container)
    pid = before["Pid"] if who == "PID 1" else workload(before["Pid"])
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_until(lambda: full.state(container)["Pid"] not in (0, before["Pid"]))
    # It is started again within half a second: who looks at its state may miss that it had ended.
    assert ends(full, container) == [*ended, "137"]
    whole(full)


def ends(project, container):
    """The exit statuses of its lives so far."""
    return project.podman("events", "--stream=false", "--filter", "event=died", "--filter", f"container={container}",
                          "--format", "{{.ContainerExitCode}}").stdout.split()


def workload(init):
    """The child of PID 1 that is no nest-init."""
    for pid in Path(f"/proc/{init}/task/{init}/children").read_text().split():
        if not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"nest-init\0"):
            return int(pid)
    raise AssertionError(f"{init} has no workload")


# --- what it costs ------------------------------------------------------------------------------------------------

def test_targets_are_kept(full):
    whole(full)
    rows = measure.rows(full)
    print(measure.table(rows))
    assert [row.service for row in rows] == measure.SERVICES
    for row in rows:
        assert row.image < 200e6 and row.start < 30 and row.memory < 256 * 2**20, row
