"""The model files of the laboratory: the names and proportions of the real ones, random bytes behind a true header."""

import hashlib
import json
import os
import struct
from dataclasses import replace
from pathlib import Path

from orchestrator.domain.workflows import ModelFile, Workflow
from tests.bench.cold_start.scale import FILES, Scale

CHUNK = 4 * 2**20
"""As long as a manifest's chunks are when the files are scaled as these are."""


def write_files(folder: Path, scale: Scale) -> tuple[ModelFile, ...]:
    """Write them all; no address yet."""
    return tuple(_write(folder, path, scale.size(size)) for path, size in FILES.items())


def _write(folder: Path, path: str, size: int) -> ModelFile:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    whole, chunks, left = hashlib.sha256(), [], size
    with file.open("wb") as target:
        while left:
            start = _header(size) if left == size else b""
            chunk = start + os.urandom(min(CHUNK, left) - len(start))
            left -= target.write(chunk)
            whole.update(chunk)
            chunks.append(hashlib.sha256(chunk).hexdigest())
    return ModelFile(path=path, size_bytes=size, sha256=whole.hexdigest(), urls=(), chunk=CHUNK, chunks=tuple(chunks))


def _header(size: int) -> bytes:
    """Of a safetensors file with one tensor that fills it to its end."""
    room = 256
    tensor = {"weight": {"dtype": "U8", "shape": [size - room], "data_offsets": [0, size - room]}}
    return struct.pack("<Q", room - 8) + json.dumps(tensor).encode().ljust(room - 8)


def addressed(files: tuple[ModelFile, ...], mirrors: tuple[str, ...]) -> tuple[ModelFile, ...]:
    return tuple(replace(file, urls=tuple(f"{mirror}/models/{file.path}" for mirror in mirrors)) for file in files)


def with_files(workflow: Workflow, files: tuple[ModelFile, ...]) -> Workflow:
    """The workflow as it is shipped, but for what it downloads: its own models, and his one LoRA."""
    models = tuple(file for file in files if not file.path.startswith("loras/"))
    loras = {Path(file.path).stem: file for file in files if file.path.startswith("loras/")}
    return replace(workflow, models=models, loras=loras)
