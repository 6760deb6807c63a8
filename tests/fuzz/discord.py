"""The little of Discord's payloads that we read ourselves: what a modal holds, a button's text, a kept request."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from bot.adapters.discord.markup import from_block, in_block, typed
from bot.adapters.discord.presses import IMAGINE, _field
from bot.chat.buttons import Action
from bot.chat.handle import ReplyHandle
from bot.chat.press import decode_press
from bot.chat.typed import read_command
from orchestrator.api import RequestError
from tests.fuzz.harness import Feed, Subject
from tests.fuzz.mutate import Mutator

TEXT = "/imagine a cat --seed 7 {red, blue}"
INPUT = {"type": 4, "id": 2, "custom_id": "text", "value": TEXT}
MODALS: tuple[dict[str, Any], ...] = (
    {"custom_id": "imagine", "components": [{"type": 18, "id": 1, "component": INPUT}]},
    {"custom_id": "imagine", "components": [{"type": 1, "components": [INPUT]}]},
)


@asynccontextmanager
async def _payloads() -> AsyncIterator[Feed]:
    async def feed(mutator: Mutator) -> object:
        try:
            data = json.loads(mutator.as_json(mutator.one_of(MODALS)))
        except (ValueError, RecursionError):
            data = mutator.anything()  # the library hands over nothing that is no JSON
        text = typed(_field(data)).removeprefix(IMAGINE)
        with suppress(RequestError):
            read_command(text)
        kept = mutator.damaged(in_block(TEXT).encode()).decode(errors="replace")
        pressed = decode_press(
            mutator.damaged(f"{mutator.one_of(list(Action))}:job-1:2".encode()).decode(errors="replace")
        )
        ReplyHandle.decode(mutator.as_json(["discord", "5", "interaction:7"]).decode(errors="replace"))
        return text, from_block(kept), pressed

    yield feed


SUBJECTS = (Subject(name="discord payloads", opened=_payloads),)
