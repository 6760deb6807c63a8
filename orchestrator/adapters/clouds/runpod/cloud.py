"""
RunPod's pods behind the port: what is asked in which order, and what each answer means for the caller.

Machines by REST v2 (docs.runpod.io, api-reference-v2; v1 is retired in November 2026), the balance by GraphQL, which is
the only place that has it.

A network volume is in one data centre, and pods of that data centre get it with their order and never later.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp

from orchestrator.adapters.clouds.exchange import AnswerLost, AnswerUnreadable, Request
from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.runpod import asking, wire
from orchestrator.adapters.clouds.runpod.answers import NO_CAPACITY, Answer, graphql_refusal, refusal
from orchestrator.adapters.clouds.runpod.asking import Tier
from orchestrator.adapters.clouds.runpod.client import RunPodClient
from orchestrator.adapters.clouds.runpod.limits import POLL_S, Pace
from orchestrator.adapters.clouds.runpod.wire import NetworkVolume
from orchestrator.adapters.system import SystemClock
from orchestrator.domain.errors import (
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    LaunchUncertain,
    OfferGone,
    VolumeMissing,
)
from orchestrator.domain.ids import CloudName, CloudRef, LaunchKey, OfferId
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.ports.clock import Clock
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental

log = logging.getLogger(__name__)

RUNPOD = CloudName("runpod")
RUNPOD_URL = "https://api.runpod.io"

MOST_REJECTED = 3
"""Kinds refused in a row, for a reason that is not known to be the market's, until the order itself is suspected."""


