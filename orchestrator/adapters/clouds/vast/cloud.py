"""Vast.ai behind the port: what is asked in which order, and what each answer means for the caller."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp

from orchestrator.adapters.clouds.exchange import AnswerLost, AnswerUnreadable
from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.vast import asking, wire
from orchestrator.adapters.clouds.vast import limits as endpoints
from orchestrator.adapters.clouds.vast.answers import Answer, launch_refusal, refusal
from orchestrator.adapters.clouds.vast.asking import Taste
from orchestrator.adapters.clouds.vast.client import Request, VastClient
from orchestrator.adapters.clouds.vast.limits import Endpoint
from orchestrator.adapters.clouds.vast.onstart import plain_key
from orchestrator.adapters.clouds.vast.pace import Pace
from orchestrator.adapters.clouds.vast.wire import Page
from orchestrator.domain.errors import (
    AccountProblem,
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    LaunchUncertain,
    NotYetTerminated,
)
from orchestrator.domain.ids import CloudName, CloudRef, LaunchKey
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental

log = logging.getLogger(__name__)

VAST = CloudName("vast")
SANDBOX = CloudName("sandbox")
VAST_URL = "https://console.vast.ai"
"""No other host: the cloud's other names redirect, and the key would have to follow."""


class VastCloud(CloudProvider):
    """
    Vast.ai, or whatever speaks like it.

    Keeps two things in memory, both for this process alone: when an endpoint may be asked again, and which SSH keys
    the account was seen to have.
    """

    def __init__(
        self,
        *,
        url: str = VAST_URL,
        key: str,
        session: aiohttp.ClientSession,
        name: CloudName = VAST,
        limits: Limits | None = None,
        pace: float = 1.0,
        taste: Taste | None = None,
    ) -> None:
        """
        Take a session that somebody else closes.

        Args:
            key: The account's key. It goes into one header and nowhere else.
            pace: Multiplies the cloud's shortest intervals between calls; 0 for a cloud that has none.
        """
        self._name = name
        self._url = url
        self._limits = limits or Limits()
        self._taste = taste or Taste()
        self._client = VastClient(cloud=name, url=url, key=key, session=session, limits=self._limits, pace=Pace(pace))
        self._registered: set[str] = set()
        self._registering = asyncio.Lock()

    @property
    def name(self) -> CloudName:
        return self._name

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        request = Request(
            endpoint=endpoints.SEARCH,
            method="POST",
            path="/api/v0/bundles/",
            doing="search",
            limit=self._limits.search,
            body=asking.search_body(requirements, self._taste),
        )
        answer = await self._ask(request)
        return wire.read_offers(self._name, answer.body, disk_gib=requirements.disk_gib)

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        """See the port. An SSH key that the account did not take is given to the machine, once there is one."""
        request = Request(
            endpoint=endpoints.LAUNCH,
            method="PUT",
            path=f"/api/v0/asks/{quote(offer.id, safe='')}/",
            doing="launch",
            limit=self._limits.launch,
            body=asking.order_body(key, order, self._url),
        )
        ssh_key = plain_key(order.ssh_public_key)
        is_registered = await self._is_registered(ssh_key)
        try:
            answer = await self._client.send(request)
        except (AnswerLost, AnswerUnreadable) as error:
            raise LaunchUncertain(self._name, str(error)) from error
        ref = self._launched(answer)
        if not is_registered:
            await self._attach(ref, ssh_key)
        return ref

    async def rentals(self) -> tuple[Rental, ...]:
        try:
            async with asyncio.timeout(self._limits.listing.total_seconds()):
                return await self._all_pages()
        except TimeoutError as error:
            raise CloudUnavailable(self._name, "list: not complete in time") from error

    async def rental(self, ref: CloudRef) -> Rental | None:
        answer = await self._client.send(self._about(ref, "GET", endpoints.SHOW, self._limits.read))
        if answer.is_gone:
            return None
        if not answer.is_success:
            raise refusal(self._name, answer, "show")
        return wire.read_rental(self._name, answer.body, ref)

    async def terminate(self, ref: CloudRef) -> bool:
        answer = await self._client.send(self._about(ref, "DELETE", endpoints.TERMINATE, self._limits.terminate))
        if answer.is_gone or (answer.is_success and answer.fields.get("success") is True):
            return not answer.is_gone
        error = refusal(self._name, answer, "terminate")
        if answer.status < 300 and isinstance(error, CloudProtocolError):
            raise NotYetTerminated(self._name, f"terminate: {answer.told}")
        raise error

    async def account(self) -> Account:
        request = Request(
            endpoint=endpoints.ACCOUNT,
            method="GET",
            path="/api/v0/users/current/",
            doing="account",
            limit=self._limits.read,
        )
        return wire.read_account(self._name, (await self._ask(request)).body)

    async def _ask(self, request: Request) -> Answer:
        """Send *request* and raise whatever is no success."""
        answer = await self._client.send(request)
        if not answer.is_success:
            raise refusal(self._name, answer, request.doing)
        return answer

    def _about(self, ref: CloudRef, method: str, endpoint: Endpoint, limit: timedelta) -> Request:
        return Request(
            endpoint=endpoint,
            method=method,
            path=f"/api/v0/instances/{quote(ref, safe='')}/",
            doing="show" if method == "GET" else "terminate",
            limit=limit,
            body={} if method == "DELETE" else None,
        )

    def _launched(self, answer: Answer) -> CloudRef:
        """Sort out what came of an order; where a machine may be, the error says so before it says anything else."""
        ref = wire.launched_ref(answer.body)
        if ref is not None and answer.is_success:
            return ref
        refused = launch_refusal(self._name, answer)
        is_unclear = answer.status < 300 and isinstance(refused, CloudProtocolError)
        if ref is not None or is_unclear or isinstance(refused, CloudUnavailable) or answer.status >= 500:
            raise LaunchUncertain(self._name, f"launch: {answer.told}", ref=ref)
        raise refused

    async def _all_pages(self) -> tuple[Rental, ...]:
        rentals: dict[CloudRef, Rental] = {}
        tokens: set[str | None] = set()
        after: str | None = None
        for _ in range(self._limits.pages):
            page = await self._page(after)
            tokens.add(after)
            rentals |= {rental.ref: rental for rental in page.rentals}
            after = page.following
            if after is None:
                return self._complete(rentals, page)
            if after in tokens:
                raise CloudProtocolError(self._name, "list: next_token: leads back to a page that was read")
        raise CloudProtocolError(self._name, f"list: next_token: no end after {self._limits.pages} pages")

    async def _page(self, after: str | None) -> Page:
        request = Request(
            endpoint=endpoints.LIST,
            method="GET",
            path="/api/v1/instances/",
            doing="list",
            limit=self._limits.read,
            query=asking.page_query(after),
        )
        return wire.read_page(self._name, (await self._ask(request)).body)

    def _complete(self, rentals: dict[CloudRef, Rental], last: Page) -> tuple[Rental, ...]:
        """Believe a listing only if it has all that its last page counts; machines may come and go between pages."""
        if len(rentals) < last.total:
            raise CloudProtocolError(
                self._name, f"list: total_instances: {last.total} are said to be, {len(rentals)} are listed"
            )
        return tuple(rentals.values())

    async def _is_registered(self, ssh_key: str) -> bool:
        """
        See that the account has our SSH key, which it puts onto new machines; ask once for each key.

        False when our key may not manage keys. A key that may do nothing at all finds out from the order itself.
        """
        try:
            async with asyncio.timeout(self._limits.launch.total_seconds()), self._registering:
                if ssh_key not in self._registered:
                    await self._register(ssh_key)
                    self._registered.add(ssh_key)
        except AccountProblem as error:
            log.info("the SSH key is not registered, the machine gets it by itself: %s", error)
            return False
        except TimeoutError as error:
            raise CloudUnavailable(self._name, "register key: too slow, nothing was ordered") from error
        return True

    async def _register(self, ssh_key: str) -> None:
        def request(method: str, endpoint: Endpoint, body: dict[str, str] | None) -> Request:
            limit = self._limits.read
            return Request(
                endpoint=endpoint, method=method, path="/api/v0/ssh/", doing="register key", limit=limit, body=body
            )

        answer = await self._client.send(request("GET", endpoints.LIST_KEYS, None))
        has_none = answer.status == 404 and not answer.is_key_refused
        if not has_none and not answer.is_success:
            raise refusal(self._name, answer, "register key")
        if has_none or ssh_key not in wire.read_keys(self._name, answer.body):
            await self._ask(request("POST", endpoints.ADD_KEY, {"ssh_key": ssh_key}))

    async def _attach(self, ref: CloudRef, ssh_key: str) -> None:
        """Give the machine our SSH key; that it exists matters more than that this works."""
        request = Request(
            endpoint=endpoints.ATTACH_KEY,
            method="POST",
            path=f"/api/v0/instances/{quote(ref, safe='')}/ssh/",
            doing="attach key",
            limit=self._limits.read,
            body={"ssh_key": ssh_key},
        )
        try:
            await self._ask(request)
        except CloudError as error:
            log.warning("machine %s may not let us in: %s", ref, error)


def vast(*, url: str | None, key: str, session: aiohttp.ClientSession, folder: Path) -> CloudProvider:  # noqa: ARG001 - the cloud remembers
    """Open Vast.ai itself."""
    return VastCloud(url=url or VAST_URL, key=key, session=session)


def vast_in_a_sandbox(*, url: str | None, key: str, session: aiohttp.ClientSession, folder: Path) -> CloudProvider:  # noqa: ARG001 - the same
    """Open a sandbox cloud, which speaks like Vast.ai and does not mind how often it is asked."""
    if url is None:
        raise ValueError("a sandbox cloud has no usual address")
    return VastCloud(url=url, key=key, session=session, name=SANDBOX, pace=0)
