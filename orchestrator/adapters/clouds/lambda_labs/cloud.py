"""
Lambda Cloud behind the port: what is asked in which order, and what each answer means for the caller.

Its machines are virtual machines with a login of their own (``ubuntu``, with sudo), not containers: the order's image
says nothing to them. There is no key that could end one machine alone, so that ``order.dead_man`` is left out and the
reconciler is the only net; a guest that shuts itself down is billed on.

A file system is in one region and is mounted by the order alone, at the ``mount_point`` that its listing tells: these
days ``/lambda/nfs/NAME`` (Lambda's API specification, version 1.8.3, Filesystem; older images had it in the home).
"""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import aiohttp

from orchestrator.adapters.clouds.exchange import AnswerLost, AnswerUnreadable
from orchestrator.adapters.clouds.lambda_labs import asking, wire
from orchestrator.adapters.clouds.lambda_labs.answers import (
    FROM_REGION,
    KEY_EXISTS,
    NO_SUCH,
    Answer,
    launch_refusal,
    refusal,
)
from orchestrator.adapters.clouds.lambda_labs.client import LambdaClient, Request
from orchestrator.adapters.clouds.lambda_labs.limits import Claim, Limits
from orchestrator.adapters.clouds.lambda_labs.pace import Pace
from orchestrator.adapters.clouds.lambda_labs.wire import FileSystem, Page
from orchestrator.domain.errors import (
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    LaunchUncertain,
    NotYetTerminated,
    VolumeMissing,
)
from orchestrator.domain.ids import CloudName, CloudRef, LaunchKey
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental

log = logging.getLogger(__name__)

LAMBDA = CloudName("lambda")
LAMBDA_URL = "https://cloud.lambda.ai"
"""The old name, cloud.lambdalabs.com, redirects, and the key would have to follow."""


