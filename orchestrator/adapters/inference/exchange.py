"""What the managed APIs' adapters have in common around one request; the request itself is ``once``'s."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters import once
from orchestrator.adapters.once import Answer, Ask
from orchestrator.domain.errors import ApiOff

USER_AGENT = "glowplug"
LONGEST_QUOTE = 200
LONGEST_WAIT_S = 86_400
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What is waited for at most.

    Attributes:
        connect: Until a connection stands.
        order: Until the pictures are there.
        ask: For anything that makes no picture.
        answer_bytes: The longest answer: four pictures of three megapixels as base64 have less than half of it.
    """

    connect: timedelta = timedelta(seconds=10)
    order: timedelta = timedelta(minutes=2)
    ask: timedelta = timedelta(seconds=20)
    answer_bytes: int = 128 * 1024 * 1024


class Exchange:
    """Sends requests over a shared session; the caller's headers hold its key, and no exception of ours does."""

    def __init__(self, session: aiohttp.ClientSession, limits: Limits) -> None:
        self._session = session
        self._limits = limits

    async def send(
        self,
        method: str,
        url: URL | str,
        *,
        headers: Mapping[str, str],
        limit: timedelta,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """
        Send once, read the answer.

        Args:
            limit: For all of it, the answer included.

        Raises:
            NothingSent: It never left.
            AnswerLost: It may have arrived; the answer did not, is too long, or is no HTTP.
        """
        ask = Ask(
            method=method,
            url=url,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", **headers},
            limit=limit,
            connect=self._limits.connect,
            most=self._limits.answer_bytes,
            body=body,
        )
        return await once.send(self._session, ask)


def retry_after(answer: Answer) -> timedelta | None:
    """The time to ask again that an answer tells, in seconds; a date is not read."""
    told = answer.headers.get("Retry-After", "").strip()
    if not (told.isascii() and told.isdecimal() and len(told) < 9):
        return None
    return timedelta(seconds=min(int(told), LONGEST_WAIT_S))


def quoted(text: object, *secrets: str) -> str:
    """A stranger's words on one line, short, without our secrets."""
    line = " ".join(text.split()) if isinstance(text, str) else ""
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    line = "".join(letter for letter in line if letter.isprintable())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}…"


def checked_key(key: str, title: str, setting: str) -> str:
    """
    Strip a key.

    Raises:
        ApiOff: It cannot be sent in a header.
    """
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ApiOff(f"{title} is off: {setting} is empty or contains characters that no key has; set it anew.")
    return key
