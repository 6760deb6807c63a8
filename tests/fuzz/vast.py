"""Everything that Vast answers: each parser by itself, and the whole adapter behind a server that says anything."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from orchestrator.adapters.clouds.vast import wire
from orchestrator.adapters.clouds.vast.answers import Answer, asked_wait, launch_refusal, refusal
from orchestrator.adapters.clouds.vast.cloud import VAST, VastCloud
from orchestrator.adapters.strangers import read_json
from orchestrator.domain.errors import CloudError
from orchestrator.domain.ids import CloudRef, HostId, MachineId, OfferId
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Tariff
from orchestrator.ports.cloud import Rental
from tests.adapters.vast.scripted import KEY as API_KEY
from tests.adapters.vast.scripted import recorded
from tests.adapters.vast.specification import operations
from tests.contract.cloud_suite import KEY, NEEDS, ORDER
from tests.fuzz.harness import Feed, Subject
from tests.fuzz.mutate import Mutator
from tests.fuzz.schemas import from_schema
from tests.fuzz.server import any_server, http_answer

REF = CloudRef("31415926")
SHOWN = {"instances": recorded("instance_running")}
REFUSALS = tuple(row for row in recorded("refusals") if "body" in row)


def reachable(rental: Rental | None) -> Rental | None:
    """Whatever address a machine is said to have, it is one that can be tried."""
    if rental is not None and rental.address is not None:
        assert 0 < rental.address.port < 2**16
        assert rental.address.host.isascii()
    return rental


Parse = Callable[[Any], object]
PARSERS: dict[str, tuple[Parse, Any, str]] = {
    "offers": (lambda body: wire.read_offers(VAST, body, disk_gib=60), recorded("offers"), "search"),
    "launched": (wire.launched_ref, recorded("launched"), "launch"),
    "page": (
        lambda body: [reachable(rental) for rental in wire.read_page(VAST, body).rentals],
        recorded("page"),
        "list",
    ),
    "rental": (lambda body: reachable(wire.read_rental(VAST, body, REF)), SHOWN, "show"),
    "account": (lambda body: wire.read_account(VAST, body), recorded("account"), "account"),
    "keys": (lambda body: wire.read_keys(VAST, body), recorded("keys"), "keys"),
}
"""What reads a body, what it usually is, and what the specification calls it."""


def usual_body(mutator: Mutator, recording: Any, operation: str) -> Any:
    """As recorded, or drawn from the specification."""
    schema = operations()[operation]["answers"].get("200")
    return recording if schema is None or not mutator.chance(4) else from_schema(mutator.dice, schema)


def parser(name: str) -> Subject:
    """One reader of bodies, from the bytes on."""
    parse, recording, operation = PARSERS[name]

    @asynccontextmanager
    async def opened() -> AsyncIterator[Feed]:
        async def feed(mutator: Mutator) -> object:
            return parse(read_json(mutator.as_json(usual_body(mutator, recording, operation))))

        yield feed

    return Subject(name=f"vast {name}", opened=opened)


@asynccontextmanager
async def _refusals() -> AsyncIterator[Feed]:
    async def feed(mutator: Mutator) -> object:
        row = mutator.one_of(REFUSALS)
        raw = mutator.as_json(row["body"])
        headers = {str(name): str(said)[:200] for name, said in _headers(mutator, row).items()}
        answer = Answer(
            status=row["status"] if mutator.chance(2) else mutator.dice.randrange(100, 1000),
            headers=headers,
            text=raw.decode(errors="replace"),
            body=read_json(raw),
            key=API_KEY,
        )
        assert answer.told.isprintable()
        assert (asked_wait(answer) or 0) >= 0
        assert isinstance(refusal(VAST, answer, "show"), CloudError)
        raise launch_refusal(VAST, answer)

    yield feed


def _headers(mutator: Mutator, row: Any) -> dict[str, Any]:
    usual = {"Retry-After": "3", "Date": "Fri, 31 Jul 2026 12:00:00 GMT", "X-RateLimit-Reset": "1785542400"}
    changed = mutator.value(row.get("headers") or usual)
    return changed if isinstance(changed, dict) else {}


OFFER = Offer(
    cloud=VAST,
    id=OfferId("1000"),
    machine=MachineId("7"),
    host=HostId("3"),
    gpu="RTX 4090",
    vram_mib=24564,
    disk_gib=100,
    tariff=Tariff(running=MicroUsdPerHour(300_000), always=MicroUsdPerHour(10_000)),
    reliability=0.99,
    inet_down_mbps=1000,
    location="",
    cuda=12.4,
    compute_capability=8.9,
)


@asynccontextmanager
async def _adapter() -> AsyncIterator[Feed]:
    async with any_server() as server, aiohttp.ClientSession() as session:

        async def feed(mutator: Mutator) -> object:
            cloud = VastCloud(key=API_KEY, session=session, pace=0, url=server.url)
            name = mutator.one_of(("offers", "launch", "page", "rental", "account", "terminate"))
            _, recording, operation = PARSERS.get(name, PARSERS["launched"])
            body = usual_body(mutator, recording, operation)
            if mutator.chance(4):
                body = mutator.one_of(REFUSALS)["body"]
            server.answers[:] = [http_answer(mutator, body), http_answer(mutator, recorded("launched"))]
            match name:
                case "offers":
                    return await cloud.offers(NEEDS)
                case "launch":
                    return await cloud.launch(OFFER, KEY, ORDER)
                case "page":
                    return await cloud.rentals()
                case "rental":
                    return await cloud.rental(REF)
                case "account":
                    return await cloud.account()
                case _:
                    await cloud.terminate(REF)
                    return None

        yield feed


SUBJECTS = (
    *map(parser, PARSERS),
    Subject(name="vast refusals", opened=_refusals),
    Subject(name="vast over HTTP", opened=_adapter),
)
