"""What machines are told of our bucket: addresses, and never a key."""

import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from orchestrator.adapters.model_addresses import KEPT, LASTING, AddressedCatalog, Expiring, public
from orchestrator.adapters.models_index import IndexProblem, parse_index
from orchestrator.adapters.models_record import RECORD, Recorded, add_to_record, read_record, with_record
from orchestrator.adapters.presigned import REGION, BucketAccess, presigned
from orchestrator.adapters.workflow_files import FixedCatalog, read_workflows
from orchestrator.app import _catalog
from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.workflows import ModelFile
from orchestrator.settings import Settings
from tests.contract.samples import HandClock

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SHIPPED = read_workflows(Path("orchestrator/workflows"))
UNET = SHIPPED[0].models[0]
LORA = SHIPPED[0].loras["b0throps"]
ACCESS = BucketAccess(endpoint="https://a.eu.r2.cloudflarestorage.com", bucket="models", key_id="id", secret="s3cr3t")


def recorded(file: ModelFile, **changes: object) -> Recorded:
    facts = {"path": file.path, "size": 2**15 + 5, "sha256": "a" * 64, "urls": file.urls, "etag": "e-1"}
    return Recorded.model_validate(facts | {"chunk": 2**15, "chunks": ("b" * 64, "c" * 64)} | changes)


@pytest.mark.parametrize("endpoint", [ACCESS.endpoint, "http://127.0.0.1:9000"])
@pytest.mark.parametrize("key", ["vae/ae.safetensors", "loras/a b+c%.safetensors"])
def test_an_address_is_signed_as_botocore_signs_it(monkeypatch: pytest.MonkeyPatch, endpoint: str, key: str) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW.replace(tzinfo=None))
    ours = presigned(
        BucketAccess(endpoint=endpoint, bucket="models", key_id="id", secret="s3cr3t"),
        key,
        now=NOW,
        lasting=timedelta(hours=12),
    )
    request = AWSRequest("GET", ours.partition("?")[0])

    S3SigV4QueryAuth(Credentials("id", "s3cr3t"), "s3", REGION, expires=43200).add_auth(request)

    assert ours == request.url


def test_a_machine_reads_any_range_of_it(access: BucketAccess) -> None:
    address = presigned(access, "vae/ae.safetensors", now=NOW, lasting=timedelta(hours=1))
    headers = {"Content-Type": "application/octet-stream"}
    put = urllib.request.Request(address.partition("?")[0], data=b"0123456789", headers=headers, method="PUT")  # noqa: S310
    with urllib.request.urlopen(put):  # noqa: S310 - loopback
        pass

    ranged = urllib.request.Request(address, headers={"Range": "bytes=2-4"})  # noqa: S310
    with urllib.request.urlopen(ranged) as answer:  # noqa: S310
        assert (answer.status, answer.read()) == (206, b"234")


@pytest.mark.parametrize("lasting", [timedelta(days=8), timedelta()])
def test_no_address_lasts_longer_than_r2_allows(lasting: timedelta) -> None:
    with pytest.raises(ValueError, match="cannot last"):
        presigned(ACCESS, "vae/ae.safetensors", now=NOW, lasting=lasting)


def test_machines_get_an_address_that_expires_and_never_the_secret() -> None:
    clock = HandClock(NOW)
    catalog = AddressedCatalog(FixedCatalog(SHIPPED), Expiring(ACCESS, {UNET.path: UNET.sha256}, clock))

    unet, *others = catalog.all()[0].models

    assert unet.urls[0].startswith("https://a.eu.r2.cloudflarestorage.com/models/unet/flux1-schnell.safetensors?X-Amz-")
    assert unet.urls[1:] == UNET.urls
    assert tuple(others) == SHIPPED[0].models[1:]
    assert "s3cr3t" not in repr(catalog.all())
    assert "s3cr3t" not in repr(ACCESS)


def test_whoever_asks_gets_one_that_lasts_for_hours_however_long_the_bot_has_run() -> None:
    clock = HandClock(NOW)
    catalog = AddressedCatalog(FixedCatalog(SHIPPED), Expiring(ACCESS, {UNET.path: UNET.sha256}, clock))
    name = WorkflowName(SHIPPED[0].name)

    def address() -> str:
        found = catalog.find(name)
        assert found is not None
        return found.models[0].urls[0]

    first = address()
    clock.time += KEPT - timedelta(seconds=1)
    assert address() == first
    clock.time += timedelta(seconds=1)
    assert "X-Amz-Date=20260203T100506Z" in address()
    assert KEPT + timedelta(hours=6) <= LASTING


