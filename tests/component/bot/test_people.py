"""One person on two chats, and what they want to be told."""

import logging
from dataclasses import replace

import pytest

from bot.chat.fake import RecordingSurface
from bot.chat.handle import ReplyHandle
from bot.chat.model import Answer, Call, Person, Refused, Reply, Started
from bot.chat.typed import read_command
from bot.service.desk import open_desk
from bot.service.router import Router
from orchestrator.api import (
    Cancelled,
    ColdStart,
    Failed,
    Failure,
    MicroUsd,
    NoticeKind,
    Preference,
    Routing,
    Served,
    ShadowLedger,
    ShadowRow,
    Status,
    Succeeded,
    UserId,
)
from tests.component.bot.conftest import Chat
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.unit.bot.samples import cold, decision, queued


class Chats:
    """Discord and Telegram with one bot behind them."""

    def __init__(self, orchestrator: FakeOrchestrator) -> None:
        surfaces = [RecordingSurface(name=name) for name in ("discord", "telegram")]
        self._router = Router(open_desk(orchestrator, surfaces, lambda: orchestrator.now))
        self._keys = 0

    async def say(
        self,
        text: str,
        *,
        at: str = "discord",
        by: str = "1",
        name: str = "",
        is_admin: bool = False,
        is_overheard: bool = False,
    ) -> Answer:
        self._keys += 1
        return await self._router.handle(
            Call(
                person=Person(user=UserId(f"{at}:{by}"), surface=at, is_admin=is_admin, name=name),
                command=read_command(text),
                handle=ReplyHandle(surface=at, chat="room", message=f"m{self._keys}"),
                key=f"key{self._keys}",
                place="room",
                is_overheard=is_overheard,
            )
        )


@pytest.fixture
def chats(orchestrator: FakeOrchestrator) -> Chats:
    return Chats(orchestrator)


def reply(answer: Answer) -> Reply:
    assert isinstance(answer, Reply), answer
    return answer


async def join(chats: Chats) -> None:
    code = reply(await chats.say("/link")).data["code"]
    reply(await chats.say(f"/link {code}", at="telegram", by="2"))


