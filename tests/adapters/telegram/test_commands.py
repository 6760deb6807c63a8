"""Commands, buttons and links, as people use them in private and in groups."""

import pytest
from aiohttp import ClientSession

from bot.adapters.telegram.answering import deep_link
from bot.adapters.telegram.polling import SECRET_HEADER, Webhook
from bot.adapters.telegram.surface import TelegramOptions, TelegramSurface
from bot.chat.access import Access
from bot.chat.model import Note
from bot.chat.surface import Backend, SurfaceFailed, SurfaceUnavailable, Unreachable
from bot.chat.typed import COMMANDS
from bot.service.desk import open_desk
from bot.service.router import Router
from orchestrator.api import JobId, UserId
from tests.adapters.telegram.test_cards import FIRST, asked
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.processes import free_port
from tests.telegram.server import TelegramServer, person
from tests.telegram.world import ADA, BOB, GROUP, ROOT, Telegram, picture, telegram_bot

STRANGER = 99


async def said(telegram: Telegram, text: str, *, user: int = ADA, chat: int | None = None) -> str:
    """What is answered to *text*."""
    where = user if chat is None else chat
    so_far = len(telegram.heard(where))
    telegram.server.write(user, text, chat=chat)
    await until(lambda: len(telegram.heard(where)) > so_far)
    return telegram.heard(where)[-1]


async def painted(telegram: Telegram, orchestrator: FakeOrchestrator, count: int = 1) -> None:
    await asked(telegram)
    orchestrator.succeed(FIRST, *(picture() for _ in range(count)))
    await until(lambda: FIRST in orchestrator.acknowledged)


async def toast(telegram: Telegram, label: str, *, user: int = ADA) -> str:
    """What a press is answered with."""
    so_far = len(telegram.server.toasts)
    telegram.server.press(user, telegram.cards()[0], label)
    await until(lambda: len(telegram.server.toasts) > so_far)
    return telegram.server.toasts[-1]


# Words.


async def test_in_private_a_text_is_a_prompt(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    await asked(telegram, "a cat --seed 7")

    assert orchestrator.requests[0].values == {"prompt": "a cat", "seed": 7}


async def test_in_a_group_only_commands_are_for_us(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    telegram.server.write(ADA, "nice weather", chat=GROUP)
    telegram.server.write(ADA, "/imagine@other_bot a dog", chat=GROUP)
    telegram.server.write(ADA, "/imagine@glowplug_bot a cat", chat=GROUP)
    await until(lambda: telegram.cards(GROUP))

    assert [request.values["prompt"] for request in orchestrator.requests] == ["a cat"]
    assert len(telegram.heard(GROUP)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/history", "not asked for anything"),
        ("/presets", "no preset yet"),
        ("/workflows", "--seed"),
        ("/me", "You are"),
        ("/help", "/imagine"),
        ("/session", "No machine of yours"),
        ("/session keep 60", "no warm machine"),
        ("/cancel", "Nothing of yours is under way"),
        ("/nonsense", "There is no command /nonsense"),
        ("/imagine", "Say what to paint"),
        ("/imagine a cat --stepz 4", "Did you mean --steps?"),
    ],
)
async def test_commands_are_answered_in_words(telegram: Telegram, text: str, says: str) -> None:
    assert says in await said(telegram, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/status", "0 machines"),
        ("/admin sessions", "0 sessions"),
        ("/admin drain on", "No new request"),
        ("/admin words add rude", "1 word blocked"),
    ],
)
async def test_admins_commands_are_for_admins(telegram: Telegram, text: str, says: str) -> None:
    assert says in await said(telegram, text, user=ROOT)
    assert "for admins" in await said(telegram, text)


async def test_a_code_to_join_accounts_is_never_shown_to_a_group(telegram: Telegram) -> None:
    assert "in a private chat" in await said(telegram, "/link", chat=GROUP)
    assert "Write /link" in await said(telegram, "/link")


async def test_cost_comes_with_a_chart(telegram: Telegram) -> None:
    telegram.server.write(ROOT, "/cost 7")

    await until(lambda: [message for message in telegram.server.seen(ROOT) if message.photo])
    assert "in 7 days" in telegram.heard(ROOT)[0]


