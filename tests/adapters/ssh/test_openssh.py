"""What OpenSSH's own server sees of us, however much it offers: one key, and no way back to this computer."""

import re
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest

from orchestrator.domain.errors import HostUnreachable
from tests.adapters.ssh.hostile import agent
from tests.contract.machines import openssh

pytestmark = pytest.mark.needs_sshd

SOON = timedelta(seconds=10)
TAKES_EVERYTHING = """
PasswordAuthentication yes
KbdInteractiveAuthentication yes
HostbasedAuthentication yes
PermitRootLogin yes
LogLevel DEBUG1
"""
PERMITS_EVERYTHING = """
AllowAgentForwarding yes
X11Forwarding yes
AllowTcpForwarding yes
PermitUserEnvironment yes
AcceptEnv *
"""


async def test_a_server_that_takes_passwords_and_other_keys_is_shown_our_key_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows the key of the operator's home, and not ours."""
    of_the_home = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    of_the_home.write_private_key(tmp_path / "home" / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    async with (
        agent(tmp_path, monkeypatch) as came,
        openssh(tmp_path, options=TAKES_EVERYTHING, known=of_the_home) as subject,
    ):
        with pytest.raises(HostUnreachable, match="PermissionDenied"):
            await subject.login()

    log = (tmp_path / "sshd.log").read_text()
    assert set(re.findall(r"userauth-request for user \S+ service \S+ method (\S+)", log)) - {"none"} == {"publickey"}
    ours = asyncssh.import_public_key(subject.connector.public_key).get_fingerprint()
    assert set(re.findall(r"publickey .*?(SHA256:\S+)", log)) == {ours}
    assert came == []


async def test_neither_agent_nor_display_nor_environment_reach_a_server_that_permits_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("DISCORD_TOKEN", "marked-secret")

    async with agent(tmp_path, monkeypatch) as came, openssh(tmp_path, options=PERMITS_EVERYTHING) as subject:
        host = await subject.login()
        seen = (await host.run("env", limit=SOON)).stdout
        async with host.converse("env") as lines:
            seen += "\n".join([line async for line in lines])
        await host.close()

    assert "PATH=" in seen
    assert [word for word in ("SSH_AUTH_SOCK", "DISPLAY", "marked-secret") if word in seen] == []
    assert came == []
