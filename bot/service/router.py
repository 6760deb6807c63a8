"""The one CommandHandler: hands each command to what does it, and turns mistakes into sentences."""

from typing import assert_never

from bot.chat.handle import ReplyHandle
from bot.chat.model import (
    AdminCommand,
    Again,
    Answer,
    BlockedWords,
    Call,
    Cancel,
    Cost,
    Details,
    Drain,
    Forget,
    Help,
    History,
    Imagine,
    JobCommand,
    Keep,
    KeepsakeCommand,
    MachineCommand,
    Me,
    Presets,
    Press,
    ReadingCommand,
    Refused,
    Release,
    RemovePreset,
    Retype,
    SavePreset,
    Sessions,
    ShowPictures,
    ShowSession,
    Status,
    StopMachine,
    Vary,
    Workflows,
)
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
    places,
    presets,
    press,
    reference,
    session,
    status,
    words,
)
from bot.service.desk import Desk
from orchestrator.api import JobId, RequestError


class Router(CommandHandler):
    """Serves every surface."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def handle(self, call: Call) -> Answer:
        try:
            return await self._answer(call)
        except RequestError as error:
            return Refused(sentence=sentence(error.key, self._as_typed(error)))

    async def moved(self, job: JobId, to: ReplyHandle) -> None:
        self._desk.cards.moved(job, to)
        await self._desk.orchestrator.rebind(job, to.encode())

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
        match call.command:
            case Imagine() | Again() | Vary() | Cancel() | Press() as command:
                return await self._job(call, command)
            case ShowSession() | Keep() | Release() as command:
                return await self._machine(call, command)
            case Presets() | SavePreset() | RemovePreset() | Forget() as command:
                return await self._keepsakes(call, command)
            case Details() | Retype() | History() | Workflows() | Me() | Help() as command:
                return await self._reading(call, command)
            case Status() | Cost() | Sessions() | StopMachine() | Drain() | BlockedWords() | ShowPictures() as command:
                if not call.person.is_admin:
                    raise RequestError("admins_only", command="That")
                return await self._admin(call, command)
            case _:
                assert_never(call.command)

    async def _job(self, call: Call, command: JobCommand) -> Answer:
        match command:
            case Imagine():
                return await imagine.start(self._desk, call, command)
            case Again():
                return await imagine.again(self._desk, call, command)
            case Vary():
                return await imagine.vary(self._desk, call, command)
            case Cancel():
                return await cancel.cancel(self._desk, call.person, command)
            case Press():
                return await self._answer(await press.meant(self._desk, call, command))
            case _:
                assert_never(command)

    async def _machine(self, call: Call, command: MachineCommand) -> Answer:
        match command:
            case ShowSession():
                return await session.show(self._desk, call.person)
            case Keep():
                return await session.keep(self._desk, call.person, command)
            case Release():
                return await session.release(self._desk, call.person)
            case _:
                assert_never(command)

    async def _keepsakes(self, call: Call, command: KeepsakeCommand) -> Answer:
        match command:
            case Presets():
                return await presets.show(self._desk, call.person)
            case SavePreset():
                return await presets.save(self._desk, call.person, command)
            case RemovePreset(name=name):
                return await presets.remove(self._desk, call.person, name)
            case Forget():
                return await forget.forget(self._desk, call.person, command)
            case _:
                assert_never(command)

    async def _reading(self, call: Call, command: ReadingCommand) -> Answer:
        match command:
            case Details():
                return await details.show(self._desk, call.person, command)
            case Retype():
                return await details.retype(self._desk, call.person, command)
            case History():
                return await history.show(self._desk, call.person)
            case Me():
                return await history.me(self._desk, call.person)
            case Workflows():
                return reference.workflows(self._desk)
            case Help():
                return reference.help_for(self._desk, call.person)
            case _:
                assert_never(command)

    async def _admin(self, call: Call, command: AdminCommand) -> Answer:
        match command:
            case Status():
                return await status.show(self._desk)
            case Cost():
                return await cost.show(self._desk, command)
            case Sessions():
                return await admin.sessions(self._desk)
            case StopMachine():
                return await admin.stop(self._desk, command)
            case Drain():
                return await admin.drain(self._desk, command)
            case BlockedWords() | ShowPictures():
                return await self._place(call, command)
            case _:
                assert_never(command)

    async def _place(self, call: Call, command: BlockedWords | ShowPictures) -> Answer:
        if isinstance(command, BlockedWords):
            return await words.change(self._desk, call, command)
        return await places.change(self._desk, call, command)
