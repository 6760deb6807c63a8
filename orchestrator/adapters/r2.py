"""
Our own bucket at Cloudflare R2, or at anything else that speaks S3, as ``glowplug models`` uses it.

Parts are driven one by one: R2 wants all but the last to be equally long and says so only at the end, and a helper
that reads a stream makes them as long as what came (R2's and aioboto3's behaviour as of 2026).
Nothing here reaches a rented machine: those get addresses (see :mod:`presigned`).
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aioboto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from orchestrator.adapters.presigned import REGION, BucketAccess
from orchestrator.adapters.windows import Window
from orchestrator.domain.errors import OrchestratorError, Remedy

SHA256 = "sha256"
"""Name of an object's metadata that has the checksum; its ETag is never one."""

ATTEMPTS = 5
CONNECT_S = 10
SILENCE_S = 120
PART_LIMIT = timedelta(minutes=15)
"""For one part with all attempts; 16 MiB at 20 kB/s."""

REFUSED = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Unauthorized"})
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


class BucketProblem(OrchestratorError):
    """The bucket cannot be used: the operator reads why."""

    remedy = Remedy.OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """
    An object in the bucket.

    Attributes:
        etag: Without quotes; of an object in parts ``md5-of-md5s-N``.
        sha256: What the uploader noted; None where nobody did.
    """

    size_bytes: int
    etag: str
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that has arrived; its ETag is its MD5."""

    size_bytes: int
    md5: str


class Bucket:
    """
    One bucket, through a client of aioboto3's.

    Every method raises :class:`BucketProblem` for whatever the other side, or the way there, does.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    async def head(self, key: str) -> Stored | None:
        """What is there under *key*, if anything is."""
        try:
            with _told(self._name):
                found = await self._client.head_object(Bucket=self._name, Key=key)
        except _MissingError:
            return None
        return Stored(
            size_bytes=found["ContentLength"], etag=_bare(found["ETag"]), sha256=found["Metadata"].get(SHA256)
        )

    async def begin(self, key: str, *, sha256: str | None) -> str:
        """Begin an upload in parts; nothing is there under *key* before it is completed. Returns its id."""
        metadata = {SHA256: sha256} if sha256 else {}
        with _told(self._name):
            begun = await self._client.create_multipart_upload(
                Bucket=self._name, Key=key, Metadata=metadata, ContentType="application/octet-stream"
            )
        return str(begun["UploadId"])

    async def unfinished(self, key: str) -> str | None:
        """The newest upload of *key* that was begun and neither completed nor given up; R2 gives up after a week."""
        found: list[tuple[Any, str]] = []
        with _told(self._name):
            async for page in self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._name, Prefix=key
            ):
                found += [(u["Initiated"], u["UploadId"]) for u in page.get("Uploads", ()) if u["Key"] == key]
        return max(found)[1] if found else None

    async def parts(self, key: str, upload: str) -> dict[int, Part]:
        """What has arrived of an unfinished upload, by number."""
        found: dict[int, Part] = {}
        with _told(self._name):
            async for page in self._client.get_paginator("list_parts").paginate(
                Bucket=self._name, Key=key, UploadId=upload
            ):
                for part in page.get("Parts", ()):
                    found[part["PartNumber"]] = Part(size_bytes=part["Size"], md5=_bare(part["ETag"]))
        return found

    async def put_part(self, key: str, upload: str, number: int, body: memoryview, *, md5: bytes) -> None:
        """
        Send one part; a part of the same number is replaced.

        Args:
            md5: Of the part. The bucket checks it, and over TLS the part need not be hashed again for the signature.
        """
        with _told(self._name):
            async with asyncio.timeout(PART_LIMIT.total_seconds()):
                sent = await self._client.upload_part(
                    Bucket=self._name,
                    Key=key,
                    UploadId=upload,
                    PartNumber=number,
                    Body=Window(body),
                    ContentMD5=_base64(md5),
                )
        if _bare(sent["ETag"]) != md5.hex():
            raise BucketProblem(f"bucket {self._name}: part {number} of {key} arrived as something else; run it again")

    async def complete(self, key: str, upload: str, md5s: Mapping[int, str]) -> None:
        """Make the object of its parts, in the order of their numbers."""
        parts = [{"PartNumber": number, "ETag": f'"{md5}"'} for number, md5 in sorted(md5s.items())]
        with _told(self._name):
            await self._client.complete_multipart_upload(
                Bucket=self._name, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )

    async def abort(self, key: str, upload: str) -> None:
        """Give an upload up, with all its parts."""
        with _told(self._name):
            await self._client.abort_multipart_upload(Bucket=self._name, Key=key, UploadId=upload)


@asynccontextmanager
async def open_bucket(access: BucketAccess, *, attempts: int = ATTEMPTS) -> AsyncIterator[Bucket]:
    """
    A client for as long as the block lasts.

    Checksums that botocore adds by itself are off: R2 answers them with 401 or 501, which looks like a wrong key.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=CONNECT_S,
        read_timeout=SILENCE_S,
        max_pool_connections=32,
    )
    session = aioboto3.Session(aws_access_key_id=access.key_id, aws_secret_access_key=access.secret, region_name=REGION)
    async with session.client("s3", endpoint_url=access.endpoint, config=config) as client:
        yield Bucket(client, access.bucket)


def whole_etag(md5s: Iterable[str]) -> str:
    """What R2 and S3 call an object of these parts: the MD5 of their MD5s, and how many."""
    joined = [bytes.fromhex(md5) for md5 in md5s]
    return f"{hashlib.md5(b''.join(joined), usedforsecurity=False).hexdigest()}-{len(joined)}"


class _MissingError(Exception):
    pass


@contextmanager
def _told(bucket: str) -> Iterator[None]:
    """Turn what botocore raises into a sentence that has no key in it."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in MISSING:
            raise _MissingError from None
        raise BucketProblem(f"bucket {bucket}: {_sentence(code)}") from None
    except (BotoCoreError, TimeoutError, OSError) as error:
        raise BucketProblem(f"bucket {bucket}: R2_ENDPOINT does not answer ({type(error).__name__})") from None


def _sentence(code: str) -> str:
    if code in REFUSED:
        return "the keys are refused: R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY need object read and write for it"
    if code == "NoSuchBucket":
        return "it is not there: make it, or set R2_BUCKET to one of yours"
    if code == "NoSuchUpload":
        return "the unfinished upload was given up meanwhile: run it again, and it begins anew"
    return f"it answered {code or 'nonsense'}"


def _bare(etag: str) -> str:
    return etag.strip('"')


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
