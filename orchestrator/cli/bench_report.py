"""What ``glowplug bench cold-start`` has measured, and how programs read it."""

from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.api import dollars
from orchestrator.cli.trial import Trial
from orchestrator.domain.timeline import StepFigures, Timeline, by_step
from orchestrator.domain.verdict import Criteria, Judgement, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """
    What was measured.

    Attributes:
        left: Machines that were not proved gone.
    """

    trials: tuple[Trial, ...]
    criteria: Criteria
    left: int

    def timelines(self) -> tuple[Timeline, ...]:
        return tuple(trial.timeline() for trial in self.trials)

    def judgement(self) -> Judgement:
        return judge([trial.total_s if trial.is_success else None for trial in self.trials], self.criteria)

    def report(self) -> dict[str, Any]:
        judged = self.judgement()
        return {
            "runs": [_row(trial) for trial in self.trials],
            "success_rate": round(judged.success_rate, 4),
            "variation": None if judged.variation is None else round(judged.variation, 4),
            "verdict": str(judged.verdict),
            "criteria": asdict(self.criteria),
            "usd_per_run": round(sum(dollars(trial.view.cost) for trial in self.trials) / len(self.trials), 6),
            "by_step": [_step_row(figures) for figures in by_step(self.timelines())],
        }


def _row(trial: Trial) -> dict[str, Any]:
    timeline = trial.timeline()
    waited_for = timeline.waited_for()
    return {
        "outcome": "succeeded" if trial.is_success else "failed",
        "failure": trial.failure,
        "steps": trial.steps(),
        "total_s": round(trial.total_s, 3),
        "tries": trial.tries,
        "cost_usd": round(dollars(trial.view.cost), 6),
        "ended_in": timeline.ended_in,
        "waited_for": [span.step for span in timeline.with_before() if span.step in waited_for],
    }


def _step_row(figures: StepFigures) -> dict[str, Any]:
    row = asdict(figures)
    row["bytes"] = row.pop("moved")
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()}
