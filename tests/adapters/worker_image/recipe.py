"""The folder that the worker image is built from, as far as it can be read without building it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).parents[3] / "deploy" / "worker"
COMFYUI_NEEDS = Path(__file__).parents[2] / "data" / "comfyui" / "requirements.txt"


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Dockerfile, its lines joined."""

    word: str
    text: str


def steps() -> list[Step]:
    """Read the Dockerfile: comments go, lines that end in a backslash go on."""
    lines = [line for line in (FOLDER / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [Step(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def of(word: str) -> list[str]:
    """The texts of all instructions of that name."""
    return [step.text for step in steps() if step.word == word]


def brought() -> Iterator[str]:
    """Each file of the folder that an instruction reads."""
    for text in of("COPY"):
        *sources, _ = (part for part in text.split() if not part.startswith("--"))
        yield from sources
    for text in of("RUN"):
        yield from re.findall(r"--mount=type=bind,source=([^,\s]+)", text)


def reaches_the_builder(name: str) -> bool:
    """What ``.dockerignore`` lets through; of its patterns the last that fits decides."""
    patterns = (FOLDER / ".dockerignore").read_text().split()
    fits = [pattern for pattern in patterns if fnmatch(name, pattern.removeprefix("!"))]
    return not fits or fits[-1].startswith("!")


def pinned(file: Path) -> dict[str, Requirement]:
    """Read requirements by their canonical names; hashes and comments are let be."""
    lines = (line.split("#")[0].split("\\")[0].strip() for line in file.read_text().splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("--hash")]
    return {canonicalize_name(each.name): each for each in found}


def version_of(requirement: Requirement) -> str:
    """The one version that a pin allows."""
    (only,) = requirement.specifier
    assert only.operator == "=="
    return only.version


def hashes() -> dict[str, int]:
    """Of each entry of the lock, how many checksums it has."""
    entries = re.split(r"\n(?=\S)", (FOLDER / "requirements.lock").read_text().strip())
    return {entry.split("==")[0]: len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)) for entry in entries}
