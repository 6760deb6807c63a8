"""Somebody is about to ask: starts a machine for them where that is expected to save money, if it is switched on."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from orchestrator.control.intake import DRAINING
from orchestrator.control.shared import Shared
from orchestrator.domain.ids import UserId, WorkflowName
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.early import SOON
from orchestrator.domain.session import Session, SessionState
from orchestrator.ports.store import Books

log = logging.getLogger(__name__)


class Expecting:
    """What ``expect`` does."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def expect(self, account: UserId) -> None:
        """Count it, and start a machine where that is worth it and the person has nothing under way."""
        shared = self._shared
        if not (shared.starts_early and shared.clouds and shared.gate.is_open and isinstance(shared.policy, Auto)):
            return
        now = shared.clock.now()
        async with shared.store.writing() as books:
            user = await books.people.person_of(account)
            is_worth_it = shared.experience.expect(user, now)
            if not is_worth_it or await books.fact(DRAINING) == "on" or await self._is_served(books, user):
                return
            newest = await books.jobs.page(user=user, before=None, limit=1)
            if not newest:
                return
            await self._start(books, user, newest[0].workflow, now)
        shared.experience.started_early(user, now)
        log.info("a machine is started early for %s", user)
        shared.wakeups.sessions.wake()
        shared.wakeups.provisioner.wake()
        shared.wakeups.reconciler.wake()

    async def _is_served(self, books: Books, user: UserId) -> bool:
        """Whether they have a machine, or wait for something: then the policy has decided already."""
        active = await books.sessions.active_of(user)
        snapshot = None if active is None else await books.sessions.snapshot(active.id)
        return snapshot is not None and bool(snapshot.jobs or snapshot.ready or snapshot.warming)

    async def _start(self, books: Books, user: UserId, workflow: WorkflowName, now: datetime) -> None:
        session = await books.sessions.active_of(user) or await self._session(books, user, now)
        instance = Instance(
            id=self._shared.ids.instance(),
            session=session.id,
            user=user,
            workflow=workflow,
            state=InstanceState.PLANNED,
            created_at=now,
            state_since=now,
        )
        await books.instances.add(instance, reason="somebody is about to ask")
        warming = replace(session.moved_to(SessionState.WARMING), keep_until=now + SOON, released_at=None, due_at=now)
        await books.sessions.change(session, warming, reason="a machine is started early")

    async def _session(self, books: Books, user: UserId, now: datetime) -> Session:
        """A new one; nothing was asked for in it, so that no other machine is rented if this one is lost."""
        recent = self._shared.experience.adviser.recent(user)
        session = Session(
            id=self._shared.ids.session(),
            user=user,
            state=SessionState.OPEN,
            opened_at=now,
            last_request_at=datetime.fromtimestamp(recent[-1], UTC) if recent else now - SOON,
            due_at=now,
        )
        await books.sessions.add(session, reason="somebody is about to ask")
        return session
