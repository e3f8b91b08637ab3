"""packaging/ for those who run many of these: rules, alerts, the runbook, the dashboard, how it is all scraped.

Nothing there names a figure that the page has not, and a real Prometheus evaluates all of it beside a real container.
NEST_INIT names the binary, the release unless it is set.
"""
import json
import re
import shutil
import subprocess

import pytest
import yaml

from busybox import NEST_INIT, REPO, image, needs_runc, wait_until  # noqa: F401
from bundle import Container
from ports import free_port
from prometheus import Prometheus

RULES = REPO / "packaging/prometheus"
FILES = [RULES / "recording.yml", RULES / "alerts.yml"]
RUNBOOK = (REPO / "packaging/runbook.md").read_text()
DASHBOARD = json.loads((REPO / "packaging/grafana/nest-init.json").read_text())
PAGE = (REPO / "tests/unit/golden/metrics.txt").read_text()

pytestmark = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian package prometheus) is not installed")


def promtool(*words, cwd=RULES):
    return subprocess.run(["promtool", *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=120)


def rules(kind):
    return [rule for path in FILES for group in yaml.safe_load(path.read_text())["groups"]
            for rule in group["rules"] if kind in rule]


ALERTS = {rule["alert"]: rule for rule in rules("alert")}
RECORDED = {rule["record"]: rule for rule in rules("record")}


def names_on_the_page():
    """Of all series, in the text format: a histogram's have their suffixes."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", PAGE, re.M):
        names |= {name + suffix for suffix in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def names_of(expression):
    return set(re.findall(r"\bnest_init[a-z0-9_]*(?::[a-z0-9_]+)*|\bmedianest_\w+", expression))


# --- rules --------------------------------------------------------------------------------------------------------

def test_the_rules_are_rules():
    check = promtool("check", "rules", *FILES)
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_rules_say_what_they_should():
    check = promtool("test", "rules", "rules_test.yml")
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("expression, fires", [("vector(0) > 1", False), ("vector(1)", True)])
def test_each_alert_is_seen_to_fire_and_not_to(tmp_path, expression, fires):
    """In rules_test.yml, which has a case of both for each: one that never fires fails there, and so does one that always
    does."""
    cases = [(case["alertname"], bool(case["exp_alerts"])) for test in yaml.safe_load((RULES / "rules_test.yml").read_text())["tests"]
             for case in test.get("alert_rule_test", [])]
    assert set(cases) == {(alert, fires) for alert in ALERTS for fires in (True, False)}
    for path in RULES.glob("*.yml"):
        shutil.copy(path, tmp_path)
    changed = yaml.safe_load((RULES / "alerts.yml").read_text())
    for rule in (rule for group in changed["groups"] for rule in group["rules"]):
        rule.update({"expr": expression, "for": "0s"})
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(changed))
    check = promtool("test", "rules", "rules_test.yml", cwd=tmp_path)
    assert check.returncode == 1
    assert set(re.findall(r"alertname: ?(\w+)", check.stdout + check.stderr)) == set(ALERTS)


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDED])
def test_a_rule_names_nothing_that_is_not_there(rule):
    expression = (ALERTS.get(rule) or RECORDED[rule])["expr"]
    assert names_of(expression) - names_on_the_page() - set(RECORDED) == set()


def test_medianests_two_names_are_recorded():
    assert {"medianest_health_check_status", "medianest_readiness_check_status"} <= set(RECORDED)


# --- the runbook --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_its_line(alert):
    line, = re.findall(rf"^### {alert}\n(.*)\n$", RUNBOOK, re.M)
    for part in r"\*\*Means\*\*", r"\*\*Look\*\*", r"\*\*Do\*\*":
        assert len(re.findall(part, line)) == 1
    rule = ALERTS[alert]
    assert rule["annotations"]["runbook_url"] == f"runbook.md#{alert.lower()}"
    assert rule["annotations"]["summary"] and rule["labels"]["severity"] in ("critical", "warning", "info")


def test_the_runbook_has_no_line_too_many():
    assert re.findall(r"^### (.*)$", RUNBOOK, re.M) == list(ALERTS)
    assert names_of(RUNBOOK) - names_on_the_page() - set(re.findall(r"^# TYPE (\S+)", PAGE, re.M)) - set(RECORDED) == set()


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[a-z-]+)", RUNBOOK)) - {"--max-old-space-size", "--privileged"}))
def test_an_option_that_the_runbook_names_is_one(option):
    pages = [subprocess.run([NEST_INIT, *words, "--help"], capture_output=True, text=True).stdout
             for words in ([], ["seccomp"], ["probe"])]
    everything = subprocess.run([NEST_INIT, "--help", "all"], capture_output=True, text=True).stdout
    assert f"{option} " in everything + "".join(pages) or f"{option}=" in everything


# --- the dashboard ------------------------------------------------------------------------------------------------

PANELS = DASHBOARD["panels"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel.get("targets", [])]


def plain(expression):
    """A query as the dashboard asks it, with its variables filled in."""
    return expression.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*")


def test_the_dashboard_is_one_that_can_be_imported():
    """An id of its own is the importer's to give; each panel draws from the data source that one chooses."""
    assert DASHBOARD["id"] is None and DASHBOARD["uid"] == "nest-init" and DASHBOARD["title"]
    assert isinstance(DASHBOARD["schemaVersion"], int) and DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["__inputs"] == [] and {need["id"] for need in DASHBOARD["__requires"]} == {"grafana", "prometheus"}
    variables = DASHBOARD["templating"]["list"]
    assert [variable["name"] for variable in variables] == ["datasource", "job", "instance"]
    assert (variables[0]["type"], variables[0]["query"]) == ("datasource", "prometheus")
    for variable in variables[1:]:
        assert variable["query"]["query"] == variable["definition"]
        assert names_of(variable["definition"]) <= names_on_the_page()
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(PANELS)))
    assert used == {"datasource", "job", "instance", "__rate_interval"}
    for panel in PANELS:
        for holder in [panel, *panel.get("targets", [])] if panel["type"] != "row" else []:
            assert holder["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_the_panels_are_whole_and_beside_each_other():
    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    taken = {}
    for panel in PANELS:
        assert panel["type"] in ("row", "stat", "timeseries", "state-timeline", "table") and panel["title"]
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
        if panel["type"] == "row":
            continue
        letters = [target["refId"] for target in panel["targets"]]
        assert letters and len(set(letters)) == len(letters)
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["fieldConfig"]["overrides"] == []


def test_the_queries_parse(tmp_path):
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": [
        {"record": f"query:{number}", "expr": plain(expression)} for number, (_, expression) in enumerate(QUERIES)]}]}))
    check = promtool("check", "rules", tmp_path / "queries.yml")
    assert (check.returncode, check.stderr) == (0, "")
    assert f"{len(QUERIES)} rules found" in check.stdout


