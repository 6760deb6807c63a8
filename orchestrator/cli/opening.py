"""What the commands share: settings with readable errors, the sandbox where one is needed, and printing JSON."""

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from orchestrator import logs
from orchestrator.app import SandboxAddress
from orchestrator.sandbox.launch import SandboxLaunchError, SandboxOptions, ensure_sandbox
from orchestrator.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def stop(sentence: str, *, status: int = 1) -> NoReturn:
    """End the command with one sentence that says what to do."""
    err.print(sentence)
    raise typer.Exit(status)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; every problem with them is told in one message."""
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        lines = [f"  {problem['loc'][0]}: {problem['msg']}" for problem in error.errors()]
        stop("These settings cannot be used:\n" + "\n".join(lines), status=2)
    logs.configure(level="WARNING" if settings.log_level == "INFO" else settings.log_level, secrets=settings.secrets())
    return settings


async def sandbox_of(settings: Settings, *, wanted: bool = False) -> SandboxAddress | None:
    """The sandbox that these settings use, started if it is the embedded one; None where a real cloud is used."""
    if settings.sandbox_url:
        return SandboxAddress(url=settings.sandbox_url.rstrip("/"), key=settings.sandbox_key.get_secret_value())
    if not (wanted or settings.needs_sandbox):
        return None
    try:
        running = await ensure_sandbox(settings.data, options=SandboxOptions(faults=settings.sandbox_faults))
    except SandboxLaunchError as error:
        stop(str(error))
    return SandboxAddress(url=running.url, key=running.key)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON document on standard output, for programs."""
    json.dump(value, sys.stdout, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write("\n")
    sys.stdout.flush()
