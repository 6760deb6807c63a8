"""What people read about a machine of theirs."""

from orchestrator.control.shared import Shared
from orchestrator.domain.instance import Instance


def variant_title(shared: Shared, machine: Instance) -> str:
    """Which lighter model files it has; empty for the full ones."""
    workflow = shared.catalog.find(machine.workflow) if machine.variant else None
    return workflow.title_of(machine.variant) if workflow else ""


def your_machine(shared: Shared, machine: Instance) -> str:
    """Who paints: ``your RTX 4090``, and with lighter files ``your RTX 4060 Ti (fp8)``."""
    gpu = machine.offer.gpu if machine.offer else "GPU"
    title = variant_title(shared, machine)
    return f"your {gpu} ({title})" if title else f"your {gpu}"
