"""Feed a parser many answers and count how they end. Anything but a value or a known error stops it."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from orchestrator.domain.errors import OrchestratorError
from tests.fuzz.mutate import Mutator

Feed = Callable[[Mutator], Awaitable[object]]
"""Draws one answer and hands it to the parser; gives what the parser makes of it."""

LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """
    One parser of what comes from outside.

    Attributes:
        opened: Sets up what the parser needs, for as long as the block lasts.
        refusals: Errors that the parser says it raises, besides our own classes.
    """

    name: str
    opened: Callable[[], AbstractAsyncContextManager[Feed]]
    refusals: tuple[type[Exception], ...] = ()


@dataclass(slots=True)
class Tally:
    """How the answers of one parser ended: in values, or in which errors."""

    name: str
    answers: int = 0
    values: int = 0
    errors: Counter[str] = field(default_factory=Counter)


class Unexpected(AssertionError):
    """An answer ended in what no caller knows; the message says how to see it again."""


async def fuzzed(subject: Subject, numbers: Sequence[int], seed: int) -> Tally:
    """
    Feed the answers with these *numbers*; each is drawn from its own dice.

    Raises:
        Unexpected: At the first that ends in neither a value nor one of our errors.
    """
    tally = Tally(name=subject.name)
    problem: tuple[int, Exception] | None = None
    async with subject.opened() as feed:
        for number in numbers:
            dice = random.Random(f"{subject.name} {seed} {number}")
            try:
                await feed(Mutator(dice))
                tally.values += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its number
                if not (isinstance(error, (OrchestratorError, *subject.refusals)) and is_fit(str(error))):
                    problem = number, error
                    break
                tally.errors[type(error).__name__] += 1
            tally.answers += 1
    if problem is not None:  # raised here and not above: a task group would wrap it
        number, cause = problem
        again = f"python -m tests.fuzz --only {subject.name!r} --seed {seed} --number {number}"
        raise Unexpected(f"{subject.name}, answer {number}: {type(cause).__name__}: {again}") from cause
    return tally


def is_fit(message: str) -> bool:
    """Whether an error's words may go into a log, a row and a card as they are: one line, printable, not endless."""
    return message.isprintable() and len(message) <= LONGEST_MESSAGE
