"""Logging for both packages: one line a record on stderr, ids from context, known secrets struck out."""

import logging
import re
import sys
from collections.abc import Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ids: ContextVar[dict[str, str]] = ContextVar("ids", default={})  # noqa: B039 - never mutated, always replaced

TALKATIVE = ("aiosqlite", "discord", "httpcore", "telegram")
"""Libraries that, at DEBUG, write down whatever goes through them: people's prompts among it."""

_ESCAPES = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What would move a cursor, begin a line of its own or turn words round."""


@contextmanager
def bound(**ids: str) -> "Iterator[None]":
    """Add ids (``job``, ``instance``, ``cloud``) to every record logged inside the block."""
    token = _ids.set(_ids.get() | ids)
    try:
        yield
    finally:
        _ids.reset(token)


class Redact(logging.Filter):
    """
    Strike out secrets and control characters.

    What a rented machine or a cloud says may end up in a record; it must neither show a key nor move a cursor.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 6}, key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for secret in self._secrets:
            text = text.replace(secret, "***")
        ids = _ids.get()
        suffix = "".join(f" {name}={value}" for name, value in sorted(ids.items()))
        record.msg, record.args = _ESCAPES.sub("?", text) + suffix, None
        return True


class _Formatter(logging.Formatter):
    """As the standard one; tracebacks pass the same filter."""

    def __init__(self, redact: Redact) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._redact = redact

    def formatException(self, ei: object) -> str:  # noqa: N802 - the standard library's name
        record = logging.LogRecord("", 0, "", 0, super().formatException(ei), None, None)  # type: ignore[arg-type]
        lines = str(record.msg).splitlines()
        return "\n".join(self._struck(line) for line in lines)

    def _struck(self, line: str) -> str:
        record = logging.LogRecord("", 0, "", 0, line, None, None)
        self._redact.filter(record)
        return str(record.msg)


def configure(*, level: str, secrets: Iterable[str]) -> None:
    """Set up logging for the process; called once, by an entry point."""
    redact = Redact(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(redact)
    handler.setFormatter(_Formatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("asyncssh", "aiohttp.access", "asyncio", "httpx", "matplotlib", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for talkative in TALKATIVE:
        logging.getLogger(talkative).setLevel(max(root.level, logging.INFO))
