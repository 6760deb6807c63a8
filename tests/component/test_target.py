"""Where ``e2e`` and ``bench`` rent, and for how much."""

from pathlib import Path

import aiohttp
import pytest
import typer

from orchestrator.adapters.database.store import open_store
from orchestrator.adapters.ssh import KEY_FILE
from orchestrator.adapters.system import SystemClock
from orchestrator.app import clouds_of
from orchestrator.cli.target import capped, choose, own_folder
from orchestrator.domain.ids import CloudName
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.offer import Requirements
from orchestrator.ports.store import Booking
from orchestrator.settings import Settings
from tests.contract.cloud_suite import KEY, ORDER
from tests.contract.samples import ADA

ANY = Requirements(vram_mib=1000, disk_gib=10)


def settings(folder: Path, **values: str) -> Settings:
    return Settings(_env_file=None, GLOWPLUG_DATA=str(folder), **values)  # type: ignore[arg-type]


def test_a_key_makes_it_the_real_cloud_and_that_alone(tmp_path: Path) -> None:
    both = settings(tmp_path, RUNPOD_API_KEY="secret", VAST_API_KEY="another")

    target = choose(both, "runpod", cap_usd=None)

    assert (target.is_real, target.costs_money, target.cap_usd) == (True, True, 2.0)
    assert target.settings.cloud_keys() == {"runpod": (None, "secret")}
    assert target.sentence == "on runpod, the real one, $2.00 at most"


def test_without_one_it_is_the_sandboxs_and_says_so(tmp_path: Path) -> None:
    target = choose(settings(tmp_path), "runpod", cap_usd=None)

    assert (target.is_real, target.costs_money, target.cap_usd, target.key) == (False, False, None, "sandbox-runpod")
    assert "nothing is rented for real (RUNPOD_API_KEY is not set" in target.sentence


@pytest.mark.parametrize("cloud", ["moon", "static"])
def test_what_is_nowhere_ends_the_command(tmp_path: Path, cloud: str) -> None:
    with pytest.raises(typer.Exit):
        choose(settings(tmp_path), cloud, cap_usd=None)


async def test_the_cap_counts_from_what_was_spent_before(tmp_path: Path) -> None:
    clock = SystemClock()
    booking = Booking(at=clock.now(), user=ADA, cloud="vast", instance=None, job=None, amount=MicroUsd(1_500_000))
    async with open_store(tmp_path / "glowplug.sqlite3", clock) as store, store.writing() as books:
        await books.ledger.book(booking)

    caps = (await capped(settings(tmp_path), 2.0)).caps()

    assert (caps.person_day, caps.day, caps.month) == (3_500_000, 3_500_000, 3_500_000)
    assert (await capped(settings(tmp_path), None)).caps().day is None


async def test_a_machine_of_ones_own_that_the_bot_uses_is_not_taken(tmp_path: Path) -> None:
    bots = settings(tmp_path, GLOWPLUG_STATIC_HOSTS="root@192.0.2.1:22=RTX 3090")
    target = choose(bots, "static", cap_usd=None)
    own = target.settings.model_copy(update={"data": own_folder(target, "e2e")})
    static = CloudName("static")
    async with aiohttp.ClientSession() as http:
        of_bot, of_e2e = [(await clouds_of(each, None, http))[static] for each in (bots, own)]
        [offer] = await of_e2e.offers(ANY)

        await of_bot.launch(offer, KEY, ORDER)

        assert await of_e2e.offers(ANY) == ()
    assert (own.data / KEY_FILE).read_bytes() == (tmp_path / KEY_FILE).read_bytes()
    assert own_folder(target, "e2e") == own.data
    assert not target.costs_money
