"""What a person keeps beside their jobs."""

from dataclasses import dataclass
from datetime import timedelta

MOST_PRESETS = 20
"""Of one person: what still fits a list that is read in a chat."""

MOST_BLOCKED = 500
"""Words in one place: each request is held against all of them."""

CLAIMED_FOR = timedelta(days=7)
"""Longer than any chat repeats what it has told us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """
    Options that a person gave a name.

    Attributes:
        name: Lower case; one person has it once.
        options: As they are typed after a prompt, such as ``--ar 16:9 --steps 6``. Opaque to the orchestrator.
    """

    name: str
    options: str
