"""cron's expressions beside another implementation, Debian's python3-croniter."""
import datetime
import random
import subprocess
from pathlib import Path

import pytest

croniter = pytest.importorskip("croniter").croniter
ROOT = Path(__file__).resolve().parents[2]
FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
NAMES = {3: "jan feb mar apr may jun jul aug sep oct nov dec".split(), 4: "sun mon tue wed thu fri sat".split()}
COUNT = 2000


@pytest.fixture(scope="module")
def times(tmp_path_factory):
    """times([(after, expression)]): what cron_next() says, a list of lists."""
    program = tmp_path_factory.mktemp("cron") / "cron_times"
    sources = ["tests/system/cron_times.c", "base/cron.c", "base/complaint.c"]
    subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-I.", "-O1", "-o", program, *sources], cwd=ROOT, check=True)

    def times(questions):
        text = "".join(f"{after} {expression}\n" for after, expression in questions)
        done = subprocess.run([program], input=text, capture_output=True, text=True, timeout=60, check=True)
        return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    return times


def field(rng, index):
    """What both take: croniter has no name behind a dash, and takes */13 for a list of days."""
    least, most = FIELDS[index]

    def part():
        first = rng.randint(least, most)
        kind = rng.randrange(4)
        if kind == 0 and index in NAMES:
            return NAMES[index][first - least]
        if kind == 1:
            last = rng.randint(first, most)
            return f"{first}-{last}" + (f"/{rng.randint(1, most)}" if rng.randrange(2) and last > first else "")
        if kind == 2 and index not in (2, 4):
            return f"*/{rng.randint(1, most)}"
        return str(first)
    if rng.randrange(3) == 0:
        return "*"
    return ",".join(part() for _ in range(rng.randint(1, 3)))


def values(text):
    """The numbers that a day field names."""
    named = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        first = NAMES[4].index(first) if first in NAMES[4] else int(first)
        named |= set(range(first, int(last or first) + 1, int(step or 1)))
    return named


def is_comparable(days, weekdays):
    """Not where croniter takes every day, one by one, for a *; and there has to be such a day in every month."""
    if days != "*" and (min(values(days)) > 28 or len(values(days)) == 31):
        return False
    return weekdays == "*" or len(values(weekdays)) < 7


def test_is_due_when_croniter_says_so(times):
    rng = random.Random(7)
    questions = []
    while len(questions) < COUNT:
        expression = " ".join(field(rng, index) for index in range(5))
        if is_comparable(expression.split()[2], expression.split()[4]):
            questions.append((rng.randrange(0, 2 ** 32), expression))
    ours = times(questions)
    assert len(ours) == COUNT
    for (after, expression), found in zip(questions, ours):
        theirs = croniter(expression, datetime.datetime.fromtimestamp(after, datetime.timezone.utc), ret_type=float)
        assert found == [int(theirs.get_next()) for _ in found], (expression, after)
