"""Where machines get model files from."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.domain.workflows import ModelFile


class Addresses(Protocol):
    async def fresh(self, files: Sequence[ModelFile]) -> tuple[ModelFile, ...]:
        """
        The same files in the same order, with addresses that may be asked from now on.

        Public addresses stay as they are; those that need it are signed anew. Asked before each download, and again
        when every mirror of a file refuses the addresses that it was given. Raises nothing: a file that cannot be
        signed keeps the addresses that it has.
        """
        ...
