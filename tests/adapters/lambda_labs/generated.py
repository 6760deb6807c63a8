"""A client made from Lambda's specification alone: none of what we know of Lambda is in it."""

import json
import keyword
import re
from pathlib import Path
from typing import Any

import aiohttp
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it brings no types

HEAD = """\
class Client:
    def __init__(self, url, key, session):
        self._ask = _asking(url, key, session)
"""
METHOD = """
    async def {name}(self{parameters}):
        return await self._ask({operation!r}, {path!r}, {values})
"""
TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict"}


class Unspecified(Exception):
    """A status, or a body, that the specification does not know."""


class Refused(Exception):
    """A refusal as it is specified; Attributes: code: The cloud's own name of it."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.code = code


def source_of(specification: Any) -> str:
    """Write one method for each operation: what is required without a default, the rest with None."""
    methods = []
    for operation, specified in specification.items():
        path = operation.partition(" ")[2]
        body = specified["body"] or {"properties": {}}
        required = [*re.findall(r"{(\w+)}", path), *body.get("required", [])]
        types = {name: TYPES.get(schema.get("type", ""), "object") for name, schema in body["properties"].items()}
        names = [*required, *(name for name in types if name not in required)]
        assert not [name for name in names if keyword.iskeyword(name)]
        typed = [f"{name}: {types.get(name, 'str')}" + ("" if name in required else " | None = None") for name in names]
        method = METHOD.format(
            name=re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", specified["id"]).lower(),
            parameters=", *, " + ", ".join(typed) if typed else "",
            operation=operation,
            path=path,
            values="{" + ", ".join(f"{name!r}: {name}" for name in names) + "}",
        )
        methods.append(method)
    return HEAD + "".join(methods)


def client(file: Path, *, url: str, key: str, session: aiohttp.ClientSession) -> Any:
    """Generate it and open it; every answer is held against the specification before it is given."""
    specification = json.loads(file.read_text())

    def asking(url: str, key: str, session: aiohttp.ClientSession) -> Any:
        async def ask(operation: str, path: str, values: dict[str, Any]) -> Any:
            specified, method = specification[operation], operation.partition(" ")[0]
            body = {name: value for name, value in values.items() if f"{{{name}}}" not in path and value is not None}
            request = session.request(
                method,
                url + path.format(**values),
                json=body if specified["body"] else None,
                headers={"Authorization": f"Bearer {key}"},
            )
            async with request as response:
                said = await response.json()
            schema = specified["answers"].get(str(response.status))
            if schema is None or list(Draft202012Validator(schema).iter_errors(said)):
                raise Unspecified(f"{operation}: {response.status}")
            if "error" in said:
                raise Refused(response.status, said["error"]["code"])
            return said["data"]

        return ask

    names: dict[str, Any] = {"_asking": asking}
    exec(compile(source_of(specification), file.name, "exec"), names)  # noqa: S102 - it is what was just generated
    return names["Client"](url, key, session)
