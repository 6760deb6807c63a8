"""Telegram on this computer with a bot in it, on an orchestrator in memory."""

from collections.abc import AsyncIterator

import pytest

from bot.adapters.charts import cost_chart
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.telegram.server import TelegramServer, telegram_server
from tests.telegram.world import Telegram, telegram_bot


@pytest.fixture
def orchestrator() -> FakeOrchestrator:
    return FakeOrchestrator()


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with telegram_server() as running:
        yield running


@pytest.fixture
async def telegram(server: TelegramServer, orchestrator: FakeOrchestrator) -> AsyncIterator[Telegram]:
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now, chart=cost_chart) as running:
        yield running
