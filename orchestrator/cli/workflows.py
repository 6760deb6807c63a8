"""``glowplug workflows``: what ``/imagine`` can run."""

import re
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from orchestrator.adapters.manifest_writing import manifest_of, to_fill_in
from orchestrator.adapters.workflow_files import WorkflowFiles, WorkflowProblem, read_graph
from orchestrator.app import OWN_WORKFLOWS, WORKFLOWS, workflows_in
from orchestrator.cli.opening import load_settings, out, print_json, stop
from orchestrator.domain.guessing import Guess, guess
from orchestrator.domain.workflows import Parameter, Workflow

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

app = typer.Typer(help="Workflows: graphs with declared parameters.", no_args_is_help=True)


@app.callback()
def _workflows() -> None:
    """Workflows: graphs with declared parameters."""


@app.command("list")
def list_workflows(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the workflows and what each lets a person set."""
    workflows = workflows_in(load_settings().data).all()
    print_json({"workflows": [_row(w) for w in workflows]}) if as_json else _print(workflows)


@app.command("add")
def add_workflow(
    graph: Annotated[Path, typer.Argument(help='What ComfyUI exports with "Export (API)".')],
    name: Annotated[str, typer.Option(help="What people type after --workflow; else the file's name.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the folder of a new workflow, and say what could not be guessed."""
    chosen = name or re.sub(r"[^a-z0-9]+", "-", graph.stem.lower()).strip("-")
    if not NAME.fullmatch(chosen):
        stop(f"{chosen!r} is no name: small letters, digits and dashes, such as --name flux-dev.")
    folder = load_settings().data / OWN_WORKFLOWS / chosen
    if folder.exists() or (WORKFLOWS / chosen).exists():
        stop(f"There is a workflow {chosen} already; choose another --name.")
    try:
        guessed = guess(read_graph(graph))
    except WorkflowProblem as problem:
        stop(str(problem))
    missing = _write(folder, graph, chosen, guessed)
    told = {"workflow": chosen, "folder": str(folder), "parameters": [p.name for p in guessed.parameters]}
    if as_json:
        print_json({**told, "models": list(guessed.models), "missing": list(missing)})
        return
    out.print(f"Written to {folder}. People can set: {', '.join(told['parameters'])}.")
    for sentence in missing:
        out.print(f"- {sentence}")
    if missing:
        out.print("Complete manifest.toml before the bot is started again; docs/add-a-workflow.md says what is what.")
    out.print("Look at its requirements too: they are those of another workflow.")


def _write(folder: Path, graph: Path, name: str, guessed: Guess) -> tuple[str, ...]:
    """What is still to be filled in; of files that another workflow has, everything is known."""
    ours = WorkflowFiles(WORKFLOWS).all()
    known = {file.path: file for workflow in ours for file in workflow.every_file}
    runtime, requirements = ours[0].runtime, ours[0].requirements
    manifest = manifest_of(name, guessed, known=known, runtime=runtime, requirements=requirements)
    folder.mkdir(parents=True, mode=0o700)
    shutil.copyfile(graph, folder / "graph.json")
    (folder / "manifest.toml").write_text(manifest, encoding="utf-8")
    return to_fill_in(guessed, known)


def _row(workflow: Workflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "title": workflow.title,
        "description": workflow.description,
        "parameters": [_parameter(parameter) for parameter in workflow.parameters],
        "loras": sorted(workflow.loras),
        "models_bytes": sum(file.size_bytes for file in workflow.models),
        "vram_mib": workflow.requirements.vram_mib,
        "disk_gib": workflow.requirements.disk_gib,
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "kind": str(parameter.kind),
        "flag": parameter.flag,
        "default": parameter.default,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "choices": list(parameter.choices),
    }


def _print(workflows: tuple[Workflow, ...]) -> None:
    table = Table("workflow", "what it does", "options")
    for workflow in workflows:
        flags = " ".join(f"--{parameter.flag}" for parameter in workflow.parameters if parameter.flag)
        table.add_row(workflow.name, workflow.description, flags)
    out.print(table)
