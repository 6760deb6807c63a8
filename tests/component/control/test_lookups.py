"""What one round reads about machines."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.adapters.database.database import Statement
from orchestrator.adapters.database.store import open_store_inline
from orchestrator.control.lookups import Lookups
from orchestrator.domain.ids import InstanceId, SessionId
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.ports.store import Store
from tests.contract.samples import NOW, HandClock, a_session, an_instance, seconds

SESSION = SessionId("s1")


class Asked:
    """Counts the statements that reach the database."""

    def __init__(self) -> None:
        self.of = Counter[str]()

    async def note(self, statement: Statement) -> None:
        self.of[statement.sql] += 1


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
async def store(tmp_path: Path, asked: Asked) -> AsyncIterator[Store]:
    async with open_store_inline(tmp_path / "books.db", HandClock(), before_statement=asked.note) as opened:
        yield opened


def lost(name: str, at: float) -> Instance:
    return an_instance(name, state=InstanceState.TERMINATED, ordered_at=NOW, given_up_at=NOW + seconds(at))


async def test_a_job_that_waited_longer_finds_the_machines_that_were_lost_before_the_one_that_asked_first(
    store: Store,
) -> None:
    early, late = lost("i1", 10), lost("i2", 20)
    async with store.writing() as books:
        await books.sessions.add(a_session(), reason="test")
        for machine in (early, late):
            await books.instances.add(machine, reason="test")

    async with store.reading() as books:
        look = Lookups(books)
        assert await look.given_up(SESSION, NOW + seconds(15)) == (late,)
        assert await look.given_up(SESSION, NOW) == (early, late)
        assert late in await look.given_up(SESSION, NOW + seconds(15))
        assert await look.given_up(SessionId("s2"), NOW) == ()


async def test_what_many_views_ask_for_is_read_once(store: Store, asked: Asked) -> None:
    machine, boot = lost("i1", 10), Stage(step=Step.BOOT, state=StageState.DONE, started_at=NOW, ended_at=NOW)
    async with store.writing() as books:
        await books.sessions.add(a_session(), reason="test")
        await books.instances.add(machine, reason="test")
        await books.instances.record_stage(machine.id, boot)
    asked.of.clear()

    async with store.reading() as books:
        look = Lookups(books)
        for later in range(3):
            assert await look.machine(machine.id) == machine
            assert await look.machine(InstanceId("i9")) is None
            assert await look.stages(machine.id) == (boot,)
            assert await look.given_up(SESSION, NOW + seconds(later)) == (machine,)

    assert asked.of.total() == len(("BEGIN", "i1", "i9", "stages", "given up"))
