"""
For each rule a line without which it is broken, and the world that notices: ``make simulate-mutants``.

A mutant that survives means that the rule is not watched, or that its world has changed: ``ARGS=--search`` looks for
another one.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

TAKES_S = 100.0
"""The most that one world may take, in seconds."""

SEARCH_S = 3600.0

LONGEST_TEXT = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """
    One line broken.

    Attributes:
        invariant: The rule that it breaks, by its name in ``orchestrator/sim/invariants.py``.
        why: What the broken code does.
        seed: A world that notices.
        needs: Faults of a world that may notice; others are left out of a search.
    """

    name: str
    invariant: str
    why: str
    file: str
    before: str
    after: str
    seed: int
    needs: tuple[str, ...] = ()


MUTANTS = (
    Mutant(
        name="orphans",
        invariant="leak",
        why="a machine that nobody knows is not ended",
        file="orchestrator/domain/books.py",
        before="findings += [] if unknown is None else [unknown]",
        after="findings += []",
        seed=7,
        needs=("late-machine",),
    ),
    Mutant(
        name="offered-price",
        invariant="leak",
        why="what the offer said is booked, not what the cloud charges",
        file="orchestrator/control/moves.py",
        before="if instance.offer is None or not is_dearer(instance.offer, price):",
        after="if instance.offer is None or price:",
        seed=37,
        needs=("dearer-than-offered",),
    ),
    Mutant(
        name="untold-ends",
        invariant="lost",
        why="ends that nobody was told of are told no more after a restart",
        file="orchestrator/control/newsroom.py",
        before="views += [await self._views.job(look, job, None) for job in ends]",
        after="pass",
        seed=1,
    ),
    Mutant(
        name="forgotten-attempts",
        invariant="lost",
        why="jobs that were running when the bot was killed are followed by nobody",
        file="orchestrator/control/runner.py",
        before="for job in running.values():",
        after="for job in ():",
        seed=1,
    ),
    Mutant(
        name="forgotten-message",
        invariant="twice",
        why="the message that a picture goes into is not written down before",
        file="bot/service/cards.py",
        before="await self._orchestrator.rebind(job, place.handle.encode())",
        after="pass",
        seed=58,
        needs=("surface-down", "down-for-hours"),
    ),
    Mutant(
        name="charged-twice",
        invariant="twice",
        why="what a bridge takes for a job is booked twice",
        file="orchestrator/control/runner.py",
        before="await books.ledger.book(",
        after="for _ in range(2): await books.ledger.book(",
        seed=8,
        needs=("bridge-loses-answers",),
    ),
    Mutant(
        name="unknown-launches",
        invariant="too many",
        why="orders whose answer was lost and machines that are to go do not count",
        file="orchestrator/control/ordering.py",
        before="live = await books.instances.in_states(*sorted(ORDERED))",
        after="live = await books.instances.in_states(*sorted(ORDERED - {'LAUNCHING', 'TERMINATING'}))",
        seed=4,
    ),
    Mutant(
        name="forgotten-reserves",
        invariant="budget",
        why="what machines that run may still cost is not held back",
        file="orchestrator/adapters/database/ledger.py",
        before='person_day=MicroUsd(booked["person_day"] + reserved["of_person"]),',
        after='person_day=MicroUsd(booked["person_day"]),',
        seed=93,
    ),
    Mutant(
        name="kept-loser",
        invariant="two warm",
        why="of two machines that race, the slower one is kept, too",
        file="orchestrator/control/sessions.py",
        before="if len(self._snapshot.ready) + len(self._snapshot.warming) < 2 or not self._snapshot.ready:",
        after="if True:",
        seed=15,
    ),
    Mutant(
        name="silent-moves",
        invariant="moves",
        why="moves are made and no event says so",
        file="orchestrator/adapters/database/statements.py",
        before="rest = [] if event is None else [record(event)]",
        after="rest = [] if event is None or event.after == 'READY' else [record(event)]",
        seed=1,
    ),
    Mutant(
        name="state-jump",
        invariant="moves",
        why="a machine is taken for ready when its order is accepted",
        file="orchestrator/control/ordering.py",
        before="booting = replace(instance.moved_to(InstanceState.BOOTING, self._shared.clock.now()), ref=ref)",
        after="booting = replace(instance, state=InstanceState.PREPARING, ref=ref)",
        seed=1,
    ),
    Mutant(
        name="old-revisions",
        invariant="moves",
        why="versions of a card are numbered anew by each life",
        file="orchestrator/control/views.py",
        before="self._revisions = count(shared.epoch * 1_000_000)",
        after="self._revisions = count(0)",
        seed=10,
    ),
    Mutant(
        name="overtaking-posts",
        invariant="moves",
        why="an older version of a card may arrive after a newer one",
        file="bot/service/outbox.py",
        before="due = {job: self._due(entry, now) for job, entry in self._waiting.items() if job not in self._busy}",
        after="due = {job: self._due(entry, now) for job, entry in self._waiting.items()}",
        seed=1,
    ),
    Mutant(
        name="unnamed-groups",
        invariant="unexpected",
        why="errors that a group of tasks raises together are taken for nobody's",
        file="orchestrator/domain/errors.py",
        before="return all(is_expected(each) for each in error.exceptions)",
        after="return False",
        seed=111,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    What the world of a mutant said.

    Attributes:
        text: The violation; where the mutant survived, what was said instead.
    """

    mutant: Mutant
    is_caught: bool
    text: str


