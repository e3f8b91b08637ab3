"""Each of the sixteen stages is built, and does its job. What is in production's is all that is in there.

On base images of Debian's packages (packaging/medianest/base-images): no registry is asked.
"""
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import engine
from conftest import secrets_of
from engine import Container, image, inspect, mounted, podman, wait_until
from medianest import SECRETS, Stores, signed

NAMES = ("base build-deps prod-deps dev-deps shared-builder backend-builder frontend-builder distroless-base backend-production "
         "frontend-production nginx-proxy development test-runner migration-runner security-scanner monitoring").split()
PRODUCTION = ["backend-production", "frontend-production", "nginx-proxy", "migration-runner"]
LARGEST = 200_000_000  # bytes
API = "http://127.0.0.1:4000/api"


def in_base(stage, *words, status=0):
    """Runs a command in a stage that builds, without a network."""
    return engine.run("podman", "run", "--rm", "--network", "none", image(stage), *words, status=status)


# --- all of them --------------------------------------------------------------------------------------------------

def test_there_are_sixteen():
    assert sorted(engine.STAGES) == sorted(NAMES)


@pytest.mark.parametrize("stage", NAMES)
def test_a_second_build_takes_every_layer_from_the_cache(built, stage):
    before = inspect(built(stage))
    said = engine.build("--stage", stage)
    # A stage's FROM makes no layer. What is executed is not taken from the cache.
    steps = [line for line in said.splitlines() if re.search(r"STEP \d+/\d+: (?!FROM)", line)]
    cached = [line for line in said.splitlines() if "Using cache" in line]
    assert len(steps) == len(cached) > 0
    after = inspect(image(stage))
    assert (after["Id"], after["Created"]) == (before["Id"], before["Created"])


def test_secrets_of_the_build_are_in_no_stage(built):
    npmrc = Path(engine.run("npm", "config", "get", "userconfig").stdout.strip())
    with mounted(built("dev-deps")) as root:
        assert not (root / "root/.npmrc").exists() or (root / "root/.npmrc").stat().st_size == 0
        assert not (root / "run/secrets/npm-ca").exists() or (root / "run/secrets/npm-ca").stat().st_size == 0
    if npmrc.is_file():
        history = podman("image", "history", "--no-trunc", image("dev-deps"))
        assert not [line for line in npmrc.read_text().splitlines() if "_auth" in line and line in history]


# --- production: what is in there ---------------------------------------------------------------------------------

# Every program, by the name of its file. Libraries are loaded, not started.
PROGRAMS = {"backend-production": {"usr/bin/node", "sbin/nest-init"}, "frontend-production": {"usr/bin/node", "sbin/nest-init"},
            "migration-runner": {"usr/bin/node", "sbin/nest-init"}, "nginx-proxy": {"usr/sbin/nginx", "sbin/nest-init"}}
# Every other file outside of the application: libraries, certificates, users, configuration.
OTHERS = re.compile(r"(usr/)?lib(64|/[a-z0-9_]+-linux-gnu)?/(ld-[^/]+|lib[^/]+)\.so[0-9.]*|etc/(passwd|group|nsswitch\.conf|nest-init\.json)"
                    r"|etc/ssl/certs/ca-certificates\.crt|etc/nginx/(mime\.types|(nginx|resolver)\.conf|upstreams/[a-z]+\.conf)")
APPLICATION = re.compile(r"app/(backend|frontend)/")
SHELLS_AND_MANAGERS = {
    "sh", "bash", "dash", "ash", "busybox", "toybox", "zsh", "apt", "apt-get", "dpkg", "apk", "npm", "npx", "corepack", "yarn",
    "rpm", "dnf", "yum", "pip", "curl", "wget", "perl", "python3"}


def files(root):
    """{path: lstat} of all that is no directory."""
    found = {}
    for directory, directories, names in os.walk(root):
        for path in (Path(directory, name) for name in [*directories, *names]):
            if path.is_symlink() or not path.is_dir():
                found[str(path.relative_to(root))] = path.lstat()
    return found


