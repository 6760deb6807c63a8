"""``glowplug models``: the model files that the workflows need."""

import asyncio
from pathlib import PurePosixPath
from typing import Annotated, Any

import typer
from rich.table import Table

from orchestrator.adapters.models_record import completed, read_record
from orchestrator.app import workflows_in
from orchestrator.cli.opening import load_settings, out, print_json, stop
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.workflows import ModelFile
from orchestrator.settings import Settings

app = typer.Typer(help="Model files: where they are, how big, which bytes.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(help="Files by path or name, such as ae; all without any.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _models() -> None:
    """Model files: where they are, how big, which bytes."""


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List every model file of every workflow."""
    rows = [_row(file) for file in _files(load_settings(), None)]
    print_json({"models": rows}) if as_json else _print(rows)


@app.command("verify")
def verify(names: Names = None, as_json: Json = False) -> None:
    """Compare size and sha256 with what the mirrors and your bucket say; exits with 1 where something differs."""
    from orchestrator.cli.models_verify import as_document, check_all, show  # noqa: PLC0415 - botocore is slow to load

    settings = load_settings()
    files = _files(settings, names)
    try:
        checked = asyncio.run(check_all(settings, files))
    except OrchestratorError as error:
        stop(str(error))
    document = as_document(files, checked)
    print_json(document) if as_json else show(document)
    if not document["ok"]:
        raise typer.Exit(1)


@app.command("upload")
def upload(names: Names = None, as_json: Json = False) -> None:
    """
    Bring files from their mirrors into your bucket at R2, through memory alone, and record what they are.

    Goes on where an earlier run ended. R2_ENDPOINT, R2_BUCKET, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY say where to;
    HF_TOKEN opens gated repositories.
    """
    from orchestrator.cli.models_upload import show, upload_all  # noqa: PLC0415 - botocore is slow to load

    settings = load_settings()
    if settings.bucket is None:
        stop(f"Which bucket? Set {', '.join(settings.bucket_lacks())}; .env.example says what they are.", status=2)
    try:
        document = asyncio.run(upload_all(settings, settings.bucket, _files(settings, names), is_quiet=as_json))
    except OrchestratorError as error:
        stop(str(error))
    except KeyboardInterrupt:
        stop("Stopped. Run it again, and it goes on.", status=130)
    print_json(document) if as_json else show(document)
    if not document["ok"]:
        raise typer.Exit(1)


def _files(settings: Settings, names: list[str] | None) -> list[ModelFile]:
    """The files of these names, or all, with what earlier uploads recorded."""
    try:
        record = read_record(settings.data)
        catalog = workflows_in(settings.data).all()
    except OrchestratorError as error:
        stop(str(error))
    by_path = {file.path: completed(file, record) for workflow in catalog for file in workflow.every_file}
    files = [by_path[path] for path in sorted(by_path)]
    for name in names or ():
        if not any(name in _called(file) for file in files):
            stop(f"No model is called {name}: {', '.join(PurePosixPath(file.path).stem for file in files)}.", status=2)
    return [file for file in files if not names or not _called(file).isdisjoint(names)]


def _called(file: ModelFile) -> set[str]:
    path = PurePosixPath(file.path)
    return {file.path, path.name, path.stem}


def _row(file: ModelFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "size": file.size_bytes,
        "sha256": file.sha256,
        "chunk": file.chunk,
        "chunks": len(file.chunks),
        "urls": list(file.urls),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("file", "GB", "sha256", "ranges", "mirrors")
    for row in rows:
        sha256, ranges = (row["sha256"] or "not known yet")[:16], str(row["chunks"] or "-")
        table.add_row(row["path"], f"{row['size'] / 1e9:.2f}", sha256, ranges, str(len(row["urls"])))
    out.print(table)
    out.print(f"{sum(row['size'] for row in rows) / 1e9:.1f} GB in all")
