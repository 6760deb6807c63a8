"""
Where rented machines find the models in our own bucket: at its public address, or at addresses that expire.

Machines get addresses and never a key. An address that expires is made when a workflow is asked for, so that a bot
that has run for weeks hands out none that has expired.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.adapters.presigned import BucketAccess, presigned
from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.workflows import ModelFile, Workflow
from orchestrator.ports.clock import Clock
from orchestrator.ports.workflows import WorkflowCatalog

LASTING = timedelta(hours=12)
"""The slowest cold start on record took a quarter of an hour; a machine that starts again asks anew."""

KEPT = timedelta(hours=6)
"""How long an address is handed out: at least as long remains of it."""

Address = Callable[[ModelFile], str | None]
"""Where a file is; None where it is not in the bucket."""


class AddressedCatalog(WorkflowCatalog):
    """The workflows of *catalog*, whose files are looked for in our own bucket first."""

    def __init__(self, catalog: WorkflowCatalog, address: Address) -> None:
        self._catalog = catalog
        self._address = address

    def all(self) -> tuple[Workflow, ...]:
        return tuple(self._addressed(workflow) for workflow in self._catalog.all())

    def find(self, name: WorkflowName) -> Workflow | None:
        workflow = self._catalog.find(name)
        return self._addressed(workflow) if workflow else None

    def _addressed(self, workflow: Workflow) -> Workflow:
        return workflow.with_files(self._first)

    def _first(self, file: ModelFile) -> ModelFile:
        own = self._address(file)
        if own is None:
            return file
        return replace(file, urls=(own, *(url for url in file.urls if url != own)))


def public(base_url: str) -> Address:
    """Everything is below *base_url*; what is not there after all is fetched from the next mirror."""
    base = base_url.rstrip("/")
    return lambda file: f"{base}/{file.path}"


class Expiring:
    """
    Addresses of what is known to be in the bucket, each handed out for *KEPT* and good for *LASTING*.

    Args:
        known: The sha256 of what is there, by path.
    """

    def __init__(self, access: BucketAccess, known: Mapping[str, str | None], clock: Clock) -> None:
        self._access = access
        self._known = known
        self._clock = clock
        self._made: dict[str, tuple[datetime, str]] = {}

    def __call__(self, file: ModelFile) -> str | None:
        path = file.path
        if file.sha256 is None or self._known.get(path) != file.sha256:
            return None
        now = self._clock.now()
        made, address = self._made.get(path, (None, ""))
        if made is None or not timedelta() <= now - made < KEPT:
            address = presigned(self._access, path, now=now, lasting=LASTING)
            self._made[path] = now, address
        return address
