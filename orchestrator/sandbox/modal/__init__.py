"""A fake of Modal, as far as our own app there sees it."""

from orchestrator.sandbox.modal.server import FRONT, Front, ModalTrouble, app

__all__ = ["FRONT", "Front", "ModalTrouble", "app"]
