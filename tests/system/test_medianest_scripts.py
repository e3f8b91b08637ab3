"""MediaNest's scripts where no engine is needed: what make-secrets and replace refuse, and what replace does with an engine and a
compose that only note what they are told.

With real ones: tests/images/test_end_to_end.py.
"""
import contextlib
import os
import signal
import subprocess

import pytest

from medianest import BACKSTOP, MEDIANEST
from namespace import wait_until

# Containers are files: their name is the id, their text the service. A worker of the proxy has another number after each HUP, and
# what it has read is kept.
ENGINE = r"""#!/bin/bash
cd "$STATE"
[ ! -e deaf ] || { echo "Cannot connect to the engine" >&2; exit 1; }
[ "$1" != elsewhere ] || exit 0
verb=$1
shift
case $verb in
ps)
    words=$*
    service=${words##*service=}
    for id in $(cat order); do
        [ -e "containers/$id" ] && grep -qx "$service" "containers/$id" && echo "$id"
        [[ " $* " == *" -a "* ]] && [ -e "stopped/$id" ] && grep -qx "$service" "stopped/$id" && echo "$id"
    done
    true
    ;;
inspect) echo "/medianest_$3" ;;
image) [ "$2" != "localhost/medianest/backend-production:missing" ] ;;
exec)
    [ ! -e "health-$1" ] || exit 1
    cat health
    [ "$(cat health)" = ready ]
    ;;
top) printf 'PID ARGS\n1 nginx: master process\n%s nginx: worker process\n' "$(cat worker)" ;;
kill)
    cat "$UPSTREAMS"/*.conf >>read
    [ -e stubborn ] || echo $(($(cat worker) + 1)) >worker
    ;;
stop) echo "stop ${*:3}" >>did ;;
rm)
    echo "rm ${*:2}" >>did
    for id in "${@:2}"; do rm -f "containers/$id"; done
    ;;
esac
"""
COMPOSE = r"""#!/bin/bash
cd "$STATE"
[ ! -e refusal ] || { cat refusal >&2; exit 1; }
[ ! -e elsewhere ] || exit 0
words=$*
service=${words##* }
count=${words##*--scale $service=}
count=${count%% *}
while [ "$(grep -lx "$service" containers/* | wc -l)" -lt "$count" ]; do
    id=new$(wc -w <order)
    echo "$id" >>order
    echo "$service" >"containers/$id"
done
"""
TEXT = "server backend:4000;\n"


