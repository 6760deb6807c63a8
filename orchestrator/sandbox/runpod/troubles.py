"""How this RunPod misbehaves when it is told to: what was seen of the real one, and what any server does."""

from enum import StrEnum


class Trouble(StrEnum):
    """One way to fail. The value is what people and tests type."""

    # an order
    ANSWER_LOST = "answer-lost"  # accepted, and the connection breaks
    ANSWER_CUT = "answer-cut"
    ANSWER_GARBLED = "answer-garbled"
    ANSWER_EMPTY = "answer-empty"  # accepted, and the answer names no pod
    ANSWER_5XX = "answer-5xx"  # accepted, and answered with an error
    ANSWER_5XX_NAMES_POD = "answer-5xx-names-pod"
    NO_CAPACITY = "no-capacity"  # 400, in the words that were seen
    RULE_BROKEN = "rule-broken"  # 400 in other words, of the same shape
    NO_MONEY = "no-money"
    NOT_ALLOWED = "not-allowed"  # 403: a pool that this account may not have

    # a listing
    LIST_MALFORMED = "list-malformed"
    LIST_NULL = "list-null"
    LIST_ENDLESS = "list-endless"  # the last page leads back to the first
    UNKNOWN_STATUS = "unknown-status"  # a word that nobody has documented

    # the pods that run, when somebody looks
    RELOCATED = "relocated"  # started anew elsewhere without a word: another port, an empty disk
    WITHOUT_GPU = "without-gpu"  # the same, and the machine has no GPU left for it

    # any request
    OUT_OF_ORDER = "out-of-order"
    TOO_OFTEN = "too-often"
    TOO_LONG = "too-long"
    GARBLED = "garbled"
    SILENT = "silent"
    QUOTA_ENDS = "quota-ends"  # the answer is good, and its headers say that nothing is left
