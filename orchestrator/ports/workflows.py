"""Where workflows come from."""

from typing import Protocol

from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.workflows import Workflow


class WorkflowCatalog(Protocol):
    def all(self) -> tuple[Workflow, ...]:
        """Every workflow; the first one is what ``/imagine`` uses when nobody says which."""
        ...

    def find(self, name: WorkflowName) -> Workflow | None: ...
