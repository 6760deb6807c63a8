"""
``make fuzz ANSWERS=100000``: so many answers for each parser, and a table of how they ended.

Every answer has a number and can be made again: ``python -m tests.fuzz --only NAME --number N``.
"""

import argparse
import asyncio
import json
import sys
import time
import warnings

from PIL import Image

from tests.fuzz.harness import Subject, Tally, Unexpected, fuzzed
from tests.fuzz.subjects import SUBJECTS


def row(tally: Tally, seconds: float) -> str:
    """One line of the table."""
    errors = ", ".join(f"{name} {count}" for name, count in tally.errors.most_common())
    return f"| {tally.name} | {tally.answers} | {tally.values} | {errors or 'none'} | {seconds:.0f} |"


def run(subject: Subject, arguments: argparse.Namespace) -> Tally:
    """Feed one parser in a loop of its own."""
    numbers = range(arguments.answers) if arguments.number is None else [arguments.number]
    return asyncio.run(fuzzed(subject, numbers, arguments.seed))


def main() -> int:
    """Print the table, then one line of JSON; 1 if a parser let something through."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="parsers whose name begins so")
    parser.add_argument("--number", type=int, default=None, help="this answer alone, with its traceback")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # for every second picture here
    chosen = [subject for subject in SUBJECTS if subject.name.startswith(arguments.only)]
    print("| parser | answers | values | errors by class | seconds |\n|---|---|---|---|---|", flush=True)
    answers, bad = 0, []
    for subject in chosen:
        began = time.perf_counter()
        try:
            tally = run(subject, arguments)
        except Unexpected as error:
            if arguments.number is not None:
                raise
            bad.append(str(error))
            print(f"| {subject.name} | - | - | {error} | {time.perf_counter() - began:.0f} |", flush=True)
            continue
        answers += tally.answers
        print(row(tally, time.perf_counter() - began), flush=True)
    print(json.dumps({"parsers": len(chosen), "answers": answers, "seed": arguments.seed, "unexpected": bad}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
