"""
What every cloud adapter promises, as rules.

A cloud joins by a :class:`Stage` and one parameter in ``test_cloud.py``. :class:`CloudSuite` runs against anything that
rents machines; :class:`CloudInTroubleSuite` needs a server that can be told to misbehave.
"""

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

import pytest

from orchestrator.domain.errors import (
    AccountProblem,
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    LaunchUncertain,
    OfferGone,
    RateLimited,
)
from orchestrator.domain.ids import CloudRef, LaunchKey
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.ports.cloud import CloudProvider, LaunchOrder, Rental, RentalState

NEEDS = Requirements(vram_mib=24_000, disk_gib=60, cuda=12.4, inet_down_mbps=300, compute_capability=8.0)
ORDER = LaunchOrder(
    image="example/comfyui:1",
    disk_gib=60,
    ssh_public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdsb3dwbHVnIGNvbnRyYWN0IHN1aXRlIGtleS4uLi4u suite",
)
KEY = LaunchKey("glowplug-suite-1-one")
MOST_TURNS = 100
"""More turns of the loop than any call needs here: a cancel is tried in each of them."""
OTHER_KEY = LaunchKey("glowplug-suite-1-two")


class Trouble(StrEnum):
    """How a cloud can misbehave, in words that fit all of them."""

    ANSWER_LOST = "the connection breaks after the order was carried out"
    ANSWER_CUT = "the answer to a carried-out order ends in the middle"
    ANSWER_GARBLED = "the answer to a carried-out order is no JSON"
    ANSWER_EMPTY = "the answer to a carried-out order names no machine"
    ANSWER_5XX = "an order is carried out and answered with an error of the server"
    OUT_OF_ORDER = "every answer is an error of the server"
    SILENT = "an order and a read are never answered; the adapter's limits on time are short from then on"
    TOO_OFTEN = "everything is refused as too early, with a time to ask again"
    TOO_LONG = "every answer is longer than anyone wants to read"
    GARBLED = "every answer is no JSON"
    LIST_SHORT = "a listing counts more machines than it shows"
    LIST_MALFORMED = "a machine in the listing has no id"
    LIST_NULL = "a listing shows null where the machines should be"
    LIST_ENDLESS = "the pages of a listing go round in a circle"


class Stage(Protocol):
    """
    One account at one cloud, and what a rule can do about it from outside.

    Attributes:
        cloud: The adapter under test.
        intruder: The same with a key that the cloud does not know.
        exempt: Rules, and troubles, that this cloud cannot show, each with the reason; of the class, not the object.
    """

    cloud: CloudProvider
    intruder: CloudProvider
    exempt: Mapping[str, str]

    async def until_running(self, ref: CloudRef) -> None:
        """Return when the cloud says that the machine runs."""

    async def until_unlisted(self, ref: CloudRef) -> None:
        """Return when an ended machine should be gone."""

    async def vanish(self, ref: CloudRef) -> None:
        """Let the cloud forget a machine."""

    async def spend_everything(self) -> None:
        """Leave no money."""


class TroubledStage(Stage, Protocol):
    """
    A stage whose cloud can be told to misbehave.

    Attributes:
        retry_after: What it says when it is asked too often.
        secrets: What must not be told: the account's key, the intruder's, a machine's.
    """

    retry_after: timedelta
    secrets: tuple[str, ...]

    async def strike(self, trouble: Trouble) -> None:
        """Misbehave from now on, or once where it is about one order."""

    async def recover(self) -> None:
        """Be well again, with everything that has happened."""

    async def orders_received(self) -> int:
        """How many orders have arrived."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method of the port with arguments for it."""

    name: str
    on: Callable[[CloudProvider, Offer], Awaitable[object]]


UNKNOWN = CloudRef("999999999")
CALLS = (
    Call("offers", lambda cloud, _: cloud.offers(NEEDS)),
    Call("launch", lambda cloud, offer: cloud.launch(offer, KEY, ORDER)),
    Call("rentals", lambda cloud, _: cloud.rentals()),
    Call("rental", lambda cloud, _: cloud.rental(UNKNOWN)),
    Call("terminate", lambda cloud, _: cloud.terminate(UNKNOWN)),
    Call("account", lambda cloud, _: cloud.account()),
)
READS = tuple(call for call in CALLS if call.name != "launch")
every_method = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
every_read = pytest.mark.parametrize("call", READS, ids=lambda call: call.name)


async def first_offer(stage: Stage) -> Offer:
    return (await stage.cloud.offers(NEEDS))[0]


async def launched(stage: Stage, key: LaunchKey = KEY) -> CloudRef:
    return await stage.cloud.launch(await first_offer(stage), key, ORDER)


