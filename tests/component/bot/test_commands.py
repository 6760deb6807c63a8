"""Each chat command, from the typed line to the answer."""

from datetime import timedelta
from typing import get_args

import pytest

from bot.adapters.charts import cost_chart
from bot.adapters.pictures import content_type
from bot.chat.buttons import Action
from bot.chat.card import Card
from bot.chat.commands import Command, Imagine, Press
from bot.chat.fake import RecordingSurface
from bot.chat.model import Answer, Refused, Reply, Started
from bot.service.desk import Desk, open_desk
from bot.service.router import FOR_ADMINS, FOR_ALL
from orchestrator.api import Cancelled, InstanceId, JobId, RequestError, UserId
from tests.component.bot.conftest import Chat
from tests.component.bot.fake_orchestrator import FakeOrchestrator

ADA = UserId("recording:ada")


def card(answer: Answer) -> Card:
    assert isinstance(answer, Started)
    (only,) = answer.cards
    return only


def reply(answer: Answer) -> Reply:
    assert isinstance(answer, Reply)
    return answer


def refused(answer: Answer) -> str:
    assert isinstance(answer, Refused)
    return answer.sentence


# Imagine.


async def test_a_prompt_becomes_one_job_with_only_what_was_said(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    shown = card(await chat.say("/imagine a cat --seed 7", key="abc"))

    (request,) = orchestrator.requests
    assert shown.prompt == "a cat"
    assert request.values == {"prompt": "a cat", "seed": 7}
    assert (request.user, request.surface, request.idempotency_key) == (ADA, "recording", "abc")


async def test_the_same_key_gives_the_same_card(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    first = card(await chat.say("a cat", key="abc"))
    second = card(await chat.say("a cat", key="abc"))

    assert first.job == second.job
    assert len(orchestrator.requests) == 1


async def test_several_are_started_only_after_a_yes_that_knows_their_price(
    chat: Chat, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.warm(ADA)

    question = reply(await chat.say("/imagine a {red, blue} hat --n 5"))

    assert question.text == "This makes 2 requests with 10 pictures: about 40 s of painting, about $0.0038."
    assert question.lines == ("a red hat", "a blue hat")
    assert orchestrator.requests == []
    assert question.confirm is not None

    answer = await chat.say(question.confirm.command)

    assert isinstance(answer, Started)
    assert [shown.prompt for shown in answer.cards] == ["a red hat", "a blue hat"]


async def test_without_a_machine_the_price_is_said_to_be_a_guess(chat: Chat) -> None:
    question = reply(await chat.say("a {red, blue} hat"))

    assert "as a guess, warming up a GPU not counted" in question.text


async def test_many_that_are_confirmed_twice_are_started_once(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    await chat.say("{a, b} --yes", key="k")
    await chat.say("{a, b} --yes", key="k")

    assert len(orchestrator.requests) == 2


async def test_when_the_queue_fills_up_it_says_how_many_were_started(
    chat: Chat, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.room = 2

    answer = await chat.say("{a, b, c} --yes")

    assert isinstance(answer, Started)
    assert len(answer.cards) == 2
    assert answer.note.startswith("2 of 3 were started. You have 2 requests under way")


async def test_what_the_orchestrator_refuses_is_said_with_the_options_that_people_type(
    chat: Chat, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.refuse = RequestError("out_of_range", name="count", value="11", allowed="1 to 10")

    assert refused(await chat.say("a cat")) == "--n must be 1 to 10, not 11."


async def test_a_mistake_starts_nothing(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    assert "Did you mean --steps?" in refused(await chat.say("a cat --stepz 4"))
    assert orchestrator.requests == []


def test_every_command_is_done_by_somebody() -> None:
    assert {*FOR_ALL, *FOR_ADMINS, Press} == set(get_args(Command))
    assert not FOR_ALL.keys() & FOR_ADMINS.keys()


# Buttons.


async def press(chat: Chat, job: JobId, action: Action, *, by: str = "ada", is_admin: bool = False) -> Answer:
    return await chat.do(Press(job=job, action=action), by=by, is_admin=is_admin)


async def test_buttons_do_what_they_say(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    job = card(await chat.say("a cat --seed 7")).job
    reply(await press(chat, job, Action.CANCEL))

    assert isinstance(await press(chat, job, Action.AGAIN), Started)
    assert orchestrator.requests[1].values["prompt"] == "a cat"
    assert reply(await press(chat, job, Action.DETAILS)).data["job"] == job
    assert str(reply(await press(chat, job, Action.EDIT)).data["text"]).startswith("/imagine a cat")


@pytest.mark.parametrize("action", list(Action))
async def test_buttons_belong_to_the_one_who_asked(chat: Chat, orchestrator: FakeOrchestrator, action: Action) -> None:
    job = card(await chat.say("a cat")).job
    orchestrator.succeed(job, b"picture")
    orchestrator.warm(ADA)

    assert refused(await press(chat, job, action, by="bob")) == "That request is somebody else's."
    assert orchestrator.views[job].ended_at is not None
    assert ADA in orchestrator.sessions


async def test_an_admin_gives_back_the_machine_of_the_one_who_asked(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    job = card(await chat.say("a cat")).job
    orchestrator.warm(ADA)

    reply(await press(chat, job, Action.RELEASE, by="bob", is_admin=True))

    assert ADA not in orchestrator.sessions


async def test_what_started_from_a_picture_cannot_be_edited(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    job = card(await chat.say("a cat")).job
    orchestrator.succeed(job, b"picture")
    variation = card(await press(chat, job, Action.VARY)).job
    orchestrator.succeed(variation, b"picture")

    assert "cannot be typed" in refused(await press(chat, variation, Action.EDIT))


# Again, Vary.


async def test_again_is_the_same_with_a_new_seed(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    first = card(await chat.say("a cat --seed 7 --ar 16:9 --lora b0throps:0.5"))

    await chat.say(f"/again {first.job}")

    values = orchestrator.requests[1].values
    assert "seed" not in values
    assert (values["prompt"], values["aspect"], values["lora"], values["strength"]) == (
        "a cat",
        "16:9",
        "b0throps",
        0.5,
    )


async def test_again_without_a_name_means_the_newest(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    await chat.say("a cat")
    await chat.say("a dog")

    assert card(await chat.say("/again")).prompt == "a dog"


async def test_vary_starts_from_the_picture_with_a_workflow_that_can(
    chat: Chat, orchestrator: FakeOrchestrator
) -> None:
    first = card(await chat.say("a cat --n 2 --lora b0throps"))
    orchestrator.succeed(first.job, b"one", b"two")

    await chat.say(f"/vary {first.job} 2")

    request = orchestrator.requests[1]
    assert (request.workflow, request.source) == ("repaint", f"{first.job}-1")
    assert request.values["prompt"] == "a cat"
    assert not {"seed", "count", "lora"} & request.values.keys()


async def test_a_request_whose_pictures_are_no_longer_kept_says_so(
    chat: Chat, orchestrator: FakeOrchestrator, desk: Desk
) -> None:
    first = card(await chat.say("a cat"))
    orchestrator.succeed(first.job, b"one")
    orchestrator.no_longer_keep(first.job)

    assert "no longer kept" in reply(await chat.say("/history")).lines[0]
    shown = await desk.cards.card(first.job)
    assert shown is not None
    assert Action.VARY not in {button.action for button in shown.buttons}
    assert "no longer kept; Again" in refused(await chat.say(f"/vary {first.job}"))
    assert card(await chat.say(f"/again {first.job}")).prompt == "a cat"


@pytest.mark.parametrize(("text", "says"), [("/vary {job}", "no picture yet"), ("/vary {job} 3", "no picture yet")])
async def test_what_is_not_painted_cannot_be_varied(chat: Chat, text: str, says: str) -> None:
    first = card(await chat.say("a cat"))

    assert says in refused(await chat.say(text.format(job=first.job)))


async def test_a_picture_that_is_not_there_cannot_be_varied(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    first = card(await chat.say("a cat"))
    orchestrator.succeed(first.job, b"one")

    assert refused(await chat.say(f"/vary {first.job} 3")) == "That request has no picture 3; it has 1."


async def test_somebody_elses_request_is_theirs_but_an_admin_may(chat: Chat) -> None:
    first = card(await chat.say("a cat"))

    assert refused(await chat.say(f"/again {first.job}", by="bob")) == "That request is somebody else's."
    assert card(await chat.say(f"/again {first.job}", by="bob", is_admin=True)).prompt == "a cat"


async def test_a_request_that_is_not_there_is_no_error(chat: Chat) -> None:
    assert refused(await chat.say("/again")) == "You have not asked for anything yet."
    assert refused(await chat.say("/again nothing")) == "There is no request nothing; /history lists yours."


# Cancel.


async def test_cancel_without_a_name_stops_the_newest_unfinished_one(
    chat: Chat, orchestrator: FakeOrchestrator
) -> None:
    first = card(await chat.say("a cat"))
    second = card(await chat.say("a dog"))
    orchestrator.succeed(second.job, b"one")

    assert reply(await chat.say("/cancel")).text == "Cancelled: a cat"
    assert isinstance(orchestrator.views[first.job].status, Cancelled)


async def test_cancel_says_why_it_cannot(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    assert refused(await chat.say("/cancel")) == "Nothing of yours is under way."
    first = card(await chat.say("a cat"))
    assert refused(await chat.say(f"/cancel {first.job}", by="bob")) == "That request is somebody else's."
    orchestrator.succeed(first.job, b"one")
    assert refused(await chat.say(f"/cancel {first.job}")) == "That request is over already."
    assert refused(await chat.say("/cancel job99")).startswith("There is no request job99")


# The person's machine.


async def test_session_says_what_runs_what_it_costs_and_until_when(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    assert reply(await chat.say("/session")).text == "No machine of yours is running."
    orchestrator.warm(ADA)

    said = reply(await chat.say("/session"))

    assert said.text == "Your GPU is warm."
    assert said.lines == (
        "RTX 4090 · Sweden · sandbox · $0.34/h",
        "warm since 14:25",
        "warm until 14:40 if nothing more is asked",
        "3 pictures, $0.12 so far",
    )


async def test_keep_says_until_when_and_what_it_costs(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    assert "no warm machine to keep" in refused(await chat.say("/keep"))
    orchestrator.warm(ADA)

    said = reply(await chat.say("/session keep 30"))

    assert said.text == "Your GPU stays warm until 15:00, 30 minutes from now; that adds at most $0.11."


async def test_release_says_what_it_saved(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    assert "no machine to give back" in refused(await chat.say("/release"))
    orchestrator.warm(ADA)

    said = reply(await chat.say("/release"))

    assert said.text == "Your GPU is given back; that saves $0.056. The next request warms up another."


async def test_a_card_made_after_keep_shows_the_new_time(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    orchestrator.warm(ADA)
    first = card(await chat.say("a cat"))
    orchestrator.succeed(first.job, b"one")

    before = card(await chat.say("a cat", key="key1"))
    await chat.say("/keep 60")
    after = card(await chat.say("a cat", key="key1"))

    assert before.caption.endswith("warm until 14:40")
    assert after.caption.endswith("warm until 15:30")


# Reading.


async def test_help_lists_each_command_with_an_example_and_hides_what_is_for_admins(chat: Chat) -> None:
    for_all = reply(await chat.say("/help")).lines
    for_admins = reply(await chat.say("/help", is_admin=True)).lines

    assert any(line.startswith("/imagine a lighthouse at dusk --ar 16:9 · ") for line in for_all)
    assert any(line.startswith("--steps · Steps, 1 to 50, else 4") for line in for_all)
    assert not any(line.startswith("/cost") for line in for_all)
    assert any(line.startswith("/cost 7 · ") for line in for_admins)


async def test_workflows_lists_options_and_loras(chat: Chat) -> None:
    said = reply(await chat.say("/workflows"))

    assert "paint: Text to picture." in said.lines
    assert "LoRAs: b0throps, inkwash" in said.lines
    assert "repaint: Picture to picture. Starts from a picture: use Vary." in said.lines


async def test_history_is_the_newest_first_and_only_ones_own(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    assert "not asked for anything yet" in reply(await chat.say("/history")).text
    await chat.say("a cat")
    orchestrator.now += timedelta(minutes=5)
    await chat.say("a dog")
    await chat.say("a fox", by="bob")

    lines = reply(await chat.say("/history")).lines

    assert [line.split(" · ")[0] for line in lines] == ["a dog", "a cat"]
    assert "just now" in lines[0]
    assert "5 minutes ago" in lines[1]


async def test_details_names_every_parameter(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    first = card(await chat.say("a cat --seed 7"))
    orchestrator.succeed(first.job, b"one")

    lines = reply(await chat.say(f"/details {first.job}")).lines

    assert "What to paint: a cat" in lines
    assert "Seed: 7" in lines
    assert "painted by your RTX 4090 in 14 s for $0.0013" in lines


async def test_me_says_who_i_am_and_what_i_spent(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    orchestrator.warm(ADA)

    said = reply(await chat.say("/me"))

    assert said.text == "You are recording:ada."
    assert said.lines == ("$0 in the last 30 days", "this session: 3 pictures, $0.12")


# Admins.


@pytest.mark.parametrize("text", ["/status", "/cost", "/admin sessions", "/admin stop machine1", "/admin drain on"])
async def test_what_is_for_admins_is_refused_to_others(chat: Chat, text: str) -> None:
    assert refused(await chat.say(text)) == "That is for admins."


async def test_status_is_everything_at_a_glance(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    orchestrator.warm(ADA)
    await chat.say("a cat")

    said = reply(await chat.say("/status", is_admin=True))

    assert said.text == "1 machine · 1 session · 1 request under way · $0.12 today · $1.25 this month"
    assert said.lines[-1] == "sandbox: answers · unknown machines 0, seen 3 s ago"
    assert (said.data["queue"], said.data["checked_s_ago"], said.data["month_usd"]) == (1, 3.0, 1.25)


async def test_cost_says_what_was_spent_for_what(chat: Chat) -> None:
    said = reply(await chat.say("/cost 7", is_admin=True))

    assert said.text == "$1.25 in 7 days for 250 pictures, $0.005 each."
    assert said.data["by_user"] == [{"user": "web:ada", "usd": 1.25}]


async def test_cost_comes_with_a_chart_where_one_can_be_drawn(orchestrator: FakeOrchestrator) -> None:
    desk = open_desk(orchestrator, [RecordingSurface()], lambda: orchestrator.now, chart=cost_chart)

    (picture,) = reply(await Chat(desk).say("/cost 7", is_admin=True)).pictures

    assert content_type(picture) == "image/png"


async def test_an_admin_ends_one_machine(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    orchestrator.warm(ADA)

    sessions = reply(await chat.say("/admin sessions", is_admin=True))
    stopped = reply(await chat.say("/admin stop machine1", is_admin=True))

    assert sessions.lines[0].endswith("/admin stop machine1")
    assert "is being ended" in stopped.text
    assert InstanceId("machine1") not in orchestrator.instances
    assert "no live machine machine1" in refused(await chat.say("/admin stop machine1", is_admin=True))


async def test_while_draining_nothing_new_is_accepted(chat: Chat) -> None:
    await chat.say("/admin drain on", is_admin=True)
    assert "No new request is accepted" in refused(await chat.say("a cat"))
    assert "/admin drain off" in reply(await chat.say("/status", is_admin=True)).lines[-1]

    await chat.say("/admin drain off", is_admin=True)
    assert card(await chat.say("a cat")).job == JobId("job1")


# Presets.


async def test_a_saved_preset_is_used_by_its_name(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    saved = reply(await chat.say("/presets save Poster --ar 9:16 --steps 6 --no text, frame"))
    await chat.say("/imagine a cat --preset poster --seed 7")

    assert saved.text == "Saved. Use it like this: /imagine a lighthouse at dusk --preset poster"
    (request,) = orchestrator.requests
    assert request.values == {"prompt": "a cat", "aspect": "9:16", "steps": 6, "negative": "text, frame", "seed": 7}


async def test_presets_are_listed_and_removed(chat: Chat) -> None:
    await chat.say("/presets save poster --ar 9:16")
    await chat.say("/presets save fast --steps 2")

    assert reply(await chat.say("/presets")).lines == ("fast: --steps 2", "poster: --ar 9:16")
    assert reply(await chat.say("/presets remove FAST")).text == "The preset fast is removed."
    assert reply(await chat.say("/presets")).lines == ("poster: --ar 9:16",)


async def test_a_preset_is_its_owners_alone(chat: Chat) -> None:
    await chat.say("/presets save poster --ar 9:16", by="ada")

    said = refused(await chat.say("/imagine a cat --preset poster", by="bob"))

    assert said == "You have no preset poster. /presets lists yours."
    assert reply(await chat.say("/presets", by="bob")).lines == ()


async def test_a_preset_that_makes_no_sense_is_refused_when_it_is_saved(chat: Chat) -> None:
    assert refused(await chat.say("/presets save x a cat")) == (
        "A preset has options alone, such as --ar 2:3 --steps 6; leave out a cat."
    )
    assert refused(await chat.say("/presets save x --steps 900")).startswith("--steps must be")
    assert refused(await chat.say("/presets save x --ar 9:16 --yes")).endswith("leave out --yes.")
    assert reply(await chat.say("/presets")).lines == ()


async def test_removing_a_preset_that_does_not_exist_names_the_nearest(chat: Chat) -> None:
    await chat.say("/presets save poster --ar 9:16")

    assert refused(await chat.say("/presets remove postr")) == (
        "You have no preset postr. Did you mean poster? /presets lists yours."
    )


# Forgetting.


async def test_forgetting_is_asked_about_first(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    question = reply(await chat.say("/forget me"))

    assert orchestrator.people.forgotten == []
    assert question.confirm is not None
    done = reply(await chat.say(question.confirm.command))
    assert done.text == "Forgotten: 3 requests and 0 pictures."
    assert orchestrator.people.forgotten == [ADA]


# Blocked words.


async def test_what_an_admin_blocks_may_not_be_asked_for_in_that_place(
    chat: Chat, orchestrator: FakeOrchestrator
) -> None:
    blocked = reply(await chat.say("/admin words add Clown", is_admin=True))

    assert (blocked.text, blocked.lines) == ("1 word blocked here:", ("clown",))
    assert refused(await chat.say("a sad CLOWN")) == (
        "clown may not be asked for here; say it in other words, or ask an admin."
    )
    assert orchestrator.requests == []
    card(await chat.say("a sad clown", place="elsewhere"))
    card(await chat.say("a clownfish"))


async def test_several_are_refused_before_the_first_is_started(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    await chat.say("/admin words add clown", is_admin=True)

    refused(await chat.say("/imagine a {cat, clown} --yes"))

    assert orchestrator.requests == []


async def test_again_does_not_get_around_a_word_that_was_blocked_since(chat: Chat) -> None:
    job = card(await chat.say("a clown")).job
    await chat.say("/admin words add clown", is_admin=True)

    assert refused(await chat.say(f"/again {job}")).startswith("clown may not be asked for here")


async def test_a_word_is_allowed_again(chat: Chat) -> None:
    await chat.say("/admin words add clown", is_admin=True)

    assert reply(await chat.say("/admin words remove clown", is_admin=True)).text == "No word is blocked here."
    assert refused(await chat.say("/admin words remove clown", is_admin=True)) == (
        "clown is not blocked here; /admin words lists what is."
    )
    card(await chat.say("a clown"))


async def test_only_admins_block_words(chat: Chat) -> None:
    assert refused(await chat.say("/admin words add clown")) == "That is for admins."


# Pictures for adults.


async def test_an_admin_chooses_where_pictures_may_be_made(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    chosen = reply(await chat.say("/admin pictures nsfw-only", is_admin=True))

    assert chosen.text == "Pictures are made here in age-restricted channels alone."
    assert refused(await chat.do(Imagine(text="a cat"), is_among_adults=False)) == (
        "Pictures are made in age-restricted channels alone here; ask there, or an admin (/admin pictures plain)."
    )
    assert orchestrator.requests == []
    card(await chat.do(Imagine(text="a cat")))
    card(await chat.do(Imagine(text="a cat"), place="elsewhere", is_among_adults=False))


async def test_how_pictures_are_shown_can_be_asked(chat: Chat) -> None:
    assert reply(await chat.say("/admin pictures", is_admin=True)).text == "Pictures are shown here as they are."
