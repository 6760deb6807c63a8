"""Whoever serves SSH, our adapter keeps the promises of the port: OpenSSH's server and the sandbox's machines."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.host_suite import HostContract, Subject
from tests.contract.machines import openssh, sandbox_machine


class TestSandboxMachine(HostContract):
    @pytest.fixture
    async def subject(self, tmp_path: Path) -> AsyncIterator[Subject]:
        async with sandbox_machine(tmp_path / "machine") as machine:
            yield machine.subject


@pytest.mark.needs_sshd
class TestOpenSsh(HostContract):
    @pytest.fixture
    async def subject(self, tmp_path: Path) -> AsyncIterator[Subject]:
        async with openssh(tmp_path) as subject:
            yield subject