async def test_after_link_both_accounts_are_one_person(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    await join(chats)

    assert isinstance(await chats.say("a cat", at="telegram", by="2"), Started)

    (request,) = orchestrator.requests
    assert (request.user, request.surface) == ("discord:1", "telegram")
    assert "a cat" in reply(await chats.say("/history")).lines[0]


async def test_presets_of_one_account_are_there_on_the_other(chats: Chats) -> None:
    await join(chats)
    await chats.say("/presets save poster --steps 2")

    assert reply(await chats.say("/presets", at="telegram", by="2")).lines == ("poster: --steps 2",)


async def test_me_lists_the_accounts(chats: Chats) -> None:
    await join(chats)

    assert "your accounts: discord:1, telegram:2" in reply(await chats.say("/me")).lines


async def test_link_remove_takes_an_account_out_again(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    await join(chats)
    reply(await chats.say("/link remove", at="telegram", by="2"))

    await chats.say("a cat", at="telegram", by="2")

    assert orchestrator.requests[0].user == "telegram:2"


@pytest.mark.parametrize(
    ("text", "says"), [("/link NONSENSE", "wrong, used or older"), ("/link remove", "joined to no other")]
)
async def test_what_cannot_be_joined_is_said(chats: Chats, text: str, says: str) -> None:
    answer = await chats.say(text)

    assert isinstance(answer, Refused)
    assert says in answer.sentence


@pytest.mark.parametrize("text", ["/link", "/me", "/history", "/admin user discord:1"])
async def test_what_is_for_one_person_alone_is_not_said_where_others_read(chats: Chats, text: str) -> None:
    answer = await chats.say(text, is_overheard=True, is_admin=True)

    assert isinstance(answer, Refused)
    assert f"write {' '.join(text.split()[:2]).removesuffix(' discord:1')} to the bot in a private" in answer.sentence


async def test_a_code_that_others_have_read_is_good_for_nobody(chats: Chats) -> None:
    code = reply(await chats.say("/link")).data["code"]

    heard = await chats.say(f"/link {code}", at="telegram", by="2", is_overheard=True)
    stolen = await chats.say(f"/link {code}", at="telegram", by="3")

    assert isinstance(heard, Refused)
    assert "Others have read that code" in heard.sentence
    assert isinstance(stolen, Refused)


async def test_details_are_said_to_others_only_where_the_request_was_made(
    chats: Chats, orchestrator: FakeOrchestrator
) -> None:
    await chats.say("a cat")
    (name,) = orchestrator.views
    assert isinstance(await chats.say(f"/details {name}", is_overheard=True), Reply)

    origin = ReplyHandle(surface="discord", chat="a private one", message="m").encode()
    orchestrator.views[name] = replace(orchestrator.views[name], origin=origin)

    assert isinstance(await chats.say(f"/details {name}", is_overheard=True), Refused)


async def test_the_page_belongs_to_everybody_and_joins_nobody(chat: Chat) -> None:
    answer = await chat.say("/link")

    assert isinstance(answer, Refused)
    assert "Discord and Telegram" in answer.sentence


# Choices.


async def test_settings_show_every_choice_and_how_to_change_it(chats: Chats) -> None:
    said = reply(await chats.say("/settings"))

    assert said.data["notify"] == {"done": True, "failed": True, "giving-back": True, "budget": True}
    assert said.data["quiet"] == "none"
    assert any("/settings notify done off" in line for line in said.lines)


async def test_a_notice_may_be_written_with_a_dash_or_an_underscore(chats: Chats) -> None:
    said = reply(await chats.say("/settings notify giving_back off"))

    assert said.data["notify"] == {"done": True, "failed": True, "giving-back": False, "budget": True}


async def test_admins_choose_for_admins_news_as_well(chats: Chats) -> None:
    said = reply(await chats.say("/settings", is_admin=True))

    assert set(said.data["notify"]) == set(NoticeKind)  # type: ignore[call-overload]


async def test_choices_are_changed_one_by_one(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    await chats.say("/settings notify done off")
    await chats.say("/settings quiet 22:00-08:30 -03:30")
    said = reply(await chats.say("/settings metadata on"))

    assert said.data["quiet"] == "22:00-08:30 (UTC-03:30)"
    profile = orchestrator.people.profiles[UserId("discord:1")]
    assert profile.muted == {NoticeKind.DONE}
    assert profile.wants_metadata
    assert reply(await chats.say("/settings quiet off")).data["quiet"] == "none"
    assert reply(await chats.say("/settings notify done on")).data["notify"]["done"] is True  # type: ignore[index]


async def test_a_kind_that_there_is_not_is_named(chats: Chats) -> None:
    answer = await chats.say("/settings notify dome off")

    assert isinstance(answer, Refused)
    assert "Did you mean done?" in answer.sentence


@pytest.mark.parametrize("hours", ["22-8", "25:00-08:00", "22:00-22:00", "22:00-08:61", "22:00-08:00 +15:00", "x"])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    with pytest.raises(Exception, match="bad_argument"):
        read_command(f"/settings quiet {hours}")


# Reading.


async def test_loras_say_how_to_use_them(chats: Chats) -> None:
    said = reply(await chats.say("/lora"))

    assert "--lora" in said.text
    assert said.data["loras"]


async def test_why_says_where_it_was_painted_and_by_which_rule(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    await chats.say("a cat")
    orchestrator.succeed(next(iter(orchestrator.views)), b"one")

    said = reply(await chats.say("/why"))

    assert "painted by your RTX 4090" in said.text
    assert any("first-user" in line for line in said.lines)


WHYS: list[tuple[Status, str, str]] = [
    (queued(waiting_for="capacity"), "No suitable GPU is on offer", "no machine of yours is free for it yet"),
    (cold(), "Warming up a GPU for you", "you had no machine, so one was rented: RTX 4090, Sweden, sandbox, $0.34/h"),
    (cold(), "ready in 2-4 min", "it waited for a cold start: renting 2.0 s"),
    (Failed(failure=Failure(key="no_cloud", values={})), "No GPU cloud is set up", ""),
    (Cancelled(cost=MicroUsd(4_000)), "Cancelled", ""),
]


@pytest.mark.parametrize(("status", "says", "because"), WHYS)
async def test_why_says_no_more_than_is_known(
    chats: Chats, orchestrator: FakeOrchestrator, status: Status, says: str, because: str
) -> None:
    await chats.say("a cat")
    (name,) = orchestrator.views
    stages = status.stages if isinstance(status, ColdStart) else ()
    orchestrator.views[name] = replace(orchestrator.views[name], status=status, stages=stages)

    said = reply(await chats.say("/why"))

    assert says in said.text
    assert any(because in line for line in said.lines)
    assert not any("was warm" in line for line in said.lines)


async def test_why_says_that_an_api_painted_where_nothing_is_rented(
    chats: Chats, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.clouds, orchestrator.bridges = (), ("your ComfyUI",)
    await chats.say("a cat")
    (name,) = orchestrator.views
    served = Served(by="your ComfyUI", seconds=3, cost=MicroUsd(0))
    orchestrator.views[name] = replace(orchestrator.views[name], status=Succeeded(images=(), served=served))

    said = reply(await chats.say("/why"))

    assert said.lines == (
        "no machine of yours was free and none can be rented here, so your ComfyUI painted it at once",
        "nothing is rented: your ComfyUI paints",
    )


async def test_why_says_that_a_warm_machine_needed_no_cold_start(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    await chats.say("a cat")
    orchestrator.succeed(next(iter(orchestrator.views)), b"one")

    assert "your machine was warm already: no cold start" in reply(await chats.say("/why")).lines


async def test_an_admin_chooses_where_pictures_are_made_while_a_machine_is_cold(
    chats: Chats, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.bridges = ("Replicate",)

    said = reply(await chats.say("/policy own", is_admin=True))
    assert "everything waits for its machine; Replicate paints for who says --now" in "\n".join(said.lines)
    assert isinstance(await chats.say("/policy nowhere", is_admin=True), Refused)
    assert orchestrator.routing is Routing.OWN


async def test_an_admin_chooses_what_becomes_of_what_an_api_keeps_back(
    chats: Chats, orchestrator: FakeOrchestrator
) -> None:
    await chats.say("a cat")
    assert "its person is told" in reply(await chats.say("/admin filtered", is_admin=True)).text
    assert "a machine makes it" in reply(await chats.say("/admin filtered remake", is_admin=True)).text
    await chats.say("a cat --own")

    first, second = orchestrator.requests
    assert (first.may_remake, first.prefers) == (False, Preference.DEFAULT)
    assert (second.may_remake, second.prefers) == (True, Preference.OWN)


async def test_why_says_by_which_numbers_a_machine_was_not_rented(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    orchestrator.bridges = ("Replicate",)
    await chats.say("a cat")
    (name,) = orchestrator.views
    served = Served(by="Replicate", seconds=3, cost=MicroUsd(3_000))
    orchestrator.views[name] = replace(orchestrator.views[name], status=Succeeded(images=(), served=served))
    orchestrator.decisions[name] = decision(policy="auto")

    said = reply(await chats.say("/why"))

    assert "no machine of yours was free, so Replicate painted it at once" in said.lines
    assert any("this was request 2 of 3" in line for line in said.lines)
    assert said.data["policy"] == "auto"


async def test_why_says_so_when_the_numbers_are_no_longer_kept(chats: Chats) -> None:
    await chats.say("a cat")

    assert "the numbers that it was decided by are no longer kept" in reply(await chats.say("/why")).lines


async def test_the_policy_says_what_others_would_have_cost(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    assert "not known yet" in reply(await chats.say("/policy", is_admin=True)).lines[-1]
    rows = (
        ShadowRow(name="auto", cost=MicroUsd(12_100_000), difference=MicroUsd(0)),
        ShadowRow(name="bridge-only", cost=MicroUsd(14_020_000), difference=MicroUsd(1_920_000)),
        ShadowRow(name="fixed(2,300,180)", cost=MicroUsd(11_800_000), difference=MicroUsd(-300_000)),
    )
    since = orchestrator.now
    orchestrator.shadow = ShadowLedger(since=since, requests=214, booked=MicroUsd(12_500_000), rows=rows)

    said = reply(await chats.say("/policy", is_admin=True))

    assert said.lines[-2:] == (
        (
            "on 214 requests since 1 Mar, as it would have been: auto $12.10, bridge-only $14.02 (+$1.92),"
            " fixed(2,300,180) $11.80 (-$0.30)"
        ),
        "really booked since then: $12.50",
    )


async def test_the_policy_is_for_admins(chats: Chats) -> None:
    assert isinstance(await chats.say("/policy"), Refused)
    assert "first-user" in reply(await chats.say("/policy", is_admin=True)).text


# What people ask for in the log.


@pytest.mark.parametrize("wanted", [False, True])
async def test_prompts_are_logged_only_if_the_operator_wants_it(
    orchestrator: FakeOrchestrator, caplog: pytest.LogCaptureFixture, wanted: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    chat = Chat(open_desk(orchestrator, [RecordingSurface()], lambda: orchestrator.now, logs_prompts=wanted))

    await chat.say("a secret cat")

    assert ("a secret cat" in caplog.text) is wanted


# What admins do about people and money.


async def test_an_admin_sees_one_person_with_all_their_accounts(chats: Chats) -> None:
    await join(chats)
    await chats.say("a cat", at="telegram", by="2")

    said = reply(await chats.say("/admin user telegram:2", is_admin=True))

    assert said.text.startswith("discord:1: may ask for pictures, ")
    assert said.lines[0] == "accounts: discord:1, telegram:2"
    assert any(line.startswith("a cat · ") for line in said.lines)


async def test_whoever_is_blocked_asks_in_vain_on_every_account(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    await join(chats)
    assert "blocked" in reply(await chats.say("/admin user discord:1 block", is_admin=True)).text

    answer = await chats.say("a cat", at="telegram", by="2")
    assert isinstance(answer, Refused)
    assert "ask them why" in answer.sentence
    assert orchestrator.requests == []

    await chats.say("/admin user discord:1 allow", is_admin=True)
    assert isinstance(await chats.say("a cat"), Started)


@pytest.mark.parametrize("text", ["/session keep 30", "/link", "/link CODE0", "/link remove", "/settings", "/history"])
async def test_whoever_is_blocked_gets_one_sentence_whatever_they_say(chats: Chats, text: str) -> None:
    await chats.say("a cat")
    await chats.say("/link")
    await chats.say("/admin user discord:1 block", is_admin=True)

    answer = await chats.say(text)

    assert isinstance(answer, Refused)
    assert "ask them why" in answer.sentence


async def test_whoever_is_blocked_may_still_end_costs_and_be_forgotten(
    chats: Chats, orchestrator: FakeOrchestrator
) -> None:
    await chats.say("a cat")
    orchestrator.warm(UserId("discord:1"))
    await chats.say("/admin user discord:1 block", is_admin=True)

    for text in ("/cancel", "/release", "/forget me --yes"):
        reply(await chats.say(text))


async def test_no_account_of_a_blocked_person_gets_out_by_being_forgotten(
    chats: Chats, orchestrator: FakeOrchestrator
) -> None:
    await join(chats)
    await chats.say("/admin user telegram:2 block", is_admin=True)
    orchestrator.people.accounts.clear()

    for at, by in (("discord", "1"), ("telegram", "2")):
        assert isinstance(await chats.say("a cat", at=at, by=by), Refused)


async def test_an_admin_who_is_blocked_can_still_undo_it(chats: Chats) -> None:
    await chats.say("a cat", is_admin=True)
    await chats.say("/admin user discord:1 block", is_admin=True)

    assert "may ask" in reply(await chats.say("/admin user discord:1 allow", is_admin=True)).text


@pytest.mark.parametrize("who", ["discord:1", "1", "<@1>", "@1", "Ada Lovelace", "ada lovelace"])
async def test_an_admin_finds_a_person_by_account_number_mention_or_name(chats: Chats, who: str) -> None:
    await chats.say("a cat", name="Ada Lovelace")

    said = reply(await chats.say(f"/admin user {who}", is_admin=True, by="7"))

    assert said.data["user"] == "discord:1"
    assert said.lines[0] == "accounts: discord:1 (Ada Lovelace)"


async def test_of_several_people_with_one_name_the_admin_says_which(chats: Chats) -> None:
    await chats.say("a cat", name="Ada")
    await chats.say("a cat", by="2", name="Ada")

    answer = await chats.say("/admin user Ada", is_admin=True)

    assert isinstance(answer, Refused)
    assert answer.sentence == "Several people are called Ada; say which one: discord:1, discord:2."


async def test_somebody_can_be_blocked_before_they_said_anything(chats: Chats) -> None:
    reply(await chats.say("/admin user telegram:5 block", is_admin=True))

    assert isinstance(await chats.say("a cat", at="telegram", by="5"), Refused)


async def test_nobody_is_blocked_by_a_name_that_nobody_has(chats: Chats) -> None:
    assert isinstance(await chats.say("/admin user Adda block", is_admin=True), Refused)


async def test_somebody_who_never_asked_is_unknown(chats: Chats) -> None:
    answer = await chats.say("/admin user discord:99", is_admin=True)

    assert isinstance(answer, Refused)
    assert "Nobody called discord:99" in answer.sentence


async def test_budgets_are_shown_and_changed(chats: Chats, orchestrator: FakeOrchestrator) -> None:
    assert reply(await chats.say("/admin budget", is_admin=True)).lines[:2] == (
        "day: $0.12 of $5.00",
        "month: $0.12 no cap",
    )

    await chats.say("/admin budget month 40.50", is_admin=True)
    said = reply(await chats.say("/admin budget day off", is_admin=True))

    assert said.data["caps"] == {"day": None, "month": 40.5}


@pytest.mark.parametrize("amount", ["-1", "0", "many", "99999", "1.234"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(Exception, match="bad_argument"):
        read_command(f"/admin budget day {amount}")
