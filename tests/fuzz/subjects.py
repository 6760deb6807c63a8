"""Every parser that is fuzzed."""

from tests.fuzz import comfyui, discord, files, machine, page, pictures, telegram, vast
from tests.fuzz.harness import Subject

SUBJECTS: tuple[Subject, ...] = (
    *vast.SUBJECTS,
    *comfyui.SUBJECTS,
    *machine.SUBJECTS,
    *files.SUBJECTS,
    *pictures.SUBJECTS,
    *telegram.SUBJECTS,
    *discord.SUBJECTS,
    *page.SUBJECTS,
)
