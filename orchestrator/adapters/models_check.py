"""Compares what a manifest says of a model file with what its mirrors and our bucket say, without fetching it."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.adapters.mirrors import Mirror, MirrorRefused
from orchestrator.adapters.models_record import Recorded
from orchestrator.adapters.r2 import Bucket
from orchestrator.domain.workflows import ModelFile


class Finding(StrEnum):
    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing"
    """Not in our bucket."""
    UNKNOWN = "unknown"
    """It could not be asked, or did not say enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """
    What one place says of one file.

    Attributes:
        at: The mirror's host, or ``R2``.
        why: A sentence where *finding* is not the whole story.
    """

    path: str
    at: str
    finding: Finding
    size_bytes: int | None = None
    sha256: str | None = None
    why: str = ""


async def check_mirror(mirror: Mirror, file: ModelFile) -> Checked:
    """What a mirror says: of Hugging Face the sha256 as well, of others the size."""
    try:
        seen = await mirror.look()
    except MirrorRefused as refused:
        return Checked(path=file.path, at=mirror.name, finding=Finding.UNKNOWN, why=str(refused))
    return _compared(file, mirror.name, seen.size_bytes, seen.sha256)


async def check_bucket(bucket: Bucket, file: ModelFile, recorded: Recorded | None) -> Checked:
    """
    What is in our bucket: by its ETag where an upload recorded it, else by the sha256 that the uploader noted.

    Raises:
        BucketProblem: The bucket cannot be used.
    """
    stored = await bucket.head(file.path)
    if stored is None:
        return Checked(path=file.path, at="R2", finding=Finding.MISSING, why="`glowplug models upload` brings it there")
    is_recorded = recorded is not None and (stored.size_bytes, stored.etag) == (recorded.size, recorded.etag)
    sha256 = recorded.sha256 if recorded is not None and is_recorded else stored.sha256
    return _compared(file, "R2", stored.size_bytes, sha256)


def _compared(file: ModelFile, at: str, size: int, sha256: str | None) -> Checked:
    finding, why = Finding.SAME, ""
    if file.sha256 is None:
        finding, why = Finding.UNKNOWN, "no sha256 is recorded yet: `glowplug models upload` records it"
    elif size != file.size_bytes or sha256 not in {None, file.sha256}:
        finding, why = Finding.DIFFERS, _difference(file, size, sha256)
    elif sha256 is None:
        finding, why = Finding.UNKNOWN, "the size is right; its sha256 is not said"
    return Checked(path=file.path, at=at, finding=finding, size_bytes=size, sha256=sha256, why=why)


def _difference(file: ModelFile, size: int, sha256: str | None) -> str:
    if size != file.size_bytes:
        return f"{size} bytes, not {file.size_bytes}"
    return f"sha256 {(sha256 or '')[:16]}..., not {(file.sha256 or '')[:16]}..."
