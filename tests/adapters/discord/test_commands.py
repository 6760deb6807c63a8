"""Every slash command, button, modal and list of values, as people on a server use them."""

import discord as library
import pytest

from bot.chat.access import Access
from bot.chat.typed import COMMANDS
from orchestrator.api import JobId, UserId
from tests.adapters.discord.test_cards import picture
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.discord.world import Discord, a_town, heard, labels_of, words_of

FIRST = JobId("job1")


def ada(discord: Discord) -> UserId:
    return UserId(f"discord:{discord.town.ada.id}")


async def painted(discord: Discord, orchestrator: FakeOrchestrator, count: int = 1) -> None:
    """Ada's first request is done."""
    await discord.imagine()
    orchestrator.succeed(FIRST, *(picture() for _ in range(count)))
    await until(lambda: FIRST in orchestrator.acknowledged)


# Imagine and its options.


async def test_options_say_the_same_as_typed_ones(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await discord.imagine("a cat", aspect="16:9", seed=7, count=2, negative="text, hands")
    await discord.imagine('a cat --ar 16:9 --seed 7 --n 2 --no "text, hands"')

    one, other = orchestrator.requests
    assert one.values == other.values
    assert one.values["negative"] == "text, hands"


async def test_typed_options_stand_in_the_prompt_as_well(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await discord.imagine("a cat --seed 7", steps=2)

    assert (orchestrator.requests[0].values["seed"], orchestrator.requests[0].values["steps"]) == (7, 2)


async def test_an_option_that_is_there_twice_is_refused_to_the_person_alone(
    discord: Discord, orchestrator: FakeOrchestrator
) -> None:
    result = await discord.imagine("a cat --seed 7", seed=8)

    assert result.ephemeral
    assert "there twice" in heard(result)
    assert orchestrator.requests == []


async def test_more_loras_than_a_list_can_show_are_found_by_typing(discord: Discord) -> None:
    offered = await discord.town.ada.autocomplete(discord.town.channel, "imagine", "lora", "in", prompt="a cat")

    assert offered
    assert all("in" in choice["name"] for choice in offered)
    assert len(offered) <= 25


async def test_presets_are_offered_to_their_owner(discord: Discord) -> None:
    await discord.use("presets", options="save poster --ar 16:9")

    offered = await discord.town.ada.autocomplete(discord.town.channel, "imagine", "preset", "po", prompt="a cat")
    others = await discord.town.bob.autocomplete(discord.town.channel, "imagine", "preset", "po", prompt="a cat")

    assert [choice["name"] for choice in offered] == ["poster"]
    assert others == []


async def test_several_requests_are_asked_about_and_the_button_starts_them_once(
    discord: Discord, orchestrator: FakeOrchestrator
) -> None:
    question = await discord.imagine("a {red, blue} hat")
    assert question.ephemeral
    assert "2 requests" in heard(question)
    assert orchestrator.requests == []

    await discord.town.ada.click(question.response, label="Start 2 requests")

    await until(lambda: len(discord.cards()) == 2)
    assert [request.values["prompt"] for request in orchestrator.requests] == ["a red hat", "a blue hat"]


# Buttons.


async def test_again_makes_a_new_card(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await painted(discord, orchestrator)

    await discord.press("Again")

    assert len(discord.cards()) == 2
    assert orchestrator.requests[1].values["prompt"] == "a lighthouse at dusk"


async def test_vary_starts_from_the_picture_that_was_chosen(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await painted(discord, orchestrator, count=3)

    await discord.press("Vary 2")

    assert orchestrator.requests[1].source == f"{FIRST}-1"


async def test_edit_brings_the_words_back_and_sends_the_changed_ones(
    discord: Discord, orchestrator: FakeOrchestrator
) -> None:
    await discord.imagine("a cat", seed=7)
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    shown = await discord.press("Edit")
    assert shown.modal is not None
    assert "a cat" in str(shown.modal)
    await discord.town.ada.submit_modal(shown, {"text": "a dog --seed 8"})

    assert len(discord.cards()) == 2
    assert orchestrator.requests[1].values == {"prompt": "a dog", "seed": 8}


async def test_keep_says_until_when_to_the_person_alone_and_on_the_card(
    discord: Discord, orchestrator: FakeOrchestrator
) -> None:
    orchestrator.warm(ada(discord))
    await painted(discord, orchestrator)

    kept = await discord.press("Keep 30 min")

    assert kept.ephemeral
    assert "stays warm until" in heard(kept)


async def test_release_gives_the_machine_back(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    orchestrator.warm(ada(discord))
    await painted(discord, orchestrator)

    released = await discord.press("Release")

    assert "is given back" in heard(released)
    assert ada(discord) not in orchestrator.sessions
    await until(lambda: "Release" not in labels_of(discord.cards()[0]))
    assert discord.cards()[0].attachments, "the pictures stay"


async def test_details_are_for_the_person_alone(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await painted(discord, orchestrator)

    told = await discord.press("Details")

    assert told.ephemeral
    assert "workflow" in heard(told)


@pytest.mark.parametrize("label", ["Again", "Vary", "Edit", "Details"])
async def test_buttons_belong_to_the_one_who_asked(
    discord: Discord, orchestrator: FakeOrchestrator, label: str
) -> None:
    await painted(discord, orchestrator)

    refused = await discord.press(label, by=discord.town.bob)

    assert refused.ephemeral
    assert "somebody else" in heard(refused)
    assert len(orchestrator.requests) == 1


async def test_an_admin_may_cancel_for_others(discord: Discord) -> None:
    await discord.imagine()

    await discord.press("Cancel", by=discord.town.root)

    await until(lambda: "Cancelled" in words_of(discord.cards()[0]))


# All other commands.


async def test_every_command_of_ours_is_there(discord: Discord) -> None:
    there = set(discord.town.root.available_commands(discord.town.channel))
    hidden = {name for name, spoken in COMMANDS.items() if spoken.is_for_admins}

    assert {f"/{name}" for name in there} | hidden == set(COMMANDS)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("history", {}, "not asked for anything"),
        ("presets", {}, "no preset yet"),
        ("workflows", {}, "--seed"),
        ("me", {}, "You are"),
        ("help", {}, "/imagine"),
        ("session", {}, "No machine of yours"),
        ("session", {"action": "keep", "minutes": 60}, "no warm machine"),
        ("session", {"action": "release"}, "no machine to give back"),
        ("cancel", {}, "Nothing of yours is under way"),
        ("details", {"options": "nothing"}, "no request nothing"),
        ("forget", {"options": "me"}, "for good"),
    ],
)
async def test_words_are_for_the_person_alone(
    discord: Discord, name: str, options: dict[str, object], says: str
) -> None:
    result = await discord.use(name, **options)

    assert result.ephemeral
    assert says in heard(result)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("status", {}, "0 machines"),
        ("cost", {"options": "7"}, "in 7 days"),
        ("admin", {"options": "sessions"}, "0 sessions"),
        ("admin", {"options": "drain on"}, "No new request"),
        ("admin", {"options": "words add rude"}, "1 word blocked"),
        ("admin", {"options": "pictures spoiler"}, "are hidden here"),
    ],
)
async def test_what_admins_are_told_is_for_them_alone(
    discord: Discord, name: str, options: dict[str, object], says: str
) -> None:
    town = discord.town
    town.env.backend.get_guild(town.guild.id).owner_id = town.root.id  # may see what is hidden from the others

    result = await discord.use(name, by=town.root, **options)

    assert result.ephemeral
    assert says in heard(result)


async def test_cost_comes_with_a_chart(discord: Discord) -> None:
    town = discord.town
    town.env.backend.get_guild(town.guild.id).owner_id = town.root.id

    result = await discord.use("cost", by=town.root)

    assert result.response is not None
    assert [attached.filename for attached in result.response.attachments] == ["chart-1.png"]


async def test_whoever_sees_an_admins_command_is_not_therefore_one(discord: Discord) -> None:
    """A server lets anybody see it; ours is the list that counts."""
    town = discord.town
    town.env.backend.get_guild(town.guild.id).owner_id = town.bob.id

    assert "for admins" in heard(await discord.use("status", by=town.bob))


# Who may use it, and where.


async def test_strangers_are_told_whom_to_ask(orchestrator: FakeOrchestrator) -> None:
    async with (
        a_town(Access()) as town,
        town.bot(orchestrator, lambda: orchestrator.now) as discord,
    ):
        result = await discord.imagine()

    assert result.ephemeral
    assert f"ask @\u200broot to add {town.ada.id}" in heard(result)
    assert orchestrator.requests == []


async def test_it_works_in_private_for_those_on_the_list(orchestrator: FakeOrchestrator) -> None:
    async with a_town() as town:
        town.access = Access(users=frozenset({str(town.ada.id)}))
        async with town.bot(orchestrator, lambda: orchestrator.now):
            await town.ada.user.slash("imagine", prompt="a cat")

            assert orchestrator.requests[0].values["prompt"] == "a cat"


async def test_pictures_behind_a_veil_where_an_admin_wants_that(
    discord: Discord, orchestrator: FakeOrchestrator
) -> None:
    await orchestrator.people.set_place_setting(f"discord:{discord.town.guild.id}", "pictures", "spoiler")

    await painted(discord, orchestrator)

    assert discord.cards()[0].attachments[0].filename == "SPOILER_glowplug-1.png"


async def test_only_among_adults_where_an_admin_wants_that(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await orchestrator.people.set_place_setting(f"discord:{discord.town.guild.id}", "pictures", "nsfw-only")

    refused = await discord.imagine()

    assert refused.ephemeral
    assert "age-restricted" in heard(refused)
    assert orchestrator.requests == []


async def test_where_the_bot_may_not_see_the_channel_the_card_lives_on_the_interaction(
    orchestrator: FakeOrchestrator,
) -> None:
    async with a_town() as town, town.bot(orchestrator, lambda: orchestrator.now) as discord:
        hidden = library.PermissionOverwrite(view_channel=False)
        town.channel = town.guild.create_text_channel("hidden", overwrites={town.env.bot.user: hidden})

        shown = await discord.imagine()
        orchestrator.succeed(FIRST, picture())
        await until(lambda: FIRST in orchestrator.acknowledged)

        card = town.channel.history(viewer=town.ada)[-1]
        assert shown.response is not None
        assert card.id == shown.response.id
        assert card.attachments
        assert "View Channel" in words_of(card)
