"""A town on Discord with a bot in it, on an orchestrator in memory."""

from collections.abc import AsyncIterator

import pytest

from bot.adapters.charts import cost_chart
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.discord.world import Discord, Town, a_town


@pytest.fixture
def orchestrator() -> FakeOrchestrator:
    return FakeOrchestrator()


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with a_town() as opened:
        yield opened


@pytest.fixture
async def discord(town: Town, orchestrator: FakeOrchestrator) -> AsyncIterator[Discord]:
    async with town.bot(orchestrator, lambda: orchestrator.now, chart=cost_chart) as running:
        yield running
