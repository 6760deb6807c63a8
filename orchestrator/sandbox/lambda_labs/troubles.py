"""What goes wrong at Lambda Cloud, as its users have met it, and can be struck here."""

from enum import StrEnum


class Trouble(StrEnum):
    # Every answer.
    SILENT = "silent"  # nothing comes
    GARBLED = "garbled"  # no JSON
    TOO_LONG = "too_long"  # more than anybody wants to read
    OUT_OF_ORDER = "out_of_order"  # 500
    REGION_DOWN = "region_down"  # 503, in the words of whoever runs the region
    TOO_OFTEN = "too_often"  # 429, under a code that says something else
    INACTIVE = "inactive"  # 403
    # The answer to an order.
    NO_CAPACITY = "no_capacity"  # although the list of types said yes
    QUOTA = "quota"
    KEY_GONE = "key_gone"  # somebody has removed the SSH key
    ANSWER_LOST = "answer_lost"  # ordered, and the connection breaks
    ANSWER_CUT = "answer_cut"  # ordered, and the answer ends in the middle
    ANSWER_GARBLED = "answer_garbled"  # ordered, and the answer is no JSON
    ANSWER_EMPTY = "answer_empty"  # ordered, and the answer names no machine
    ANSWER_5XX = "answer_5xx"  # ordered, and answered with an error of the server
    # The course of a machine.
    UNHEALTHY = "unhealthy"  # from birth; it is billed
    BAD_GPU = "bad_gpu"  # nvidia-smi is fine, and CUDA does not start
    IP_LATE = "ip_late"  # active, and for one look without an address
    END_IGNORED = "end_ignored"  # accepted, and the machine stays
    # A listing.
    PAGED = "paged"  # twenty machines a page
    LIST_MALFORMED = "list_malformed"
    LIST_NULL = "list_null"
    LIST_ENDLESS = "list_endless"
