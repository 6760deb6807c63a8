"""How one sandbox cloud is to behave."""

import os
from dataclasses import dataclass
from pathlib import Path

from orchestrator.faults import Profile

DEFAULT_BALANCE_USD = 25.0
KEY_VARIABLE = "GLOWPLUG_SANDBOX_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """
    What can be chosen when a sandbox is started.

    Attributes:
        port: Of the API, on 127.0.0.1; 0 takes a free one.
        key: The only bearer key that is accepted; None makes a random one.
        faults: Name of the fault profile: how bad the hosts are.
        seed: Same seed, same hosts, offers and misfortunes.
        hosts: How many hosts there are; None leaves it to the fault profile.
        each_host_once: A host that was rented is not on offer again until every other was, as where others rent, too.
        speed: Divides every wait of the cloud: 10 makes tests fast.
        paint_ms: How long ComfyUI takes for a picture; None leaves it to the painter.
        balance_usd: Prepaid money at the start.
        rate_limits: Enforce the real cloud's shortest intervals between calls.
        exit_when_idle_s: End after so many seconds with neither a client nor a machine; None stays.
    """

    port: int = 0
    key: str | None = None
    faults: str = Profile.NONE
    seed: int = 1
    hosts: int | None = None
    each_host_once: bool = False
    speed: float = 1.0
    paint_ms: int | None = None
    balance_usd: float = DEFAULT_BALANCE_USD
    rate_limits: bool = False
    exit_when_idle_s: float | None = None


def key_from_environment() -> str | None:
    """Take the key out of the environment, so that nothing we start inherits it."""
    return os.environ.pop(KEY_VARIABLE, None) or None


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where a sandbox keeps its things; one running sandbox a folder."""

    root: Path

    @property
    def info(self) -> Path:
        """Address and key, for the owner's eyes only."""
        return self.root / "sandbox.json"

    @property
    def lock(self) -> Path:
        """Held by the running sandbox and, after it, by its watchdog until that has tidied up."""
        return self.root / "sandbox.lock"

    @property
    def start_lock(self) -> Path:
        """Held by whoever is about to start a sandbox."""
        return self.root / "sandbox.start.lock"

    @property
    def log(self) -> Path:
        return self.root / "sandbox.log"

    @property
    def machines(self) -> Path:
        return self.root / "machines"

    @property
    def models(self) -> Path:
        return self.root / "models"
