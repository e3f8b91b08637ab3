"""Several services as people have them: PostgreSQL, a migration by Node's pg, an Express backend, nginx before it."""
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from namespace import Namespace, wait_until
from npm import installed

HERE = Path(__file__).resolve().parent
MODULES = HERE.parents[1] / "build/services"
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "node", "npm", "nginx", "curl"))) or
    not list(Path("/usr/lib/postgresql").glob("*/bin")), reason="needs root, unshare(1), node, npm, nginx, curl and PostgreSQL")

USER = 65534
NGINX = """
daemon off; pid {0}/nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
    server {{ listen unix:{0}/web.sock; location / {{ proxy_pass http://127.0.0.1:4000; }} }}
}}
"""


@pytest.fixture(scope="module")
def modules():
    """The directory of node_modules, as npm has made it of the lock file."""
    return installed(HERE / "services", MODULES)


@pytest.fixture
def place(public, modules):
    """A directory of the services' user, with their programs in it."""
    shutil.copytree(modules, public / "node_modules")
    for name in ("migrate.js", "backend.js"):
        shutil.copy(HERE / "services" / name, public)
    (public / "nginx.conf").write_text(NGINX.format(public))
    os.chown(public, USER, USER)
    return public


def stack(place, migration):
    """The file's services and tasks. The database comes late: a second after it is started, and after initdb."""
    postgres = max(Path("/usr/lib/postgresql").glob("*/bin"))
    node = shutil.which("node")
    common = {"user": str(USER), "working_dir": str(place), "capabilities": {"drop": ["all"]}, "seccomp": "default",
              "environment": {"PGHOST": "127.0.0.1", "PGUSER": "postgres", "PGDATABASE": "postgres", "TRIES": f"{place}/tries"}}
    late = f"sleep 1; exec {postgres}/postgres -D {place}/data -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    initdb = [f"{postgres}/initdb", "--no-sync", "--locale=C", "--auth=trust", "--username=postgres", "-D", f"{place}/data"]
    health = {"start_interval": "50ms", "interval": "1s"}
    return {
        "services": {
            "web": {**common, "command": [shutil.which("nginx"), "-c", f"{place}/nginx.conf"], "depends_on": {"backend": "ready"},
                    "stop": {"signal": "QUIT", "timeout": "40s"},
                    "health": {**health, "ready": [f"http+unix:{place}/web.sock:/visits"]}},
            "backend": {**common, "command": [node, "backend.js"], "depends_on": {"migrate": "completed", "db": "started"},
                        "stop": {"timeout": "40s"}, "health": {**health, "ready": ["http://127.0.0.1:4000/visits"]}},
            "db": {**common, "command": ["sh", "-c", late], "stop": {"signal": "INT", "timeout": "40s"}},
        },
        "tasks": {
            "initdb": {**common, "command": initdb, "before": ["db"]},
            "migrate": {**common, "command": [node, "migrate.js"], "depends_on": ["db"], **migration},
        },
        "log": {"level": "info"},
    }


def running(init, place, migration):
    path = place / "nest-init.json"
    path.write_text(json.dumps(stack(place, migration)))
    return Namespace(init, options=["--config", path], wrap=("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"))


def ready(n):
    asked = subprocess.run(["nsenter", f"--target={n.pid}", "--pid", "--mount", "--net", n.init, "health", "--ready", "--timeout", "5s"],
                           capture_output=True, text=True, timeout=20)
    assert n.process.poll() is None, n.errors()
    return asked.returncode == 0


def get(place, path):
    return ["curl", "--silent", "--show-error", "--fail", "--unix-socket", place / "web.sock", f"http://web{path}"]


def ends(n):
    """The services and tasks whose end is told, in that order."""
    return re.findall(r"^nest-init: (\S+) \(pid \d+\) ended with status 0", n.errors(), re.M)


@pytest.mark.parametrize("migration, tries", [
    ({"retries": 50, "backoff": "100ms"}, lambda count: count > 1),
    ({"retries": 50, "backoff": "100ms", "wait_for": "tcp://127.0.0.1:5432"}, lambda count: count >= 1)], ids=["retries", "wait_for"])
def test_a_migration_runs_once_and_no_request_is_lost_at_the_stop(either, place, migration, tries):
    with running(either, place, migration) as n:
        wait_until(lambda: ready(n), limit=120, pause=0.1)
        said = n.output()
        assert said.index("migrated") < said.index("backend listens")
        assert tries(len((place / "tries").read_text())) and said.count("migrated\n") == 1
        assert json.loads(subprocess.run(get(place, "/visits"), capture_output=True, check=True, timeout=20).stdout) == {"visits": 1}
        slow = subprocess.Popen(get(place, "/slow"), stdout=subprocess.PIPE)
        n.wait_for("slow begins")
        n.kill(signal.SIGTERM)
        answer, _ = slow.communicate(timeout=60)
        assert slow.returncode == 0 and json.loads(answer) == {"visits": 2}
        assert n.wait(limit=120) == 0, n.errors()
        assert ends(n)[-3:] == ["web", "backend", "db"], n.errors()
        assert n.output().index("slow ends") < n.output().index("backend leaves")


def test_a_database_that_dies_ends_the_container(nest_init, place):
    """It is not to go on with half of what it is there for."""
    with running(nest_init, place, {"retries": 50, "backoff": "100ms"}) as n:
        wait_until(lambda: ready(n), limit=120, pause=0.1)
        database = int((place / "data/postmaster.pid").read_text().split()[0])
        subprocess.run(["nsenter", f"--target={n.pid}", "--pid", "--mount", "kill", "-9", str(database)], check=True, timeout=20)
        assert n.wait(limit=120) == 137
        assert "nest-init: db has ended, which the container cannot do without: stopping\n" in n.errors()
        assert "backend leaves" in n.output()
