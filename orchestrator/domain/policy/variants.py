"""
Which variant of a workflow a machine gets: full quality where its memory and its link allow it, else a lighter one.

The order of preference is the manifest's own, from the heaviest to the lightest, and the workflow's own files come
before any variant. A machine that the full one fits is looked for first, whatever lighter ones would save; where
there is none, one that only a lighter variant fits is better than no picture.
"""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

from orchestrator.domain.offer import Offer, Requirements
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.domain.policy.wire import HONEST
from orchestrator.domain.workflows import Workflow


class Pin(StrEnum):
    """What the operator allows."""

    AUTO = "auto"
    FULL = "full"
    LIGHT = "light"


LONGEST_EXTRA = timedelta(seconds=90)
"""
How much longer a person waits for better files before lighter ones are taken. A warm-up without its download is about
that long (46 s of PyTorch, 20 s of requirements, the boot: the first user's figures), so heavier files at most double
what is waited for anyway.
"""


def allowed(workflow: Workflow, pin: Pin) -> tuple[Workflow, ...]:
    """*workflow* as each variant that *pin* allows, the best first; never empty."""
    every = (workflow, *(workflow.as_variant(variant.name) for variant in workflow.variants))
    match pin:
        case Pin.FULL:
            return every[:1]
        case Pin.LIGHT:
            return every[-1:]
        case _:
            return every


def searches(workflow: Workflow, pin: Pin) -> Iterator[Requirements]:
    """
    What to ask the clouds for, one after the other until something is found.

    First what the best variant needs; then what each needs that is content with less memory.
    """
    least = None
    for each in allowed(workflow, pin):
        if least is None or each.requirements.vram_mib < least:
            least = each.requirements.vram_mib
            yield each.requirements


def choose(workflow: Workflow, vram_mib: int, link_bps: float, pin: Pin = Pin.AUTO) -> Workflow | None:
    """
    The best variant that fits the memory of a card and comes in time; None where none fits.

    In time is what takes at most *LONGEST_EXTRA* longer than the lightest that fits. More memory or a faster link
    never gives a lighter variant.

    Args:
        link_bps: Bytes a second towards the machine; 0 where nobody knows, and then nothing is too slow.
    """
    fitting = [each for each in allowed(workflow, pin) if vram_mib >= each.requirements.vram_mib * VRAM_SLACK]
    if not fitting:
        return None
    patience = link_bps * LONGEST_EXTRA.total_seconds() if link_bps > 0 else float("inf")
    least = min(moved(each) for each in fitting)
    return next(each for each in fitting if moved(each) - least <= patience)


def moved(workflow: Workflow) -> int:
    """Bytes that a machine downloads for it."""
    return sum(file.size_bytes for file in workflow.files)


def link_of(offer: Offer, asked: Requirements) -> float:
    """
    Bytes a second that may be counted on; 0 where nobody knows.

    A cloud that says no more than what it was asked for has only repeated it. A machine with a folder that outlives
    it has most files there already, or keeps them for the next: its link is no reason for other files.
    """
    if offer.volume or offer.inet_down_mbps <= asked.inet_down_mbps:
        return 0.0
    return offer.inet_down_mbps * 1e6 / 8 * HONEST
