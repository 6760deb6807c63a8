"""Vendors' own specifications (tests/data/specs: reduced, without prose), to hold what is said against."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # it brings no types

SPECS = Path(__file__).parent / "data" / "specs"

Deviation = tuple[str, tuple[str, ...], Any, str]
"""Where a specification is known to be wrong: operation, where in it, what is right, how we know."""


def read(name: str) -> dict[str, Any]:
    specification: dict[str, Any] = json.loads((SPECS / f"{name}.json").read_text())
    return specification


def correct(specification: Mapping[str, Any], deviations: Iterable[Deviation]) -> None:
    """Put right in place what is known to be wrong."""
    for operation, where, right, _ in deviations:
        inner = specification[operation]
        for name in where[:-1]:
            inner = inner[name]
        inner[where[-1]] = right


def operations_of(name: str, operations: Mapping[str, str], deviations: Iterable[Deviation]) -> Mapping[str, Any]:
    """Give a specification by our names of its operations, corrected."""
    specification = read(name)
    named = {ours: specification[theirs] for ours, theirs in operations.items()}
    correct(named, deviations)
    return named


def faults_of(schema: Any, value: Any) -> list[str]:
    """Say where *value* is not what *schema* allows."""
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator(json.dumps(schema)).iter_errors(value)
    ]


@cache
def _validator(schema: str) -> Any:
    return Draft202012Validator(json.loads(schema), format_checker=FormatChecker())
