"""The published JSON Schema of the configuration file and the program's own reading: held to each other."""
import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
NEST_INIT = os.environ.get("NEST_INIT", str(ROOT / "build/release/nest-init"))
SCHEMA = json.loads((ROOT / "packaging/nest-init.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def reads(text, tmp_path):
    """Whether the program takes it, and what it says."""
    path = tmp_path / "nest-init.json"
    path.write_text(text)
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEST_INIT")}
    done = subprocess.run([NEST_INIT, "check", path], capture_output=True, text=True, env={**env, "SET": "1"})
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0, done.stderr


def service(**members):
    return {"services": {"main": members}}


def ready(**members):
    return service(health={"ready": [{"target": "http://h/", **members}]})


def several(b=None, **task):
    return {"services": {"a": {"command": "x"}, "b": {"command": "x", **(b or {})}},
            "tasks": {"t": {"command": "x", **task}}}


def merged(pages):
    return {**service(), "metrics": {"listen": "127.0.0.1:9911", "merge": pages}}


def nested(group, **members):
    return service(**{group: members})


def secrets(secret):
    return {**service(), "secrets": {"A": secret}}


GOOD = [
    service(health={"ready": [{"command": ["a", "b c"]}, {"name": "s", "command": "a b"}, "notify"]}),
    service(), several({}), several({"depends_on": "a"}), several({"depends_on": ["a", "t"]}), several({"essential": False}),
    several({"depends_on": {"a": "ready", "//": 1, "t": {"condition": "completed"}}}), {"tasks": {"a": {"command": "x"}}},
    several({"wait_for": ["tcp://db:5432", "file:/a"]}), several({"wait_for": "unix:/a"}),
    several(before="a"), several(before=["a", "b"], timeout="2m", retries=5, backoff="1s"), several(after=["a"]),
    several(schedule="0 3 * * *"), several(stop={"timeout": "1s"}, user="1:2", essential=False, depends_on=["a"]),
    merged("http://a/m"), merged(["name=a http://a/m", {"url": "http://b/m"}]), merged({"url": "http://a/m", "//": 1}),
    merged({"url": "http://a/m", "name": "n", "timeout": "1s", "headers": {"X-A": "b"}, "bearer_file": "/run/token"}),
    {"services": {"//": "x", "a": {}, "// b": 1}}, {"$schema": "x", **service()}, {"// why": [1], **service()}, {"services": {"//": "x", "a.b-C_1": {}}},
    service(command=["a", "", "b"]), service(command="a b"), service(command="${X:-a}"), service(user="1:2"), service(user=3),
    service(group_add=["a", 4]), service(group_add="a"), service(working_dir="/a"), service(working_dir="${X:-/a}"),
    service(umask="027"), service(umask="0"), service(umask="0777"),
    service(environment={"A": "b", "B": 1, "C": "", "//": True}), service(environment=["A=", "B=c=d"]),
    service(environment=["${X:-A=b}"]), service(environment={}), service(environment=[]),
    service(capabilities={"drop": ["all"], "add": "chown"}), service(capabilities={}), service(securebits=["noroot"]),
    service(no_new_privs=False), service(no_new_privs="${X:-yes}"), service(seccomp="node"),
    service(seccomp={"profile": "node", "report": True}), nested("filesystem", read_only=True),
    nested("filesystem", read_only="landlock"), nested("filesystem", writable="/a", tmpfs=["/a:size=1m"], exec_allow=["/b"]),
    nested("network", tcp_bind=[80, "${SET}"], tcp_connect=[]), nested("network", tcp_bind=0),
    nested("limits", nofile=1, core="unlimited", memlock="64MiB", cpu=-1, stack="1:2"),
    nested("limits", nofile={"soft": 1, "hard": "unlimited"}), service(oom_score_adj=-1000), service(oom_score_adj="${SET}"),
    service(security_level="hardened"), service(best_effort=True), service(restart="on-failure:3"), service(restart={}),
    nested("restart", policy="always", backoff="0", max_backoff="1h", attempts=0, window="1m30s"),
    nested("stop", signal="QUIT", on=["TERM", 10], rewrite={"TERM": "QUIT", "HUP": 0}, drain="500ms", timeout="1h1m1s1ms"),
    nested("stop", rewrite=["TERM:QUIT"], pre_stop=["a"], pre_stop_timeout="1ms", clean_exit=[0, 255]),
    nested("stop", pre_stop=[], clean_exit=143), nested("stop", pre_stop="", on="TERM"),
    service(health={"live": ["tcp://a:1"], "startup": [], "on_unhealthy": "USR1", "interval": "10ms", "timeout": "1ms",
                    "start_period": "0", "start_interval": "1s", "retries": 1000, "expect": [200, "300-399"]}),
    ready(name="a", interval="1m", timeout="1s", start_period="1s", start_interval="10ms", retries=1, success_threshold=2,
          jitter=10, expect="200,429", method="POST", headers={"A": "b", "C": 1}, body="x"),
    ready(jitter="100%", expect=429, headers=["A: b", "A: c"]),
    service(health={"ready": ["unix:/a", "file:/b", "exec:c d", "http+unix:/a:/b", "${X:-tcp://a:1}"]}),
    service(logging="json"), service(logging={}), service(logging={"format": "tagged"}), service(logging="none"),
    service(logging={"file": "/a", "max_size": "128k", "max_file": 1000}), service(logging={"mode": "blocking"}),
    service(logging={"file": "/a", "max_size": 10000000, "max_file": "${N:-3}"}),
    service(logging={"mode": "non-blocking", "max_buffer_size": "4MiB"}), service(logging={"format": "${F:-json}"}),
    {**service(), "metrics": {"listen": ":1"}}, {**service(), "metrics": {"listen": ["127.0.0.1:9911", "[::1]:9"]}},
    {**service(), "tracing": {"endpoint": "http://a:4318", "resource": True}}, {**service(), "tracing": {"endpoint": "env"}},
    {**service(), "tracing": {"endpoint": "http+unix:/a:/b", "resource": "${X:-no}"}}, {**service(), "tracing": {}},
    {**service(), "log": {"format": "ecs"}}, {**service(), "log": {"format": "json", "level": "info"}}, {**service(), "log": {"level": "${LEVEL:-error}"}},
    {**service(), "secrets": {}}, secrets("/a"), secrets({"file": "${X:-/a}", "as": "file", "on_change": "restart"}),
    secrets({"directory": "/a", "services": "main", "on_change": "SIGHUP", "//": 1}), {**service(), "secrets": {"//": 1, "a_2": "/a"}},
    secrets({"file": "/a", "services": ["main"], "on_change": {"command": ["a", ""], "// why": 1}}), secrets({"file": "/a", "on_change": 10}),
    secrets({"file": "/a", "on_change": {"command": "a b"}, "as": "environment"}), service(file_env="A,B_2"), service(file_env="all"),
    service(user="a$$b"), service(user="${NOT_SET_YET}"),
]

BAD = [
    [], "x", {}, {"services": {}}, {"services": []}, {"services": {"a b": {}}}, {"services": {"a" * 64: {}}},
    {"services": {"a": 1}}, secrets({}), secrets("a"), secrets({"file": "/a", "directory": "/b"}), secrets({"file": "/a", "as": "env"}),
    secrets({"file": "/a", "on_change": {}}), secrets({"file": "/a", "services": []}),
    secrets({"file": "/a", "on_change": {"command": [], "//": 1}}), {**service(), "secrets": {"1A": "/a"}}, {**service(), "secrets": []},
    service(file_env="a b"), service(file_env=["A"]),
    several({"depends_on": {"a": "healthy"}}),
    merged({"name": "a"}), merged({"url": "http://a/m", "interval": "1s"}), merged({"url": "http://a/m", "timeout": 1}),
    merged({"url": "http://a/m", "bearer_file": "token"}), merged(1), several({"depends_on": {"a": {}}}), several({"depends_on": {"a": {"condition": "ready", "x": 1}}}), several({"depends_on": 1}),
    several({"essential": "yes"}), several({"wait_for": "ftp://a"}), several(before="a", schedule="@daily"),
    several(before="a", after="b"), several(after="b", schedule="@daily"), several(retries=1001), several(timeout=5),
    several(health={}), several(restart="no"), several(before=1), several({"before": "a"}),
    {**service(), "x": 1}, {"$schema": 1, **service()}, service(usr=1),
    service(command=[]), service(command=""), service(command=" "), service(command=[""]), service(command=["a", 1]),
    service(command=1), service(user=""), service(user=None), service(user=[1]), service(user=1.5), service(group_add=[[]]),
    service(working_dir="a"), service(working_dir=1), service(umask=27), service(umask="8"), service(umask="1000"),
    service(environment={"A=": "b"}), service(environment={"A": None}), service(environment={"A": True}),
    service(environment=["A"]), service(environment=["=A"]), service(environment="A=b"), service(capabilities=["all"]),
    service(capabilities={"drp": []}), service(capabilities={"drop": [1]}), service(securebits=1),
    service(no_new_privs="yes"), service(no_new_privs=1), service(seccomp={"profil": "x"}), service(seccomp=""),
    nested("filesystem", read_only="maybe"), nested("filesystem", read_only=1), nested("filesystem", writable=["a"]),
    nested("filesystem", tmpfs=["a"]), nested("network", tcp_bind=["80"]), nested("network", tcp_bind=65536),
    nested("network", tcp_bind=-1), nested("network", udp=1), nested("limits", nofil=1), nested("limits", nofile="64MB"),
    nested("limits", nofile=-2), nested("limits", nofile={"soft": 1}), nested("limits", nofile={"soft": 1, "hard": 2, "x": 1}),
    nested("limits", nofile=True), service(oom_score_adj=1001), service(oom_score_adj="1"), service(security_level="high"),
    service(best_effort="on"), service(restart="sometimes"), nested("restart", policy="x"), nested("restart", backoff=1),
    nested("restart", attempts=1001), nested("restart", attempts="1"), nested("restart", window="0"),
    nested("restart", max_backoff="1"), nested("stop", drain=2), nested("stop", drain="2"), nested("stop", drain="1s1m"),
    nested("stop", drain="-1s"), nested("stop", drain=""), nested("stop", timeout="0ms"), nested("stop", pre_stop=1),
    nested("stop", pre_stop=["", "a"]), nested("stop", clean_exit=256), nested("stop", clean_exit=["1"]),
    nested("stop", signal=65), nested("stop", grace="1s"), nested("stop", rewrite={"TERM": None}),
    nested("stop", rewrite="TERM:QUIT"), service(logging="xml"), service(logging=1), service(logging={"driver": "x"}),
    service(logging={"format": "text"}), service(logging={"file": "a"}), service(logging={"file": 1}),
    service(logging={"max_size": "10m"}), service(logging={"file": "/a", "max_size": "10MB"}), service(logging={"max_file": 2}),
    service(logging={"file": "/a", "max_file": 0}), service(logging={"file": "/a", "max_file": 1001}),
    service(logging={"mode": "fast"}), service(logging={"max_buffer_size": "1m"}), service(logging={"file": "/a/"}),
    ready(command=["a"]), service(health={"ready": [{"command": []}]}), service(health={"ready": {}}), service(health={"ready": "tcp://a:1"}), service(health={"ready": [{}]}),
    service(health={"ready": [5]}), service(health={"ready": ["ftp://a"]}), service(health={"retries": 0}),
    service(health={"interval": "9ms"}), service(health={"timeout": "0"}), service(health={"ping": []}),
    ready(intervall="1s"), ready(interval=10), ready(retries=1001), ready(success_threshold=0), ready(jitter=101),
    ready(jitter="10"), ready(expect=[]), ready(expect=600), ready(expect=["2xx"]), ready(expect=[199]), ready(method="get"),
    ready(method="CONNECT"), ready(headers=1), ready(headers="A: b"), ready(headers={"A": None}), ready(body=1), ready(body=""), ready(name=""),
    ready(name="a" * 64), {**service(), "metrics": {"merge": [{"urls": "http://a/"}]}}, {**service(), "metrics": {"listen": "9911"}},
    {**service(), "metrics": {"listen": ":0"}}, {**service(), "log": {"format": "xml"}}, {**service(), "log": {"level": "loud"}},
    {**service(), "tracing": {"endpoint": "https://a"}}, {**service(), "tracing": {"endpoint": "a:4318"}},
    {**service(), "tracing": {"resource": "yes"}}, {**service(), "tracing": "env"},
    {**service(), "log": []}, service(user="$USER"), service(user="${}"), service(user="${A-b}"), service(user="${A"),
    service(environment={"A": "$B"}), service(command=["$1"]),
]


@pytest.mark.parametrize("document", GOOD, ids=lambda document: json.dumps(document)[:90])
def test_what_is_valid_is_so_for_both(document, tmp_path):
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    taken, said = reads(json.dumps(document), tmp_path)
    assert taken, said


@pytest.mark.parametrize("document", BAD, ids=lambda document: json.dumps(document)[:90])
def test_what_is_invalid_is_so_for_both(document, tmp_path):
    assert not VALIDATOR.is_valid(document)
    taken, said = reads(json.dumps(document), tmp_path)
    assert not taken and re.match(r"\S+nest-init\.json:\d+:\d+: ", said), said


README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"^```json\n(.*?)^```", README, re.S | re.M)


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split('"')[1])
def test_an_example_of_the_readme_is_valid(text, tmp_path):
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(text))] == []
    taken, said = reads(text, tmp_path)
    assert taken and all(line.endswith("(here; a start needs it)") for line in said.splitlines())


