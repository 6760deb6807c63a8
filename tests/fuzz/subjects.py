"""Every parser that is fuzzed."""

from tests.fuzz import comfyui, vast
from tests.fuzz.harness import Subject

SUBJECTS: tuple[Subject, ...] = (*vast.SUBJECTS, *comfyui.SUBJECTS)
