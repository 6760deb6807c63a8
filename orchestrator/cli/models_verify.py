"""What ``glowplug models verify`` asks and shows; loaded when it is called, since botocore is slow to load."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from rich.table import Table

from orchestrator.adapters.mirrors import Hub, Mirror, MirrorLimits, open_mirrors
from orchestrator.adapters.models_check import Checked, Finding, check_bucket, check_mirror
from orchestrator.adapters.models_record import read_record
from orchestrator.adapters.r2 import open_bucket
from orchestrator.cli.opening import out
from orchestrator.domain.workflows import ModelFile
from orchestrator.settings import Settings

LIMITS = MirrorLimits(tries=2)


async def check_all(settings: Settings, files: Sequence[ModelFile]) -> list[Checked]:
    """Ask every mirror of every file, and our bucket if there is one."""
    hub = Hub(endpoint=settings.hf_endpoint.rstrip("/"), token=settings.hf_token.get_secret_value())
    record, checked = read_record(settings.data), []
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(open_mirrors())
        bucket = await stack.enter_async_context(open_bucket(settings.bucket)) if settings.bucket else None
        for file in files:
            checked += [await check_mirror(Mirror(http, url, hub=hub, limits=LIMITS), file) for url in file.urls]
            if bucket is not None:
                checked.append(await check_bucket(bucket, file, record.get(file.path)))
    return checked


def as_document(files: Iterable[ModelFile], checked: Sequence[Checked]) -> dict[str, Any]:
    """The JSON of this command; ``ok`` is false where something differs, is missing, or nobody could confirm a file."""
    rows = [_row(file, [one for one in checked if one.path == file.path]) for file in files]
    return {"ok": all(row["ok"] for row in rows), "models": rows}


def show(document: dict[str, Any]) -> None:
    """The same as a table."""
    table = Table("file", "where", "bytes", "sha256", "finding", "")
    for row in document["models"]:
        table.add_row(row["path"], "manifest", str(row["size"]), (row["sha256"] or "not known yet")[:16], "", "")
        for place in row["places"]:
            size, sha256 = str(place["size"] or "-"), (place["sha256"] or "-")[:16]
            table.add_row("", place["at"], size, sha256, place["finding"], place["why"])
    out.print(table)
    out.print("Everything is as its manifest says." if document["ok"] else "Not everything is as its manifest says.")


def _row(file: ModelFile, checked: Sequence[Checked]) -> dict[str, Any]:
    findings = {one.finding for one in checked}
    is_wrong = not findings.isdisjoint({Finding.DIFFERS, Finding.MISSING})
    return {
        "path": file.path,
        "size": file.size_bytes,
        "sha256": file.sha256,
        "ok": not is_wrong and Finding.SAME in findings,
        "places": [
            {
                "at": one.at,
                "finding": one.finding.value,
                "size": one.size_bytes,
                "sha256": one.sha256,
                "why": one.why,
            }
            for one in checked
        ],
    }
