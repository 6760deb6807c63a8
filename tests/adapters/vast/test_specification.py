"""What we know better than the vendor's specification."""

import json

import pytest

from tests.adapters.vast.specification import DATA, DEVIATIONS, OPERATIONS


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: f"{deviation[0]}-{deviation[1][-1]}")
def test_each_deviation_is_still_one_and_has_a_source(
    deviation: tuple[str, tuple[str, ...], object, str],
) -> None:
    operation, where, right, source = deviation
    inner = json.loads((DATA / "specs" / "vast.json").read_text())[OPERATIONS[operation]]
    for name in where:
        inner = inner[name]

    assert inner != right
    assert source


def test_the_reduced_specification_holds_no_prose() -> None:
    text = (DATA / "specs" / "vast.json").read_text()

    assert not [word for word in ('"description"', '"summary"', '"example"', '"title"') if word in text]
