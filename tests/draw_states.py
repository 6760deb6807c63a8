"""
Draws the three state machines from their tables: ``python -m tests.draw_states`` writes ``docs/states.md``.

A test fails when the document is not what would be written, so the drawings cannot rot.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchestrator.domain import instance, job, session

DOCUMENT = Path(__file__).parent.parent / "docs" / "states.md"

_HEAD = """\
# States

Drawn from the tables in `orchestrator/domain` by `make states`; do not edit.

States are places. Why something ended is a separate reason, and each move is a row of the `event` table with its time
and reason. Nothing moves but along these arrows.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One state machine: its states, its table, and what a newcomer should know about it."""

    title: str
    about: str
    states: type[StrEnum]
    moves: Mapping[Any, frozenset[Any]]


MACHINES = (
    Machine(
        title="Instance",
        about="A machine that we ordered. Every state between LAUNCHING and TERMINATING may cost money.",
        states=instance.InstanceState,
        moves=instance.NEXT,
    ),
    Machine(
        title="Session",
        about="A person's stretch of activity; it owns one machine at most, or two while neither has painted.",
        states=session.SessionState,
        moves=session.NEXT,
    ),
    Machine(
        title="Job",
        about="One request for pictures. A job whose machine is lost goes back to QUEUED and keeps its seed and card.",
        states=job.JobState,
        moves=job.NEXT,
    ),
)


def draw_all() -> str:
    return "\n".join([_HEAD, *(_draw(machine) for machine in MACHINES)])


def _draw(machine: Machine) -> str:
    rows = "\n".join(f"| {state} | {text} |" for state, text in meanings(machine.states).items())
    return f"""\
## {machine.title}

{machine.about}

```mermaid
stateDiagram-v2
{_arrows(machine)}
```

| state | means |
|---|---|
{rows}
"""


def _arrows(machine: Machine) -> str:
    order = list(machine.states)
    lines = [f"    [*] --> {order[0]}"]
    for before in order:
        after = sorted(machine.moves[before], key=order.index)
        lines += [f"    {before} --> {state}" for state in after] or [f"    {before} --> [*]"]
    return "\n".join(lines)


def meanings(states: type[StrEnum]) -> dict[str, str]:
    """The comment beside each state, as it stands in the source."""
    return dict(re.findall(r'^    ([A-Z]+) = "\1"  # (.+)$', inspect.getsource(states), re.MULTILINE))


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(draw_all(), encoding="utf-8")
