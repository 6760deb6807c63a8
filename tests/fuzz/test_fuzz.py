"""Whatever is answered from outside ends in a value or in one of our errors. ``make fuzz`` asks far more often."""

import pytest

from tests.fuzz.harness import Subject, fuzzed
from tests.fuzz.subjects import SUBJECTS

ANSWERS = 2000
SEED = 1


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: str(subject.name))
async def test_any_answer_is_a_value_or_an_error_of_ours(subject: Subject) -> None:
    tally = await fuzzed(subject, range(ANSWERS), SEED)

    assert tally.answers == ANSWERS
    assert tally.values + tally.errors.total() == ANSWERS