class Installation:
    """Two backends and a proxy."""

    def __init__(self, folder):
        self.folder = folder
        self.upstreams = folder / "upstreams"
        for name in ("containers", "stopped", "upstreams"):
            (folder / name).mkdir()
        self.note(order="one\ntwo\nproxy\n", worker="10\n", health="ready\n")
        for name, service in (("one", "backend"), ("two", "backend"), ("proxy", "nginx")):
            (folder / "containers" / name).write_text(f"{service}\n")
        (self.upstreams / "backend.conf").write_text(TEXT)
        for name, text in (("engine", ENGINE), ("compose", COMPOSE)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self.environment = {**os.environ, "STATE": str(folder), "UPSTREAMS": str(self.upstreams), "PATIENCE": "1",
                            "ENGINE": str(folder / "engine"), "COMPOSE": str(folder / "compose")}

    def note(self, **files):
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def replace(self, *words, status=0, **variables):
        """What it says."""
        done = subprocess.run([MEDIANEST / "replace", *words], env={**self.environment, **variables}, capture_output=True, text=True,
                              timeout=BACKSTOP)
        assert done.returncode == status, done.stdout + done.stderr
        assert (done.stdout if status else done.stderr) == ""
        return done.stderr if status else done.stdout

    @contextlib.contextmanager
    def at_work(self):
        """A replacement that waits for a container to become ready; it is ended if nobody has."""
        self.note(health="not ready\n")
        process = subprocess.Popen([MEDIANEST / "replace", "backend"], env={**self.environment, "PATIENCE": "60"},
                                   stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: "new3" in self.running())
            yield process
        finally:
            process.terminate()
            process.wait(BACKSTOP)

    def running(self, service="backend"):
        return {path.name for path in (self.folder / "containers").iterdir() if path.read_text() == f"{service}\n"}

    def text(self):
        """Of the proxy's file; and there is no other."""
        assert [path.name for path in self.upstreams.iterdir()] == ["backend.conf"]
        return (self.upstreams / "backend.conf").read_text()

    def read(self):
        """What the proxy has read, at each HUP."""
        return (self.folder / "read").read_text()


@pytest.fixture
def installation(tmp_path):
    return Installation(tmp_path)


# --- make-secrets -------------------------------------------------------------------------------------------------

def make_secrets(*words, status=0):
    """What it says."""
    done = subprocess.run([MEDIANEST / "make-secrets", *words], capture_output=True, text=True, timeout=BACKSTOP)
    assert done.returncode == status, done.stdout + done.stderr
    assert (done.stdout if status else done.stderr) == ""
    return done.stderr if status else done.stdout


def test_make_secrets_says_how_it_is_used(tmp_path):
    assert make_secrets("--help") == make_secrets("-h")
    assert make_secrets("--help").startswith("packaging/medianest/make-secrets [DIRECTORY]\n")
    assert make_secrets("--force", status=1) == "make-secrets: no option '--force': see --help\n"
    assert make_secrets(tmp_path / "one", tmp_path / "other", status=1).startswith("make-secrets: 2 arguments: say one directory")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_secret_is_not_left_as_one(tmp_path):
    """And nothing is made beside it."""
    (tmp_path / "jwt_secret").mkdir()
    said = make_secrets(tmp_path, status=1)
    assert said == f"make-secrets: {tmp_path}/jwt_secret is a directory (an engine makes it where the file was missing): remove it\n"
    (tmp_path / "jwt_secret").rmdir()
    (tmp_path / "jwt_secret").touch()
    assert make_secrets(tmp_path, status=1) == f"make-secrets: {tmp_path}/jwt_secret is empty: remove it, or write the secret\n"
    assert [path.name for path in tmp_path.iterdir()] == ["jwt_secret"]
    assert make_secrets(tmp_path / "jwt_secret", status=1) == (
        f"make-secrets: {tmp_path}/jwt_secret is no directory: name another, or remove it\n")


@pytest.mark.parametrize("missing, there", [("postgres_password", "database_url"), ("database_url", "postgres_password")])
def test_the_half_of_a_pair_is_refused(tmp_path, missing, there):
    make_secrets(tmp_path)
    (tmp_path / missing).unlink()
    assert make_secrets(tmp_path, status=1).startswith(f"make-secrets: {tmp_path}/{missing} is missing and {tmp_path}/{there} is there")
    assert not (tmp_path / missing).exists()


# --- replace: what it does ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, read", [
    (["--strategy=blue-green"], ["new3", "new4"]), (["--strategy", "rolling"], ["new3", "two", "new3", "new4"])])
def test_the_proxy_reads_containers_and_the_file_has_the_service_again(installation, words, read):
    said = installation.replace(*words, "--tag=7", "backend")
    assert said == f"replace: backend:7 has taken over, 2 of 2, {words[-1].removeprefix('--strategy=')}\n"
    assert installation.read() == "".join(f"server medianest_{name}:4000;\n" for name in read)
    assert installation.running() == {"new3", "new4"} and installation.text() == TEXT


@pytest.mark.parametrize("before, after", [
    ("server medianest_backend_5:4000;\n", TEXT),  # of one that was killed
    ("# ours\nserver backend:4000 max_conns=9;\n", "# ours\nserver backend:4000 max_conns=9;\n")])
def test_a_text_of_ones_own_stays_and_a_name_that_is_gone_does_not(installation, before, after):
    (installation.upstreams / "backend.conf").write_text(before)
    installation.replace("backend")
    assert installation.text() == after


def test_every_user_may_read_the_file_whatever_the_umask(installation):
    subprocess.run(["bash", "-c", f"umask 077; {MEDIANEST}/replace backend"], env=installation.environment, check=True,
                   stdout=subprocess.DEVNULL, timeout=BACKSTOP)
    assert (installation.upstreams / "backend.conf").stat().st_mode & 0o777 == 0o644


def test_one_that_is_never_ready_is_removed_and_its_last_answer_is_shown(installation):
    installation.note(health="not ready: tcp://redis:6379: no answer\n")
    said = installation.replace("backend", status=1)
    assert said == "replace: backend:dev is not ready: not within 1 s; its last answer: not ready: tcp://redis:6379: no answer\n"
    assert installation.running() == {"one", "two"} and installation.text() == TEXT and not (installation.folder / "read").exists()


def test_where_the_proxy_does_not_follow_both_stay_and_are_named(installation):
    installation.note(stubborn="")
    said = installation.replace("backend", status=1)
    assert "the proxy has not taken" in said and said.endswith("as both may serve: new3 (new), one two (old)\n")
    assert installation.running() == {"one", "two", "new3"} and installation.text() == TEXT


