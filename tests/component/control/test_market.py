"""All clouds are asked at once, and none of them holds the others up."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orchestrator.control.board import CloudHealth
from orchestrator.control.market import STRAGGLERS, Answers, Market
from orchestrator.domain.errors import CloudUnavailable
from orchestrator.domain.ids import CloudName, CloudRef, LaunchKey
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental
from tests.component.control.stage import a_stage
from tests.contract.samples import NOW, an_offer
from tests.virtual_time import run

NEEDS = Requirements(vram_mib=24_000, disk_gib=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop(CloudProvider):
    """
    A cloud that has offers, after a while.

    Attributes:
        takes: Seconds.
        has: How many offers; None is down.
    """

    name: CloudName
    takes: float
    has: int | None = 1

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        await asyncio.sleep(self.takes)
        if self.has is None:
            raise CloudUnavailable(self.name, "down")
        return tuple(an_offer(f"{self.name}-{number}") for number in range(self.has))

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        raise AssertionError("nothing is ordered here")

    async def rentals(self) -> tuple[Rental, ...]:
        return ()

    async def rental(self, ref: CloudRef) -> Rental | None:
        return None

    async def terminate(self, ref: CloudRef) -> bool:
        raise AssertionError("nothing is ended here")

    async def account(self) -> Account:
        return Account(balance=None)


def asked(folder: Path, *shops: Shop, unlisted: str = "") -> tuple[Answers, float]:
    """What they answer together, and after how many seconds."""

    async def world() -> tuple[Answers, float]:
        async with a_stage(folder) as stage:
            for shop in shops:
                if shop.name != unlisted:
                    stage.shared.board.put_cloud(shop.name, CloudHealth(listed_at=NOW))
            loop = asyncio.get_running_loop()
            began = loop.time()
            answers = await Market(stage.shared, {shop.name: shop for shop in shops}).offers(NEEDS)
            return answers, loop.time() - began

    return run(world())


def shop(name: str, takes: float, has: int | None = 1) -> Shop:
    return Shop(name=CloudName(name), takes=takes, has=has)


def test_the_offers_of_all_clouds_are_one_market(tmp_path: Path) -> None:
    answers, took = asked(tmp_path, shop("vast", 1.0, 2), shop("runpod", 2.0), shop("lambda", 0.5, 0))

    assert sorted(offer.id for offer in answers.offers) == ["runpod-0", "vast-0", "vast-1"]
    assert (took, answers.errors) == (2.0, {})


def test_one_that_is_down_or_slow_costs_no_more_than_its_row(tmp_path: Path) -> None:
    answers, took = asked(tmp_path, shop("vast", 1.0), shop("runpod", 60.0), shop("lambda", 0.5, None))

    assert [offer.id for offer in answers.offers] == ["vast-0"]
    assert took == 1.0 + STRAGGLERS.total_seconds()
    assert {name: str(error) for name, error in answers.errors.items()} == {
        "lambda": "lambda: down",
        "runpod": "runpod: slower than the others",
    }


def test_while_nobody_has_anything_everybody_is_waited_for(tmp_path: Path) -> None:
    answers, took = asked(tmp_path, shop("vast", 1.0, 0), shop("runpod", 20.0))

    assert [offer.id for offer in answers.offers] == ["runpod-0"]
    assert took == timedelta(seconds=20).total_seconds()


def test_nothing_is_bought_where_nobody_knows_what_runs_there(tmp_path: Path) -> None:
    answers, _ = asked(tmp_path, shop("vast", 1.0), shop("runpod", 1.0), unlisted="vast")

    assert [offer.id for offer in answers.offers] == ["runpod-0"]
    assert str(answers.errors[CloudName("vast")]) == "vast: not listed yet"
