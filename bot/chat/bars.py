"""How far it has come, as a share of one: measured where bytes or steps are counted. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.chat.texts import STEP_NAMES
from bot.chat.words import gigabytes, rate
from orchestrator.api import Stage, StageState, Step

WEIGHTS: Mapping[Step, int] = {
    Step.PROVISION: 2,
    Step.BOOT: 8,
    Step.SSH: 6,
    Step.AGENT: 2,
    Step.CLONE: 2,
    Step.TORCH: 10,
    Step.REQUIREMENTS: 5,
    Step.COMFYUI: 10,
    Step.MODELS: 50,
    Step.LORA: 0,
    Step.ENCODE: 0,
    Step.SMOKE: 5,
}
"""How much of a cold start each step usually is: what the first user measured, roughly; nothing of what is ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Attributes: share: 0 to 1."""

    share: float
    text: str


def cold_start_bar(stages: tuple[Stage, ...]) -> Bar | None:
    """Steps that are done, and the bytes of the one that moves them."""
    total = sum(WEIGHTS[stage.step] for stage in stages)
    if not total:
        return None
    done = sum(WEIGHTS[stage.step] * _share(stage) for stage in stages)
    return Bar(share=round(done / total, 4), text=_text(stages))


def _share(stage: Stage) -> float:
    if stage.state is StageState.DONE:
        return 1.0
    return min(stage.bytes_done / stage.bytes_total, 1.0) if stage.bytes_total else 0.0


def _text(stages: tuple[Stage, ...]) -> str:
    running = [stage for stage in stages if stage.state is StageState.RUNNING]
    moving = next((stage for stage in running if stage.bytes_total), None)
    if moving is None:
        return STEP_NAMES[running[-1].step] if running else ""
    text = f"{STEP_NAMES[moving.step]} {gigabytes(moving.bytes_done, moving.bytes_total)}"
    return f"{text}, {rate(moving.rate_bps)}" if moving.rate_bps else text


def painting_bar(done: int, of: int) -> Bar | None:
    return Bar(share=round(min(done / of, 1.0), 4), text=f"step {done} of {of}") if of else None
