"""Whatever is typed gives a job or one sentence: ten thousand prompts, as people and attackers type them."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.discord import markup as discord_markup
from bot.adapters.discord import render as discord_render
from bot.adapters.telegram import markup as telegram_markup
from bot.adapters.telegram import render as telegram_render
from bot.chat.fake import RecordingSurface
from bot.chat.model import Answer, Refused, Reply, Started
from bot.service.desk import open_desk
from tests.component.bot.conftest import Chat
from tests.component.bot.fake_orchestrator import BEGIN, FakeOrchestrator
from tests.telegram.entities import read_html

PIECES = (
    "a cat",
    "@everyone",
    "@here",
    "<@123456789>",
    "<@&42>",
    "<#7>",
    "</imagine:1>",
    "<t:1:R>",
    "<:smile:1>",
    "**bold**",
    "__under__",
    "~~gone~~",
    "||spoiler||",
    "`code`",
    "```block",
    "# head",
    "-# small",
    "> quote",
    "- item",
    "[link](https://evil.example)",
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "&amp;",
    "tg://user?id=1",
    "{red, blue}",
    "{{x}}",
    "{",
    "}",
    "\\{",
    "--ar 16:9",
    "--seed 7",
    "--n 3",
    "--n 99",
    "--seed",
    "--what 1",
    "--lora ink:0.5",
    '--no "text',
    "--yes",
    "\u202e",
    "\u200b",
    "\ud800",
    "\x00",
    "\x02t:1:R\x03",
    "\n\n",
    "\U0001f525" * 20,
    "e\u0301" * 30,
    "long " * 300,
    "x" * 6000,
)
WORDS = st.one_of(st.sampled_from(PIECES), st.text(max_size=40))
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One loop for all prompts: a new one for each would take most of the time."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.timeout(600)
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(texts=st.lists(TEXTS, min_size=10, max_size=10))
def test_any_prompt_gives_a_job_or_one_sentence(loop: asyncio.Runner, texts: list[str]) -> None:
    """Ten thousand, ten in one example: an example of its own for each would take most of the time."""
    for text in texts:
        check_one(loop, text)


def check_one(loop: asyncio.Runner, text: str) -> None:
    orchestrator = FakeOrchestrator()
    chat = Chat(open_desk(orchestrator, [RecordingSurface()], lambda: BEGIN))

    answer = loop.run(chat.say(f"/imagine {text}"))

    assert is_a_job_or_a_sentence(answer)
    for line in said_on_discord(answer):
        assert MENTION_ON_DISCORD.search(line) is None
    for line in said_on_telegram(answer):
        assert MENTION_ON_TELEGRAM.search(read_html(line)[0]) is None


MENTION_ON_DISCORD = re.compile(r"@(?:everyone|here)|(?<!\\)<(?:[@#]|@&|/)")
MENTION_ON_TELEGRAM = re.compile(r"@\w|tg://\w")


def said_on_discord(answer: Answer) -> list[str]:
    match answer:
        case Started(cards=cards):
            return [discord_render.embed_of(card).description or "" for card in cards]
        case Reply():
            return [embed.description or "" for embed in discord_render.embeds_of(answer)]
        case Refused(sentence=said):
            return [discord_markup.escaped(said)]


def said_on_telegram(answer: Answer) -> list[str]:
    match answer:
        case Started(cards=cards):
            return [telegram_render.text_of(card) for card in cards]
        case Reply(lines=lines):
            return [telegram_markup.escaped(line, has_commands=True) for line in lines]
        case Refused(sentence=said):
            return [telegram_markup.escaped(said, has_commands=True)]


def is_a_job_or_a_sentence(answer: Answer) -> bool:
    match answer:
        case Started(cards=cards):
            return len(cards) >= 1
        case Reply(text=said):
            return said.startswith("This makes")
        case Refused(sentence=said):
            return said.endswith((".", "?")) and "\n" not in said and len(said) < 1000
