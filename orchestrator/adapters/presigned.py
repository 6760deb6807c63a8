"""
Addresses of files in our own bucket that anybody may read for a while: Signature Version 4 in the query.

Signed here rather than by botocore, whose import would take half a second of every start. The secret signs and stays;
an address shows the endpoint, the bucket, the key's id, and a signature that is good for this one GET.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from yarl import URL

LONGEST = timedelta(days=7)
"""No address may last longer (R2's and S3's limit)."""

REGION = "auto"
ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketAccess:
    """
    What it takes to write to a bucket.

    Attributes:
        endpoint: As in ``https://<account>.r2.cloudflarestorage.com``, without a slash at its end.
    """

    endpoint: str
    bucket: str
    key_id: str = field(repr=False)
    secret: str = field(repr=False)


def presigned(access: BucketAccess, key: str, *, now: datetime, lasting: timedelta) -> str:
    """
    An address at which *key* can be read, with or without ranges, until *lasting* after *now*.

    Good for GET alone: a HEAD of it is refused. Never on a public host name, which knows no signatures.
    """
    if not timedelta(seconds=1) <= lasting <= LONGEST:
        raise ValueError(f"an address cannot last {lasting}")
    at = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/{REGION}/s3/aws4_request"
    path = f"/{_quoted(access.bucket)}/{quote(key, safe='/-_.~')}"
    query = "&".join(
        f"{name}={_quoted(value)}"
        for name, value in (
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{access.key_id}/{scope}"),
            ("X-Amz-Date", at),
            ("X-Amz-Expires", str(round(lasting.total_seconds()))),
            ("X-Amz-SignedHeaders", "host"),
        )
    )
    request = "\n".join(("GET", path, query, f"host:{_host(access.endpoint)}", "", "host", "UNSIGNED-PAYLOAD"))
    text = "\n".join((ALGORITHM, at, scope, hashlib.sha256(request.encode()).hexdigest()))
    signature = hmac.new(_signing_key(access.secret, at[:8]), text.encode(), hashlib.sha256).hexdigest()
    return f"{access.endpoint}{path}?{query}&X-Amz-Signature={signature}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _host(endpoint: str) -> str:
    url = URL(endpoint)
    return f"{url.host}" if url.is_default_port() else f"{url.host}:{url.port}"


def _signing_key(secret: str, day: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
