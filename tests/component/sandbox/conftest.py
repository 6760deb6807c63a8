"""A sandbox in this process, twenty times as fast as people see it, and somebody who rents from it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.sandbox.models import make_models
from orchestrator.sandbox.options import DataFolder, SandboxOptions
from orchestrator.sandbox.server import open_sandbox
from tests.component.sandbox.renter import Renter

KEY = "the-key"
RenterOf = Callable[..., AbstractAsyncContextManager[Renter]]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model files that all sandboxes of a test run serve: making them is most of a sandbox's start."""
    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder


@pytest.fixture
def renter_of(tmp_path: Path, models: Path) -> RenterOf:
    """Open a sandbox with the options that are named."""
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "models").symlink_to(models)

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Renter]:
        given = replace(SandboxOptions(key=KEY, speed=20.0), **options)
        async with (
            open_sandbox(DataFolder(tmp_path / "sandbox"), given) as sandbox,
            aiohttp.ClientSession() as http,
        ):
            yield Renter(sandbox.url, sandbox.key, http)

    return opened


@pytest.fixture
async def renter(renter_of: RenterOf) -> AsyncIterator[Renter]:
    async with renter_of() as renter:
        yield renter
