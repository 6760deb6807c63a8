"""How long and how much of everything."""

from dataclasses import dataclass
from datetime import timedelta

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ComfyLimits:
    """
    What one connection puts up with. A rented machine is a stranger's: each of its answers has a size and a time.

    Attributes:
        answer: For a small request.
        transfer: For one picture, either way.
        opening: For the WebSocket to be open (again).
        reopen_pause: Between two tries to open it; doubles up to *longest_pause*.
        settle: After a lost answer, before looking whether the prompt arrived: the server may be just at it.
        poll: Between two looks into the queue for a prompt whose messages may go elsewhere.
        silence: Without a message about a prompt, before the queue is looked at.
        hang: Without a message about a running prompt, before it is given up. The first one loads the models
            meanwhile: 35 GB from a slow disk take five minutes.
        foreign: The same for a prompt whose messages go to another connection, so that none can come.
        message_bytes: One WebSocket message; previews are messages too.
        prompt_bytes: All pictures of one prompt together: ten of 4096 x 4096 pixels, and not what *pictures* allows.
    """

    answer: timedelta = timedelta(seconds=30)
    transfer: timedelta = timedelta(seconds=120)
    opening: timedelta = timedelta(seconds=10)
    reopen_pause: timedelta = timedelta(seconds=0.1)
    longest_pause: timedelta = timedelta(seconds=2)
    settle: timedelta = timedelta(seconds=0.2)
    poll: timedelta = timedelta(seconds=1)
    silence: timedelta = timedelta(seconds=20)
    hang: timedelta = timedelta(minutes=6)
    foreign: timedelta = timedelta(minutes=20)
    heartbeat: timedelta = timedelta(seconds=30)
    json_bytes: int = 16 * MIB
    message_bytes: int = 16 * MIB
    picture_bytes: int = 64 * MIB
    prompt_bytes: int = 256 * MIB
    pictures: int = 64
