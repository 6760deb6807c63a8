"""Who seems about to ask is told of once a minute, and nothing that goes wrong with it is anybody's trouble."""

from datetime import timedelta

from bot.chat.commands import Expect
from bot.chat.handle import ReplyHandle
from bot.chat.hunch import AGAIN, MOST_KEPT, Hunch
from bot.chat.model import Answer, Call, Person, Reply
from bot.chat.surface import CommandHandler
from orchestrator.api import JobId, UserId
from tests.component.bot.fake_orchestrator import BEGIN


class Ear(CommandHandler):
    def __init__(self) -> None:
        self.heard: list[UserId] = []
        self.is_broken = False

    async def handle(self, call: Call) -> Answer:
        self.heard.append(call.person.user)
        if self.is_broken:
            raise RuntimeError("out of order")
        return Reply(text="")

    async def moved(self, job: JobId, to: ReplyHandle) -> None:
        """Nothing is shown here."""


def call(name: str) -> Call:
    return Call(
        person=Person(user=UserId(name), surface="web", is_admin=False),
        command=Expect(),
        handle=ReplyHandle(surface="web", chat=name),
        key="",
        place="web",
        is_overheard=False,
    )


async def test_each_person_is_told_of_once_a_minute() -> None:
    ear, now = Ear(), BEGIN
    hunch = Hunch(ear, lambda: now)
    for seconds in (0, 30, 59, 60):
        now = BEGIN + timedelta(seconds=seconds)
        await hunch.tell(call("ada"))
    await hunch.tell(call("bob"))

    assert ear.heard == ["ada", "ada", "bob"]
    assert timedelta(seconds=60) == AGAIN


async def test_what_goes_wrong_is_nobodys_trouble() -> None:
    ear = Ear()
    ear.is_broken = True

    await Hunch(ear, lambda: BEGIN).tell(call("ada"))

    assert ear.heard == ["ada"]


async def test_so_many_people_are_remembered_and_no_more() -> None:
    ear = Ear()
    hunch = Hunch(ear, lambda: BEGIN)
    for name in ("ada", *map(str, range(MOST_KEPT)), "ada"):
        await hunch.tell(call(name))

    assert ear.heard.count(UserId("ada")) == 2
