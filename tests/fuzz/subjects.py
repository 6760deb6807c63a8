"""Every parser that is fuzzed."""

from tests.fuzz import vast
from tests.fuzz.harness import Subject

SUBJECTS: tuple[Subject, ...] = (*vast.SUBJECTS,)
