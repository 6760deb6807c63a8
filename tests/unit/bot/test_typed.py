"""A typed line becomes a command, or a sentence that says how it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.commands import (
    Again,
    BlockedWords,
    Cancel,
    Command,
    Cost,
    Details,
    Drain,
    Forget,
    Help,
    History,
    Imagine,
    Keep,
    Me,
    Presets,
    Release,
    RemovePreset,
    SavePreset,
    Sessions,
    ShowSession,
    Status,
    StopMachine,
    Vary,
    Workflows,
)
from bot.chat.texts import sentence
from bot.chat.typed import COMMANDS, Spoken, read_command
from orchestrator.api import InstanceId, JobId, RequestError


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("a cat", Imagine(text="a cat")),
        ("/imagine a cat --n 2", Imagine(text="a cat --n 2")),
        ("/IMAGINE\na cat", Imagine(text="a cat")),
        ("/imagine@glowplug_bot a cat", Imagine(text="a cat")),
        ("/imagine", Imagine(text="")),
        ("/cancel", Cancel()),
        ("/cancel abc", Cancel(job=JobId("abc"))),
        ("/session", ShowSession()),
        ("/session keep 45", Keep(minutes=45)),
        ("/session keep", Keep(minutes=30)),
        ("/session release", Release()),
        ("/keep 5", Keep(minutes=5)),
        ("/release", Release()),
        ("/again abc", Again(job=JobId("abc"))),
        ("/vary abc 3", Vary(job=JobId("abc"), picture=3)),
        ("/vary", Vary()),
        ("/details abc", Details(job=JobId("abc"))),
        ("/history", History()),
        ("/presets", Presets()),
        ("/presets save Poster --ar 2:3  --n 2", SavePreset(name="poster", options="--ar 2:3 --n 2")),
        ("/admin words", BlockedWords()),
        ("/admin words add Evil  Clown!", BlockedWords(block="evil clown")),
        ("/admin words remove clown", BlockedWords(allow="clown")),
        ("/forget me", Forget()),
        ("/forget me --yes", Forget(is_confirmed=True)),
        ("/presets remove Poster", RemovePreset(name="poster")),
        ("/workflows", Workflows()),
        ("/me", Me()),
        ("/help", Help()),
        ("/help me please", Help()),
        ("/status", Status()),
        ("/cost 7", Cost(days=7)),
        ("/admin sessions", Sessions()),
        ("/admin stop m1", StopMachine(instance=InstanceId("m1"))),
        ("/admin drain on", Drain(on=True)),
        ("/admin drain off", Drain(on=False)),
    ],
)
def test_what_is_typed_is_what_is_meant(text: str, command: Command) -> None:
    assert read_command(text) == command


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/imagin a cat", "There is no command /imagin. Did you mean /imagine? /help lists them all."),
        ("/keep long", "/keep does not understand long; write it like this: /keep 30."),
        ("/keep 100000", "/keep does not understand 100000"),
        ("/vary a b c", "/vary ID 2"),
        ("/vary a ²", "/vary ID 2"),
        ("/session please", "/session keep 30"),
        ("/admin", "/admin does not understand that"),
        ("/admin words add !!", "/admin does not understand words add !!"),
        ("/admin words drop clown", "/admin does not understand words drop clown"),
        ("/forget", "write it like this: /forget me"),
        ("/presets save poster", "/presets does not understand save poster"),
        ("/presets save x! --ar 9:16", "/presets save poster --ar 2:3 --steps 6"),
        ("/release now", "write it like this: /release"),
        ("/", "There is no command /."),
    ],
)
def test_a_mistake_says_how_it_is_written(text: str, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_command(text)

    assert says in sentence(caught.value.key, caught.value.values)


@pytest.mark.parametrize("spoken", [spoken for name, spoken in COMMANDS.items() if name != "/admin"])
def test_every_example_of_the_help_is_right(spoken: Spoken) -> None:
    read_command(spoken.example)


@given(st.text() | st.text().map(lambda text: "/" + text))
def test_any_text_is_a_command_or_a_sentence(text: str) -> None:
    try:
        read_command(text)
    except RequestError as error:
        said = sentence(error.key, error.values)
    else:
        return

    assert said
