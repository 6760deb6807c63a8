"""
One clock for the whole life of a machine, over all lives of the bot.

What a machine costs is counted by our clock. Were it set by an hour while the bot is away, the next life would book an
hour too much or too little; so each order and each tick of the booking says how the clock stood, and whoever finds a
machine alive goes on from there.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orchestrator.domain.instance import ORDERED
from orchestrator.ports.clock import Clock, Mark
from orchestrator.ports.store import Books, Store

FACT = "clock"


async def note_time(books: Books, clock: Clock) -> None:
    """Write down how the clock stands."""
    await books.set_fact(FACT, json.dumps(as_json(clock.mark())))


async def go_on(store: Store, clock: Clock) -> None:
    """Take the clock up where an earlier life left it, if a machine has been billed by it since."""
    async with store.reading() as books:
        fact = await books.fact(FACT)
        if fact is None or not await books.instances.in_states(*sorted(ORDERED)):
            return
    clock.go_on_from(from_json(json.loads(fact)))


def as_json(mark: Mark) -> dict[str, Any]:
    return {"at": mark.at.timestamp(), "boot": mark.boot, "steady": mark.steady}


def from_json(value: Mapping[str, Any]) -> Mark:
    """Read what :func:`as_json` wrote, or a bare ``at`` of an earlier version: nobody can count from that."""
    at = datetime.fromtimestamp(value["at"], UTC)
    return Mark(at=at, boot=value.get("boot", ""), steady=value.get("steady", 0.0))
