"""The variant of a workflow is chosen with its machine, kept with it, and told."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.api import ColdStart
from orchestrator.control.board import CloudHealth
from orchestrator.control.market import Market
from orchestrator.control.naming import your_machine
from orchestrator.control.ordering import Ordering
from orchestrator.control.shared import Limits
from orchestrator.domain.errors import CloudUnavailable, OfferGone
from orchestrator.domain.ids import CloudRef, LaunchKey
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.domain.policy.variants import Pin
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.cloud import LaunchOrder
from tests.component.control.fleet import Fleet
from tests.component.control.stage import Stage, a_stage
from tests.contract.samples import NOW, VAST, an_offer
from tests.virtual_time import run

LARGE = an_offer("large", inet_down_mbps=5_000.0)
SLOW = an_offer("slow", inet_down_mbps=800.0)
UNKNOWN = an_offer("unknown", inet_down_mbps=500.0)
SMALL = an_offer("small", gpu="RTX 4060 Ti", vram_mib=16_380, inet_down_mbps=5_000.0)


@dataclass(slots=True, kw_only=True)
class Shop(Fleet):
    """
    A cloud that offers what is big enough, and remembers what was asked and ordered.

    Attributes:
        gone: Offers that somebody else has just taken.
    """

    has: Sequence[Offer] = ()
    gone: frozenset[str] = frozenset()
    asked: list[Requirements] = field(default_factory=list)
    ordered: list[LaunchOrder] = field(default_factory=list)

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        self.asked.append(requirements)
        if not self.is_up:
            raise CloudUnavailable(self.name, "down")
        return tuple(offer for offer in self.has if offer.vram_mib >= requirements.vram_mib * VRAM_SLACK)

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        if offer.id in self.gone:
            raise OfferGone(self.name, offer.id)
        self.ordered.append(order)
        return self.rent(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What became of one plan, and what the person's card is told of its machine."""

    instance: Instance
    shop: Shop
    told: str
    paints: str


def ordered(folder: Path, *has: Offer, pin: Pin = Pin.AUTO, **shop: Any) -> Ordered:
    async def world() -> Ordered:
        async with a_stage(folder, limits=Limits(variants=pin)) as stage:
            return await _ordered(stage, Shop(clock=stage.clock, has=has, **shop))

    return run(world())


async def _ordered(stage: Stage, shop: Shop) -> Ordered:
    shared = stage.shared
    shared.board.put_cloud(VAST, CloudHealth(listed_at=NOW))
    ordering = Ordering(shared, {VAST: shop}, Market(shared, {VAST: shop}), ssh_public_key="ssh-ed25519 AAAA")
    job = await stage.ask()
    [planned] = await stage.instances(InstanceState.PLANNED)
    instance = await ordering.order(planned, _workflow(stage, planned))
    status = (await stage.view(job)).status
    told = status.machine.variant if isinstance(status, ColdStart) and status.machine else ""
    return Ordered(instance=instance, shop=shop, told=told, paints=your_machine(shared, instance))


def _workflow(stage: Stage, instance: Instance) -> Workflow:
    found = stage.shared.catalog.find(instance.workflow)
    assert found is not None
    return found


def test_a_large_card_on_a_fast_link_is_ordered_for_the_full_files_and_nothing_is_said_of_it(tmp_path: Path) -> None:
    order = ordered(tmp_path, SMALL, LARGE)

    assert (order.instance.state, order.instance.variant) == (InstanceState.BOOTING, "")
    assert (order.told, order.paints) == ("", "your RTX 4090")
    assert [asked.vram_mib for asked in order.shop.asked] == [22 * 1024]


def test_a_card_of_16_gb_is_ordered_with_fp8_files_where_there_is_no_other(tmp_path: Path) -> None:
    order = ordered(tmp_path, SMALL)

    assert (order.instance.state, order.instance.variant) == (InstanceState.BOOTING, "fp8")
    assert (order.told, order.paints) == ("fp8", "your RTX 4060 Ti (fp8)")
    assert [asked.vram_mib for asked in order.shop.asked] == [22 * 1024, 16 * 1024]


def test_the_disk_that_is_ordered_is_the_one_that_the_price_is_for(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "slow").mkdir()
    small, slow = ordered(tmp_path / "small", SMALL), ordered(tmp_path / "slow", SLOW)

    assert [order.disk_gib for order in small.shop.ordered] == [small.shop.asked[-1].disk_gib] == [45]
    assert [order.disk_gib for order in slow.shop.ordered] == [slow.shop.asked[-1].disk_gib] == [60]


def test_a_slow_link_takes_the_lighter_files_and_their_bytes_alone_are_reserved_for(tmp_path: Path) -> None:
    (tmp_path / "auto").mkdir()
    (tmp_path / "full").mkdir()
    order = ordered(tmp_path / "auto", SLOW)
    full = ordered(tmp_path / "full", SLOW, pin=Pin.FULL)

    assert (order.instance.variant, full.instance.variant) == ("fp8", "")
    assert order.instance.reserved < full.instance.reserved


def test_a_link_that_is_only_said_to_be_as_fast_as_was_asked_takes_the_full_files(tmp_path: Path) -> None:
    assert ordered(tmp_path, UNKNOWN).instance.variant == ""


def test_where_larger_cards_are_gone_a_smaller_one_is_ordered(tmp_path: Path) -> None:
    order = ordered(tmp_path, SLOW, SMALL, gone=frozenset({"slow"}))

    assert order.instance.offer == SMALL
    assert (order.instance.state, order.instance.variant) == (InstanceState.BOOTING, "fp8")


def test_a_plan_that_nothing_came_of_has_no_variant(tmp_path: Path) -> None:
    order = ordered(tmp_path, SMALL, gone=frozenset({"small"}))

    assert (order.instance.end_reason, order.instance.variant) == (EndReason.OFFER_GONE, "")


def test_an_operator_who_wants_full_quality_gets_no_smaller_card(tmp_path: Path) -> None:
    order = ordered(tmp_path, SMALL, pin=Pin.FULL)

    assert order.instance.end_reason is EndReason.NO_OFFER
    assert len(order.shop.asked) == 1


def test_an_operator_who_wants_it_cheap_gets_the_lighter_files_everywhere(tmp_path: Path) -> None:
    cheap = replace(LARGE, tariff=replace(LARGE.tariff, running=MicroUsdPerHour(SMALL.tariff.running - 1)))

    order = ordered(tmp_path, SMALL, cheap, pin=Pin.LIGHT)

    assert (order.instance.offer, order.instance.variant) == (cheap, "fp8")


def test_a_cloud_that_is_down_is_not_asked_again_for_less(tmp_path: Path) -> None:
    order = ordered(tmp_path, SMALL, is_up=False)

    assert order.instance.end_reason is EndReason.CLOUD_UNAVAILABLE
    assert len(order.shop.asked) == 1
