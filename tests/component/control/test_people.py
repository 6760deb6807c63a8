"""What people keep beside their jobs, and what is left when they do not want that any more: over the real store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.database.store import open_store_inline
from orchestrator.api import Failure, ImageKey, Preset, RequestError
from orchestrator.control.people import People
from orchestrator.domain.ids import JobId
from orchestrator.domain.job import Job, JobState, Served
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.people import MOST_BLOCKED, MOST_PRESETS
from orchestrator.ports.store import Booking, Store
from tests.contract.samples import ADA, BOB, NOW, HandClock, a_job, a_session, seconds

SECRET = "a secret cat"
DATABASE = "books.db"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store_inline(tmp_path / DATABASE, HandClock()) as opened:
        async with opened.writing() as books:
            await books.sessions.add(a_session(), reason="test")
        yield opened


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "pictures")


@pytest.fixture
def people(store: Store, blobs: LocalBlobs) -> People:
    return People(store, blobs, HandClock())


async def painted(store: Store, name: str, *pictures: ImageKey, **changes: object) -> Job:
    """A job that is over, with these pictures."""
    done: dict[str, object] = {
        "state": JobState.SUCCEEDED,
        "images": pictures,
        "served": Served(by="your RTX 4090", seconds=4.0, cost=MicroUsd(300)),
        "ended_at": NOW + seconds(9),
        "values": {"prompt": SECRET, "seed": 7},
        "idempotency_key": f"key of {name}",
    }
    job = a_job(name, **done | changes)
    async with store.writing() as books:
        await books.jobs.add(job, reason="test")
    return job


async def test_presets_are_bounded_and_one_that_exists_can_still_be_changed(people: People) -> None:
    for number in range(MOST_PRESETS):
        await people.save_preset(ADA, Preset(name=f"p{number:02}", options="--steps 2"))

    with pytest.raises(RequestError, match="too_many_presets"):
        await people.save_preset(ADA, Preset(name="one-more", options="--steps 2"))
    await people.save_preset(ADA, Preset(name="p00", options="--steps 3"))

    presets = await people.presets(ADA)
    assert len(presets) == MOST_PRESETS
    assert presets[0] == Preset(name="p00", options="--steps 3")
    assert await people.remove_preset(ADA, "p00")


async def test_a_forgotten_person_has_no_words_and_no_pictures_left(
    store: Store, blobs: LocalBlobs, people: People
) -> None:
    own = await blobs.put(b"own")
    await painted(store, "j1", own)
    failure = Failure(key="graph_rejected", values={"sentence": SECRET})
    await painted(store, "j2", state=JobState.FAILED, served=None, failure=failure)
    await people.save_preset(ADA, Preset(name="mine", options="--steps 2"))

    gone = await people.forget(ADA)

    assert (gone.jobs, gone.pictures) == (2, 1)
    assert await blobs.get(own) is None
    assert await people.presets(ADA) == ()
    async with store.reading() as books:
        assert await books.jobs.page(user=ADA, before=None, limit=10) == ()
        assert await books.jobs.page(user=None, before=None, limit=10) == ()
        assert await books.jobs.unacknowledged() == ()


async def test_no_byte_of_a_forgotten_prompt_is_left_in_the_file(blobs: LocalBlobs, tmp_path: Path) -> None:
    path = tmp_path / "own" / DATABASE
    async with open_store_inline(path, HandClock()) as store:
        async with store.writing() as books:
            await books.sessions.add(a_session(), reason="test")
        await painted(store, "j1", values={"prompt": SECRET * 1000, "seed": 7})  # more than fits into one page
        await People(store, blobs, HandClock()).forget(ADA)

    assert all(SECRET.encode() not in file.read_bytes() for file in path.parent.iterdir())


async def test_what_it_cost_and_how_many_pictures_there_were_stays_in_the_ledger(store: Store, people: People) -> None:
    job = await painted(store, "j1", ImageKey("a" * 32))
    async with store.writing() as books:
        booking = Booking(at=NOW, user=ADA, cloud="vast", instance=None, job=job.id, amount=MicroUsd(300))
        await books.ledger.book(booking)

    await people.forget(ADA)

    async with store.reading() as books:
        assert await books.ledger.total(NOW, NOW + seconds(1)) == 300
        assert await books.ledger.pictures(NOW) == 1


async def test_other_peoples_words_and_shared_pictures_stay(store: Store, blobs: LocalBlobs, people: People) -> None:
    shared = await blobs.put(b"the same seed and the same words")
    await painted(store, "j1", shared)
    await painted(store, "j2", shared, user=BOB)

    gone = await people.forget(ADA)

    assert (gone.jobs, gone.pictures) == (1, 0)
    assert await blobs.get(shared) is not None
    async with store.reading() as books:
        (left,) = await books.jobs.page(user=None, before=None, limit=10)
        assert (left.user, left.values["prompt"]) == (BOB, SECRET)


async def test_forgetting_twice_finds_nothing_more(store: Store, people: People) -> None:
    await painted(store, "j1", ImageKey("a" * 32))
    await people.forget(ADA)

    gone = await people.forget(ADA)

    assert (gone.jobs, gone.pictures) == (0, 0)


async def test_nothing_is_forgotten_while_a_request_is_under_way(
    store: Store, blobs: LocalBlobs, people: People
) -> None:
    own = await blobs.put(b"own")
    await painted(store, "j1", own)
    async with store.writing() as books:
        await books.jobs.add(a_job("j2", idempotency_key="other"), reason="test")

    with pytest.raises(RequestError, match="still_under_way"):
        await people.forget(ADA)

    assert await blobs.get(own) == b"own"
    async with store.reading() as books:
        kept = await books.jobs.get(JobId("j1"))
        assert kept is not None
        assert kept.values["prompt"] == SECRET


async def test_words_are_blocked_in_one_place_until_they_are_allowed_again(people: People) -> None:
    for word in ("clown", "bat", "clown"):
        await people.block_word("page", word)

    assert await people.blocked_words("page") == ("bat", "clown")
    assert await people.blocked_words("elsewhere") == ()
    assert await people.allow_word("page", "bat")
    assert not await people.allow_word("page", "bat")
    assert await people.blocked_words("page") == ("clown",)


async def test_blocked_words_are_bounded(people: People) -> None:
    for number in range(MOST_BLOCKED):
        await people.block_word("page", f"word{number}")

    with pytest.raises(RequestError, match="too_many_blocked"):
        await people.block_word("page", "one more")
