"""What a policy sees: one session and what surrounds it, read in one transaction."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.instance import WARMING, Instance, InstanceState
from orchestrator.domain.job import Job, JobState
from orchestrator.domain.policy.advice import Advice
from orchestrator.domain.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    What is known of a person from before.

    Attributes:
        recent: When their last requests came, in seconds since 1970, as far back as any policy looks.
        advice: What was advised at the last of them.
        expected_at: When a machine was started early for a request that has not come yet.
    """

    recent: tuple[float, ...] = ()
    advice: Advice | None = None
    expected_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSnapshot:
    """
    One session with its unfinished jobs and its machines that are not yet proved gone.

    Attributes:
        jobs: Unfinished, oldest first.
        instances: Not TERMINATED, oldest first.
        evidence: Of its person.
        waiting: Queued jobs that no managed API will make: they need a machine.
        last_end: The machine of this session that was given up last (TERMINATING or TERMINATED), for the reason why.
    """

    session: Session
    jobs: tuple[Job, ...]
    instances: tuple[Instance, ...]
    last_end: Instance | None = None
    evidence: Evidence = Evidence()
    waiting: tuple[Job, ...] = ()

    @property
    def queued(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job.state is JobState.QUEUED)

    @property
    def running(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job.state is JobState.RUNNING)

    @property
    def goes_on(self) -> bool:
        """
        Whether a machine is missed: something is under way, or was made elsewhere for want of one.

        Who had one and lost it while it was idle asks for nothing: the next request is soon enough.
        """
        return bool(self.jobs) or self.session.bridged_job is not None

    @property
    def warming(self) -> tuple[Instance, ...]:
        return tuple(i for i in self.instances if i.state in WARMING)

    @property
    def ready(self) -> tuple[Instance, ...]:
        return tuple(i for i in self.instances if i.state is InstanceState.READY)
