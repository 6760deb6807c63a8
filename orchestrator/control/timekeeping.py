"""
One clock for the whole life of a machine, over all lives of the bot.

What a machine costs is counted by our clock. Were it set by an hour while the bot is away, the next life would book an
hour too much or too little; so each order and each tick of the booking says how the clock stood, and whoever finds a
machine alive goes on from there.
"""

import json
from datetime import UTC, datetime

from orchestrator.domain.instance import ORDERED
from orchestrator.ports.clock import Clock, Mark
from orchestrator.ports.store import Books, Store

FACT = "clock"


async def note_time(books: Books, clock: Clock) -> None:
    """Write down how the clock stands."""
    mark = clock.mark()
    value = {"at": mark.at.timestamp(), "boot": mark.boot, "steady": mark.steady}
    await books.set_fact(FACT, json.dumps(value))


async def go_on(store: Store, clock: Clock) -> None:
    """Take the clock up where an earlier life left it, if a machine has been billed by it since."""
    async with store.reading() as books:
        fact = await books.fact(FACT)
        if fact is None or not await books.instances.in_states(*sorted(ORDERED)):
            return
    value = json.loads(fact)
    at = datetime.fromtimestamp(value["at"], UTC)
    clock.go_on_from(Mark(at=at, boot=value["boot"], steady=value["steady"]))
