"""What ``glowplug models upload`` does and shows; loaded when it is called, since botocore is slow to load."""

import asyncio
import re
import resource
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from orchestrator.adapters.mirrors import Hub, Mirror, MirrorLimits, MirrorRefused, open_mirrors
from orchestrator.adapters.models_record import Recorded, add_to_record, read_record
from orchestrator.adapters.models_upload import READ_BACK, OnBytes, Outcome, Receipt, Uploader, UploadLimits
from orchestrator.adapters.presigned import BucketAccess, presigned
from orchestrator.adapters.r2 import open_bucket
from orchestrator.adapters.system import SystemClock
from orchestrator.cli.opening import err, out
from orchestrator.domain.workflows import ModelFile
from orchestrator.settings import Settings


async def upload_all(
    settings: Settings, access: BucketAccess, files: Sequence[ModelFile], *, is_quiet: bool
) -> dict[str, Any]:
    """
    Upload *files* one after another, and record each as soon as it is proved. Returns the JSON of this command.

    Raises:
        BucketProblem: The bucket cannot be used; what was uploaded before is recorded.
    """
    async with open_bucket(access) as bucket, open_mirrors() as http:
        mirrors = _Mirrors(http, settings, access)
        uploader = Uploader(bucket, read_back=mirrors.read_back, limits=UploadLimits())
        with _progress(is_quiet=is_quiet) as progress:
            rows = [await _uploaded(uploader, mirrors, settings.data, file, progress) for file in files]
    return {"ok": all(row["outcome"] != "failed" for row in rows), "models": rows, "peak_mib": _peak_mib()}


def show(document: dict[str, Any]) -> None:
    """A sentence a file."""
    sentences = {
        Outcome.UPLOADED: "uploaded and verified",
        Outcome.READ: "was there already; read, verified and recorded",
        Outcome.THERE: "is there already",
    }
    for row in document["models"]:
        if row["outcome"] == "failed":
            out.print(f"Failed: {row['problem']}.")
        else:
            out.print(f"{row['path']} {sentences[Outcome(row['outcome'])]} ({row['sent'] / 1e9:.2f} GB sent)")
    out.print(f"Used {document['peak_mib']} MiB of memory at most. A running bot learns of it at its next start.")


class _Mirrors:
    """The addresses of files as mirrors that can be read."""

    def __init__(self, http: aiohttp.ClientSession, settings: Settings, access: BucketAccess) -> None:
        self._http = http
        self._hub = Hub(endpoint=settings.hf_endpoint.rstrip("/"), token=settings.hf_token.get_secret_value())
        self._access = access
        self._clock = SystemClock()

    def of(self, file: ModelFile) -> list[Mirror]:
        """Hugging Face first: it says the sha256 before a byte has moved."""
        first = [url for url in file.urls if url.startswith(f"{self._hub.endpoint}/")]
        return [self._mirror(url) for url in [*first, *(url for url in file.urls if url not in first)]]

    def read_back(self, key: str) -> Mirror:
        return self._mirror(presigned(self._access, key, now=self._clock.now(), lasting=READ_BACK))

    def _mirror(self, url: str) -> Mirror:
        return Mirror(self._http, url, hub=self._hub, limits=MirrorLimits())


async def _uploaded(
    uploader: Uploader, mirrors: _Mirrors, data: Path, file: ModelFile, progress: Progress
) -> dict[str, Any]:
    line = progress.add_task(file.path, total=file.size_bytes)
    try:
        receipt = await _upload(uploader, mirrors, data, file, partial(progress.advance, line))
    except MirrorRefused as refused:
        return {"path": file.path, "outcome": "failed", "problem": str(refused)}
    progress.update(line, total=receipt.size_bytes, completed=receipt.size_bytes)
    return _row(receipt)


async def _upload(uploader: Uploader, mirrors: _Mirrors, data: Path, file: ModelFile, on_bytes: OnBytes) -> Receipt:
    entry = (await asyncio.to_thread(read_record, data)).get(file.path)
    recorded = _receipt(entry) if entry else None
    receipt = await uploader.bring(file, mirrors.of(file), recorded=recorded, on_bytes=on_bytes)
    await asyncio.to_thread(add_to_record, data, _entry(file, receipt))
    return receipt


def _entry(file: ModelFile, receipt: Receipt) -> Recorded:
    return Recorded(
        path=receipt.path,
        size=receipt.size_bytes,
        sha256=receipt.sha256,
        urls=file.urls,
        chunk=receipt.chunk,
        chunks=receipt.chunks,
        etag=receipt.etag,
    )


def _receipt(entry: Recorded) -> Receipt:
    return Receipt(
        path=entry.path,
        outcome=Outcome.THERE,
        size_bytes=entry.size,
        sha256=entry.sha256,
        chunk=entry.chunk,
        chunks=entry.chunks,
        etag=entry.etag,
        sent_bytes=0,
    )


def _row(receipt: Receipt) -> dict[str, Any]:
    return {
        "path": receipt.path,
        "outcome": receipt.outcome.value,
        "size": receipt.size_bytes,
        "sha256": receipt.sha256,
        "chunk": receipt.chunk,
        "chunks": len(receipt.chunks),
        "sent": receipt.sent_bytes,
    }


def _progress(*, is_quiet: bool) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=err, disable=is_quiet)


def _peak_mib() -> int:
    """Of this process alone where the system tells; ``ru_maxrss`` may be that of whoever started it."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    unit = 1 if sys.platform == "darwin" else 1024
    size = int(found[1]) * 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return round(size / 2**20)
