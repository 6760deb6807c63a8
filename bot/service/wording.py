"""Notices in words: what they speak of is looked up when they are told, so that it is true then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.chat.buttons import Action, Button
from bot.chat.handle import ReplyHandle
from bot.chat.texts import sentence
from bot.chat.voice import Voice
from bot.chat.words import clipped, plural
from bot.service.desk import Desk
from orchestrator.api import Failed, JobId, JobView, Notice, NoticeKind, Succeeded

STALE_AFTER = timedelta(hours=1)
UNTOLD_FOR = timedelta(days=2)
"""What nobody could be told by then is left out, longer than any quiet hours: it would only pile up."""
SAME_MOMENT = timedelta(seconds=1)
"""Times travel through JSON as seconds."""

LONGEST_PROMPT = 80

KINDS: Mapping[str, NoticeKind] = {
    "job_done": NoticeKind.DONE,
    "job_failed": NoticeKind.FAILED,
    "giving_back": NoticeKind.GIVING_BACK,
    "budget_nearly_used": NoticeKind.BUDGET,
    "over_budget": NoticeKind.BUDGET,
}
ADMINS_KINDS: Mapping[str, NoticeKind] = {
    "cloud_account": NoticeKind.ACCOUNT,
    "bridge_off": NoticeKind.ACCOUNT,
    "volume_missing": NoticeKind.ACCOUNT,
    "low_balance": NoticeKind.BALANCE,
    "budget_nearly_used": NoticeKind.BUDGETS,
    "over_budget": NoticeKind.BUDGETS,
    "orphan_ended": NoticeKind.MACHINE,
    "left_behind": NoticeKind.MACHINE,
    "rival": NoticeKind.MACHINE,
    "machine_will_not_die": NoticeKind.MACHINE,
}
SHOWS_BY_ITSELF = "web"
"""A surface that shows ends as they come: telling them as well would say everything twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """
    Attributes:
        sentence: In the words of a surface, which has its own way to say moments.
        surface: Where it was asked for; empty when that is nowhere.
        chat: In which chat there.
    """

    sentence: Callable[[Voice], str]
    buttons: tuple[tuple[Button, JobId], ...] = ()
    surface: str = ""
    chat: str = ""


def kind_of(notice: Notice) -> NoticeKind | None:
    return KINDS.get(notice.key)


def is_stale(notice: Notice, now: datetime) -> bool:
    """Pictures of an hour ago were seen by now; a machine that is gone cannot be kept."""
    if notice.key == "giving_back":
        return now.timestamp() > float(notice.values.get("at", 0))
    return now - notice.at > (STALE_AFTER if notice.key == "job_done" else UNTOLD_FOR)


def plain(notice: Notice) -> str:
    return sentence(notice.key, notice.values)


async def worded(desk: Desk, notice: Notice) -> Worded | None:
    """None when there is nothing to tell any more, or it is shown anyway."""
    job = notice.values.get("job")
    view = None if job is None else await desk.orchestrator.job(JobId(str(job)))
    if job is None:
        return Worded(sentence=lambda _: plain(notice))
    if view is None:
        return None  # forgotten meanwhile
    chat = ReplyHandle.decode(view.origin).chat
    if notice.key == "giving_back":
        if await _stays(desk, view, _moment(notice)):
            return None
        return Worded(
            sentence=lambda voice: _giving_back(notice, voice),
            buttons=await _keep(desk, view),
            surface=view.surface,
            chat=chat,
        )
    if view.surface == SHOWS_BY_ITSELF:
        return None
    return Worded(sentence=lambda _: _ended(notice, view), surface=view.surface, chat=chat)


async def _stays(desk: Desk, view: JobView, at: datetime) -> bool:
    """Whether the machine does not go at *at* any more: it was kept, is at work, or is gone already."""
    session = await desk.orchestrator.session(view.user)
    if session is None or session.warm_until is None:
        return True
    return bool(session.unfinished) or session.warm_until > at + SAME_MOMENT


def _moment(notice: Notice) -> datetime:
    return datetime.fromtimestamp(float(notice.values.get("at", 0)), UTC)


def _giving_back(notice: Notice, voice: Voice) -> str:
    return sentence(notice.key, {**notice.values, "until": voice.clock(_moment(notice))})


async def _keep(desk: Desk, view: JobView) -> tuple[tuple[Button, JobId], ...]:
    card = await desk.cards.of(view)
    return tuple((button, view.id) for button in card.buttons if button.action is Action.KEEP)


def _ended(notice: Notice, view: JobView) -> str:
    prompt = clipped(str(view.values.get("prompt", "")), LONGEST_PROMPT)
    match view.status:
        case Succeeded(images=images):
            return sentence(notice.key, {"pictures": plural(len(images), "picture"), "prompt": prompt})
        case Failed(failure=failure):
            return sentence(notice.key, {"prompt": prompt, "sentence": sentence(failure.key, failure.values)})
        case _:
            return plain(notice)
