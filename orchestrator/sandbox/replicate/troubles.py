"""What goes wrong at Replicate, as its users have met it, and can be struck here."""

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
