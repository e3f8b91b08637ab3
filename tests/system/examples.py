"""Command lines of the documentation, which end as it says: `COMMAND   # STATUS`."""
import os
import re
import subprocess
from pathlib import Path

NEST_INIT = os.environ.get("NEST_INIT", str(Path(__file__).resolve().parents[2] / "build/release/nest-init"))


def commands(block):
    """(command, status) for each line of a block."""
    return [re.match(r"(.*?)\s+#\s*(\d+)$", line).groups() for line in block.strip().splitlines()]


def check(command, status, tmp_path):
    """Runs it where nest-init is PID 1, if it is nothing but that."""
    (tmp_path / "nest-init").symlink_to(NEST_INIT)
    alone = command.startswith("nest-init ") and not re.search(r" && | \|\| |; | \| ", re.sub(r"'[^']*'", "", command))
    run = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c",
                          f"exec {command}" if alone else command], capture_output=True, text=True,
                         timeout=60, cwd=tmp_path, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert run.returncode == int(status), run.stderr
