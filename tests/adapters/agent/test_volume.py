"""Two machines with one volume: what the first has fetched the second only verifies."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.agent.conftest import SIZES, Mirrors, assert_complete
from tests.adapters.agent.machine import AgentMachine, Event

UNET = "unet/flux.safetensors"


@pytest.fixture
async def second(tmp_path: Path) -> AsyncIterator[AgentMachine]:
    folders = [tmp_path / "second" / name for name in ("root", "programs", "home")]
    for folder in folders:
        folder.mkdir(parents=True)
    machine = AgentMachine(root=folders[0], programs=folders[1], home=folders[2])
    await machine.start()
    yield machine
    await machine.end()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


def wanted(mirrors: Mirrors, volume: Path) -> Event:
    return mirrors.manifest(volume=str(volume))


def kept(volume: Path) -> list[Path]:
    return sorted((volume / "glowplug").iterdir())


async def test_the_second_machine_downloads_nothing(
    machine: AgentMachine, second: AgentMachine, mirrors: Mirrors, volume: Path
) -> None:
    request = wanted(mirrors, volume)
    first = await machine.last(request)
    asked = sum(mirrors.asked)

    seen = await second.last(request | {"op": "probe", "link_bytes": 1024, "sample_s": 1.0})
    done = await second.last(request)

    assert first["bytes"] == sum(SIZES.values())
    assert (seen["missing"], done["bytes"]) == (0, 0)
    assert sum(mirrors.asked) == asked
    for each in (machine, second):
        assert_complete(each, mirrors)
    assert {file.name for file in kept(volume)} == {entry["sha256"] for entry in request["files"]}
    assert (await second.last(request))["bytes"] == 0


async def test_two_that_fetch_at_once_do_not_spoil_each_others_files(
    machine: AgentMachine, second: AgentMachine, mirrors: Mirrors, volume: Path
) -> None:
    request = wanted(mirrors, volume)

    async with asyncio.TaskGroup() as group:
        both = [group.create_task(each.last(request)) for each in (machine, second)]

    assert [done.result()["event"] for done in both] == ["done", "done"]
    for each in (machine, second):
        assert_complete(each, mirrors)
    assert len(kept(volume)) == len(SIZES)


async def test_the_one_that_comes_later_leaves_the_file_of_the_first_where_it_is(
    machine: AgentMachine, second: AgentMachine, mirrors: Mirrors, volume: Path
) -> None:
    """Whoever has it open there would lose it."""
    request = mirrors.manifest(UNET, volume=str(volume))
    slow = await mirrors.add(bytes_per_s=2_000_000)
    urls = [str(slow.make_url(f"/models/{UNET}"))]

    async with asyncio.TaskGroup() as group:
        later = group.create_task(second.last(request | {"files": [request["files"][0] | {"urls": urls}]}))
        while not list(volume.rglob("*.part")):
            await asyncio.sleep(0.01)
        await machine.last(request)
        (file,) = (path for path in kept(volume) if not path.suffix)
        before = file.stat().st_ino
        assert not later.done()
    done = later.result()

    assert done["event"] == "done"
    assert [path.stat().st_ino for path in kept(volume)] == [before]


async def test_what_is_wrong_there_is_fetched_anew_and_replaced(
    machine: AgentMachine, second: AgentMachine, mirrors: Mirrors, volume: Path
) -> None:
    request = mirrors.manifest(UNET, volume=str(volume))
    await machine.last(request)
    (file,) = kept(volume)
    with file.open("r+b") as content:
        content.write(b"another model")

    done = await second.last(request)

    assert done["bytes"] == SIZES[UNET]
    assert_complete(second, mirrors, UNET)
    assert kept(volume) == [file]


async def test_what_has_no_checksum_stays_on_the_machine(machine: AgentMachine, mirrors: Mirrors, volume: Path) -> None:
    request = wanted(mirrors, volume)
    request["files"][0]["sha256"] = None

    await machine.last(request)

    assert_complete(machine, mirrors)
    assert len(kept(volume)) == len(SIZES) - 1


@pytest.mark.parametrize("is_there", [False, True])
async def test_without_a_usable_volume_the_machines_own_disk_will_do(
    machine: AgentMachine, mirrors: Mirrors, volume: Path, is_there: bool
) -> None:
    if is_there:
        (volume / "glowplug").touch()
    else:
        volume.rmdir()

    await machine.last(wanted(mirrors, volume))

    assert_complete(machine, mirrors)
    assert not any(path.is_symlink() for path in (machine.root / "comfyui").rglob("*"))


async def test_half_files_of_machines_that_are_long_gone_are_removed(
    machine: AgentMachine, mirrors: Mirrors, volume: Path
) -> None:
    (volume / "glowplug").mkdir()
    old, new = (volume / "glowplug" / f"abc.{name}.part" for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    os.utime(old, (1.0, 1.0))

    await machine.last(wanted(mirrors, volume))

    assert not old.exists()
    assert new.exists()


async def test_where_a_machine_is_only_a_folder_its_volume_is_in_it(tmp_path: Path, mirrors: Mirrors) -> None:
    root = tmp_path / "root"
    (root / "lambda" / "nfs" / "models").mkdir(parents=True)
    machine = AgentMachine(root=root, programs=tmp_path, home=tmp_path, environment={"GLOWPLUG_ROOT": str(root)})
    await machine.start()

    await machine.last(mirrors.manifest(UNET, volume="/lambda/nfs/models"))
    await machine.end()

    assert len(list((root / "lambda" / "nfs" / "models" / "glowplug").iterdir())) == 1
