"""How long and how much of everything."""

from dataclasses import dataclass
from datetime import timedelta

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What one order puts up with.

    Attributes:
        connect: For a connection to be open.
        order: For the answer to an order, with a picture in it.
        answer: For any other answer; one with pictures in it has *transfer*.
        poll: Between two looks at a job; doubles up to *longest_poll*.
        patience: Without one good answer about a job, before it is given up.
        queue: In the queue, while no worker is about to start.
        start: In the queue at all: a cold worker boots and pulls its image.
        run: Of the run itself, told to RunPod as ``executionTimeout``; afterwards it is ended there.
        whole: Of queue and run together, told to RunPod as ``ttl``: a forgotten job is not begun later.
        json_bytes: One answer without pictures.
        result_bytes: One answer with all pictures of a job in base64.
        picture_bytes: One picture that is fetched.
        order_bytes: Of an order. RunPod takes 10 MB (docs.runpod.io/serverless/endpoints/send-requests).
    """

    connect: timedelta = timedelta(seconds=10)
    order: timedelta = timedelta(seconds=30)
    answer: timedelta = timedelta(seconds=15)
    transfer: timedelta = timedelta(seconds=60)
    poll: timedelta = timedelta(seconds=0.4)
    longest_poll: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(seconds=60)
    queue: timedelta = timedelta(seconds=45)
    start: timedelta = timedelta(minutes=4)
    run: timedelta = timedelta(minutes=3)
    whole: timedelta = timedelta(minutes=8)
    json_bytes: int = 2 * MIB
    result_bytes: int = 48 * MIB
    picture_bytes: int = 32 * MIB
    order_bytes: int = 10_000_000
