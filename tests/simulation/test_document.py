"""docs/simulation.md speaks of the faults and rules that there are."""

import re
from pathlib import Path

from orchestrator.faults import Fault, WorldFault
from orchestrator.sim import invariants

TEXT = Path("docs/simulation.md").read_text()
NAMES = {*map(str, Fault), *map(str, WorldFault)}
FAILURES = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", TEXT, re.MULTILINE)
BESIDE = TEXT[TEXT.index("Beside those:") : TEXT.index("Rows 11 and 16")]


def named(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_thirty_failures_are_mapped_to_faults_that_exist() -> None:
    assert [int(number) for number, _ in FAILURES] == list(range(1, 31))
    assert [name for _, faults in FAILURES for name in named(faults) if name not in NAMES] == []
    assert [number for number, faults in FAILURES if not named(faults) and "none:" not in faults] == []


def test_every_fault_of_the_library_is_told_of() -> None:
    told = {name for _, faults in FAILURES for name in named(faults)} | set(named(BESIDE))

    assert told == NAMES


def test_every_rule_is_told_of_by_its_name() -> None:
    rules = re.findall(r"``([^`]+)``", invariants.__doc__ or "")

    assert len(rules) == 8
    assert [rule for rule in rules if f"| `{rule}` |" not in TEXT] == []
