"""
Brings model files from their mirrors into our bucket, through memory alone, and proves what arrived.

A file goes in parts of equal size, several at once. Each part's MD5 is the bucket's own name for it, each part's sha256
is kept for whoever later fetches ranges, and the file's sha256 is taken over all parts in their order.

A checksum cannot be saved half-way. So an upload that is gone on with reads the parts that arrived before from the
mirror once more, into the checksum, and compares their MD5 with the bucket's: what is the same is not sent again.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from orchestrator.adapters.mirrors import Mirror, MirrorRefused, Seen
from orchestrator.adapters.r2 import Bucket, BucketProblem, Part, Stored, whole_etag
from orchestrator.domain.workflows import ModelFile

PART = 16 * 1024 * 1024
"""Bytes; R2 takes 5 MiB to 5 GiB, and 10,000 of them."""

MOST_PARTS = 10_000
AT_ONCE = 6
"""Parts in memory: 96 MiB of them."""

READ_BACK = timedelta(hours=12)
"""How long the address lasts at which a file that is in the bucket already is read."""

OnBytes = Callable[[int], None]
"""Told of bytes as they are done with: read, and in the bucket."""


class Outcome(StrEnum):
    UPLOADED = "uploaded"
    READ = "read"
    """It was in the bucket already, from elsewhere; now its checksums are known."""
    THERE = "there"
    """It was in the bucket already, and recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """
    A file that is in the bucket for certain.

    Attributes:
        chunk: Bytes of each range that *chunks* has the sha256 of; the last one is shorter.
        etag: What the bucket calls these bytes.
        sent_bytes: What this run uploaded of it.
    """

    path: str
    outcome: Outcome
    size_bytes: int
    sha256: str
    chunk: int
    chunks: tuple[str, ...]
    etag: str
    sent_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What is known of one part once it was read."""

    md5: bytes
    sha256: str


@dataclass(kw_only=True)
class _Passage:
    """
    One file on its way, in parts of *part* bytes.

    Attributes:
        send: Takes a part that was read; only sha256 is wanted where it is None.
    """

    size_bytes: int
    part: int
    read: Callable[[int, memoryview], Awaitable[None]]
    send: Callable[[int, memoryview, bytes], Awaitable[None]]
    on_bytes: OnBytes
    pieces: dict[int, _Piece] = field(default_factory=dict)
    _whole: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _turn: asyncio.Condition = field(default_factory=asyncio.Condition)
    _hashed: int = 0

    async def run(self, at_once: int) -> str:
        """Bring all parts over, *at_once* of them in memory. Returns the file's sha256."""
        count = -(-self.size_bytes // self.part)
        numbers = iter(range(1, count + 1))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(at_once, count)):
                    group.create_task(self._work(numbers))
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        return self._whole.hexdigest()

    async def _work(self, numbers: Iterator[int]) -> None:
        memory = memoryview(bytearray(min(self.part, self.size_bytes)))
        for number in numbers:
            start = (number - 1) * self.part
            body = memory[: self.size_bytes - start]
            await self.read(start, body)
            piece = await asyncio.to_thread(_piece, body)
            await self._in_turn(number, body)
            self.pieces[number] = piece
            await self.send(number, body, piece.md5)
            self.on_bytes(len(body))

    async def _in_turn(self, number: int, body: memoryview) -> None:
        """Take the part into the whole checksum once all before it are; whoever has the lowest number never waits."""
        async with self._turn:
            await self._turn.wait_for(lambda: self._hashed == number - 1)
            await asyncio.to_thread(self._whole.update, body)
            self._hashed = number
            self._turn.notify_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """How large a part is, in bytes, and how many are in memory at once."""

    part: int = PART
    at_once: int = AT_ONCE


