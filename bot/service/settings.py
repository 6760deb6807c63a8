"""``/settings``: what a person wants to be told, and when."""

from dataclasses import replace

from bot.chat.choices import KINDS, quiet_words
from bot.chat.commands import SetMetadata, SetNotice, SetQuiet, Settings
from bot.chat.model import Answer, Person, Reply
from bot.service.desk import Desk
from orchestrator.api import FOR_ADMINS, NoticeKind, Profile, RequestError, closest


async def change(desk: Desk, person: Person, command: Settings | SetNotice | SetQuiet | SetMetadata) -> Answer:
    """
    Change one choice, if any is named, and show them all.

    Raises:
        RequestError: There is no such kind of notice.
    """
    people = desk.orchestrator.people
    before = await people.profile(person.user)
    after = _changed(before, command, person)
    if after != before:
        await people.save_profile(person.user, after)
    return _shown(after, person)


def _changed(profile: Profile, command: Settings | SetNotice | SetQuiet | SetMetadata, person: Person) -> Profile:
    match command:
        case SetNotice(kind=kind, on=on):
            known = _kinds(person)
            if kind not in known:
                raise RequestError("unknown_notice", name=kind, closest=closest(kind, known), known=", ".join(known))
            muted = profile.muted - {NoticeKind(kind)} if on else profile.muted | {NoticeKind(kind)}
            return replace(profile, muted=muted)
        case SetQuiet(hours=hours):
            return replace(profile, quiet=hours)
        case SetMetadata(on=on):
            return replace(profile, wants_metadata=on)
        case Settings():
            return profile


def _kinds(person: Person) -> list[str]:
    return [str(kind) for kind in NoticeKind if person.is_admin or kind not in FOR_ADMINS]


def _shown(profile: Profile, person: Person) -> Reply:
    kinds = _kinds(person)
    lines = [f"{_state(NoticeKind(kind) not in profile.muted)} {kind}: {KINDS[NoticeKind(kind)]}" for kind in kinds]
    lines += [
        f"quiet hours: {quiet_words(profile.quiet)}",
        f"{_state(profile.wants_metadata)} metadata: the files of your pictures carry the prompt and its options",
        (
            "change them like this: /settings notify done off, /settings quiet 22:00-08:00 +02:00, /settings quiet off,"
            " /settings metadata on"
        ),
    ]
    return Reply(
        text="What you are told beside your cards:",
        lines=tuple(lines),
        data={
            "notify": {kind: NoticeKind(kind) not in profile.muted for kind in kinds},
            "quiet": quiet_words(profile.quiet),
            "metadata": profile.wants_metadata,
        },
    )


def _state(on: bool) -> str:
    return "on " if on else "off"
