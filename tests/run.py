#!/usr/bin/python3
"""Runs tests and ends with one line, `N passed, M failed`. `./dev` has installed what they need.

    run.py test [ARGUMENT...]     unit and system tests; arguments are pytest's
    run.py images [ARGUMENT...]   what needs images of containers
    run.py ci                     both, the one whatever becomes of the other, and their total
"""

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
# LeakSanitizer stops the program it is in with ptrace, which a container may forbid; leaks are looked for all the same
# wherever it works.
SANITIZE = {"ASAN_OPTIONS": "detect_stack_use_after_return=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def line(self):
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def say(text):
    print(text, flush=True)


def build(name, *options):
    """Sets up and builds build/NAME, warnings being errors."""
    directory = BUILD / name
    if not (directory / "build.ninja").exists():
        subprocess.run(["meson", "setup", directory, "-Dwerror=true", *options], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", directory, "--quiet"], check=True)


def unit_tests(name, environment, tally):
    """Runs the cmocka programs of build/NAME and counts their tests, not the programs."""
    failed_output = []
    for program in sorted((BUILD / name / "tests").glob("test_*")):
        if not program.is_file() or not os.access(program, os.X_OK):
            continue
        arguments = [str(ROOT / "tests/unit/golden")] if program.name == "test_page" else []
        run = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace", env={**os.environ, **environment}, timeout=600)
        passed = len(re.findall(r"^\[       OK \]", run.stdout, re.M))
        skipped = len(re.findall(r"^\[  SKIPPED \] \S+$", run.stdout, re.M)) // 2
        failed = len(re.findall(r"^\[  (?:FAILED|ERROR)  ?\] \S+: ", run.stdout, re.M))
        if run.returncode != 0:
            failed = max(failed, 1)
            failed_output.append(f"--- {program.name} ({name}), status {run.returncode}\n{run.stdout[-6000:]}")
        elif passed == 0:
            failed = 1
            failed_output.append(f"--- {program.name} ({name}) ran no test\n{run.stdout[-2000:]}")
        tally.add(passed, failed, skipped)
    for output in failed_output:
        say(output)


def pytest(arguments, tally):
    report = BUILD / "pytest.xml"
    report.unlink(missing_ok=True)
    # -c: Debian's pytest, two workers for two cores, and no file of its own in the tree.
    run = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2",
                          f"--junitxml={report}", *arguments], cwd=ROOT,
                         env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    if not report.exists():
        say(f"pytest ended with status {run.returncode} and no report")
        tally.add(0, 1)
        return
    for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
        total, bad, skipped = (int(suite.get(key)) for key in ("tests", "failures", "skipped"))
        bad += int(suite.get("errors"))
        tally.add(total - bad - skipped, bad, skipped)


def timed(title, function, *arguments):
    start = time.monotonic()
    say(f"{title} ...")
    function(*arguments)
    say(f"{title}: {time.monotonic() - start:.0f} s")


def with_place(arguments, place):
    """Options alone are for all the tests of `place`."""
    named = any((ROOT / argument.split("::")[0]).exists() for argument in arguments)
    return arguments if named else [*arguments, place]


def test(arguments, tally):
    timed("building with glibc", build, "debug")
    timed("building with AddressSanitizer and UndefinedBehaviorSanitizer", build, "sanitize",
          "-Db_sanitize=address,undefined", "-Db_lundef=false")
    timed("unit tests", unit_tests, "debug", {}, tally)
    timed("unit tests under the sanitizers", unit_tests, "sanitize", SANITIZE, tally)
    timed("system tests", pytest, with_place(arguments, "tests/system"), tally)


def images(arguments, tally):
    # A file at a time for a worker, in its order: what is built for one test is there for the next.
    timed("images", pytest, ["--dist", "loadfile", *with_place(arguments, "tests/images")], tally)


def packages(arguments, tally):
    timed("packages", pytest, ["--dist", "loadfile", *with_place(arguments, "tests/packages")], tally)


PARTS = {"test": [test], "images": [images], "packages": [packages], "ci": [test, images]}


def hear_signals():
    """Who calls this by nohup, or behind a shell's &, has all tests and what they start ignore signals: a trap of theirs is none."""
    for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main():
    hear_signals()
    parts, arguments = PARTS[sys.argv[1]], sys.argv[2:]
    total = Tally()
    for part in parts:
        tally = Tally()
        try:
            part(arguments, tally)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            say(str(error))
            tally.add(0, 1)
        if len(parts) > 1:
            say(f"./dev {part.__name__}: {tally.line()}")
        total.add(tally.passed, tally.failed, tally.skipped)
    say(total.line())
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
