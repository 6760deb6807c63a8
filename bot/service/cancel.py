"""``/cancel``: exactly one job."""

from typing import assert_never

from bot.chat.commands import Cancel
from bot.chat.model import Answer, Person, Reply
from bot.chat.words import clipped
from bot.service.desk import Desk
from orchestrator.api import CancelOutcome, JobId, JobView, RequestError

LOOKED_AT = 100
"""Jobs among which the newest unfinished one is looked for; more are never under way."""


async def cancel(desk: Desk, person: Person, command: Cancel) -> Answer:
    """Cancel the job that is named, or the person's newest unfinished one."""
    job = command.job or (await _newest_unfinished(desk, person)).id
    match await desk.orchestrator.cancel(job, by=person.user, is_admin=person.is_admin):
        case CancelOutcome.CANCELLED:
            return Reply(text=await _cancelled(desk, job), data={"job": job, "outcome": "cancelled"})
        case CancelOutcome.ALREADY_OVER:
            raise RequestError("already_over")
        case CancelOutcome.UNKNOWN:
            raise RequestError("unknown_job", job=job)
        case CancelOutcome.NOT_YOURS:
            raise RequestError("not_yours")
        case outcome:
            assert_never(outcome)


async def _newest_unfinished(desk: Desk, person: Person) -> JobView:
    for view in await desk.orchestrator.jobs(user=person.user, limit=LOOKED_AT):
        if view.ended_at is None:
            return view
    raise RequestError("nothing_to_cancel")


async def _cancelled(desk: Desk, job: JobId) -> str:
    view = await desk.orchestrator.job(job)
    prompt = clipped(str(view.values.get("prompt", "")), 80) if view else ""
    return f"Cancelled: {prompt}" if prompt else "Cancelled."
