"""The clock that a bill is counted by is taken up where an earlier life of the bot left it, while a machine lives."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.adapters.database.store import open_store_inline
from orchestrator.control.timekeeping import go_on, note_time
from orchestrator.domain.instance import InstanceState
from orchestrator.ports.store import Store
from tests.contract.samples import NOW, HandClock, a_session, an_instance, seconds

LATER = NOW + seconds(3600)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store_inline(tmp_path / "books.db", HandClock()) as opened:
        yield opened


async def _note(store: Store, state: InstanceState) -> None:
    async with store.writing() as books:
        await books.sessions.add(a_session(), reason="test")
        await books.instances.add(an_instance(state=state), reason="test")
        await note_time(books, HandClock(LATER))


async def test_a_clock_set_back_takes_nothing_off_the_bill_of_a_machine(store: Store) -> None:
    await _note(store, InstanceState.READY)
    clock = HandClock(NOW)

    await go_on(store, clock)

    assert clock.now() == LATER


@pytest.mark.parametrize("state", [InstanceState.PLANNED, InstanceState.TERMINATED])
async def test_while_nothing_is_billed_the_computer_is_believed(store: Store, state: InstanceState) -> None:
    await _note(store, state)
    clock = HandClock(NOW)

    await go_on(store, clock)

    assert clock.now() == NOW


async def test_a_new_book_says_nothing(store: Store) -> None:
    clock = HandClock(NOW)

    await go_on(store, clock)

    assert clock.now() == NOW