class RunPodCloud(CloudProvider):
    """
    RunPod, or whatever speaks like it.

    Keeps three things in memory, all for this process alone: when it may ask again, the last listing for as long as
    one may serve everybody, and which kinds were refused in a row for a reason that nobody knows.
    """

    def __init__(
        self,
        *,
        url: str = RUNPOD_URL,
        key: str,
        session: aiohttp.ClientSession,
        volume: str = "",
        limits: Limits | None = None,
        pace: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        """
        Take a session that somebody else closes.

        Args:
            key: The account's key. It goes into one header and nowhere else.
            volume: Id of the network volume that keeps the models; empty: none does.
            pace: Multiplies the cloud's waits; 0 for a cloud that has none.
        """
        self._url = url
        self._volume = volume
        self._limits = limits or Limits()
        self._clock = clock or SystemClock()
        self._pace = Pace(pace)
        self._client = RunPodClient(
            cloud=RUNPOD, url=url, key=key, session=session, limits=self._limits, pace=self._pace
        )
        self._reading = asyncio.Lock()
        self._listed: dict[CloudRef, Rental] = {}
        self._listed_at = float("-inf")
        self._rejected: set[OfferId] = set()

    @property
    def name(self) -> CloudName:
        return RUNPOD

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        """
        See the port. One offer a tier and type of GPU: RunPod chooses the machine.

        Machines without their volume are better than none: what is wrong with it :meth:`account` tells.
        """
        found: list[Offer] = []
        volume: NetworkVolume | None = None
        try:
            volume = await self._listed_volume()
        except CloudError as error:
            log.warning("%s; machines are offered without", error)
        for tier in Tier:
            request = Request(
                method="GET",
                path="/v2/catalog/gpus",
                doing="catalogue",
                limit=self._limits.search / len(Tier),
                query=asking.catalog_query(tier, requirements),
            )
            found += wire.read_offers(RUNPOD, (await self._ask(request)).body, tier, requirements, volume)
        return tuple(sorted(wire.with_volume_first(found), key=lambda offer: (offer.tariff.per_hour, offer.id)))

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        request = Request(
            method="POST",
            path="/v2/pods",
            doing="launch",
            limit=self._limits.launch,
            body=asking.order_body(key, offer, order, url=self._url, ordered_at=self._clock.now()),
        )
        try:
            answer = await self._client.send(request)
        except (AnswerLost, AnswerUnreadable) as error:
            raise LaunchUncertain(RUNPOD, str(error)) from error
        finally:
            self._forget_listing()
        return self._launched(answer, offer.id)

    async def rentals(self) -> tuple[Rental, ...]:
        try:
            async with asyncio.timeout(self._limits.listing.total_seconds()), self._reading:
                return await self._all_pages()
        except TimeoutError as error:
            raise CloudUnavailable(RUNPOD, "list: not complete in time") from error

    async def rental(self, ref: CloudRef) -> Rental | None:
        """See the port. What a listing of the last seconds says is told; an absence is always asked for."""
        if self._pace.factor and (rental := await self._recently_listed(ref)) is not None:
            return rental
        answer = await self._client.send(self._about(ref, "GET", self._limits.read))
        if answer.is_gone:
            return None
        if not answer.is_success:
            raise refusal(RUNPOD, answer, "show")
        return wire.read_rental(RUNPOD, answer.body, ref)

    async def terminate(self, ref: CloudRef) -> bool:
        try:
            answer = await self._client.send(self._about(ref, "DELETE", self._limits.terminate))
        finally:
            self._forget_listing()
        if answer.is_gone:
            return False
        if answer.status == 204 or (answer.is_success and answer.body is not None):
            return True
        raise refusal(RUNPOD, answer, "terminate")

    async def account(self) -> Account:
        """
        See the port.

        Raises:
            VolumeMissing: The account does not have the network volume that the settings name.
        """
        request = Request(
            method="POST",
            path="/graphql",
            doing="account",
            limit=self._limits.read,
            body={"query": asking.BALANCE},
        )
        answer = await self._client.send(request)
        if not answer.is_success or answer.errors:
            raise graphql_refusal(RUNPOD, answer, "account")
        account = wire.read_account(RUNPOD, answer.body)
        there = await self._listed_volumes()
        if self._volume and self._volume not in there:
            raise VolumeMissing(RUNPOD, _missing_words(self._volume, sorted(there)), balance=account.balance)
        return account

    async def _listed_volume(self) -> NetworkVolume | None:
        return (await self._listed_volumes()).get(self._volume)

    async def _listed_volumes(self) -> Mapping[str, NetworkVolume]:
        """By id; asked each time, for they come and go on RunPod's page, and not at all where none is wanted."""
        if not self._volume:
            return {}
        request = Request(method="GET", path="/v2/network-volumes", doing="list volumes", limit=self._limits.read)
        return {each.id: each for each in wire.read_volumes(RUNPOD, (await self._ask(request)).body)}

    async def _ask(self, request: Request) -> Answer:
        """Send *request* and raise whatever is no success."""
        answer = await self._client.send(request)
        if not answer.is_success:
            raise refusal(RUNPOD, answer, request.doing)
        return answer

    def _about(self, ref: CloudRef, method: str, limit: timedelta) -> Request:
        doing = "show" if method == "GET" else "terminate"
        return Request(method=method, path=f"/v2/pods/{quote(ref, safe='')}", doing=doing, limit=limit)

    def _launched(self, answer: Answer, offer: OfferId) -> CloudRef:
        """Sort out what came of an order; where a machine may be, the error says so before it says anything else."""
        ref = wire.ordered_ref(answer.body)
        if answer.is_success and ref is not None:
            self._rejected.clear()
            return ref
        if answer.is_success or answer.status >= 500 or answer.status == 408:
            raise LaunchUncertain(RUNPOD, f"launch: {answer.told}", ref=ref)
        raise self._refused(answer, offer)

    def _refused(self, answer: Answer, offer: OfferId) -> CloudError:
        """
        Say why nothing was ordered.

        A 400 is either no capacity or a broken rule, and no code tells which (REST v2, createPod): unless its words are
        known, the next kind is tried, and only when several in a row were refused is the order at fault. A 403 is a
        pool that this account may not have; a 404 a volume that was removed a moment ago.
        """
        message = f"launch: {answer.told}"
        if answer.status == 403 or (answer.status == 400 and answer.says(*NO_CAPACITY)):
            return OfferGone(RUNPOD, message)
        if answer.status == 404 and asking.kind_of(offer).volume:
            return OfferGone(RUNPOD, message)
        if answer.status == 400:
            self._rejected.add(offer)
            if len(self._rejected) < MOST_REJECTED:
                return OfferGone(RUNPOD, message)
            return CloudProtocolError(RUNPOD, f"{message}; {len(self._rejected)} kinds were refused like that")
        return refusal(RUNPOD, answer, "launch")

    def _forget_listing(self) -> None:
        self._listed_at = float("-inf")

    async def _recently_listed(self, ref: CloudRef) -> Rental | None:
        """Look into the last listing, or take one if it is too old: all who wait for a machine share it."""
        try:
            async with asyncio.timeout(self._limits.read.total_seconds()), self._reading:
                if asyncio.get_running_loop().time() - self._listed_at > POLL_S * self._pace.factor:
                    await self._all_pages()
                return self._listed.get(ref)
        except TimeoutError as error:
            raise CloudUnavailable(RUNPOD, "show: not listed in time") from error

    async def _all_pages(self) -> tuple[Rental, ...]:
        rentals: dict[CloudRef, Rental] = {}
        began_at = asyncio.get_running_loop().time()
        self._forget_listing()
        cursors: set[str | None] = set()
        after: str | None = None
        for _ in range(self._limits.pages):
            page = await self._page(after)
            cursors.add(after)
            rentals |= {rental.ref: rental for rental in page.rentals}
            after = page.following
            if after is None:
                self._listed, self._listed_at = rentals, began_at
                return tuple(rentals.values())
            if after in cursors:
                raise CloudProtocolError(RUNPOD, "list: nextCursor: leads back to a page that was read")
        raise CloudProtocolError(RUNPOD, f"list: nextCursor: no end after {self._limits.pages} pages")

    async def _page(self, after: str | None) -> wire.Page:
        request = Request(
            method="GET", path="/v2/pods", doing="list", limit=self._limits.read, query=asking.page_query(after)
        )
        return wire.read_page(RUNPOD, (await self._ask(request)).body)


def _missing_words(volume: str, there: list[str]) -> str:
    return (
        f"GLOWPLUG_RUNPOD_VOLUME: the account has no network volume with the id {volume}; create one at"
        " console.runpod.io (Storage) in a data centre that has your GPUs, or change the setting"
        f" (there is {', '.join(there) or 'none'})"
    )


def runpod(
    *,
    url: str | None,
    key: str,
    session: aiohttp.ClientSession,
    folder: Path,  # noqa: ARG001 - the cloud remembers
    volumes: tuple[str, ...] = (),
) -> CloudProvider:
    """Open RunPod itself, or a sandbox that speaks like it and does not mind how often it is asked."""
    volume, pace = next(iter(volumes), ""), 1.0 if url is None else 0.0
    return RunPodCloud(url=url or RUNPOD_URL, key=key, session=session, volume=volume, pace=pace)
