"""
Cut a vendor's OpenAPI file down to what we use of it: paths, fields, types, enums, what is required; no prose.

    python tests/data/specs/reduce.py vast FULL.yaml > tests/data/specs/vast.json
    python tests/data/specs/reduce.py runpod FULL.json > tests/data/specs/runpod.json
    python tests/data/specs/reduce.py lambda FULL.json > tests/data/specs/lambda.json
    python tests/data/specs/reduce.py together FULL.yaml > tests/data/specs/together.json
    python tests/data/specs/reduce.py discord FULL.json > tests/data/specs/discord.json
    python tests/data/specs/reduce.py telegram FULL.json > tests/data/specs/telegram.json
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
    "runpod": (
        "get /v2/catalog/gpus",
        "get /v2/pods",
        "post /v2/pods",
        "get /v2/pods/{id}",
        "delete /v2/pods/{id}",
        "post /v2/pods/{id}/action",
        "get /v2/network-volumes",
    ),
    "lambda": (
        "get /api/v1/instance-types",
        "post /api/v1/instance-operations/launch",
        "get /api/v1/instances",
        "get /api/v1/instances/{id}",
        "post /api/v1/instance-operations/terminate",
        "get /api/v1/ssh-keys",
        "post /api/v1/ssh-keys",
        "get /api/v1/file-systems",
        "post /api/v1/filesystems",
    ),
    "together": ("get /models", "post /images/generations"),
}
BODIES = {
    "discord": (
        "post /channels/{channel_id}/messages",
        "patch /channels/{channel_id}/messages/{message_id}",
        "post /interactions/{interaction_id}/{interaction_token}/callback",
        "post /webhooks/{webhook_id}/{webhook_token}",
        "patch /webhooks/{webhook_id}/{webhook_token}/messages/@original",
        "patch /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}",
        "put /applications/{application_id}/commands",
        "post /users/@me/channels",
    ),
}
"""Where only what is sent is held against the specification; what several share is kept once, in ``$defs``."""

METHODS = {
    "telegram": (
        "getMe",
        "getUpdates",
        "setWebhook",
        "deleteWebhook",
        "setMyCommands",
        "sendMessage",
        "sendPhoto",
        "sendDocument",
        "sendMediaGroup",
        "editMessageText",
        "editMessageCaption",
        "editMessageMedia",
        "editMessageReplyMarkup",
        "answerCallbackQuery",
    ),
}
"""Of a Bot API: what each takes, with every type that it takes or gives, however deep."""

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
        "pattern",
        "if",
        "then",
        "not",
        "unevaluatedProperties",
    },
)


def reduced(full: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Keep *operations* in their order, references replaced by what they refer to."""
    return {operation: _operation(full, *operation.split(" ", 1)) for operation in operations}


def bodies(full: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Keep the bodies of *operations*, and once each what they refer to."""
    kept = {operation: _body(full, *operation.split(" ", 1)) for operation in operations}
    found: dict[str, Any] = {}
    waiting = list(_references(list(kept.values())))
    while waiting:
        reference = waiting.pop()
        name = reference.rpartition("/")[2]
        if name not in found:
            found[name] = _by_reference(_referred(full, reference))
            waiting += _references(found[name])
    return {"operations": _renamed(kept), "$defs": {name: _renamed(found[name]) for name in sorted(found)}}


def methods(full: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Keep what each of *names* takes, and once each the types in it."""
    kept = {name: _fields(full["methods"][name]) for name in names}
    found: dict[str, Any] = {}
    waiting = [each for fields in kept.values() for field in fields.values() for each in field["types"]]
    while waiting:
        name = waiting.pop().removeprefix("Array of ").removeprefix("Array of ")
        known = full["types"].get(name)
        if known is None or name in found:
            continue
        found[name] = {"fields": _fields(known)} if "subtypes" not in known else {"subtypes": known["subtypes"]}
        waiting += known.get("subtypes", ())
        waiting += [each for field in found[name].get("fields", {}).values() for each in field["types"]]
    return {"methods": kept, "types": {name: found[name] for name in sorted(found)}}


def _fields(described: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field["name"]: {"types": field["types"], "required": field["required"]} for field in described.get("fields", ())
    }


def _body(full: Mapping[str, Any], method: str, path: str) -> Any:
    """As JSON: a form has the same in ``payload_json``, beside its files."""
    return _by_reference(full["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"])


def _by_reference(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_by_reference(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    kept = {name: value for name, value in schema.items() if name in KEPT}
    for name in ("items", "additionalProperties", "oneOf", "anyOf", "allOf"):
        if name in kept:
            kept[name] = _by_reference(kept[name])
    if "properties" in kept:
        kept["properties"] = {name: _by_reference(value) for name, value in kept["properties"].items()}
    return kept


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict) and "$ref" in schema:
        yield schema["$ref"]
    elif isinstance(schema, dict | list):
        for each in schema.values() if isinstance(schema, dict) else schema:
            yield from _references(each)


def _renamed(schema: Any) -> Any:
    text = json.dumps(schema).replace("#/components/schemas/", "#/$defs/")
    return json.loads(text)


def _operation(full: Mapping[str, Any], method: str, path: str) -> dict[str, Any]:
    operation = full["paths"][path][method]
    body = operation.get("requestBody", {})
    answers = {status: _resolved(full, answer or {}) for status, answer in operation["responses"].items()}
    named = {"id": operation["operationId"]} if "operationId" in operation else {}
    return named | {
        "parameters": [_parameter(full, parameter) for parameter in operation.get("parameters", [])],
        "body": next(_schemas(full, body), None),
        "answers": {status: next(_schemas(full, answer), None) for status, answer in answers.items()},
    }


def _resolved(full: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    return _referred(full, answer["$ref"]) if "$ref" in answer else answer


def _parameter(full: Mapping[str, Any], parameter: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in parameter:
        return _parameter(full, _referred(full, parameter["$ref"]))
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
    if name in METHODS:
        kept = methods(full, METHODS[name])
    else:
        kept = bodies(full, BODIES[name]) if name in BODIES else reduced(full, OPERATIONS[name])
    json.dump(kept, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
