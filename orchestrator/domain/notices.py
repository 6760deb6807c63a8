"""What a person or the operator must hear about beside the cards."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.ids import UserId
from orchestrator.domain.job import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """
    One thing to tell, once.

    Attributes:
        user: Who; None means the admins.
        key: Which sentence; the bot owns the sentences.
        topic: Two notices with one topic are the same news; the second is not stored while the first is fresh.
    """

    id: int
    user: UserId | None
    key: str
    values: Mapping[str, Value]
    topic: str
    at: datetime
    acknowledged_at: datetime | None = None
