"""In simulated worlds, too, a machine that is not what was ordered is given back before anything is put on it."""

from pathlib import Path

from orchestrator.control.admission import ADMITTED_SHARE
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.faults import Fault
from orchestrator.sim.machine import SimMachine
from orchestrator.sim.world import World
from tests.simulation.chat import SimChat
from tests.simulation.play import quietly

FLOOR = PrepareLimits().floor_bps * ADMITTED_SHARE
MOST_WORLDS = 12


def machines_of(folder: Path, fault: Fault) -> list[SimMachine]:
    """Those that the fault really fell on, after the first world with any that has only this fault."""
    for seed in range(1, MOST_WORLDS + 1):
        own = folder / str(seed)
        own.mkdir()
        world = World(seed, folder=own, make_surface=SimChat, only=frozenset({fault}), jobs=15)
        with quietly():
            assert world.run().violations == ()
        found = [machine for account in world.accounts for machine in account.ours() if is_hit(machine, fault)]
        if found:
            return found
    raise AssertionError(f"no world of {MOST_WORLDS} had a machine with {fault}")


def is_hit(machine: SimMachine, fault: Fault) -> bool:
    """A fast link may be fast enough at a hundredth."""
    return fault in machine.faults and (fault is not Fault.SLOW_LINK or machine.bps < FLOOR)


def test_a_link_at_a_hundredth_of_its_speed_is_refused_before_it_downloads(tmp_path: Path) -> None:
    slow = machines_of(tmp_path, Fault.SLOW_LINK)

    assert [machine.ref for machine in slow if machine.download_began is not None] == []


def test_another_card_than_was_ordered_is_refused_before_it_downloads(tmp_path: Path) -> None:
    lying = machines_of(tmp_path, Fault.WRONG_GPU)

    assert [machine.ref for machine in lying if machine.download_began is not None] == []
