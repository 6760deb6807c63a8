"""How a machine at Vast.ai ends itself: its own key may stop and destroy it, and do nothing else."""

from orchestrator.adapters.clouds import guard
from orchestrator.adapters.clouds.guard import Ending
from orchestrator.ports.cloud import DeadMan


def guard_steps(url: str, dead_man: DeadMan) -> str:
    """
    Write what arms the switch: lines for ``onstart``, in which ``$state`` is our folder on the machine.

    Args:
        url: Of the cloud's API, as the machine reaches it.

    Source: Vast.ai, api-reference/hello-world, ``CONTAINER_API_KEY``.
    """
    ending = Ending(
        method="DELETE",
        url=f"{url}/api/v0/instances/{guard.ID}/",
        body="{}",
        id_variable="CONTAINER_ID",
        key_variable="CONTAINER_API_KEY",
    )
    return guard.guard_steps(dead_man, ending)
