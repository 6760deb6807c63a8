"""The next job of a session goes to its instance or to a bridge: one commit, then the runner has it."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.control.bridges import Bridges, routing_in_force
from orchestrator.control.runner import Runner
from orchestrator.control.shared import Shared
from orchestrator.domain.instance import Instance
from orchestrator.domain.job import Job, JobState
from orchestrator.domain.policy.routing import OnBridge
from orchestrator.ports.store import Books

BATCH = 20

BRIDGED_AT_ONCE = 200
"""Looked through for those that an API can make: the oldest may all be waiting for machines."""


class Dispatcher:
    """The loop's step; see the module."""

    def __init__(self, shared: Shared, runner: Runner, bridges: Bridges) -> None:
        self._shared = shared
        self._bridges = bridges
        self._runner = runner

    async def step(self) -> timedelta | None:
        """Start every job that can start now."""
        async with self._shared.store.writing() as books:
            started = [await self._to_instance(books, job, on) for job, on in await books.jobs.dispatchable(BATCH)]
            started += await self._to_bridges(books)
        for job in started:
            self._runner.take(job)
        if started:
            self._shared.wakeups.newsroom.wake()
        return timedelta() if len(started) >= BATCH else self._bridges.next_change()

    async def _to_instance(self, books: Books, job: Job, instance: Instance) -> Job:
        return await self._start(books, replace(job, instance=instance.id), job, reason="its machine is free")

    async def _to_bridges(self, books: Books) -> list[Job]:
        if not self._shared.bridges:
            return []
        started = []
        routing = await routing_in_force(books, self._shared)
        cold, behind = await books.jobs.bridgeable(BRIDGED_AT_ONCE), await books.jobs.behind(BRIDGED_AT_ONCE)
        for job in (*cold, *behind):
            snapshot = await books.sessions.snapshot(job.session)
            if snapshot is None:
                continue
            match self._bridges.route_of(job, self._shared.experience.seen(snapshot), routing):
                case OnBridge(api=api):
                    bridged = replace(job, bridge=api)
                    started.append(await self._start(books, bridged, job, reason=f"bridged by {api}"))
                case _:
                    pass
        return started

    async def _start(self, books: Books, job: Job, before: Job, *, reason: str) -> Job:
        now = self._shared.clock.now()
        running = replace(
            job.moved_to(JobState.RUNNING, now),
            prompt=self._shared.ids.prompt(),
            started_at=now,
            attempts=job.attempts + 1,
        )
        return await books.jobs.change(before, running, reason=reason)
