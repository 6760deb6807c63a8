"""The one CommandHandler: hands each command to what does it, and turns mistakes into sentences."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.chat.commands import (
    AddLora,
    Again,
    BlockedWords,
    Cancel,
    Cost,
    Details,
    Drain,
    Expect,
    Forget,
    Help,
    History,
    Imagine,
    Keep,
    Link,
    Loras,
    Me,
    OfferLink,
    Policy,
    Presets,
    Press,
    Release,
    RemoveLora,
    RemovePreset,
    Retype,
    SavePreset,
    Sessions,
    SetBudget,
    SetMetadata,
    SetNotice,
    SetQuiet,
    Settings,
    ShowBudget,
    ShowPerson,
    ShowPictures,
    ShowSession,
    Status,
    StopMachine,
    TreatFiltered,
    Unlink,
    Vary,
    Why,
    Workflows,
)
from bot.chat.handle import ReplyHandle
from bot.chat.model import Answer, Call, Refused, Reply
from bot.chat.surface import CommandHandler
from bot.chat.texts import sentence
from bot.chat.values import flag_of
from bot.service import (
    admin,
    cancel,
    cost,
    details,
    forget,
    history,
    imagine,
    link,
    lora,
    persons,
    places,
    policy,
    presets,
    press,
    reference,
    session,
    settings,
    status,
    why,
    words,
)
from bot.service.desk import Desk
from orchestrator.api import DiskFull, JobId, RequestError

Does = Callable[[Desk, Call, Any], Awaitable[Answer]]
"""What does one kind of command; the last argument is that command."""


async def _help(desk: Desk, call: Call, _command: Help) -> Answer:
    return reference.help_for(desk, call.person)


async def _workflows(desk: Desk, call: Call, _command: Workflows) -> Answer:
    return reference.workflows(await lora.cards_for(desk, call.person))


async def _expect(desk: Desk, call: Call, _command: Expect) -> Answer:
    await desk.orchestrator.expect(call.person.user)
    return Reply(text="")


FOR_ALL: Mapping[type, Does] = {
    Imagine: imagine.start,
    Again: imagine.again,
    Vary: imagine.vary,
    Cancel: lambda desk, call, command: cancel.cancel(desk, call.person, command),
    ShowSession: lambda desk, call, _: session.show(desk, call.person),
    Keep: lambda desk, call, command: session.keep(desk, call.person, command),
    Release: lambda desk, call, _: session.release(desk, call.person),
    Presets: lambda desk, call, _: presets.show(desk, call.person),
    SavePreset: lambda desk, call, command: presets.save(desk, call.person, command),
    RemovePreset: lambda desk, call, command: presets.remove(desk, call.person, command.name),
    Forget: lambda desk, call, command: forget.forget(desk, call.person, command),
    OfferLink: link.change,
    Link: link.change,
    Unlink: link.change,
    Settings: lambda desk, call, command: settings.change(desk, call.person, command),
    SetNotice: lambda desk, call, command: settings.change(desk, call.person, command),
    SetQuiet: lambda desk, call, command: settings.change(desk, call.person, command),
    SetMetadata: lambda desk, call, command: settings.change(desk, call.person, command),
    Details: details.show,
    Retype: lambda desk, call, command: details.retype(desk, call.person, command),
    History: lambda desk, call, _: history.show(desk, call.person),
    Why: lambda desk, call, _: why.show(desk, call.person),
    Me: lambda desk, call, _: history.me(desk, call.person),
    Workflows: _workflows,
    Loras: lambda desk, call, _: lora.show(desk, call.person),
    AddLora: lora.add,
    RemoveLora: lora.remove,
    Help: _help,
    Expect: _expect,
}
FOR_ADMINS: Mapping[type, Does] = {
    Status: lambda desk, _, __: status.show(desk),
    Cost: lambda desk, _, command: cost.show(desk, command),
    Policy: lambda desk, _, command: policy.show(desk, command),
    Sessions: lambda desk, _, __: admin.sessions(desk),
    StopMachine: lambda desk, _, command: admin.stop(desk, command),
    Drain: lambda desk, _, command: admin.drain(desk, command),
    BlockedWords: words.change,
    ShowPictures: places.change,
    TreatFiltered: places.treat_filtered,
    ShowPerson: lambda desk, call, command: persons.show(desk, call.person, command),
    ShowBudget: lambda desk, _, command: persons.budget(desk, command),
    SetBudget: lambda desk, _, command: persons.budget(desk, command),
}
FOR_ONE: Mapping[type, str] = {OfferLink: "/link", Me: "/me", History: "/history", ShowPerson: "/admin user"}
"""What is answered with a secret, or with what somebody did elsewhere, and how it is written."""


class Router(CommandHandler):
    """Serves every surface."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def handle(self, call: Call) -> Answer:
        try:
            account = call.person.user
            user = await self._desk.orchestrator.people.meet(account, call.person.name)
            person = replace(call.person, user=user, account=account)
            if type(call.command) not in FOR_ADMINS:
                await persons.check(self._desk, person, call.command)
            return await self._answer(replace(call, person=person))
        except RequestError as error:
            return Refused(sentence=sentence(error.key, self._as_typed(error)))
        except DiskFull:
            return Refused(sentence=sentence("disk_full", {}))

    async def moved(self, job: JobId, to: ReplyHandle) -> None:
        await self._desk.cards.move(job, to)

    def _as_typed(self, error: RequestError) -> dict[str, str | float]:
        """Parameters by the options that people type."""
        values = dict(error.values)
        known = {p.name: p for card in self._desk.orchestrator.workflows() for p in card.parameters}
        for key in ("name", "closest"):
            parameter = known.get(str(values.get(key, "")))
            if parameter is not None:
                values[key] = flag_of(parameter)
        return values

    async def _answer(self, call: Call) -> Answer:
        if isinstance(call.command, Press):
            return await self._answer(await press.meant(self._desk, call, call.command))
        kind = type(call.command)
        if kind in FOR_ADMINS and not call.person.is_admin:
            raise RequestError("admins_only", command="That")
        if call.is_overheard and kind in FOR_ONE:
            raise RequestError("for_one_only", command=FOR_ONE[kind])
        return await {**FOR_ALL, **FOR_ADMINS}[kind](self._desk, call, call.command)
