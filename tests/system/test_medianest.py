"""MediaNest's applications under nest-init, by the files of packaging/medianest/nest-init: in runc's containers, with Debian's
Postgres, Redis and nginx, as a user without a capability on a root that nobody writes to.

Images and engines are another matter: tests/images.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

import bundle
from medianest import (API, BACKSTOP, MEDIANEST, MONITOR, SECRETS, USER, Backend, Frontend, Proxy, Stores, beside_the_backend,
                       built, image, signed)
from namespace import children, environment_of, wait_until

PAGE = "http://127.0.0.1:3000"
DOOR = "http://127.0.0.1:8080"
BEHIND_THE_DOOR = "http://127.0.0.1:8081"  # nginx's own, asked when no backend answers

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("runc", "unshare", "node", "npm", "nginx", "redis-server"))) or
    not list(Path("/usr/lib/postgresql").glob("*/bin")), reason="needs root, runc, node, npm, nginx, PostgreSQL and Redis")


@pytest.fixture(scope="module")
def rootfs():
    directory, lock = image()
    with lock:
        yield directory


@pytest.fixture(scope="module")
def stores():
    with Stores() as running:
        yield running
    assert bundle.leftovers() == []


@pytest.fixture
def database(stores):
    """The name of an empty one."""
    stores.new_database("medianest")
    return "medianest"


@pytest.fixture
def backend(stores, database, rootfs, nest_init):
    with Backend(stores, nest_init, rootfs, database) as subject:
        yield subject.ready()


def serving(container):
    """The pid of the container's service, as the host numbers it."""
    return next(pid for pid in children(container.pid) if b"server.js" in Path(f"/proc/{pid}/cmdline").read_bytes())


def stopped(container):
    """TERM to PID 1, and the status it ends with."""
    container.kill("TERM")
    return container.wait(BACKSTOP)


def deaths(container, name):
    """What PID 1 says of each end of that service or task."""
    lines = (json.loads(line) for line in container.errors().splitlines() if line.startswith("{"))
    return [line["death"] for line in lines if line.get("death", {}).get("program") == name]


def in_background(container, url):
    """A request by a thread, whose answer is the result."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    answer = pool.submit(container.http, url, timeout=BACKSTOP)
    pool.shutdown(wait=False)
    return answer


# --- the files ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", sorted((MEDIANEST / "nest-init").glob("*.json")), ids=lambda path: path.stem)
def test_nothing_is_wrong_with_the_files(nest_init, path):
    checked = subprocess.run([nest_init, "check", path], capture_output=True, text=True, timeout=BACKSTOP)
    # Directories that only the image has are told of.
    assert checked.returncode == 0 and checked.stdout.startswith(f"{path}: nothing is wrong"), checked.stderr
    assert all(".working_dir: /app/" in line for line in checked.stderr.splitlines()), checked.stderr


def test_lock_files_name_no_registry():
    for path in MEDIANEST.glob("*/package-lock.json"):
        assert '"resolved"' not in path.read_text(), path
        assert "omit-lockfile-registry-resolved=true" in (path.parent / ".npmrc").read_text()


def test_compose_confines_all_that_is_ours_and_gives_it_more_time_than_it_takes():
    """What nest-init can do within its own budget, no engine does for it."""
    services = yaml.safe_load((MEDIANEST / "compose.yml").read_text())["services"]
    assert [name for name, service in services.items() if "stop_grace_period" not in service] == []
    ours = {name: service for name, service in services.items()
            if set(service["profiles"]) & {"prod", "full"} and service["image"].startswith("localhost/medianest/")}
    assert set(ours) == {"backend", "frontend", "nginx", "migration", "monitoring"}
    for name, service in ours.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert "entrypoint" not in service and "command" not in service, name
        if name != "migration":
            assert service["healthcheck"]["test"] == ["CMD", "/sbin/nest-init", "health"], name
    for name in ("backend", "frontend", "nginx"):
        config = json.loads((MEDIANEST / f"nest-init/{name}.json").read_text())["services"][name]
        assert seconds(ours[name]["stop_grace_period"]) > seconds(config["stop"]["timeout"]), name
        assert ours[name]["user"] == config["user"], name


def seconds(text):
    return int(text.removesuffix("s"))


def test_each_secret_is_made_once_and_for_its_owner_alone(public):
    """By the names that compose.yml and nest-init's files have for them."""
    wanted = set(yaml.safe_load((MEDIANEST / "compose.yml").read_text())["secrets"])

    def made(directory):
        subprocess.run([MEDIANEST / "make-secrets", directory], check=True, timeout=BACKSTOP)
        assert directory.stat().st_mode & 0o777 == 0o700
        return {path.name: path.read_text() for path in directory.iterdir()}
    secrets = made(public / "secrets")
    assert set(secrets) == wanted and len(set(secrets.values())) == len(wanted)
    assert secrets["postgres_password"].strip() in secrets["database_url"]
    assert made(public / "secrets") == secrets
    assert made(public / "others")["jwt_secret"] != secrets["jwt_secret"]
    files = {json.loads(path.read_text()).get("secrets", {}).get(name, {}).get("file") for path in (MEDIANEST / "nest-init").glob("*.json")
             for name in ("DATABASE_URL", "REDIS_URL", "JWT_SECRET", "METRICS_TOKEN")} - {None}
    assert {Path(file).name for file in files} == wanted - {"postgres_password"}


