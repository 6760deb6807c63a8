"""What a row of cold starts says about a cloud, by the first user's criteria."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    FINE = "fine"  # for people who wait
    UNEVEN = "uneven"  # for people who wait, with times that vary
    UNSTEADY = "unsteady"  # it works, and nobody can say how long it takes
    BATCH_ONLY = "batch_only"  # for work that tolerates failure
    UNUSABLE = "unusable"  # nothing worked


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """
    Shares, 0 to 1: the first user's, measured by hand over five runs.

    Attributes:
        failure_rate: Above it a cloud is none for people who wait.
        fine_variation: Below it the times count as even.
        bad_variation: Above it they do not.
    """

    failure_rate: float = 0.10
    fine_variation: float = 0.30
    bad_variation: float = 0.50


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """
    Attributes:
        success_rate: 0 to 1; 0 without any run.
        variation: (longest - shortest) / mean of the runs that worked; None under two of them.
    """

    success_rate: float
    variation: float | None
    verdict: Verdict


def judge(seconds: Sequence[float | None], criteria: Criteria) -> Judgement:
    """Judge runs by their *seconds* to a picture; None is a run that made none."""
    worked = [each for each in seconds if each is not None]
    success_rate = len(worked) / len(seconds) if seconds else 0.0
    variation = variation_of(worked)
    return Judgement(
        success_rate=success_rate, variation=variation, verdict=_verdict(success_rate, variation, criteria)
    )


def variation_of(seconds: Sequence[float]) -> float | None:
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    return (max(seconds) - min(seconds)) / mean if len(seconds) > 1 and mean > 0 else None


def _verdict(success_rate: float, variation: float | None, criteria: Criteria) -> Verdict:
    if not success_rate:
        return Verdict.UNUSABLE
    if 1 - success_rate > criteria.failure_rate + 1e-9:  # one failure in ten is 10 %, whatever a float makes of it
        return Verdict.BATCH_ONLY
    if variation is None or variation < criteria.fine_variation:
        return Verdict.FINE
    return Verdict.UNEVEN if variation <= criteria.bad_variation else Verdict.UNSTEADY
