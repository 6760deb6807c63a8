"""What can go wrong at Modal and in our app there."""

from enum import StrEnum


class ModalTrouble(StrEnum):
    ANSWER_LOST = "answer_lost"  # done and charged, and the connection breaks
    TOO_OFTEN = "too_often"  # 429
    OUT_OF_ORDER = "out_of_order"  # 500, whatever is asked
    SILENT = "silent"  # no answer for an hour, whatever is asked
    GARBLED = "garbled"  # HTML, whatever is asked
    TOO_LONG = "too_long"
    STOPPED = "stopped"  # the app was stopped: 404 in words
    OPEN = "open"  # deployed without proxy authentication
    NO_MODELS = "no_models"  # the Volume is empty
    SLOW = "slow"  # every answer takes longer than Modal holds a request open: a chain of 303
    LEADS_AWAY = "leads_away"  # the 303 names another host
    ENDLESS = "endless"  # it is begun and never done
    FAILS = "fails"  # the card runs out of memory
    TOO_FEW = "too_few"
    NO_PICTURE = "no_picture"
