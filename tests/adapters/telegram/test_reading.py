"""An update that nobody can read is passed over; it keeps no other from being handled, and is told nobody."""

from typing import Any

import pytest
from telegram import Update
from telegram.error import TelegramError

from bot.adapters.telegram.reading import UpdatesRequest, update_of
from tests.component.bot.conftest import until
from tests.telegram.server import TelegramServer, person
from tests.telegram.world import ADA, Telegram

CHAT = {"id": ADA, "type": "private"}
MESSAGE: dict[str, Any] = {"message_id": 5, "date": 1, "chat": CHAT, "from": person(ADA), "text": "a secret cat"}


@pytest.mark.parametrize(
    "spoiled",
    [
        {"message": {**MESSAGE, "message_id": "5"}},
        {"message": {**MESSAGE, "chat": None}},
        {"message": {**MESSAGE, "date": 10**18}},
        {"message": {**MESSAGE, "from": "ada"}},
        {"message": [MESSAGE]},
        {"edited_message": {**MESSAGE, "chat": {"id": 10**30}}},
        {"callback_query": {"id": 7, "from": person(ADA), "data": "a secret"}},
    ],
)
async def test_an_update_of_another_shape_is_confirmed_and_the_next_one_is_handled(
    server: TelegramServer, telegram: Telegram, caplog: pytest.LogCaptureFixture, spoiled: dict[str, Any]
) -> None:
    caplog.set_level("DEBUG", "bot")
    server._push(spoiled)
    first = server._updates[-1]["update_id"]
    server.write(ADA, "/help")

    await until(lambda: telegram.heard() and first in server.confirmed)

    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[" * 100_000,
        b"[]",
        b'{"ok": true}',
        b'{"ok": true, "result": {}}',
        b'{"ok": true, "result": [{}]}',
        b'{"ok": true, "result": [{"update_id": 1e400}]}',
    ],
)
def test_an_answer_that_is_none_is_an_error_of_telegrams(payload: bytes) -> None:
    with pytest.raises(TelegramError):
        UpdatesRequest.parse_json_payload(payload)


@pytest.mark.parametrize("parameters", [[], "x", {"retry_after": "soon"}, {"retry_after": 10**30}, {"retry_after": -1}])
def test_no_wait_is_longer_than_a_day(parameters: object) -> None:
    read = UpdatesRequest.parse_json_payload(
        f'{{"ok": false, "parameters": {parameters!r}}}'.replace("'", '"').encode()
    )

    assert 0 <= (read.get("parameters") or {}).get("retry_after", 0) <= 86_400


def test_what_we_read_is_all_that_is_left() -> None:
    said = {"update_id": 1, "poll": {}, "message": {**MESSAGE, "entities": [{"type": 5}], "text": "a\ud800cat"}}

    update = Update.de_json(update_of(said), None)

    assert update.message is not None
    assert update.message.text == "a?cat"
    assert update.message.entities == ()
    assert update.poll is None


async def test_somebody_without_a_name_is_somebody(server: TelegramServer, telegram: Telegram) -> None:
    """Accounts that were deleted have none."""
    nobody = {"id": ADA, "is_bot": False, "first_name": ""}
    server._push({"message": {**MESSAGE, "from": nobody, "text": "/me"}})

    await until(telegram.heard)
