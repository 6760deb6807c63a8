"""The stage of every test here."""

from collections.abc import AsyncIterator

import discord
import pytest
import simcord

from tests.adapters.discord.rest import Rest, checked_rest
from tests.adapters.discord.stage import Stage, set_stage


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A server with people, and the bot connected to it."""
    env = simcord.Env(discord.Client(intents=discord.Intents.none()))
    with checked_rest(monkeypatch) as rest:
        built = set_stage(env, rest)
        await env.start()
        try:
            yield built
        finally:
            await env.shutdown()
            env.raise_errors()


@pytest.fixture(autouse=True)
def env(request: pytest.FixtureRequest) -> simcord.Env | None:
    """So that simcord sets its clock in the test itself, and prints what happened when one fails."""
    if "stage" not in request.fixturenames:
        return None
    stage: Stage = request.getfixturevalue("stage")
    return stage.env


@pytest.fixture
def rest(stage: Stage) -> Rest:
    return stage.rest
