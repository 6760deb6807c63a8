"""A fake of Modal, as far as our own app there sees it."""

from orchestrator.sandbox.modal.server import FRONT, Front, app
from orchestrator.sandbox.modal.troubles import ModalTrouble

__all__ = ["FRONT", "Front", "ModalTrouble", "app"]