def test_a_rolling_one_that_fails_half_way_says_what_is_left(installation):
    installation.note(**{"health-new4": ""})
    said = installation.replace("backend", status=1)
    assert said == ("replace: backend:dev is not ready: not within 1 s\n"
                    "replace: left running of backend, as both may serve: new3 (new), two (old)\n")
    assert installation.running() == {"new3", "two"} and installation.text() == TEXT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_that_is_interrupted_leaves_what_it_found(installation, number):
    with installation.at_work() as process:
        process.send_signal(number)
        assert process.wait(BACKSTOP) == 128 + number
    assert installation.running() == {"one", "two"} and installation.text() == TEXT


def test_two_at_once_are_one_too_many(installation):
    with installation.at_work():
        said = installation.replace("frontend", status=1)
        assert said == f"replace: another replace is at work on {installation.upstreams}: wait for its end\n"
        assert "new3" in installation.running()
    installation.note(health="ready\n")
    installation.replace("backend")


def test_what_the_engine_leaves_running_does_not_hold_the_lock(installation):
    left = '(exec >/dev/null 2>&1; exec sleep 60) & echo $! >>"$STATE/left"\n'
    (installation.folder / "compose").write_text(COMPOSE + left)
    try:
        installation.replace("--strategy", "blue-green", "backend")
        installation.replace("--strategy", "blue-green", "backend")
    finally:
        for pid in (installation.folder / "left").read_text().split():
            os.kill(int(pid), signal.SIGKILL)


# --- replace: what it refuses -------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, said", [
    ([], "no service: say backend or frontend"),
    (["backend", "frontend"], "backend and frontend: one service at a time"),
    (["nginx"], "'nginx' is no service and no option: see --help"),
    (["--strategy"], "--strategy: a value is missing"),
    (["--tag=", "backend"], "--tag: a value is missing"),
    (["backend", "--tag"], "--tag: a value is missing"),
    (["--strategy", "canary", "backend"], "--strategy canary: choose rolling or blue-green"),
])
def test_replace_refuses_words(installation, words, said):
    assert installation.replace(*words, status=2) == f"replace: {said}\n"
    assert installation.running() == {"one", "two"}


@pytest.mark.parametrize("patience", ["soon", "-1", "08", "1.5"])
def test_replace_refuses_a_patience_that_is_no_number(installation, patience):
    said = installation.replace("backend", status=2, PATIENCE=patience)
    assert said == f"replace: PATIENCE={patience}: say a number of seconds\n"


def test_an_engine_that_is_missing_silent_or_another_is_named(installation):
    engine = installation.environment["ENGINE"]
    assert "nowhere is not installed: ENGINE" in installation.replace("backend", status=1, ENGINE="nowhere")
    said = installation.replace("backend", status=1, COMPOSE_PROJECT_NAME="other", ENGINE=f"{engine} elsewhere")
    assert said == (f"replace: no container of backend runs in {engine} elsewhere's project other: "
                    "ENGINE and COMPOSE_PROJECT_NAME say where to look\n")
    installation.note(deaf="")
    assert installation.replace("backend", status=1) == f"replace: {engine} does not answer: Cannot connect to the engine\n"


def test_a_compose_of_another_engine_replaces_nobody(installation):
    installation.note(elsewhere="")
    assert "shows 0 of 1" in installation.replace("backend", status=1)
    assert installation.running() == {"one", "two"} and not (installation.folder / "read").exists()


def test_a_container_that_does_not_run_is_not_taken_for_a_new_one(installation):
    (installation.folder / "stopped/one-before").write_text("backend\n")
    installation.note(order="one-before\none\ntwo\nproxy\n")
    said = installation.replace("backend", status=1)
    assert said == f"replace: a container of backend is there and does not run: {installation.environment['ENGINE']} rm one-before\n"


@pytest.mark.parametrize("output, tag, why", [
    ("Creating backend_3 ... error\n\nERROR: for backend  no space left\nERROR: Encountered errors while bringing up the project.\n",
     "dev", "ERROR: for backend  no space left\n"),
    ("pulling\nno such thing\n", "dev", "no such thing\n"),
    ("Error: No such image\nwas it built?\n", "missing", "Error: No such image; there is no localhost/medianest/"
     "backend-production:missing: build --stage backend-production --tag missing makes it\n"),
])
def test_why_compose_fails_is_said(installation, output, tag, why):
    installation.note(refusal=output)
    said = installation.replace("--tag", tag, "backend", status=1)
    assert said == f"replace: {installation.environment['COMPOSE']} could not start backend:{tag}: {why}"
    assert installation.running() == {"one", "two"} and installation.text() == TEXT


def test_a_directory_of_upstreams_that_is_not_there_is_named(installation):
    assert "there is no directory /nowhere" in installation.replace("backend", status=1, UPSTREAMS="/nowhere")
