"""Addresses that need no signature: those of the workflows and of the index of models, as they are written there."""

from collections.abc import Sequence

from orchestrator.domain.workflows import ModelFile
from orchestrator.ports.addresses import Addresses


class PublicAddresses(Addresses):
    async def fresh(self, files: Sequence[ModelFile]) -> tuple[ModelFile, ...]:
        return tuple(files)
