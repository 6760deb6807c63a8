"""What ``auto`` costs on a log in the money model, without playing it: its adviser asked at each request."""

from collections.abc import Sequence
from datetime import timedelta
from heapq import merge

from orchestrator.domain.bounds import Times
from orchestrator.domain.policy.advice import Adviser
from orchestrator.domain.policy.shadow import Ask, Belief
from orchestrator.domain.terms import Terms

IDLE_TIMEOUT = timedelta(minutes=10)


def belief(terms: Terms) -> Belief:
    """Everything about machines is known, and none is lost."""
    return Belief(
        usd_s=terms.gpu_usd_s,
        cold_s=terms.cold_start_s,
        start_usd=terms.gpu_usd_s * terms.cold_start_s,
        paint_s=terms.generate_s,
    )


def auto_usd(people: Sequence[Times], terms: Terms, *, before: Sequence[Times] = ()) -> float:
    """
    Dollars, until the last machine is given back.

    Args:
        before: What people asked for earlier, which auto has seen; of the same people, at negative times.
    """
    adviser = Adviser(IDLE_TIMEOUT)
    _ask(adviser, before, terms)
    spent = adviser.own_usd()
    _ask(adviser, people, terms)
    return adviser.own_usd() - spent


def _ask(adviser: Adviser, people: Sequence[Times], terms: Terms) -> None:
    known = belief(terms)
    bridge = None if terms.bridge_usd is None else terms.bridge_usd * terms.images_per_request
    named = (((at, f"person {number}") for at in times) for number, times in enumerate(people))
    for at, user in merge(*named):
        adviser.ask(user, Ask(at=at, images=terms.images_per_request, bridge_usd=bridge), known)
    adviser.settle()