@pytest.mark.parametrize("level", ["standard", "hardened"])
@pytest.mark.parametrize("stage", PRODUCTION)
def test_production_has_the_service_what_it_loads_and_pid_1(built, stage, level):
    with mounted(built(stage, level)) as root:
        present = files(root)
        is_elf = {path for path in present if (root / path).is_file() and (root / path).open("rb").read(4) == b"\x7fELF"}
    outside = {path for path in present if not APPLICATION.match(path)}
    programs = PROGRAMS[stage]
    assert programs <= outside
    assert [path for path in sorted(outside - programs) if not OTHERS.fullmatch(path)] == ["var/run"]  # a link to /run
    # Node's own modules in machine code are loaded; nothing else of an application is a program.
    assert [path for path in is_elf & present.keys() - outside if not path.endswith(".node")] == []
    assert [path for path in present if Path(path).name in SHELLS_AND_MANAGERS and path not in programs
            and (path in is_elf or path not in outside and "/.bin/" in path)] == []
    assert [path for path, stat in present.items() if stat.st_mode & 0o6000] == []
    assert inspect(image(stage, "dev" if level == "standard" else level))["Size"] < LARGEST


@pytest.mark.parametrize("stage", PRODUCTION)
def test_production_has_no_shell_to_start(built, stage):
    for shell in ("/bin/sh", "sh", "/bin/bash", "/bin/busybox", "apt-get", "apk"):
        asked = engine.run("podman", "run", "--rm", "--network", "none", "--entrypoint", shell,
                           built(stage), status=None)
        assert asked.returncode == 127, (shell, asked.stderr)


@pytest.mark.parametrize("stage", PRODUCTION)
def test_pid_1_is_the_entrypoint_and_no_shell_is_asked(built, stage):
    known = inspect(built(stage))
    config = known["Config"]
    assert config["Entrypoint"] == ["/sbin/nest-init"]
    assert config.get("Cmd") is None
    if stage != "migration-runner":  # it ends, and its status says how it was
        check = known["Healthcheck"]
        assert check["Test"] == ["CMD", "/sbin/nest-init", "health"]
        seconds = 1_000_000_000
        assert [check[key] / seconds for key in ("Interval", "Timeout", "StartPeriod")] == [30, 10, 40] and check["Retries"] == 3


def test_levels_differ_in_who_may_read_the_application_and_in_what_is_in_force(built, backend_options, network):
    """hardened: nobody but the service's group reads its files, nobody at all may write them; what may be executed is the
    service's own program alone."""
    layers = {}
    for level in ("standard", "hardened"):
        with mounted(built("backend-production", level)) as root:
            served = (root / "app/backend/dist/server.js").stat()
        mode = {"standard": (0, 0, 0o644), "hardened": (0, 1001, 0o440)}[level]
        assert (served.st_uid, served.st_gid, served.st_mode & 0o7777) == mode
        with Container(*backend_options, image("backend-production", "dev" if level == "standard" else level), network=network) as c:
            wait_until(c.healthy)
            known = json.loads(c.exec("/sbin/nest-init", "status", "--json").stdout)
            layers[level] = {name for name, layer in known["services"][0]["confinement"].items() if layer["enforced"]}
    assert {"capabilities", "no_new_privs", "seccomp", "read_only"} <= layers["standard"]
    assert layers["hardened"] - layers["standard"] == {"exec_allow"}


# --- what builds --------------------------------------------------------------------------------------------------

def test_base_has_the_user_and_a_node_that_runs_as_it(built):
    built("base")
    said = in_base("base", "node", "-p", "process.setgid('nodejs'), process.setuid('medianest'), [process.getuid(), process.getgid()].join()")
    assert said.stdout.strip() == "1001,1001"
    assert "ca-certificates.crt" in in_base("base", "ls", "/etc/ssl/certs").stdout


ADDON = """
#include <node_api.h>
static napi_value answer(napi_env env, napi_callback_info info)
{
    napi_value value;
    (void)info;
    napi_create_int32(env, 42, &value);
    return value;
}
NAPI_MODULE_INIT()
{
    napi_value function;
    napi_create_function(env, NULL, 0, answer, NULL, &function);
    return function;
}
"""


