"""
An index of model files: where a sandbox or a person's own bucket keeps them.

Laid over the workflows, it replaces size, sha256 and addresses of the files that it has, and offers further LoRAs.
Form: ``{"files": [{"path": "loras/ink.safetensors", "size": 1, "sha256": "...", "urls": ["..."]}]}``.
"""

import asyncio
import ipaddress
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path, PurePosixPath

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from orchestrator.adapters.workflow_files import FixedCatalog, ModelEntry, one_line, told
from orchestrator.domain.errors import OrchestratorError, Remedy
from orchestrator.domain.workflows import NO_LORA, ModelFile, Workflow
from orchestrator.ports.workflows import WorkflowCatalog

FETCH_LIMIT = timedelta(seconds=15)
LARGEST = 4 * 1024 * 1024
"""Bytes; ten thousand files take about three million."""


class IndexProblem(OrchestratorError):
    """The index of models cannot be had or understood: the operator reads why."""

    remedy = Remedy.OPERATOR


class IndexEntry(ModelEntry):
    """A file in an index; *etag* is what a bucket calls it, where ``glowplug models upload`` wrote the index."""

    etag: str = ""


class _Index(BaseModel):
    files: tuple[IndexEntry, ...]


async def with_index(
    catalog: WorkflowCatalog, http: aiohttp.ClientSession, source: str, *, key: str
) -> WorkflowCatalog:
    """
    Read the index at *source* once and lay it over *catalog*.

    Args:
        source: An http(s) address or a path.
        key: Sent as bearer; empty sends none.

    Raises:
        IndexProblem: It cannot be had or understood.
    """
    if source.startswith(("http://", "https://")):
        content = await _fetch(http, source, key)
    else:
        content = await asyncio.to_thread(_read, Path(source))
    return FixedCatalog(overlaid(catalog.all(), parse_index(content, source)))


def parse_index(content: bytes, source: str) -> tuple[ModelFile, ...]:
    """Read an index.

    Raises:
        IndexProblem: Says what is wrong with it, and where.
    """
    try:
        return tuple(entry.value() for entry in _Index.model_validate_json(content).files)
    except ValidationError as error:
        raise IndexProblem(one_line(f"index of models {source}: {told(error)}")) from error


def overlaid(workflows: Iterable[Workflow], files: Iterable[ModelFile]) -> tuple[Workflow, ...]:
    """
    Replace what the index knows better, and offer its LoRAs wherever one can be chosen.

    A file that the index lacks stays as the workflow has it.
    """
    known = {file.path: file for file in files}
    loras = {_lora_name(path): file for path, file in sorted(known.items()) if path.startswith("loras/")}
    return tuple(_overlaid(workflow, known, loras) for workflow in workflows)


def mirrors_of(catalog: WorkflowCatalog) -> frozenset[tuple[str, int]]:
    """Host and port of everything on this computer from which the workflows' files are fetched."""
    urls = {URL(url) for workflow in catalog.all() for file in workflow.every_file for url in file.urls}
    return frozenset((url.host or "", url.port or 0) for url in urls if url.scheme == "http" and _is_here(url))


def _is_here(url: URL) -> bool:
    try:
        return ipaddress.ip_address(url.host or "").is_loopback
    except ValueError:
        return False


def _overlaid(workflow: Workflow, known: dict[str, ModelFile], loras: dict[str, ModelFile]) -> Workflow:
    overlaid = workflow.with_files(lambda file: known.get(file.path, file))
    own = overlaid.loras
    taken = {file.path for file in own.values()} | {f"loras/{NO_LORA}.safetensors"}
    further = {name: file for name, file in loras.items() if file.path not in taken and name not in own}
    return replace(overlaid, loras={**own, **(further if workflow.takes_lora else {})})


def _lora_name(path: str) -> str:
    """``loras/style/ink.safetensors`` -> ``style/ink``."""
    return str(PurePosixPath(path).relative_to("loras").with_suffix(""))


async def _fetch(http: aiohttp.ClientSession, url: str, key: str) -> bytes:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with (
            asyncio.timeout(FETCH_LIMIT.total_seconds()),
            http.get(url, headers=headers, allow_redirects=not key) as response,
        ):
            if response.status != 200:
                raise IndexProblem(f"index of models: its address answered {response.status}")
            return await _bounded(response)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise IndexProblem(f"index of models: its address does not answer ({type(error).__name__})") from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    content = b""
    async for part in response.content.iter_any():
        content += part
        if len(content) > LARGEST:
            raise IndexProblem(f"index of models: larger than {LARGEST} bytes")
    return content


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise IndexProblem(f"index of models {path}: larger than {LARGEST} bytes")
        return path.read_bytes()
    except OSError as error:
        raise IndexProblem(f"index of models {path}: {error.strerror}") from error
