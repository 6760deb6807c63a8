"""``glowplug sandbox``: the cloud on this computer, by itself."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.faults import Profile
from orchestrator.sandbox.options import DEFAULT_BALANCE_USD, SandboxOptions, key_from_environment
from orchestrator.sandbox.server import run


def sandbox(
    *,
    data: Annotated[Path, typer.Option(help="Folder for machines, model files, address and key.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the API on 127.0.0.1; 0 takes a free one.")] = 0,
    key: Annotated[str | None, typer.Option(help="The only key it takes; $GLOWPLUG_SANDBOX_KEY hides it.")] = None,
    faults: Annotated[Profile, typer.Option(help="How bad the hosts are.")] = Profile.NONE,
    seed: Annotated[int, typer.Option(help="Same seed, same offers and misfortunes.")] = 1,
    hosts: Annotated[int | None, typer.Option(min=1, help="How many hosts; 10, and 5 with first-user.")] = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Divides every wait of the cloud.")] = 1.0,
    paint_ms: Annotated[int | None, typer.Option(min=0, help="How long ComfyUI takes for a picture.")] = None,
    balance: Annotated[float, typer.Option(help="Prepaid dollars at the start.")] = DEFAULT_BALANCE_USD,
    rate_limits: Annotated[bool, typer.Option(help="Refuse calls that the real cloud would refuse.")] = False,
    exit_when_idle: Annotated[
        float | None, typer.Option(min=0, help="End after so many seconds with neither client nor machine.")
    ] = None,
) -> None:
    """Run a GPU cloud on this computer: no account, no GPU, real SSH machines and real processes."""
    from_environment = key_from_environment()
    options = SandboxOptions(
        port=port,
        key=key or from_environment,
        faults=faults,
        seed=seed,
        hosts=hosts,
        speed=speed,
        paint_ms=paint_ms,
        balance_usd=balance,
        rate_limits=rate_limits,
        exit_when_idle_s=exit_when_idle,
    )
    raise typer.Exit(run(data, options))
