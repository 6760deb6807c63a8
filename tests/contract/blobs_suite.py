"""
What every place for pictures must do: the promises of ``orchestrator/ports/blobs.py``.

Inherit it and give it a ``subject``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orchestrator.domain.errors import DiskFull
from orchestrator.domain.ids import ImageKey
from orchestrator.ports.blobs import Blobs

PICTURE, ANOTHER = b"\x89PNG and so on", b"another"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """
    An empty place for pictures.

    Attributes:
        set_full: Leave no room for a picture, or room again.
    """

    blobs: Blobs
    set_full: Callable[[bool], None]


class BlobsContract(ABC):
    @pytest.fixture
    @abstractmethod
    def subject(self) -> Subject: ...

    async def test_what_was_put_can_be_got(self, subject: Subject) -> None:
        key = await subject.blobs.put(PICTURE)

        assert await subject.blobs.get(key) == PICTURE

    async def test_the_same_bytes_have_one_key_and_others_another(self, subject: Subject) -> None:
        first, again, other = [await subject.blobs.put(picture) for picture in (PICTURE, PICTURE, ANOTHER)]

        assert first == again != other

    async def test_a_key_that_nobody_was_given_holds_nothing(self, subject: Subject) -> None:
        assert await subject.blobs.get(ImageKey("0" * 32)) is None
        assert await subject.blobs.get(ImageKey("../secret")) is None

    async def test_every_picture_is_listed_with_its_size(self, subject: Subject) -> None:
        assert await subject.blobs.sizes() == {}

        key, other = await subject.blobs.put(PICTURE), await subject.blobs.put(ANOTHER)

        assert await subject.blobs.sizes() == {key: len(PICTURE), other: len(ANOTHER)}

    async def test_a_removed_picture_is_gone_and_the_others_stay(self, subject: Subject) -> None:
        key, other = await subject.blobs.put(PICTURE), await subject.blobs.put(ANOTHER)

        await subject.blobs.remove(key)

        assert await subject.blobs.get(key) is None
        assert await subject.blobs.sizes() == {other: len(ANOTHER)}

    async def test_removing_what_is_not_there_is_silent(self, subject: Subject) -> None:
        key = await subject.blobs.put(PICTURE)

        for gone in (key, key, ImageKey("0" * 32), ImageKey("../secret")):
            await subject.blobs.remove(gone)

    async def test_without_room_nothing_is_kept_and_with_room_again_it_is(self, subject: Subject) -> None:
        subject.set_full(True)
        with pytest.raises(DiskFull, match="cannot be kept"):
            await subject.blobs.put(PICTURE)
        assert await subject.blobs.sizes() == {}

        subject.set_full(False)

        assert await subject.blobs.get(await subject.blobs.put(PICTURE)) == PICTURE

    async def test_room_is_told_before_it_is_needed(self, subject: Subject) -> None:
        await subject.blobs.check_room()
        subject.set_full(True)

        with pytest.raises(DiskFull):
            await subject.blobs.check_room()
