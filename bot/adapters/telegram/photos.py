"""Pictures as Telegram takes them: one photo for a card, the originals as files."""

from collections.abc import Sequence

from bot.adapters.encoding import fit, sheet
from bot.adapters.pictures import BadPicture, opened

PHOTO_LIMIT = 10 * 10**6
FILE_LIMIT = 50 * 10**6
"""Bytes that a bot may send (Bot API, "Sending files")."""

LARGEST_SIDES = 10_000
LONGEST_RATIO = 20
"""Width and height of a photo together, and one over the other (Bot API, ``sendPhoto``)."""

SHOWN = frozenset({"JPEG", "PNG", "WEBP"})


async def photo_of(pictures: Sequence[bytes]) -> bytes | None:
    """
    What stands in a card: the picture, or a sheet of several. None where nothing can be shown as a photo.

    Telegram makes a photo smaller for every reader, so the original is always a button away.
    """
    try:
        if len(pictures) == 1 and _is_photo(pictures[0]):
            return (await fit(pictures[0], limit=PHOTO_LIMIT, kinds=("JPEG",))).picture
        return await sheet(pictures, limit=PHOTO_LIMIT) if pictures else None
    except BadPicture:
        return None


def _is_photo(picture: bytes) -> bool:
    """Whether its size is one that a photo may have; its header says so."""
    with opened(picture) as image:
        width, height, kind = image.width, image.height, image.format
    return (
        width + height <= LARGEST_SIDES and max(width, height) <= LONGEST_RATIO * min(width, height) and kind in SHOWN
    )
