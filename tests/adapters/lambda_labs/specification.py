"""Lambda's own specification, and where it is known to be behind."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.specifications import Deviation, faults_of, operations_of

OPERATIONS = {
    "types": "get /api/v1/instance-types",
    "launch": "post /api/v1/instance-operations/launch",
    "list": "get /api/v1/instances",
    "show": "get /api/v1/instances/{id}",
    "terminate": "post /api/v1/instance-operations/terminate",
    "keys": "get /api/v1/ssh-keys",
    "add_key": "post /api/v1/ssh-keys",
    "file_systems": "get /api/v1/file-systems",
    "add_file_system": "post /api/v1/filesystems",
}

# (operation, where, what is right, how we know). Statuses that the specification leaves out (429 and 5xx are only in
# its prose) are not its business.
DEVIATIONS: tuple[Deviation, ...] = (
    (
        "list",
        ("parameters",),
        [{"name": name, "schema": {"type": "string"}} for name in ("cluster_id", "page_token")],
        "third parties' emulators of 1.10 read the listing in pages",
    ),
    (
        "list",
        ("answers", "200", "properties", "page_token"),
        {"type": "string"},
        "the same",
    ),
    (
        "launch",
        ("body", "properties", "ssh_key_names"),
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1},
        "that there must be exactly one is only in the description of the field",
    ),
)


@cache
def operations() -> Mapping[str, Any]:
    """Give the reduced specification by our names of the operations, corrected."""
    return operations_of("lambda", OPERATIONS, DEVIATIONS)


def faults_of_request(operation: str, query: Mapping[str, str], body: Any) -> list[str]:
    """Say what is wrong with a request; of a body also each field that the specification does not know."""
    specified = operations()[operation]
    known = {parameter["name"]: parameter["schema"] for parameter in specified["parameters"]}
    faults = [f"{name}: unknown" for name in query if name not in known]
    schema = specified["body"]
    if schema is not None:
        faults += faults_of(schema, body)
        faults += [f"{name}: unknown" for name in body if name not in schema["properties"]]
    elif body is not None:
        faults.append("a body where none is known")
    return [f"{operation}: {fault}" for fault in faults]


def faults_of_answer(operation: str, status: int, body: Any) -> list[str]:
    """Say what is wrong with an answer, by the specification; statuses that it does not know are not its business."""
    schema = operations()[operation]["answers"].get(str(status))
    return [] if schema is None else [f"{operation} {status}: {fault}" for fault in faults_of(schema, body)]
