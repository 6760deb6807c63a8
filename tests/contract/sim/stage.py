"""A cloud in memory as a stage of the contract suites, and the machines that are rented there."""

import asyncio
import random
from collections.abc import Mapping
from datetime import timedelta
from math import inf

from orchestrator.domain.ids import CloudName, CloudRef
from orchestrator.domain.money import MicroUsd
from orchestrator.faults import Fault, Profile
from orchestrator.ports.cloud import CloudProvider
from orchestrator.sim.account import SimAccount
from orchestrator.sim.cloud import SimCloud
from orchestrator.sim.loop import SimLoop
from orchestrator.sim.market import SimMarket
from orchestrator.sim.timeline import Timeline
from orchestrator.sim.weather import Weather, Window
from tests.contract.cloud_suite import Trouble

CLOUD = CloudName("sim")
ONE_ORDER: Mapping[Trouble, Fault] = {
    Trouble.ANSWER_LOST: Fault.CREATE_ANSWER_DROPPED,
    Trouble.ANSWER_EMPTY: Fault.CREATE_ANSWER_WITHOUT_ID,
    Trouble.ANSWER_5XX: Fault.CREATE_FAILS_BUT_BILLS,
}
FOR_A_WHILE: Mapping[Trouble, Fault] = {
    Trouble.SILENT: Fault.API_HANGS,
    Trouble.OUT_OF_ORDER: Fault.API_500,
    Trouble.TOO_OFTEN: Fault.API_429_RETRY_AFTER,
    Trouble.GARBLED: Fault.API_GARBAGE,
    Trouble.LIST_SHORT: Fault.LISTING_TRUNCATED,
    Trouble.LIST_MALFORMED: Fault.LISTING_RESHAPED,
}


class Certain(random.Random):
    """What may happen happens; of several things the first."""

    def random(self) -> float:
        return 0.0


def timeline_now() -> Timeline:
    """Of the world whose loop runs this test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop)
    return loop.timeline


def calm() -> Weather:
    return Weather(profile=Profile.NONE, active_s=inf, faults=frozenset(), spells={}, windows={}, dice=Certain())


class SimStage:
    """One account at one cloud of a world of its own."""

    exempt: Mapping[str, str] = {
        trouble: f"nothing in memory comes as bytes: {trouble}"
        for trouble in Trouble
        if trouble not in ONE_ORDER and trouble not in FOR_A_WHILE
    } | {"test_no_error_and_no_log_line_holds_a_key": "its clients have no key, only the word that theirs is good"}
    retry_after = timedelta(seconds=2)
    secrets: tuple[str, ...] = ()

    def __init__(self, hosts: int) -> None:
        """Open an account at a cloud of so many *hosts*."""
        self.timeline = timeline_now()
        self.weather = calm()
        self.account = SimAccount(
            CLOUD,
            timeline=self.timeline,
            market=SimMarket(CLOUD, seed=1, size=hosts, profile=Profile.NONE),
            weather=self.weather,
            dice=random.Random(1),
            balance=MicroUsd(1_000_000_000),
            on_change=lambda _machine, _what: None,
        )
        self.cloud: CloudProvider = SimCloud(self.account, Certain())
        self.intruder: CloudProvider = SimCloud(self.account, Certain(), key_is_good=False)

    async def until_running(self, ref: CloudRef) -> None:
        while self.account.machines[ref].running_at is None:
            await asyncio.sleep(1)

    async def until_unlisted(self, ref: CloudRef) -> None:
        """It is gone at once."""

    async def vanish(self, ref: CloudRef) -> None:
        self.account.machines[ref].vanish()

    async def spend_everything(self) -> None:
        self.account.balance = self.account.bill()

    async def strike(self, trouble: Trouble) -> None:
        if trouble in ONE_ORDER:
            self.weather.faults = frozenset({ONE_ORDER[trouble]})
        else:
            self.weather.windows = {FOR_A_WHILE[trouble]: (Window(begin=0.0, end=inf),)}

    async def recover(self) -> None:
        self.weather.faults, self.weather.windows = frozenset(), {}

    async def orders_received(self) -> int:
        return len(self.account.machines)
