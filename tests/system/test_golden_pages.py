"""The golden pages of the unit tests, judged by Prometheus's own linter."""
import shutil
import subprocess
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "unit/golden"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian package prometheus) is not installed")
def test_the_text_page_is_lint_clean():
    with open(GOLDEN / "metrics.txt", "rb") as page:
        lint = subprocess.run(["promtool", "check", "metrics"], stdin=page, capture_output=True, text=True)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


def test_both_formats_have_the_same_samples():
    def samples(name):
        return [line for line in (GOLDEN / name).read_text().splitlines() if not line.startswith("#")]
    assert samples("metrics.txt") == samples("metrics.openmetrics")
    assert (GOLDEN / "metrics.openmetrics").read_text().endswith("\n# EOF\n")
