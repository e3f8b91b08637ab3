"""The figures of a service and of its cgroup, beside what the engine was told and what the processes do.

Whatever version of cgroups the machine has; what it has not is not on the page.
"""
import re
import socket
import subprocess
import urllib.request

import pytest

from busybox import BACKSTOP, METRICS, NEST_INIT, image, needs_runc, running, wait_until  # noqa: F401

pytestmark = needs_runc


def applet(image, name):  # noqa: F811
    (image / "bin" / name).exists() or (image / "bin" / name).symlink_to("busybox")


def sample(container, name, labels=""):
    page = container.http(f"http://{METRICS}/metrics").text
    found = re.findall(rf"^nest_init_{name}{re.escape(labels)} (\S+)$", page, re.M)
    return float(found[0]) if found else None


MAIN = '{service="main"}'


def test_a_child_in_a_session_of_its_own_is_the_services(image):  # noqa: F811
    """And so are its children; who came by docker exec is not, nor is the monitor."""
    applet(image, "setsid")
    script = "setsid sh -c 'sleep 1001 & exec sleep 1002' & exec sleep 1000"
    with running(image, "", ["/bin/sh", "-c", script]) as container:
        wait_until(lambda: sample(container, "service_processes", MAIN) == 3)
        container.exec("/bin/sh", "-c", "sleep 1003 >/dev/null 2>&1 &")
        wait_until(lambda: "sleep 1003" in container.processes().values())
        assert sample(container, "service_processes", MAIN) == 3
        assert sample(container, "service_threads", MAIN) == 3


def test_the_cgroups_figures_are_those_of_the_container(image):  # noqa: F811
    """Its limits; a child that the kernel killed for want of memory; the time that a quota took."""
    applet(image, "dd")
    hungry = "dd if=/dev/zero of=/dev/null bs=300M count=1"
    busy = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"

    def quota(config):
        config["linux"]["resources"]["cpu"] = {"quota": 10000, "period": 100000}

    with running(image, "", ["/bin/sh", "-c", f"{hungry}; {busy}; exec sleep 1000"], memory=64 << 20, pids=100,
                 edit=quota) as container:
        wait_until(lambda: sample(container, "cgroup_oom_kills_total") == 1)
        wait_until(lambda: sample(container, "cgroup_cpu_throttled_seconds_total") > 0.1)
        assert sample(container, "cgroup_memory_limit_bytes") == 64 << 20
        assert 0 < sample(container, "cgroup_memory_usage_bytes") <= 64 << 20
        assert sample(container, "cgroup_pids_limit") == 100
        assert 3 <= sample(container, "cgroup_pids") <= 20
        assert 0 < sample(container, "cgroup_cpu_seconds_total") < 60
        waiting = sample(container, "cgroup_pressure_waiting_seconds_total", '{resource="cpu"}')
        pressure = container.cgroup("").joinpath("cpu.pressure")  # of version 2
        assert (waiting is not None) == (pressure.exists() and pressure.parent.joinpath("cgroup.events").exists())
        assert sample(container, "service_up", MAIN) == 1


def test_without_limits_there_are_none(image):  # noqa: F811
    with running(image, "", "/bin/sleep 1000") as container:
        assert sample(container, "cgroup_pids_limit") is None
        assert sample(container, "cgroup_oom_kills_total") == 0


def in_a_root():
    """We are in the root of version 1's cpuacct, and so is what we start outside of a container."""
    with open("/proc/self/cgroup") as lines:
        return any(re.fullmatch(r"\d+:(.*,)?cpuacct(,.*)?:/\n", line) for line in lines)


@pytest.mark.skipif(not in_a_root(), reason="needs a process in the root of a hierarchy")
def test_the_machines_figures_are_not_the_containers():
    """In the root of a hierarchy one has no cgroup of one's own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % probe.getsockname()[1]
    process = subprocess.Popen(["unshare", "-pf", "--mount-proc", "--kill-child", NEST_INIT, "--metrics", address, "--",
                                "sleep", "1000"])
    try:
        def page():
            try:
                with urllib.request.urlopen(f"http://{address}/metrics", timeout=BACKSTOP) as answer:
                    return answer.read().decode()
            except OSError:
                return ""
        wait_until(page)
        assert "nest_init_cgroup_cpu_seconds_total" not in page()
        assert "nest_init_service_resident_memory_bytes" in page()
    finally:
        process.kill()
        process.wait()
