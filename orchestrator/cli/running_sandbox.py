"""The sandbox that runs already, if any: for commands that look and start nothing."""

import json
from pathlib import Path

from orchestrator.app import SandboxAddress
from orchestrator.settings import Settings


async def running_sandbox(settings: Settings) -> SandboxAddress | None:
    """The sandbox named by the settings or left running by the bot; None where there is none."""
    if settings.sandbox_url:
        return SandboxAddress(url=settings.sandbox_url.rstrip("/"), key=settings.sandbox_key.get_secret_value())
    if not settings.needs_sandbox:
        return None
    return _found(settings.data / "sandbox.json")


def _found(path: Path) -> SandboxAddress | None:
    try:
        known = json.loads(path.read_text())
        return SandboxAddress(url=known["url"], key=known["key"])
    except (OSError, ValueError, KeyError):
        return None
