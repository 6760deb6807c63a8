"""Lambda Cloud on this computer: its API over the sandbox's machines."""

from orchestrator.sandbox.lambda_labs.server import ACCOUNT, app
from orchestrator.sandbox.lambda_labs.troubles import Trouble

__all__ = ["ACCOUNT", "Trouble", "app"]
