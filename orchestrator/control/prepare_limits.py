"""How long a preparation may take, how slow a link may be, and what is measured first."""

from dataclasses import dataclass
from datetime import timedelta

GIB = 2**30
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareLimits:
    """
    How long each step may take, and how slow the downloads may be.

    Attributes:
        silence: A download without a word of the agent for so long is given up.
        link_silence: The link of a LoRA that somebody has added is given up when it has sent nothing for so long.
        floor_bps: Bytes a second that the downloads must move, in the first *first_window* and over *floor_window*.
        agent_starts: How often an agent that ends in the middle of its work is started.
        spare_disk: Bytes that must stay free beside the models: logs, pictures, caches.
        install_disk: The same where ComfyUI and PyTorch have yet to be installed.
        link_sample: Bytes that are read from the mirrors before a machine is taken; 0 measures nothing.
        disk_sample: Bytes that are written to its disk for that, likewise.
        sample: How long each of the two may take.
        probe: How long all samples together may take.
    """

    agent: timedelta = timedelta(seconds=90)
    install: timedelta = timedelta(minutes=20)
    comfyui: timedelta = timedelta(minutes=3)
    models: timedelta = timedelta(minutes=45)
    smoke: timedelta = timedelta(minutes=5)
    silence: timedelta = timedelta(seconds=45)
    link_silence: timedelta = timedelta(seconds=20)
    floor_bps: int = 8_000_000
    first_window: timedelta = timedelta(seconds=10)
    floor_window: timedelta = timedelta(seconds=60)
    agent_starts: int = 3
    spare_disk: int = GIB
    install_disk: int = 12 * GIB
    link_sample: int = 32 * MIB
    disk_sample: int = 64 * MIB
    sample: timedelta = timedelta(seconds=5)
    probe: timedelta = timedelta(seconds=10)
