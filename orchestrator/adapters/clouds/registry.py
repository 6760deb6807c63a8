"""Which clouds there are: one line each. Called by the composition root, which knows the keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import aiohttp

from orchestrator.adapters.clouds.lambda_labs.cloud import LAMBDA, lambda_labs
from orchestrator.adapters.clouds.runpod.cloud import RUNPOD, runpod
from orchestrator.adapters.clouds.static.cloud import STATIC, static
from orchestrator.adapters.clouds.vast.cloud import SANDBOX, VAST, vast, vast_in_a_sandbox
from orchestrator.domain.ids import CloudName
from orchestrator.ports.cloud import CloudProvider


class OpenCloud(Protocol):
    """What a cloud's folder offers to the registry."""

    def __call__(self, *, url: str | None, key: str, session: aiohttp.ClientSession, folder: Path) -> CloudProvider:
        """
        Build the adapter; nothing is sent.

        Args:
            url: Where the cloud is; None for its usual address. Of machines you own, what the settings say of them.
            key: The account's key.
            session: Shared, and closed by whoever opened it.
            folder: The bot's own, for what a cloud without a memory has to keep there.
        """
        ...


class OpenCloudWithVolumes(Protocol):
    """The same of a cloud that has volumes: folders that outlive machines."""

    def __call__(
        self, *, url: str | None, key: str, session: aiohttp.ClientSession, folder: Path, volumes: tuple[str, ...]
    ) -> CloudProvider:
        """
        Build the adapter; nothing is sent.

        Args:
            url: As of any cloud, like the others.
            volumes: Names of those that machines are to have where they can. Its offers say where they find them.
        """
        ...


CLOUDS: Mapping[CloudName, OpenCloud] = {
    VAST: vast,
    SANDBOX: vast_in_a_sandbox,
    RUNPOD: runpod,
    LAMBDA: lambda_labs,
    STATIC: static,
}

WITH_VOLUMES: Mapping[CloudName, OpenCloudWithVolumes] = {LAMBDA: lambda_labs, RUNPOD: runpod}
