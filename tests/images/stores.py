"""Postgres and Redis as images, of Debian's packages on this machine: what compose.yml takes from a registry elsewhere.

They take what the official ones take: POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE, /var/lib/postgresql/data, /data.
nest-init is PID 1 there as well, and initdb a task of its file.
"""
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from engine import MEDIANEST, PLACE, REPOSITORY, podman, run

USER = 999
DATA = "/var/lib/postgresql/data"

INITDB = f"""
test -e {DATA}/PG_VERSION && exit
initdb --no-sync --locale=C --encoding=UTF8 --auth=scram-sha-256 --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -D {DATA} &&
echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D {DATA} postgres &&
echo "host all all all scram-sha-256" >>{DATA}/pg_hba.conf
"""


def postgres():
    own = {"user": str(USER)}
    return {
        "tasks": {"initdb": {**own, "command": ["sh", "-c", INITDB.replace("$", "$$")], "before": ["postgres"]}},
        "services": {"postgres": {
            **own, "command": ["postgres", "-D", DATA, "-c", "listen_addresses=*", "-c", "unix_socket_directories=",
                               "-c", "fsync=off"],
            "stop": {"signal": "INT", "timeout": "25s", "on": ["TERM", "INT"]},
            "health": {"ready": ["tcp://127.0.0.1:5432"], "start_interval": "100ms", "start_period": "1m"}}},
        "log": {"format": "json"}}


def redis():
    return {
        "services": {"redis": {
            "user": str(USER), "command": ["redis-server", "--dir", "/data", "--protected-mode", "no", "--daemonize", "no"],
            "stop": {"timeout": "8s"}, "health": {"ready": ["tcp://127.0.0.1:6379"], "start_interval": "100ms"}}},
        "log": {"format": "json"}}


def _root(name, config, programs, directories, writable):
    """A root file system below build/images, of the programs and what they load."""
    root = PLACE / f"{name}-root"
    shutil.rmtree(root, ignore_errors=True)
    for directory in ("etc", "run", "proc", "sys", "dev", "bin", "sbin", "tmp", writable.strip("/")):
        (root / directory).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for directory in directories:
        shutil.copytree(directory, root / str(directory).strip("/"), dirs_exist_ok=True, ignore=shutil.ignore_patterns("bitcode", "llvmjit*"))
    subprocess.run([MEDIANEST / "steps/collect", root, *programs], check=True)
    shutil.copy(REPOSITORY / "build/release/nest-init", root / "sbin")
    (root / "etc/nest-init.json").write_text(json.dumps(config))
    (root / "etc/passwd").write_text(f"root:x:0:0::/:/bin/sh\n{name}:x:{USER}:{USER}::/:/bin/sh\n")
    (root / "etc/group").write_text(f"root:x:0:\n{name}:x:{USER}:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    os.chown(root / writable.strip("/"), USER, USER)
    (root / writable.strip("/")).chmod(0o700)
    return root


def _image(name, root, path):
    archive = PLACE / f"{name}.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    shutil.rmtree(root)
    podman("import", "--change", 'ENTRYPOINT ["/sbin/nest-init"]', "--change", f"ENV PATH={path}", archive, name_of(name))
    archive.unlink()


def name_of(name):
    made_of = Path(__file__).read_bytes() + (REPOSITORY / "build/release/nest-init").read_bytes()
    return f"localhost/medianest-stores/{name}:{hashlib.sha256(made_of).hexdigest()[:12]}"


def _exists(name):
    return run("podman", "image", "exists", name_of(name), status=None).returncode == 0


def make():
    """{"POSTGRES_IMAGE": ..., "REDIS_IMAGE": ...}, made if they are not there yet."""
    version = max(Path("/usr/lib/postgresql").glob("*"))
    programs = version / "bin"
    if not _exists("postgres"):
        root = _root("postgres", postgres(), [programs / "postgres", programs / "initdb", *(version / "lib").glob("plpgsql.so")],
                     [version / "lib", Path("/usr/share/postgresql") / version.name, "/usr/share/zoneinfo/Etc"], DATA)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        os.symlink("busybox", root / "bin/sh")
        os.symlink("busybox", root / "bin/test")
        _image("postgres", root, f"{programs}:/bin:/sbin")
    if not _exists("redis"):
        _image("redis", _root("redis", redis(), [Path("/usr/bin/redis-server")], [], "/data"), "/usr/bin:/sbin")
    return {"POSTGRES_IMAGE": name_of("postgres"), "REDIS_IMAGE": name_of("redis")}
