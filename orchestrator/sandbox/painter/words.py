"""From words to a scene: which place, at what time, with what in it. Words that nobody knows still choose something."""

import re
import zlib
from dataclasses import dataclass

import numpy as np

from orchestrator.sandbox.painter.canvas import Colour, rgb

PLACES = {
    "sea": (
        "sea ocean coast beach shore waves wave island bay harbour harbor lighthouse boat ship sail sailing sailboat"
    ),
    "mountains": "mountain mountains alps peak peaks summit glacier volcano himalaya everest ridge",
    "forest": "forest woods wood pine pines jungle fir firs wolf deer fox bear",
    "city": (
        "city town skyline street downtown skyscraper skyscrapers tokyo york london cyberpunk metropolis neon urban"
    ),
    "desert": "desert dune dunes sand sahara oasis camel mars",
    "meadow": (
        "flower flowers meadow field garden poppy poppies rose roses tulip tulips daisy "
        "daisies sunflower lavender spring"
    ),
    "hills": "hill hills valley countryside farm grass landscape tree village horse sheep cow",
    "room": "window windowsill room cat kitten cats indoors interior curtain",
    "space": "space galaxy nebula cosmos universe planet planets stars astronaut rocket cosmic",
    "abstract": (
        "abstract dream dreams dreamy surreal pattern fractal silk flow flowing music emotion mind swirl marble"
    ),
}
TIMES = {
    "dawn": "dawn sunrise morning daybreak",
    "day": "day noon sunny daylight afternoon summer bright",
    "dusk": "dusk sunset evening twilight golden",
    "night": "night midnight moon moonlight moonlit stars starry dark neon cyberpunk aurora nocturnal",
    "storm": "storm stormy rain rainy thunder tempest grey gray gloomy",
}
FEATURES = {
    "rain": "rain rainy raining drizzle storm stormy",
    "snow": "snow snowy winter ice icy frozen arctic glacier alps",
    "snowfall": "snowing snowfall blizzard snowstorm winter christmas",
    "fog": "fog foggy mist misty haze hazy",
    "moon": "moon moonlight moonlit",
    "aurora": "aurora northern borealis",
    "neon": "neon cyberpunk",
    "lake": "lake reflection reflections river water pond",
    "forest": "forest woods pine pines trees",
    "lighthouse": "lighthouse",
    "boat": "boat boats ship ships sail sailing sailboat",
    "cat": "cat cats kitten",
    "cabin": "cabin house hut cottage home farm village",
    "tree": "tree oak willow",
    "birds": "bird birds gull gulls seagull seagulls crow crows",
    "clouds": "cloud clouds cloudy",
    "stars": "star stars starry",
    "clear": "clear cloudless",
    "city": "city skyline tokyo york london town",
    "sea": "sea ocean beach",
    "mountains": "mountain mountains alps",
    "large": "flower rose sunflower tulip poppy daisy",
}
COLOURS = {
    "red": "#d8352f",
    "crimson": "#b3202f",
    "orange": "#f08a2c",
    "gold": "#e3b341",
    "golden": "#e3b341",
    "yellow": "#f2d14a",
    "green": "#3fa35c",
    "emerald": "#1f9d6b",
    "teal": "#2a9d9d",
    "turquoise": "#35c2c1",
    "blue": "#3268c9",
    "indigo": "#4338a8",
    "purple": "#8445b5",
    "violet": "#8f5bd6",
    "pink": "#ef7fb0",
    "magenta": "#d6389c",
    "white": "#f2f0ea",
    "black": "#26232b",
    "ginger": "#d9822b",
    "grey": "#8b8f98",
    "gray": "#8b8f98",
    "brown": "#7a5236",
    "lavender": "#a78bda",
    "rose": "#e0607e",
    "poppies": "#e2402f",
    "sunflower": "#f4c430",
}
ELSEWHERE = ("hills", "mountains", "sea", "abstract", "space", "forest")
LONGEST_PROMPT = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    place: str
    time: str
    features: frozenset[str]
    accent: Colour | None
    """A colour that was named."""


def read_scene(prompt: str, negative: str, rng: np.random.Generator) -> Scene:
    """Decide what to paint; what the words leave open is *rng*'s choice."""
    words = _words(prompt)
    unwanted = _words(negative)
    places = [place for place in _matches(words, PLACES) if place not in _matches(unwanted, PLACES)]
    times = [time for time in _matches(words, TIMES) if time not in _matches(unwanted, TIMES)]
    features = frozenset(_matches(words, FEATURES)) - frozenset(_matches(unwanted, FEATURES))
    if {"cloud", "clouds", "cloudy"} & set(unwanted):
        features |= {"clear"}
    if {"bird", "birds"} & set(unwanted):
        features |= {"no birds"}
    named = [COLOURS[word] for word in words if word in COLOURS and word not in unwanted]
    return Scene(
        place=_place(places, features, words, rng),
        time=_time(times, features, rng),
        features=features,
        accent=rgb(named[0]) if named else None,
    )


def prompt_seed(prompt: str, negative: str) -> int:
    """Make a number of the words, so that other words mean other dice."""
    return zlib.crc32(" ".join([*_words(prompt), "|", *_words(negative)]).encode())


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text[:LONGEST_PROMPT].lower())


def _matches(words: list[str], book: dict[str, str]) -> list[str]:
    """Names whose words occur, the first mentioned first."""
    found: list[str] = []
    for word in words:
        found += [name for name, meanings in book.items() if name not in found and word in meanings.split()]
    return found


def _place(places: list[str], features: frozenset[str], words: list[str], rng: np.random.Generator) -> str:
    for sign, place in (("cat", "room"), ("lighthouse", "sea")):
        if sign in features:
            return place
    if "abstract" in places:
        return "abstract"
    if places:
        return next((place for place in places if place not in {"hills", "room"}), places[0])
    if {"cabin", "tree", "snow", "aurora", "lake"} & features:
        return "hills" if {"cabin", "tree"} & features else "mountains"
    return ELSEWHERE[int(rng.integers(len(ELSEWHERE)))] if words else "hills"


def _time(times: list[str], features: frozenset[str], rng: np.random.Generator) -> str:
    if "neon" in features:
        return "night"
    for time in times:
        if time != "storm":
            return time
    if times:
        return "storm"
    return str(rng.choice(["day", "dusk", "dawn"], p=[0.35, 0.4, 0.25]))
