"""What admins choose for a guild, a group or a page: the names under which it is kept. Pure."""

from enum import StrEnum

PICTURES = "pictures"
FILTERED = "filtered"


class Showing(StrEnum):
    """How pictures are shown in a place."""

    PLAIN = "plain"
    SPOILER = "spoiler"  # hidden until somebody taps on them
    NSFW_ONLY = "nsfw-only"  # only in channels that are age-restricted


def showing_of(value: str) -> Showing:
    """What is kept as *value*; anything unknown is as if nothing was chosen."""
    return Showing(value) if value in set(Showing) else Showing.PLAIN


class Filtered(StrEnum):
    """What becomes of a picture that a managed API keeps back as indecent."""

    TELL = "tell"  # its person is told, and that is all
    REMAKE = "remake"  # a machine makes it


def filtered_of(value: str) -> Filtered:
    """As :func:`showing_of`."""
    return Filtered(value) if value in set(Filtered) else Filtered.TELL
