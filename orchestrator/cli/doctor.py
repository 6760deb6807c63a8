"""``glowplug doctor``: is everything here that the bot needs?"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import aiohttp
import typer

from orchestrator.app import clouds_of, workflows_in
from orchestrator.cli.opening import load_settings, out, print_json, sandbox_of
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.money import dollars
from orchestrator.settings import Settings

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
    sandbox = await sandbox_of(settings)
    async with aiohttp.ClientSession() as http:
        clouds = await clouds_of(settings, sandbox, http)
        told = []
        for name, cloud in sorted(clouds.items()):
            account = await cloud.account()
            balance = "" if account.balance is None else f", ${dollars(account.balance):.2f} left"
            told.append(f"{name}: key good{balance}")
    return "; ".join(told) or "none: pictures are made by COMFYUI_URL"


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
