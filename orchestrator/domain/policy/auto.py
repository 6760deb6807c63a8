"""The default policy: rent and keep by what would have been cheapest for this person so far (:mod:`.advice`)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.policy.advice import Advice
from orchestrator.domain.snapshot import SessionSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Auto:
    """
    What :class:`~orchestrator.domain.policy.advice.Advice` says. The idle timeout bounds every keep-alive.

    Attributes:
        least_kept: Where machines cost nothing, so long at least, however little they are worth.
    """

    idle_timeout: timedelta
    least_kept: timedelta = timedelta()
    name: str = "auto"

    def wants_machine(self, snapshot: SessionSnapshot, now: datetime) -> bool:
        """Now, for what no managed API can make; else while the person's next request is worth being ready for."""
        advice = snapshot.evidence.advice
        if snapshot.waiting:
            return True
        return advice is not None and advice.rents and snapshot.goes_on and now < self.warm_until(snapshot)

    def warm_until(self, snapshot: SessionSnapshot) -> datetime:
        advice = snapshot.evidence.advice
        return snapshot.session.last_request_at + (self.idle_timeout if advice is None else self.kept(advice))

    def kept(self, advice: Advice) -> timedelta:
        """How long a machine stays after a request of which that is the advice."""
        return min(max(advice.keep, self.least_kept), self.idle_timeout)