# --- migrations ---------------------------------------------------------------------------------------------------

def migrated(container):
    return [line["applied"] for line in container.said() if line["message"] == "migrated"]


def test_migrations_run_once_and_before_the_backend_and_wait_for_a_late_database(rootfs, nest_init):
    """The container is there first, and waits; the next one has nothing left to do."""
    built("backend")
    everything = sorted(path.name for path in (MEDIANEST / "backend/migrations").glob("*.sql"))
    late = Stores()
    try:
        late.start_redis()
        with Backend(late, nest_init, rootfs, "postgres") as first:
            wait_until(lambda: "probe" in " ".join(first.processes().values()))
            assert first.health().returncode == 1
            late.start_postgres()
            first.ready()
            assert [line["message"] for line in first.said()] == ["migrated", "listening"]
            assert migrated(first) == [everything]
        with Backend(late, nest_init, rootfs, "postgres") as second:
            second.ready()
            assert migrated(second) == [[]]
        assert late.psql("SELECT name FROM schema_migrations ORDER BY name") == everything
    finally:
        late.close()


def test_a_migration_that_fails_is_tried_again_leaves_nothing_and_ends_the_container(stores, database, rootfs, nest_init, public):
    (public / "001_wrong.sql").write_text("CREATE TABLE half (id int); SELECT 1 / 0;")

    def hurry(config):
        config["tasks"]["migrate"].update(backoff="10ms", retries=2)
    with Backend(stores, nest_init, rootfs, database, migrations=public, configure=hurry) as c:
        assert c.wait(BACKSTOP) == 1
        assert [line["message"] for line in c.said()] == ["001_wrong.sql: division by zero"] * 3
        assert deaths(c, "backend") == []
    assert stores.psql("SELECT count(*) FROM pg_tables WHERE tablename = 'half'", database) == ["0"]


def test_what_was_applied_is_not_to_be_changed(stores, database, rootfs, nest_init, public):
    shutil.copytree(MEDIANEST / "backend/migrations", public / "of", copy_function=shutil.copy)

    def once(config):
        config["tasks"]["migrate"]["retries"] = 0
    with Backend(stores, nest_init, rootfs, database, migrations=public / "of") as c:
        c.ready()
    changed = public / "of/001_media.sql"
    changed.write_text(changed.read_text() + "-- as an afterthought\n")
    with Backend(stores, nest_init, rootfs, database, migrations=public / "of", configure=once) as c:
        assert c.wait(BACKSTOP) == 1
        assert [line["message"] for line in c.said()] == [
            "001_media.sql is not what was applied by that name: add a new file instead"]