async def test_several_requests_are_asked_about_and_the_button_starts_them_once(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    assert "2 requests" in await said(telegram, "a {red, blue} hat")
    (question,) = telegram.server.seen(ADA)

    telegram.server.press(ADA, question, "Start 2 requests")
    telegram.server.press(ADA, question, "Start 2 requests")

    await until(lambda: len(telegram.cards()) == 2)
    assert [request.values["prompt"] for request in orchestrator.requests] == ["a red hat", "a blue hat"]


async def test_a_question_that_cannot_be_changed_is_answered_all_the_same(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await said(telegram, "a {red, blue} hat")
    (question,) = telegram.server.seen(ADA)
    telegram.server.misbehave("editMessageReplyMarkup", 502, "Bad Gateway")

    telegram.server.press(ADA, question, "Start 2 requests")

    await until(lambda: len(orchestrator.requests) == 2)


async def test_a_question_is_answered_by_whoever_was_asked(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    await said(telegram, "/imagine a {red, blue} hat", chat=GROUP)
    (question,) = telegram.server.seen(GROUP)

    telegram.server.press(BOB, question, "Start 2 requests")

    await until(lambda: telegram.server.toasts)
    assert telegram.server.toasts == ["That question was for somebody else."]
    assert orchestrator.requests == []


async def test_a_question_is_still_known_after_a_restart(
    server: TelegramServer, orchestrator: FakeOrchestrator
) -> None:
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        await said(telegram, "a {red, blue} hat")
        (question,) = server.seen(ADA)

    async with telegram_bot(server, orchestrator, lambda: orchestrator.now):
        server.press(ADA, question, "Start 2 requests")
        await until(lambda: len(orchestrator.requests) == 2)


async def test_an_edited_command_gets_one_hint_and_is_not_run(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    telegram.server.write(ADA, "/imagine a cat")
    await until(telegram.cards)

    telegram.server.edit(ADA, 100, "/imagine a dog")
    telegram.server.edit(ADA, 100, "/imagine a cow")

    await until(lambda: len(telegram.heard()) == 2)
    assert telegram.heard()[-1] == "A message that was edited is not run again; send it anew."
    assert await said(telegram, "/me")
    assert len(telegram.heard()) == 3
    assert len(orchestrator.requests) == 1


async def test_a_link_shows_its_prompt_and_runs_nothing(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    payload = deep_link("glowplug_bot", "a cat in a red hat").partition("start=")[2]

    assert "/imagine a cat in a red hat" in await said(telegram, f"/start {payload}")
    assert orchestrator.requests == []


@pytest.mark.parametrize("payload", ["", " help", " %%%", " AAAA"])
async def test_start_greets_and_whoever_starts_is_expected_to_ask(
    telegram: Telegram, orchestrator: FakeOrchestrator, payload: str
) -> None:
    assert "Say what to paint" in await said(telegram, f"/start{payload}")
    await until(lambda: orchestrator.expected == [f"telegram:{ADA}"])


# Buttons.


async def test_again_makes_a_new_card_below_the_old_one(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    await painted(telegram, orchestrator)

    telegram.server.press(ADA, telegram.cards()[0], "Again")

    await until(lambda: len(telegram.cards()) == 2)
    assert telegram.cards()[1].reply_to == telegram.cards()[0].id


async def test_vary_starts_from_the_picture_that_was_chosen(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    await painted(telegram, orchestrator, count=3)

    telegram.server.press(ADA, telegram.cards()[0], "Vary 2")

    await until(lambda: len(orchestrator.requests) == 2)
    assert orchestrator.requests[1].source == f"{FIRST}-1"


async def test_edit_gives_the_words_back_to_be_copied(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    await painted(telegram, orchestrator)

    telegram.server.press(ADA, telegram.cards()[0], "Edit")

    await until(lambda: len(telegram.heard()) == 2)
    assert "/imagine a lighthouse at dusk" in telegram.heard()[1]


async def test_keep_and_release_are_said_at_once_and_on_the_card(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.warm(UserId(f"telegram:{ADA}"))
    await painted(telegram, orchestrator)

    assert "stays warm until" in await toast(telegram, "Keep")
    assert "is given back" in await toast(telegram, "Release")
    await until(lambda: not [label for label in telegram.cards()[0].buttons if label.startswith("Release")])
    assert telegram.cards()[0].photo is not None


async def test_a_card_that_is_drawn_anew_after_a_press_obeys_the_pause_that_is_asked_for(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.warm(UserId(f"telegram:{ADA}"))
    await painted(telegram, orchestrator)
    telegram.server.misbehave("editMessageCaption", 429, "Too Many Requests: retry after 1", retry_after=1)

    await toast(telegram, "Release")

    await until(lambda: not [label for label in telegram.cards()[0].buttons if label.startswith("Release")])


@pytest.mark.parametrize("label", ["Again", "Vary", "Edit", "Details", "Original"])
async def test_buttons_belong_to_the_one_who_asked(
    telegram: Telegram, orchestrator: FakeOrchestrator, label: str
) -> None:
    await painted(telegram, orchestrator)

    assert "somebody else" in await toast(telegram, label, user=BOB)
    assert len(orchestrator.requests) == 1


async def test_originals_are_sent_at_most_once_a_press(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    """Its answer was lost: nobody knows whether they arrived, and twice would be worse than asking again."""
    await painted(telegram, orchestrator, count=2)
    telegram.server.misbehave("sendMediaGroup", 502, "Bad Gateway", is_done=True)

    telegram.server.press(ADA, telegram.cards()[0], "Originals")
    await until(lambda: len([each for each in telegram.server.seen(ADA) if each.files]) == 2)
    assert await said(telegram, "/me")

    assert [method for method, _ in telegram.server.calls].count("sendMediaGroup") == 1


async def test_originals_that_are_no_longer_kept_are_said_to_be(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await painted(telegram, orchestrator)
    orchestrator.no_longer_keep(FIRST)

    assert "no longer kept" in await toast(telegram, "Original")


async def test_a_press_that_telegram_has_forgotten_breaks_nothing(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram)
    telegram.server.misbehave("answerCallbackQuery", 400, "Bad Request: query is too old and response timeout expired")

    telegram.server.press(ADA, telegram.cards()[0], "Cancel")

    await until(lambda: "Cancelled" in telegram.cards()[0].text)


# Who may use it; what is offered.


async def test_strangers_are_told_whom_to_ask(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    assert f"ask @\u2060root to add {STRANGER}" in await said(telegram, "a cat", user=STRANGER)
    assert orchestrator.requests == []


async def test_an_answer_that_reaches_nobody_is_no_fault_of_ours(
    telegram: Telegram, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.server.misbehave("sendMessage", 403, "Forbidden: bot was blocked by the user")

    telegram.server.write(STRANGER, "a cat")
    await until(lambda: telegram.server.confirmed)

    assert "takes no messages any more" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


async def test_strangers_may_use_it_in_a_group_that_is_listed(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    telegram.server.write(STRANGER, "/imagine a cat", chat=GROUP)

    await until(lambda: orchestrator.requests)


async def test_everybody_is_offered_their_commands_and_admins_theirs(telegram: Telegram) -> None:
    offered = telegram.server.commands
    for_all = {name.removeprefix("/") for name, spoken in COMMANDS.items() if not spoken.is_for_admins}

    assert set(offered["default:"]) == for_all
    assert set(offered[f"chat:{ROOT}"]) == {name.removeprefix("/") for name in COMMANDS}


# News.


def note(**changes: object) -> Note:
    plain: dict[str, object] = {"user": UserId(f"telegram:{ADA}"), "sentence": "Your GPU is given back in 2 minutes."}
    return Note(**(plain | changes))  # type: ignore[arg-type]  # whatever a test changes


async def test_whoever_takes_no_private_messages_is_mentioned_where_they_asked(telegram: Telegram) -> None:
    telegram.server.misbehave("sendMessage", 403, "Forbidden: bot was blocked by the user", chat=ADA, times=None)

    await telegram.surface.notify(note(chat=str(GROUP)))

    (mention,) = telegram.server.seen(GROUP)
    assert mention.links == (f"tg://user?id={ADA}",)
    assert mention.text == "You: Your GPU is given back in 2 minutes."


@pytest.mark.parametrize("chat", ["", str(ADA), str(GROUP)])
async def test_whoever_takes_no_messages_at_all_is_said_to_be_closed(telegram: Telegram, chat: str) -> None:
    telegram.server.misbehave("sendMessage", 403, "Forbidden: bot was blocked by the user", times=None)

    with pytest.raises(Unreachable):
        await telegram.surface.notify(note(chat=chat))


async def test_admins_of_whom_none_opened_the_bot_are_said_to_be_closed(telegram: Telegram) -> None:
    telegram.server.misbehave("sendMessage", 403, "Forbidden: bot can't initiate conversation with a user", times=None)

    with pytest.raises(Unreachable):
        await telegram.surface.notify(note(user=None))


async def test_admins_are_told_each(telegram: Telegram) -> None:
    await telegram.surface.notify(note(user=None, sentence="A cloud refuses our key."))

    assert telegram.heard(ROOT) == ["A cloud refuses our key."]


async def test_without_an_admin_it_waits(server: TelegramServer, orchestrator: FakeOrchestrator) -> None:
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now, access=Access()) as telegram:
        with pytest.raises(SurfaceUnavailable, match="TELEGRAM_ADMINS"):
            await telegram.surface.notify(note(user=None))


# Starting.


async def test_a_token_that_is_refused_is_said_in_one_sentence(
    server: TelegramServer, orchestrator: FakeOrchestrator
) -> None:
    surface = TelegramSurface(TelegramOptions(token="1:wrong", access=Access(), api=server.url))
    desk = open_desk(orchestrator, [surface], lambda: orchestrator.now)

    with pytest.raises(SurfaceFailed) as failed:
        await surface.run(
            Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=lambda: orchestrator.now)
        )

    assert "TELEGRAM_TOKEN" in failed.value.sentence
    assert "1:wrong" not in failed.value.sentence


@pytest.mark.parametrize("method", ["getMe", "setMyCommands", "deleteWebhook", "getUpdates"])
async def test_a_telegram_that_is_down_for_a_moment_is_waited_for(
    server: TelegramServer, orchestrator: FakeOrchestrator, method: str
) -> None:
    """Takes a second: the first pause."""
    server.misbehave(method, 502, "Bad Gateway")
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        await asked(telegram)


async def test_another_program_with_the_same_token_is_said_and_waited_for(
    server: TelegramServer, orchestrator: FakeOrchestrator, caplog: pytest.LogCaptureFixture
) -> None:
    server.misbehave("getUpdates", 409, "Conflict: terminated by other getUpdates request")
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        await asked(telegram)

    assert "only one can run with a token" in caplog.text


async def test_a_webhook_brings_updates_with_our_secret_alone(
    server: TelegramServer, orchestrator: FakeOrchestrator
) -> None:
    port = free_port()
    webhook = Webhook(url=f"https://bot.example/{port}", port=port)
    update = {
        "update_id": 1,
        "message": {
            "message_id": 5,
            "date": 1,
            "chat": {"id": ADA, "type": "private"},
            "from": person(ADA),
            "text": "a cat",
        },
    }
    async with (
        telegram_bot(server, orchestrator, lambda: orchestrator.now, webhook=webhook) as telegram,
        ClientSession() as http,
    ):
        await until(lambda: server.webhook)
        assert server.webhook["url"] == webhook.url

        async with http.post(f"http://127.0.0.1:{port}/", json=update, headers={SECRET_HEADER: "guess"}) as refused:
            assert refused.status == 403
        secret = {SECRET_HEADER: server.webhook["secret_token"]}
        async with http.post(f"http://127.0.0.1:{port}/", data=b"nonsense", headers=secret) as bad:
            assert bad.status == 400
        for _ in range(2):
            async with http.post(f"http://127.0.0.1:{port}/", json=update, headers=secret) as taken:
                assert taken.status == 200

        await until(telegram.cards)
        assert list(orchestrator.views) == [JobId("job1")]
