"""The pictures of one prompt, fetched as they become known."""

import asyncio

from orchestrator.adapters.comfyui.http import ComfyHttp, Room
from orchestrator.adapters.comfyui.limits import ComfyLimits
from orchestrator.adapters.comfyui.wire import PictureRef
from orchestrator.domain.errors import ComfyUnavailable


class Pictures:
    """What has been fetched; all of them together have a limit, however many requests are under way."""

    def __init__(self, http: ComfyHttp, limits: ComfyLimits) -> None:
        self._http = http
        self._room = Room(limits.prompt_bytes)
        self._have: dict[PictureRef, bytes] = {}

    async def fetch(self, wanted: tuple[PictureRef, ...]) -> None:
        """
        Fetch those of *wanted* that are not here yet.

        Raises:
            ComfyUnavailable: One of them does not come, is no picture, or they are too large.
        """
        missing = [ref for ref in wanted if ref not in self._have]
        if len(missing) == 1:
            self._have[missing[0]] = await self._http.picture(missing[0], self._room)
        elif missing:
            self._have.update(zip(missing, await self._all(missing), strict=True))

    def of(self, refs: tuple[PictureRef, ...]) -> tuple[bytes, ...]:
        """The pictures behind *refs*, which were fetched before, in their order."""
        return tuple(self._have[ref] for ref in refs)

    async def _all(self, refs: list[PictureRef]) -> list[bytes]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._http.picture(ref, self._room)) for ref in refs]
        except* ComfyUnavailable as errors:
            first = errors.exceptions[0]
        else:
            return [task.result() for task in tasks]
        raise first
