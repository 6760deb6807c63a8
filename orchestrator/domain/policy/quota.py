"""How much one person may have in the queue at once."""

from dataclasses import dataclass

from orchestrator.domain.errors import RequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    queued_jobs: int
    """Unfinished jobs of one person."""


def check_quota(quota: Quota, *, unfinished: int) -> None:
    """
    Let one more job in.

    Raises:
        RequestError: The person has to wait for one of theirs to end.
    """
    if unfinished >= quota.queued_jobs:
        raise RequestError("too_many_jobs", unfinished=unfinished, limit=quota.queued_jobs)
