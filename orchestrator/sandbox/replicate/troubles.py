"""What goes wrong at Replicate, as its users have met it, and can be struck here."""

from dataclasses import dataclass, field
from enum import StrEnum


class Trouble(StrEnum):
    # Every answer.
    SILENT = "silent"  # nothing comes
    GARBLED = "garbled"  # no JSON
    TOO_LONG = "too_long"  # more than anybody wants to read
    OUT_OF_ORDER = "out_of_order"  # 500
    # The answer to an order.
    THROTTLED = "throttled"  # 429, the wait in its text
    NO_ROOM = "no_room"  # 503
    NO_MONEY = "no_money"  # 402
    MODEL_GONE = "model_gone"  # 404; also when the model is looked for
    INVALID = "invalid"  # 422
    ANSWER_LOST = "answer_lost"  # ordered, and the connection breaks
    UNLISTED = "unlisted"  # the same, and it is not in the list of orders either
    SLOW = "slow"  # 202 at once, whatever was preferred
    # The course of an order.
    STUCK = "stuck"  # never begun
    ENDLESS = "endless"  # begun and never done
    EARLY_OUTPUT = "early_output"  # the picture is there and the status lags behind
    ABORTED = "aborted"
    CANCELED = "canceled"
    FAILS = "fails"
    FILTERED = "filtered"
    TOO_FEW = "too_few"
    DATA_REMOVED = "data_removed"
    # The picture.
    NO_PICTURE = "no_picture"
    FILES_LOCKED = "files_locked"  # files want the key


@dataclass(slots=True)
class Troubles:
    """Everything that is about to go wrong."""

    _left: dict[Trouble, int | None] = field(default_factory=dict)

    def strike(self, trouble: Trouble, *, times: int | None = None) -> None:
        """Let *trouble* strike so often, or until it is over."""
        self._left[trouble] = times

    def recover(self) -> None:
        self._left.clear()

    def take(self, trouble: Trouble) -> bool:
        """Say whether *trouble* strikes here and now, and count it."""
        if trouble not in self._left:
            return False
        left = self._left[trouble]
        if left is None:
            return True
        if left <= 1:
            del self._left[trouble]
        else:
            self._left[trouble] = left - 1
        return True
