"""Vast's own specification, and where it is known to be wrong."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.specifications import Deviation, faults_of, operations_of

OPERATIONS = {
    "search": "post /api/v0/bundles",
    "launch": "put /api/v0/asks/{id}",
    "list": "get /api/v1/instances",
    "show": "get /api/v0/instances/{id}",
    "terminate": "delete /api/v0/instances/{id}",
    "keys": "get /api/v0/ssh",
    "add_key": "post /api/v0/ssh",
    "attach": "post /api/v0/instances/{id}/ssh",
    "account": "get /api/v0/users/current",
}

NULL = {"type": "null"}
PORTS = {"type": ["object", "null"]}
PAIRS = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}

# (operation, where, what is right, how we know). Statuses, headers and bodies that the specification leaves out are
# in tests/data/vast/refusals.json. Without effect on types, and so not here: `inet_down` and `inet_up`
# are Mb/s (the specification says MB/s; the help of `vastai search offers` says Mb/s).
DEVIATIONS: tuple[Deviation, ...] = (
    (
        "search",
        ("body", "properties", "type"),
        {"enum": ["on-demand", "ondemand", "bid", "reserved"]},
        "`vastai` 1.9.1 sends on-demand, and so do examples of the guides",
    ),
    (
        "search",
        ("body", "properties", "order"),
        {
            "type": "array",
            "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
        },
        "the counts belong to each pair, not to the list: every example of the guides sorts by one column",
    ),
    (
        "launch",
        ("body", "properties", "env"),
        {"type": "object"},
        "guides: an object; a string is not applied",
    ),
    (
        "launch",
        ("body", "properties", "runtype"),
        {"type": "string"},
        "`vastai` 1.9.1 sends 'ssh_direc ssh_proxy' for SSH, direct and through the proxy",
    ),
    (
        "launch",
        ("body", "properties", "onstart"),
        {"type": "string", "maxLength": 4096},
        "the limit is a rule of the OpenAPI file's input validation, not of its schema",
    ),
    (
        "launch",
        ("answers", "400", "properties", "error"),
        {"type": "string"},
        "no_such_ask and insufficient_credit were seen with 400 by third parties",
    ),
    (
        "show",
        ("answers", "200", "properties", "instances", "type"),
        ["object", "array", "null"],
        "gone machines are null (`vastai` 1.9.1 expects it); lists were seen by third parties",
    ),
    (
        "show",
        ("answers", "200", "properties", "instances", "properties", "ports"),
        PORTS,
        "the listing's schema and every client: an object of port mappings",
    ),
    (
        "show",
        ("answers", "200", "properties", "instances", "properties", "extra_env"),
        PAIRS,
        "the listing's schema and `vastai` 1.9.1: pairs",
    ),
)


@cache
def operations() -> Mapping[str, Any]:
    """Give the reduced specification by our names of the operations, corrected."""
    return operations_of("vast", OPERATIONS, DEVIATIONS)


def faults_of_request(operation: str, query: Mapping[str, str], body: Any) -> list[str]:
    """Say what is wrong with a request, by the specification."""
    specified = operations()[operation]
    faults = []
    known = {parameter["name"]: parameter["schema"] for parameter in specified["parameters"]}
    for name, value in query.items():
        schema = known.get(name)
        number = int(value) if schema and schema["type"] == "integer" and value.isdecimal() else value
        faults += [f"{name}: unknown"] if schema is None else faults_of(schema, number)
    schema = specified["body"]
    if schema is not None:
        faults += faults_of(schema, body)
    elif body not in (None, {}):
        faults.append("a body where none is known")
    return [f"{operation}: {fault}" for fault in faults]


def faults_of_answer(operation: str, status: int, body: Any) -> list[str]:
    """Say what is wrong with an answer, by the specification; statuses that it does not know are not its business."""
    schema = operations()[operation]["answers"].get(str(status))
    return [] if schema is None else [f"{operation} {status}: {fault}" for fault in faults_of(schema, body)]