class LambdaCloud(CloudProvider):
    """
    Lambda Cloud, or whatever speaks like it.

    Keeps two things in memory, both for this process alone: when the account may be asked again, and under which
    names it was seen to have our SSH keys.
    """

    def __init__(
        self,
        *,
        url: str = LAMBDA_URL,
        key: str,
        session: aiohttp.ClientSession,
        file_systems: tuple[str, ...] = (),
        limits: Limits | None = None,
        pace: float = 1.0,
    ) -> None:
        """
        Take a session that somebody else closes.

        Args:
            key: The account's key. It goes into one header and nowhere else.
            file_systems: Names of those that keep the models, best first; of two in one region the first is used.
            pace: Multiplies the cloud's shortest intervals between calls; 0 for a server that has none.
        """
        self._limits = limits or Limits()
        self._client = LambdaClient(
            cloud=LAMBDA, url=url, key=key, session=session, limits=self._limits, pace=Pace(pace)
        )
        self._file_systems = file_systems
        self._key_names: dict[str, str] = {}
        self._registering = asyncio.Lock()

    @property
    def name(self) -> CloudName:
        return LAMBDA

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        """
        See the port. What has capacity is only likely to: it changes within a minute (third parties' reports).

        Machines without their file system are better than none: what is wrong with it :meth:`account` tells.
        """
        there: Mapping[str, FileSystem] = {}
        try:
            there = await self._listed_file_systems()
        except CloudError as error:
            log.warning("%s; machines are offered without", error)
        answer = await self._types("list types")
        return wire.read_offers(
            LAMBDA,
            answer.body,
            vram_mib=int(requirements.vram_mib * VRAM_SLACK),
            disk_gib=requirements.disk_gib,
            compute_capability=requirements.compute_capability,
            file_systems=[there[name] for name in self._file_systems if name in there],
        )

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        ssh_key = asking.plain_key(order)
        key_name = await self._registered(ssh_key)
        request = Request(
            method="POST",
            path="/instance-operations/launch",
            doing="launch",
            limit=self._limits.launch,
            is_launch=True,
            body=asking.order_body(offer.id, key, key_name),
        )
        try:
            answer = await self._client.send(request)
        except (AnswerLost, AnswerUnreadable) as error:
            raise LaunchUncertain(LAMBDA, str(error)) from error
        if answer.code == NO_SUCH:  # the type, or our SSH key: somebody may have removed it
            self._key_names.pop(ssh_key, None)
        return self._launched(answer)

    async def rentals(self) -> tuple[Rental, ...]:
        rentals: dict[CloudRef, Rental] = {}
        for page in await self._pages_in_time():
            rentals |= {rental.ref: rental for rental in page.rentals}
        return tuple(rentals.values())

    async def rental(self, ref: CloudRef) -> Rental | None:
        answer = await self._client.send(
            Request(method="GET", path=f"/instances/{quote(ref, safe='')}", doing="show", limit=self._limits.read)
        )
        if answer.is_gone:
            return None
        if not answer.is_success:
            raise refusal(LAMBDA, answer, "show")
        return wire.read_rental(LAMBDA, answer.body, ref)

    async def terminate(self, ref: CloudRef) -> bool:
        """See the port. One machine a call: a list with one that is gone may be refused as a whole."""
        answer = await self._client.send(
            Request(
                method="POST",
                path="/instance-operations/terminate",
                doing="terminate",
                limit=self._limits.terminate,
                claim=Claim.ENDS_SPENDING,
                body={"instance_ids": [ref]},
            )
        )
        if answer.is_gone:
            return False
        if not answer.is_success:
            raise refusal(LAMBDA, answer, "terminate")
        if ref not in wire.read_terminated(LAMBDA, answer.body):
            raise NotYetTerminated(LAMBDA, "terminate: accepted, without naming the machine")
        return True

    async def account(self) -> Account:
        """
        See the port. Lambda sends a bill each week and tells no balance: what is learnt is that the key works.

        Raises:
            VolumeMissing: A file system is not there that the settings name.
        """
        wire.check_types(LAMBDA, (await self._types("account")).body)
        there = await self._listed_file_systems()
        if missing := [name for name in self._file_systems if name not in there]:
            raise VolumeMissing(LAMBDA, _missing_words(missing, sorted(there)))
        return Account(balance=None)

    async def _listed_file_systems(self) -> Mapping[str, FileSystem]:
        """By name; asked each time, for they come and go on Lambda's page, and not at all where none is wanted."""
        if not self._file_systems:
            return {}
        request = Request(method="GET", path="/file-systems", doing="list file systems", limit=self._limits.read)
        return {each.name: each for each in wire.read_file_systems(LAMBDA, (await self._ask(request)).body)}

    async def _types(self, doing: str) -> Answer:
        return await self._ask(Request(method="GET", path="/instance-types", doing=doing, limit=self._limits.read))

    async def _ask(self, request: Request) -> Answer:
        """Send *request* and raise whatever is no success."""
        answer = await self._client.send(request)
        if not answer.is_success:
            raise refusal(LAMBDA, answer, request.doing)
        if answer.body is None:
            raise CloudProtocolError(LAMBDA, f"{request.doing}: {answer.told}")
        return answer

    def _launched(self, answer: Answer) -> CloudRef:
        """Sort out what came of an order; where a machine may be, the error says so before it says anything else."""
        ref = wire.launched_ref(answer.body)
        if ref is not None and answer.is_success:
            return ref
        is_unclear = answer.is_success or answer.status >= 500 or answer.status == 408
        if ref is not None or is_unclear or answer.code.startswith(FROM_REGION):
            raise LaunchUncertain(LAMBDA, f"launch: {answer.told}", ref=ref)
        raise launch_refusal(LAMBDA, answer)

    async def _pages_in_time(self) -> list[Page]:
        try:
            async with asyncio.timeout(self._limits.listing.total_seconds()):
                return await self._all_pages()
        except TimeoutError as error:
            raise CloudUnavailable(LAMBDA, "list: not complete in time") from error

    async def _all_pages(self) -> list[Page]:
        """
        Read the listing to its end.

        The specification has it whole; newer servers were seen to add a ``page_token`` (third parties' emulators).
        """
        pages: list[Page] = []
        tokens: set[str] = set()
        query: dict[str, str] = {}
        while len(pages) < self._limits.pages:
            request = Request(
                method="GET", path="/instances", doing="list", limit=self._limits.read, query=query or None
            )
            page = wire.read_page(LAMBDA, (await self._ask(request)).body)
            pages.append(page)
            if page.following is None:
                return pages
            if page.following in tokens:
                raise CloudProtocolError(LAMBDA, "list: page_token: leads back to a page that was read")
            tokens.add(page.following)
            query = {"page_token": page.following}
        raise CloudProtocolError(LAMBDA, f"list: page_token: no end after {self._limits.pages} pages")

    async def _registered(self, ssh_key: str) -> str:
        """The name under which the account has our SSH key; asked once for each key, and added where it lacks."""
        try:
            async with asyncio.timeout(self._limits.launch.total_seconds()), self._registering:
                if ssh_key not in self._key_names:
                    self._key_names[ssh_key] = await self._register(ssh_key)
                return self._key_names[ssh_key]
        except TimeoutError as error:
            raise CloudUnavailable(LAMBDA, "register key: too slow, nothing was ordered") from error

    async def _register(self, ssh_key: str) -> str:
        """Add the key; where its name is taken, another life of ours was faster, and it is listed now."""
        if name := (await self._listed_keys()).get(ssh_key):
            return name
        wanted = asking.key_body(ssh_key)
        answer = await self._client.send(
            Request(method="POST", path="/ssh-keys", doing="register key", limit=self._limits.read, body=wanted)
        )
        if answer.is_success:
            return str(wanted["name"])
        if answer.status == 400 and answer.code in KEY_EXISTS and (name := (await self._listed_keys()).get(ssh_key)):
            return name
        raise refusal(LAMBDA, answer, "register key")

    async def _listed_keys(self) -> dict[str, str]:
        request = Request(method="GET", path="/ssh-keys", doing="register key", limit=self._limits.read)
        return dict(wire.read_keys(LAMBDA, (await self._ask(request)).body))


def _missing_words(missing: list[str], there: list[str]) -> str:
    return (
        f"LAMBDA_FILE_SYSTEMS: the account has no file system {', '.join(missing)}; create it on"
        f" {LAMBDA_URL}/file-systems in a region that you rent in, or change the setting"
        f" (there is {', '.join(there) or 'none'})"
    )


def lambda_labs(
    *,
    url: str | None,
    key: str,
    session: aiohttp.ClientSession,
    folder: Path,  # noqa: ARG001 - the cloud remembers
    volumes: tuple[str, ...] = (),
) -> CloudProvider:
    """Open Lambda Cloud, or a sandbox that speaks like it; its volumes are file systems."""
    return LambdaCloud(url=url or LAMBDA_URL, key=key, session=session, file_systems=volumes)