def test_build_deps_compile_a_module_that_productions_node_loads(built, public):
    (public / "answer.c").write_text(ADDON)
    built("build-deps")
    # As node-gyp would: the headers are Node's own, wherever that has them.
    compile_it = ("include=$(dirname $(dirname $(node -p process.execPath)))/include/node && "
                  "gcc -shared -fPIC -I$include -o /work/answer.node /work/answer.c")
    podman("run", "--rm", "--network", "none", "--volume", f"{public}:/work", image("build-deps"), "sh", "-c", compile_it)
    loaded = podman("run", "--rm", "--network", "none", "--volume", f"{public}:/work:ro", built("distroless-base"), "--",
                    "node", "-p", "require('/work/answer.node')()")
    assert loaded.strip() == "42"


def packages(root, application):
    return {path.name for path in (root / f"app/{application}/node_modules").iterdir()}


def test_prod_deps_are_what_runs_and_dev_deps_what_builds(built):
    with mounted(built("prod-deps")) as root:
        production = packages(root, "backend")
        prose = [path for path in (root / "app/backend/node_modules").rglob("*.d.ts")]
    with mounted(built("dev-deps")) as root:
        development, frontend = packages(root, "backend"), packages(root, "frontend")
    manifest = json.loads((engine.MEDIANEST / "backend/package.json").read_text())
    wanted, tools = set(manifest["dependencies"]), {name for name in manifest["devDependencies"] if not name.startswith("@")}
    assert wanted <= production and not tools & production
    assert wanted | tools <= development
    assert {"next", "react", "typescript"} <= frontend
    assert prose == []


def test_shared_builder_has_roots_that_need_nothing_else(built):
    """Their programs start with what is in there."""
    built("shared-builder")
    assert in_base("shared-builder", "chroot", "/roots/node", "/usr/bin/node", "-p", "6 * 7").stdout.strip() == "42"
    assert "nginx version" in in_base("shared-builder", "chroot", "/roots/nginx", "/usr/sbin/nginx", "-v").stderr


def test_builders_leave_what_production_takes(built):
    with mounted(built("backend-builder")) as root:
        out = root / "out/app/backend"
        assert {path.name for path in out.iterdir()} == {"dist", "migrations", "node_modules", "package.json", "uploads", "logs"}
        assert (out / "dist/server.js").is_file() and list((out / "migrations").glob("*.sql"))
        assert ((out / "uploads").stat().st_uid, (out / "dist").stat().st_uid) == (1001, 0)
    with mounted(built("frontend-builder")) as root:
        out = root / "out/app/frontend"
        assert (out / "server.js").is_file() and list((out / ".next/static").rglob("*.js")) and (out / "public").is_dir()


def test_distroless_base_has_certificates_and_names(built):
    script = ("const tls = require('tls'), fs = require('fs');"
              "tls.createSecureContext({ca: fs.readFileSync('/etc/ssl/certs/ca-certificates.crt')});"
              "require('dns').lookup('localhost', (error, address) => console.log(error ?? address, process.env.NODE_ENV))")
    said = podman("run", "--rm", "--network", "none", built("distroless-base"), "--", "node", "-e", script)
    assert said.split() in (["127.0.0.1", "production"], ["::1", "production"])


def test_distroless_base_may_stand_on_another_image(built, tmp_path):
    """Such as distroless's static: what that has stays, and our Node runs on it."""
    built("distroless-base")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=another\n")
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "another.tar", "etc"], check=True)
    name = f"localhost/medianest-test/another:{os.getpid()}"
    podman("import", "--quiet", tmp_path / "another.tar", name)
    try:
        engine.build("--stage", "distroless-base", "--tag", "another", "--build-arg", f"DISTROLESS_IMAGE={name}")
        said = podman("run", "--rm", "--network", "none", image("distroless-base", "another"), "--", "node", "-p",
                      "fs.readFileSync('/etc/os-release', 'utf8')")
        assert said.strip() == "ID=another"
    finally:
        podman("rmi", "--force", image("distroless-base", "another"), name)


