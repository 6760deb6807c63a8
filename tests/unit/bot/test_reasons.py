"""How decisions are told. Pure."""

from datetime import timedelta

import pytest

from bot.chat.reasons import OBSTACLES, nth, renting, rule_of, staying, stretch, way
from bot.chat.voice import Voice
from orchestrator.api import Decision, MicroUsdPerHour, PolicyView, Preference, Routing
from orchestrator.domain.inference import Obstacle
from tests.component.bot.fake_orchestrator import BEGIN
from tests.unit.bot.samples import decision

TEN = timedelta(minutes=10)
RULE = PolicyView(
    name="auto",
    idle_timeout=TEN,
    clouds=("vast",),
    bridges=("Replicate",),
    routing=Routing.HYBRID,
    max_price=MicroUsdPerHour(800_000),
    max_machines=5,
    hedges_per_hour=4,
    person_day=None,
    day=None,
    month=None,
)
BREAK_EVEN = decision(rule="break-even")


@pytest.mark.parametrize(
    ("decided", "says"),
    [
        (
            decision(),
            (
                "no machine is started for you yet: rule fixed(3,300,120) - rent at the 3rd request within 5 min, keep"
                " 2 min after the last - would have cost $1.20 on your last 214 requests, an API alone $1.61; this was"
                " request 2 of 3"
            ),
        ),
        (decision(rents=True, within=4), "a machine is to be ready for your next one"),
        (decision(within=4), "this was request 4, and 3 are enough"),
        (
            BREAK_EVEN,
            (
                "no machine is started for you yet: break-even - API pictures have cost $0.031 more than a machine"
                " would have, a start costs $0.042"
            ),
        ),
        (decision(rule="break-even", is_bounded=True), "and a bolder rule could cost you too much by now"),
        (decision(rule="bridge-only"), "on your last 214 requests no machine would have paid, an API alone $1.61"),
        (decision(api="", obstacle="size"), "a machine is rented for it at once, since nothing else could make it"),
        (
            decision(policy="fixed(3,300,120)"),
            (
                "the rule (fixed(3,300,120)): rent at the 3rd request within 5 min, keep 2 min after the last; this was"
                " request 2 of 3"
            ),
        ),
        (decision(policy="first-user"), "at the first request and given back after 10 minutes without one"),
        (decision(policy="bridge-only"), "an API makes all that it can"),
        (decision(policy="always-on(8-20)"), "in the hours 8 to 20 UTC and kept to their end"),
        (decision(policy="always-on(24)"), "and kept for good"),
    ],
)
def test_each_policy_says_in_numbers_what_it_went_by(decided: Decision, says: str) -> None:
    verdict, belief = renting(decided, RULE)

    assert says in verdict
    assert belief == "a start is believed to take 8 min and cost $0.042 (lost tries included), an hour $0.30"


@pytest.mark.parametrize(
    ("decided", "says"),
    [
        (decision(), ""),
        (decision(prefers=Preference.NOW), "--now"),
        (decision(prefers=Preference.CHEAP), "Replicate takes $0.003 for it, a start of a machine $0.042"),
        (decision(is_batch=True), "a batch, which waits for a machine"),
        (decision(routing=Routing.OWN), "everything waits for its machine"),
        (decision(routing=Routing.BRIDGE, is_batch=True), ""),
    ],
)
def test_a_way_that_is_no_matter_of_course_is_explained(decided: Decision, says: str) -> None:
    assert says in " ".join(way(decided, RULE))
    assert bool(says) is bool(way(decided, RULE))


@pytest.mark.parametrize("obstacle", [*Obstacle, Preference.OWN])
def test_whatever_no_api_can_do_has_its_sentence(obstacle: str) -> None:
    assert way(decision(api="", obstacle=str(obstacle)), RULE) == [OBSTACLES[obstacle]]


def test_a_machine_says_until_when_it_stays() -> None:
    (line,) = staying(decision(warm_until=BEGIN), RULE, Voice())

    assert line == (
        "your machine stays until 14:30 UTC if nothing more is asked (keep-alive 2 min, at most 10 min after a request)"
    )
    assert not staying(decision(), RULE, Voice())


def test_the_default_says_how_it_decides_before_anybody_has_asked() -> None:
    assert "cheapest so far" in rule_of("auto", TEN)


@pytest.mark.parametrize(("seconds", "words"), [(90, "90 s"), (60, "1 min"), (491.6, "8 min"), (0, "0 s")])
def test_a_stretch_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert stretch(seconds) == words


@pytest.mark.parametrize(("number", "word"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (12, "12th"), (21, "21st")])
def test_a_request_is_counted(number: int, word: str) -> None:
    assert nth(number) == word
