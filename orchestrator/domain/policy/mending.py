"""What follows when a machine fails at a picture: ask it again, start its ComfyUI again, or take another machine."""

from enum import StrEnum

from orchestrator.domain.errors import ComfyStuck, ComfyUnavailable, HostUnreachable, OrchestratorError, OutOfVram
from orchestrator.domain.instance import EndReason

MACHINE_TRIES = 3
"""How often in a row a machine that does not answer is asked before it is given up."""


class Mend(StrEnum):
    AGAIN = "again"  # over a new connection; what is under way there is gone on with
    RESTART = "restart"  # ComfyUI, on the same machine; once in its life, else it is replaced
    REPLACE = "replace"  # the machine


def mend(error: OrchestratorError, tries: int) -> Mend:
    """
    Decide what follows *error*.

    Args:
        tries: How often in a row this machine failed at this job, this time included.
    """
    match error:
        case OutOfVram() | ComfyStuck():  # asking again would end in the same way
            return Mend.RESTART
        case ComfyUnavailable():  # perhaps it was only the connection
            return Mend.AGAIN if tries == 1 else Mend.RESTART
        case HostUnreachable():
            return Mend.AGAIN if tries < MACHINE_TRIES else Mend.REPLACE
        case _:
            return Mend.REPLACE


def reason_of(error: OrchestratorError) -> EndReason:
    """Why a machine is given up that ended with *error*."""
    match error:
        case HostUnreachable():
            return EndReason.HOST_LOST
        case OutOfVram():
            return EndReason.OUT_OF_VRAM
        case ComfyStuck():
            return EndReason.COMFYUI_STUCK
        case _:
            return EndReason.COMFYUI_FAILED
