"""``glowplug workflows``: what ``/imagine`` can run."""

from typing import Annotated, Any

import typer
from rich.table import Table

from orchestrator.adapters.workflow_files import WorkflowFiles
from orchestrator.app import WORKFLOWS
from orchestrator.cli.opening import out, print_json
from orchestrator.domain.workflows import Parameter, Workflow

app = typer.Typer(help="Workflows: graphs with declared parameters.", no_args_is_help=True)


@app.callback()
def _workflows() -> None:
    """Workflows: graphs with declared parameters."""


@app.command("list")
def list_workflows(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the workflows and what each lets a person set."""
    workflows = WorkflowFiles(WORKFLOWS).all()
    print_json({"workflows": [_row(w) for w in workflows]}) if as_json else _print(workflows)


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
