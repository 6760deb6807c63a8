"""Other vendors' ways of asking for the same machines, and managed APIs: each at an address of its own."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from orchestrator.sandbox import lambda_labs, modal, replicate, runpod, runpod_serverless, together
from orchestrator.sandbox.cloud import Cloud
from orchestrator.sandbox.listening import bind, listening
from orchestrator.sandbox.studio import Studio

CLOUDS: Mapping[str, Callable[[Cloud, str], web.Application]] = {
    "runpod": runpod.app,
    "lambda": lambda cloud, key: lambda_labs.app(cloud, key, has_limits=False),  # as the sandbox itself has none
}
BRIDGES: Mapping[str, Callable[[Studio, str], web.Application]] = {
    "modal": modal.app,
    "replicate": replicate.app,
    "runpod_serverless": runpod_serverless.app,
    "runpod_public": runpod_serverless.app,
    "together": together.app,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Apis:
    """
    Where they are, by the name of the adapter that speaks with them; all take the sandbox's one key.

    Attributes:
        bridges: Managed APIs.
        apps: The servers themselves, by the same names, for whoever makes trouble in them.
    """

    clouds: Mapping[str, str]
    bridges: Mapping[str, str]
    apps: Mapping[str, web.Application]


@asynccontextmanager
async def open_apis(cloud: Cloud, studio: Studio, key: str) -> AsyncIterator[Apis]:
    """Serve all of them inside the block."""
    clouds = {name: make(cloud, key) for name, make in CLOUDS.items()}
    bridges = {name: make(studio, key) for name, make in BRIDGES.items()}
    async with AsyncExitStack() as stack:
        urls = {
            name: await stack.enter_async_context(listening(app, bind(0)))
            for name, app in (*clouds.items(), *bridges.items())
        }
        yield Apis(
            clouds={name: urls[name] for name in clouds},
            bridges={name: urls[name] for name in bridges},
            apps={**clouds, **bridges},
        )
