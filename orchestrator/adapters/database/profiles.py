"""Profiles as JSON in a row, and back; a choice that this version does not know is left out."""

import json
from datetime import timedelta
from typing import Any

from orchestrator.domain.people import NoticeKind, Profile, QuietHours


def profile_from(choices: str) -> Profile:
    chosen: dict[str, Any] = json.loads(choices)
    quiet = chosen.get("quiet_min")
    return Profile(
        muted=frozenset(NoticeKind(kind) for kind in chosen.get("muted", ()) if kind in set(NoticeKind)),
        quiet=None if quiet is None else QuietHours(**dict(zip(_QUIET, _spans(quiet), strict=True))),
        wants_metadata=bool(chosen.get("metadata", False)),
    )


def choices_of(profile: Profile) -> str:
    chosen: dict[str, Any] = {"muted": sorted(profile.muted), "metadata": profile.wants_metadata}
    if profile.quiet is not None:
        chosen["quiet_min"] = [round(getattr(profile.quiet, name) / timedelta(minutes=1)) for name in _QUIET]
    return json.dumps(chosen)


_QUIET = ("begin", "end", "offset")


def _spans(minutes: list[int]) -> list[timedelta]:
    return [timedelta(minutes=each) for each in minutes]