def test_there_is_an_example():
    assert EXAMPLES


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


# ---- keys ----

TABLE = (ROOT / "base/config_keys.c").read_text()
ROWS = re.findall(r'\{ "([^"]+)", GROUP_(\w+), FORM_(\w+),\s+(\w+(?: \| \w+)*), (\w+) \}', TABLE)
OBJECT = {sets.removeprefix("GROUP_"): (group, name) for name, group, form, _, sets in ROWS if form == "OBJECT"}


def resolve(schema):
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def object_of(schema):
    """The object among what a value may be."""
    schema = resolve(schema)
    if "properties" in schema:
        return schema
    return next((found for found in map(object_of, schema.get("anyOf", [])) if found), None)


def schema_of(group):
    if group == "ROOT":
        return SCHEMA
    if group in ("SERVICE", "TASK"):
        return SCHEMA["$defs"][group.lower()]
    if group == "SECRET":
        return SCHEMA["$defs"]["secret"]["anyOf"][1]
    if group in ("CHECK", "PAGE"):
        return next(choice for choice in SCHEMA["$defs"][group.lower()]["anyOf"] if "properties" in choice)
    above, name = OBJECT[group]
    return object_of(schema_of(above)["properties"][name])


@pytest.mark.parametrize("group", sorted({group for _, group, *_ in ROWS}))
def test_a_group_has_the_same_keys_in_both(group):
    keys = {name for name, of, form, flags, _ in ROWS
            if (of == group or group == "TASK" and of == "SERVICE" and "CONFIG_TASK" in flags)}
    assert keys and keys == set(schema_of(group)["properties"])


def test_every_row_of_the_table_is_looked_at():
    body = TABLE[TABLE.index("config_keys[] = {"):TABLE.index("config_key_count =")]
    assert len(ROWS) == len(re.findall(r"\bGROUP_\w+, FORM_", body)) > 70


def test_limits_have_the_same_names_in_both():
    names = set(re.findall(r'\[RLIMIT_\w+\] = "(\w+)"', (ROOT / "base/ulimit.c").read_text()))
    assert set(object_of(schema_of("SERVICE")["properties"]["limits"])["properties"]) == names
