"""Asking all clouds at once, and remembering how each of them answered. Called by the provisioner."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.control.health import after_answer, after_refusal
from orchestrator.control.moves import tell
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import AccountProblem, CloudError, CloudUnavailable
from orchestrator.domain.ids import CloudName
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.ports.cloud import CloudProvider

log = logging.getLogger(__name__)

STRAGGLERS = timedelta(seconds=3)
"""How long the others are waited for when one cloud has offers: somebody waits for a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """
    What the clouds said.

    Attributes:
        errors: By cloud, for those that could not be asked.
    """

    offers: tuple[Offer, ...]
    errors: Mapping[CloudName, CloudError]


class Market:
    """All configured clouds as one source of offers."""

    def __init__(self, shared: Shared, clouds: Mapping[CloudName, CloudProvider]) -> None:
        self._shared = shared
        self._clouds = clouds

    async def offers(self, requirements: Requirements) -> Answers:
        """
        Ask every cloud that has shown a complete listing since we started.

        Before that nobody knows what already runs there, so nothing may be ordered. Once one has offers, the others
        are waited for a little only.
        """
        offers: list[Offer] = []
        errors: dict[CloudName, CloudError] = {}

        loop = asyncio.get_running_loop()
        patience = asyncio.timeout(None)

        async def ask(cloud: CloudProvider) -> None:
            try:
                found = await cloud.offers(requirements)
                offers.extend(found)
                await self.answered(cloud.name)
            except CloudError as error:
                errors[cloud.name] = error
                await self.refused(error)
            else:
                del waiting[cloud.name]
                if found and patience.when() is None:
                    patience.reschedule(loop.time() + STRAGGLERS.total_seconds())

        waiting = dict(sorted(self._clouds.items()))
        for name in self._clouds:
            if self._shared.board.cloud(name).listed_at is None:
                errors[name] = CloudUnavailable(name, self._shared.board.cloud(name).problem or "not listed yet")
                del waiting[name]
        with contextlib.suppress(TimeoutError):
            async with patience, asyncio.TaskGroup() as group:
                for cloud in tuple(waiting.values()):
                    group.create_task(ask(cloud))
        for name in waiting.keys() - errors.keys():
            errors[name] = CloudUnavailable(name, "slower than the others")
        return Answers(offers=tuple(offers), errors=errors)

    async def answered(self, cloud: CloudName) -> None:
        """A call went well: say so once, if the last one did not."""
        health = self._shared.board.cloud(cloud)
        if health.problem:
            log.info("cloud %s answers again", cloud)
        self._shared.board.put_cloud(cloud, after_answer(health))

    async def refused(self, error: CloudError) -> None:
        """A call failed: log it once, and tell the admins where only they can help."""
        health = self._shared.board.cloud(error.cloud)
        if not health.problem:
            log.warning("%s", error)
        self._shared.board.put_cloud(error.cloud, after_refusal(health, error, self._shared.clock.now()))
        if isinstance(error, AccountProblem):
            async with self._shared.store.writing() as books:
                await tell(
                    books,
                    None,
                    "cloud_account",
                    {"cloud": error.cloud, "problem": str(error)},
                    topic=f"account:{error.cloud}",
                    now=self._shared.clock.now(),
                )
            self._shared.wakeups.notices.wake()
