"""
One model file at one address, read in ranges: at Hugging Face, or anywhere else that gives ranges.

Hugging Face answers with a redirect to a content network whose address expires after an hour. The first answer has the
size and the sha256 (``X-Linked-Size``, ``X-Linked-ETag``), and the token belongs to it alone: whoever it redirects to
never sees it (huggingface.co/docs/hub, huggingface_hub's file_download.py).
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
from yarl import URL

from orchestrator.adapters.windows import Window
from orchestrator.domain.errors import OrchestratorError, Remedy

MOVED = frozenset({301, 302, 303, 307, 308})
REDIRECTS = 5
SHA256 = re.compile(r"[0-9a-f]{64}")


class MirrorRefused(OrchestratorError):
    """This mirror does not give the file: another one may. Its text says what the operator can do."""

    remedy = Remedy.OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorLimits:
    """
    Attributes:
        connect: To connect.
        silence: Between two pieces of an answer.
        answer: For one whole answer; 16 MiB at 30 kB/s.
        tries: Answers in a row that brought nothing.
        pause: Before the second of them; it doubles.
        patience: The longest that a 429 is obeyed; Hugging Face counts in windows of five minutes.
        waits: How many 429s in a row are obeyed.
    """

    connect: timedelta = timedelta(seconds=10)
    silence: timedelta = timedelta(seconds=60)
    answer: timedelta = timedelta(minutes=10)
    tries: int = 6
    pause: timedelta = timedelta(seconds=1)
    patience: timedelta = timedelta(minutes=6)
    waits: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Hugging Face: *endpoint* is where it is, and *token* goes there and nowhere else; empty sends none."""

    endpoint: str
    token: str

    def has(self, url: URL) -> bool:
        return url.origin() == URL(self.endpoint).origin()

    def headers(self, url: URL) -> dict[str, str]:
        known = {"Authorization": f"Bearer {self.token}"} if self.token and self.has(url) else {}
        return {"Accept-Encoding": "identity", "User-Agent": "glowplug"} | known


def open_mirrors() -> aiohttp.ClientSession:
    """A session for mirrors: without cookies, and bytes come as they are."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """
    What a mirror says of its file.

    Attributes:
        sha256: None where it does not say.
        address: Where the bytes are; it may expire.
    """

    size_bytes: int
    sha256: str | None
    address: URL


class _AgainError(Exception):
    """An answer that another one may make good, after *after* if it said so."""

    def __init__(self, why: str, *, after: timedelta | None = None) -> None:
        super().__init__(why)
        self.after = after


class _ExpiredError(Exception):
    """The address of the bytes is refused."""


class Mirror:
    """
    The file at *url*.

    Args:
        http: From :func:`open_mirrors`.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, *, hub: Hub, limits: MirrorLimits) -> None:
        self._http = http
        self._url = URL(url, encoded=True)
        self._hub = hub
        self._limits = limits
        self._seen: Seen | None = None
        self._looking = asyncio.Lock()
        self._timeout = aiohttp.ClientTimeout(
            total=limits.answer.total_seconds(),
            sock_connect=limits.connect.total_seconds(),
            sock_read=limits.silence.total_seconds(),
        )

    @property
    def name(self) -> str:
        """What people read: the host; a whole address may have a signature."""
        return self._url.host or ""

    async def look(self) -> Seen:
        """
        Ask what is there.

        Raises:
            MirrorRefused: It is not to be had here; the text says what to do about it.
        """
        patience = _Patience(self._limits, self.name)
        while True:
            try:
                self._seen = await self._asked()
            except (_AgainError, aiohttp.ClientError, TimeoutError, OSError) as error:
                await patience.wait(error)
            else:
                return self._seen

    async def read(self, start: int, into: memoryview) -> None:
        """
        Fill *into* with what is there from *start* on; what came before a broken answer is kept.

        Raises:
            MirrorRefused: They are not to be had here.
        """
        seen = self._seen or await self.look()
        window, patience, renewed = Window(into), _Patience(self._limits, self.name), False
        while (had := window.tell()) < len(into):
            try:
                await self._read_on(seen, window, start)
            except _ExpiredError:
                if renewed:
                    raise MirrorRefused(f"{self.name} refuses the file, with a new address as well") from None
                renewed, seen = True, await self._renewed(seen)
            except (_AgainError, aiohttp.ClientError, TimeoutError, OSError) as error:
                if window.tell() > had:
                    patience, renewed = _Patience(self._limits, self.name), False
                await patience.wait(error)

    async def _renewed(self, old: Seen) -> Seen:
        """A new address in place of *old*, which all readers share: the first one asks."""
        async with self._looking:
            if self._seen is None or self._seen.address == old.address:
                await self.look()
        if self._seen is None or self._seen.size_bytes != old.size_bytes:
            raise MirrorRefused(f"{self.name} has another file there since the upload began")
        return self._seen

    async def _asked(self) -> Seen:
        """Follow redirects by hand up to the one that leads to another host, or to the file itself."""
        at = self._url
        for _ in range(REDIRECTS + 1):
            headers = self._hub.headers(at) | {"Range": "bytes=0-0"}
            async with self._http.get(at, headers=headers, allow_redirects=False, timeout=self._timeout) as answer:
                self._check(answer)
                if answer.status not in MOVED:
                    return Seen(size_bytes=_total(answer, self.name), sha256=_linked(answer), address=at)
                to = at.join(URL(answer.headers.get("Location", ""), encoded=True))
                if to.origin() != at.origin() and (size := answer.headers.get("X-Linked-Size", "")).isdecimal():
                    return Seen(size_bytes=int(size), sha256=_linked(answer), address=to)
                at = to
        raise MirrorRefused(f"{self.name} redirects more than {REDIRECTS} times")

    def _check(self, answer: aiohttp.ClientResponse) -> None:
        """Raise what an answer without the file means."""
        if answer.status in MOVED or answer.status in {200, 206}:
            return
        if answer.status == 429 or answer.status >= 500:
            raise _AgainError(f"it answered {answer.status}", after=_after(answer))
        raise MirrorRefused(self._refusal(answer))

    def _refusal(self, answer: aiohttp.ClientResponse) -> str:
        code = answer.headers.get("X-Error-Code", "")
        repository = "/".join(self._url.parts[1:3])
        page = f"{self._hub.endpoint}/{repository}"
        if code == "GatedRepo" and self._hub.token:
            return f"{repository} is gated: accept its terms at {page} with the account of HF_TOKEN"
        if code == "GatedRepo":
            return (
                f"{repository} is gated: accept its terms at {page}, and set HF_TOKEN to a token of that account"
                f" ({self._hub.endpoint}/settings/tokens)"
            )
        if self._hub.has(self._url) and (code == "RepoNotFound" or answer.status == 401):
            return f"{repository} is not at {self._hub.endpoint}, or HF_TOKEN may not see it"
        if code in {"RevisionNotFound", "EntryNotFound"}:
            return f"{repository} has no such file: {'/'.join(self._url.parts[4:])}"
        return f"{self.name} answered {answer.status}"

    async def _read_on(self, seen: Seen, window: Window, start: int) -> None:
        """One answer with what *window* lacks, or the beginning of it."""
        first, last = start + window.tell(), start + window.size - 1
        headers = self._hub.headers(seen.address) | {"Range": f"bytes={first}-{last}"}
        follows = not self._hub.has(seen.address)  # whoever gets our token leads us nowhere with it
        async with self._http.get(
            seen.address, headers=headers, allow_redirects=follows, max_redirects=REDIRECTS, timeout=self._timeout
        ) as answer:
            if answer.status in {401, 403, 410}:
                raise _ExpiredError
            if answer.status in MOVED:
                raise MirrorRefused(f"{self.name} redirects where it did not before")
            self._check(answer)
            if answer.status != 206:
                raise MirrorRefused(f"{self.name} gives no ranges of its files")
            if answer.headers.get("Content-Range") != f"bytes {first}-{last}/{seen.size_bytes}":
                raise _AgainError("it gave another range than it was asked for")
            async for piece in answer.content.iter_any():
                if window.write(piece) < len(piece):
                    raise _AgainError("it gave more than it was asked for")
        if start + window.tell() == first:
            raise _AgainError("it gave nothing")  # seen of an edge of Hugging Face's, as 206 with the right range


