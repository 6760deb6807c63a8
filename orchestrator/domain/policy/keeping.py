"""How long pictures are kept, and which go first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.ids import ImageKey, JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """
    Attributes:
        span: Pictures and events that are older go.
        size: Bytes of pictures; beyond that the oldest go.
    """

    span: timedelta = timedelta(days=90)
    size: int = 20 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one job has made. Two jobs that ask for the same with the same seed share a picture's bytes."""

    job: JobId
    ended_at: datetime
    images: frozenset[ImageKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """
    Attributes:
        jobs: Those that lose their pictures.
        files: Pictures that no other job has.
    """

    jobs: tuple[JobId, ...] = ()
    files: tuple[ImageKey, ...] = ()


def to_drop(
    kept: Sequence[Kept],
    sizes: Mapping[ImageKey, int],
    keep: Keep,
    *,
    needed: frozenset[ImageKey],
    now: datetime,
    limit: int,
) -> Farewell:
    """
    Choose whose pictures go: what is too old, then the oldest until the rest fits.

    Args:
        kept: Oldest first.
        sizes: In bytes, of each picture.
        needed: Pictures that somebody waits for: they stay, however old they are.
        limit: Jobs at a time.
    """
    holders = Counter(key for each in kept for key in each.images)
    size = sum(sizes.get(key, 0) for key in holders)
    jobs: list[JobId] = []
    files: list[ImageKey] = []
    for each in kept:
        if len(jobs) == limit or (now - each.ended_at <= keep.span and size <= keep.size):
            break
        if each.images & needed:
            continue
        jobs.append(each.job)
        holders.subtract(each.images)
        freed = sorted(key for key in each.images if not holders[key])
        files += freed
        size -= sum(sizes.get(key, 0) for key in freed)
    return Farewell(jobs=tuple(jobs), files=tuple(files))
