"""One person with several accounts: over the real store."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.api import NoticeKind, Preset, Profile, QuietHours, RequestError, UserId
from orchestrator.domain.instance import InstanceState
from tests.component.control.stage import IDLE, Stage, a_stage

ADA, ADA_TOO, BOB = UserId("discord:1"), UserId("telegram:2"), UserId("discord:3")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as opened:
        yield opened


async def link(stage: Stage, joining: UserId = ADA_TOO, to: UserId = ADA) -> UserId:
    people = stage.service.people
    return await people.link(joining, await people.offer_link(to))


async def refused(stage: Stage, account: UserId, code: str) -> str:
    with pytest.raises(RequestError) as raised:
        await stage.service.people.link(account, code)
    return raised.value.key


async def painted(stage: Stage, user: UserId, key: str) -> None:
    """A picture, and the machine given back and gone."""
    job = await stage.ask(user=user, key=key)
    machine = await stage.make_ready()
    await stage.paint(job, machine, timedelta(seconds=4))
    await stage.look(IDLE)
    for each in await stage.instances(InstanceState.TERMINATING):
        await stage.move(each, InstanceState.TERMINATED)


async def test_a_code_joins_two_accounts_into_one_person(stage: Stage) -> None:
    people = stage.service.people
    await painted(stage, ADA_TOO, "k1")
    await people.save_preset(ADA_TOO, Preset(name="poster", options="--steps 2"))

    await link(stage)

    assert await people.person_of(ADA_TOO) == ADA
    assert await people.accounts_of(ADA) == (ADA, ADA_TOO)
    assert [view.user for view in await stage.service.jobs(user=ADA)] == [ADA]
    assert [preset.name for preset in await people.presets(ADA)] == ["poster"]
    assert await stage.service.jobs(user=ADA_TOO) == ()


async def test_a_request_that_overlaps_a_join_belongs_to_the_person(stage: Stage) -> None:
    """The bot had looked up whose account it is just before."""
    await link(stage)

    job = await stage.ask(user=ADA_TOO, key="k1")

    assert (await stage.job(job)).user == ADA
    assert await stage.session(ADA) is not None


async def test_money_adds_up_and_nothing_is_lost(stage: Stage) -> None:
    before = (await stage.service.costs(30)).total
    await painted(stage, ADA, "k1")
    await painted(stage, ADA_TOO, "k2")

    await link(stage)

    report = await stage.service.costs(30)
    assert {row.key for row in report.by_user} <= {ADA}
    assert report.total >= before


async def test_of_two_presets_of_one_name_the_person_keeps_theirs(stage: Stage) -> None:
    people = stage.service.people
    await people.save_preset(ADA, Preset(name="poster", options="--steps 8"))
    await people.save_preset(ADA_TOO, Preset(name="poster", options="--steps 2"))

    await link(stage)

    assert await people.presets(ADA) == (Preset(name="poster", options="--steps 8"),)


async def test_a_code_is_good_once_and_for_ten_minutes(stage: Stage) -> None:
    people = stage.service.people
    code = await people.offer_link(ADA)
    assert await people.link(ADA_TOO, code.lower()) == ADA
    assert await refused(stage, BOB, code) == "bad_link_code"

    late = await people.offer_link(ADA)
    stage.clock.time += timedelta(minutes=10, seconds=1)
    assert await refused(stage, BOB, late) == "bad_link_code"


async def test_a_newer_code_takes_the_place_of_an_older_one(stage: Stage) -> None:
    older = await stage.service.people.offer_link(ADA)
    await stage.service.people.offer_link(ADA)

    assert await refused(stage, ADA_TOO, older) == "bad_link_code"


async def test_joining_oneself_or_twice_is_said(stage: Stage) -> None:
    people = stage.service.people
    assert await refused(stage, ADA, await people.offer_link(ADA)) == "linked_already"
    await link(stage)

    assert await refused(stage, ADA_TOO, await people.offer_link(ADA)) == "linked_already"


async def test_whoever_has_something_under_way_joins_later_with_the_same_code(stage: Stage) -> None:
    job = await stage.ask(user=ADA_TOO)
    code = await stage.service.people.offer_link(ADA)
    assert await refused(stage, ADA_TOO, code) == "join_under_way"

    machine = await stage.make_ready()
    await stage.paint(job, machine, timedelta(seconds=4))
    assert await refused(stage, ADA_TOO, code) == "machine_is_yours_here"


async def test_a_code_that_is_withdrawn_joins_nobody(stage: Stage) -> None:
    code = await stage.service.people.offer_link(ADA)

    await stage.service.people.withdraw_link(code)

    assert await refused(stage, ADA_TOO, code) == "bad_link_code"


async def test_whoever_has_a_machine_that_is_not_proved_gone_joins_later(stage: Stage) -> None:
    """Its session is over, but the reconciler still holds the machine and books what it costs."""
    job = await stage.ask(user=ADA_TOO)
    machine = await stage.make_ready()
    await stage.paint(job, machine, timedelta(seconds=4))
    await stage.look(IDLE)
    assert await stage.session(ADA_TOO) is None

    assert await refused(stage, ADA_TOO, await stage.service.people.offer_link(ADA)) == "machine_is_yours_here"

    (ending,) = await stage.instances(InstanceState.TERMINATING)
    await stage.move(ending, InstanceState.TERMINATED)
    assert await link(stage) == ADA


async def test_accounts_of_the_one_who_joins_come_along(stage: Stage) -> None:
    await link(stage, joining=BOB, to=ADA_TOO)
    await link(stage, joining=ADA_TOO, to=ADA)

    assert await stage.service.people.accounts_of(ADA) == (ADA, BOB, ADA_TOO)


async def test_an_account_can_be_taken_out_again_and_its_past_stays(stage: Stage) -> None:
    await painted(stage, ADA_TOO, "k1")
    await link(stage)

    await stage.service.people.unlink(ADA_TOO)

    assert await stage.service.people.person_of(ADA_TOO) == ADA_TOO
    assert len(await stage.service.jobs(user=ADA)) == 1
    with pytest.raises(RequestError):
        await stage.service.people.unlink(ADA_TOO)


async def test_the_code_itself_is_nowhere_in_the_database(stage: Stage, tmp_path: Path) -> None:
    code = await stage.service.people.offer_link(ADA)

    assert not any(code.encode() in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())


async def test_choices_are_kept_until_a_person_is_forgotten(stage: Stage) -> None:
    people = stage.service.people
    hours = QuietHours(begin=timedelta(hours=22), end=timedelta(hours=8), offset=timedelta(hours=-3.5))
    chosen = Profile(muted=frozenset({NoticeKind.DONE}), quiet=hours, wants_metadata=True)
    await link(stage)
    await people.save_profile(ADA, chosen)
    assert await people.profile(ADA) == chosen

    await people.forget(ADA)

    assert await people.profile(ADA) == Profile()
    assert await people.person_of(ADA_TOO) == ADA_TOO
