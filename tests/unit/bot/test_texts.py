"""Every key has a sentence, and a key that nobody knows still helps."""

import re
from pathlib import Path

import pytest

from bot.chat.texts import REASONS, SENTENCES, STEP_NAMES, STEPS, restart_words, sentence, trouble_words, waiting_words
from orchestrator.api import EndReason, Step

ROOT = Path(__file__).parents[3]
RAISED = re.compile(r"(?<!\w)(?:RequestError|Failure)\(\s*(?:key=)?\"(\w+)\"")
TOLD = re.compile(r"tell\(\s*books,\s*[\w.]+,\s*\"(\w+)\"")


def keys_in_the_code() -> set[str]:
    """The payload has failures of its own; they become reasons before anybody reads them."""
    folders = [ROOT / "bot", *(ROOT / "orchestrator" / name for name in ("adapters", "control", "domain"))]
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    text = "\n".join(path.read_text() for path in sources)
    return set(RAISED.findall(text)) | set(TOLD.findall(text))


def test_every_key_that_the_code_raises_has_a_sentence() -> None:
    assert len(keys_in_the_code()) > 30
    assert keys_in_the_code() - SENTENCES.keys() == set()


def test_a_key_without_a_sentence_still_says_what_it_knows() -> None:
    said = sentence("flux_capacitor", {"needed": 1.21})

    assert said == "This cannot be done (flux capacitor: needed 1.21); /help says what can."


@pytest.mark.parametrize("key", sorted(SENTENCES))
def test_a_sentence_whose_values_are_missing_is_no_error(key: str) -> None:
    said = sentence(key, {})

    assert said
    assert "{" not in said.replace("{,", "").replace("{ ", "").replace("\\{", "") or key == "unbalanced_brace"


def test_what_a_person_typed_is_quoted_back_shortened_and_on_one_line() -> None:
    said = sentence("unknown_workflow", {"name": "x\n" * 500, "closest": "", "known": "paint"})

    assert len(said) < 150
    assert "\n" not in said


def test_braces_in_a_value_are_not_filled_in() -> None:
    assert "{known}" in sentence("unknown_workflow", {"name": "{known}", "closest": "", "known": "paint"})


def test_money_and_caps_are_read_out() -> None:
    said = sentence("over_budget", {"cap": "person_day", "limit_usd": 2.0})

    assert said.startswith("The budget for one person and day of $2.00 is used up")


def test_every_reason_and_step_has_words() -> None:
    assert REASONS.keys() == set(EndReason)
    assert STEPS.keys() == STEP_NAMES.keys() == set(Step)


def test_trouble_says_what_happened_where_and_what_follows() -> None:
    said = trouble_words(EndReason.VANISHED, Step.MODELS, machine=2)

    assert said == "The machine vanished while the models were loading; starting another (machine 2)"


def test_a_reason_that_says_it_all_is_not_followed_by_its_step() -> None:
    assert trouble_words(EndReason.SSH_UNREACHABLE, Step.SSH, machine=3) == (
        "The machine never let us in; starting another (machine 3)"
    )


def test_a_restart_says_why_and_that_nothing_is_lost() -> None:
    assert restart_words(EndReason.OUT_OF_VRAM) == (
        "The GPU ran out of memory; starting ComfyUI again for another try, same prompt, same seed"
    )


@pytest.mark.parametrize(
    ("waiting_for", "place", "says"),
    [
        ("", "next", "You are next"),
        ("", "second", "You are second in your own queue"),
        ("machine", "next", "Looking for a GPU for you"),
        ("capacity", "next", "No suitable GPU is on offer; asking again until one is"),
        ("no_offer", "next", "No suitable GPU is on offer; trying again"),
        ("vanished", "next", "The machine vanished; looking for another one"),
        ("something new", "next", "The machine failed; looking for another one"),
    ],
)
def test_waiting_says_what_for(waiting_for: str, place: str, says: str) -> None:
    assert waiting_words(waiting_for, place) == says
