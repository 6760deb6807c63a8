"""What can be wrong with RunPod's job API, each as users or its documentation tell it."""

from enum import StrEnum


class Trouble(StrEnum):
    # of any request
    OUT_OF_ORDER = "out-of-order"  # 500
    SILENT = "silent"
    GARBLED = "garbled"
    TOO_LONG = "too-long"
    ENDPOINT_GONE = "endpoint-gone"  # 404

    # of an order
    ANSWER_LOST = "answer-lost"  # taken, and the connection breaks
    TOO_OFTEN = "too-often"  # 429, with no word about when to come again
    NO_MONEY = "no-money"

    # of a job
    NO_WORKER = "no-worker"  # all throttled: it waits in the queue for ever, and there is no error
    ENDLESS = "endless"  # ComfyUI went silent; only executionTimeout would end it
    FAILS = "fails"  # plain text, with details in the output
    CRASHES = "crashes"  # JSON in that text
    CANCELLED = "cancelled"  # by somebody at the console
    TIMED_OUT = "timed-out"
    EXPIRED = "expired"  # 404 for its status
    STRANGE_WORD = "strange-word"  # a state that no page names, while it runs

    # of a result
    WITHOUT_OUTPUT = "without-output"  # too large: completed, and no output at all (worker-comfyui, issues 129, 167)
    WITH_ERRORS = "with-errors"  # the pictures, and a complaint of some node
    NO_IMAGES = "no-images"
    TOO_FEW = "too-few"
    NO_PICTURE = "no-picture"
    IN_A_BUCKET = "in-a-bucket"  # its address instead of the picture
    OLD_WORKER = "old-worker"  # before 5.0: the picture as the message
    PICTURE_GONE = "picture-gone"  # 404 at the picture's address


OF_A_JOB = frozenset(Trouble) - {
    Trouble.OUT_OF_ORDER,
    Trouble.SILENT,
    Trouble.GARBLED,
    Trouble.TOO_LONG,
    Trouble.ENDPOINT_GONE,
    Trouble.ANSWER_LOST,
    Trouble.TOO_OFTEN,
    Trouble.NO_MONEY,
    Trouble.PICTURE_GONE,
}
"""A job has them from its order to its end."""
