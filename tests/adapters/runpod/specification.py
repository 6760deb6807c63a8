"""RunPod's own specification of REST v2, and where it is known to be behind or wrong."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.specifications import Deviation, faults_of, operations_of

OPERATIONS = {
    "catalogue": "get /v2/catalog/gpus",
    "list": "get /v2/pods",
    "launch": "post /v2/pods",
    "show": "get /v2/pods/{id}",
    "terminate": "delete /v2/pods/{id}",
    "act": "post /v2/pods/{id}/action",
    "volumes": "get /v2/network-volumes",
}

# (operation, where, what is right, how we know)
DEVIATIONS: tuple[Deviation, ...] = (
    (
        "list",
        ("parameters",),
        [
            {"name": "includeClusterPods", "in": "query", "required": False, "schema": {"type": "boolean"}},
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
            {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer"}},
        ],
        "later API, read by third parties in 2026-09: `cursor`, `limit`, and `pagination` beside `pods`",
    ),
)


@cache
def operations() -> Mapping[str, Any]:
    """Give the reduced specification by our names of the operations, corrected."""
    return operations_of("runpod", OPERATIONS, DEVIATIONS)


def operation_of(method: str, path: str) -> str | None:
    """Name what a request is for; None where REST v2 has no such operation."""
    parts = path.strip("/").split("/")
    shape = f"{method.lower()} /" + "/".join(
        [*parts[:2], *(["{id}"] if parts[1:2] == ["pods"] else parts[2:3]), *parts[3:]]
    )
    exact = f"{method.lower()} {path}"
    return next((name for name, known in OPERATIONS.items() if known in {exact, shape}), None)


def faults_of_request(operation: str, query: Mapping[str, str], body: Any) -> list[str]:
    """Say what is wrong with a request, by the specification."""
    specified = operations()[operation]
    known = {parameter["name"]: parameter["schema"] for parameter in specified["parameters"]}
    faults = []
    for name, value in query.items():
        schema = known.get(name)
        faults += [f"{name}: unknown"] if schema is None else faults_of(schema, _typed(schema, value))
    if specified["body"] is not None:
        faults += faults_of(specified["body"], body)
    elif body is not None:
        faults.append("a body where none is known")
    return [f"{operation}: {fault}" for fault in faults]


def faults_of_answer(operation: str, status: int, body: Any) -> list[str]:
    """Say what is wrong with an answer, by the specification."""
    answers = operations()[operation]["answers"]
    schema = answers.get(str(status), answers.get("default"))
    faults = (
        faults_of(schema, body) if schema is not None else ["a body where none is known"] if body is not None else []
    )
    return [f"{operation} {status}: {fault}" for fault in faults]


def _typed(schema: Any, value: str) -> Any:
    """Read a value as its parameter says: arrays are joined by commas (`style: form`, `explode: false`)."""
    match schema["type"]:
        case "integer" if value.isdecimal():
            return int(value)
        case "boolean" if value in {"true", "false"}:
            return value == "true"
        case "array":
            return value.split(",")
        case _:
            return value