async def listed(stage: Stage, ref: CloudRef) -> Rental | None:
    return next((rental for rental in await stage.cloud.rentals() if rental.ref == ref), None)


class CloudSuite:
    """Rules that hold on a good day."""

    @pytest.fixture
    @abstractmethod
    def subject(self) -> Stage:
        """A fresh account with at least two offers that meet :data:`NEEDS`, and money."""

    async def test_offers_meet_the_requirements(self, subject: Stage) -> None:
        offers = await subject.cloud.offers(NEEDS)

        assert offers
        for offer in offers:
            assert offer.cloud == subject.cloud.name
            assert offer.vram_mib >= NEEDS.vram_mib * VRAM_SLACK
            assert offer.disk_gib >= NEEDS.disk_gib
            assert offer.cuda == 0 or offer.cuda >= NEEDS.cuda
            assert offer.compute_capability == 0 or offer.compute_capability >= NEEDS.compute_capability
            assert offer.inet_down_mbps >= NEEDS.inet_down_mbps

    async def test_the_card_is_paid_for_and_the_disk_beside_it(self, subject: Stage) -> None:
        for offer in await subject.cloud.offers(NEEDS):
            assert 0 < offer.tariff.running < offer.tariff.per_hour

    async def test_offers_name_machines_that_can_be_told_apart(self, subject: Stage) -> None:
        offers = await subject.cloud.offers(NEEDS)

        assert len({offer.id for offer in offers}) == len({offer.machine for offer in offers}) == len(offers)

    async def test_a_wish_that_nothing_meets_gives_no_offers(self, subject: Stage) -> None:
        assert await subject.cloud.offers(Requirements(vram_mib=10_000_000, disk_gib=10)) == ()

    async def test_more_disk_costs_more(self, subject: Stage) -> None:
        small = {offer.machine: offer for offer in await subject.cloud.offers(NEEDS)}
        more = replace(NEEDS, disk_gib=200)

        for offer in await subject.cloud.offers(more):
            assert offer.tariff.always > small[offer.machine].tariff.always

    async def test_an_empty_account_lists_as_an_empty_tuple(self, subject: Stage) -> None:
        assert await subject.cloud.rentals() == ()

    async def test_an_ordered_machine_is_listed_with_our_label(self, subject: Stage) -> None:
        """Between the order and our note of its answer, the label is all we have."""
        ref = await launched(subject)

        rental = await listed(subject, ref)
        assert rental is not None
        assert rental.label == KEY
        assert rental.cloud == subject.cloud.name

    async def test_one_machine_is_told_as_the_listing_tells_it(self, subject: Stage) -> None:
        ref = await launched(subject)
        await subject.until_running(ref)

        rental = await subject.cloud.rental(ref)
        assert rental is not None
        assert rental == await listed(subject, ref)

    async def test_a_machine_costs_what_the_offer_said(self, subject: Stage) -> None:
        offer = await first_offer(subject)
        ref = await subject.cloud.launch(offer, KEY, ORDER)
        await subject.until_running(ref)

        rental = await subject.cloud.rental(ref)
        assert rental is not None
        assert rental.gpu == offer.gpu
        assert rental.price == pytest.approx(offer.tariff.per_hour, abs=2)

    async def test_a_running_machine_says_since_when_it_is_there(self, subject: Stage) -> None:
        ref = await launched(subject)
        await subject.until_running(ref)

        rental = await subject.cloud.rental(ref)
        assert rental is not None
        assert rental.started_at is not None
        assert rental.started_at.tzinfo is not None

    async def test_two_orders_with_one_key_are_two_machines_that_both_carry_it(self, subject: Stage) -> None:
        """There is no idempotency at the cloud: whoever orders twice has two, and finds both by the label."""
        one, two = (await subject.cloud.offers(NEEDS))[:2]

        refs = {await subject.cloud.launch(offer, KEY, ORDER) for offer in (one, two)}

        assert len(refs) == 2
        assert {rental.ref for rental in await subject.cloud.rentals() if rental.label == KEY} == refs

    async def test_a_machine_with_a_foreign_label_is_listed_with_it(self, subject: Stage) -> None:
        ref = await launched(subject, LaunchKey("somebody else's box"))

        rental = await listed(subject, ref)
        assert rental is not None
        assert rental.label == "somebody else's box"

    async def test_a_taken_offer_is_gone(self, subject: Stage) -> None:
        offer = await first_offer(subject)
        ref = await subject.cloud.launch(offer, KEY, ORDER)

        with pytest.raises(OfferGone):
            await subject.cloud.launch(offer, OTHER_KEY, ORDER)

        assert [rental.ref for rental in await subject.cloud.rentals()] == [ref]

    async def test_an_address_appears_only_when_the_machine_runs(self, subject: Stage) -> None:
        ref = await launched(subject)
        early = await subject.cloud.rental(ref)
        assert early is not None
        assert (early.state, early.address) == (RentalState.STARTING, None)

        await subject.until_running(ref)

        late = await subject.cloud.rental(ref)
        assert late is not None
        assert late.state is RentalState.RUNNING
        assert late.address is not None
        assert late.address.host == late.address.host.strip() != ""

    async def test_an_ended_machine_leaves_the_listing(self, subject: Stage) -> None:
        gone, kept = await launched(subject), await launched(subject, OTHER_KEY)

        await subject.cloud.terminate(gone)
        await subject.until_unlisted(gone)

        assert [rental.ref for rental in await subject.cloud.rentals()] == [kept]
        assert await subject.cloud.rental(gone) is None

    async def test_ending_a_machine_twice_is_silent(self, subject: Stage) -> None:
        ref = await launched(subject)

        assert await subject.cloud.terminate(ref)
        await subject.cloud.terminate(ref)
        await subject.until_unlisted(ref)
        assert not await subject.cloud.terminate(ref)

    async def test_ending_what_never_was_says_that_it_is_gone(self, subject: Stage) -> None:
        assert not await subject.cloud.terminate(UNKNOWN)

    async def test_a_machine_that_never_was_is_none(self, subject: Stage) -> None:
        assert await subject.cloud.rental(UNKNOWN) is None

    async def test_a_vanished_machine_is_none_and_unlisted(self, subject: Stage) -> None:
        ref = await launched(subject)

        await subject.vanish(ref)

        assert await subject.cloud.rental(ref) is None
        assert await subject.cloud.rentals() == ()
        assert not await subject.cloud.terminate(ref)

    async def test_a_listing_goes_on_beyond_one_page(self, subject: Stage) -> None:
        offers = await subject.cloud.offers(NEEDS)
        refs = [await subject.cloud.launch(offer, KEY, ORDER) for offer in offers[:26]]

        assert len(refs) == 26
        assert {rental.ref for rental in await subject.cloud.rentals()} == set(refs)

    async def test_the_balance_is_told(self, subject: Stage) -> None:
        account = await subject.cloud.account()

        assert account.balance is not None
        assert account.balance > 0

    @every_method
    async def test_a_refused_key_is_a_problem_of_the_account(self, subject: Stage, call: Call) -> None:
        """Never "gone", never "nothing there"."""
        offer = await first_offer(subject)

        with pytest.raises(AccountProblem):
            await call.on(subject.intruder, offer)

    async def test_without_money_an_order_is_a_problem_of_the_account(self, subject: Stage) -> None:
        offer = await first_offer(subject)
        await subject.spend_everything()

        with pytest.raises(AccountProblem):
            await subject.cloud.launch(offer, KEY, ORDER)

        assert await subject.cloud.rentals() == ()


