"""``glowplug models``: the model files that the workflows need."""

from typing import Annotated, Any

import typer
from rich.table import Table

from orchestrator.app import workflows_in
from orchestrator.cli.opening import load_settings, out, print_json
from orchestrator.domain.workflows import ModelFile

app = typer.Typer(help="Model files: where they are, how big, which bytes.", no_args_is_help=True)


@app.callback()
def _models() -> None:
    """Model files: where they are, how big, which bytes."""


@app.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every model file of every workflow."""
    rows = [_row(file) for file in _files()]
    print_json({"models": rows}) if as_json else _print(rows)


def _files() -> list[ModelFile]:
    by_path = {file.path: file for workflow in workflows_in(load_settings().data).all() for file in workflow.files}
    return [by_path[path] for path in sorted(by_path)]


def _row(file: ModelFile) -> dict[str, Any]:
    return {"path": file.path, "size": file.size_bytes, "sha256": file.sha256, "urls": list(file.urls)}


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("file", "GB", "sha256", "mirrors")
    for row in rows:
        table.add_row(
            row["path"], f"{row['size'] / 1e9:.2f}", (row["sha256"] or "not known yet")[:16], str(len(row["urls"]))
        )
    out.print(table)
    out.print(f"{sum(row['size'] for row in rows) / 1e9:.1f} GB in all")
