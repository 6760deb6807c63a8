"""Words on how a cloud and an API are doing, for ``doctor`` and ``status``, and what the books know of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from orchestrator.adapters.clouds.registry import CLOUDS
from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.inference.registry import APIS
from orchestrator.adapters.system import SystemClock
from orchestrator.api import BridgeView
from orchestrator.control.board import CloudHealth
from orchestrator.control.health import bridge_of_books, cloud_of_books
from orchestrator.domain.ids import CloudName
from orchestrator.domain.money import MicroUsd, dollars
from orchestrator.ports.store import Books
from orchestrator.settings import Settings


async def known_clouds(books: Books) -> dict[CloudName, CloudHealth]:
    """Each cloud of the registry, as the bot has left it in its books."""
    return {name: await cloud_of_books(books, name) for name in CLOUDS}


async def known_bridges(books: Books) -> list[BridgeView]:
    """Each API that the bot has ever asked."""
    views = [await bridge_of_books(books, name) for name in APIS]
    return [view for view in views if view is not None]


async def remembered(settings: Settings) -> dict[CloudName, CloudHealth]:
    """As :func:`known_clouds`; nothing where no bot has run yet."""
    path = settings.data / "glowplug.sqlite3"
    if not path.exists():
        return {}
    async with open_store_readonly(path, SystemClock()) as store, store.reading() as books:
        return await known_clouds(books)


def money_words(balance: MicroUsd | None, lasts: timedelta | None) -> str:
    if balance is None:
        return ""
    enough = "" if lasts is None else f", enough for {lasts.total_seconds() / 3600:.1f} h of the machines there"
    return f"${dollars(balance):.2f} left{enough}"


def trouble_words(health: CloudHealth | None, now: datetime) -> list[str]:
    """The last error and until when it may not be asked, where there are such."""
    if health is None:
        return []
    found = []
    if health.limited_until is not None and health.limited_until > now:
        found.append(f"may not be asked before {health.limited_until:%H:%M:%S} UTC")
    if health.failed_at is not None:
        found.append(f"last error {health.failed_at:%Y-%m-%d %H:%M} UTC: {health.last_error}")
    return found


def joined(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)
