"""./dev bench runs, in its shortest form: every program of the rows that start containers gives values, and nothing is left."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from busybox import NEST_INIT, REPO

pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("runc", "crun", "node"))), reason="needs runc, crun and node")
OURS = {"default", "docker.json"}
COLUMNS = {"hardened": OURS | {"floor", "docker.bpf", "setpriv", "runc", "crun"},
           "call-argument": OURS | {"floor", "node", "runc", "crun"},
           "http": OURS | {"floor", "node", "runc", "crun"}}


@contextlib.contextmanager
def bench(row, pairs, directory):
    process = subprocess.Popen([REPO / "tests/bench/run", "--pairs", str(pairs), "--only", row, NEST_INIT], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                               env={**os.environ, "BENCH_DIRECTORY": str(directory)})
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def left_over(process):
    name = f"nest-bench-{process.pid}-*"
    return [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]


def row_of(row, pairs, directory):
    """The rows of results.tsv, and what was printed."""
    with bench(row, pairs, directory) as process:
        output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    values = [line.split("\t") for line in (directory / "results.tsv").read_text().splitlines()]
    return {program: float(ratio) for key, program, _, _, ratio, *_ in values if key == row}, output


@pytest.mark.parametrize("row", COLUMNS)
def test_a_row_has_all_its_columns(tmp_path, row):
    with bench(row, 1, tmp_path) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    values = [line.split("\t") for line in (tmp_path / "results.tsv").read_text().splitlines()]
    assert COLUMNS[row] <= {program for key, program, *_ in values if key == row}
    assert {program for key, program, *_ in values if key == f"{row}/runc"} >= OURS
    assert "to crun, 95 %" in output
    assert left_over(process) == []


@pytest.mark.skipif(not all(map(shutil.which, ("s6-log", "multilog", "svlogd"))), reason="needs s6, daemontools and runit")
def test_lines_come_into_files_no_slower_than_by_debians_loggers(tmp_path):
    """It is nearer to a third: what else runs does not make a test of it."""
    with bench("logs", 150, tmp_path) as process:
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    values = [line.split("\t") for line in (tmp_path / "results.tsv").read_text().splitlines()]
    ratios = {key: float(ratio) for key, program, _, _, _, ratio, *_ in values if program == "nest-init"}
    assert set(ratios) == {"logs", "logs/s6-log", "logs/multilog", "logs/svlogd"}
    assert all(ratio <= 1 for ratio in ratios.values()), ratios


@pytest.mark.skipif(not all(map(shutil.which, ("curl", "wget"))), reason="needs curl and wget")
@pytest.mark.parametrize("row", ["health", "health-memory", "probe", "probe-memory"])
def test_a_client_takes_a_fifth_of_what_curl_takes(tmp_path, row):
    """In time and in memory, at the most. It is nearer to a twentieth: what else runs does not make a test of it."""
    ratios, output = row_of(row, 60, tmp_path)
    assert set(ratios) == {"curl -f", "nest-init", "wget -O", "spider"}
    if "release" in NEST_INIT:
        assert ratios["nest-init"] <= 0.2
    assert "times curl" in output


@pytest.mark.skipif(not all(map(shutil.which, ("wrk", "prometheus-node-exporter"))), reason="needs wrk and an exporter")
@pytest.mark.parametrize("row", ["metrics-1", "metrics-1-p99", "metrics-64", "metrics-64-p99", "metrics-memory"])
def test_a_page_is_served_beside_an_exporters_of_the_same_size(tmp_path, row):
    """How quickly is the bench's to say; a tenth of its memory is enough whatever else runs."""
    ratios, output = row_of(row, 1, tmp_path)
    assert set(ratios) == {"exporter", "nest-init"}
    ours, theirs = map(int, re.search(r"pages of (\d+) bytes, and of (\d+) the exporter's", output).groups())
    assert 0.9 < theirs / ours < 1.1
    if row == "metrics-memory" and "release" in NEST_INIT:
        assert ratios["nest-init"] <= 0.1


@pytest.mark.skipif(not shutil.which("wrk"), reason="needs wrk")
def test_a_signal_is_timed_under_load(tmp_path):
    ratios, output = row_of("latency", 1, tmp_path)
    assert set(ratios) == {"idle", "scraped", "merging"} and "times idle" in output


def test_a_bench_that_is_stopped_leaves_nothing(tmp_path):
    with bench("http", 3000, tmp_path) as process:
        deadline = time.monotonic() + 60
        while not left_over(process):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        errors = process.communicate(timeout=60)[1]
    assert (process.returncode, errors) == (143, "")
    assert left_over(process) == []
