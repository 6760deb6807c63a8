"""Replicate on this computer: its API over a studio that paints."""

from orchestrator.sandbox.replicate.server import ACCOUNT, app
from orchestrator.sandbox.replicate.troubles import Trouble

__all__ = ["ACCOUNT", "Trouble", "app"]
