"""
``make chaos KILLS=20``: real processes, random misfortune, and what must hold in spite of it.

Each way is a trial of its own on a cloud of its own: jobs are asked for all the time, and at a random moment of their
lives the bot is killed, frozen, or cut off from the cloud. In the end every job has its pictures, no picture is there
twice, no machine is left, and the ledger equals the cloud's bill. The last line is one JSON document.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.processes import Client, Running, bill, bot, living, sandbox

SETTINGS = {
    "GLOWPLUG_BRIDGE": "none",
    "GLOWPLUG_POLICY": "first-user",
    "GLOWPLUG_BOOT_DEADLINE_S": "10",
    "GLOWPLUG_SSH_DEADLINE_S": "6",
    "GLOWPLUG_MAX_MACHINES": "30",
    "GLOWPLUG_IDLE_TIMEOUT_S": "60",
}
FROZEN_S = 30.0
CUT_S = 60.0
LONGEST_LIFE_S = 8.0
MOST_AT_ONCE = 6
"""Jobs under way before another one is asked for."""

GIVEN_BACK = 0.25
"""How often the machine is given back, so that misfortune falls on cold starts as well."""

END_LIMIT_S = 300.0


@dataclass(slots=True, kw_only=True)
class Trial:
    """One cloud, and the bot as it is now."""

    folder: Path
    cloud: Running
    http: aiohttp.ClientSession
    dice: random.Random
    bot: Running
    asked: list[str] = field(default_factory=list)

    @property
    def client(self) -> Client:
        return Client(self.http, self.bot.url)

    async def ask(self) -> None:
        """One more request, unless enough are under way."""
        cards = await self.client.get("/api/cards?user=ada")
        if sum(card["ended_at"] is None for card in cards) >= MOST_AT_ONCE:
            return
        answer = await self.client.say(f"/imagine cat {len(self.asked)} --size 512x512")
        assert answer["status"] == 200, answer
        self.asked.append(answer["card"]["id"])

    async def live(self) -> None:
        """Some seconds of an ordinary life, from a cold start to painting."""
        for _ in range(self.dice.randrange(1, 3)):
            await self.ask()
        if self.dice.random() < GIVEN_BACK:
            await self.client.say("/release")  # what is queued is finished first; then another machine warms up
        await asyncio.sleep(self.dice.uniform(0, LONGEST_LIFE_S))


Way = Callable[[Trial], Awaitable[None]]


async def killed(trial: Trial) -> None:
    trial.bot.kill(signal.SIGKILL)
    await trial.bot.process.wait()
    trial.bot = await bot(trial.folder, trial.cloud, **SETTINGS)


async def frozen(trial: Trial) -> None:
    """The whole process stands still: all its connections time out meanwhile."""
    trial.bot.kill(signal.SIGSTOP)
    await asyncio.sleep(FROZEN_S)
    trial.bot.kill(signal.SIGCONT)


async def cut_off(trial: Trial) -> None:
    """Neither the cloud nor any machine answers: what was sent is not refused, it is not heard."""
    trial.cloud.kill(signal.SIGSTOP)
    await asyncio.sleep(CUT_S)
    trial.cloud.kill(signal.SIGCONT)


WAYS: dict[str, tuple[Way, tuple[str, ...]]] = {
    "killed": (killed, ()),
    "killed on a bad market": (killed, ("--faults", "market")),
    "frozen": (frozen, ()),
    "cut off": (cut_off, ()),
}
RARE = {"frozen": 10, "cut off": 20}
"""Those that take long happen once where the others happen so often."""


async def trial_of(name: str, kills: int, seed: int) -> dict[str, Any]:
    """One trial; every fact that must hold, and whether it does."""
    way, options = WAYS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        async with (
            sandbox(folder, "--speed", "4", "--paint-ms", "400", "--hosts", "60", *options) as cloud,
            aiohttp.ClientSession() as http,
        ):
            first = await bot(folder, cloud, **SETTINGS)
            trial = Trial(folder=folder, cloud=cloud, http=http, dice=random.Random(seed), bot=first)
            for _ in range(max(1, kills // RARE.get(name, 1))):
                await trial.live()
                await way(trial)
            facts = await _settled(trial)
            await trial.bot.end()
    return {"way": name, "jobs": len(trial.asked), **facts}


async def _settled(trial: Trial) -> dict[str, Any]:
    cards = await _ended(trial)
    pictures = Counter(key for card in cards for key in card["images"])
    await trial.client.say("/release")
    await _until_gone(trial)
    spent = (await trial.client.get("/api/status"))["today_usd"]
    billed = await bill(trial.cloud)
    return {
        "succeeded": sum(card["state"] == "succeeded" for card in cards),
        "unlike": [card["error"] for card in cards if card["state"] != "succeeded"],
        "pictures_twice": sum(number - 1 for number in pictures.values()),
        "cards": len(cards),
        "machines": len(billed["machines"]),
        "machines_left": len(living(billed)),
        "ledger_usd": round(spent, 4),
        "bill_usd": round(billed["total_usd"], 4),
    }


async def _ended(trial: Trial) -> list[dict[str, Any]]:
    async with asyncio.timeout(END_LIMIT_S):
        while True:
            cards: list[dict[str, Any]] = await trial.client.get("/api/cards?user=ada")
            if all(card["ended_at"] is not None for card in cards):
                return cards
            await asyncio.sleep(0.3)


async def _until_gone(trial: Trial) -> None:
    async with asyncio.timeout(END_LIMIT_S):
        while (await trial.client.get("/api/status"))["instances"] or living(await bill(trial.cloud)):
            await asyncio.sleep(0.3)


def violations(facts: dict[str, Any]) -> list[str]:
    """What must hold and does not."""
    found = []
    if not facts["jobs"] == facts["succeeded"] == facts["cards"]:
        found.append("a job was lost, doubled or failed")
    if facts["pictures_twice"]:
        found.append("a picture is there twice")
    if facts["machines_left"]:
        found.append("a machine is left")
    if abs(facts["ledger_usd"] - facts["bill_usd"]) > 0.01:
        found.append("the ledger is not the bill")
    return found


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=[*WAYS], default=None)
    arguments = parser.parse_args()
    reports = []
    for name in [arguments.only] if arguments.only else WAYS:
        facts = await trial_of(name, arguments.kills, arguments.seed)
        facts["violations"] = violations(facts)
        reports.append(facts)
        print(f"{name}: {json.dumps(facts)}", flush=True)
    bad = [facts for facts in reports if facts["violations"]]
    print(json.dumps({"trials": reports, "seed": arguments.seed, "violations": len(bad)}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
