"""What is sent to Discord, held against its specification; and what Discord does with a nonce."""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import discord
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it brings no types
from simcord.http import router
from simcord.http.client import FakeHTTPClient, FakeWebhookAdapter

SPEC = Path(__file__).parents[2] / "data/specs/discord.json"


@dataclass(kw_only=True)
class Sent:
    method: str
    path: str
    body: Any
    files: tuple[str, ...] = ()
    at: float = field(default_factory=lambda: asyncio.get_running_loop().time())


@dataclass(kw_only=True)
class Rest:
    """
    Every request that carries a body, in order.

    Attributes:
        lost: How many of the next new messages are made without us hearing of it.
    """

    sent: list[Sent] = field(default_factory=list)
    lost: int = 0
    _by_nonce: dict[tuple[str, str], Any] = field(default_factory=dict)

    def of(self, method: str, part: str) -> list[Sent]:
        return [each for each in self.sent if each.method == method and part in each.path]

    def check(self, method: str, path: str, body: Any, files: Iterable[discord.File]) -> Sent:
        """Raises: ValidationError: The specification does not allow it."""
        sent = Sent(method=method, path=path, body=body, files=tuple(file.filename for file in files))
        self.sent.append(sent)
        if body is not None:
            _validator(_operation(method, path)).validate(body)
        return sent

    def known(self, sent: Sent) -> Any:
        """The message that was made for the same nonce before."""
        return self._by_nonce.get(self._nonce(sent))

    def remember(self, sent: Sent, made: Any) -> None:
        if self._nonce(sent)[1]:
            self._by_nonce[self._nonce(sent)] = made
            if self.lost:
                self.lost -= 1
                raise OSError("the answer was lost")

    def _nonce(self, sent: Sent) -> tuple[str, str]:
        is_new = sent.method == "POST" and sent.path.endswith("/messages") and isinstance(sent.body, dict)
        return sent.path, str(sent.body.get("nonce") or "") if is_new and sent.body.get("enforce_nonce") else ""


def _operation(method: str, path: str) -> str:
    for operation in _spec()["operations"]:
        verb, _, template = operation.partition(" ")
        pattern = re.sub(r"\{[a-z_]+\}", "[^/]+", template)
        if verb == method.lower() and re.fullmatch(pattern, path):
            return str(operation)
    raise AssertionError(f"{method} {path} is in no specification that is held here")


@cache
def _spec() -> dict[str, Any]:
    spec: dict[str, Any] = _lenient(json.loads(SPEC.read_text(encoding="utf-8")))
    return spec


def _lenient(schema: Any) -> Any:
    """Ids are texts by the specification; the real API takes numbers as well, and discord.py sends them."""
    if isinstance(schema, list):
        return [_lenient(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: _lenient(value) for name, value in schema.items()}
    if schema.get("format") == "snowflake":
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        changed["type"] = [*kinds, "integer"]
    return changed


@cache
def _validator(operation: str) -> Any:
    return Draft202012Validator({**_spec()["operations"][operation], "$defs": _spec()["$defs"]})


def _path(url: str) -> str:
    return re.sub(r"^.*/api/v\d+|\?.*$", "", url)


@contextmanager
def checked_rest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rest]:
    """Inside the block, every body on its way to the Discord in memory is checked."""
    rest = Rest()
    request, webhook = FakeHTTPClient.request, FakeWebhookAdapter.request

    async def by_bot(self: Any, route: Any, *, files: Any = None, form: Any = None, **kwargs: Any) -> Any:
        body, named = _read(kwargs.get("json"), form, files)
        sent = rest.check(route.method, _path(route.url), body, named)
        known = rest.known(sent)
        if known is not None:
            return known
        made = await request(self, route, files=files, form=form, **kwargs)
        rest.remember(sent, made)
        return made

    async def by_token(self: Any, route: Any, session: Any, **kwargs: Any) -> Any:
        body, named = _read(kwargs.get("payload"), kwargs.get("multipart"), kwargs.get("files"))
        rest.check(route.method, _path(route.url), body, named)
        return await webhook(self, route, session, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(FakeHTTPClient, "request", by_bot)
        patch.setattr(FakeWebhookAdapter, "request", by_token)
        yield rest


def _read(body: Any, form: Any, files: Any) -> tuple[Any, list[discord.File]]:
    named = list(files or [])
    if form:
        parsed, named = router.parse_form(list(form), named)
        body = parsed if parsed is not None else body
    return body, named