# --- what the backend is there for --------------------------------------------------------------------------------

LISTEN = """
const { io } = require(process.argv[1] + '/node_modules/socket.io-client');
const socket = io('http://127.0.0.1:' + process.argv[2], { transports: ['websocket'] });
socket.on('connect', () => console.log('connected'));
socket.on('described', (medium) => { console.log(JSON.stringify(medium)); if (medium.sha256) process.exit(0); });
"""


def test_an_upload_is_described_by_a_job_and_told_to_who_listens(stores, backend):
    listener = subprocess.Popen([*stores.enter, "node", "-e", LISTEN, built("backend"), "4000"], stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout.readline() == "connected\n"
        medium = backend.add("Metropolis")
        film = os.urandom(1 << 20)
        assert backend.http(f"{API}/api/media/{medium['id']}/file", "PUT", signed(), film).status == 202
        heard, _ = listener.communicate(timeout=BACKSTOP)
        assert listener.returncode == 0
    finally:
        listener.kill()
        listener.wait()
    described = backend.http(f"{API}/api/media/{medium['id']}").json()
    assert (described["bytes"], described["sha256"]) == (str(len(film)), hashlib.sha256(film).hexdigest())
    assert json.loads(heard.splitlines()[-1]) == described
    assert (backend.folder / "uploads" / medium["id"]).read_bytes() == film
    assert [json.loads(line)["message"] for line in (backend.folder / "logs/backend.log").read_text().splitlines()] == ["listening"]


def test_who_may_not_write_is_told(backend):
    new = json.dumps({"title": "Nosferatu", "kind": "film"})
    assert backend.http(f"{API}/api/media", "POST", signed("another secret"), new).status == 401
    assert backend.http(f"{API}/api/media", "POST", signed(), json.dumps({"title": "", "kind": "film"})).status == 400
    assert backend.http(f"{API}/api/media/../../etc/passwd").status == 404
    assert backend.http(f"{API}/api/media").json() == []


def test_confinement_is_in_force(backend):
    status = backend.status_of(serving(backend))
    assert status["Uid"].split() == [str(USER)] * 4
    assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    layers = json.loads(backend.exec("/sbin/nest-init", "status", "--json").stdout)["services"][0]["confinement"]
    asked = {name for name, layer in layers.items() if layer["requested"]}
    assert asked >= {"capabilities", "no_new_privs", "seccomp", "read_only"}
    assert asked == {name for name, layer in layers.items() if layer["enforced"]}


# --- health and metrics -------------------------------------------------------------------------------------------

def test_over_the_limit_is_alive_and_a_lost_store_is_not_ready(stores, database, rootfs, nest_init):
    def often(config):
        config["services"]["backend"]["health"].update(interval="100ms", retries=1)
        config["services"]["backend"]["health"]["live"][0].pop("interval")
    with Backend(stores, nest_init, rootfs, database, env={"RATE_LIMIT": "20"}, configure=often) as c:
        c.ready()
        wait_until(lambda: c.http(f"{API}/api/health").status == 429, pause=0.02)
        runs = r'nest_init_healthcheck_runs_total\{[^}]*check="backend/api"[^}]*result="success"[^}]*\} (\d+)'
        before = int(re.search(runs, c.http(f"{MONITOR}/metrics").text)[1])
        wait_until(lambda: int(re.search(runs, c.http(f"{MONITOR}/metrics").text)[1]) > before + 3, pause=0.1)
        assert c.health().returncode == 0
        stores.stop_redis()
        try:
            c.wait_http(f"{MONITOR}/readyz", 503, timeout=BACKSTOP)
            assert "redis" in c.health("--ready").stdout
            assert c.http(f"{MONITOR}/livez").status == 200
        finally:
            stores.start_redis()
        c.ready()


def test_the_page_of_the_backend_is_merged_by_its_token(backend):
    assert backend.http(f"{API}/metrics").status == 401
    assert backend.http(f"{API}/metrics", headers={"Authorization": "Bearer " + "x" * 26}).status == 401
    backend.http(f"{API}/api/media")
    page = backend.http(f"{MONITOR}/metrics").text
    assert 'nest_init_app_scrape_success{target="backend"} 1\n' in page
    assert re.search(r'^medianest_http_request_duration_seconds_count\{.*route="/media".*\} 1$', page, re.M)
    # The migration is over, and not a service that is down.
    assert 'nest_init_service_up{service="backend"} 1\n' in page and 'service_up{service="migrate"}' not in page
    assert re.search(r"^nodejs_version_info\{", page, re.M) and re.search(r'^nest_init_ready\b.* 1$', page, re.M)


# --- secrets ------------------------------------------------------------------------------------------------------

def test_secrets_come_from_files_and_a_new_one_is_taken_over(stores, database, rootfs, nest_init):
    names = ("DATABASE_URL", "REDIS_URL", "JWT_SECRET", "METRICS_TOKEN")
    files = {f"{name}_FILE": f"/run/secrets/{name.lower()}" for name in names}
    with Backend(stores, nest_init, rootfs, database, env=files) as c:
        c.ready()
        first = serving(c)
        environment = environment_of(first)
        assert {name for name in environment if name in names} == set(names)
        assert not set(files) & set(environment)
        assert not set(names) & set(environment_of(c.pid))
        assert SECRETS["jwt_secret"] not in c.output() + c.errors()
        c.write_secret("jwt_secret", "quite another secret")
        wait_until(lambda: deaths(c, "backend"), pause=0.1)
        c.ready()
        assert c.http(f"{API}/api/media", "POST", signed(), "{}").status == 401
        c.add("Faust", "quite another secret")
        assert deaths(c, "backend")[0]["status"] == 0


# --- the end ------------------------------------------------------------------------------------------------------

def test_a_stop_lets_the_export_finish(backend):
    backend.add("Sunrise")
    answer = in_background(backend, f"{API}/api/media/export?seconds=3")
    wait_until(lambda: "export begins" in backend.output())
    assert stopped(backend) == 0
    lines = [json.loads(line) for line in answer.result(BACKSTOP).body.splitlines()]
    assert [lines[0]["title"], lines[-1]] == ["Sunrise", {"exported": 1}]
    assert [line["message"] for line in backend.said()][-4:] == ["export begins", "stopping", "export ends", "stopped"]


def test_a_request_without_end_is_cut_off_inside_the_budget(backend):
    answer = in_background(backend, f"{API}/api/media/export?seconds=500")
    wait_until(lambda: "export begins" in backend.output())
    assert stopped(backend) == 137
    death = deaths(backend, "backend")[-1]
    assert (death["signal"], death["deadlines_passed"]) == ("KILL", ["stop-timeout"])
    assert answer.exception(BACKSTOP) is not None


@pytest.mark.parametrize("clean, status", [([143], 0), ([], 143)], ids=["said to be clean", "Next's own"])
def test_the_frontend_shows_the_library_and_ends_with_143_which_is_clean(stores, backend, rootfs, nest_init, clean, status):
    def configure(config):
        beside_the_backend(config)
        config["services"]["frontend"]["stop"]["clean_exit"] = clean
    backend.add("The General")
    with Frontend(stores, nest_init, rootfs, configure) as c:
        c.wait_http(f"{PAGE}/api/health", timeout=BACKSTOP)
        assert "The General" in c.http(PAGE).text
        assert stopped(c) == status
        assert deaths(c, "node")[-1]["deadlines_passed"] == []


def test_the_proxy_leads_to_whom_its_file_names_and_finishes_what_has_begun(stores, backend, nest_init):
    backend.add("Safety Last!")
    with Proxy(stores, nest_init, {"backend": ["127.0.0.1:1"], "frontend": ["127.0.0.1:2"]}) as c:
        c.wait_http(f"{DOOR}/nginx_status", timeout=BACKSTOP)
        assert c.http(f"{DOOR}/api/media").status == 502
        c.serve("backend", ["127.0.0.1:4000"])
        c.reload()
        assert c.http(f"{DOOR}/api/media").status == 200
        assert c.http(f"{DOOR}/metrics").status == 404
        answer = in_background(c, f"{DOOR}/api/media/export?seconds=4")
        wait_until(lambda: "export begins" in backend.output())
        # TERM by itself would have cut it off: nginx has heard QUIT.
        assert stopped(c) == 0
        assert json.loads(answer.result(BACKSTOP).body.splitlines()[-1]) == {"exported": 1}


def in_tmp(container):
    """Bytes that nginx keeps in its /tmp."""
    nginx = next(pid for pid in children(container.pid) if b"nginx" in Path(f"/proc/{pid}/cmdline").read_bytes())
    there = os.statvfs(f"/proc/{nginx}/root/tmp")
    return (there.f_blocks - there.f_bfree) * there.f_frsize


def test_the_proxy_takes_a_large_body_for_the_api_alone(stores, backend, nest_init):
    """What it keeps in /tmp counts against the memory limit: a request of anybody's would be the end of it."""
    large = os.urandom(2_000_000)
    medium = backend.add("Metropolis")["id"]
    with Proxy(stores, nest_init, {"backend": ["127.0.0.1:4000"], "frontend": ["127.0.0.1:2"]}) as c:
        c.wait_http(f"{DOOR}/nginx_status", timeout=BACKSTOP)
        for path in ("/", "/page", "/socket.io/?EIO=4"):
            assert c.http(f"{DOOR}{path}", "POST", body=large).status == 413
        assert c.http(f"{DOOR}/api/media/{medium}/file", "PUT", signed(), large).status == 202
        assert (backend.folder / "uploads" / medium).read_bytes() == large
        # It would lead on to a backend of whatever address; nobody knows the name here.
        assert c.http(f"{BEHIND_THE_DOOR}/api/media/{medium}/file", "PUT", signed(), large).status == 502


LENGTH = 64_000_000
LONG_PAGE = f"""
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "{LENGTH}")
        self.end_headers()
        self.wfile.write(bytes({LENGTH}))
http.server.HTTPServer(("127.0.0.1", 3000), Page).serve_forever()
"""


def test_the_proxy_keeps_no_answer_for_a_slow_reader(stores, nest_init):
    page = subprocess.Popen([*stores.enter, "/usr/bin/python3", "-c", LONG_PAGE], stderr=subprocess.DEVNULL)
    try:
        with Proxy(stores, nest_init, {"backend": ["127.0.0.1:1"], "frontend": ["127.0.0.1:3000"]}) as c:
            c.wait_http(f"{DOOR}/nginx_status", timeout=BACKSTOP)
            wait_until(lambda: c.running() and answers(c, 3000))
            with c.connect(8080, "127.0.0.1", BACKSTOP) as reader:
                reader.sendall(b"GET / HTTP/1.0\r\n\r\n")
                begun = reader.recv(1)
                kept = []
                for _ in range(20):  # more than the page takes through /tmp
                    kept.append(in_tmp(c))
                    time.sleep(0.05)
                assert begun and max(kept) < 1_000_000
                assert sum(iter(lambda: len(reader.recv(1 << 20)), 0)) >= LENGTH
    finally:
        page.kill()
        page.wait()


def answers(container, port):
    try:
        container.connect(port, "127.0.0.1", BACKSTOP).close()
    except OSError:
        return False
    return True
