"""Every other command: as it would be typed, answered to whoever asked alone."""

from dataclasses import replace

import pytest
from simcord.backend.errors import SetupError

from bot.adapters.discord.commands import ACTIONS
from bot.chat.typed import COMMANDS
from tests.adapters.discord.stage import Stage, words
from tests.adapters.discord.test_buttons import painted

FOR_ADMINS = {name.removeprefix("/") for name, spoken in COMMANDS.items() if spoken.is_for_admins}


async def test_every_command_that_can_be_typed_is_a_slash_command(stage: Stage) -> None:
    known = {name.removeprefix("/") for name in COMMANDS}

    assert set(stage.root.available_commands(stage.channel)) == known
    assert set(stage.ada.available_commands(stage.channel)) == known - FOR_ADMINS


@pytest.mark.parametrize("name", sorted({name.removeprefix("/") for name in COMMANDS} - FOR_ADMINS - {"imagine"}))
async def test_everybody_gets_an_answer_to_everything(stage: Stage, name: str) -> None:
    await painted(stage)
    before = len(stage.channel.history(viewer=stage.bob))

    result = await stage.ada.slash(stage.channel, name)

    assert result.response is not None
    is_card = name in {"again", "vary"}
    assert result.ephemeral != is_card
    assert len(stage.channel.history(viewer=stage.bob)) == before + is_card


@pytest.mark.parametrize("name", sorted(FOR_ADMINS))
async def test_admins_get_theirs_alone(stage: Stage, name: str) -> None:
    result = await stage.root.slash(stage.channel, name)

    assert words(result)
    assert stage.channel.history(viewer=stage.ada) == []


@pytest.mark.parametrize("name", sorted(FOR_ADMINS))
async def test_who_is_an_admin_is_our_own_business(stage: Stage, name: str) -> None:
    """In private messages Discord shows admins' commands to everybody."""
    result = await stage.ada.user.slash(name, **({"options": "sessions"} if name == "admin" else {}))

    assert "for admins" in words(result) or "write it like this" in words(result)


async def test_what_is_typed_after_a_command_is_its_option(stage: Stage) -> None:
    result = await stage.ada.slash(stage.channel, "presets", options="save poster --ar 9:16")

    assert words(result).startswith("**Saved.")
    assert [preset.name for preset in await stage.orchestrator.people.presets(stage.user(stage.ada))] == ["poster"]


async def test_a_command_that_is_written_wrongly_is_explained(stage: Stage) -> None:
    result = await stage.ada.slash(stage.channel, "presets", options="nonsense")

    assert words(result).startswith("/presets does not understand nonsense; write it like this:")


async def test_the_session_is_shown_kept_and_released(stage: Stage) -> None:
    stage.orchestrator.warm(stage.user(stage.ada))

    shown = words(await stage.ada.slash(stage.channel, "session"))
    kept = words(await stage.ada.slash(stage.channel, "session", action="keep", minutes=20))
    released = words(await stage.ada.slash(stage.channel, "session", action="release"))

    assert ACTIONS == ("show", "keep", "release")
    assert shown.startswith("**Your GPU is warm.**")
    assert "20 minutes from now" in kept
    assert released.startswith("**Your GPU is given back")


async def test_what_an_admin_may_say_is_offered(stage: Stage) -> None:
    offered = await stage.root.autocomplete(stage.channel, "admin", "options", "drain")

    assert {choice["value"] for choice in offered} >= {"drain on", "drain off"}


async def test_a_persons_own_loras_are_offered_to_be_used_and_removed(stage: Stage) -> None:
    await stage.ada.slash(stage.channel, "lora", options="add sketch https://a.example/sketch.safetensors")
    await stage.root.slash(stage.channel, "lora", options="add house https://a.example/house.safetensors shared")

    used = await stage.ada.autocomplete(stage.channel, "imagine", "lora", "s", prompt="a cat")
    removed = await stage.ada.autocomplete(stage.channel, "lora", "options", "remove")
    others = await stage.bob.autocomplete(stage.channel, "imagine", "lora", "", prompt="a cat")

    assert used[0]["value"] == "sketch"
    assert {choice["value"] for choice in removed} == {"remove sketch", "remove house shared"}
    assert {"house"} <= {choice["value"] for choice in others}
    assert "sketch" not in {choice["value"] for choice in others}


async def test_help_is_split_where_it_is_long_and_nothing_is_lost(stage: Stage) -> None:
    result = await stage.root.slash(stage.channel, "help")

    assert result.response is not None
    assert all(len(embed.description or "") <= 4096 for embed in result.response.embeds)
    assert all(name in words(result) for name in COMMANDS)


async def test_it_works_in_private_for_people_on_the_list(stage: Stage) -> None:
    result = await stage.ada.user.slash("imagine", prompt="a cat")

    assert result.response is not None
    assert stage.orchestrator.requests[0].user == stage.user(stage.ada)


async def test_a_listed_server_lets_everybody_in_it_use_the_bot_there(stage: Stage) -> None:
    stage.access = replace(stage.access, places=frozenset({str(stage.guild.id)}))
    await stage.restart()

    await stage.imagine(by=stage.eve)
    assert "You are not on the list" in words(await stage.eve.user.slash("imagine", prompt="a cat"))


async def test_commands_are_there_only_once(stage: Stage) -> None:
    await stage.restart()

    with pytest.raises(SetupError):
        await stage.ada.slash(stage.channel, "unknown")
    assert {scope: len(found) for scope, found in stage.env.backend.commands.items()} == {None: len(COMMANDS)}
