"""What admins choose for a guild, a group or a page: the names under which it is kept. Pure."""

from enum import StrEnum

PICTURES = "pictures"


class Showing(StrEnum):
    """How pictures are shown in a place."""

    PLAIN = "plain"
    SPOILER = "spoiler"  # hidden until somebody taps on them
    NSFW_ONLY = "nsfw-only"  # only in channels that are age-restricted


def showing_of(value: str) -> Showing:
    """What is kept as *value*; anything unknown is as if nothing was chosen."""
    return Showing(value) if value in set(Showing) else Showing.PLAIN