def test_the_dashboard_shows_every_family_and_no_other():
    shown = set().union(*(names_of(expression) for _, expression in QUERIES))
    assert shown - names_on_the_page() - set(RECORDED) == set()
    for name in shown & set(RECORDED):
        shown |= names_of(RECORDED[name]["expr"])
    families = set(re.findall(r"^# TYPE (\S+)", PAGE, re.M))
    hidden = {name for name in families if not any(name == one or one.startswith(name + "_") for one in shown)}
    assert hidden == set()


# --- how it is scraped --------------------------------------------------------------------------------------------

CONFIGURATIONS = ["docker.yml", "compose.yml", "kubernetes.yml"]


def discovered(path, targets, tmp_path):
    """{address: labels} of what such a configuration makes of targets that were found, as Prometheus' own code does."""
    configuration = yaml.safe_load((RULES / path).read_text())
    job, = configuration["scrape_configs"]
    for key in [key for key in job if key.endswith("_sd_configs")]:
        del job[key]
    job["file_sd_configs"] = [{"files": [str(tmp_path / "targets.json")]}]
    del configuration["rule_files"]
    (tmp_path / "targets.json").write_text(json.dumps([{"targets": [address], "labels": labels} for address, labels in targets]))
    (tmp_path / "prometheus.yml").write_text(json.dumps(configuration))
    check = promtool("check", "service-discovery", "--timeout=3s", tmp_path / "prometheus.yml", "nest-init")
    assert check.returncode == 0, check.stderr
    kept = [result["labels"] for result in json.loads(check.stdout) if result.get("labels")]
    return {labels["__address__"]: {name: text for name, text in labels.items() if not name.startswith("__")} for labels in kept}


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_the_configurations_are_prometheuss(path, tmp_path):
    """Debian's Prometheus knows nothing of Kubernetes: there the discovery is another's, and all else is read."""
    for file in FILES:
        shutil.copy(file, tmp_path)
    text = (RULES / path).read_text().replace("kubernetes_sd_configs:\n      - role: pod",
                                              "file_sd_configs:\n      - files: [targets.json]")
    (tmp_path / path).write_text(text)
    check = promtool("check", "config", path, cwd=tmp_path)
    assert check.returncode == 0, check.stdout + check.stderr
    assert yaml.safe_load(text)["scrape_configs"][0]["job_name"] == "nest-init"


def test_docker_finds_the_port_by_its_label(tmp_path):
    """As Prometheus' discovery has them: one target for each port and network of a container."""
    backend = {"__meta_docker_container_name": "/backend", "__meta_docker_container_label_nest_init_metrics": "9911",
               "__meta_docker_network_ip": "172.17.0.2"}
    assert discovered("docker.yml", [("172.17.0.2:80", backend), ("172.17.0.2:4000", backend)], tmp_path) == {
        "172.17.0.2:9911": {"instance": "backend", "job": "nest-init"}}


