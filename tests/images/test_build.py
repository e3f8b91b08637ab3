"""packaging/medianest/build: what its options mean to an engine, what it refuses and what it says then, and a registry's cache."""
import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

import engine
from engine import MEDIANEST, STAGES, inspect, wait_until
from ports import free_port

BUILD = MEDIANEST / "build"
STEPS = MEDIANEST / "steps"


def commands(*options, **environment):
    """What it would run, a list of words each."""
    done = subprocess.run([BUILD, "--dry-run", "--engine", "buildah", *options], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def targets(*options):
    return [words[words.index("--target") + 1] for words in commands(*options)]


def refused(*options, **environment):
    done = subprocess.run([BUILD, "--dry-run", "--engine", "buildah", *options], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    return done.stderr.removeprefix("build: ").rstrip("\n")


def arguments(words):
    return {words[at + 1].split("=", 1)[0]: words[at + 1].split("=", 1)[1] for at, word in enumerate(words) if word == "--build-arg"}


def test_help_fits_a_screen_and_names_every_option():
    shown = subprocess.run([BUILD, "--help"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 120
    cases = re.findall(r"^        ((?:-h \| |--[a-z-]+(?: \| )?)+)\)", BUILD.read_text(), re.M)
    known = set(re.findall(r"--[a-z-]+", " ".join(cases)))
    assert len(known) > 15
    assert known - {"--optimize"} <= set(re.findall(r"--[a-z-]+", shown.stdout))


def test_what_is_built():
    assert targets() == targets("--production") == ["backend-production", "frontend-production", "nginx-proxy", "migration-runner"]
    assert targets("--development") == ["development", "test-runner"]
    assert targets("--all") == STAGES
    assert targets("--stage", "monitoring", "--target=base", "--stage", "base") == ["base", "monitoring"]


def test_size_for_production_and_speed_for_development_unless_said():
    assert {arguments(words)["OPTIMISE"] for words in commands("--production")} == {"size"}
    assert {arguments(words)["OPTIMISE"] for words in commands("--development")} == {"speed"}
    (words,) = commands("--stage", "base", "--optimise", "speed")
    assert arguments(words)["OPTIMISE"] == "speed" and "--jobs" in words


def test_the_level_is_said_by_the_option_else_by_the_variable():
    (words,) = commands("--stage", "base", SECURITY_LEVEL="hardened")
    assert arguments(words)["SECURITY_LEVEL"] == "hardened"
    (words,) = commands("--stage", "base", "--security-level", "standard", SECURITY_LEVEL="hardened")
    assert arguments(words)["SECURITY_LEVEL"] == "standard"


def test_names_tags_and_what_is_passed_on(tmp_path):
    (tmp_path / "npmrc").touch()
    (words,) = commands("--stage", "base", "--name", "example/nest", "--tag", "7", "--secret", f"id=npmrc,src={tmp_path}/npmrc",
                        "--cache-from", "example/cache", "--cache-to", "example/cache", "--build-arg", "NODE_IMAGE=node:20-bookworm",
                        "--no-cache")
    text = " ".join(words)
    for expected in ("--tag example/nest/base:7", f"--secret id=npmrc\\,src={tmp_path}/npmrc", "--cache-from example/cache",
                     "--cache-to example/cache", "--no-cache", "--format docker"):
        assert expected in text
    assert arguments(words)["NODE_IMAGE"] == "node:20-bookworm"


def test_several_platforms_make_a_manifest_list():
    said = commands("--stage", "base", "--platform", "linux/amd64,linux/arm64", "--nest-init", "docker-image://example/nest-init")
    build = next(words for words in said if "build" in words)
    assert "--manifest localhost/medianest/base:dev" in " ".join(build) and "--tag" not in build
    pushed = commands("--stage", "base", "--platform", "linux/amd64,linux/arm64", "--nest-init", "docker-image://example/nest-init",
                      "--push", "--name", "example/nest")
    assert pushed[-1][:3] == ["buildah", "manifest", "push"]


@pytest.mark.parametrize("options, problem, remedy", [
    (["--stage", "beckend"], "--stage has no 'beckend'", "backend-production"),
    (["--security-level", "high"], "--security-level has no 'high'", "standard hardened"),
    (["--optimise", "cost"], "--optimise has no 'cost'", "size speed"),
    (["--platform", "linux/riscv64"], "--platform has no 'linux/riscv64'", "linux/amd64 linux/arm64"),
    (["--platform", "linux/amd64,linux/arm64"], "nest-init is for ", "--nest-init docker-image://IMAGE"),
    (["--nest-init", "/nowhere"], "there is no /nowhere/nest-init", "./dev build"),
    (["--secret", "id=npmrc,src=/nowhere"], "--secret id=npmrc,src=/nowhere", "no such file"),
    (["--secret", "id=other,src=/dev/null"], "--secret id=other", "id=npmrc,src=FILE"),
    (["--build-arg", "NODE_IMAGE"], "--build-arg NODE_IMAGE", "NAME=VALUE"),
    (["--build-arg", "NODE_IMAG=x"], "--build-arg has no 'NODE_IMAG'", "NODE_IMAGE DISTROLESS_IMAGE PROMETHEUS_IMAGE"),
    (["--production=yes"], "--production=yes", "--production takes no value"),
    (["--push="], "--push=", "--push takes no value"),
    (["--push"], "--push: localhost/medianest is in no registry", "--name REGISTRY/NAME"),
    (["--tag", ""], "--tag", "a value is missing"),
    (["--name="], "--name", "a value is missing"),
    (["--frobnicate", "1"], "no option --frobnicate", "--help"),
    (["--stage"], "--stage", "a value is missing"),
    (["backend-production"], "'backend-production' is no option", "--stage backend-production"),
    (["--engine", "kaniko"], "--engine has no 'kaniko'", "docker buildah podman"),
])
def test_a_refusal_names_the_thing_and_the_remedy(options, problem, remedy):
    said = refused(*options)
    assert problem in said and remedy in said


def test_the_variable_of_the_level_is_blamed_by_its_name():
    assert refused(SECURITY_LEVEL="high").startswith("SECURITY_LEVEL has no 'high'")


def test_a_proxy_is_passed_on():
    (words,) = commands("--stage", "base", "--build-arg", "HTTPS_PROXY=http://example:3128")
    assert arguments(words)["HTTPS_PROXY"] == "http://example:3128"


def test_what_local_bases_would_do_is_shown():
    made, build = commands("--stage", "base", "--local-bases")
    assert made[0] == str(MEDIANEST / "base-images")
    assert made[-4:] == ["--build-arg", "NODE_IMAGE=...", "--build-arg", "PROMETHEUS_IMAGE=..."]
    assert "--pull-never" in build


def by(tmp_path, client, script, *options):
    """What it comes to with that script as the client."""
    (tmp_path / client).write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / client).chmod(0o755)
    return subprocess.run([BUILD, "--engine", client, "--stage", "base", *options], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})


@pytest.mark.parametrize("script, problem", [
    ('[ "$1" = buildx ] || { echo Server:; echo "Cannot connect to it"; echo "errors there were"; exit 1; }', "Cannot connect to it"),
    ('[ "$1" != buildx ]', "there is no docker buildx")])
def test_an_engine_that_was_named_and_does_not_answer_is_refused(tmp_path, script, problem):
    done = by(tmp_path, "docker", script)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"build: --engine docker: it does not answer ({problem}): mend that, or choose another\n"


def test_where_a_build_fails_its_last_line_has_the_hint(tmp_path):
    done = by(tmp_path, "buildah", '[ "$1" = info ] || { echo "no such host" >&2; exit 125; }')
    *_, last = done.stderr.splitlines()
    assert done.returncode == 125 and last == ("build: base is not built, buildah ended with 125; where a base image could not be pulled, "
                                               "--local-bases makes one here, and --build-arg names another")


def test_docker_is_told_in_its_own_words(tmp_path):
    """Its client is asked for nothing here: the commands are looked at."""
    done = by(tmp_path, "docker", "exit 0", "--dry-run", "--cache-to", "example/cache")
    assert "docker buildx build --load --cache-to type=registry\\,mode=max\\,ref=example/cache" in done.stdout


# --- the steps under Alpine's shell -------------------------------------------------------------------------------

@pytest.fixture
def alpine(tmp_path):
    """A PATH that has busybox's programs and nothing else."""
    programs = tmp_path / "bin"
    programs.mkdir()
    subprocess.run(["busybox", "--install", "-s", programs], check=True)
    return {"PATH": str(programs)}


def step(alpine, name, *words, **environment):
    return subprocess.run(["busybox", "sh", STEPS / name, *words], env={**alpine, **environment}, capture_output=True, text=True, timeout=60)


def test_the_skeleton_is_the_same_by_busybox(alpine, tmp_path):
    root = tmp_path / "root"
    done = step(alpine, "skeleton", root, "medianest:1001:nodejs:1001")
    assert done.returncode == 0, done.stderr
    assert "medianest:x:1001:1001:" in (root / "etc/passwd").read_text() and "nodejs:x:1001:" in (root / "etc/group").read_text()
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777 and os.readlink(root / "var/run") == "../run"


@pytest.mark.parametrize("level, mode, group", [("standard", 0o644, 0), ("hardened", 0o440, 1001)])
def test_permissions_are_the_same_by_busybox(alpine, tmp_path, level, mode, group):
    file = tmp_path / "app/server.js"
    file.parent.mkdir()
    file.touch()
    file.chmod(0o666)
    done = step(alpine, "permissions", file.parent, SECURITY_LEVEL=level)
    assert done.returncode == 0, done.stderr
    assert (file.stat().st_mode & 0o7777, file.stat().st_gid) == (mode, group)
    assert step(alpine, "permissions", file.parent, SECURITY_LEVEL="high").returncode == 1


def test_pruning_is_the_same_by_busybox(alpine, tmp_path):
    for name in ("index.js", "index.d.ts", "index.js.map", "README.md"):
        (tmp_path / name).touch()
    assert step(alpine, "prune", tmp_path, OPTIMISE="speed").returncode == 0
    assert (tmp_path / "README.md").exists()
    assert step(alpine, "prune", tmp_path, OPTIMISE="size").returncode == 0
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["index.js"]


def test_without_a_package_manager_a_base_is_refused(alpine):
    programs = alpine["PATH"]
    for name in ("apk", "apt-get"):
        assert not os.path.exists(f"{programs}/{name}")
    done = step(alpine, "packages", "make", "make")
    assert done.returncode == 1 and "NODE_IMAGE" in done.stderr


# --- a registry ---------------------------------------------------------------------------------------------------

@pytest.fixture
def registry(tmp_path):
    """Debian's docker-registry, on a port of loopback."""
    port = free_port()
    (tmp_path / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    (tmp_path / "registries.conf").write_text(f'[[registry]]\nlocation = "127.0.0.1:{port}"\ninsecure = true\n')
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([shutil.which("docker-registry"), "serve", tmp_path / "registry.yml"], stdout=log, stderr=log)
        try:
            wait_until(lambda: answers(port), pause=0.1)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


@pytest.fixture
def two_storages(tmp_path, monkeypatch):
    """use(NAME): another storage, empty at first, as another machine has it."""
    with tempfile.TemporaryDirectory(prefix="medianest-", dir="/run") as short:
        def use(name):
            place = tmp_path / name
            monkeypatch.setattr(engine, "PLACE", place)
            monkeypatch.setattr(engine, "STATE", Path(short) / name)
            monkeypatch.setattr(engine, "STORAGE", f'[storage]\ndriver = "overlay"\ngraphroot = "{place}/storage"\n'
                                f'runroot = "{short}/{name}"\n')
        yield use
        for name in ("one", "other"):
            use(name)
            engine.run("buildah", "rmi", "--all", "--force")


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="docker-registry (Debian) is not installed")
def test_layers_go_to_a_registry_and_come_back_on_another_machine(registry, two_storages, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    options = ["--stage", "monitoring", "--cache-from", f"{registry}/cache", "--cache-to", f"{registry}/cache"]
    two_storages("one")
    assert "Cache pulled" not in engine.build(*options)
    before = inspect(engine.image("monitoring"))["RootFS"]
    two_storages("other")
    assert "Cache pulled from remote" in engine.build(*options)
    assert inspect(engine.image("monitoring"))["RootFS"] == before
