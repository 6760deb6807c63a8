"""Where ``e2e`` and ``bench`` rent, and for how much: at one cloud alone, the real one or the sandbox's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from orchestrator.adapters.clouds.registry import CLOUDS
from orchestrator.adapters.clouds.vast.cloud import SANDBOX, VAST
from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.ssh import KEY_FILE, load_or_create_key
from orchestrator.adapters.system import SystemClock
from orchestrator.cli.opening import out, stop
from orchestrator.domain.ids import UserId
from orchestrator.domain.money import dollars
from orchestrator.sandbox.apis import CLOUDS as FAKES
from orchestrator.settings import Settings

USUAL_CAP_USD = 2.0
"""Where money is real: many cold starts at usual prices, and a bearable loss."""

WHERE = "Where to rent: sandbox, or a cloud by name; without its key the sandbox's fake of it."
CAP = "The most that may be spent in all, in dollars; 2 where money is real, unless said."


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    One cloud.

    Attributes:
        settings: Of that cloud alone.
        is_real: Somebody else's, or machines of one's own; else the sandbox's.
        cap_usd: The most that may be spent; None sets no limit.
    """

    name: str
    settings: Settings
    is_real: bool
    cap_usd: float | None

    @property
    def costs_money(self) -> bool:
        return self.is_real and self.settings.rents_for_real

    @property
    def key(self) -> str:
        """What its files are called: the sandbox's never look like the real one's."""
        return self.name if self.is_real or self.name == SANDBOX else f"{SANDBOX}-{self.name}"

    @property
    def sentence(self) -> str:
        """The first line that a person reads."""
        if self.is_real:
            most = f", ${self.cap_usd:.2f} at most" if self.costs_money else ", which costs nothing"
            return f"on {self.name}, the real one{most}"
        if self.name == SANDBOX:
            return "on the sandbox: nothing is rented for real"
        variable = self.settings.variable_of_cloud(self.name)
        return (
            f"on the sandbox's {self.name}: nothing is rented for real ({variable} is not set, or a sandbox is named)"
        )


def choose(settings: Settings, cloud: str, *, cap_usd: float | None) -> Target:
    """Find the cloud of that name, or end the command with a sentence that says what it takes."""
    known = sorted({*CLOUDS} - {SANDBOX})
    if cloud != SANDBOX and cloud not in known:
        stop(f'There is no cloud "{cloud}"; use sandbox, {", ".join(known)}.', status=2)
    if cloud in settings.cloud_keys() and not settings.sandbox_url:
        alone = settings.with_cloud_alone(cloud)
        most = USUAL_CAP_USD if cap_usd is None and alone.rents_for_real else cap_usd
        return Target(name=cloud, settings=alone, is_real=True, cap_usd=most)
    if cloud not in {SANDBOX, VAST, *FAKES}:
        stop(f"Renting at {cloud} needs {settings.variable_of_cloud(cloud)}; the sandbox has no {cloud}.", status=2)
    way = VAST if cloud == SANDBOX else cloud
    alone = settings.model_copy(update={"sandbox_clouds": way, "bridge": "none"})
    return Target(name=cloud, settings=alone, is_real=False, cap_usd=cap_usd)


def agree(target: Target, machines: str, *, yes: bool, quiet: bool) -> None:
    """Say where it will be, and ask before real money is spent; without a yes the command ends here."""
    if not quiet:
        out.print(target.sentence)
    if not target.costs_money or yes:
        return
    hour = target.settings.max_usd_hour
    question = f"This rents {machines} at {target.name} for up to ${hour:.2f} an hour, and costs at most"
    if not typer.confirm(f"{question} ${target.cap_usd:.2f} in all. Go on?", err=quiet):
        raise typer.Exit(1)


def own_folder(target: Target, command: str) -> Path:
    """
    Where its books are: apart from the bot's, and the same for the next run, which ends what this one has to leave.

    Machines of one's own know the bot's SSH key alone, and who has one is a file in the bot's folder: both are shared,
    so that what the bot uses is not taken. Blocks on the disk.
    """
    data = target.settings.data.resolve()
    folder = data / command / target.key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if target.is_real and not target.costs_money:
        load_or_create_key(data)
        (data / target.name).mkdir(exist_ok=True, mode=0o700)
        for shared in (KEY_FILE, target.name):
            if not (folder / shared).is_symlink():
                (folder / shared).symlink_to(data / shared)
    return folder


async def capped(settings: Settings, cap_usd: float | None) -> Settings:
    """The same, where *cap_usd* may be spent beyond what the books in its folder have spent already."""
    if cap_usd is None:
        return settings
    path, clock = settings.data / "glowplug.sqlite3", SystemClock()
    day_usd, month_usd = 0.0, 0.0
    if path.exists():
        day = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        async with open_store_readonly(path, clock) as store, store.reading() as books:
            spent = await books.ledger.spent(UserId(""), day=day, month=day.replace(day=1))
            day_usd, month_usd = dollars(spent.day), dollars(spent.month)
    caps: dict[str, Any] = {"cap_person_day_usd": day_usd + cap_usd, "cap_day_usd": day_usd + cap_usd}
    return settings.model_copy(update=caps | {"cap_month_usd": month_usd + cap_usd})
