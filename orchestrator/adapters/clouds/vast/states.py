"""What the cloud's four words on a machine mean."""

from dataclasses import dataclass

from orchestrator.ports.cloud import RentalState

STOPPED = "stopped"
OVER = frozenset({"exited", "frozen"})
"""We neither stop nor freeze machines: whoever did will not bring them back."""
TROUBLE = (
    "error",
    "failed",
    "failure",
    "exception",
    "traceback",
    "oci runtime",
    "permission denied",
)
"""In the message of a machine that does not run: it never will. The cloud's own self-test gives up on these too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """
    A machine's status fields; each may be missing.

    Attributes:
        actual: What its daemon last said; nothing while it is being provided.
        message: One line of the daemon's; "success, ..." once it has run.
        has_ports: Whether ports are mapped, which they are once it runs.
    """

    actual: str = ""
    intended: str = ""
    current: str = ""
    following: str = ""
    message: str = ""
    has_ports: bool = False

    @property
    def has_run(self) -> bool:
        return self.has_ports or self.message.lower().startswith("success")

    @property
    def is_stopped(self) -> bool:
        """Outbid, or the account ran dry: nobody is going to start it again."""
        return self.current == self.intended == self.following == STOPPED


def state_of(status: Status) -> RentalState:
    """
    Read *status*; whatever is new to us is still starting, and the caller's deadline decides.

    Which states can never recover: vast-ai/docs (c624622), show-instances-v1 and the self-test of `vastai` 1.9.1.
    """
    if status.is_stopped or status.actual in OVER:
        return RentalState.FAILED
    match status.actual:
        case "running":
            return RentalState.RUNNING
        case "rebooting":
            return RentalState.LOST
        case "unknown" | "offline":
            return RentalState.LOST if status.has_run else RentalState.FAILED
        case "stopped" if status.intended == STOPPED:
            return RentalState.FAILED
    has_trouble = any(word in status.message.lower() for word in TROUBLE)
    return RentalState.FAILED if has_trouble else RentalState.STARTING
