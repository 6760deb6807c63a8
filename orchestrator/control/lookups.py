"""What one transaction reads about machines: each is read once, however many views ask for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrator.domain.ids import CloudName, InstanceId, SessionId
from orchestrator.domain.instance import Instance
from orchestrator.domain.stages import Stage
from orchestrator.ports.store import Books

HISTORY = 20
"""Machines whose stage times make the estimates."""


class Lookups:
    """
    Good for as long as its transaction, which sees no change that others make.

    Attributes:
        books: Of that transaction; nothing is written in it.
    """

    def __init__(self, books: Books) -> None:
        self.books = books
        self._machines: dict[InstanceId, Instance | None] = {}
        self._stages: dict[InstanceId, tuple[Stage, ...]] = {}
        self._given_up: dict[SessionId, tuple[datetime, tuple[Instance, ...]]] = {}
        self._history: dict[CloudName, Mapping[str, Sequence[float]]] = {}

    async def machine(self, name: InstanceId) -> Instance | None:
        if name not in self._machines:
            self._machines[name] = await self.books.instances.get(name)
        return self._machines[name]

    async def stages(self, name: InstanceId) -> tuple[Stage, ...]:
        if name not in self._stages:
            self._stages[name] = await self.books.instances.stages(name)
        return self._stages[name]

    async def given_up(self, session: SessionId, since: datetime) -> tuple[Instance, ...]:
        """Machines of *session* that were ordered and given up since then, perhaps some from before it."""
        known = self._given_up.get(session)
        if known is None or since < known[0]:
            known = self._given_up[session] = (since, await self.books.instances.given_up(session, since))
        return known[1]

    async def stage_seconds(self, cloud: CloudName) -> Mapping[str, Sequence[float]]:
        """What each step took on the newest machines of *cloud*."""
        if cloud not in self._history:
            self._history[cloud] = await self.books.instances.stage_seconds(cloud, HISTORY)
        return self._history[cloud]
