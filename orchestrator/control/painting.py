"""One try of one job on one machine: graph -> ComfyUI -> bytes, while something moves. Called by the runner."""

import asyncio
from datetime import timedelta

from orchestrator.control.links import Links
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import ComfyStuck, GraphRejected
from orchestrator.domain.instance import Instance
from orchestrator.domain.job import Job
from orchestrator.domain.workflows import Workflow, fill
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.comfy import Comfy, Painting

UNTOLD = 3
"""Nobody tells how a prompt gets on that another life of ours has queued: it may take so many times as long."""


class Painter:
    """Keeps nothing: what it is told goes to the board."""

    def __init__(self, shared: Shared, *, links: Links, blobs: Blobs) -> None:
        self._shared = shared
        self._links = links
        self._blobs = blobs

    async def paint(
        self, job: Job, workflow: Workflow, instance: Instance, *, is_new: bool, is_told: bool
    ) -> tuple[bytes, ...]:
        """
        Paint *job*, or go on with it.

        Args:
            is_new: Nobody can have queued it before.
            is_told: Its progress comes over this connection, if it gets on at all.

        Raises:
            ComfyStuck: Nothing has moved for too long.
            ComfyError: As :meth:`orchestrator.ports.comfy.Comfy.paint`.
            HostUnreachable: SSH does not get through.
        """
        assert job.prompt is not None, "a running job has a prompt id"  # noqa: S101 - the dispatcher gave it
        comfy = await self._links.comfy(instance)
        limit = self._shared.limits.stall * (1 if is_told else UNTOLD)
        loop = asyncio.get_running_loop()

        def on_progress(painting: Painting) -> None:
            if not patience.expired():
                patience.reschedule(loop.time() + limit.total_seconds())
            self.show(job, painting)

        try:
            async with asyncio.timeout(limit.total_seconds()) as patience:
                graph = fill(workflow, job.values, image=await self._upload(comfy, job))
                paint = comfy.paint if is_new else comfy.resume
                return await paint(graph, job.prompt, on_progress=on_progress)
        except TimeoutError:
            raise ComfyStuck(f"nothing has moved for {_seconds(limit)} s") from None

    def show(self, job: Job, painting: Painting) -> None:
        """Let its person see how far it is."""
        self._shared.board.put_painting(job.id, painting)
        self._shared.wakeups.newsroom.wake()

    async def _upload(self, comfy: Comfy, job: Job) -> str:
        if job.source is None:
            return ""
        picture = await self._blobs.get(job.source)
        if picture is None:
            raise GraphRejected("The picture to start from is no longer kept; start from another one.")
        return await comfy.upload(picture, f"{job.source}.png")


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f}"
