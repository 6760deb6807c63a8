"""Fetches beside one another: of other files at once, of the same file one after the other."""

import asyncio
import shutil

from tests.adapters.agent.conftest import Mirrors, assert_complete
from tests.adapters.agent.machine import LIMIT_S, AgentMachine, Event

UNET, CLIP, VAE = "unet/flux.safetensors", "clip/t5.safetensors", "vae/ae.safetensors"


def from_one(mirrors: Mirrors, number: int, request: Event) -> Event:
    """The same request, of one mirror alone."""
    for entry in request["files"]:
        entry["urls"] = [entry["urls"][number]]
    return request


async def test_other_files_come_at_once(machine: AgentMachine, mirrors: Mirrors) -> None:
    await mirrors.add(bytes_per_s=500_000)  # three seconds for the larger file
    models, lora = from_one(mirrors, 2, mirrors.manifest(UNET)), from_one(mirrors, 0, mirrors.manifest(CLIP))

    async with asyncio.TaskGroup() as group:
        slow = group.create_task(machine.last(models))
        await has_begun(mirrors, 2)
        quick = await machine.last(lora)
        assert not slow.done()

    assert (quick["event"], slow.result()["event"]) == ("done", "done")
    assert_complete(machine, mirrors, UNET, CLIP)


async def test_a_file_that_two_ask_for_is_fetched_once(machine: AgentMachine, mirrors: Mirrors) -> None:
    await mirrors.add(bytes_per_s=1_000_000)
    one, other = (from_one(mirrors, 2, mirrors.manifest(CLIP, more)) for more in (VAE, UNET))

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(machine.last(request)) for request in (one, other)]

    assert [call.result()["event"] for call in calls] == ["done", "done"]
    assert sum(call.result()["bytes"] for call in calls) == sum(
        mirrors.entry(path)["size"] for path in (UNET, CLIP, VAE)
    )
    assert_complete(machine, mirrors, UNET, CLIP, VAE)


async def test_room_that_one_has_been_promised_is_given_to_no_other(machine: AgentMachine, mirrors: Mirrors) -> None:
    await mirrors.add(bytes_per_s=1_000)
    models, lora = from_one(mirrors, 2, mirrors.manifest(UNET)), mirrors.manifest(CLIP)
    half = shutil.disk_usage(machine.root).free // 5 * 3
    models["files"][0]["size"] = lora["files"][0]["size"] = half

    async with machine.calling(models):
        await has_begun(mirrors, 2)
        failed = await machine.last(lora)

    assert (failed["event"], failed["code"]) == ("failed", "disk_full")


async def has_begun(mirrors: Mirrors, number: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not mirrors.asked[number]:
            await asyncio.sleep(0.01)
