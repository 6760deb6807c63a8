"""The commands by name; each is one file beside this one."""

import typer

from orchestrator.cli import (
    activity,
    bench,
    compare,
    cost,
    doctor,
    e2e,
    models,
    run,
    sandbox,
    simulate,
    status,
    sweep,
    workflows,
)

app = typer.Typer(
    name="glowplug",
    help="A chat bot that makes pictures on GPUs it rents by the minute.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("doctor")(doctor.doctor)
app.command("e2e")(e2e.e2e)
app.command("sandbox")(sandbox.sandbox)
app.command("status")(status.status)
app.command("simulate")(simulate.simulate)
app.command("compare")(compare.compare)
app.command("cost")(cost.cost)
app.command("activity")(activity.activity)
app.command("sweep")(sweep.sweep)
app.add_typer(bench.app, name="bench")
app.add_typer(models.app, name="models")
app.add_typer(workflows.app, name="workflows")


def main() -> None:
    """The console script."""
    app()
