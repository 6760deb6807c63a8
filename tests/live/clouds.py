"""One picture at one cloud, and the proof that nothing of it is left there."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.system import SystemClock
from orchestrator.cli.e2e import run
from orchestrator.cli.target import Target
from orchestrator.control.identity import INSTALLATION
from orchestrator.domain.errors import CloudError
from orchestrator.domain.ids import InstallationId, installation_of
from orchestrator.ports.cloud import CloudProvider, Rental

APART_S = 5.0
"""Between the listings that prove an absence."""
GONE_WITHIN_S = 600.0


@dataclass(slots=True)
class Proof:
    """
    What is left of one run.

    Attributes:
        report: What ``e2e`` says; empty when it did not get so far.
        listings: What two complete listings showed of ours, one after the other, when it was over.
        ended_by_hand: What had to be ended because the run left it.
    """

    report: dict[str, Any] = field(default_factory=dict)
    listings: list[tuple[Rental, ...]] = field(default_factory=list)
    ended_by_hand: list[Rental] = field(default_factory=list)


async def one_picture(target: Target, cloud: CloudProvider, picture: Path) -> Proof:
    """Run ``e2e`` there; whatever becomes of it, nothing is left when this returns."""
    proof = Proof()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_leave_nothing, target, cloud, proof)
        proof.report = await run(target, "a lighthouse at dusk", picture, quiet=True)
    return proof


async def _leave_nothing(target: Target, cloud: CloudProvider, proof: Proof) -> None:
    ours = await _installation(target)
    async with asyncio.timeout(GONE_WITHIN_S):
        while len(proof.listings) < 2:
            try:
                left = tuple([r for r in await cloud.rentals() if ours and installation_of(r.label) == ours])
                for rental in left:
                    proof.ended_by_hand.append(rental)
                    await cloud.terminate(rental.ref)
            except CloudError:  # an absence is believed only from a complete listing: ask again
                left = ()
            else:
                proof.listings = [] if left else [*proof.listings, left]
            await asyncio.sleep(APART_S)


async def _installation(target: Target) -> InstallationId | None:
    """Whose label its machines carry; None where it did not even begin."""
    path = target.settings.data / "e2e" / target.key / "glowplug.sqlite3"
    if not path.exists():
        return None
    async with open_store_readonly(path, SystemClock()) as store, store.reading() as books:
        return InstallationId(await books.fact(INSTALLATION) or "")
