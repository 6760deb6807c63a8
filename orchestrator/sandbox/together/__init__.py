"""A fake of Together.ai."""

from orchestrator.sandbox.together.server import OFFICE, Office, TogetherTrouble, app

__all__ = ["OFFICE", "Office", "TogetherTrouble", "app"]