class _Patience:
    """How often one read may fail, and how long that takes."""

    def __init__(self, limits: MirrorLimits, name: str) -> None:
        self._limits = limits
        self._name = name
        self._failed = 0
        self._waited = 0

    async def wait(self, error: Exception) -> None:
        """
        Wait as long as *error* says, or longer each time.

        Raises:
            MirrorRefused: It has been long enough.
        """
        after = error.after if isinstance(error, _AgainError) else None
        if after is not None and after > self._limits.patience:
            raise MirrorRefused(f"{self._name} wants us to wait {after.total_seconds():.0f} s: try again then")
        if after is None:
            self._failed += 1
            after = self._limits.pause * 2 ** (self._failed - 1)
        else:
            self._waited += 1
        if self._failed >= self._limits.tries or self._waited >= self._limits.waits:
            why = str(error) if isinstance(error, _AgainError) else type(error).__name__
            raise MirrorRefused(f"{self._name} does not give the file ({why}); run it again, and it goes on") from None
        await asyncio.sleep(after.total_seconds())


def _after(answer: aiohttp.ClientResponse) -> timedelta | None:
    """What a 429 asks for: ``Retry-After: 7``, or Hugging Face's ``RateLimit: "resolvers";r=0;t=7``."""
    plain = answer.headers.get("Retry-After", "")
    named = re.search(r";\s*t=(\d{1,9})", answer.headers.get("RateLimit", ""))
    if re.fullmatch(r"\d{1,9}", plain):
        return timedelta(seconds=int(plain))
    return timedelta(seconds=int(named[1])) if named else None


def _linked(answer: aiohttp.ClientResponse) -> str | None:
    """The sha256 that Hugging Face gives; for small files its ETag is something else."""
    etag = answer.headers.get("X-Linked-ETag", "").strip('"')
    return etag if SHA256.fullmatch(etag) else None


def _total(answer: aiohttp.ClientResponse, name: str) -> int:
    found = re.fullmatch(r"bytes 0-0/(\d{1,18})", answer.headers.get("Content-Range", ""))
    if answer.status != 206 or not found:
        raise MirrorRefused(f"{name} gives no ranges of its files")
    return int(found[1])
