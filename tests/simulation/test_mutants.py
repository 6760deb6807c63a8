"""Each rule can fail: with one line broken, a world notices."""

import pytest

from orchestrator.sim import invariants
from tests.simulation.broken import broken
from tests.simulation.mutants import MUTANTS, Mutant, told, try_mutant

RULES = {"leak", "lost", "twice", "too many", "budget", "two warm", "moves", "unexpected"}


@pytest.mark.timeout(200)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_line_is_noticed_by_its_world(mutant: Mutant) -> None:
    verdict = try_mutant(mutant)

    if not verdict.is_caught:
        pytest.fail(f"{told(verdict)}\nlook for another world: make simulate-mutants ARGS=--search", pytrace=False)


def test_every_rule_has_a_mutant_that_breaks_it() -> None:
    assert {mutant.invariant for mutant in MUTANTS} == RULES
    assert [rule for rule in sorted(RULES) if f"``{rule}``" not in (invariants.__doc__ or "")] == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_its_line_and_nothing_else(mutant: Mutant) -> None:
    lines = broken(mutant).splitlines()

    assert mutant.after in [line.strip() for line in lines]
    assert mutant.before not in [line.strip() for line in lines]
