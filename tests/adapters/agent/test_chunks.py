"""Checksums of chunks: what is wrong is found where it is, and only that comes a second time."""

import pytest

from orchestrator.sandbox.mirror import MirrorFault
from tests.adapters.agent.conftest import CHUNK, SIZES, Mirrors, assert_complete
from tests.adapters.agent.machine import AgentMachine

UNET = "unet/flux.safetensors"
TOTAL = sum(SIZES.values())


async def test_files_with_chunks_arrive(machine: AgentMachine, mirrors: Mirrors) -> None:
    done = await machine.last(mirrors.chunked())

    assert done == {"event": "done", "bytes": TOTAL, "total": TOTAL}
    assert_complete(machine, mirrors)


async def test_one_wrong_chunk_costs_one_chunk(machine: AgentMachine, mirrors: Mirrors) -> None:
    """Not the file, and not even the mirror: a bit may have tipped on the way."""
    mirrors.faults(0).switch_on(MirrorFault.LIE, requests=1)

    done = await machine.last(mirrors.chunked(UNET))

    assert_complete(machine, mirrors, UNET)
    assert SIZES[UNET] < done["bytes"] <= SIZES[UNET] + 3 * CHUNK


async def test_the_only_mirror_may_lie_once(machine: AgentMachine, mirrors: Mirrors) -> None:
    mirrors.faults(0).switch_on(MirrorFault.LIE, requests=1)
    request = mirrors.chunked(UNET)
    request["files"][0]["urls"].pop()

    assert (await machine.last(request))["event"] == "done"
    assert_complete(machine, mirrors, UNET)


@pytest.mark.parametrize("fault", list(MirrorFault))
async def test_one_bad_mirror_does_no_harm(machine: AgentMachine, mirrors: Mirrors, fault: MirrorFault) -> None:
    mirrors.faults(0).switch_on(fault)

    assert (await machine.last(mirrors.chunked()))["event"] == "done"
    assert_complete(machine, mirrors)


async def test_mirror_that_lies_beside_one_that_is_down_ends_and_leaves_no_file(
    machine: AgentMachine, mirrors: Mirrors
) -> None:
    mirrors.faults(0).switch_on(MirrorFault.LIE)
    mirrors.faults(1).switch_on(MirrorFault.DIE)

    failed = await machine.last(mirrors.chunked(UNET) | {"no_progress_s": 0.6})

    assert (failed["event"], failed["code"]) == ("failed", "no_progress")
    assert not (machine.root / "comfyui" / "models" / UNET).exists()


async def test_mirrors_that_all_lie_are_a_bad_checksum_and_no_file(machine: AgentMachine, mirrors: Mirrors) -> None:
    mirrors.switch_on(MirrorFault.LIE)

    failed = await machine.last(mirrors.chunked(UNET))

    assert (failed["event"], failed["code"]) == ("failed", "bad_checksum")
    assert not (machine.root / "comfyui" / "models" / UNET).exists()


async def test_wrong_copy_that_lay_there_is_replaced(machine: AgentMachine, mirrors: Mirrors) -> None:
    there = machine.root / "comfyui" / "models" / UNET
    there.parent.mkdir(parents=True)
    there.write_bytes(bytes(SIZES[UNET]))

    await machine.call(mirrors.chunked(UNET))

    assert_complete(machine, mirrors, UNET)


@pytest.mark.parametrize("change", [{"chunk": 1000}, {"chunk": 0}, {"chunk": 2 * CHUNK}, {"chunks": ["0"]}])
async def test_chunks_that_do_not_make_up_the_file_are_refused(
    machine: AgentMachine, mirrors: Mirrors, change: dict[str, object]
) -> None:
    request = mirrors.chunked(UNET)
    request["files"][0] |= change

    failed = await machine.last(request)

    assert (failed["code"], "chunks" in failed["detail"]) == ("bad_request", True)
