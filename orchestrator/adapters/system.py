"""The computer's clock and dice: the only module that asks for them."""

import secrets
import uuid
from datetime import UTC, datetime, timedelta

from orchestrator.domain.ids import InstanceId, JobId, PromptId, SessionId
from orchestrator.ports.clock import Clock, Ids

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""32 digits in the order of their character codes; i, l, o and u are left out, they are misread."""

UNGUESSABLE = 12
"""Random digits of an id: 60 bits."""

_STAMP_DIGITS = 11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SystemClock(Clock):
    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock port's one implementation


class RandomIds(Ids):
    """Ids of lower-case letters and digits that nobody can guess."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_stamp = 0

    def job(self) -> JobId:
        """
        Later ids sort behind earlier ones of this process, even when the clock goes back.

        Eleven digits hold the microseconds since 1970 until the year 3111.
        """
        stamp = max((self._clock.now() - _EPOCH) // timedelta(microseconds=1), self._last_stamp + 1)
        self._last_stamp = stamp
        return JobId(_digits(stamp, _STAMP_DIGITS) + _random_digits())

    def session(self) -> SessionId:
        return SessionId(_random_digits())

    def instance(self) -> InstanceId:
        return InstanceId(_random_digits())

    def prompt(self) -> PromptId:
        return PromptId(str(uuid.uuid4()))  # noqa: TID251 - this is the Ids port's one implementation


def _digits(number: int, length: int) -> str:
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(5 * (length - 1), -1, -5))


def _random_digits() -> str:
    return _digits(secrets.randbits(5 * UNGUESSABLE), UNGUESSABLE)
