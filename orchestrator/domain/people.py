"""What a person keeps beside their jobs: presets, accounts that are theirs, and what they want to be told."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

MOST_PRESETS = 20
"""Of one person: what still fits a list that is read in a chat."""

MOST_BLOCKED = 500
"""Words in one place: each request is held against all of them."""

MOST_ACCOUNTS = 10
"""Of one person."""

MOST_NAMESAKES = 10
"""Accounts of one name that are told apart."""

CLAIMED_FOR = timedelta(days=7)
"""Longer than any chat repeats what it has told us."""

LINK_FOR = timedelta(minutes=10)
"""How long a code that joins two accounts is good."""


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


class NoticeKind(StrEnum):
    """What people may be told beside their cards; the last four are for admins."""

    DONE = "done"  # pictures that were waited for longer than a minute
    FAILED = "failed"
    GIVING_BACK = "giving-back"  # their machine, in a moment
    BUDGET = "budget"  # their own, nearly used or used up
    MACHINE = "machine"  # one that will not die, or belongs to nobody
    ACCOUNT = "account"  # a cloud refuses our key
    BALANCE = "balance"  # a cloud's, nearly used up
    BUDGETS = "budgets"  # everybody's, nearly used or used up


FOR_ADMINS = frozenset({NoticeKind.MACHINE, NoticeKind.ACCOUNT, NoticeKind.BALANCE, NoticeKind.BUDGETS})


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """
    A stretch of each day in which nobody is written to.

    Attributes:
        begin: Since midnight, where the person is.
        end: The same; before *begin* when midnight is in between.
        offset: What the clocks there show more than UTC.
    """

    begin: timedelta
    end: timedelta
    offset: timedelta

    def holds(self, now: datetime) -> bool:
        local = (now + self.offset).replace(tzinfo=None)
        since_midnight = local - local.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.begin <= self.end:
            return self.begin <= since_midnight < self.end
        return since_midnight >= self.begin or since_midnight < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    What a person chose; a person who chose nothing is told everything, at any hour.

    Attributes:
        muted: What they do not want to be told.
        wants_metadata: Their pictures carry the prompt in the file.
    """

    muted: frozenset[NoticeKind] = field(default_factory=frozenset)
    quiet: QuietHours | None = None
    wants_metadata: bool = False

    def is_quiet(self, now: datetime) -> bool:
        return self.quiet is not None and self.quiet.holds(now)