class CloudInTroubleSuite:
    """Rules that hold on a bad day."""

    @pytest.fixture
    @abstractmethod
    def subject(self) -> TroubledStage:
        """As in :class:`CloudSuite`, with more offers than a rule can take: two hundred."""

    @pytest.mark.parametrize(
        "trouble",
        [
            Trouble.ANSWER_LOST,
            Trouble.ANSWER_CUT,
            Trouble.ANSWER_GARBLED,
            Trouble.ANSWER_EMPTY,
            Trouble.ANSWER_5XX,
        ],
    )
    async def test_a_lost_answer_is_uncertain_and_the_label_finds_the_machine(
        self, subject: TroubledStage, trouble: Trouble
    ) -> None:
        offer = await first_offer(subject)
        await subject.strike(trouble)

        with pytest.raises(LaunchUncertain):
            await subject.cloud.launch(offer, KEY, ORDER)

        assert [rental.label for rental in await subject.cloud.rentals()] == [KEY]

    @pytest.mark.parametrize("trouble", [Trouble.ANSWER_LOST, Trouble.ANSWER_5XX, Trouble.ANSWER_CUT])
    async def test_an_order_is_sent_once_whatever_happens(self, subject: TroubledStage, trouble: Trouble) -> None:
        """HTTP libraries like to repeat a PUT on a broken connection: here that is a second machine."""
        offer = await first_offer(subject)
        await subject.strike(trouble)

        with pytest.raises(LaunchUncertain):
            await subject.cloud.launch(offer, KEY, ORDER)

        assert await subject.orders_received() == 1

    async def test_an_order_that_gets_no_answer_in_time_is_uncertain(self, subject: TroubledStage) -> None:
        offer = await first_offer(subject)
        await subject.strike(Trouble.SILENT)

        with pytest.raises(LaunchUncertain):
            await subject.cloud.launch(offer, KEY, ORDER)

    @every_read
    async def test_a_read_without_an_answer_in_time_is_unavailable(self, subject: TroubledStage, call: Call) -> None:
        offer = await first_offer(subject)
        await subject.strike(Trouble.SILENT)

        with pytest.raises(CloudUnavailable):
            await call.on(subject.cloud, offer)

    @every_read
    async def test_an_error_of_the_server_is_unavailable(self, subject: TroubledStage, call: Call) -> None:
        offer = await first_offer(subject)
        await subject.strike(Trouble.OUT_OF_ORDER)

        with pytest.raises(CloudUnavailable):
            await call.on(subject.cloud, offer)

    @every_method
    async def test_too_often_says_when_to_ask_again(self, subject: TroubledStage, call: Call) -> None:
        offer = await first_offer(subject)
        await subject.strike(Trouble.TOO_OFTEN)

        with pytest.raises(RateLimited) as refused:
            await call.on(subject.cloud, offer)

        assert refused.value.retry_after == subject.retry_after

    @pytest.mark.parametrize("trouble", [Trouble.TOO_LONG, Trouble.GARBLED])
    @every_method
    async def test_an_answer_nobody_can_read_is_an_error(
        self, subject: TroubledStage, call: Call, trouble: Trouble
    ) -> None:
        offer = await first_offer(subject)
        await subject.strike(trouble)

        with pytest.raises(CloudError):
            await call.on(subject.cloud, offer)

    @pytest.mark.parametrize(
        "trouble", [Trouble.LIST_SHORT, Trouble.LIST_MALFORMED, Trouble.LIST_NULL, Trouble.LIST_ENDLESS]
    )
    async def test_a_listing_that_is_not_complete_is_an_error(self, subject: TroubledStage, trouble: Trouble) -> None:
        """An absence is believed only from a listing that has everything."""
        await launched(subject)
        await subject.strike(trouble)

        with pytest.raises(CloudProtocolError):
            await subject.cloud.rentals()

    @every_method
    async def test_a_call_that_failed_can_be_made_again(self, subject: TroubledStage, call: Call) -> None:
        offer = await first_offer(subject)
        await subject.strike(Trouble.OUT_OF_ORDER)
        with pytest.raises(CloudError):
            await call.on(subject.cloud, offer)

        await subject.recover()

        await call.on(subject.cloud, offer)

    @every_method
    async def test_cancelling_at_any_await_leaves_no_half_state(self, subject: TroubledStage, call: Call) -> None:
        """A cancelled order either never arrived or is found by its label; the adapter works as before."""
        for turns in range(MOST_TURNS):
            offer = await first_offer(subject)
            if not await _is_cancelled_after(turns, call.on(subject.cloud, offer)):
                break

        rentals = await subject.cloud.rentals()
        assert {rental.label for rental in rentals} <= {KEY}
        ref = await subject.cloud.launch(await first_offer(subject), OTHER_KEY, ORDER)
        assert await subject.cloud.rental(ref) is not None

    @pytest.mark.parametrize("trouble", [None, Trouble.OUT_OF_ORDER, Trouble.TOO_OFTEN, Trouble.GARBLED])
    async def test_no_error_and_no_log_line_holds_a_key(
        self,
        subject: TroubledStage,
        trouble: Trouble | None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        offer = await first_offer(subject)
        if trouble is not None:
            await subject.strike(trouble)

        told = [repr(subject.cloud)]
        for call in CALLS:
            for cloud in (subject.cloud, subject.intruder):
                told += await _told(call.on(cloud, offer))

        said = "\n".join([*told, caplog.text])
        assert [secret for secret in subject.secrets if secret in said] == []


async def _is_cancelled_after(turns: int, call: Awaitable[object]) -> bool:
    """Run *call* for some turns of the loop, then cancel it; False when it was faster."""
    task = asyncio.ensure_future(call)  # noqa: TID251 - cancelled and awaited right here
    for _ in range(turns):
        await asyncio.sleep(0)
    is_over = task.done()
    task.cancel()
    await asyncio.wait([task])
    assert is_over or task.cancelled(), "a cancel was swallowed"
    return not is_over


async def _told(call: Awaitable[object]) -> list[str]:
    """Collect everything that an error says, with what it was made from."""
    try:
        await call
    except CloudError as error:
        told, link = [], error.__cause__ or error.__context__
        told += [str(error), repr(error), repr(error.args)]
        while link is not None:
            told += [str(link), repr(link)]
            link = link.__cause__ or link.__context__
        return told
    return []
