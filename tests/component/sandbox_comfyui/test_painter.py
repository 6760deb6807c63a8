"""The painter: the same brief gives the same pixels, and everything in a brief matters."""

from dataclasses import replace

import numpy as np
import pytest

from orchestrator.sandbox.painter.brief import Brief, Picture, Style
from orchestrator.sandbox.painter.paint import paint
from orchestrator.sandbox.painter.words import read_scene

BRIEF = Brief(prompt="a lighthouse at dusk", negative="", seed=7, width=128, height=128, styles=())


def difference(first: Picture, second: Picture) -> float:
    """Mean difference of two pictures' values, 0 to 255."""
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean())


def test_same_brief_gives_the_same_pixels() -> None:
    assert np.array_equal(paint(BRIEF), paint(replace(BRIEF)))


@pytest.mark.parametrize(
    "other",
    [
        replace(BRIEF, prompt="a lighthouse at dawn"),
        replace(BRIEF, seed=8),
        replace(BRIEF, negative="lighthouse"),
        replace(BRIEF, styles=(Style(name="ink", strength=1.0),)),
        replace(BRIEF, styles=(Style(name="somebody's own", strength=1.0),)),
    ],
    ids=["prompt", "seed", "negative", "LoRA", "unknown LoRA"],
)
def test_each_part_of_a_brief_changes_the_picture(other: Brief) -> None:
    assert difference(paint(BRIEF), paint(other)) > 5


def test_lora_acts_by_its_strength() -> None:
    plain = paint(BRIEF)
    by_strength = [
        difference(plain, paint(replace(BRIEF, styles=(Style(name="ink", strength=it),)))) for it in (0.0, 0.5, 1.0)
    ]

    assert by_strength[0] == 0
    assert 0 < by_strength[1] < by_strength[2]


@pytest.mark.parametrize(("width", "height"), [(64, 64), (16, 16), (16, 200), (1600, 16), (133, 271), (400, 144)])
@pytest.mark.parametrize("prompt", ["a lighthouse at dusk", "a cat on a windowsill in the rain"])
def test_any_size_gives_a_picture(prompt: str, width: int, height: int) -> None:
    picture = paint(replace(BRIEF, prompt=prompt, width=width, height=height))

    assert picture.shape == (height, width, 3)
    assert picture.std() > 3


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "snowy mountains at dawn",
        "neon city in the rain",
        "abstract dreams",
        "galaxy",
        "a field of red poppies",
        "winter forest, a cabin",
        "desert at night with stars",
        "an oak tree",
        "a sailing boat, birds, fog",
        "aurora over a lake",
        "Ein Hund spielt Schach 日本",
    ],
)
def test_any_words_give_a_picture(prompt: str) -> None:
    picture = paint(replace(BRIEF, prompt=prompt))

    assert picture.dtype == np.uint8
    assert picture.std() > 3


def test_negative_prompt_removes_a_thing() -> None:
    rng = np.random.default_rng(1)

    assert "lighthouse" in read_scene("a lighthouse by the sea", "", rng).features
    assert "lighthouse" not in read_scene("a lighthouse by the sea", "lighthouse", rng).features


def test_named_time_and_place_are_kept() -> None:
    scene = read_scene("Snowy MOUNTAINS, at night!", "", np.random.default_rng(1))

    assert (scene.place, scene.time) == ("mountains", "night")


def test_vary_remembers_its_source_the_more_the_smaller_the_change() -> None:
    source = paint(replace(BRIEF, prompt="golden desert"))
    by_change = [difference(source, paint(replace(BRIEF, source=source, change=it))) for it in (0.0, 0.3, 1.0)]

    assert by_change[0] < 3  # grain
    assert by_change[0] < by_change[1] < by_change[2]


def test_vary_takes_a_source_of_another_size() -> None:
    source = paint(replace(BRIEF, width=64, height=200))

    assert paint(replace(BRIEF, source=source, change=0.6)).shape == (128, 128, 3)
