"""LoRAs that people add by a link: the chat's side of it."""

import pytest

from bot.chat.commands import AddLora, Loras, RemoveLora
from bot.chat.typed import read_command
from orchestrator.api import RequestError
from tests.component.bot.conftest import Chat
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.component.bot.test_commands import card, refused, reply

LINK = "https://huggingface.co/ada/sketch/resolve/main/sketch.safetensors"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/lora", Loras()),
        ("/lora list", Loras()),
        (f"/lora add Sketch {LINK}", AddLora(name="sketch", url=LINK)),
        (f"/lora add sketch <{LINK}> 0.7", AddLora(name="sketch", url=LINK, strength=0.7)),
        (
            f"/lora add sketch {LINK} -0.5 pencil sketch, rough shared",
            AddLora(name="sketch", url=LINK, strength=-0.5, triggers="pencil sketch, rough", is_shared=True),
        ),
        (f'/lora add sketch {LINK} "pencil sketch"', AddLora(name="sketch", url=LINK, triggers="pencil sketch")),
        ("/lora remove Sketch", RemoveLora(name="sketch")),
        ("/lora remove sketch shared", RemoveLora(name="sketch", is_shared=True)),
    ],
)
def test_what_can_be_typed(typed: str, meant: object) -> None:
    assert read_command(typed) == meant


@pytest.mark.parametrize("typed", ["/lora add sketch", "/lora remove", "/lora remove a b", "/lora show"])
def test_what_makes_no_sense_is_answered_with_an_example(typed: str) -> None:
    with pytest.raises(RequestError, match="bad_argument"):
        read_command(typed)


async def test_one_that_is_added_can_be_named_by_its_person_alone(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    said = reply(await chat.say(f"/lora add sketch {LINK} 0.7 pencil sketch"))
    assert said.text == "Added. Use it like this: /imagine a lighthouse at dusk --lora sketch"
    assert said.lines[0] == "sketch · yours · 328 MB · from huggingface.co · strength 0.7 · pencil sketch"

    card(await chat.say("a cat --lora Sketch"))
    assert orchestrator.requests[0].values == {"prompt": "a cat", "lora": "sketch"}

    sentence = refused(await chat.say("a cat --lora sketch", by="bob"))
    assert sentence.startswith('The LoRA "sketch" does not exist.')


async def test_again_and_presets_know_it_too(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    await chat.say(f"/lora add sketch {LINK}")
    reply(await chat.say("/presets save rough --lora sketch:0.5"))

    first = card(await chat.say("a cat --preset rough"))
    await chat.say(f"/again {first.job}")

    assert [request.values["lora"] for request in orchestrator.requests] == ["sketch", "sketch"]
    assert [request.values["strength"] for request in orchestrator.requests] == [0.5, 0.5]


async def test_an_admin_shares_one_with_everybody_and_alone_takes_it_back(chat: Chat) -> None:
    assert "is for admins" in refused(await chat.say(f"/lora add sketch {LINK} shared"))
    reply(await chat.say(f"/lora add sketch {LINK} shared", by="root", is_admin=True))

    card(await chat.say("a cat --lora sketch", by="bob"))
    assert "an admin removes it" in refused(await chat.say("/lora remove sketch", by="bob"))
    assert "is for admins" in refused(await chat.say("/lora remove sketch shared", by="bob"))

    reply(await chat.say("/lora remove sketch shared", by="root", is_admin=True))
    assert "does not exist" in refused(await chat.say("a cat --lora sketch", by="bob"))


async def test_all_that_can_be_named_are_listed_with_where_they_are_from(chat: Chat) -> None:
    await chat.say(f"/lora add sketch {LINK}")

    said = reply(await chat.say("/lora list"))

    assert said.data["loras"] == ["b0throps", "inkwash", "sketch"]
    assert [line.split(" · ")[0] for line in said.lines[:3]] == ["b0throps", "inkwash", "sketch"]
    assert not any("resolve" in line for line in said.lines), "the rest of a link may be a signature"


async def test_one_that_is_removed_can_be_named_no_more(chat: Chat) -> None:
    await chat.say(f"/lora add sketch {LINK}")

    assert reply(await chat.say("/lora remove sketch")).text == "The LoRA sketch is removed."

    assert "does not exist" in refused(await chat.say("a cat --lora sketch"))
    assert refused(await chat.say("/lora remove sketch")) == ("You have added no LoRA sketch. /lora list shows them.")


async def test_why_a_link_is_refused_is_a_sentence(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    orchestrator.loras.refuse = RequestError("lora_too_large", size_gb="3.1", allowed_gb="2.1")

    assert refused(await chat.say(f"/lora add sketch {LINK}")) == "That file has 3.1 GB; a LoRA may have 2.1 GB."


async def test_blocked_words_are_no_triggers_either(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    """Whether they were blocked before it was added or after."""
    await chat.say(f"/lora add sketch {LINK} grim tales")
    await orchestrator.people.block_word("room", "grim tales")

    assert "grim tales" in refused(await chat.say("a cat --lora sketch"))
    assert "grim tales" in refused(await chat.say(f"/lora add other {LINK} grim tales"))
    card(await chat.say("a cat"))
