"""One S3 server and one client for all tests here, and a bucket for each."""

import itertools
import logging
import urllib.request
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from moto.server import ThreadedMotoServer

from orchestrator.adapters.presigned import BucketAccess
from orchestrator.adapters.r2 import Bucket, open_bucket
from tests.adapters.models.hub import MIB, HubStage, hub_stage

SECRET = "marked-secret-of-the-bucket"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of moto's server; it believes any key."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(64 * MIB))  # parts stay in memory: half the time
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def access(s3: str) -> BucketAccess:
    """A bucket of the test's own."""
    access = BucketAccess(endpoint=s3, bucket=f"models-{next(NUMBERS)}", key_id="marked-id", secret=SECRET)
    with urllib.request.urlopen(urllib.request.Request(f"{s3}/{access.bucket}", method="PUT")):  # noqa: S310 - ours
        return access


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(s3: str) -> AsyncIterator[Bucket]:
    """Botocore takes a third of a second to make one."""
    async with open_bucket(BucketAccess(endpoint=s3, bucket="none", key_id="marked-id", secret=SECRET)) as bucket:
        yield bucket


@pytest.fixture
def bucket(client: Bucket, access: BucketAccess) -> Bucket:
    return Bucket(client._client, access.bucket)


@pytest_asyncio.fixture(loop_scope="module")
async def hub() -> AsyncIterator[HubStage]:
    async with hub_stage() as stage:
        yield stage