# --- production: what it does -------------------------------------------------------------------------------------

@pytest.mark.parametrize("level", ["standard", "hardened"])
def test_backend_migrates_serves_and_stops(built, backend_options, network, level):
    name = built("backend-production", level)
    with Container(*backend_options, "--read-only", "--volume", "/app/backend/logs", "--volume", "/app/backend/uploads",
                   name, network=network) as c:
        wait_until(c.healthy)
        headers = [word for key, value in signed().items() for word in ("-H", f"{key}: {value}")]
        c.curl("-f", *headers, "-d", '{"title": "Nosferatu", "kind": "film"}', f"{API}/media")
        assert [medium["title"] for medium in json.loads(c.curl("-f", f"{API}/media").stdout)] == ["Nosferatu"]
        # The service's own page and nest-init's are one, by the token.
        page = c.curl("-f", "http://127.0.0.1:9911/metrics").stdout
        assert "nest_init_ready 1" in page and "nodejs_version_info" in page
        podman("stop", "--time", "20", c.name)
        assert c.state()["ExitCode"] == 0


@pytest.mark.parametrize("level", ["standard", "hardened"])
def test_frontend_serves_and_ends_with_0(built, level):
    with Container("--read-only", built("frontend-production", level)) as c:
        wait_until(c.healthy)
        assert "<h1>MediaNest</h1>" in c.curl("-f", "http://127.0.0.1:3000/").stdout
        podman("stop", "--time", "20", c.name)
        assert c.state()["ExitCode"] == 0


SLOW = """
import http.server, time
class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(40 * 1024))
        self.end_headers()
        for _ in range(40):
            self.wfile.write(b"x" * 1024)
            self.wfile.flush()
            time.sleep(0.15)
http.server.ThreadingHTTPServer(("127.0.0.1", 4000), Slow).serve_forever()
"""


@pytest.mark.parametrize("level", ["standard", "hardened"])
def test_nginx_finishes_a_slow_download_on_stop(built, public, level):
    """TERM to PID 1 is QUIT to nginx, which closes its door at once and goes when the last client has all."""
    (public / "backend.conf").write_text("server 127.0.0.1:4000;\n")
    (public / "frontend.conf").write_text("server 127.0.0.1:4000;\n")
    with Container("--volume", f"{public}:/etc/nginx/upstreams:ro", "--read-only", built("nginx-proxy", level)) as c:
        wait_until(c.healthy)
        enter = ["nsenter", "-t", str(c.pid()), "-n"]
        server = subprocess.Popen([*enter, "/usr/bin/python3", "-c", SLOW], stderr=subprocess.DEVNULL)
        download = None
        try:
            wait_until(lambda: c.curl("-o", "/dev/null", "http://127.0.0.1:4000/", "-m", "1", status=None).returncode == 28, pause=0.1)
            download = subprocess.Popen([*enter, "curl", "-sS", "-N", "-f", "http://127.0.0.1:8080/api/slow"], stdout=subprocess.PIPE)
            assert download.stdout.read(1024) == b"x" * 1024
            podman("stop", "--time", "60", c.name)
            assert len(download.stdout.read()) == 39 * 1024
            assert download.wait(60) == 0
            assert c.state()["ExitCode"] == 0
        finally:
            for process in filter(None, (server, download)):
                process.kill()
                process.wait()


def test_migration_runner_waits_for_a_postgres_that_comes_late(built, public):
    name = built("migration-runner")
    late = Stores()
    try:
        options = [*secrets_of(public / "secrets", database_url="postgres://postgres@127.0.0.1/postgres"),
                   "--env", "POSTGRES=127.0.0.1:5432"]
        with Container(*options, name, network=f"ns:{late.network}") as first:
            time.sleep(2)  # it is the database that is late
            assert first.state()["Status"] == "running"
            late.start_postgres()
            assert first.wait() == 0
            assert '"applied":["001' in first.logs()
        everything = sorted(path.name for path in (engine.MEDIANEST / "backend/migrations").glob("*.sql"))
        assert late.psql("SELECT name FROM schema_migrations ORDER BY name") == everything
        with Container(*options, name, network=f"ns:{late.network}") as second:
            assert second.wait() == 0
            assert '"applied":[]' in second.logs()
        late.psql("UPDATE schema_migrations SET sha256 = 'another'")
        with Container(*options, "--env", "NEST_INIT_LOG_LEVEL=info", name, network=f"ns:{late.network}") as third:
            assert third.wait() == 1
    finally:
        late.close()


