"""Caps as they are in force: what the settings say, and what an admin has changed since."""

import json
from dataclasses import replace

from orchestrator.control.shared import Shared
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.spend import Cap, Caps
from orchestrator.ports.store import Books

FACT = "caps"


async def caps_in_force(books: Books, shared: Shared) -> Caps:
    """An admin's change outlasts restarts; a cap that no admin has touched follows the settings."""
    changed: dict[str, int | None] = json.loads(await books.fact(FACT) or "{}")
    limits = {name: None if limit is None else MicroUsd(limit) for name, limit in changed.items()}
    return replace(shared.caps, **limits)


async def change_cap(books: Books, cap: Cap, limit: MicroUsd | None) -> None:
    """None switches it off."""
    changed = json.loads(await books.fact(FACT) or "{}")
    await books.set_fact(FACT, json.dumps({**changed, str(cap): limit}))
