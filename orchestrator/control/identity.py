"""
Who we are at the clouds, and what follows when the data folder turns out to be a copy. Called once, at the start.

A folder that was copied, moved or restored elsewhere cannot tell whether the bot that it comes from still runs. So it
takes a new name for whatever it orders from now on, and leaves the machines of its past alone; see decision 11.
"""

import logging
from datetime import datetime

from orchestrator.control.moves import end_instance
from orchestrator.domain.books import Names
from orchestrator.domain.ids import InstallationId
from orchestrator.domain.instance import ORDERED, EndReason, InstanceState
from orchestrator.ports.store import Books

log = logging.getLogger(__name__)

INSTALLATION = "installation"
FORMER = "former_installations"
EPOCH = "epoch"
HOME = "home"
LONGEST_NAME = 16
DRAWN = 8


async def take_identity(books: Books, *, wanted: str, drawn: str, home: str, now: datetime) -> Names:
    """
    Begin a life on these books.

    Its epoch is the time of its start, or more: a later start has a higher one, whatever the clock does, and so has
    a copy of the whole computer that is started later.

    Args:
        wanted: The name that the operator chose; empty for none.
        drawn: Letters and digits that nobody else has drawn.
        home: Where these books lie; it changes when they are copied.
    """
    known, at_home = await books.fact(INSTALLATION) or "", await books.fact(HOME) or home
    former = ((await books.fact(FORMER)) or "").split()
    name = known if known.startswith(wanted) and known else wanted or drawn[:DRAWN]
    if known and at_home != home:
        name = (wanted[: LONGEST_NAME - DRAWN] + drawn)[: LONGEST_NAME if wanted else DRAWN]
        former = [*former, known]
        await _leave_behind(books, now)
        log.warning(
            "this data folder is a copy: ordering as %s from now on, machines of %s are left alone", name, known
        )
    epoch = max(int(await books.fact(EPOCH) or 0) + 1, int(now.timestamp()))
    for fact, value in ((INSTALLATION, name), (EPOCH, str(epoch)), (HOME, home), (FORMER, " ".join(former))):
        await books.set_fact(fact, value)
    return Names(installation=InstallationId(name), epoch=epoch, former=tuple(map(InstallationId, former)))


async def _leave_behind(books: Books, now: datetime) -> None:
    """Give up every machine of the past without having it ended: whoever ordered it may be using it."""
    for row in await books.instances.in_states(*sorted(ORDERED)):
        if row.state is InstanceState.TERMINATING:  # its end was wanted before the copy was made, by both
            continue
        await end_instance(books, row.seen(), EndReason.LEFT_BEHIND, now)
