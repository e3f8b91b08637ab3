"""compose.yml brought up by the docker-compose client through podman's socket: a project of a test's own, gone at the end.

    with Project() as project:
        project.up("prod")
        project.http("nginx", 8080, "/api/media").read()

Podman has no timer without systemd, which would call `podman healthcheck run`: who wants to know calls it.
"""
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import engine
import stores
from engine import LIMIT, MEDIANEST

NO_TIMER = "DISABLE_HC_SYSTEMD"
# Podman's CNI networks name the machine's own name servers beside theirs, which know no container. glibc asks one behind the
# other, musl all at once, and takes the first answer: so there is to be no second one, as there is none under Docker.
OVERRIDE = "networks: {{inside: {{external: true, name: {}}}}}\n"


def wait_until(condition, limit=120, pause=0.1):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + limit
    while not (answer := condition()):
        assert time.monotonic() < end, f"not within {limit} s"
        time.sleep(pause)
    return answer


class Project:
    """variables  of compose.yml, beside those that every test has: RATE_LIMIT=0 and the stores' images"""

    def __init__(self, **variables):
        self.name = f"medianest{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.folder.chmod(0o755)
        self.upstreams = self.folder / "upstreams"
        shutil.copytree(MEDIANEST / "nginx/upstreams", self.upstreams)
        self.subnet = f"10.92.{os.getpid() % 250}"
        (self.folder / "resolver.conf").write_text(f"resolver {self.subnet}.1 valid=2s ipv6=off;\n")
        subprocess.run([MEDIANEST / "make-secrets", self.folder / "secrets"], check=True)
        (self.folder / "override.yml").write_text(OVERRIDE.format(self.name))
        (self.folder / "containers.conf").write_text(
            engine.CONTAINERS.replace("[containers]", f'[containers]\ndns_servers = ["{self.subnet}.1"]') +
            f'[network]\nnetwork_config_dir = "{self.folder}/networks"\n')  # where nobody else prunes
        self.environment = {
            **engine.environment(), NO_TIMER: "true", "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "DOCKER_HOST": f"unix://{self.folder}/engine", "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": f"{MEDIANEST}/compose.yml:{self.folder}/override.yml",
            "UPSTREAMS": str(self.upstreams), "RESOLVER": f"{self.folder}/resolver.conf",
            "SECRETS": str(self.folder / "secrets"), "RATE_LIMIT": "0", "HTTP": "127.0.0.1:0", "PROMETHEUS": "127.0.0.1:0",
            "COMPOSE_HTTP_TIMEOUT": str(LIMIT), **stores.make(), **variables}
        self.profile = None

    def __enter__(self):
        self.podman("network", "create", "--subnet", f"{self.subnet}.0/24", "--gateway", f"{self.subnet}.1", self.name)
        self.name_the_bridge()
        self.output = open(self.folder / "engine.log", "wb")
        self.service = subprocess.Popen(
            ["podman", "system", "service", "--time=0", self.environment["DOCKER_HOST"]],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output)
        wait_until((self.folder / "engine").exists)
        return self

    def __exit__(self, *_):
        try:
            if self.profile:
                self.compose("down", "--volumes", "--remove-orphans", "--timeout", "0")
        finally:
            self.service.terminate()
            self.service.wait(LIMIT)
            self.output.close()
            self.podman("network", "rm", "--force", "--time", "0", self.name)
            shutil.rmtree(self.folder)

    def name_the_bridge(self):
        """Podman takes the first name that is free in its directory of networks, and another project has one of its own."""
        network = self.folder / "networks" / f"{self.name}.conflist"
        definition = json.loads(network.read_text())
        [bridge] = [plugin for plugin in definition["plugins"] if plugin["type"] == "bridge"]
        bridge["bridge"] = f"nest{os.getpid()}"
        network.write_text(json.dumps(definition))

    def run(self, *words, status=0, **more):
        """The finished process; `status` None: whatever it is."""
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, errors="replace", timeout=LIMIT,
                              stdin=subprocess.DEVNULL, env={**self.environment, **more.pop("env", {})}, cwd=MEDIANEST, **more)
        assert status in (None, done.returncode), f"{words}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    @property
    def client(self):
        return ["docker-compose", "--profile", self.profile]

    def compose(self, *words, **more):
        return self.run(*self.client, *words, **more)

    def podman(self, *words, **more):
        return self.run("podman", *words, **more)

    def up(self, profile):
        self.profile = profile
        self.compose("up", "--detach")

    # its containers

    def containers(self, service, *options):
        filters = {"com.docker.compose.project": self.name, "com.docker.compose.service": service}
        words = [word for name, value in filters.items() for word in ("--filter", f"label={name}={value}")]
        return self.podman("ps", "--quiet", "--no-trunc", *options, *words).stdout.split()

    def inspect(self, container):
        return json.loads(self.podman("inspect", container).stdout)[0]

    def state(self, container):
        return self.inspect(container)["State"]

    def address(self, container):
        return next(iter(self.inspect(container)["NetworkSettings"]["Networks"].values()))["IPAddress"]

    def health(self, container, *options):
        return self.podman("exec", container, "/sbin/nest-init", "health", "--timeout", "5s", *options, status=None)

    def ready(self, *services):
        """Until each container of each service says so. The containers."""
        found = [container for service in services for container in self.containers(service)]
        for container in found:
            wait_until(lambda: self.health(container, "--ready").returncode == 0)
        return found

    def logs(self, container):
        done = self.podman("logs", container)
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def http(self, service, port, path, method="GET", headers=None, body=None):
        """The answer of the first container of a service."""
        connection = http.client.HTTPConnection(self.address(self.containers(service)[0]), port, timeout=LIMIT)
        try:
            connection.request(method, path, body, headers or {})
            yield connection.getresponse()
        finally:
            connection.close()

    def get(self, service, port, path, headers=None):
        with self.http(service, port, path, headers=headers) as answer:
            return answer.status, answer.read().decode()

    def serves(self, service, port, path):
        """Is there such a page, now?"""
        try:
            return self.get(service, port, path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False
