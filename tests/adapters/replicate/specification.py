"""What is publicly known of Replicate's API, as a schema of our own (tests/data/specs), and where it is known wrong."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aiohttp import web

from tests.specifications import Deviation, correct, faults_of, read

# (definition, where, what is right, how we know)
DEVIATIONS: tuple[Deviation, ...] = (
    (
        "prediction",
        ("properties", "status", "enum"),
        ["starting", "processing", "succeeded", "failed", "canceled", "aborted"],
        "replicate.com/docs/topics/predictions/lifecycle; newer than both Python clients",
    ),
)


@cache
def specification() -> Mapping[str, Any]:
    """Give it corrected."""
    known = read("replicate")
    correct(known["$defs"], DEVIATIONS)
    return known


@dataclass(slots=True)
class Witness:
    """Stands before a server and holds what goes through against the specification."""

    faults: list[str] = field(default_factory=list)

    @web.middleware
    async def watch(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        name, operation = _operation(request)
        if operation is None:
            self.faults += [] if request.path.startswith("/files/") else [f"{request.path}: unknown"]
            return await handler(request)
        wrong = [f"{name}: {fault}" for fault in await _faults_of_request(operation, request)]
        answer = await handler(request)
        self.faults += wrong if answer.status != 422 else []
        self.faults += [f"{name}: {fault}" for fault in _faults_of_answer(operation, answer)]
        return answer


def _operation(request: web.Request) -> tuple[str, Mapping[str, Any] | None]:
    for name, operation in specification()["operations"].items():
        pattern = re.escape(operation["path"]).replace(r"\{id\}", "[a-z0-9]+")
        if request.method == operation["method"] and re.fullmatch(pattern, request.path):
            return name, operation
    return "", None


async def _faults_of_request(operation: Mapping[str, Any], request: web.Request) -> list[str]:
    faults = [f"{name}: unknown" for name in request.query if name not in operation["query"]]
    for told, schemas in ((request.query, operation["query"]), (request.headers, operation["headers"])):
        for name, schema in schemas.items():
            faults += _faults(schema, told[name]) if name in told else []
    if operation["body"] is not None:
        faults += _faults(operation["body"], await request.json())
    return faults


def _faults_of_answer(operation: Mapping[str, Any], answer: web.StreamResponse) -> list[str]:
    """Say what is wrong with it; what is no JSON was meant to be none."""
    try:
        body = json.loads(answer.text or "") if isinstance(answer, web.Response) else None
    except ValueError:
        return []
    schema = operation["answers"].get(str(answer.status))
    return [f"{answer.status}: unknown"] if schema is None else _faults(schema, body)


def _faults(schema: Any, value: Any) -> list[str]:
    return faults_of({**schema, "$defs": specification()["$defs"]}, value)
