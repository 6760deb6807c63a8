"""Faults that wait for their victim: by the host profile, or injected by a test."""

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.faults import SCOPES, Fault, Profile, Scope, host_fault

DAY_S = 86_400


@dataclass(slots=True, kw_only=True)
class Pending:
    """
    One injected fault.

    Attributes:
        left: How often it still strikes; None means until it is cleared.
        machine: Strikes this machine alone.
        host: Strikes machines of this host alone, by the host's id on the wire.
        operation: Strikes requests of this kind alone, such as `list`.
    """

    fault: Fault
    left: int | None = 1
    machine: int | None = None
    host: int | None = None
    operation: str | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "fault": self.fault,
            "count": self.left,
            "machine": self.machine,
            "host": self.host,
            "operation": self.operation,
        }


@dataclass(slots=True, kw_only=True)
class Troubles:
    """Everything that is about to go wrong."""

    profile: Profile
    seed: int
    now: Callable[[], float]
    pending: list[Pending] = field(default_factory=list)

    def take(
        self, fault: Fault, *, machine: int | None = None, host: int | None = None, operation: str | None = None
    ) -> bool:
        """Say whether *fault* strikes here and now, and count it."""
        for entry in self.pending:
            fits = (
                entry.fault is fault
                and entry.machine in {None, machine}
                and entry.host in {None, host}
                and entry.operation in {None, operation}
            )
            if fits:
                self._count(entry)
                return True
        return False

    def take_for_new_machine(self, *, host: int, host_id: int) -> set[Fault]:
        """Collect what is wrong with a machine that is about to be made on a host."""
        day = int(self.now() // DAY_S)
        by_profile = host_fault(self.profile, host=host, day=day, seed=self.seed)
        found = {by_profile} if by_profile else set()
        for fault, scope in SCOPES.items():
            is_of_machine = scope is Scope.MACHINE and fault is not Fault.DESTROY_IGNORED
            if is_of_machine and self.take(fault, host=host_id):
                found.add(fault)
        return found

    def _count(self, entry: Pending) -> None:
        if entry.left is None:
            return
        entry.left -= 1
        if entry.left <= 0:
            self.pending.remove(entry)
