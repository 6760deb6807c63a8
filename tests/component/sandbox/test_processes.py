"""The processes of one machine."""

import subprocess
from pathlib import Path

from orchestrator.sandbox.processes import Processes

NULL = subprocess.DEVNULL


async def test_a_child_that_cannot_be_known_by_its_environment_is_ended_all_the_same(tmp_path: Path) -> None:
    """As each is for a moment while it becomes another program; whoever waits for such a one holds up everybody."""
    processes = Processes(mark="of-this-test", root=tmp_path, environment={"PATH": "/usr/bin:/bin"})
    child = processes.spawn(["sleep", "600"], stdin=NULL, stdout=NULL, stderr=NULL)

    await processes.end_all()

    assert child.returncode is not None
