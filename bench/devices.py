"""
What reading a user agent costs, and how many of the labelled strings are read rightly.

    python bench/devices.py [FILE]

FILE has one hardware type, a tab and a string on each line (default: the tests' check set).
"""

import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")

import django  # noqa: E402 (the path and the settings come first)

django.setup()

from analytics.devices import describe  # noqa: E402 (models need the set-up)
from analytics.known import KnownIds  # noqa: E402

CHECK_SET = ROOT / "tests" / "analytics" / "data" / "user_agents.tsv"
REPEATS = 20
NEW_LIMIT_US = 60
KNOWN_LIMIT_US = 1


def microseconds(act: Callable[[list[str]], object], strings: list[str], repeats: int) -> float:
    """Return the processor time of one string in the fastest of the repeats."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        act(strings)
        best = min(best, time.process_time() - start)
    return best / len(strings) * 1e6


def describe_all(strings: list[str]) -> None:
    for text in strings:
        describe(text)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else CHECK_SET
    lines = path.read_text().splitlines()
    labelled = [tuple(line.split("\t", 1)) for line in lines if line]
    strings = [text for _, text in labelled]
    known = KnownIds[str](most=len(strings))
    known.add({text: number for number, text in enumerate(strings)})

    new_us = microseconds(describe_all, strings, REPEATS)
    known_us = microseconds(known.among, strings, REPEATS)
    print(f"new string    {new_us:6.1f} us (limit {NEW_LIMIT_US})")
    print(f"known string  {known_us:6.2f} us (limit {KNOWN_LIMIT_US})")

    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, text in labelled:
        answers[kind][describe(text).hardware_type] += 1
    for kind, counts in sorted(answers.items()):
        right = counts[kind] / counts.total()
        others = {answer: count for answer, count in counts.items() if answer != kind}
        print(f"{kind:9} {counts.total():6} {right:7.1%}  otherwise: {others or 'none'}")
    if new_us > NEW_LIMIT_US or known_us > KNOWN_LIMIT_US:
        sys.exit("Slower than the limit.")


if __name__ == "__main__":
    main()
