"""
A process whose code is broken in one line: ``python -m tests.simulation.broken NAME --seed 4``.

The line is changed as its module is imported, so nothing on the disk is touched; that is why this module may not import
the code itself before.
"""

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tests.simulation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
LONGEST_SEARCH = 200


class StaleMutant(Exception):
    """The line that it breaks is not there exactly once: write it anew."""


def broken(mutant: Mutant) -> str:
    """
    The source of its module with the one line changed.

    Raises:
        StaleMutant: See there.
    """
    source = (ROOT / mutant.file).read_text("utf-8")
    lines = source.splitlines()
    places = [number for number, line in enumerate(lines) if line.strip() == mutant.before]
    if len(places) != 1:
        raise StaleMutant(f"{mutant.name}: {mutant.file} has its line {len(places)} times: {mutant.before}")
    (place,) = places
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    lines[place] = indent + mutant.after
    return "\n".join(lines) + "\n"


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType | None:
        return compile(self._source, self.get_filename(fullname), "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.origin is not None
        return importlib.util.spec_from_loader(name, _Loader(name, spec.origin, self._source), origin=spec.origin)


def break_it(mutant: Mutant) -> None:
    """Have this process import the broken line."""
    module = mutant.file.removesuffix(".py").replace("/", ".")
    assert module not in sys.modules, "broken after it was imported"
    sys.meta_path.insert(0, _Finder(module, broken(mutant)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """What a world noticed first."""

    seed: int
    invariant: str
    at_s: float
    text: str


def first_caught(seeds: Iterable[int], invariant: str) -> tuple[Caught | None, list[Caught]]:
    """Play until a world notices in the way that it should; what was noticed in other ways is returned beside."""
    play: Any = importlib.import_module("tests.simulation.play").play
    others: list[Caught] = []
    for seed in seeds:
        found = [
            Caught(seed=seed, invariant=each.invariant, at_s=each.at, text=each.text) for each in play(seed).violations
        ]
        for each in found:
            if each.invariant == invariant:
                return each, others
        others += found[:1]
    return None, others


def _worlds_with(faults: Sequence[str], first: int) -> list[int]:
    """Seeds whose weather has all of *faults*."""
    draw: Any = importlib.import_module("orchestrator.sim.weather").draw
    seeds = range(first, first + LONGEST_SEARCH)
    return [seed for seed in seeds if draw(seed, 1.0).faults >= set(faults)]


def main() -> int:
    """Print what was caught as one JSON line; 1 if nothing was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[mutant.name for mutant in MUTANTS])
    parser.add_argument("--seed", type=int, help="this world alone; else the first that notices is searched")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--with", dest="faults", nargs="*", default=(), help="search worlds that drew these alone")
    given = parser.parse_args()
    mutant = next(each for each in MUTANTS if each.name == given.name)
    break_it(mutant)
    seeds = [given.seed] if given.seed is not None else _worlds_with(given.faults, given.first)
    caught, others = first_caught(seeds, mutant.invariant)
    answer = {"name": mutant.name, "caught": caught and asdict(caught), "others": [asdict(each) for each in others]}
    print(json.dumps(answer))
    return int(caught is None)


if __name__ == "__main__":
    sys.exit(main())