class Uploader:
    """
    Args:
        read_back: A mirror for what is in the bucket already under a key.
    """

    def __init__(self, bucket: Bucket, *, read_back: Callable[[str], Mirror], limits: UploadLimits) -> None:
        self._bucket = bucket
        self._read_back = read_back
        self._limits = limits

    async def bring(
        self, file: ModelFile, mirrors: Sequence[Mirror], *, recorded: Receipt | None, on_bytes: OnBytes
    ) -> Receipt:
        """
        Have *file* in the bucket, verified: from the first of *mirrors* that gives it.

        Args:
            recorded: What an earlier run proved; where the bucket still has just that, nothing is read.

        Raises:
            MirrorRefused: None gives it; the text has what each said.
            BucketProblem: The bucket cannot be used.
        """
        stored = await self._bucket.head(file.path)
        if stored and recorded and _is_still(stored, recorded) and file.sha256 in {None, recorded.sha256}:
            return recorded
        if stored and (receipt := await self._already(file, stored, on_bytes)):
            return receipt
        said = []
        for mirror in mirrors:
            try:
                return await self._from(mirror, file, on_bytes)
            except MirrorRefused as error:
                said.append(str(error))
        raise MirrorRefused(f"{file.path}: {'; '.join(said) or 'no mirror has it'}")

    async def _already(self, file: ModelFile, stored: Stored, on_bytes: OnBytes) -> Receipt | None:
        """Read what somebody else put into the bucket, if it may be the file; None where it is not."""
        if file.sha256 and stored.size_bytes != file.size_bytes:
            return None
        part = self._part(stored.size_bytes)
        passage = _Passage(
            size_bytes=stored.size_bytes,
            part=part,
            read=self._read_back(file.path).read,
            send=_keep,
            on_bytes=on_bytes,
        )
        sha256 = await passage.run(self._limits.at_once)
        if sha256 != (file.sha256 or stored.sha256 or sha256):
            return None
        return _receipt(file, passage, Outcome.READ, sha256=sha256, etag=stored.etag, sent=0)

    async def _from(self, mirror: Mirror, file: ModelFile, on_bytes: OnBytes) -> Receipt:
        seen = await mirror.look()
        expected = _expected(mirror, file, seen)
        key, part, sent = file.path, self._part(seen.size_bytes), 0
        upload = await self._bucket.unfinished(key)
        kept = await self._bucket.parts(key, upload) if upload else {}
        if upload is None:
            upload = await self._bucket.begin(key, sha256=expected)

        async def send(number: int, body: memoryview, md5: bytes) -> None:
            nonlocal sent
            if kept.get(number) != Part(size_bytes=len(body), md5=md5.hex()):
                await self._bucket.put_part(key, upload, number, body, md5=md5)
                sent += len(body)

        passage = _Passage(size_bytes=seen.size_bytes, part=part, read=mirror.read, send=send, on_bytes=on_bytes)
        sha256 = await passage.run(self._limits.at_once)
        if expected and sha256 != expected:
            await self._bucket.abort(key, upload)
            raise MirrorRefused(f"{mirror.name} gave other bytes than have the sha256 {expected[:16]}...")
        etag = await self._completed(key, upload, passage.pieces, size=seen.size_bytes)
        return _receipt(file, passage, Outcome.UPLOADED, sha256=sha256, etag=etag, sent=sent)

    async def _completed(self, key: str, upload: str, pieces: Mapping[int, _Piece], *, size: int) -> str:
        """Make the object, and see that it is what was read: its size, and its ETag, which has every part's MD5."""
        md5s = {number: piece.md5.hex() for number, piece in sorted(pieces.items())}
        await self._bucket.complete(key, upload, md5s)
        stored, etag = await self._bucket.head(key), whole_etag(md5s.values())
        if stored is None or (stored.size_bytes, stored.etag) != (size, etag):
            raise BucketProblem(f"{key} is not in the bucket as it was sent: run it again")
        return etag

    def _part(self, size: int) -> int:
        """Bytes of a part: ours, doubled until the file is no more than the bucket takes."""
        part = self._limits.part
        while part * MOST_PARTS < size:
            part *= 2
        return part


def _is_still(stored: Stored, recorded: Receipt) -> bool:
    return (stored.size_bytes, stored.etag) == (recorded.size_bytes, recorded.etag)


def _expected(mirror: Mirror, file: ModelFile, seen: Seen) -> str | None:
    """The sha256 that the file has to have; None where nobody has said one yet."""
    if file.sha256 and seen.sha256 and file.sha256 != seen.sha256:
        raise MirrorRefused(f"{mirror.name} has another file there: its sha256 begins with {seen.sha256[:16]}")
    if file.sha256 and file.size_bytes != seen.size_bytes:
        raise MirrorRefused(f"{mirror.name} has another file there: {seen.size_bytes} bytes, not {file.size_bytes}")
    return file.sha256 or seen.sha256


def _receipt(file: ModelFile, passage: _Passage, outcome: Outcome, *, sha256: str, etag: str, sent: int) -> Receipt:
    return Receipt(
        path=file.path,
        outcome=outcome,
        size_bytes=passage.size_bytes,
        sha256=sha256,
        chunk=passage.part,
        chunks=tuple(piece.sha256 for _, piece in sorted(passage.pieces.items())),
        etag=etag,
        sent_bytes=sent,
    )


async def _keep(number: int, body: memoryview, md5: bytes) -> None:
    """Send nothing."""


def _piece(body: memoryview) -> _Piece:
    md5 = hashlib.md5(body, usedforsecurity=False)
    return _Piece(md5=md5.digest(), sha256=hashlib.sha256(body).hexdigest())


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that came first: the others are its siblings' cancellation."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
