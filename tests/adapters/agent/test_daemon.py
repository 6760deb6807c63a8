"""The daemon: one of the newest version, out of its caller's session, within its folder."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.adapters.agent.machine import AGENT, AgentMachine, gone, is_alive

NVIDIA_SMI = """#!/bin/sh
echo 'NVIDIA GeForce RTX 4090, 24564, 550.54.15'
echo 'NVIDIA GeForce RTX 4090, 24564, 550.54.15'
"""


def install(machine: AgentMachine, name: str, text: str) -> None:
    (machine.programs / name).write_text(text)
    (machine.programs / name).chmod(0o755)


async def test_second_start_keeps_the_one_that_runs(bare_machine: AgentMachine) -> None:
    first = await bare_machine.start()
    second = await bare_machine.start()

    assert first == second
    assert is_alive(first["pid"])


async def test_start_ends_what_is_of_another_version(bare_machine: AgentMachine, tmp_path: Path) -> None:
    first = await bare_machine.start()
    newer = tmp_path / "agent.py"
    newer.write_text(AGENT.read_text() + "# newer\n")
    bare_machine.source = newer

    second = await bare_machine.start()

    await gone(first["pid"])
    assert second["agent"] != first["agent"]
    assert (await bare_machine.last({"op": "status"}))["pid"] == second["pid"]


async def test_start_after_a_kill_starts_another(bare_machine: AgentMachine) -> None:
    first = await bare_machine.start()
    await bare_machine.kill()

    second = await bare_machine.start()

    assert second["agent"] == first["agent"]
    assert second["pid"] != first["pid"]


async def test_starts_at_the_same_time_agree(bare_machine: AgentMachine) -> None:
    children = [
        subprocess.Popen(bare_machine.command("start"), stdout=subprocess.PIPE, env=bare_machine.seen())
        for _ in range(4)
    ]

    said = {child.communicate()[0] for child in children}

    assert len(said) == 1


async def test_it_leaves_its_callers_session(machine: AgentMachine) -> None:
    """The login's terminal and pipes must end without it, or SSH would wait for it."""
    pid = (await machine.last({"op": "hello"}))["pid"]

    assert os.getsid(pid) not in {os.getsid(0), pid}
    assert {str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in range(3)} == {"/dev/null"}


async def test_it_keeps_no_handle_of_whoever_started_it(machine: AgentMachine) -> None:
    pid = (await machine.last({"op": "hello"}))["pid"]
    targets = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()]

    assert not [target for target in targets if "start.lock" in target or target.startswith("pipe:")]


async def test_its_folder_is_entered_by_its_user_alone(machine: AgentMachine) -> None:
    state = machine.root / "glowplug"

    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) & 0o077 for file in state.iterdir()} == {0}


async def test_nothing_is_written_to_the_home(machine: AgentMachine) -> None:
    await machine.call({"op": "probe"})

    assert not list(machine.home.iterdir())


async def test_root_with_a_long_path_is_no_trouble(bare_machine: AgentMachine) -> None:
    bare_machine.root = bare_machine.root / ("long" * 40)
    bare_machine.root.mkdir()

    await bare_machine.start()
    async with bare_machine.calling({"op": "hello"}) as child:
        assert child.stdout is not None
        assert json.loads(await child.stdout.read())["event"] == "done"


@pytest.mark.parametrize("request_", [{"op": "nonsense"}, {}, {"op": None}])
async def test_unknown_operation_is_a_bad_request(machine: AgentMachine, request_: object) -> None:
    assert (await machine.last(request_))["code"] == "bad_request"


@pytest.mark.parametrize("request_", [[], "text", 3, None])
async def test_request_that_is_no_object_is_dropped_and_harms_nobody(machine: AgentMachine, request_: object) -> None:
    assert await machine.call(request_) == []
    assert (await machine.last({"op": "hello"}))["event"] == "done"


async def test_call_passes_the_end_on_in_its_status(machine: AgentMachine) -> None:
    for op, status in (("hello", 0), ("nonsense", 1)):
        async with machine.calling({"op": op}) as child:
            assert await child.wait() == status


async def test_call_without_an_agent_says_so(bare_machine: AgentMachine) -> None:
    (bare_machine.root / "glowplug").mkdir()

    async with bare_machine.calling({"op": "hello"}) as child:
        assert child.stdout is not None
        said = json.loads(await child.stdout.read())

    assert (said["event"], said["code"]) == ("failed", "agent_gone")


async def test_stop_ends_it(machine: AgentMachine) -> None:
    pid = (await machine.last({"op": "stop"}))["pid"]

    await gone(pid)
    assert await machine.call({"op": "hello"}) == []


async def test_probe_tells_what_the_machine_is(machine: AgentMachine) -> None:
    install(machine, "nvidia-smi", NVIDIA_SMI)
    install(machine, "comfyui", "#!/bin/sh\n")
    files = [{"path": "a", "size": 1_000_000, "sha256": None, "urls": []}]

    seen = await machine.last({"op": "probe", "start": "comfyui --fast", "files": files, "dest": "models"})

    assert (seen["gpu"], seen["vram_mib"], seen["gpus"]) == ("NVIDIA GeForce RTX 4090", 24564, 2)
    assert (seen["driver"], seen["has_start"], seen["missing"]) == ("550.54.15", True, 1_000_000)
    assert seen["disk_free"] > 0


@pytest.mark.parametrize("broken", ["#!/bin/sh\nexit 9\n", "#!/bin/sh\necho hello\n", "#!/bin/sh\n"])
async def test_machine_whose_driver_is_broken_has_no_gpu(machine: AgentMachine, broken: str) -> None:
    install(machine, "nvidia-smi", broken)

    seen = await machine.last({"op": "probe"})

    assert (seen["gpu"], seen["vram_mib"], seen["has_start"]) == ("", 0, False)


async def test_status_tells_what_is_there(machine: AgentMachine) -> None:
    status = await machine.last({"op": "status"})

    assert (status["comfyui"], status["works"]) == (None, ["status"])
