"""
Worlds that have failed, and what each of them has shown.

A seed is added with the repair of what it found. When worlds are drawn in another way, a seed is another world from
then on: it is kept all the same, for it costs little and nobody knows what it finds next.
"""

from collections.abc import Mapping

DEARER = "a machine that costs more than its offer said was booked at the offer's price"
WHILE_NOBODY_LOOKED = "stale listings, late orders and vanished machines: the ledger did not equal the bill"

ONCE_FAILED: Mapping[int, str] = {
    1: "errors of ours that a task group raised together were taken for nobody's",
    7: DEARER,
    13: DEARER,
    14: DEARER,
    26: DEARER,
    37: WHILE_NOBODY_LOOKED,
    52: WHILE_NOBODY_LOOKED,
    58: WHILE_NOBODY_LOOKED,
    69: WHILE_NOBODY_LOOKED,
    72: WHILE_NOBODY_LOOKED,
    79: "an end that the cloud had told to a life of ours which did not live to read it",
    88: WHILE_NOBODY_LOOKED,
    90: WHILE_NOBODY_LOOKED,
    129: WHILE_NOBODY_LOOKED,
    130: "a second machine of one order was booked at what the first one cost",
    175: "the bill of a machine that turned up late began at a time that the clock, set back since, had yet to reach",
    294: "an end that the cloud had agreed to could not be written down, and was taken for later than it was",
    458: "an old listing brought a machine back that a newer one had lacked",
    504: "the bot was killed with an answer that it had heard and not written down",
    517: "machines that turned up late had begun an hour before by our clock, and not by their cloud's",
    996: "a clock that was set back while the bot was away took an hour off the bill of a machine that ran on",
    1113: "the chat of these worlds forgot its own messages after five minutes; Discord's history does not",
    1151: "a clock that was set forward while the bot was away put an hour on the bill of a machine that ran on",
    95: "a machine that answered heartbeats was not booked on, because its cloud told nothing for an hour",
    38: "news of the machine, made before the message of a picture was written down, came after it in another message",
    248: "a machine that ended itself while its cloud told nothing for an hour was booked until it did",
    1005: "a machine that never booted, and so had no switch, cost money while the bot was away until none was left",
    1435: "machines of nobody's that came and went while the disk was full were never booked",
    1964: "while the disk was full nobody could write down that a machine had gone, and it was booked on",
    1752: "while the bot was away machines ended themselves, and were booked until it came back",
    385: "a machine whose order was told to have failed was ended before anybody had asked what it really costs",
    2163: "a listing that came too soon to say that a machine was gone counted as one that had shown it",
    1163: "a machine that a listing had lacked while it booted was booked no further than that listing",
    2801: "the bot was stopped by hand while the disk was full, and ended with a traceback before its machines did",
    2381: "one whose machine had run on while the bot was away was over their budget at somebody else's launch",
    644: "a machine was lost at its first picture while a second one was on its way, which the table did not foresee",
    2112: "a step that had failed in the moment in which the bot was killed was told of in a later life",
    2600: "a machine that was not needed any more was ended before anybody had seen what it costs",
    3671: "an old listing opened the bill of a machine again that had ended, while nobody could be asked about it",
    3873: "machines of a cloud that did not answer were ended at 1.2 times the cap, and cost ten minutes more",
    1776: "a listing that came too soon to say that a machine had gone was followed by none for a minute",
    4718: "a clock set forward since the last listing put an hour on the bill of a machine that turned up late",
    4883: "the bot was killed while its disk was full, and with it what it had heard and could not write down",
    5004: "a listing that had lacked a machine was believed though it had painted since; "
    "where a card was that a busy database did not take was never written down, and its pictures were posted again",
}
