"""Filters, order and pages, as the real cloud reads them."""

import base64
import functools
import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, wanted: value in wanted,
    "notin": lambda value, wanted: value not in wanted,
}


class QueryError(Exception):
    """A query that makes no sense; its text is for the one who asked."""


def check_filters(filters: Mapping[str, object]) -> None:
    """
    Look at the shape of filters before any row is seen: an empty list must not hide a mistake.

    Raises:
        QueryError: One of them is no object of known operators.
    """
    for tests in filters.values():
        if not isinstance(tests, dict):
            raise QueryError(f"a filter is an object of operator and value, not {tests!r}")
        for name, wanted in tests.items():
            if name not in OPERATORS:
                raise QueryError(f"{name} is not a valid operator")
            if name in {"in", "notin"} and not isinstance(wanted, list):
                raise QueryError(f"{name} needs a list")


def matches(row: Row, filters: Mapping[str, object]) -> bool:
    """Whether *row* passes every `{column: {operator: value}}` of *filters*, which have been checked."""
    return all(_passes(row.get(column), tests) for column, tests in filters.items())


def ordered(rows: Iterable[Row], order: Sequence[tuple[str, str]]) -> list[Row]:
    """Sort by columns and directions, the first one counting most; missing values come last."""
    result = list(rows)
    for column, direction in reversed(order):
        present = [row for row in result if row.get(column) is not None]
        absent = [row for row in result if row.get(column) is None]
        present.sort(key=lambda row: row[column], reverse=direction == "desc")
        result = present + absent
    return result


def page(
    rows: Iterable[Row], *, order: Sequence[tuple[str, str]], limit: int, after: str | None
) -> tuple[list[Row], str | None]:
    """
    Cut one page out of *rows* and make the token for the next one.

    A token holds the last row's values of the ordering columns: rows that come and go between pages move none.

    Raises:
        QueryError: The token was not made here, or for another order.
    """
    compare = functools.partial(_compare, order=order)
    result = sorted(rows, key=functools.cmp_to_key(compare))
    if after is not None:
        values = _read_token(after, [column for column, _ in order])
        result = [row for row in result if compare(row, values) > 0]
    cut = result[:limit]
    more = len(result) > limit
    return cut, _make_token({column: cut[-1].get(column) for column, _ in order}) if more else None


def _passes(value: object, tests: Any) -> bool:
    return all(_passes_one(value, name, wanted) for name, wanted in tests.items())


def _passes_one(value: object, name: str, wanted: Any) -> bool:
    test = OPERATORS[name]
    if name in {"in", "notin"}:
        return test(value, [_as(value, one) for one in wanted])
    if value is None and name not in {"eq", "neq"}:
        return False
    try:
        return test(value, _as(value, wanted))
    except TypeError as error:
        raise QueryError(f"cannot compare {value!r} with {wanted!r}") from error


def _as(value: object, wanted: object) -> object:
    """Read *wanted* as the kind of thing that *value* is: the official client sends numbers as text."""
    if isinstance(wanted, str) and isinstance(value, int | float):
        try:
            return float(wanted)
        except ValueError as error:
            raise QueryError(f"{wanted!r} is not a number") from error
    return wanted


def _compare(one: Row, other: Row, *, order: Sequence[tuple[str, str]]) -> int:
    for column, direction in order:
        left, right = _sortable(one.get(column)), _sortable(other.get(column))
        if left != right:
            sign = -1 if left < right else 1
            return -sign if direction == "desc" else sign
    return 0


def _sortable(value: object) -> tuple[int, float, str]:
    match value:
        case None:
            return (0, 0.0, "")
        case bool() | int() | float():
            return (1, float(value), "")
        case _:
            return (2, 0.0, str(value))


def _make_token(values: Row) -> str:
    return base64.b64encode(json.dumps({"values": values}).encode()).decode()


def _read_token(token: str, columns: Sequence[str]) -> Row:
    try:
        values = json.loads(base64.b64decode(token, validate=True))["values"]
        return {column: values[column] for column in columns}
    except (ValueError, KeyError, TypeError) as error:
        raise QueryError("Invalid after_token") from error
