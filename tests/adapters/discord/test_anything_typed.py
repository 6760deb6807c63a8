"""Whatever is typed on Discord gives a job or one sentence: never an exception, never a mention."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import pytest
import simcord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.discord.markup import LONGEST_DESCRIPTION, escaped
from bot.adapters.discord.options import composed, options_of
from bot.chat.prompt import parse
from bot.chat.texts import sentence
from orchestrator.api import RequestError
from tests.adapters.discord.rest import Rest, checked_rest
from tests.adapters.discord.stage import Stage, set_stage
from tests.component.bot.fake_orchestrator import PAINT, REPAINT
from tests.unit.bot.test_discord_markup import CONSTRUCTS

IMAGINE = options_of((PAINT, REPAINT))

TAILS = ("", " --seed 7", " --n 3", " --ar 16:9", " --no ", ' --no "', " {a, b}", " {", " --yes", " --x")
OPTIONS = st.sampled_from(TAILS)
PROMPTS = st.builds(
    lambda text, times, options: (text * times)[:6000] + options,
    CONSTRUCTS.filter(bool),
    st.sampled_from([1, 1, 1, 50, 500]),
    OPTIONS,
).map(lambda prompt: prompt[:6000])


@asynccontextmanager
async def fresh(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    env = simcord.Env(discord.Client(intents=discord.Intents.none()))
    with checked_rest(monkeypatch) as rest:
        stage = set_stage(env, rest)
        await env.start()
        with env.time_context():
            yield stage
        await env.shutdown()
        env.raise_errors()


def mentions(rest: Rest) -> list[object]:
    """Bodies that may mention anybody."""
    bodies = [each.body.get("data", each.body) for each in rest.sent if isinstance(each.body, dict)]
    said = [body for body in bodies if body.get("embeds") or body.get("content")]
    return [body for body in said if body.get("allowed_mentions") != {"parse": []}]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts=st.lists(PROMPTS, min_size=1, max_size=12), negative=CONSTRUCTS.filter(bool))
def test_a_prompt_gives_a_card_or_one_sentence(
    monkeypatch: pytest.MonkeyPatch, prompts: list[str], negative: str
) -> None:
    async def ask() -> None:
        async with fresh(monkeypatch) as stage:
            for prompt in prompts:
                result = await stage.ada.slash(stage.channel, "imagine", prompt=prompt, negative=negative[:6000])
                assert result.response is not None
                assert result.response.embeds
                assert not result.response.message.mentions
            assert mentions(stage.rest) == []

    asyncio.run(ask())


@settings(max_examples=1000, deadline=None)
@given(prompts=st.lists(PROMPTS, min_size=10, max_size=10), negative=CONSTRUCTS)
def test_ten_thousand_of_them_are_judged_by_the_one_parser(prompts: list[str], negative: str) -> None:
    """Without Discord in between; takes a while for its number."""
    for prompt in prompts:
        try:
            wishes = parse(composed(prompt, {"negative": negative}, IMAGINE), (PAINT, REPAINT)).wishes
        except RequestError as error:
            text = sentence(error.key, error.values)
        else:
            text = str(wishes[0].values["prompt"])
        assert len(escaped(text)) <= LONGEST_DESCRIPTION
