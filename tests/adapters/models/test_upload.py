"""Files go from a lookalike of Hugging Face into moto's S3, and only what was proved is there afterwards."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
import pytest_asyncio

from orchestrator.adapters.mirrors import Hub, Mirror, MirrorLimits, MirrorRefused, open_mirrors
from orchestrator.adapters.models_upload import Outcome, Receipt, Uploader, UploadLimits
from orchestrator.adapters.presigned import BucketAccess, presigned
from orchestrator.adapters.r2 import Bucket, BucketProblem, Stored, open_bucket
from orchestrator.domain.workflows import ModelFile
from tests.adapters.models.hub import MIB, HubStage, content, sha256_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

PART = 5 * MIB
SIZE = 12 * MIB + 345
SHA256 = sha256_of(SIZE)
KEY = "unet/flux.safetensors"
TOKEN = "hf_marked"
QUICK = MirrorLimits(pause=timedelta(milliseconds=1), tries=3, waits=3)


class World:
    """An uploader with small parts, and its mirrors."""

    def __init__(self, http: aiohttp.ClientSession, hub: HubStage, bucket: Bucket, access: BucketAccess) -> None:
        self._http, self._hub, self._access, self._bucket = http, hub, access, bucket
        self.done: list[int] = []

    def mirror(self, url: str, *, token: str = TOKEN) -> Mirror:
        return Mirror(self._http, url, hub=Hub(endpoint=self._hub.url, token=token), limits=QUICK)

    def read_back(self, key: str) -> Mirror:
        return self.mirror(presigned(self._access, key, now=datetime.now(UTC), lasting=timedelta(hours=1)))  # noqa: TID251 - moto's time

    async def bring(
        self, file: ModelFile, mirrors: Sequence[Mirror] = (), *, recorded: Receipt | None = None, at_once: int = 2
    ) -> Receipt:
        uploader = Uploader(self._bucket, read_back=self.read_back, limits=UploadLimits(part=PART, at_once=at_once))
        chosen = mirrors or [self.mirror(url) for url in file.urls]
        return await uploader.bring(file, chosen, recorded=recorded, on_bytes=self.done.append)


@pytest_asyncio.fixture(loop_scope="module")
async def world(hub: HubStage, bucket: Bucket, access: BucketAccess) -> AsyncIterator[World]:
    async with open_mirrors() as http:
        yield World(http, hub, bucket, access)


@pytest.fixture
def file(hub: HubStage) -> ModelFile:
    hub.sizes["flux.safetensors"] = SIZE
    return ModelFile(path=KEY, size_bytes=SIZE, sha256=SHA256, urls=(hub.address("flux.safetensors"),))


async def stored_bytes(bucket: Bucket, key: str = KEY) -> bytes:
    found = await bucket._client.get_object(Bucket=bucket._name, Key=key)
    return bytes(await found["Body"].read())


async def test_a_file_arrives_whole_in_equal_parts_with_the_sha256_of_each(
    world: World, file: ModelFile, bucket: Bucket
) -> None:
    receipt = await world.bring(file)

    whole = b"".join(content(0, SIZE - 1))
    assert await stored_bytes(bucket) == whole
    assert await bucket.head(KEY) == Stored(size_bytes=SIZE, etag=receipt.etag, sha256=SHA256)
    parts = [await bucket._client.head_object(Bucket=bucket._name, Key=KEY, PartNumber=n) for n in (1, 2, 3)]
    assert [part["ContentLength"] for part in parts] == [PART, PART, SIZE - 2 * PART]
    chunks = tuple(hashlib.sha256(whole[at : at + PART]).hexdigest() for at in range(0, SIZE, PART))
    assert (receipt.sha256, receipt.chunk, receipt.chunks) == (SHA256, PART, chunks)
    assert (receipt.sent_bytes, sum(world.done)) == (SIZE, SIZE)


async def test_the_token_goes_to_hugging_face_and_not_where_it_leads(
    world: World, file: ModelFile, hub: HubStage
) -> None:
    await world.bring(file)

    assert hub.tokens == {("hub", f"Bearer {TOKEN}"), ("cdn", "")}


async def test_one_question_is_enough_for_all_parts(world: World, file: ModelFile, hub: HubStage) -> None:
    await world.bring(file)

    assert (len(hub.asked), hub.served) == (1, SIZE)


async def test_parts_that_arrive_out_of_order_are_hashed_in_order(world: World, file: ModelFile, hub: HubStage) -> None:
    hub.held, hub.frees = (0,), True

    assert (await world.bring(file)).sha256 == SHA256


async def test_an_upload_that_was_killed_goes_on_and_sends_nothing_twice(
    world: World, file: ModelFile, bucket: Bucket
) -> None:
    class KilledError(BaseException):
        pass

    send = bucket.put_part

    async def killed(key: str, upload: str, number: int, body: memoryview, *, md5: bytes) -> None:
        if number == 2:
            raise KilledError
        await send(key, upload, number, body, md5=md5)

    bucket.put_part = killed  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        await world.bring(file, at_once=1)
    bucket.put_part = send  # type: ignore[method-assign]

    assert await bucket.head(KEY) is None
    receipt = await world.bring(file)
    assert await stored_bytes(bucket) == b"".join(content(0, SIZE - 1))
    assert (receipt.sha256, receipt.sent_bytes) == (SHA256, SIZE - PART)
    assert await bucket.unfinished(KEY) is None


async def test_a_part_that_arrived_wrong_before_is_sent_again(world: World, file: ModelFile, bucket: Bucket) -> None:
    upload, junk = await bucket.begin(KEY, sha256=SHA256), bytes(PART)
    await bucket.put_part(KEY, upload, 1, memoryview(junk), md5=hashlib.md5(junk).digest())  # noqa: S324 - an ETag

    receipt = await world.bring(file)

    assert receipt.sent_bytes == SIZE
    assert hashlib.sha256(await stored_bytes(bucket)).hexdigest() == SHA256


async def test_an_address_that_expires_is_asked_for_again_once_for_all_readers(
    world: World, file: ModelFile, hub: HubStage
) -> None:
    hub.uses = 2

    receipt = await world.bring(file)

    assert (receipt.sha256, len(hub.asked)) == (SHA256, 2)


async def test_an_address_that_is_refused_when_new_is_given_up(world: World, file: ModelFile, hub: HubStage) -> None:
    hub.uses = 0

    with pytest.raises(MirrorRefused, match="with a new address as well"):
        await world.bring(file)


async def test_an_answer_that_breaks_off_is_gone_on_with(world: World, file: ModelFile, hub: HubStage) -> None:
    hub.torn = 2

    assert (await world.bring(file)).sha256 == SHA256
    assert hub.served < SIZE + 2 * MIB


@pytest.mark.parametrize(("hollow", "is_had"), [(1, True), (100, False)])
async def test_an_answer_without_bytes_is_asked_for_again_and_not_for_ever(
    world: World, file: ModelFile, hub: HubStage, hollow: int, is_had: bool
) -> None:
    hub.hollow = hollow

    if is_had:
        assert (await world.bring(file)).sha256 == SHA256
    else:
        with pytest.raises(MirrorRefused, match="it gave nothing"):
            await world.bring(file)


@pytest.mark.parametrize("headers", [{"Retry-After": "1"}, {"RateLimit": '"resolvers";r=0;t=1'}])
async def test_who_is_asked_too_often_is_left_alone_as_long_as_it_says(
    world: World, file: ModelFile, hub: HubStage, headers: dict[str, str]
) -> None:
    hub.busy = [(429, headers)]

    await world.mirror(file.urls[0]).look()

    assert hub.asked[1] - hub.asked[0] >= 1


async def test_who_wants_too_much_patience_is_not_waited_for(world: World, file: ModelFile, hub: HubStage) -> None:
    hub.busy = [(429, {"Retry-After": "86400"})]

    with pytest.raises(MirrorRefused, match="wait 86400 s"):
        await world.bring(file)


@pytest.mark.parametrize(
    ("token", "told"),
    [("", "accept its terms at .*/flux/schnell, and set HF_TOKEN"), (TOKEN, "with the account of HF_TOKEN")],
)
async def test_a_gated_repository_says_what_to_accept_where(
    world: World, file: ModelFile, hub: HubStage, token: str, told: str
) -> None:
    hub.gated = True

    with pytest.raises(MirrorRefused, match=f"flux/schnell is gated: .*{told}"):
        await world.bring(file, [world.mirror(file.urls[0], token=token)])


async def test_where_one_mirror_refuses_the_next_one_is_asked(world: World, file: ModelFile, hub: HubStage) -> None:
    elsewhere = replace(file, urls=(hub.address("gone"), *file.urls))

    assert (await world.bring(elsewhere)).sha256 == SHA256


async def test_other_bytes_than_promised_never_become_an_object(
    world: World, file: ModelFile, hub: HubStage, bucket: Bucket
) -> None:
    hub.wrong = True

    with pytest.raises(MirrorRefused, match="other bytes"):
        await world.bring(file)

    assert await bucket.head(KEY) is None
    assert await bucket.unfinished(KEY) is None


@pytest.mark.parametrize(
    ("change", "told"), [({"sha256": "0" * 64}, "its sha256 begins"), ({"size_bytes": 5}, "not 5")]
)
async def test_another_file_than_the_manifests_is_refused_before_a_byte_has_moved(
    world: World, file: ModelFile, hub: HubStage, change: dict[str, object], told: str
) -> None:
    with pytest.raises(MirrorRefused, match=told):
        await world.bring(replace(file, **change))  # type: ignore[arg-type]

    assert hub.served == 0


async def test_a_mirror_without_ranges_is_refused(world: World, file: ModelFile, hub: HubStage) -> None:
    hub.has_ranges = False

    with pytest.raises(MirrorRefused, match="no ranges"):
        await world.bring(file)


async def test_a_sha256_that_nobody_knows_is_that_of_the_bytes_that_went_up(
    world: World, file: ModelFile, hub: HubStage, bucket: Bucket
) -> None:
    hub.claims["flux.safetensors"] = ""

    receipt = await world.bring(replace(file, sha256=None, size_bytes=1))

    assert (receipt.sha256, receipt.size_bytes) == (SHA256, SIZE)
    assert await stored_bytes(bucket) == b"".join(content(0, SIZE - 1))


async def test_what_is_there_from_elsewhere_is_read_and_not_sent(
    world: World, file: ModelFile, hub: HubStage, bucket: Bucket
) -> None:
    await bucket._client.put_object(Bucket=bucket._name, Key=KEY, Body=b"".join(content(0, SIZE - 1)))

    receipt = await world.bring(file)

    assert (receipt.outcome, receipt.sha256, receipt.sent_bytes, hub.served) == (Outcome.READ, SHA256, 0, 0)
    assert len(receipt.chunks) == 3


async def test_what_is_there_and_is_something_else_is_replaced(world: World, file: ModelFile, bucket: Bucket) -> None:
    await bucket._client.put_object(Bucket=bucket._name, Key=KEY, Body=bytes(SIZE))

    assert (await world.bring(file)).outcome is Outcome.UPLOADED
    assert hashlib.sha256(await stored_bytes(bucket)).hexdigest() == SHA256


async def test_what_is_recorded_and_still_there_is_left_alone(world: World, file: ModelFile, hub: HubStage) -> None:
    recorded = await world.bring(file)
    served = hub.served

    assert await world.bring(file, recorded=recorded) == recorded
    assert hub.served == served


async def test_no_upload_has_what_r2_does_not_understand() -> None:
    """Over TLS botocore would add a checksum as a trailer, which R2 answers with 401; moto takes anything."""
    seen: list[dict[str, str]] = []

    class SeenError(Exception):
        pass

    def look(request: object, **_: object) -> None:
        seen.append({name.lower(): str(value) for name, value in request.headers.items()})  # type: ignore[attr-defined]
        raise SeenError

    access = BucketAccess(endpoint="https://a.r2.cloudflarestorage.com", bucket="models", key_id="id", secret="secret")
    async with open_bucket(access) as bucket:
        bucket._client.meta.events.register("before-send.s3", look)
        with pytest.raises(SeenError):
            await bucket.put_part(KEY, "upload", 1, memoryview(b"part"), md5=bytes(16))

    assert not [name for name in seen[0] if "trailer" in name or "checksum" in name]
    assert seen[0].get("content-encoding") is None
    assert seen[0]["content-length"] == "4"


async def test_a_bucket_that_is_not_there_is_told_without_a_key(access: BucketAccess) -> None:
    async with open_bucket(replace(access, bucket="models-of-nobody")) as bucket:
        with pytest.raises(BucketProblem, match="set R2_BUCKET") as told:
            await bucket.begin(KEY, sha256=None)

    assert access.secret not in str(told.value)


async def test_an_endpoint_that_does_not_answer_is_told(access: BucketAccess) -> None:
    async with open_bucket(replace(access, endpoint="http://127.0.0.1:1"), attempts=1) as bucket:
        with pytest.raises(BucketProblem, match="R2_ENDPOINT does not answer"):
            await bucket.unfinished(KEY)
