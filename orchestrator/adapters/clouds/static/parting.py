"""
What is done on a machine when its lease ends, so that the next session finds it as it should be.

A rented machine is destroyed. This one goes on: its ComfyUI would keep the card's memory and may be stuck in somebody's
picture, and pictures would fill its disk. Models and the installed ComfyUI stay, which is why it is soon warm again.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from orchestrator.adapters.ssh import SshConnector
from orchestrator.domain.errors import HostUnreachable
from orchestrator.domain.instance import Address

log = logging.getLogger(__name__)

CONNECT_LIMIT = timedelta(seconds=5)
LIMIT = timedelta(seconds=20)

# An agent that has died is started first: only an agent knows which ComfyUI is ours. Pictures are named by the
# workflows; whatever else lies there may be the owner's.
STOP = """
root="${GLOWPLUG_ROOT:-$HOME}"
agent="$root/glowplug/agent.py"
[ -e "$agent" ] || exit 0
python3 "$agent" start --root "$root" > /dev/null && echo '{"op": "stop"}' | python3 "$agent" call --root "$root"
status=$?
[ ! -d "$root/comfyui/output" ] || find "$root/comfyui/output" -maxdepth 1 -type f -name 'glowplug*' -delete
exit $status
"""

Parting = Callable[[Address], Awaitable[None]]


def parting(open_connector: Callable[[], Awaitable[SshConnector]]) -> Parting:
    """
    Make what stops our programs on a machine.

    Args:
        open_connector: Gives what logs in with our key.
    """

    async def part(address: Address) -> None:
        """Stop them; a machine that cannot be reached now is looked at by the next session's preparation."""
        try:
            host = await (await open_connector()).connect(address, host_key=None, limit=CONNECT_LIMIT)
            try:
                done = await host.run(STOP, limit=LIMIT)
            finally:
                await host.close()
        except HostUnreachable as error:
            log.warning("programs on %s go on running: %s", address.host, error)
            return
        if done.status != 0:
            log.warning("programs on %s may go on running: status %d", address.host, done.status)

    return part
