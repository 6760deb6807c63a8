"""The results of the last ``bench cold-start`` of each cloud, kept for ``compare``."""

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Benched:
    """
    What was measured.

    Attributes:
        cold_start_s: Median of the runs that made their picture, until the machine was ready; None where none did.
    """

    runs: int
    success_rate: float
    cold_start_s: float | None


def keep(data: Path, target: str, report: Mapping[str, Any]) -> None:
    """Write it down in place of the one before."""
    path = _path(data, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def kept(data: Path, target: str) -> Benched | None:
    """None where nothing was ever measured, or it cannot be read."""
    try:
        report = json.loads(_path(data, target).read_text())
        cold = [_until_ready(run) for run in report["runs"] if run["outcome"] == "succeeded"]
        return Benched(
            runs=len(report["runs"]),
            success_rate=report["success_rate"],
            cold_start_s=statistics.median(cold) if cold else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(data: Path, target: str) -> Path:
    return data / "bench" / f"{target}.json"


def _until_ready(run: Mapping[str, Any]) -> float:
    painting = sum(step["seconds"] for step in run["steps"] if step["step"] == "generation")
    return float(run["total_s"] - painting)
