"""A RunPod without RunPod: its REST v2 and GraphQL over the sandbox's own machines."""

from orchestrator.sandbox.runpod.server import app
from orchestrator.sandbox.runpod.troubles import Trouble

__all__ = ["Trouble", "app"]
