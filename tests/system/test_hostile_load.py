"""Slowloris, a thousand connections, garbage, and a page of a gigabyte to merge: PID 1 passes each signal on in its order
meanwhile, others are answered, and the monitor's memory stays within what README.md says.

How long a signal takes meanwhile is the bench's to measure (the row latency): no time is compared here.
"""
import contextlib
import os
import random
import shutil
import socket
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from namespace import Namespace, monitor_of, status_of, wait_until
from test_merge import GIGABYTE, LINES, Target, endless
from test_serve import free_port, garbage, request

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

SIGNAL, LAST, END = 34, 64, 1000000  # storm.c
MONITOR_KB = 8 << 10   # README.md, "Limits"
MERGING_KB = 16 << 10  # and "Memory"
OWN_KB = 64            # PID 1's: a page of it may be touched here first
ASK_EVERY = 20         # signals


def connect(port, i):
    return socket.create_connection(("127.0.0.1", port), 10, (f"127.0.{i % 20 + 20}.1", 0))


def slowloris(port, target):
    """A byte of a request now and then, on as many connections as there are places and more."""
    held = [connect(port, i) for i in range(300)]
    for byte in request("/metrics", "GET", "X-Slow: " + "x" * 40):
        for i, connection in enumerate(held):
            try:
                connection.sendall(bytes([byte]))
            except OSError:  # somebody else has its place now
                connection.close()
                held[i] = connect(port, i)
        time.sleep(0.02)
    for connection in held:
        connection.close()


def a_thousand_connections(port, target):
    """All of them there at once, with half a request on each; and when they are gone, twice again."""
    for _ in range(3):
        held = [connect(port, i) for i in range(1000)]
        for connection in held:
            with contextlib.suppress(OSError):
                connection.sendall(request("/metrics")[:-2])
        for connection in held:
            connection.close()


def requests_that_are_none(port, target):
    chance = random.Random(20241129)
    for i in range(10000):
        with contextlib.suppress(OSError), connect(port, i) as connection:
            connection.sendall(garbage(chance))


def a_gigabyte_to_merge(port, target):
    """Scraped by four at once, who get ours."""
    def scrape(i):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            page = answer.read()
        assert b'\nnest_init_app_scrape_success{target="big"} 0\n' in page and b"\na{" not in page
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(scrape, range(60)))
    assert target.heads


def well(port):
    try:
        with contextlib.closing(socket.create_connection(("127.0.0.1", port), 60, ("127.0.9.9", 0))) as client:
            client.sendall(request("/livez", "GET", "Connection: close"))
            return client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
    except ConnectionError:
        return False


def peak_kb(pid):
    return int(status_of(pid)["VmHWM"].split()[0])


@pytest.mark.parametrize("load", [slowloris, a_thousand_connections, requests_that_are_none, a_gigabyte_to_merge])
def test_signals_pass_and_others_are_answered(nest_init, storm, load):
    port = free_port()
    with Target(endless(GIGABYTE, LINES)) as target, \
            Namespace(nest_init, storm, "take", 0, 0, 0, 0,
                      options=["--metrics", f"127.0.0.1:{port}", "--ready", "file:/",
                               *(("--metrics-merge", f"name=big {target.url}") if load is a_gigabyte_to_merge else ())]) as n:
        n.wait_for("made")
        wait_until(lambda: well(port))
        monitor, own, sent, asked = monitor_of(n.pid), peak_kb(n.pid), 0, 0
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(load, port, target)
            while not work.done() or asked < 10:
                n.queue(SIGNAL, sent)
                sent += 1
                if sent % ASK_EVERY == 0:
                    asked += 1
                    assert well(port)
                time.sleep(0.001)
            work.result()
        n.wait_for(f"{SIGNAL} {sent - 1}")
        assert [line for line in n.lines() if line != "made"] == [f"{SIGNAL} {i}" for i in range(sent)]
        assert monitor_of(n.pid) == monitor
        assert peak_kb(n.pid) <= own + OWN_KB
        assert peak_kb(monitor) < (MERGING_KB if load is a_gigabyte_to_merge else MONITOR_KB)
        n.queue(LAST, END + 7)
        assert n.wait() == 7
