"""Pictures as attachments: small enough for the server they go to, under names that tell nothing."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import discord

from bot.adapters.encoding import SUFFIXES, fit
from bot.adapters.pictures import BadPicture, content_type

KEPT_FREE = 64 * 1024
"""Of a request, for everything that is not a picture."""

MOST_FILES = 10
SPOILER = "SPOILER_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """
    Attributes:
        is_original: Each is the very picture that was painted.
        left_out: Pictures that nothing makes small enough.
    """

    files: tuple[Attached, ...]
    is_original: bool
    left_out: int


async def fitted(pictures: Sequence[bytes], *, limit: int, is_spoiler: bool) -> Fitted:
    """
    *pictures* in at most *limit* bytes together, at the best quality that fits.

    A limit for all of them is stricter than Discord's documentation, which speaks of each file; older limits were
    for the request, and a request that is refused costs more than a little quality.
    """
    most = pictures[:MOST_FILES]
    files: list[Attached] = []
    left_out, is_original = 0, True
    for place, (picture, share) in enumerate(zip(most, shares([len(p) for p in most], limit - KEPT_FREE), strict=True)):
        try:
            encoded = await fit(picture, limit=share)
        except BadPicture:
            left_out += 1
            continue
        is_original = is_original and encoded.is_original
        name = f"glowplug-{place + 1}.{encoded.suffix}"
        files.append(Attached(name=f"{SPOILER}{name}" if is_spoiler else name, data=encoded.picture))
    return Fitted(files=tuple(files), is_original=is_original and not left_out, left_out=left_out)


def suffix_of(picture: bytes) -> str:
    return SUFFIXES.get(content_type(picture), "bin")


def shares(sizes: Sequence[int], limit: int) -> list[int]:
    """How many bytes each may have: what small ones leave is there for the others."""
    allowed = [0] * len(sizes)
    room = max(limit, 0)
    for rank, place in enumerate(sorted(range(len(sizes)), key=lambda place: sizes[place])):
        allowed[place] = min(sizes[place], room // (len(sizes) - rank))
        room -= allowed[place]
    return allowed


def to_files(attached: Sequence[Attached]) -> list[discord.File]:
    """Fresh ones: a file is read once, and a request may have to be made again."""
    return [discord.File(io.BytesIO(each.data), filename=each.name) for each in attached]
