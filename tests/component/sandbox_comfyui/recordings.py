"""Recorded traffic of the real ComfyUI, and what two recordings have in common once ids and clocks are taken out."""

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "comfyui"
Exchanges = list[dict[str, Any]]
VOLATILE = frozenset({"t", "timestamp", "number", "bytes"})


def recorded(case: str) -> Any:
    return json.loads((DATA / f"{case}.json").read_text())


def graph_of(case: str) -> dict[str, Any]:
    graph: dict[str, Any] = recorded(case)[0]["request"]["prompt"]
    return graph


def same_for_everybody(exchanges: Any) -> Any:
    """
    Replace ids, clocks, counters and numbers of files by words; all else is compared to the letter.

    Lists keep their order but for the errors of one node, which the real server tells in the order of a set.
    """
    text = json.dumps(exchanges)
    for index, name in enumerate(_ids(exchanges)):
        text = text.replace(name, f"<id {index}>")
    return _plain(json.loads(text))


def shape(value: Any) -> Any:
    """Keep keys and types, forget values; a list is as its first member."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value[:1]]
    return type(value).__name__


def _ids(exchanges: Any) -> list[str]:
    first = exchanges[0]
    known = [first["request"].get("client_id"), first["response"].get("body", {}).get("prompt_id")]
    return [name for name in known if name]


def _plain(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _plain(member, name) for name, member in value.items() if name not in VOLATILE}
    if isinstance(value, list):
        if key == "prompt":  # a history entry's number comes first
            value = ["number", *value[1:]]
        members = [_plain(member) for member in value]
        return sorted(members, key=lambda error: str(error["details"])) if key == "errors" else members
    if key == "filename":
        return str(value).rpartition("_000")[0]
    return value
