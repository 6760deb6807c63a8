"""
What ``glowplug models upload`` proved, kept in the data folder as ``models.json``.

It has the form of an index of models (see :mod:`models_index`), so that it can be handed on as one, and adds the sha256
of each range and what the bucket calls the object. Of a file whose manifest has no sha256 it is the only one that does.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from orchestrator.adapters.models_index import IndexEntry, IndexProblem
from orchestrator.adapters.workflow_files import Sha256, one_line, told
from orchestrator.domain.workflows import ModelFile, Workflow

RECORD = "models.json"


class Recorded(IndexEntry):
    """One file that is in the bucket for certain."""

    sha256: Sha256
    etag: str


class _Record(BaseModel):
    files: tuple[Recorded, ...] = ()


def read_record(data: Path) -> dict[str, Recorded]:
    """
    What is recorded in this data folder, by path; nothing where nothing was uploaded.

    Raises:
        IndexProblem: It cannot be read.
    """
    path = data / RECORD
    try:
        record = _Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise IndexProblem(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise IndexProblem(
            one_line(f"{path}: {told(error)}; without it, `glowplug models upload` writes it")
        ) from error
    return {entry.path: entry for entry in record.files}


def add_to_record(data: Path, entry: Recorded) -> None:
    """Record *entry*, in place of what was known of its path; the file is there whole or as it was."""
    entries = read_record(data) | {entry.path: entry}
    record = _Record(files=tuple(entries[path] for path in sorted(entries)))
    data.mkdir(parents=True, exist_ok=True)
    unfinished = data / f".{RECORD}.{os.getpid()}"
    unfinished.write_text(record.model_dump_json(exclude_defaults=True, indent=1) + "\n")
    unfinished.replace(data / RECORD)


def with_record(workflows: Iterable[Workflow], record: Mapping[str, Recorded]) -> tuple[Workflow, ...]:
    """Give each file what is recorded of it, unless its manifest wants other bytes by now."""
    return tuple(workflow.with_files(lambda file: completed(file, record)) for workflow in workflows)


def completed(file: ModelFile, record: Mapping[str, Recorded]) -> ModelFile:
    """The same file with exact size and checksums, where they are recorded."""
    entry = record.get(file.path)
    if entry is None or file.sha256 not in {None, entry.sha256}:
        return file
    return replace(file, size_bytes=entry.size, sha256=entry.sha256, chunk=entry.chunk, chunks=entry.chunks)
