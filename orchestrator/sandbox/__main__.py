"""`python -m orchestrator.sandbox`: what `glowplug sandbox` does, without the rest of glowplug."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.faults import Profile
from orchestrator.sandbox.options import DEFAULT_BALANCE_USD, SandboxOptions, key_from_environment
from orchestrator.sandbox.server import run


def read_arguments(arguments: Sequence[str]) -> tuple[Path, SandboxOptions]:
    parser = argparse.ArgumentParser(prog="python -m orchestrator.sandbox", description="A small GPU cloud, here.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--key", help="the only key that is accepted; better given as GLOWPLUG_SANDBOX_KEY")
    parser.add_argument("--faults", choices=[*Profile], default=Profile.NONE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hosts", type=int)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--paint-ms", type=int)
    parser.add_argument("--balance", type=float, default=DEFAULT_BALANCE_USD)
    parser.add_argument("--rate-limits", action="store_true")
    parser.add_argument("--exit-when-idle", type=float, metavar="SECONDS")
    given = parser.parse_args(arguments)
    from_environment = key_from_environment()
    options = SandboxOptions(
        port=given.port,
        key=given.key or from_environment,
        faults=given.faults,
        seed=given.seed,
        hosts=given.hosts,
        speed=given.speed,
        paint_ms=given.paint_ms,
        balance_usd=given.balance,
        rate_limits=given.rate_limits,
        exit_when_idle_s=given.exit_when_idle,
    )
    return given.data, options


if __name__ == "__main__":
    sys.exit(run(*read_arguments(sys.argv[1:])))
