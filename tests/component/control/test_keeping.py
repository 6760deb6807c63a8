"""Pictures, events and told news are kept for a while: over the real store and real files."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.api import JobRequest, RequestError, Succeeded
from orchestrator.control.keeping import EVERY, MOST_JOBS, SOON, Keeping
from orchestrator.domain.ids import ImageKey, JobId, WorkflowName
from orchestrator.domain.job import JobState, Served
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.notices import Notice
from orchestrator.domain.policy.keeping import Keep
from tests.component.control.stage import Stage, a_stage
from tests.contract.samples import ADA

LATER = timedelta(days=90, seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    stage: Stage
    blobs: LocalBlobs
    keeping: Keeping

    async def painted(self, key: str, picture: bytes) -> JobId:
        """A request that is over, and seen."""
        job = await self.stage.ask(key=key)
        image = await self.blobs.put(picture)
        for state in (JobState.RUNNING, JobState.SUCCEEDED):
            before = await self.stage.job(job)
            after = before.moved_to(state, self.stage.clock.now())
            if state is JobState.SUCCEEDED:
                served = Served(by="", seconds=1, cost=MicroUsd(0))
                after = replace(after, images=(image,), served=served, acknowledged_at=after.ended_at)
            async with self.stage.shared.store.writing() as books:
                await books.jobs.change(before, after, reason="test")
        return job

    async def images(self, job: JobId) -> tuple[ImageKey, ...]:
        status = (await self.stage.view(job)).status
        assert isinstance(status, Succeeded)
        return status.images

    async def files(self) -> int:
        return len(await self.blobs.sizes())


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with a_stage(tmp_path) as stage:
        blobs = LocalBlobs(tmp_path / "pictures")
        yield Archive(stage=stage, blobs=blobs, keeping=Keeping(stage.shared, blobs, Keep(size=1000)))


def vary(picture: ImageKey) -> JobRequest:
    return JobRequest(
        user=ADA,
        surface="web",
        origin="",
        idempotency_key="vary",
        workflow=WorkflowName("flux-schnell-img2img"),
        values={"prompt": "a cat"},
        source=picture,
    )


async def test_pictures_go_after_ninety_days_and_their_request_stays(archive: Archive) -> None:
    old = await archive.painted("old", b"old")
    archive.stage.clock.time += LATER
    new = await archive.painted("new", b"new")

    assert await archive.keeping.step() == EVERY

    assert await archive.images(old) == ()
    assert len(await archive.images(new)) == 1
    assert await archive.files() == 1
    assert (await archive.stage.view(old)).values["prompt"] == "a cat"
    assert (await archive.stage.service.costs(365)).images == 2, "what was made is counted all the same"


async def test_beyond_the_room_for_them_the_oldest_go(archive: Archive) -> None:
    first = await archive.painted("first", b"1" * 600)
    archive.stage.clock.time += timedelta(hours=1)
    second = await archive.painted("second", b"2" * 600)

    await archive.keeping.step()

    assert await archive.images(first) == ()
    assert len(await archive.images(second)) == 1


async def test_a_picture_that_a_request_under_way_starts_from_stays(archive: Archive) -> None:
    old = await archive.painted("old", b"old")
    (picture,) = await archive.images(old)
    archive.stage.clock.time += LATER
    ticket = await archive.stage.service.submit(vary(picture))

    await archive.keeping.step()
    assert await archive.blobs.get(picture) == b"old"

    await archive.stage.service.cancel(ticket.job, by=ADA)
    await archive.keeping.step()
    assert await archive.blobs.get(picture) is None


async def test_to_start_from_a_picture_that_is_gone_is_refused_with_a_sentence(archive: Archive) -> None:
    (picture,) = await archive.images(await archive.painted("old", b"old"))
    archive.stage.clock.time += LATER
    await archive.keeping.step()

    with pytest.raises(RequestError, match="bad_source"):
        await archive.stage.service.submit(vary(picture))


async def test_a_picture_that_its_person_has_not_seen_yet_is_not_what_makes_room(archive: Archive) -> None:
    job = await archive.painted("unseen", b"1" * 2000)
    before = await archive.stage.job(job)
    async with archive.stage.shared.store.writing() as books:
        await books.jobs.change(before, replace(before, acknowledged_at=None), reason="test")

    await archive.keeping.step()

    assert len(await archive.images(job)) == 1


async def test_much_is_let_go_of_a_little_at_a_time(archive: Archive) -> None:
    for number in range(MOST_JOBS + 1):
        await archive.painted(f"key{number}", b"%d" % number)
    archive.stage.clock.time += LATER

    assert await archive.keeping.step() == SOON
    assert await archive.files() == 1
    assert await archive.keeping.step() == EVERY
    assert await archive.files() == 0


async def test_events_told_news_and_claims_go_too(archive: Archive) -> None:
    stage = archive.stage
    job = await archive.painted("old", b"old")
    await stage.service.people.claim("a press")
    async with stage.shared.store.writing() as books:
        for topic in ("told", "untold"):
            notice = Notice(id=0, user=ADA, key="job_done", values={}, topic=topic, at=stage.clock.now())
            await books.notices.add(notice, unless_since=stage.clock.now())
        told, _ = await books.notices.unacknowledged()
        await books.notices.acknowledge(told.id, stage.clock.now())
    stage.clock.time += LATER

    await archive.keeping.step()

    async with stage.shared.store.writing() as books:
        assert await books.events(job) == ()
        assert [notice.topic for notice in await books.notices.unacknowledged()] == ["untold"]
        assert await books.keeping.forget_claims(stage.clock.now(), 9) == 0
        again = Notice(id=0, user=ADA, key="job_done", values={}, topic="told", at=stage.clock.now())
        assert await books.notices.add(again, unless_since=stage.clock.now() - 2 * LATER)
