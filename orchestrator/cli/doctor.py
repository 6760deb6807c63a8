"""``glowplug doctor``: is everything here that the bot needs?"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

import aiohttp
import typer

from orchestrator.adapters.sandbox_apis import apis_of
from orchestrator.adapters.system import SystemClock
from orchestrator.app import bridges_of, clouds_of, workflows_in
from orchestrator.cli.health import joined, money_words, remembered, trouble_words
from orchestrator.cli.opening import load_settings, out, print_json, sandbox_of
from orchestrator.control.board import CloudHealth
from orchestrator.domain.errors import ApiOff, CloudError, InferenceUnavailable, OrchestratorError, SettingsProblem
from orchestrator.ports.cloud import CloudProvider
from orchestrator.ports.inference import InferenceApi
from orchestrator.settings import Settings

PROBE_LIMIT = timedelta(seconds=30)

Check = Callable[[Settings], Awaitable[str]]


class _Failed(Exception):
    """The sentence says what to do."""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check what the bot needs; exit 1 if anything fails."""
    checks = asyncio.run(_all(load_settings()))
    if as_json:
        print_json({"checks": checks})
    else:
        for check in checks:
            out.print(
                f"{'[green]ok[/green]  ' if check['ok'] else '[red]FAIL[/red]'} {check['name']}: {check['detail']}"
            )
    if not all(check["ok"] for check in checks):
        raise typer.Exit(1)


async def _all(settings: Settings) -> list[dict[str, Any]]:
    checks: list[tuple[str, Check]] = [
        ("python", _python),
        ("data folder", _data),
        ("workflows", _workflows),
        ("clouds", _clouds),
        ("managed APIs", _apis),
        ("comfyui", _comfyui),
    ]
    return [await _one(name, check, settings) for name, check in checks]


async def _one(name: str, check: Check, settings: Settings) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "detail": await check(settings)}
    except (_Failed, OrchestratorError, OSError) as error:
        return {"name": name, "ok": False, "detail": str(error)}


async def _python(_: Settings) -> str:
    return ".".join(map(str, sys.version_info[:3]))


async def _data(settings: Settings) -> str:
    folder = settings.data.resolve()
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
    if not os.access(folder, os.W_OK):
        raise _Failed(f"{folder} cannot be written; set GLOWPLUG_DATA to a folder that can")
    return str(folder)


async def _workflows(settings: Settings) -> str:
    return ", ".join(workflow.name for workflow in workflows_in(settings.data).all())


async def _clouds(settings: Settings) -> str:
    """Each by itself: one that is out of order hides no other."""
    sandbox, now = await sandbox_of(settings), SystemClock().now()
    known = await remembered(settings)
    async with aiohttp.ClientSession() as http:
        clouds = await clouds_of(settings, sandbox, http)
        told = [await _cloud(cloud, known.get(name), now) for name, cloud in sorted(clouds.items())]
    return _all_good(told) or "none: pictures are made by COMFYUI_URL or a managed API"


async def _cloud(cloud: CloudProvider, known: CloudHealth | None, now: datetime) -> tuple[bool, str]:
    try:
        balance = (await cloud.account()).balance
        rate = sum(rental.price for rental in await cloud.rentals())
    except CloudError as error:
        return False, str(error)
    lasts = timedelta(hours=balance / rate) if balance is not None and rate else None
    return True, f"{cloud.name}: " + joined(["key good", money_words(balance, lasts), *trouble_words(known, now)])


async def _apis(settings: Settings) -> str:
    """Each is asked whether it serves us, which costs nothing."""
    sandbox = await sandbox_of(settings)
    async with aiohttp.ClientSession() as http:
        if sandbox is not None:
            try:
                await apis_of(http, sandbox.url, key=sandbox.key)
            except SettingsProblem as error:  # told once: a sandbox that does not answer fails as a cloud, too
                return f"not asked: {error}"
        told = [await _api(api) for api in (await bridges_of(settings, sandbox, http)).values()]
    return _all_good(told) or "none: who waits for a cold machine waits"


async def _api(api: InferenceApi) -> tuple[bool, str]:
    try:
        async with asyncio.timeout(PROBE_LIMIT.total_seconds()):
            await api.probe()
    except ApiOff as error:
        return False, f"{api.title}: switched off, {error}"
    except (InferenceUnavailable, TimeoutError) as error:
        return False, f"{api.title}: left alone, {str(error) or 'it takes too long to answer'}"
    return True, f"{api.title}: serves us"


def _all_good(told: list[tuple[bool, str]]) -> str:
    sentence = "; ".join(text for _, text in told)
    if not all(good for good, _ in told):
        raise _Failed(sentence)
    return sentence


async def _comfyui(settings: Settings) -> str:
    if not settings.comfyui_url:
        return "not used"
    url = settings.comfyui_url.rstrip("/") + "/system_stats"
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http, http.get(url) as answer:
            version = (await answer.json())["system"]["comfyui_version"]
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
        raise _Failed(
            f"no ComfyUI answers at {settings.comfyui_url} ({type(error).__name__}); start it or unset COMFYUI_URL"
        ) from None
    return f"ComfyUI {version}"
