"""A login in memory against the rules of ``host_suite``."""

from collections.abc import Mapping

import pytest

from orchestrator.sim.host import SimHosts
from tests.contract.cloud_suite import launched
from tests.contract.host_suite import HostContract, Subject
from tests.contract.sim.stage import Certain, SimStage

NO_SOCKETS = "a world has no sockets; what goes through a tunnel there is ComfyUI's own port, in memory"
NO_PROCESSES = "nothing there is a process: what a command does, it does while it is awaited"


class TestSimHost(HostContract):
    exempt: Mapping[str, str] = {
        "test_tunnel_carries_http": NO_SOCKETS,
        "test_tunnel_carries_many_connections_at_once": NO_SOCKETS,
        "test_tunnel_to_a_port_where_nobody_listens_closes_what_comes": NO_SOCKETS,
        "test_nobody_else_can_enter_the_folder_of_a_tunnel": NO_SOCKETS,
        "test_command_that_was_killed_did_not_succeed": NO_PROCESSES,
        "test_leaving_a_conversation_ends_its_command": NO_PROCESSES,
        "test_lines_come_while_the_command_runs": NO_PROCESSES,
        "test_output_that_is_no_text_is_still_output": "nothing there comes as bytes",
    }

    @pytest.fixture
    async def subject(self) -> Subject:
        stage = SimStage(hosts=20)
        ref = await launched(stage)
        await stage.until_running(ref)
        rental = await stage.cloud.rental(ref)
        assert rental is not None
        assert rental.address is not None
        machine = stage.account.machines[ref]

        async def cut() -> None:
            for tell in machine.connections:
                tell()

        return Subject(connector=SimHosts(lambda _: machine, Certain()), address=rental.address, cut=cut)

    @pytest.fixture
    async def http_port(self) -> int:
        """Nobody need listen there."""
        return 8188
