"""MediaNest's applications, built once, and the Postgres and Redis that they live on, for containers of bundle.py.

    with Stores() as stores, Backend(stores, init) as backend:
        backend.http("http://127.0.0.1:4000/api/media").json()

All share one network namespace, the stores' own: 127.0.0.1 is everybody's, and the machine's ports are nobody's.
"""
import base64
import fcntl
import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import bundle
from namespace import wait_until
from npm import installed

REPO = Path(__file__).resolve().parents[2]
MEDIANEST = REPO / "packaging/medianest"
BUILD = REPO / "build/medianest"
USER = 1001
API = "http://127.0.0.1:4000"
MONITOR = "http://127.0.0.1:9911"
BACKSTOP = 60  # seconds: nothing here comes near


# --- what is built ------------------------------------------------------------------------------------------------

def _sources(application):
    """The files that a build is made of: not what it makes, nor what npm installs."""
    made = {"node_modules", "dist", ".next", "next-env.d.ts", "uploads", "logs"}
    return [path for path in sorted((MEDIANEST / application).rglob("*"))
            if path.is_file() and not made & set(path.relative_to(MEDIANEST / application).parts) and path.suffix != ".tsbuildinfo"]


def built(application):
    """The directory in which the application has been built, by its own build script: once for all of xdist's workers."""
    place = BUILD / application
    installed(MEDIANEST / application, place)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = hashlib.sha256()
        for path in _sources(application):
            digest.update(f"{path.relative_to(MEDIANEST)}\0".encode() + path.read_bytes())
        stamp = place / "built"
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return place
        for path in _sources(application):
            target = place / path.relative_to(MEDIANEST / application)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        subprocess.run(["npm", "run", "build"], cwd=place, check=True, timeout=300, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, env={**os.environ, "NEXT_TELEMETRY_DISABLED": "1"})
        stamp.write_text(digest.hexdigest())
    return place


def image():
    """The demo's image: Node, its libraries and the users. A context that keeps anybody from replacing it."""
    subprocess.run([REPO / "packaging/demo/image.sh"], cwd=REPO, check=True, timeout=240)
    lock = open(REPO / "build/demo/lock")
    fcntl.flock(lock, fcntl.LOCK_SH)
    return REPO / "build/demo/rootfs", lock


# --- Postgres and Redis -------------------------------------------------------------------------------------------

class Stores:
    """Debian's, in a network namespace of their own; Postgres as its user, without a word on the disk that would last."""

    def __init__(self):
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.folder = Path(tempfile.mkdtemp(prefix="nest-stores-"))
        self.folder.chmod(0o755)
        self.output = open(self.folder / "log", "wb")
        data = self.folder / "postgres"
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        # Its programs refuse to be root.
        owner = data.stat()
        self.as_postgres = ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", "--"]
        subprocess.run([*self.as_postgres, self.programs / "initdb", "--no-sync", "--locale=C", "--encoding=UTF8", "--auth=trust",
                        "--username=postgres", "-D", data], check=True, timeout=BACKSTOP, cwd="/", stdin=subprocess.DEVNULL,
                       stdout=self.output, stderr=self.output)
        # It keeps the namespace, whoever else comes and goes.
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up; echo; exec sleep infinity"],
                                       stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.holder.stdout.readline()
        self.network = f"/proc/{self.holder.pid}/ns/net"
        self.enter = ["nsenter", f"--net={self.network}", "--"]
        self.postgres = self.redis = None

    def start_postgres(self):
        self.postgres = self._start(*self.as_postgres, self.programs / "postgres", "-D", self.folder / "postgres",
                                    "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "unix_socket_directories=")
        wait_until(self.up, pause=0.1)

    def _start(self, *command):
        return subprocess.Popen([*self.enter, *command], stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, cwd="/")

    def start_redis(self):
        self.redis = self._start("redis-server", "--save", "", "--bind", "127.0.0.1", "--dir", self.folder)

    def stop_redis(self):
        self.redis.terminate()
        self.redis.wait(BACKSTOP)

    def psql(self, statement, database="postgres"):
        asked = subprocess.run([*self.enter, self.programs / "psql", "-h", "127.0.0.1", "-U", "postgres", "-d", database, "-XAtc",
                                statement], capture_output=True, text=True, timeout=BACKSTOP)
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.splitlines()

    def up(self):
        return subprocess.run([*self.enter, self.programs / "pg_isready", "-q", "-h", "127.0.0.1"], timeout=BACKSTOP).returncode == 0

    def new_database(self, name):
        self.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.psql(f"CREATE DATABASE {name}")

    def __enter__(self):
        self.start_postgres()
        self.start_redis()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process, stop in ((self.redis, signal.SIGTERM), (self.postgres, signal.SIGINT), (self.holder, signal.SIGKILL)):
            if process is not None and process.poll() is None:
                process.send_signal(stop)
                process.wait(BACKSTOP)
        self.holder.stdout.close()
        self.output.close()
        shutil.rmtree(self.folder)


# --- what runs on them --------------------------------------------------------------------------------------------

SECRETS = {"jwt_secret": "the secret of a test", "metrics_token": "token-of-a-test-0123456789", "redis_url": "redis://127.0.0.1:6379"}


def token(secret=SECRETS["jwt_secret"], **claims):
    """A JSON Web Token by HS256 (RFC 7519)."""
    def packed(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    text = ".".join(packed(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "test", **claims}))
    return f"{text}.{packed(hmac.digest(secret.encode(), text.encode(), 'sha256'))}"


def signed(secret=SECRETS["jwt_secret"]):
    return {"Authorization": f"Bearer {token(secret)}", "Content-Type": "application/json"}


def new_folder(name):
    folder = Path(tempfile.mkdtemp(prefix=f"nest-{name}-"))
    folder.chmod(0o755)
    return folder


class Application(bundle.Container):
    """One of the applications as its image would run it: uid 1001, no capability, a root that nobody writes to, and the file
    of nest-init that belongs to it.

    configure  a function that gets that file as a dict, and may change it
    folder     what of the host the container has: secrets/, uploads/, logs/ as its mounts say, removed with it"""

    def __init__(self, name, init, rootfs, *, mounts=(), user=USER, configure=None, folder=None, **options):
        self.folder = folder or new_folder(name)
        config = json.loads((MEDIANEST / f"nest-init/{name}.json").read_text())
        if configure:
            configure(config)
        (self.folder / "nest-init.json").write_text(json.dumps(config))
        files = {"/sbin/nest-init": init, "/etc/nest-init.json": self.folder / "nest-init.json"}
        super().__init__(["/sbin/nest-init"], rootfs, files=files, user=user, caps=(), no_new_privs=True, read_only=True,
                         mounts=[bundle.tmpfs("/tmp"), *mounts], **options)

    def cleanup(self):
        super().cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)

    def health(self, *options):
        return self.exec("/sbin/nest-init", "health", "--timeout", "5s", *options)


