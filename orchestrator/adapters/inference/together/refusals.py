"""
What Together's refusals mean.

Statuses are those of its OpenAPI 2.0.0 (400, 401, 404, 429, 503, 504) and of docs.together.ai (docs/error-codes: 402
payment required, 403 too long for the model, 503 overloaded). How a refused picture or a retired model is told is
documented nowhere: both are known by the words of the message.
"""

import re

from orchestrator.adapters.inference.exchange import quoted, retry_after
from orchestrator.adapters.inference.together.wire import complaint_of
from orchestrator.adapters.once import Answer
from orchestrator.domain.errors import (
    ApiOff,
    GraphRejected,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    OrchestratorError,
    PictureFiltered,
)
from orchestrator.domain.money import MicroUsd

TITLE = "Together"

INDECENT = re.compile(r"nsfw|safety|moderat|indecent|content policy|inappropriate|flagged", re.IGNORECASE)
NO_MODEL = re.compile(
    r"model_not_available|(unable to access|unknown|invalid|no such) model"
    r"|\bmodel\b.*(no longer|unavailable|not available|not found|not supported|retired|deprecated|does not exist)",
    re.IGNORECASE | re.DOTALL,
)
NO_CREDIT = re.compile(r"credit|balance|payment|billing", re.IGNORECASE)


def refusal_of(answer: Answer, *, key: str, model: str, cost: MicroUsd) -> OrchestratorError:
    """
    Translate whatever is not 200.

    Args:
        cost: What the order would have cost: a server that fails may have made and charged it.
    """
    message, code = complaint_of(answer.body)
    told = quoted(message, key)
    said = f" ({told})" if told else ""
    if answer.status < 300 or answer.status >= 500:
        return _of_a_server(answer, said, cost)
    off = _why_off(answer.status, message, code, model)
    if off:
        return ApiOff(f"{TITLE} is off: {off.format(said=said, model=model)}.")
    if answer.status == 429:
        return InferenceUnavailable(f"{TITLE} has no room now{said}.", retry_after=retry_after(answer))
    if answer.status < 400:
        return InferenceUnavailable(f"{TITLE} has moved elsewhere ({answer.status}), where the key is not sent.")
    if INDECENT.search(message):
        return PictureFiltered(f"{TITLE} keeps the picture back as indecent{said}.")
    return GraphRejected(f"{TITLE} refuses this request{said or f' with {answer.status}'}.")


def _of_a_server(answer: Answer, said: str, cost: MicroUsd) -> OrchestratorError:
    """What is not our fault; a failure that it tells of itself is not billed (workflowlab.dev, 2026-05)."""
    if answer.status == 503:
        return InferenceUnavailable(f"{TITLE} has no room now{said}.", retry_after=retry_after(answer))
    if said:
        return InferenceFailed(f"{TITLE} failed to make it{said}.")
    return InferenceUncertain(f"{TITLE} answered {answer.status}: nobody knows if it was made.", cost=cost)


def _why_off(status: int, message: str, code: str, model: str) -> str:
    """What is wrong with the account or the model, and what to do; empty when it is something else."""
    if status == 401:
        return "it refuses the key{said}; set another TOGETHER_API_KEY"
    if status == 402 or (status == 403 and NO_CREDIT.search(message)):
        return "the account has no credit{said}; add some at api.together.ai"
    if status == 404 or (status == 400 and _names_model(message, code, model)):
        return "it no longer serves {model}{said}; it is looked for again tomorrow, and another bridge serves meanwhile"
    return ""


def _names_model(message: str, code: str, model: str) -> bool:
    text = f"{code} {message}"
    return bool(NO_MODEL.search(text)) or model.lower() in text.lower()
