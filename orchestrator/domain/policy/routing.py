"""Where a job is made: on the session's own machine, over a bridge, or nowhere yet."""

from dataclasses import dataclass

from orchestrator.domain.job import Job
from orchestrator.domain.snapshot import SessionSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class OnInstance:
    """The session's machine makes it, as soon as it is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBridge:
    """A managed API makes it now."""

    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """It waits for a machine."""


Route = OnInstance | OnBridge | Wait


def route(job: Job, snapshot: SessionSnapshot, *, bridges: tuple[str, ...], may_rent: bool) -> Route:  # noqa: ARG001 - what a job asks for decides once bridges differ
    """
    Decide for one queued job.

    Args:
        bridges: The APIs that can serve this job, best first.
        may_rent: Whether any cloud is configured.
    """
    if snapshot.ready:
        return OnInstance()
    if bridges and not may_rent:
        return OnBridge(api=bridges[0])
    return Wait()
