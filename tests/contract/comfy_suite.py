"""
What every ComfyUI adapter and every server that plays ComfyUI must do: the promises of ``orchestrator/ports/comfy.py``.

Inherit it and give it a ``subject``.
"""

import asyncio
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.domain.errors import AttemptInterrupted, GraphRejected
from orchestrator.domain.ids import PromptId
from orchestrator.domain.workflows import Graph
from orchestrator.ports.comfy import Comfy, Painting

ONE, TWO, THREE = PromptId("one"), PromptId("two"), PromptId("three")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """
    A server, a connection to it, and graphs that do on it what they are named after.

    Attributes:
        good: Makes one picture; another seed is another run.
        refused: Is not even queued.
        slow: Runs until it is interrupted or :attr:`let_go` is awaited.
        started: Returns once a slow graph runs.
    """

    comfy: Comfy
    good: Callable[[int], Graph]
    refused: Graph
    slow: Callable[[int], Graph]
    started: Callable[[], Awaitable[None]]
    let_go: Callable[[], Awaitable[None]]


def ignore(_: Painting) -> None:
    """Progress does not matter here."""


def small_png() -> bytes:
    """A picture of one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


class ComfyContract(ABC):
    @pytest.fixture
    @abstractmethod
    def subject(self, *args: Any) -> AsyncIterator[Subject]:
        """A fresh server for each test."""

    async def test_a_graph_becomes_a_picture(self, subject: Subject) -> None:
        pictures = await subject.comfy.paint(subject.good(1), ONE, on_progress=ignore)

        assert len(pictures) == 1
        assert pictures[0].startswith(b"\x89PNG")

    async def test_progress_never_falls_and_ends_full(self, subject: Subject) -> None:
        told: list[Painting] = []

        await subject.comfy.paint(subject.good(1), ONE, on_progress=told.append)

        assert [it.done for it in told] == sorted(it.done for it in told)
        assert [it.total for it in told] == sorted(it.total for it in told)
        assert told[-1].done == told[-1].total > 0

    async def test_several_prompts_are_followed_at_once(self, subject: Subject) -> None:
        comfy = subject.comfy

        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(comfy.paint(subject.good(seed), PromptId(f"p{seed}"), on_progress=ignore))
                for seed in range(3)
            ]

        assert [len(task.result()) for task in tasks] == [1, 1, 1]

    async def test_a_refused_graph_has_a_sentence_for_the_person(self, subject: Subject) -> None:
        with pytest.raises(GraphRejected) as refused:
            await subject.comfy.paint(subject.refused, ONE, on_progress=ignore)

        assert refused.value.sentence.endswith((".", ".)"))

    async def test_resuming_an_unknown_prompt_paints_it(self, subject: Subject) -> None:
        assert len(await subject.comfy.resume(subject.good(1), ONE, on_progress=ignore)) == 1

    async def test_resuming_a_finished_prompt_gives_its_pictures_again(self, subject: Subject) -> None:
        first = await subject.comfy.paint(subject.good(1), ONE, on_progress=ignore)

        assert await subject.comfy.resume(subject.good(1), ONE, on_progress=ignore) == first

    async def test_cancelling_the_await_leaves_the_prompt_where_it_is(self, subject: Subject) -> None:
        async with asyncio.TaskGroup() as group:
            attempt = group.create_task(subject.comfy.paint(subject.slow(1), ONE, on_progress=ignore))
            await subject.started()
            attempt.cancel()
        await subject.let_go()

        assert len(await subject.comfy.resume(subject.slow(1), ONE, on_progress=ignore)) == 1

    async def test_interrupting_a_running_prompt_ends_it(self, subject: Subject) -> None:
        async with asyncio.TaskGroup() as group:
            attempt = group.create_task(_interrupted(subject.comfy.paint(subject.slow(1), ONE, on_progress=ignore)))
            await subject.started()
            await subject.comfy.interrupt(ONE)

        assert attempt.result()

    async def test_interrupting_a_pending_prompt_ends_it_and_no_other(self, subject: Subject) -> None:
        comfy = subject.comfy
        async with asyncio.TaskGroup() as group:
            running = group.create_task(comfy.paint(subject.slow(1), ONE, on_progress=ignore))
            await subject.started()
            pending = group.create_task(_interrupted(comfy.paint(subject.slow(2), TWO, on_progress=ignore)))
            while not await _is_withdrawn(comfy, TWO, pending):
                await asyncio.sleep(0.01)
            await subject.let_go()

        assert pending.result()
        assert len(running.result()) == 1

    async def test_interrupting_what_is_not_there_is_silent_and_harmless(self, subject: Subject) -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(subject.comfy.paint(subject.slow(1), ONE, on_progress=ignore))
            await subject.started()
            await subject.comfy.interrupt(THREE)
            await subject.let_go()

        assert len(running.result()) == 1

    async def test_an_uploaded_picture_has_a_name(self, subject: Subject) -> None:
        assert (await subject.comfy.upload(small_png(), "source.png")).endswith(".png")

    async def test_the_server_says_what_it_is(self, subject: Subject) -> None:
        stats = await subject.comfy.stats()

        assert stats.version
        assert stats.vram_total_bytes > 0


async def _interrupted(attempt: Awaitable[object]) -> bool:
    with pytest.raises(AttemptInterrupted):
        await attempt
    return True


async def _is_withdrawn(comfy: Comfy, prompt: PromptId, attempt: asyncio.Task[bool]) -> bool:
    """Interrupt until it works: the prompt may not have been queued yet."""
    await comfy.interrupt(prompt)
    return attempt.done()
