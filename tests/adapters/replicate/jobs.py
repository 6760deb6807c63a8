"""Jobs for a bridge that takes LoRAs which anybody may read."""

from dataclasses import replace
from typing import Any

from orchestrator.domain.job import Job
from orchestrator.domain.workflows import NO_LORA, Workflow
from tests.contract.inference_suite import JOB, WORKFLOW

LORA = next(iter(WORKFLOW.loras))


def a_job(*, lora: str = NO_LORA, **values: Any) -> Job:
    return replace(JOB, values={**JOB.values, "lora": lora, **values})


def with_lora_at(*urls: str) -> Workflow:
    """The workflow, its LoRA elsewhere."""
    return replace(WORKFLOW, loras={LORA: replace(WORKFLOW.loras[LORA], urls=urls)})