def test_kubernetes_finds_it_by_its_annotations(tmp_path):
    def pod(name, ip, phase="Running", **annotations):
        return (f"{ip}:4000", {"__meta_kubernetes_namespace": "prod", "__meta_kubernetes_pod_name": name,
                               "__meta_kubernetes_pod_ip": ip, "__meta_kubernetes_pod_phase": phase,
                               **{f"__meta_kubernetes_pod_annotation_prometheus_io_{key}": text
                                  for key, text in annotations.items()}})
    asked = {"scrape": "true", "port": "9911"}
    found = discovered("kubernetes.yml", [pod("one", "10.0.0.1", **asked), pod("six", "fd00::1", **asked),
                                          pod("done", "10.0.0.2", "Succeeded", **asked), pod("other", "10.0.0.3")], tmp_path)
    assert {address: labels["pod"] for address, labels in found.items()} == {"10.0.0.1:9911": "one", "[fd00::1]:9911": "six"}
    assert found["10.0.0.1:9911"]["namespace"] == "prod"


def test_the_pod_monitor_has_the_operators_shape():
    monitor = yaml.safe_load((REPO / "packaging/kubernetes/monitoring/podmonitor.yml").read_text())
    assert (monitor["apiVersion"], monitor["kind"]) == ("monitoring.coreos.com/v1", "PodMonitor")
    assert monitor["metadata"]["name"] and set(monitor["spec"]) == {"selector", "namespaceSelector", "podMetricsEndpoints"}
    endpoint, = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == "metrics" and "name: metrics, containerPort: 9911" in (RULES / "kubernetes.yml").read_text()
    assert int(endpoint["scrapeTimeout"].rstrip("s")) <= int(endpoint["interval"].rstrip("s"))


# --- a real Prometheus beside a real container ---------------------------------------------------------------------

@needs_runc
@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_a_fleet_of_one(image, tmp_path):  # noqa: F811
    """Ready, then not ready, then not alive, then gone: what the rules make of each, and what every panel is answered."""
    port = free_port()
    at_once = "interval=50ms start_interval=50ms retries=1 "
    options = ["--metrics", f"127.0.0.1:{port}", "--ready", f"name=ready {at_once} file:/marker/ready",
               "--live", f"name=alive {at_once} file:/marker/alive", "--cap-drop", "all", "--seccomp", "node", "--seccomp-report"]
    script = "touch /marker/ready /marker/alive; attempt call=ptrace; exec sleep 1000"
    with Container(["/nest-init", *options, "--", "/bin/sh", "-c", script], image, network="host",
                   memory=256 << 20) as container:
        container.wait_http(f"http://127.0.0.1:{port}/readyz")
        with Prometheus(tmp_path, f"127.0.0.1:{port}", rules=FILES, port=free_port()) as prometheus:
            def statuses():
                try:
                    return [prometheus.query(f"medianest_{name}_check_status") for name in ("health", "readiness")]
                except OSError:
                    return None

            def become(health, ready):
                wait_until(lambda: statuses() == [[({}, health)], [({}, ready)]])

            become(1, 1)
            wait_until(lambda: len(prometheus.query("rate(nest_init_healthcheck_runs_total[1m])")) == 4)
            wait_until(lambda: prometheus.query("nest_init:service_memory:ratio") and
                       prometheus.query("nest_init:healthcheck_failures:ratio_rate10m"))
            for rule in (rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]):
                assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule["name"]
            for title, expression in QUERIES:
                prometheus.query(plain(expression))  # an error is an HTTP status
            assert prometheus.query("nest_init_seccomp_denials_total") == [({"syscall": "ptrace", "action": "ERRNO(EPERM)"}, 1)]
            assert prometheus.query("nest_init_hardening_requested > nest_init_hardening_enforced") == []
            assert prometheus.query("sum(nest_init_capability_bounding)") == [({}, 0)]
            (_, ratio), = prometheus.query("nest_init:service_memory:ratio")
            assert 0 < ratio < 0.1
            assert prometheus.query("nest_init:healthcheck_failures:ratio_rate10m > 0") == []
            container.exec("/bin/busybox", "rm", "/marker/ready")
            become(1, 0)
            container.exec("/bin/busybox", "rm", "/marker/alive")
            become(0, 0)
            container.exec("/bin/touch", "/marker/alive", "/marker/ready")
            become(1, 1)
            container.kill("KILL")
            container.wait()
            become(0, 0)
            wait_until(lambda: ("NestInitTargetDown", "pending") in {
                (alert["labels"]["alertname"], alert["state"]) for alert in prometheus.api("alerts")["alerts"]})
            assert prometheus.log() == ""
