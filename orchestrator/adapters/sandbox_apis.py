"""Which vendors' ways a sandbox has, and where: asked of the sandbox itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp

from orchestrator.domain.errors import SettingsProblem

LIMIT = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxApis:
    """
    Addresses by the names of adapters.

    Attributes:
        bridges: Of managed APIs.
    """

    clouds: Mapping[str, str] = field(default_factory=dict)
    bridges: Mapping[str, str] = field(default_factory=dict)


async def apis_of(http: aiohttp.ClientSession, url: str, *, key: str) -> SandboxApis:
    """
    Ask the sandbox at *url*.

    Raises:
        SettingsProblem: It does not answer as a sandbox does.
    """
    headers = {"Authorization": f"Bearer {key}"}
    try:
        async with (
            asyncio.timeout(LIMIT.total_seconds()),
            http.get(f"{url}/sandbox/apis", headers=headers, raise_for_status=True) as answer,
        ):
            found = await answer.json()
            return SandboxApis(clouds=dict(found["clouds"]), bridges=dict(found["bridges"]))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise SettingsProblem(
            f"the sandbox at {url} does not say which APIs it has ({type(error).__name__}); is its key right?"
        ) from error
