"""
Many worlds, one a seed: ``make simulate SEEDS=5000``; ``make simulate SEED=17`` replays one with its whole log.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from orchestrator.sim.world import Result
from tests.simulation.play import play
from tests.simulation.report import Report, summary, told_failure

EACH_TAKES = 4
"""Worlds that a process is given at once; few, so that a failing one is told soon."""

TELL_EVERY = 250


def measured(seed: int) -> tuple[Result, float]:
    """Play one world; say what it took in seconds of CPU."""
    began = time.process_time()
    return play(seed), time.process_time() - began


def _played(seeds: range, processes: int) -> Iterator[tuple[Result, float]]:
    if processes == 1:
        yield from map(measured, seeds)
        return
    with ProcessPoolExecutor(max_workers=processes) as pool:
        yield from pool.map(measured, seeds, chunksize=EACH_TAKES)


def replay(seed: int) -> int:
    """Print everything that happened in one world."""
    result = play(seed)
    print("\n".join(result.log))
    print(f"faults: {', '.join(result.faults) or 'none'}")
    print(f"struck: {', '.join(f'{fault} {times}' for fault, times in result.struck.items()) or 'none'}")
    print(f"jobs: {', '.join(f'{end} {times}' for end, times in result.jobs.items())}")
    print(f"billed {result.bill / 1e6:.4f} dollars, booked {result.ledger / 1e6:.4f}")
    if result.violations:
        print(told_failure(result))
    return int(bool(result.violations))


def run_many(seeds: range, *, processes: int, as_json: bool) -> int:
    """Play them all; tell of a bad one at once, and of all at the end."""
    report, began = Report(), time.monotonic()
    for result, cpu_s in _played(seeds, processes):
        report.add(result, cpu_s=cpu_s)
        if result.violations:
            print(told_failure(result), file=sys.stderr, flush=True)
        _tell_how_far(report.everything.worlds, len(seeds), time.monotonic() - began)
    wall_s = time.monotonic() - began
    print(json.dumps(report.as_json(wall_s=wall_s)) if as_json else summary(report, wall_s=wall_s))
    return int(bool(report.bad))


def _tell_how_far(worlds: int, of: int, seconds: float) -> None:
    """On one line of a terminal; in a file a line now and then, since a run may take an hour."""
    if sys.stderr.isatty():
        print(f"\r{worlds} of {of} worlds", end="\r", file=sys.stderr, flush=True)
    elif worlds % TELL_EVERY == 0:
        print(f"{worlds} of {of} worlds after {seconds:.0f} s", file=sys.stderr, flush=True)


def main() -> int:
    """Read what is wanted; 1 if a world broke a rule."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many worlds")
    parser.add_argument("--first", type=int, default=1, help="the first one's seed")
    parser.add_argument("--seed", type=int, help="this world alone, with its log")
    parser.add_argument("--jobs", type=int, default=2, help="processes beside one another")
    parser.add_argument("--json", action="store_true", help="one JSON line in the end")
    given = parser.parse_args()
    if given.seed is not None:
        return replay(given.seed)
    seeds = range(given.first, given.first + given.seeds)
    return run_many(seeds, processes=given.jobs, as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
