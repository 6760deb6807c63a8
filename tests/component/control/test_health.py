"""How a cloud and an API are doing, as people are told."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from orchestrator.api import BridgeState, BridgeView
from orchestrator.control.board import CloudHealth
from orchestrator.control.bridges import Bridges
from orchestrator.control.health import (
    after_answer,
    after_refusal,
    bridge_of_books,
    cloud_of_books,
    note_bridge,
    note_cloud,
    runway,
)
from orchestrator.control.market import Market
from orchestrator.domain.errors import AccountProblem, ApiOff, InferenceUnavailable, RateLimited
from orchestrator.domain.inference import Capabilities
from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.ports.inference import Attempt, InferenceApi, Made
from tests.component.control.stage import a_stage
from tests.contract.samples import NOW, OTHER_CLOUD, VAST, an_instance, an_offer


class Painter(InferenceApi):
    """Attributes: error: What a probe says; None while it serves us."""

    name, title, capabilities = "replicate", "Replicate", Capabilities()

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def probe(self) -> None:
        if self.error is not None:
            raise self.error

    async def generate(self, attempt: Attempt) -> Made:
        raise AssertionError("nothing is made here")

    async def cancel(self, job: Job) -> None:
        raise AssertionError("nothing is made here")


OFTEN = RateLimited(VAST, "asked too often", retry_after=timedelta(seconds=17))


def test_a_cloud_that_is_asked_too_often_says_until_when_it_wants_to_be_left_alone() -> None:
    health = after_refusal(CloudHealth(), OFTEN, NOW)

    assert (health.limited_until, health.failed_at) == (NOW + timedelta(seconds=17), NOW)
    assert after_answer(health).limited_until is None
    assert "asked too often" in after_answer(health).last_error
    assert after_answer(health).problem == ""


def test_a_refused_key_is_no_good_one() -> None:
    assert after_refusal(CloudHealth(has_good_key=True), AccountProblem(VAST, "no"), NOW).has_good_key is False
    assert after_refusal(CloudHealth(has_good_key=True), OFTEN, NOW).has_good_key is True


def test_the_balance_lasts_as_long_as_the_machines_of_that_cloud_let_it() -> None:
    health = CloudHealth(balance=MicroUsd(3_400_070), balance_at=NOW - timedelta(hours=1))
    live = [an_instance(cloud=VAST, offer=an_offer()), an_instance(cloud=OTHER_CLOUD, offer=an_offer())]

    assert runway(health, VAST, live, NOW) == timedelta(hours=9)
    assert runway(health, VAST, live[1:], NOW) is None
    assert runway(replace(health, balance=None), VAST, live, NOW) is None


async def test_the_books_keep_it_for_whoever_reads_them_beside_the_bot(tmp_path: Path) -> None:
    api = BridgeView(name="replicate", title="Replicate", state=BridgeState.OFF, why="its key is refused")
    async with a_stage(tmp_path) as stage:
        market = Market(stage.shared, {})
        await market.answered(VAST)
        await market.refused(OFTEN)
        health = stage.shared.board.cloud(VAST)
        async with stage.shared.store.writing() as books:
            await note_cloud(books, VAST, health)
            await note_bridge(books, api)
        async with stage.shared.store.reading() as books:
            assert await cloud_of_books(books, VAST) == health
            assert await cloud_of_books(books, OTHER_CLOUD) == CloudHealth()
            assert await bridge_of_books(books, "replicate") == api
            assert await bridge_of_books(books, "together") is None


async def test_an_api_is_told_as_it_answers(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        painter = Painter()
        bridges = Bridges(replace(stage.shared, bridges={"replicate": painter}))
        assert bridges.view("replicate").state is BridgeState.UNKNOWN

        painter.error = InferenceUnavailable("it is down")
        await bridges.step()
        [view] = bridges.views()
        assert (view.state, view.why) == (BridgeState.UNKNOWN, "it is down")

        bridges.succeeded("replicate")
        assert bridges.view("replicate").state is BridgeState.SERVES

        for _ in range(10):
            bridges.failed("replicate")
        assert bridges.view("replicate").state is BridgeState.RESTING

        await bridges.switch_off("replicate", ApiOff("its key is refused"))
        view = bridges.view("replicate")
        assert (view.state, view.why) == (BridgeState.OFF, "its key is refused")
        async with stage.shared.store.reading() as books:
            assert await bridge_of_books(books, "replicate") == view
