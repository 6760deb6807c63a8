"""The published description of the Bot API, and whether a call fits it."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

SPECIFICATION = Path(__file__).parent.parent / "data" / "specs" / "telegram.json"
_PLAIN = {"Integer": int, "Float": (int, float), "String": str, "Boolean": bool, "True": bool}


@cache
def _known() -> Mapping[str, Any]:
    known: Mapping[str, Any] = json.loads(SPECIFICATION.read_text())
    return known


def is_method(name: str) -> bool:
    return name in _known()["methods"]


def read_call(method: str, given: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[dict[str, Any], list[str]]:
    """What a call says, each field as the type that it should have, and what is wrong with it."""
    fields = _known()["methods"][method]
    read: dict[str, Any] = {}
    wrong = [f"{method} has no field {name}" for name in given if name not in fields and name not in files]
    wrong += [
        f"{method} needs {name}" for name, field in fields.items() if field["required"] and name not in {*given, *files}
    ]
    for name, text in given.items():
        if name in fields:
            read[name] = _value(text, fields[name]["types"])
            wrong += _faults(read[name], fields[name]["types"], f"{method}.{name}")
    return read, wrong


def _value(text: str, types: list[str]) -> Any:
    if types == ["String"] or "InputFile" in types:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _faults(value: Any, types: list[str], at: str) -> list[str]:
    """Nothing when *value* is of one of *types*."""
    tried = [_faults_of(value, kind, at) for kind in types]
    return [] if any(not faults for faults in tried) else min(tried, key=len)


def _faults_of(value: Any, kind: str, at: str) -> list[str]:
    if kind in _PLAIN:
        is_right = isinstance(value, _PLAIN[kind]) and (kind in {"Boolean", "True"} or not isinstance(value, bool))  # type: ignore[arg-type]
        return [] if is_right else [f"{at} is {value!r}, not {kind}"]
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{at} is no list"]
        inner = kind.removeprefix("Array of ")
        return [fault for place, each in enumerate(value) for fault in _faults_of(each, inner, f"{at}[{place}]")]
    described = _known()["types"].get(kind)
    if described is None:
        return []  # a file, or a type that has no fields
    if "subtypes" in described:
        return _faults(value, described["subtypes"], at)
    return _faults_of_object(value, described["fields"], at)


def _faults_of_object(value: Any, fields: Mapping[str, Any], at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at} is {value!r}, no object"]
    wrong = [f"{at} has no field {name}" for name in value if name not in fields]
    wrong += [f"{at} needs {name}" for name, field in fields.items() if field["required"] and name not in value]
    for name, inner in value.items():
        if name in fields:
            wrong += _faults(inner, fields[name]["types"], f"{at}.{name}")
    return wrong
