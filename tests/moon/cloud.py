"""The port for Moon, a cloud that does not exist. Its machines have no key of their own, so no dead-man's switch."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from orchestrator.domain.errors import (
    AccountProblem,
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    LaunchUncertain,
    OfferGone,
    RateLimited,
)
from orchestrator.domain.ids import CloudName, CloudRef, LaunchKey
from orchestrator.domain.money import micro_usd
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental
from tests.moon import wire

MOON = CloudName("moon")
URL = "https://api.moon.invalid"
LONGEST = 2**20
MOST_PAGES = 50
NOT_FOUND, CONFLICT, TOO_OFTEN = 404, 409, 429

Wire = TypeVar("Wire", bound=BaseModel)


class MoonCloud(CloudProvider):
    """Attributes: name: Of this cloud in the books."""

    name = MOON

    def __init__(self, *, url: str, key: str, session: aiohttp.ClientSession, limit: timedelta) -> None:
        self._url = url
        self._key = key
        self._session = session
        self._limit = limit

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        market = self._read(wire.Market, await self._send("GET", "/stock"))
        return tuple(stock.offer(self.name, requirements) for stock in market.stock if stock.meets(requirements))

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        body = {"stock": int(offer.id), "label": key, "image": order.image, "disk_gib": order.disk_gib}
        try:
            answer = await self._send("POST", "/machines", {**body, "ssh_key": order.ssh_public_key})
            return CloudRef(str(self._read(wire.Launched, answer).id))
        except (AccountProblem, RateLimited, OfferGone):
            raise
        except CloudError as error:  # it may have been carried out
            raise LaunchUncertain(self.name, f"the order's answer was lost: {error}") from error

    async def rentals(self) -> tuple[Rental, ...]:
        found: list[Rental] = []
        path = "/machines"
        for _ in range(MOST_PAGES):
            page = self._read(wire.Page, await self._send("GET", path))
            found += [machine.rental(self.name) for machine in page.machines]
            if page.next_page is None:
                break
            path = f"/machines?after={page.next_page}"
        else:
            raise CloudProtocolError(self.name, "its listing does not end")
        if len({rental.ref for rental in found}) != page.total:
            raise CloudProtocolError(self.name, f"its listing shows {len(found)} of {page.total} machines")
        return tuple(found)

    async def rental(self, ref: CloudRef) -> Rental | None:
        answer = await self._send("GET", f"/machines/{ref}")
        return None if answer is None else self._read(wire.Machine, answer).rental(self.name)

    async def terminate(self, ref: CloudRef) -> bool:
        answer = await self._send("DELETE", f"/machines/{ref}")
        if answer is not None:
            self._read(wire.Ended, answer)
        return answer is not None

    async def account(self) -> Account:
        account = self._read(wire.Account, await self._send("GET", "/account"))
        return Account(balance=micro_usd(account.balance_usd))

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes | None:
        """The answer's body; None where there is no such thing."""
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            async with (
                asyncio.timeout(self._limit.total_seconds()),
                self._session.request(method, self._url + path, json=body, headers=headers) as answer,
            ):
                content = await answer.content.read(LONGEST + 1)
                while len(content) <= LONGEST and (more := await answer.content.read(LONGEST)):
                    content += more
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CloudUnavailable(self.name, f"it does not answer ({type(error).__name__})") from None
        if answer.status == NOT_FOUND:
            return None
        self._check(answer)
        if len(content) > LONGEST:
            raise CloudProtocolError(self.name, "its answer is too long")
        return content

    def _check(self, answer: aiohttp.ClientResponse) -> None:
        if answer.status in {401, 402}:
            why = "refuses our key" if answer.status == 401 else "has none of our money left"
            raise AccountProblem(self.name, f"moon {why}; see https://moon.invalid/account")
        if answer.status == CONFLICT:
            raise OfferGone(self.name, "someone else took it")
        if answer.status == TOO_OFTEN:
            wait = timedelta(seconds=float(answer.headers.get("Retry-After", 60)))
            raise RateLimited(self.name, "asked too often", retry_after=wait)
        if not answer.ok:
            raise CloudUnavailable(self.name, f"it answers {answer.status}")

    def _read(self, kind: type[Wire], content: bytes | None) -> Wire:
        try:
            return kind.model_validate_json(content or b"")
        except ValidationError as error:
            raise CloudProtocolError(self.name, f"its answer is no {kind.__name__}") from error


def moon(*, url: str | None, key: str, session: aiohttp.ClientSession, folder: Path) -> MoonCloud:
    return MoonCloud(url=url or URL, key=key, session=session, limit=timedelta(seconds=30))
