"""Values drawn from a JSON schema: what a specification allows, and recordings never show."""

import random
from collections.abc import Mapping
from typing import Any

WORDS = ("", "running", "exited", "loading", "null", "22/tcp", "RTX 4090", "203.0.113.5", "after 7", "Sweden, SE")
LEAVES: Mapping[str, tuple[Any, ...]] = {
    "string": WORDS,
    "integer": (0, 1, 22, 100, 24564, 31415926, 2**40),
    "number": (0.0, 0.001, 0.3, 1.5, 24564.0, 1.7e9),
    "boolean": (True, False),
}
DEPTH = 6


def from_schema(dice: random.Random, schema: Mapping[str, Any], depth: int = DEPTH) -> Any:
    """Draw one; properties are left out now and then, as nothing here is required of a stranger."""
    for joined in ("oneOf", "anyOf"):
        if joined in schema:
            return from_schema(dice, dice.choice(schema[joined]), depth - 1)
    if "enum" in schema:
        return dice.choice(schema["enum"])
    kind = schema.get("type", "object" if "properties" in schema else "null")
    kind = dice.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        inner = schema.get("properties", {}) if depth > 0 else {}
        return {name: from_schema(dice, each, depth - 1) for name, each in inner.items() if dice.random() < 0.9}
    if kind == "array":
        count = dice.randrange(3) if depth > 0 else 0
        return [from_schema(dice, schema.get("items", {}), depth - 1) for _ in range(count)]
    return dice.choice(LEAVES.get(kind, (None,)))
