"""The clock is UTC; ids are short, unguessable, and in the order of time where that is promised."""

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.adapters.system import ALPHABET, RandomIds, SystemClock
from orchestrator.domain.ids import InstallationId, installation_of, launch_key
from tests.contract.samples import NOW, HandClock

MANY = 1_000


def test_the_clock_tells_aware_utc() -> None:
    before = SystemClock().now()

    assert before.tzinfo is UTC
    assert SystemClock().now() >= before


class Watch:
    """A computer's clock that may be set, and the time that really passes."""

    def __init__(self) -> None:
        self.shown = NOW
        self.passed = 100.0
        self.boot = "first"
        self.clock = self.restarted()

    def restarted(self) -> SystemClock:
        """What the next process reads."""
        return SystemClock(lambda: self.shown, lambda: self.passed, lambda: self.boot)

    def wait(self, span: timedelta) -> None:
        self.shown += span
        self.passed += span.total_seconds()


def test_a_clock_that_is_set_is_not_followed_at_once() -> None:
    watch = Watch()

    for jump in (timedelta(hours=1), timedelta(hours=-2)):
        watch.shown += jump
    watch.wait(timedelta(minutes=5))

    assert watch.clock.now() == NOW + timedelta(minutes=5)


def test_the_time_goes_on_from_what_was_set_when_it_is_followed() -> None:
    watch = Watch()
    watch.shown += timedelta(hours=1)

    watch.clock.follow()
    watch.wait(timedelta(minutes=5))

    assert watch.clock.now() == NOW + timedelta(hours=1, minutes=5)


def test_following_a_clock_that_was_set_is_told_and_following_one_that_drifts_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = Watch()

    watch.shown += timedelta(seconds=1)
    watch.clock.follow()
    assert caplog.messages == []

    watch.shown -= timedelta(hours=1)
    watch.clock.follow()
    assert caplog.messages == ["the computer's clock was set by -3600 s; following it"]


def test_a_clock_follows_the_same_setting_once() -> None:
    watch = Watch()
    watch.shown += timedelta(hours=1)

    watch.clock.follow()
    watch.clock.follow()

    assert watch.clock.now() == watch.shown


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_next_process_goes_on_as_if_the_clock_had_not_been_set(
    hours: int, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch()
    mark = watch.clock.mark()

    watch.wait(timedelta(minutes=5))
    watch.shown += timedelta(hours=hours)
    clock = watch.restarted()
    clock.go_on_from(mark)
    watch.wait(timedelta(minutes=1))

    assert clock.now() == NOW + timedelta(minutes=6)
    assert caplog.messages == [f"the computer's clock was set by {hours * 3600} s; not followed yet"]
    clock.follow()
    assert clock.now() == watch.shown


@pytest.mark.parametrize("hours", [-1, 1])
def test_how_long_ago_a_moment_was_does_not_change_when_the_clock_is_set(hours: int) -> None:
    watch = Watch()
    watch.wait(timedelta(minutes=5))
    mark = watch.clock.mark()

    watch.shown += timedelta(hours=hours)
    watch.clock.follow()
    watch.wait(timedelta(minutes=5))

    assert watch.clock.now() - watch.clock.date_of(mark) == timedelta(minutes=5)
    assert watch.restarted().date_of(mark) == watch.clock.date_of(mark)


@pytest.mark.parametrize(("before", "boot"), [("first", "second"), ("", "")])
def test_after_a_start_of_the_computer_a_moment_is_dated_as_it_was_then(before: str, boot: str) -> None:
    watch = Watch()
    mark = replace(watch.clock.mark(), boot=before)

    watch.boot, watch.passed, watch.shown = boot, 3.0, NOW + timedelta(hours=1)

    assert watch.restarted().date_of(mark) == NOW


@pytest.mark.parametrize(("before", "boot"), [("first", "second"), ("", "")])
def test_after_a_start_of_the_computer_no_clock_goes_on_before_what_it_showed(before: str, boot: str) -> None:
    watch = Watch()
    mark = replace(watch.clock.mark(), boot=before)

    watch.boot, watch.passed, watch.shown = boot, 3.0, NOW - timedelta(hours=1)
    clock = watch.restarted()
    clock.go_on_from(mark)
    assert clock.now() == NOW

    watch.shown = NOW + timedelta(hours=1)
    clock = watch.restarted()
    clock.go_on_from(mark)
    assert clock.now() == NOW + timedelta(hours=1)


def test_ids_are_lower_case_letters_and_digits_and_never_the_same() -> None:
    ids = RandomIds(HandClock())

    for make in (ids.job, ids.session, ids.instance):
        made = {make() for _ in range(MANY)}
        assert len(made) == MANY
        assert all(re.fullmatch(r"[0-9a-z]{12,23}", name) for name in made)


def test_the_digits_sort_as_their_values_do() -> None:
    assert sorted(ALPHABET) == list(ALPHABET)
    assert len(set(ALPHABET)) == 32


def test_jobs_of_one_moment_sort_in_the_order_in_which_they_were_named() -> None:
    ids = RandomIds(HandClock())

    made = [ids.job() for _ in range(MANY)]

    assert made == sorted(made)


def test_jobs_sort_by_time_across_processes_and_years() -> None:
    made = [
        RandomIds(HandClock(at)).job()
        for at in (NOW, NOW + timedelta(milliseconds=1), datetime(2300, 1, 1, tzinfo=UTC))
    ]

    assert made == sorted(made)


def test_a_clock_that_goes_back_does_not_reorder_jobs() -> None:
    clock = HandClock()
    ids = RandomIds(clock)
    first = ids.job()

    clock.time -= timedelta(hours=1)

    assert ids.job() > first


def test_two_processes_at_one_moment_name_jobs_differently() -> None:
    assert RandomIds(HandClock()).job() != RandomIds(HandClock()).job()


def test_an_instance_id_may_be_part_of_a_label() -> None:
    installation = InstallationId("home")

    label = launch_key(installation, 3, RandomIds(HandClock()).instance())

    assert installation_of(label) == installation


def test_a_prompt_id_has_the_form_that_comfyui_gives_itself() -> None:
    prompt = RandomIds(HandClock()).prompt()

    assert str(uuid.UUID(prompt)) == prompt
