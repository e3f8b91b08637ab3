#!/usr/bin/python3
"""Image sizes, start-up times and memory of MediaNest's production containers beside their targets, as a table of Markdown.

    tests/images/measure.py        builds the images, brings the profile prod up, and prints it

Needs root, podman, buildah, docker-compose and wrk, as ./dev images does.
"""
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import engine
from compose import Project, wait_until

SERVICES = ["backend", "frontend", "nginx"]
SECONDS = 10  # of load


@dataclass
class Row:
    service: str
    image: int     # bytes, unpacked
    start: float   # seconds from the engine's start to ready
    idle: int      # bytes of the cgroup, without the page cache
    memory: int    # the same under load


def memory(project, container):
    """As `docker stats` has it: usage without the inactive page cache, in both versions of cgroups."""
    pid = project.state(container)["Pid"]
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        if "memory" in names.split(","):
            folder, usage, inactive = Path("/sys/fs/cgroup/memory") / path.lstrip("/"), "memory.usage_in_bytes", "total_inactive_file"
            break
        if number == "0":
            folder, usage, inactive = Path("/sys/fs/cgroup") / path.lstrip("/"), "memory.current", "inactive_file"
    pages = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return int((folder / usage).read_text()) - int(pages[inactive])


def started(project, container):
    """Seconds from `start` until the container says that it is ready."""
    project.podman("stop", container)
    begin = time.monotonic()
    project.podman("start", container)
    wait_until(lambda: project.health(container, "--ready").returncode == 0, pause=0.02)
    return time.monotonic() - begin


def rows(project):
    result = []
    for service in SERVICES:
        [container] = project.containers(service)[:1]
        start = started(project, container)
        idle = memory(project, container)
        result.append([service, project.inspect(container)["Image"], start, idle, container])
    project.ready(*SERVICES)
    address = project.address(project.containers("nginx")[0])
    for path in ("/api/media", "/"):
        subprocess.run(["wrk", "-t1", "-c16", f"-d{SECONDS}s", f"http://{address}:8080{path}"], check=True, stdout=subprocess.DEVNULL)
    return [Row(service, engine.inspect(image)["Size"], start, idle, memory(project, container))
            for service, image, start, idle, container in result]


def table(measured):
    lines = ["| | image | started and ready | memory, idle | memory, after load |", "|---|---|---|---|---|",
             "| target | < 200 MB | < 30 s | | < 256 MB |"]
    lines += [f"| {row.service} | {row.image / 1e6:.0f} MB | {row.start:.1f} s | {row.idle / 1e6:.0f} MB | {row.memory / 1e6:.0f} MB |"
              for row in measured]
    return "\n".join(lines)


if __name__ == "__main__":
    engine.build("--production")
    with Project() as installation:
        installation.up("prod")
        installation.ready(*SERVICES)
        print(table(rows(installation)))