# --- developers and CI --------------------------------------------------------------------------------------------

def test_development_restarts_on_a_change(built, backend_options, network, public):
    subprocess.run(["cp", "-R", engine.MEDIANEST / "backend/src", public / "src"], check=True)
    subprocess.run(["chmod", "-R", "a+rX", public / "src"], check=True)
    environment = {"DATABASE_URL": "postgres://postgres@127.0.0.1/medianest", "REDIS_URL": SECRETS["redis_url"],
                   "JWT_SECRET": SECRETS["jwt_secret"], "METRICS_TOKEN": SECRETS["metrics_token"]}
    given = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
    with Container(*backend_options, *given, "--volume", f"{public}/src:/app/backend/src", built("development"), network=network) as c:
        wait_until(c.healthy)
        before = c.curl("-f", f"{API}/health").stdout
        app = public / "src/app.ts"
        text = app.read_text()
        assert text.count("'/health'") == 1
        app.write_text(text.replace("'/health'", "['/health', '/changed']"))
        wait_until(lambda: c.curl("-f", f"{API}/changed", status=None).returncode == 0)
        assert before
        # A mistake does not end the container, and its correction goes on.
        app.write_text("this is no program")
        wait_until(lambda: c.curl("-f", f"{API}/health", status=None).returncode != 0)
        app.write_text(text)
        wait_until(c.healthy)
        assert c.state()["Status"] == "running"


ORPHANS = "i=0; while [ $i -lt 1000 ]; do (sleep 0.5 &) ; i=$((i+1)); done"


def test_test_runner_runs_a_browser_and_leaves_no_orphan(built):
    script = f"{ORPHANS}; node --test /app/browser/; echo browser: $?; exec sleep 1000"
    with Container("--env", "NEST_INIT_METRICS=127.0.0.1:9911", "--pids-limit", "4000", built("test-runner"), "sh", "-c", script) as c:
        wait_until(lambda: "browser: " in c.logs())
        assert "browser: 0" in c.logs() and "# fail 0" in c.logs() and "# pass 2" in c.logs()

        def processes():
            listed = c.exec("sh", "-c", "for p in /proc/[0-9]*; do cat $p/stat; done 2>/dev/null").stdout
            return [(line.split("(", 1)[1].rsplit(")", 1)[0], line.rsplit(")", 1)[1].split()[0]) for line in listed.splitlines()]
        wait_until(lambda: {name for name, _ in processes()} <= {"nest-init", "sleep", "sh", "cat"} and
                   not [name for name, state in processes() if state == "Z"])
        assert len(processes()) <= 6
        reaped = re.search(r'^nest_init_reaped_processes_total\{origin="orphan"\} (\d+)$',
                           c.curl("-f", "http://127.0.0.1:9911/metrics").stdout, re.M)
        assert int(reaped[1]) >= 1000


def test_test_runner_ends_with_the_status_of_the_tests(built, public):
    (public / "wrong.test.mjs").write_text("import test from 'node:test'; test('wrong', () => { throw new Error(); });")
    with Container("--volume", f"{public}:/app/wrong:ro", built("test-runner"), "node", "--test", "/app/wrong/") as c:
        assert c.wait() == 1


RIGHTS = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"]


def scanned(name, rights=RIGHTS, mode="rw=true"):
    """(status, output) of the scanner, looking at an image."""
    done = engine.run("podman", "run", "--rm", "--network", "none", *rights, "--mount",
                      f"type=image,source={name},destination=/image,{mode}", image("security-scanner"), status=None)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("level", ["standard", "hardened"])
