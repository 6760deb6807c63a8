"""Whether a session is due for a second machine: loads what the policy needs, and remembers what was tried."""

import json
from datetime import UTC, datetime, timedelta

from orchestrator.control.lookups import HISTORY
from orchestrator.control.shared import Shared
from orchestrator.control.views import prior_of
from orchestrator.domain.estimates import cold_start_left
from orchestrator.domain.ids import InstanceId
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.domain.policy import hedging
from orchestrator.domain.snapshot import SessionSnapshot
from orchestrator.ports.store import Books

FACT = "hedges"
KEPT_FOR = timedelta(hours=2)

LOOK_AGAIN = timedelta(seconds=10)
"""While a late machine still seems to win."""


class Hedge:
    def __init__(self, shared: Shared, books: Books) -> None:
        self._shared = shared
        self._books = books

    async def due(self, snapshot: SessionSnapshot, now: datetime) -> datetime | None:
        """When a second machine is to be tried for this session; None when none is, as things stand."""
        rule = self._shared.limits.hedging
        (first, *others) = snapshot.warming
        if others or first.ordered_at is None or first.cloud is None or first.state is InstanceState.PLANNED:
            return None
        hedged = await self._hedged()
        free_at = hedging.free_at(list(hedged.values()), now, rule)
        if first.id in hedged or free_at is None:
            return None
        cold_starts = await self._books.instances.cold_starts(first.cloud, HISTORY)
        history = await self._books.instances.stage_seconds(first.cloud, HISTORY)
        prior = prior_of(first, self._shared)
        whole = cold_start_left((), history, prior, now)
        at = max(hedging.hedge_at(first.ordered_at, cold_starts, whole, rule), free_at)
        if now < at:
            return at
        left = cold_start_left(self._shared.board.stages(first.id).values(), history, prior, now)
        return at if hedging.would_win(left, cold_starts, whole) else now + LOOK_AGAIN

    async def note(self, first: Instance, now: datetime) -> None:
        """Remember that a second one was tried beside *first*, in the transaction that plans it."""
        hedged = {name: at for name, at in (await self._hedged()).items() if now - at < KEPT_FOR}
        hedged[first.id] = now
        await self._books.set_fact(FACT, json.dumps({name: at.timestamp() for name, at in hedged.items()}))

    async def _hedged(self) -> dict[InstanceId, datetime]:
        known = json.loads(await self._books.fact(FACT) or "{}")
        return {InstanceId(name): datetime.fromtimestamp(at, UTC) for name, at in known.items()}
