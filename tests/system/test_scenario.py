"""From a typed /imagine to a machine that is given back: the same story, with the same words, on every surface."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.processes import Running, sandbox
from tests.system.scenario.discord import discord_seat
from tests.system.scenario.seat import Seat, card_when, told_when
from tests.system.scenario.telegram import telegram_seat
from tests.system.scenario.web import web_seat

pytestmark = pytest.mark.timeout(180)

Open = Callable[..., AbstractAsyncContextManager[Seat]]
IDLE_S = 30
"""Long enough for the story, short enough to wait for the news that it is nearly over."""

SEATS: dict[str, Open] = {"web": web_seat, "discord": discord_seat, "telegram": telegram_seat}


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Running]:
    async with sandbox(tmp_path, "--speed", "4", "--paint-ms", "300") as running:
        yield running


@pytest.fixture(params=SEATS)
async def seat(request: pytest.FixtureRequest, tmp_path: Path, cloud: Running) -> AsyncIterator[Seat]:
    async with SEATS[request.param](tmp_path, cloud, GLOWPLUG_IDLE_TIMEOUT_S=str(IDLE_S)) as opened:
        yield opened


async def test_the_whole_story(seat: Seat) -> None:
    # A cold start, in one message.
    await seat.ask("/imagine a lighthouse at dusk --n 2 --seed 7 --size 512x512")
    warming = await card_when(seat, "warmed up", lambda card: "Warming up a GPU for you" in card.words)
    assert "a lighthouse at dusk" in warming.words
    assert "Cancel" in warming.buttons
    assert warming.pictures == 0

    # The pictures, in the same message.
    done = await card_when(seat, "had pictures", lambda card: card.pictures)
    assert await seat.cards() == 1
    assert "2 pictures" in done.words
    assert "seed 7" in done.words
    assert "warm until" in done.words
    for label in ("Again", "Edit", "Keep 30 min", "Release", "Details"):
        assert any(button.startswith(label) for button in done.buttons), label

    # Again, on the warm machine.
    await seat.press_for_card("Again")
    again = await card_when(seat, "had pictures again", lambda card: card.pictures and "seed 7" not in card.words)
    assert await seat.cards() == 2
    assert "a lighthouse at dusk" in again.words

    # Nobody asks for anything, so the machine is about to go; its person is told alone.
    await told_when(seat, "that the machine goes", lambda sentence: "is given back at" in sentence)
    assert "stays warm until" in (await seat.press("Keep")).words

    # Cancelled in time.
    await seat.ask("/imagine a slow cat --n 10 --steps 8")
    await card_when(seat, "began", lambda card: "Cancel" in card.buttons)
    await seat.press("Cancel")
    cancelled = await card_when(seat, "was cancelled", lambda card: "Cancelled at" in card.words)
    assert cancelled.pictures == 0

    # The machine: kept, and given back.
    assert "Your GPU is warm" in (await seat.say("/session")).words
    assert "stays warm until" in (await seat.say("/session keep 30")).words
    assert "is given back" in (await seat.say("/session release")).words

    # What the operator sees.
    assert "under way" in (await seat.say("/status")).words
    cost = await seat.say("/cost 7")
    assert "for 3 pictures" in cost.words or "for 4 pictures" in cost.words
    assert cost.charts == 1
    assert await seat.cards() == 3
    assert len([sentence for sentence in await seat.told() if "is given back at" in sentence]) == 1


@pytest.fixture(params=SEATS)
async def bridged(request: pytest.FixtureRequest, tmp_path: Path, cloud: Running) -> AsyncIterator[Seat]:
    async with SEATS[request.param](tmp_path, cloud, GLOWPLUG_BRIDGE="") as opened:
        yield opened


async def test_while_the_machine_gets_warm_an_api_makes_the_picture(bridged: Seat) -> None:
    seat = bridged
    await seat.ask("/imagine a lighthouse at dusk --seed 7")
    first = await card_when(seat, "had a picture", lambda card: card.pictures)
    assert "by Replicate" in first.words
    assert "$0.003" in first.words

    warm = await card_when(seat, "told of the machine", lambda card: "is warm until" in card.words)
    assert "by Replicate" in warm.words
    assert warm.pictures == first.pictures
    assert any(button.startswith("Keep 30 min") for button in warm.buttons)
    assert await seat.cards() == 1

    await seat.ask("/imagine a cat --seed 8")
    second = await card_when(seat, "had the next picture", lambda card: card.pictures and "a cat" in card.words)
    assert "Replicate" not in second.words
    assert "your " in second.words
    assert await seat.cards() == 2
