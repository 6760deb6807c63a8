"""What the bot sends to Discord, held against Discord's own specification."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it brings no types

SPECIFICATION = Path(__file__).parent.parent / "data" / "specs" / "discord.json"
_VARIABLE = re.compile(r"\{[a-z_]+\}")


@cache
def _validators() -> tuple[tuple[str, re.Pattern[str], Draft202012Validator], ...]:
    known: Mapping[str, Any] = json.loads(SPECIFICATION.read_text())
    found = []
    for operation, schema in known["operations"].items():
        method, path = operation.split(" ", 1)
        pattern = re.compile("[^/]+".join(map(re.escape, _VARIABLE.split(path))))
        found.append((method.upper(), pattern, Draft202012Validator({**schema, "$defs": known["$defs"]})))
    return tuple(found)


def problems(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with one request; nothing for operations of which only the answer matters."""
    for known, pattern, validator in _validators():
        if known == method and pattern.fullmatch(path):
            wrong = validator.iter_errors(_as_specified(body))
            return [f"{method} {path} {error.json_path}: {error.message}"[:500] for error in wrong]
    return [f"{method} {path} is in no specification of ours"] if method in {"POST", "PATCH", "PUT"} else []


SNOWFLAKES = frozenset({"id", "recipient_id", "users"})
"""Fields of which the specification wants text; Discord takes numbers as well, and discord.py sends some."""


def _as_specified(body: Any, name: str = "") -> Any:
    if isinstance(body, Mapping):
        return {key: _as_specified(value, key) for key, value in body.items()}
    if isinstance(body, list | tuple):
        return [_as_specified(each, name) for each in body]
    return str(body) if name in SNOWFLAKES and isinstance(body, int) else body


class BodyCheck:
    """Looks at every request that was not looked at yet."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self.checked = 0

    def check(self) -> None:
        """Fail where one does not fit."""
        requests = self._env.http_requests[self.checked :]
        self.checked += len(requests)
        found = [problem for each in requests for problem in problems(each.method, each.path, each.json)]
        assert not found, "\n".join(found)
