"""What we know better than the vendors' specifications."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.adapters.lambda_labs import specification as lambdas
from tests.adapters.replicate import specification as replicate
from tests.adapters.runpod import specification as runpod
from tests.adapters.together import specification as together
from tests.adapters.vast import specification as vast
from tests.specifications import SPECS, Deviation, read

AS_PUBLISHED: Mapping[str, tuple[tuple[Deviation, ...], Mapping[str, Any]]] = {
    "lambda": (lambdas.DEVIATIONS, {ours: read("lambda")[theirs] for ours, theirs in lambdas.OPERATIONS.items()}),
    "replicate": (replicate.DEVIATIONS, read("replicate")["$defs"]),
    "runpod": (runpod.DEVIATIONS, {ours: read("runpod")[theirs] for ours, theirs in runpod.OPERATIONS.items()}),
    "together": (together.DEVIATIONS, read("together")),
    "vast": (vast.DEVIATIONS, {ours: read("vast")[theirs] for ours, theirs in vast.OPERATIONS.items()}),
}


@pytest.mark.parametrize(
    ("name", "deviation"),
    [(name, deviation) for name, (deviations, _) in AS_PUBLISHED.items() for deviation in deviations],
    ids=lambda part: part if isinstance(part, str) else f"{part[0]}-{part[1][-1]}",
)
def test_each_deviation_is_still_one_and_has_a_source(name: str, deviation: Deviation) -> None:
    operation, where, right, source = deviation
    inner = AS_PUBLISHED[name][1][operation]
    for step in where[:-1]:
        inner = inner[step]

    assert inner.get(where[-1]) != right
    assert source


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_the_reduced_specification_holds_no_prose(name: str) -> None:
    text = (SPECS / f"{name}.json").read_text()

    assert not [word for word in ("description", "summary", "example", "title") if f'"{word}": "' in text]