class Backend(Application):
    """secrets     {name: text} beside those of SECRETS
    migrations  a directory that takes the place of the backend's own"""

    def __init__(self, stores, init, rootfs, database, *, env=None, secrets=None, migrations=None, configure=None):
        place = built("backend")
        folder = new_folder("backend")
        for name in ("uploads", "logs", "secrets"):
            (folder / name).mkdir()
            os.chown(folder / name, USER, USER)
        self.secrets = folder / "secrets"
        for name, text in {"database_url": f"postgres://postgres@127.0.0.1/{database}", **SECRETS, **(secrets or {})}.items():
            self.write_secret(name, text)
        super().__init__(
            "backend", init, rootfs, network=stores.network, configure=configure, folder=folder,
            env={"POSTGRES": "127.0.0.1:5432", "REDIS": "127.0.0.1:6379", "RATE_LIMIT": "0", **(env or {})},
            mounts=[bundle.tmpfs("/app", "mode=755"), bundle.tmpfs("/app/backend", "mode=755"),
                    *(bundle.bind(place / name, f"/app/backend/{name}", "ro") for name in ("dist", "node_modules", "package.json")),
                    bundle.bind(migrations or place / "migrations", "/app/backend/migrations", "ro"),
                    *(bundle.bind(folder / name, f"/app/backend/{name}") for name in ("uploads", "logs")),
                    bundle.tmpfs("/run", "mode=755"), bundle.bind(self.secrets, "/run/secrets", "ro")])

    def write_secret(self, name, text):
        """As an engine or Kubernetes puts it there: by a rename, for its reader alone."""
        new = self.secrets / f".{name}"
        new.write_text(f"{text}\n")
        new.chmod(0o400)
        os.chown(new, USER, USER)
        os.rename(new, self.secrets / name)

    def ready(self):
        self.wait_http(f"{MONITOR}/readyz", timeout=BACKSTOP)
        return self

    def said(self):
        """What the backend and its migration have said, each line an object."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]

    def add(self, title, secret=SECRETS["jwt_secret"]):
        answer = self.http(f"{API}/api/media", "POST", signed(secret), json.dumps({"title": title, "kind": "film"}))
        assert answer.status == 201, answer.text
        return answer.json()


def beside_the_backend(config):
    """All share a network here, and the backend has the port of their files."""
    config["metrics"]["listen"] = ["127.0.0.1:9912"]


class Frontend(Application):
    def __init__(self, stores, init, rootfs, configure=beside_the_backend):
        standalone = built("frontend") / ".next/standalone"
        super().__init__("frontend", init, rootfs, network=stores.network, configure=configure,
                         mounts=[bundle.bind(standalone, "/app/frontend", "ro"), bundle.tmpfs("/run", "mode=755")])


class Proxy(Application):
    """Debian's nginx with our file. servers: {upstream: [ADDRESS:PORT]}."""

    def __init__(self, stores, init, servers):
        folder = new_folder("nginx")
        for name in ("nginx.conf", "resolver.conf", "mime.types"):
            source = MEDIANEST / "nginx" / name
            shutil.copy(source if source.exists() else Path("/etc/nginx") / name, folder)
        self.upstreams = folder / "upstreams"
        self.upstreams.mkdir()
        for name, addresses in servers.items():
            self.serve(name, addresses)
        super().__init__("nginx", init, None, network=stores.network, user=101, folder=folder, configure=beside_the_backend,
                         mounts=[bundle.bind(folder, "/etc/nginx", "ro"), bundle.bind("/usr", "/usr", "ro"),
                                 *(bundle.bind(f"/usr{path}", path, "ro") for path in ("/lib", "/lib64"))])

    def reload(self):
        """Returns when nobody is left who takes connections by the old file."""
        before = set(self._workers())
        self.kill("HUP")
        wait_until(lambda: (now := set(self._workers())) and not now & before, pause=0.02)

    def _workers(self):
        # One that is on its way out has another title: "worker process is shutting down".
        return [pid for pid, line in self.processes().items() if line.rstrip() == "nginx: worker process"]

    def serve(self, upstream, addresses):
        (self.upstreams / f"{upstream}.conf").write_text("".join(f"server {address};\n" for address in addresses))
