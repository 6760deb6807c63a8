"""What the agent sees of a machine before anything is put on it: card, room, disk, link."""

import time

from orchestrator.sandbox.mirror import MirrorFault
from tests.adapters.agent.conftest import Mirrors
from tests.adapters.agent.machine import AgentMachine, Event

UNET = "unet/flux.safetensors"
KIB = 1024


def samples(mirrors: Mirrors, **changes: object) -> Event:
    return mirrors.manifest(op="probe", link_bytes=256 * KIB, disk_bytes=512 * KIB, sample_s=5) | changes


async def test_disk_and_link_are_measured_and_nothing_is_left_behind(machine: AgentMachine, mirrors: Mirrors) -> None:
    seen = await machine.last(samples(mirrors))

    assert seen["event"] == "done"
    assert seen["disk_bps"] > 0
    assert seen["link_bps"] > 0
    assert (seen["link_bytes"], seen["link_problem"]) == (256 * KIB, "")
    assert [file.name for file in machine.root.rglob("*") if "probe" in file.name or "models" in file.parts] == []


async def test_every_mirror_is_asked_for_a_part_of_the_largest_file(machine: AgentMachine, mirrors: Mirrors) -> None:
    await machine.last(samples(mirrors))

    assert mirrors.asked == [2, 2]
    ranges = sorted(int(headers["Range"].partition("=")[2].partition("-")[0]) for headers in mirrors.headers)
    assert ranges == [0, 64 * KIB, 128 * KIB, 192 * KIB]


async def test_without_being_asked_nothing_is_measured(machine: AgentMachine, mirrors: Mirrors) -> None:
    seen = await machine.last(mirrors.manifest(op="probe"))

    assert not {"disk_bps", "link_bps"} & set(seen)
    assert mirrors.asked == [0, 0]


async def test_where_all_files_are_there_no_link_is_needed(machine: AgentMachine, mirrors: Mirrors) -> None:
    await machine.last(mirrors.manifest())
    asked = list(mirrors.asked)

    seen = await machine.last(samples(mirrors))

    assert (seen["missing"], "link_bps" in seen, mirrors.asked) == (0, False, asked)


async def test_a_slow_link_is_measured_in_the_time_that_is_given(machine: AgentMachine, mirrors: Mirrors) -> None:
    """100 KB a second on each of two connections; half a second shows it."""
    slow = Mirrors(mirrors.folder)
    await slow.add(per_connection=50_000)
    began = time.monotonic()

    seen = await machine.last(samples(slow, sample_s=0.5))

    assert time.monotonic() - began < 4
    assert seen["link_bps"] < 400_000
    assert seen["link_bytes"] < 256 * KIB
    await slow.servers[0].close()


async def test_a_mirror_that_gives_nothing_is_told_of_and_the_other_one_counts(
    machine: AgentMachine, mirrors: Mirrors
) -> None:
    request = samples(mirrors)
    await mirrors.servers[0].close()

    seen = await machine.last(request)

    assert "refused" in seen["link_problem"]
    assert seen["link_bytes"] == 128 * KIB
    assert seen["link_bps"] > 0


async def test_a_mirror_that_knows_no_ranges_is_read_no_further_than_asked(
    machine: AgentMachine, mirrors: Mirrors
) -> None:
    mirrors.switch_on(MirrorFault.IGNORE_RANGE)

    seen = await machine.last(samples(mirrors))

    assert (seen["link_bytes"], seen["link_problem"]) == (256 * KIB, "")


async def test_a_disk_that_cannot_be_written_is_broken(machine: AgentMachine, mirrors: Mirrors) -> None:
    (machine.root / "glowplug" / "probe.bin").mkdir()

    failed = await machine.last(samples(mirrors))

    assert (failed["event"], failed["code"]) == ("failed", "disk_broken")
