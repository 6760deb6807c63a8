"""``/lora``: LoRAs that people add by a link, beside those of the workflows."""

from urllib.parse import urlsplit

from bot.chat.commands import AddLora, RemoveLora
from bot.chat.loras import with_loras
from bot.chat.model import Answer, Call, Person, Reply
from bot.chat.words import megabytes
from bot.service import words
from bot.service.desk import Desk
from orchestrator.api import AddedLora, NewLora, RequestError, WorkflowCard, closest

HOW = "Add your own: /lora add NAME https://... 0.8 trigger words"


async def cards_for(desk: Desk, person: Person) -> tuple[WorkflowCard, ...]:
    """The workflows, with what *person* can name after ``--lora``."""
    added = await desk.orchestrator.loras.of(person.user)
    return with_loras(desk.orchestrator.workflows(), [lora.name for lora in added])


async def triggers_for(desk: Desk, person: Person) -> dict[str, str]:
    """By name, the words that go before a prompt which names it."""
    return {lora.name: lora.triggers for lora in await desk.orchestrator.loras.of(person.user)}


async def show(desk: Desk, person: Person) -> Answer:
    """Each LoRA that *person* can use: the workflows' with where it works, then what was added."""
    cards = [card for card in desk.orchestrator.workflows() if card.loras]
    added = await desk.orchestrator.loras.of(person.user)
    installed = sorted({name for card in cards for name in card.loras})
    names = [*installed, *(lora.name for lora in added)]
    lines = [f"{name} · {', '.join(card.name for card in cards if name in card.loras)}" for name in installed]
    lines += [_line(lora) for lora in added]
    data = {"loras": names, "added": [_document(lora) for lora in added]}
    if not names:
        return Reply(text=f"There is no LoRA yet. {HOW}", data=data)
    return Reply(text=f"Use one like this: /imagine a cat --lora {names[0]}:0.8", lines=(*lines, HOW), data=data)


async def add(desk: Desk, call: Call, command: AddLora) -> Answer:
    """Have the file read and kept in mind; only admins share."""
    _check_sharing(call.person, is_shared=command.is_shared)
    await words.check(desk, call, [command.triggers])
    new = NewLora(name=command.name, url=command.url, strength=command.strength, triggers=command.triggers)
    lora = await desk.orchestrator.loras.add(call.person.user, new, shared=command.is_shared)
    whose = "Everybody can use it" if lora.is_shared else "Use it"
    return Reply(
        text=f"Added. {whose} like this: /imagine a lighthouse at dusk --lora {lora.name}",
        lines=(_line(lora), "Your GPU fetches it before the first picture with it"),
        data={"lora": _document(lora)},
    )


async def remove(desk: Desk, call: Call, command: RemoveLora) -> Answer:
    _check_sharing(call.person, is_shared=command.is_shared)
    loras = desk.orchestrator.loras
    if await loras.remove(call.person.user, command.name, shared=command.is_shared):
        return Reply(text=f"The LoRA {command.name} is removed.", data={"removed": command.name})
    known = [lora for lora in await loras.of(call.person.user) if lora.is_shared == command.is_shared]
    if not command.is_shared and any(lora.name == command.name for lora in await loras.of(call.person.user)):
        raise RequestError("lora_is_shared", name=command.name)
    meant = closest(command.name, [lora.name for lora in known])
    raise RequestError("lora_not_added", name=command.name, closest=meant)


def _check_sharing(person: Person, *, is_shared: bool) -> None:
    if is_shared and not person.is_admin:
        raise RequestError("admins_only", command="Sharing a LoRA with everybody")


def _line(lora: AddedLora) -> str:
    """What there is to know; of the link its host alone, as the rest may be a signature."""
    facts = [lora.name, "everybody's" if lora.is_shared else "yours", megabytes(lora.file.size_bytes)]
    facts += [f"from {urlsplit(lora.file.url).hostname}", f"strength {lora.strength:g}"]
    return " · ".join([*facts, lora.triggers] if lora.triggers else facts)


def _document(lora: AddedLora) -> dict[str, object]:
    return {
        "name": lora.name,
        "shared": lora.is_shared,
        "bytes": lora.file.size_bytes,
        "sha256": lora.file.sha256,
        "strength": lora.strength,
        "triggers": lora.triggers,
    }
