"""The local page as a seat: a real bot process, seen through the page's API."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.processes import Client, Running, bot
from tests.system.scenario.seat import Heard, Seat, Seen


@dataclass(slots=True, kw_only=True)
class WebSeat(Seat):
    client: Client
    notices: list[str] = field(default_factory=list)

    async def ask(self, text: str) -> None:
        answer = await self.client.say(text)
        assert answer["status"] == 200, answer

    async def say(self, text: str) -> Heard:
        return _heard(await self.client.say(text))

    async def press_for_card(self, label: str) -> None:
        await self.ask((await self._button(label))["command"])

    async def press(self, label: str) -> Heard:
        return _heard(await self.client.say((await self._button(label))["command"]))

    async def card(self) -> Seen:
        card = (await self._cards())[0]
        view = card["view"]
        return Seen(
            words="\n".join([view["line"], *view["detail"], view["caption"]]),
            buttons=tuple(button["label"] for button in view["buttons"]),
            pictures=len(card["images"]),
        )

    async def cards(self) -> int:
        return len(await self._cards())

    async def told(self) -> list[str]:
        return self.notices

    async def _button(self, label: str) -> dict[str, Any]:
        buttons: list[dict[str, Any]] = (await self._cards())[0]["view"]["buttons"]
        return next(button for button in buttons if button["label"].startswith(label))

    async def _cards(self) -> list[dict[str, Any]]:
        cards: list[dict[str, Any]] = await self.client.get("/api/cards?user=ada")
        return cards

    async def listen(self) -> None:
        """Read what a page would be told."""
        async with self.client.http.get(f"{self.client.url}/api/events", params={"user": "ada"}) as events:
            kind = ""
            async for line in events.content:
                name, _, value = line.decode().strip().partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and kind == "notice":
                    self.notices.append(json.loads(value)["text"])


def _heard(answer: dict[str, Any]) -> Heard:
    if answer["status"] != 200:
        return Heard(words=answer["error"])
    reply = answer["reply"]
    return Heard(words="\n".join([reply["text"], *reply["lines"]]), charts=len(reply.get("pictures", [])))


@asynccontextmanager
async def web_seat(folder: Path, cloud: Running, **settings: str) -> AsyncIterator[Seat]:
    running = await bot(folder, cloud, **settings)
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http,
            asyncio.TaskGroup() as group,
        ):
            seat = WebSeat(client=Client(http, running.url))
            listening = group.create_task(seat.listen())
            yield seat
            listening.cancel()
    finally:
        await running.end()
