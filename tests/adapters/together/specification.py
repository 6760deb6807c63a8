"""Together's own specification, and where it is known to be wrong."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from aiohttp import web

from tests.specifications import Deviation, correct, faults_of, read

OPERATIONS = ("get /models", "post /images/generations")

# (operation, where, what is right, how we know). Statuses that it leaves out are not here: 402 and 503 are in
# docs.together.ai, docs/error-codes; 500 is nobody's promise.
DEVIATIONS: tuple[Deviation, ...] = (
    (
        "get /models",
        ("answers", "200", "items", "properties", "type"),
        {"type": "string"},
        "the list has kinds that the enumeration lacks, such as video and audio (docs.together.ai, serverless-models)",
    ),
)


@cache
def operations() -> Mapping[str, Any]:
    """Give the reduced specification, corrected, with ``nullable`` as JSON Schema says it."""
    specification = read("together")
    correct(specification, DEVIATIONS)
    nulls: Mapping[str, Any] = _with_nulls(specification)
    return nulls


def faults_in(operation: str, sent: Any, status: int, answer: Any) -> Iterator[str]:
    """Say what is wrong with a request, and with the answer to it."""
    specified = operations()[operation]
    if specified["body"] is not None:
        yield from faults_of(specified["body"], sent)
        yield from (f"{name}: unknown" for name in sent if name not in specified["body"]["properties"])
    schema = specified["answers"].get(str(status))
    if schema is not None:
        yield from faults_of(schema, answer)


def held(app: web.Application) -> list[str]:
    """Hold everything that *app* is asked and answers against the specification; faults are added as they come."""
    faults: list[str] = []

    @web.middleware
    async def hold(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        operation = f"{request.method.lower()} {request.path.removeprefix('/v1')}"
        body = response.body if isinstance(response, web.Response) else None
        if operation in OPERATIONS and isinstance(body, bytes) and response.content_type == "application/json":
            sent = await request.json() if request.can_read_body or request.method == "POST" else None
            faults.extend(
                f"{operation}: {each}" for each in faults_in(operation, sent, response.status, json.loads(body))
            )
        return response

    app.middlewares.insert(0, hold)
    return faults


def _with_nulls(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_nulls(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: _with_nulls(value) for name, value in schema.items() if name != "nullable"}
    return {**kept, "type": [kept["type"], "null"]} if schema.get("nullable") is True and "type" in kept else kept
