"""What follows when a machine fails at a picture."""

import pytest

from orchestrator.domain.errors import (
    ComfyStuck,
    ComfyUnavailable,
    HostUnreachable,
    OrchestratorError,
    OutOfVram,
    PreparationFailed,
)
from orchestrator.domain.instance import BLAMELESS, EndReason
from orchestrator.domain.policy.mending import Mend, mend, reason_of

GONE = HostUnreachable("gone")
SILENT = ComfyUnavailable("refused")
STUCK = ComfyStuck("nothing moves")
FULL = OutOfVram("out of memory")
BROKEN = PreparationFailed("it died again", step="comfyui", code="comfyui_died")


@pytest.mark.parametrize(
    ("error", "course"),
    [
        (GONE, (Mend.AGAIN, Mend.AGAIN, Mend.REPLACE)),
        (SILENT, (Mend.AGAIN, Mend.RESTART, Mend.RESTART)),
        (STUCK, (Mend.RESTART, Mend.RESTART, Mend.RESTART)),
        (FULL, (Mend.RESTART, Mend.RESTART, Mend.RESTART)),
        (BROKEN, (Mend.REPLACE, Mend.REPLACE, Mend.REPLACE)),
    ],
    ids=["gone", "silent", "stuck", "full", "broken"],
)
def test_each_failure_has_its_course(error: OrchestratorError, course: tuple[Mend, ...]) -> None:
    assert tuple(mend(error, tries) for tries in (1, 2, 3)) == course


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (GONE, EndReason.HOST_LOST),
        (SILENT, EndReason.COMFYUI_FAILED),
        (STUCK, EndReason.COMFYUI_STUCK),
        (FULL, EndReason.OUT_OF_VRAM),
        (BROKEN, EndReason.COMFYUI_FAILED),
    ],
    ids=["gone", "silent", "stuck", "full", "broken"],
)
def test_a_machine_that_is_given_up_has_a_reason_that_speaks_against_it(
    error: OrchestratorError, reason: EndReason
) -> None:
    assert reason_of(error) is reason
    assert reason not in BLAMELESS
