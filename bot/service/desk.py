"""What every command works with."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.chat.model import Person
from bot.chat.surface import ChatSurface
from bot.service.cards import CardBook
from orchestrator.api import CostReport, JobId, JobView, Orchestrator, RequestError, ShadowLedger

CostChart = Callable[[CostReport], Awaitable[bytes]]
"""Draws dollars a day, as PNG."""

ShadowChart = Callable[[ShadowLedger], Awaitable[bytes]]
"""Draws what each policy would have cost, as PNG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """
    Attributes:
        chart: None where answers are words alone.
        shadow_chart: The same.
        logs_prompts: What people ask for may stand in the log.
    """

    orchestrator: Orchestrator
    cards: CardBook
    surfaces: Mapping[str, ChatSurface]
    now: Callable[[], datetime]
    chart: CostChart | None = None
    shadow_chart: ShadowChart | None = None
    logs_prompts: bool = False

    async def job_of(self, person: Person, job: JobId | None) -> JobView:
        """
        The job that a person speaks of: theirs, or anybody's for an admin; their newest where they name none.

        Raises:
            RequestError: There is none, or it is somebody else's.
        """
        if job is None:
            newest = await self.orchestrator.jobs(user=person.user, limit=1)
            if not newest:
                raise RequestError("unknown_job")
            return newest[0]
        view = await self.orchestrator.job(job)
        if view is None:
            raise RequestError("unknown_job", job=job)
        if view.user != person.user and not person.is_admin:
            raise RequestError("not_yours")
        return view


def open_desk(
    orchestrator: Orchestrator,
    surfaces: Iterable[ChatSurface],
    now: Callable[[], datetime],
    chart: CostChart | None = None,
    *,
    shadow_chart: ShadowChart | None = None,
    logs_prompts: bool = False,
) -> Desk:
    """
    Put together what commands and loops share.

    Args:
        now: The time, aware, in UTC.
    """
    by_name = {surface.name: surface for surface in surfaces}
    cards = CardBook(orchestrator, by_name, now)
    return Desk(
        orchestrator=orchestrator,
        cards=cards,
        surfaces=by_name,
        now=now,
        chart=chart,
        shadow_chart=shadow_chart,
        logs_prompts=logs_prompts,
    )
