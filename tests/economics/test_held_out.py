"""``auto`` costs hardly more than the best fixed rule chosen afterwards, on logs that it has not seen before."""

import pytest

from orchestrator.domain.terms import Terms
from tests.economics.judged import TERMS, Case, cases, judge

MOST = 1.05


def called(value: Case | Terms) -> str:
    return value.name if isinstance(value, Case) else f"{value.bridge_usd}$ {value.cold_start_s:g}s"


@pytest.mark.parametrize("case", list(cases()), ids=called)
@pytest.mark.parametrize("terms", TERMS, ids=called)
def test_auto_costs_hardly_more_than_the_best_fixed_rule_of_that_very_log(case: Case, terms: Terms) -> None:
    found = judge(case, terms)

    assert found.ratio <= MOST, f"{found.auto:.2f} $, {found.best_fixed_rule} takes {found.best_fixed:.2f} $"
    assert found.informed <= found.best_fixed * (1 + 1e-9)
