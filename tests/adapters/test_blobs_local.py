"""Pictures as files: named by their bytes, whole or not there, for our eyes only."""

import os
from pathlib import Path

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.domain.errors import StoreError
from orchestrator.domain.ids import ImageKey

PICTURE = b"\x89PNG and so on"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


@pytest.fixture
def blobs(folder: Path) -> LocalBlobs:
    return LocalBlobs(folder)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_was_put_can_be_got_also_after_a_restart(blobs: LocalBlobs, folder: Path) -> None:
    key = await blobs.put(PICTURE)

    assert await blobs.get(key) == PICTURE
    assert await LocalBlobs(folder).get(key) == PICTURE


async def test_the_same_bytes_get_the_same_key_and_one_file(blobs: LocalBlobs, folder: Path) -> None:
    first, second = await blobs.put(PICTURE), await blobs.put(PICTURE)

    assert first == second != await blobs.put(b"another")
    assert len(files(folder)) == 2


async def test_every_picture_is_listed_with_its_size(blobs: LocalBlobs, folder: Path) -> None:
    assert await blobs.sizes() == {}
    key, other = await blobs.put(PICTURE), await blobs.put(b"another")
    (folder / key[:2] / "new-half").write_bytes(b"half a picture")

    assert await blobs.sizes() == {key: len(PICTURE), other: 7}


async def test_a_key_that_nobody_was_given_holds_nothing(blobs: LocalBlobs) -> None:
    assert await blobs.get(ImageKey("0" * 32)) is None


@pytest.mark.parametrize(
    "key", ["", "../secret", "/etc/passwd", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 32 + "\n", "..%2f" + "0" * 27]
)
async def test_a_key_of_another_form_never_becomes_a_path(blobs: LocalBlobs, folder: Path, key: str) -> None:
    await blobs.put(PICTURE)
    (folder.parent / "secret").write_text("secret")

    assert await blobs.get(ImageKey(key)) is None


async def test_nobody_else_can_read_a_picture(blobs: LocalBlobs, folder: Path) -> None:
    await blobs.put(PICTURE)

    assert [path.stat().st_mode & 0o777 for path in files(folder)] == [0o600]
    assert {path.stat().st_mode & 0o777 for path in [folder, *folder.iterdir()]} == {0o700}


async def test_half_a_file_is_made_whole_by_the_next_put(blobs: LocalBlobs, folder: Path) -> None:
    key = await blobs.put(PICTURE)
    files(folder)[0].write_bytes(PICTURE[:5])

    await blobs.put(PICTURE)

    assert await blobs.get(key) == PICTURE


async def test_a_folder_that_cannot_hold_it_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file is in the way")

    with pytest.raises(StoreError, match="cannot be kept"):
        await LocalBlobs(tmp_path / "pictures").put(PICTURE)


async def test_a_failed_put_leaves_no_half_file(
    blobs: LocalBlobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up while the bytes are flushed."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StoreError, match="No space left"):
        await blobs.put(PICTURE)

    assert files(folder) == []


async def test_a_removed_picture_is_gone_and_removing_it_again_is_silent(blobs: LocalBlobs, folder: Path) -> None:
    key, other = await blobs.put(PICTURE), await blobs.put(b"another")

    for name in (key, key, ImageKey("../../etc/passwd")):
        await blobs.remove(name)

    assert await blobs.get(key) is None
    assert await blobs.get(other) == b"another"
    assert len(files(folder)) == 1
