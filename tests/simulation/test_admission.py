"""In simulated worlds, too, a machine that is not what was ordered is given back before anything is put on it."""

from pathlib import Path

from orchestrator.control.preparer import ADMITTED_SHARE, PrepareLimits
from orchestrator.faults import Fault
from orchestrator.sim.machine import SimMachine
from orchestrator.sim.world import World
from tests.simulation.chat import SimChat
from tests.simulation.play import quietly

FLOOR = PrepareLimits().floor_bps * ADMITTED_SHARE


def machines_of(seed: int, folder: Path, fault: Fault) -> list[SimMachine]:
    """Those that the fault fell on, after a world that has only this one."""
    world = World(seed, folder=folder, make_surface=SimChat, only=frozenset({fault}), jobs=15)
    with quietly():
        assert world.run().violations == ()
    return [machine for account in world.accounts for machine in account.machines.values() if fault in machine.faults]


def test_a_link_at_a_hundredth_of_its_speed_is_refused_before_it_downloads(tmp_path: Path) -> None:
    slow = [machine for machine in machines_of(2, tmp_path, Fault.SLOW_LINK) if machine.bps < FLOOR]

    assert slow
    assert [machine.ref for machine in slow if machine.download_began is not None] == []


def test_another_card_than_was_ordered_is_refused_before_it_downloads(tmp_path: Path) -> None:
    lying = machines_of(2, tmp_path, Fault.WRONG_GPU)

    assert lying
    assert [machine.ref for machine in lying if machine.download_began is not None] == []
