"""How long a machine that nobody sees is booked: what this life has not seen may have ended itself long ago."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.database.store import open_store_inline
from orchestrator.control.board import Board
from orchestrator.control.shared import Limits
from orchestrator.control.sightings import Sightings, note_listing
from orchestrator.domain.books import Missed, Seen
from orchestrator.domain.ids import CloudName
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.ports.store import Store
from tests.contract.samples import NOW, HandClock, an_instance

VAST = CloudName("vast")
LIMITS = Limits(dead_man=timedelta(minutes=10), boot=timedelta(minutes=5))
ORDERED_AT = NOW - timedelta(hours=6)
LISTED_AT = NOW - timedelta(hours=3)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store_inline(tmp_path / "books.db", HandClock()) as opened:
        yield opened


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
async def sightings(store: Store, board: Board) -> Sightings:
    """Of a life that begins hours after the last listing of the one before."""
    async with store.writing() as books:
        await note_listing(books, VAST, HandClock(LISTED_AT).mark(), unknown=0)
        found = Sightings(LIMITS, board, HandClock())
        await found.begin(books, VAST)
        await note_listing(books, VAST, HandClock().mark(), unknown=0)
        await found.begin(books, VAST)
    return found


def a_machine(host_key: str | None) -> Instance:
    return an_instance(state=InstanceState.READY, cloud=VAST, ordered_at=ORDERED_AT, host_key=host_key)


def test_what_was_left_hours_ago_is_booked_until_its_switch_ended_it(sightings: Sightings) -> None:
    assert sightings.booked_until(a_machine("key"), NOW) == LISTED_AT + LIMITS.dead_man


def test_one_that_answers_us_lives_though_its_cloud_tells_nothing(sightings: Sightings, board: Board) -> None:
    board.note_heard(a_machine("key").id, NOW - timedelta(minutes=1))

    assert sightings.booked_until(a_machine("key"), NOW) == NOW
    assert sightings.booked_until(a_machine("key"), NOW + timedelta(hours=1)) == NOW + timedelta(minutes=9)


def test_one_that_we_had_never_been_on_waited_longer_for_us(sightings: Sightings) -> None:
    assert sightings.booked_until(a_machine(None), NOW) == LISTED_AT + LIMITS.dead_man + LIMITS.boot


def test_one_that_is_seen_again_is_booked_until_now(sightings: Sightings) -> None:
    sightings.note(Seen(instance=a_machine("key")), NOW, NOW)

    assert sightings.booked_until(a_machine("key"), NOW + timedelta(minutes=9)) == NOW + timedelta(minutes=9)
    assert sightings.booked_until(a_machine("key"), NOW + timedelta(hours=1)) == NOW + LIMITS.dead_man


def test_one_without_a_switch_goes_on_costing_money_while_nobody_tells_of_it(
    sightings: Sightings, board: Board
) -> None:
    board.note_unguarded(a_machine("key").id)
    sightings.note(Seen(instance=a_machine("key")), NOW, NOW)

    assert sightings.booked_until(a_machine("key"), NOW + timedelta(hours=1)) == NOW + timedelta(hours=1)


def test_one_seen_a_moment_ago_is_gone_by_now(sightings: Sightings) -> None:
    sightings.note(Seen(instance=a_machine("key")), NOW - timedelta(minutes=1), NOW)

    assert sightings.gone_by(a_machine("key"), NOW) == NOW


def test_one_that_was_forgotten_is_none_that_was_seen(sightings: Sightings) -> None:
    sightings.note(Seen(instance=a_machine("key")), NOW, NOW)
    sightings.forget(a_machine("key"))

    assert sightings.booked_until(a_machine("key"), NOW) == LISTED_AT + LIMITS.dead_man


def test_when_it_was_first_missed_is_known_also_while_nothing_can_be_written_down(sightings: Sightings) -> None:
    """A disk that is full may let three listings pass until one of them can be settled."""
    machine = a_machine("key")
    sightings.note(Seen(instance=machine), NOW - timedelta(minutes=4), NOW - timedelta(minutes=4))
    for ago in (3, 2, 1):
        sightings.note(Missed(instance=machine), NOW, NOW - timedelta(minutes=ago))

    assert sightings.gone_by(machine, NOW) == NOW - timedelta(minutes=3)

    sightings.note(Seen(instance=machine), NOW, NOW)
    assert sightings.gone_by(machine, NOW) == NOW


def test_a_listing_that_lacked_a_machine_which_has_answered_since_has_lied(sightings: Sightings, board: Board) -> None:
    machine = replace(a_machine("key"), absences=1, missed_at=NOW - timedelta(minutes=3))
    assert sightings.missed_at(machine, NOW) == NOW - timedelta(minutes=3)

    sightings.note(Missed(instance=machine), NOW, NOW - timedelta(minutes=2))
    board.note_heard(machine.id, NOW - timedelta(minutes=1))

    assert sightings.missed_at(machine, NOW) == NOW

    sightings.note(Missed(instance=machine), NOW, NOW - timedelta(seconds=30))
    assert sightings.missed_at(machine, NOW) == NOW - timedelta(seconds=30)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_how_long_ago_a_listing_was_does_not_change_when_the_clock_is_set(
    store: Store, board: Board, hours: int
) -> None:
    clock = HandClock(LISTED_AT)
    async with store.writing() as books:
        await note_listing(books, VAST, clock.mark(), unknown=0)
        sightings = Sightings(LIMITS, board, clock)
        await sightings.begin(books, VAST)

    clock.set_by = timedelta(hours=hours)
    clock.follow()
    clock.time += timedelta(minutes=5)

    assert sightings.listed_at(a_machine("key")) == clock.now() - timedelta(minutes=5)


async def test_what_an_earlier_lifes_last_listing_lacked_was_not_seen_by_it(store: Store, board: Board) -> None:
    async with store.writing() as books:
        await note_listing(books, VAST, HandClock().mark(), unknown=0, unlisted={a_machine("key").id: LISTED_AT})
        later = Sightings(LIMITS, board, HandClock())
        await later.begin(books, VAST)

    assert later.gone_by(a_machine("key"), NOW) == LISTED_AT + LIMITS.dead_man
