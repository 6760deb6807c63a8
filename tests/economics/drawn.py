"""Logs that hypothesis draws: stretches of requests that come one after the other alike, so that habits can mislead."""

from itertools import accumulate, chain

from hypothesis import strategies as st

from orchestrator.domain.bounds import Times
from orchestrator.domain.terms import Terms

DAYS_S = 4 * 86_400
MOST = 40
"""Requests of a person."""


def people(least_gap_s: float) -> st.SearchStrategy[list[Times]]:
    """One to three people, of one to forty requests each."""
    gap = st.one_of(*(st.floats(least_gap_s, most) for most in (60, 700, 3600, DAYS_S)))
    stretches = st.lists(st.tuples(gap, st.integers(1, MOST // 2)), max_size=8)
    return st.lists(stretches.map(_times), min_size=1, max_size=3)


def _times(stretches: list[tuple[float, int]]) -> Times:
    gaps = chain.from_iterable([gap] * count for gap, count in stretches)
    return list(accumulate(gaps, initial=0.0))[:MOST]


terms: st.SearchStrategy[Terms] = st.builds(Terms, bridge_usd=st.floats(0.001, 0.05), cold_start_s=st.floats(20, 600))
