"""``/presets``: options that a person gave a name."""

from bot.chat.commands import SavePreset
from bot.chat.model import Answer, Person, Reply
from bot.chat.prompt import read_options
from bot.service import lora
from bot.service.desk import Desk
from orchestrator.api import Preset, RequestError, closest


async def show(desk: Desk, person: Person) -> Answer:
    presets = await desk.orchestrator.people.presets(person.user)
    if not presets:
        return Reply(text="You have no preset yet. Try: /presets save poster --ar 2:3 --steps 6", data={"presets": []})
    return Reply(
        text="Your presets; use one with --preset NAME:",
        lines=tuple(f"{preset.name}: {preset.options}" for preset in presets),
        data={"presets": [{"name": preset.name, "options": preset.options} for preset in presets]},
    )


async def save(desk: Desk, person: Person, command: SavePreset) -> Answer:
    preset = Preset(name=command.name, options=read_options(command.options, await lora.cards_for(desk, person)))
    await desk.orchestrator.people.save_preset(person.user, preset)
    return Reply(
        text=f"Saved. Use it like this: /imagine a lighthouse at dusk --preset {preset.name}",
        data={"preset": {"name": preset.name, "options": preset.options}},
    )


async def remove(desk: Desk, person: Person, name: str) -> Answer:
    if not await desk.orchestrator.people.remove_preset(person.user, name):
        known = await desk.orchestrator.people.presets(person.user)
        raise RequestError("unknown_preset", name=name, closest=closest(name, [preset.name for preset in known]))
    return Reply(text=f"The preset {name} is removed.", data={"removed": name})