def test_what_is_in_the_bucket_in_another_form_is_not_offered() -> None:
    catalog = AddressedCatalog(FixedCatalog(SHIPPED), Expiring(ACCESS, {UNET.path: "0" * 64}, HandClock(NOW)))

    assert catalog.all() == SHIPPED


def test_a_public_bucket_is_asked_first_for_everything() -> None:
    workflow = AddressedCatalog(FixedCatalog(SHIPPED), public("https://models.example.org/")).all()[0]

    assert {file.urls[0] for file in workflow.files} == {
        f"https://models.example.org/{file.path}" for file in SHIPPED[0].files
    }


def test_a_mirror_that_is_the_bucket_already_is_named_once() -> None:
    workflow = AddressedCatalog(FixedCatalog(SHIPPED), public("https://models.miladystation2.net")).all()[0]

    assert workflow.models == SHIPPED[0].models


def test_what_an_upload_proved_completes_a_manifest_that_does_not_say_it(tmp_path: Path) -> None:
    add_to_record(tmp_path, recorded(LORA))
    add_to_record(tmp_path, recorded(UNET))

    workflow = with_record(SHIPPED, read_record(tmp_path))[0]

    lora = workflow.loras["b0throps"]
    assert (lora.size_bytes, lora.sha256, lora.chunk, lora.chunks) == (2**15 + 5, "a" * 64, 2**15, ("b" * 64, "c" * 64))
    assert workflow.models == SHIPPED[0].models  # its manifest says another sha256


def test_the_record_can_be_handed_on_as_an_index(tmp_path: Path) -> None:
    add_to_record(tmp_path, recorded(LORA))

    found = parse_index((tmp_path / RECORD).read_bytes(), RECORD)

    assert [(file.path, file.chunks) for file in found] == [(LORA.path, ("b" * 64, "c" * 64))]


def test_a_record_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text('{"files": [{"path": "vae/x"}]}')

    with pytest.raises(IndexProblem, match=r"models\.json: files\.0"):
        read_record(tmp_path)


def test_chunks_that_do_not_cover_the_file_are_refused() -> None:
    with pytest.raises(ValueError, match="chunks must cover the file"):
        recorded(LORA, chunks=("b" * 64,))


def test_an_account_is_enough_of_an_endpoint() -> None:
    settings = Settings(
        _env_file=None,
        R2_ENDPOINT="0" * 32,
        R2_BUCKET="models",
        R2_ACCESS_KEY_ID="id",
        R2_SECRET_ACCESS_KEY="s3cr3t",
    )

    assert settings.bucket is not None
    assert settings.bucket.endpoint == f"https://{'0' * 32}.r2.cloudflarestorage.com"
    assert {"id", "s3cr3t"} <= set(settings.secrets())


def test_a_bucket_that_is_set_up_by_half_says_what_it_lacks() -> None:
    settings = Settings(_env_file=None, R2_BUCKET="models", R2_ACCESS_KEY_ID="id")

    assert settings.bucket is None
    assert settings.bucket_lacks() == ("R2_ENDPOINT", "R2_SECRET_ACCESS_KEY")


async def test_a_bot_with_a_bucket_hands_machines_addresses_alone(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None,
        GLOWPLUG_DATA=tmp_path,
        HF_TOKEN="hf_marked",
        R2_ENDPOINT=ACCESS.endpoint,
        R2_BUCKET=ACCESS.bucket,
        R2_ACCESS_KEY_ID=ACCESS.key_id,
        R2_SECRET_ACCESS_KEY=ACCESS.secret,
    )
    add_to_record(tmp_path, recorded(LORA))
    async with aiohttp.ClientSession() as http:
        catalog = await _catalog(settings, None, http, HandClock(NOW))

    lora = catalog.all()[0].loras["b0throps"]
    assert lora.urls[0].startswith(f"{ACCESS.endpoint}/models/loras/b0throps.safetensors?X-Amz-")
    assert (lora.sha256, lora.chunk) == ("a" * 64, 2**15)
    assert not [secret for secret in (ACCESS.secret, "hf_marked") if secret in repr(catalog.all())]


async def test_a_public_bucket_comes_before_addresses_that_expire(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, GLOWPLUG_DATA=tmp_path, MODELS_BASE_URL="https://models.example.org")
    async with aiohttp.ClientSession() as http:
        catalog = await _catalog(settings, None, http, HandClock(NOW))

    assert catalog.all()[0].models[0].urls[0] == "https://models.example.org/unet/flux1-schnell.safetensors"