def try_mutant(mutant: Mutant) -> Verdict:
    """Play its world in a process of its own, with the line broken."""
    return _try(mutant, ["--seed", str(mutant.seed)], limit_s=TAKES_S)


def search(mutant: Mutant) -> Verdict:
    """Play world after world until one notices."""
    return _try(mutant, ["--with", *mutant.needs], limit_s=SEARCH_S)


def _try(mutant: Mutant, where: list[str], *, limit_s: float) -> Verdict:
    command = [sys.executable, "-m", "tests.simulation.broken", mutant.name, *where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    if not done.stdout.startswith("{"):
        return Verdict(mutant=mutant, is_caught=False, text=done.stderr.strip()[-LONGEST_TEXT:])
    answer = json.loads(done.stdout)
    caught = answer["caught"]
    if not caught:
        return Verdict(mutant=mutant, is_caught=False, text=f"nothing of that kind; {answer['others']}")
    return Verdict(mutant=replace(mutant, seed=caught["seed"]), is_caught=True, text=caught["text"])


def _try_or_search(mutant: Mutant) -> Verdict:
    verdict = try_mutant(mutant)
    return verdict if verdict.is_caught else search(mutant)


def told(verdict: Verdict) -> str:
    """Four lines of the table."""
    mutant = verdict.mutant
    end = f"seed {mutant.seed}: {' '.join(verdict.text.split())[-LONGEST_TEXT:]}"
    return "\n".join(
        [
            f"{mutant.invariant}  {mutant.name}: {mutant.why}",
            f"    {mutant.file}",
            f"    - {mutant.before}",
            f"    + {mutant.after}",
            f"    {'caught by' if verdict.is_caught else 'SURVIVES'} {end}",
        ]
    )


def main() -> int:
    """Try them all; 1 if one survives."""
    parser = argparse.ArgumentParser(prog="make simulate-mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes beside one another")
    parser.add_argument("--search", action="store_true", help="where one survives, look for a world that notices it")
    parser.add_argument("--json", action="store_true", help="one JSON line in the end")
    given = parser.parse_args()
    with ThreadPoolExecutor(max_workers=given.jobs) as pool:
        verdicts = []
        for verdict in pool.map(_try_or_search if given.search else try_mutant, MUTANTS):
            verdicts.append(verdict)
            print(told(verdict), file=sys.stderr if given.json else sys.stdout, flush=True)
    survivors = [verdict.mutant.name for verdict in verdicts if not verdict.is_caught]
    print(
        json.dumps({"mutants": [asdict(verdict) for verdict in verdicts], "survivors": survivors})
        if given.json
        else f"{len(verdicts)} mutants, {len(survivors)} survive{': ' if survivors else ''}{', '.join(survivors)}"
    )
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())
