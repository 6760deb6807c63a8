"""What ``compare`` takes from the bot's own books and from its last bench."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.database.store import open_store_inline
from orchestrator.cli.benched import Benched, keep, kept
from orchestrator.cli.comparing import Figure, Origin
from orchestrator.cli.measured import measure
from orchestrator.domain.ids import ImageKey, InstanceId, JobId
from orchestrator.domain.instance import EndReason, InstanceState
from orchestrator.domain.job import JobState, Served
from orchestrator.domain.money import MicroUsd
from orchestrator.ports.store import Booking, Store
from tests.contract.samples import ADA, NOW, VAST, HandClock, a_job, a_session, an_instance, an_offer, seconds

MACHINE = InstanceId("i1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Of two pictures by a machine, one by Replicate, one that Replicate failed at, and a machine that failed."""
    async with open_store_inline(tmp_path / "books.db", HandClock()) as opened:
        given_back = an_instance(
            "i1",
            state=InstanceState.TERMINATED,
            cloud=VAST,
            offer=an_offer(),
            ordered_at=NOW - seconds(400),
            ready_at=NOW - seconds(100),
            proved_at=NOW - seconds(100),
            end_reason=EndReason.IDLE,
            ended_at=NOW,
        )
        failed = replace(
            given_back, id=InstanceId("i2"), ready_at=None, proved_at=None, end_reason=EndReason.SSH_UNREACHABLE
        )
        done = replace(a_job(), state=JobState.SUCCEEDED, ended_at=NOW)
        by_machine = replace(done, instance=MACHINE, images=(ImageKey("a" * 64), ImageKey("b" * 64)))
        by_api = replace(
            done,
            id=JobId("j2"),
            idempotency_key="k2",
            bridge="replicate",
            images=(ImageKey("c" * 64),),
            served=Served(by="Replicate", seconds=2.5, cost=MicroUsd(3000)),
        )
        given_up = replace(a_job("j3"), avoids=("replicate",))
        async with opened.writing() as books:
            await books.sessions.add(a_session(), reason="test")
            for instance in (given_back, failed):
                await books.instances.add(instance, reason="test")
            for job in (by_machine, by_api, given_up):
                await books.jobs.add(job, reason="test")
            for cloud, amount in (("vast", 50_000), ("replicate", 3_000)):
                booking = Booking(at=NOW, user=ADA, cloud=cloud, instance=None, job=None, amount=MicroUsd(amount))
                await books.ledger.book(booking)
        yield opened


async def test_the_books_say_what_a_picture_has_cost_and_how_often_it_worked(store: Store) -> None:
    async with store.reading() as books:
        found = await measure(books, NOW)

    machine, api = found["vast"], found["replicate"]
    assert (machine.usd_per_image, machine.success_rate, machine.cold_start_s) == (0.025, 0.5, 300)
    assert (api.usd_per_image, api.success_rate, api.cold_start_s) == (0.003, 0.5, 2.5)


def test_a_bench_is_kept_for_later_and_what_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    steps = [{"step": "generation", "seconds": 14.0}]
    good = {"outcome": "succeeded", "total_s": 314.0, "steps": steps}
    keep(tmp_path, "runpod", {"runs": [good, {"outcome": "failed"}], "success_rate": 0.5})
    keep(tmp_path, "lambda", {"runs": "none"})

    assert kept(tmp_path, "runpod") == Benched(runs=2, success_rate=0.5, cold_start_s=300.0)
    assert kept(tmp_path, "lambda") is None
    assert kept(tmp_path, "vast") is None


def test_a_figure_says_where_it_comes_from() -> None:
    assert Figure.told(0.5, 0.7) == Figure(value=0.5, origin=Origin.MEASURED)
    assert Figure.told(None, 0.7).shown("{:.1f}") == "~0.7"
    assert Figure.told(None).shown("{:.1f}") == "?"
