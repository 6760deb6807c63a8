"""What is wrong with one of the fakes just now. Each fake names its own troubles; who has its app can strike it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from aiohttp import web

TroubleT = TypeVar("TroubleT", bound=StrEnum)


@dataclass(slots=True)
class _Left:
    times: int | None
    operations: Collection[str] | None


@dataclass(slots=True)
class Struck(Generic[TroubleT]):
    """
    The troubles of one fake.

    Attributes:
        known: All that it can have.
    """

    known: type[TroubleT]
    _left: dict[TroubleT, _Left] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(trouble.value for trouble in self.known)

    def named(self, name: object) -> TroubleT | None:
        return next((trouble for trouble in self.known if trouble == name), None)

    def __contains__(self, trouble: TroubleT) -> bool:
        """Say whether *trouble* would strike, without counting it."""
        return trouble in self._left

    def strike(self, trouble: TroubleT, *, times: int | None = None, operations: Collection[str] | None = None) -> None:
        """Let *trouble* strike so often, or until it is over; at those *operations* alone, where they are named."""
        self._left[trouble] = _Left(times, operations)

    def recover(self) -> None:
        self._left.clear()

    def take(self, trouble: TroubleT, operation: str = "") -> bool:
        """Say whether *trouble* strikes here and now, and count it."""
        left = self._left.get(trouble)
        if left is None or (left.operations is not None and operation not in left.operations):
            return False
        if left.times is not None:
            left.times -= 1
            if left.times <= 0:
                del self._left[trouble]
        return True

    def take_one(self, troubles: Iterable[TroubleT]) -> TroubleT | None:
        """Name the first of *troubles* that strikes here and now, and count that one."""
        return next((trouble for trouble in troubles if self.take(trouble)), None)


TROUBLES: web.AppKey[Struck[Any]] = web.AppKey("troubles", Struck)
"""Where every fake's app has them."""
