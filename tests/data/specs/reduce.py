"""
Cut a vendor's OpenAPI file down to what we use of it: paths, fields, types, enums, what is required; no prose.

    python tests/data/specs/reduce.py vast FULL.yaml > tests/data/specs/vast.json
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

OPERATIONS = {
    "vast": (
        "post /api/v0/bundles",
        "put /api/v0/asks/{id}",
        "get /api/v1/instances",
        "get /api/v0/instances/{id}",
        "delete /api/v0/instances/{id}",
        "get /api/v0/ssh",
        "post /api/v0/ssh",
        "post /api/v0/instances/{id}/ssh",
        "get /api/v0/users/current",
    ),
}
KEPT = frozenset(
    {
        "type",
        "format",
        "enum",
        "const",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "oneOf",
        "anyOf",
        "allOf",
        "nullable",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    },
)


def reduced(full: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Keep *operations* in their order, references replaced by what they refer to."""
    return {operation: _operation(full, *operation.split(" ", 1)) for operation in operations}


def _operation(full: Mapping[str, Any], method: str, path: str) -> dict[str, Any]:
    operation = full["paths"][path][method]
    body = operation.get("requestBody", {})
    return {
        "parameters": [_parameter(full, parameter) for parameter in operation.get("parameters", [])],
        "body": next(_schemas(full, body), None),
        "answers": {
            status: next(_schemas(full, answer or {}), None) for status, answer in operation["responses"].items()
        },
    }


def _parameter(full: Mapping[str, Any], parameter: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: parameter[name] for name in ("name", "in", "required") if name in parameter}
    return {**kept, "schema": _schema(full, parameter["schema"])}


def _schemas(full: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for content in message.get("content", {}).values():
        yield _schema(full, content["schema"])


def _schema(full: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return _schema(full, _referred(full, schema["$ref"]))
    kept = {name: value for name, value in schema.items() if name in KEPT}
    if "properties" in kept:
        kept["properties"] = {name: _schema(full, value) for name, value in kept["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(kept.get(name), dict):
            kept[name] = _schema(full, kept[name])
    for name in ("oneOf", "anyOf", "allOf"):
        if name in kept:
            kept[name] = [_schema(full, value) for value in kept[name]]
    return kept


def _referred(full: Mapping[str, Any], reference: str) -> Any:
    found: Any = full
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def main() -> None:
    name, path = sys.argv[1:]
    full = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    json.dump(reduced(full, OPERATIONS[name]), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
