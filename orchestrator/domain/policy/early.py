"""Whether a machine is worth starting for somebody who seems about to ask: off until it is shown that it pays."""

from dataclasses import dataclass
from datetime import timedelta

from orchestrator.domain.policy.advice import Advice

SOON = timedelta(seconds=90)
"""Without a request by then they were not about to ask: the machine is ended."""

AT_MOST_EVERY = timedelta(hours=1)
"""Between two machines that are started early for one person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunches:
    """How often somebody who seemed about to ask did so soon, and did not."""

    followed: int = 0
    missed: int = 0

    @property
    def missed_share(self) -> float:
        """Half while nothing is known."""
        return (self.missed + 1) / (self.followed + self.missed + 2)


def is_worth_starting(advice: Advice | None, hunches: Hunches, *, bridge_usd: float, requests: int) -> bool:
    """
    Whether what the API would take during a cold start is more than what starts for nothing are expected to lose.

    Only for whom a machine is rented at the first request anyway: then a start is lost only where no request comes.

    Args:
        bridge_usd: What an API takes for one request of theirs; 0 where none can make it.
        requests: How many of them come during a cold start.
    """
    if advice is None or advice.is_break_even or advice.rule.requests > 1:
        return False
    missed = hunches.missed_share
    return advice.belief.start_usd * missed < bridge_usd * requests * (1 - missed)
