"""The computer's clock and dice: the only module that asks for them."""

import logging
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.domain.ids import InstanceId, JobId, PromptId, SessionId
from orchestrator.ports.clock import Clock, Ids, Mark

log = logging.getLogger(__name__)

WORTH_TELLING = timedelta(seconds=2)

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""32 digits in the order of their character codes; i, l, o and u are left out, they are misread."""

UNGUESSABLE = 12
"""Random digits of an id: 60 bits."""

_STAMP_DIGITS = 11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - this is where the Clock port takes it from


def steady() -> float:
    """Seconds that no setting of the clock changes, sleep of the computer included where the system tells."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def boot() -> str:
    """Names this start of the computer (Linux: random(4)); empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class SystemClock(Clock):
    """
    Shows what the computer's clock showed when it was last followed, and the time that has really passed since.

    So a clock that is set while a machine is rented neither adds an hour to its bill nor keeps it an hour longer.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = wall,
        steady: Callable[[], float] = steady,
        boot: Callable[[], str] = boot,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._boot = boot()
        self._began, self._since = wall(), steady()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._steady() - self._since)

    def follow(self) -> None:
        wrong_by = self._wall() - self.now()
        if abs(wrong_by) > WORTH_TELLING:
            log.warning("the computer's clock was set by %.0f s; following it", wrong_by.total_seconds())
        self._began, self._since = self._wall(), self._steady()

    def mark(self) -> Mark:
        return Mark(at=self.now(), boot=self._boot, steady=self._steady())

    def date_of(self, mark: Mark) -> datetime:
        if not self._can_count_from(mark):
            return mark.at
        return self._began + timedelta(seconds=mark.steady - self._since)

    def go_on_from(self, mark: Mark) -> None:
        if self._can_count_from(mark):
            began, since = mark.at, mark.steady
        else:
            began, since = max(mark.at, self.now()), self._steady()
        before = self.now()
        self._began, self._since = began, since
        wrong_by = before - self.now()
        if abs(wrong_by) > WORTH_TELLING:
            log.warning("the computer's clock was set by %.0f s; not followed yet", wrong_by.total_seconds())

    def _can_count_from(self, mark: Mark) -> bool:
        return bool(mark.boot) and mark.boot == self._boot


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