@pytest.mark.parametrize("stage", PRODUCTION)
def test_security_scanner_passes_ours(built, stage, level):
    built("security-scanner")
    status, said = scanned(built(stage, level))
    assert status == 0, said
    assert " 0 findings" in said and "0 high, 0 medium" in said


WEAKER = {
    "a shell": ("COPY busybox /bin/sh", "/bin/sh"),
    "a secret": ("COPY npmrc /app/.npmrc", "/app/.npmrc"),
    "setuid": ("COPY --chmod=4755 busybox /app/tool", "/app/tool"),
    "a file that all may write": ("COPY --chmod=0666 npmrc /app/settings", "/app/settings"),
    "no confinement": ("COPY weak.json /etc/nest-init.json", "high    user"),
}


@pytest.mark.parametrize("weakness", WEAKER)
def test_security_scanner_fails_what_is_weaker(built, tmp_path, weakness):
    built("security-scanner")
    instruction, finding = WEAKER[weakness]
    (tmp_path / "Dockerfile").write_text(f"FROM {built('frontend-production')}\n{instruction}\n")
    (tmp_path / "npmrc").write_text("yes=false\n")
    (tmp_path / "weak.json").write_text('{"services": {"frontend": {"command": ["node", "server.js"]}}}')
    shutil.copy("/bin/busybox", tmp_path)
    name = f"localhost/medianest-test/weak-{os.getpid()}:{list(WEAKER).index(weakness)}"
    engine.run("buildah", "build", "--format", "docker", "--pull-never", "--network", "none", "-t", name, tmp_path)
    try:
        status, said = scanned(name)
        assert status == 1 and finding in said, said
    finally:
        podman("rmi", "--force", name)


def test_security_scanner_finds_capabilities_of_a_file(built):
    built("security-scanner")
    name = f"localhost/medianest-test/capable-{os.getpid()}"
    container = engine.run("buildah", "from", "--pull-never", built("nginx-proxy")).stdout.strip()
    try:
        root = Path(engine.run("buildah", "mount", container).stdout.strip())
        subprocess.run(["setcap", "cap_net_admin+ep", root / "usr/sbin/nginx"], check=True)
        engine.run("buildah", "commit", "--format", "docker", container, name)
        status, said = scanned(name)
        assert status == 1 and "capable    /usr/sbin/nginx: " in said, said
    finally:
        engine.run("buildah", "rm", container)
        engine.run("podman", "rmi", "--force", name)


@pytest.mark.parametrize("how, remedy", [({"rights": []}, "--cap-add SYS_ADMIN"), ({"mode": "rw=false"}, "rw=true")])
def test_security_scanner_that_cannot_look_has_found_nothing(built, how, remedy):
    built("security-scanner")
    status, said = scanned(built("frontend-production"), **how)
    assert status == 125 and "scan: " in said and remedy in said, said


def test_monitoring_is_a_prometheus_with_our_rules(built, network, stores, public):
    """The frontend's own nest-init is scraped, and the two names that MediaNest's alerts use come of our rules."""
    name = built("monitoring")
    podman("run", "--rm", "--network", "none", name, "promtool", "check", "config", "/etc/prometheus/prometheus.yml")
    (public / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["recording.yml", "alerts.yml"],
        "scrape_configs": [{"job_name": "nest-init", "static_configs": [{"targets": ["127.0.0.1:9911"]}]}]}))
    with Container(built("frontend-production"), network=network), \
            Container("--env", "NEST_INIT_METRICS=127.0.0.1:9912", "--volume",
                      f"{public}/prometheus.yml:/etc/prometheus/prometheus.yml:ro", name, network=network) as c:
        wait_until(c.healthy)

        def ask(path):
            return json.loads(c.curl("-f", f"http://127.0.0.1:9090/api/v1/{path}").stdout)["data"]
        groups = {group["name"] for group in ask("rules")["groups"]}
        assert {"medianest", "nest-init"} <= groups
        for name in ("medianest_health_check_status", "medianest_readiness_check_status"):
            wait_until(lambda: [sample["value"][1] for sample in ask(f"query?query={name}")["result"]] == ["1"])
        podman("stop", "--time", "20", c.name)
        assert c.state()["ExitCode"] == 0
