"""Worlds 1 to 300 and those that have failed once: no rule is broken in any of them, and none is too small to tell."""

import pytest

from tests.simulation.play import HOUR, play
from tests.simulation.report import told_failure
from tests.simulation.seeds import ONCE_FAILED

WORLDS = sorted({*range(1, 301), *ONCE_FAILED})
EACH = 10
GROUPS = [WORLDS[place : place + EACH] for place in range(0, len(WORLDS), EACH)]
LIMIT_S = 600
"""For one group on a busy computer."""


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("seeds", GROUPS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_no_rule_is_broken_in_a_world_of_six_hours(seeds: list[int]) -> None:
    for seed in seeds:
        result = play(seed)

        if result.violations:
            pytest.fail(told_failure(result), pytrace=False)
        assert result.hours >= 6.0, seed
        assert result.people >= 3, seed
        assert result.requests >= 40, seed
        assert result.quiet_s >= HOUR, seed
