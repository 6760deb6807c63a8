"""The card in each state, as CARD says it; nothing moves backwards."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.buttons import Action
from bot.chat.card import Card, CardState, draw
from orchestrator.api import (
    Cancelled,
    EndReason,
    Failed,
    Failure,
    Fetching,
    ImageKey,
    Late,
    MachineView,
    MicroUsd,
    Running,
    Served,
    SessionId,
    SessionState,
    SessionView,
    StageState,
    Status,
    Step,
    Succeeded,
    Trouble,
    UserId,
    Warming,
)
from tests.component.bot.fake_orchestrator import BEGIN, MACHINE
from tests.unit.bot.samples import STEPS, VALUES, cold, eta, job, queued, stages, succeeded, telling

RANK = {state: place for place, state in enumerate(CardState)}


def card(status: Status, previous: Card | None = None, **changes: Any) -> Card:
    return draw(job(status, **changes), telling(), previous)


def running(done: int = 3, of: int = 4) -> Running:
    return Running(done=done, of=of, eta=eta(4, 6), served_by="your RTX 4090")


def actions(card: Card) -> list[Action]:
    return [button.action for button in card.buttons]


# Each state.


def test_running_says_that_the_machine_fetches_a_lora_first() -> None:
    fetching = Fetching(name="sketch", done=40_000_000, of=328_000_000)

    shown = card(Running(done=0, of=0, eta=None, served_by="your RTX 4090", fetching=fetching))

    assert shown.line == "Fetching the LoRA sketch onto your RTX 4090 · 40.0 of 328.0 MB"
    assert actions(shown) == [Action.CANCEL]


def test_queued_says_the_place_and_about_how_long() -> None:
    shown = card(queued(2, eta=eta(30, 50)))

    assert shown.state is CardState.QUEUED
    assert shown.line == "You are second in your own queue · about 30-50 s"
    assert shown.caption == "a lighthouse at dusk · 1024×1024 · seed 7"  # noqa: RUF001 - as people write a size
    assert actions(shown) == [Action.CANCEL]


def test_a_cold_start_says_when_it_is_ready_what_is_rented_and_what_it_has_cost() -> None:
    shown = card(cold(done=12_400_000_000, total=34_500_000_000), cost=MicroUsd(6_000))

    assert shown.line == "Warming up a GPU for you · ready in 2-4 min (14:34)"
    assert shown.details == ("rented RTX 4090, $0.34/h, Sweden", "so far $0.006")
    assert shown.bar is not None
    assert shown.bar.text == "models 12.4 of 34.5 GB, 310 MB/s"
    assert actions(shown) == [Action.CANCEL]


def test_a_machine_with_lighter_files_is_marked() -> None:
    lighter = replace(MACHINE, variant="fp8")

    assert card(cold(machine=lighter)).details[0] == "rented RTX 4090, $0.34/h, Sweden, fp8"
    assert card(bridged(machine=lighter)).details == ("rented RTX 4090, $0.34/h, Sweden, fp8",)


def test_trouble_says_what_happened_and_that_nothing_is_lost() -> None:
    trouble = Trouble(reason=EndReason.VANISHED, step=Step.MODELS)

    shown = card(cold(Step.BOOT, attempt=2, trouble=trouble))

    assert shown.line.startswith(
        "The machine vanished while the models were loading; starting another (machine 2) · ready in"
    )
    assert shown.details[0] == "nothing is lost: same prompt, same seed"


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (
            Late(step=Step.BOOT, is_measured=True, given_up_at=BEGIN + timedelta(seconds=90)),
            "starting takes longer than nine in ten did before; if not done by 14:32, another machine is tried",
        ),
        (
            Late(step=Step.MODELS, is_measured=True, given_up_at=None),
            "models take longer than nine in ten did before; if it gets stuck, another machine is tried",
        ),
        (
            Late(step=Step.SSH, is_measured=False, given_up_at=BEGIN),
            "SSH takes longer than expected; if it gets stuck, another machine is tried",
        ),
    ],
)
def test_a_step_that_takes_long_says_so_and_what_happens_next(late: Late, words: str) -> None:
    assert card(cold(late=late), cost=MicroUsd(6_000)).details[-2:] == (words, "so far $0.006")


def test_a_guess_that_has_passed_is_not_said_as_a_number() -> None:
    late = draw(job(cold()), telling(BEGIN + timedelta(minutes=10)))

    assert late.line == "Warming up a GPU for you · ready any moment"


def test_painting_says_who_paints_and_counts_steps() -> None:
    shown = card(running(), values=VALUES | {"count": 4})

    assert shown.line == "Painting 4 pictures on your RTX 4090 · about 4-6 s"
    assert shown.bar is not None
    assert (shown.bar.share, shown.bar.text) == (0.75, "step 3 of 4")


def test_painting_that_had_to_begin_anew_says_why() -> None:
    shown = card(replace(running(0, 0), restarted=EndReason.COMFYUI_STUCK))

    assert shown.details[0].startswith("ComfyUI got stuck on the machine; starting ComfyUI again")


def test_before_the_first_step_there_is_no_bar() -> None:
    assert card(running(0, 0)).bar is None


def test_success_says_seed_time_price_and_who_made_it() -> None:
    shown = card(succeeded(), cost=MicroUsd(1_300))

    assert shown.line == "1 picture in 48 s"
    assert shown.caption == "a lighthouse at dusk · seed 7 · 14 s · $0.0013 · your RTX 4090"
    assert shown.images == ("one",)
    assert actions(shown) == [Action.AGAIN, Action.VARY, Action.EDIT, Action.DETAILS]


def session() -> SessionView:
    return SessionView(
        id=SessionId("s"),
        user=UserId("web:ada"),
        state=SessionState.WARM,
        machine=MACHINE,
        instance=None,
        warm_until=BEGIN + timedelta(minutes=10),
        ready_since=BEGIN,
        images=1,
        cost=MicroUsd(0),
        unfinished=0,
    )


def test_while_its_machine_is_warm_keeping_it_has_a_price_and_a_time() -> None:
    shown = draw(job(succeeded()), telling(session=session()))

    assert shown.caption.endswith("your RTX 4090, warm until 14:40")
    keep = next(button for button in shown.buttons if button.action is Action.KEEP)
    assert (keep.label, keep.command) == ("Keep 30 min · $0.11", "/keep 30")
    assert Action.RELEASE in actions(shown)


def test_a_picture_of_an_earlier_machine_does_not_offer_to_keep_this_one() -> None:
    earlier = job(succeeded(), after=-60)

    assert Action.KEEP not in actions(draw(earlier, telling(session=session())))


def bridged(*, is_ready: bool = False, machine: MachineView | None = MACHINE, **changes: Any) -> Succeeded:
    """A picture that an API made while a machine gets warm, or has become warm."""
    steps = () if is_ready else stages(Step.MODELS, done=12, total=34)
    warming = Warming(machine=machine, stages=steps, eta=None if is_ready else eta(100, 140), is_ready=is_ready)
    served = Served(by="Replicate", seconds=3.1, cost=MicroUsd(3_000))
    return Succeeded(images=(ImageKey("one"),), served=served, warming=replace(warming, **changes))


def test_a_picture_of_an_api_says_who_made_it_and_goes_on_with_the_machine() -> None:
    shown = card(bridged(), cost=MicroUsd(3_000), stages=stages(Step.MODELS, done=12, total=34))

    assert shown.state is CardState.SUCCEEDED
    assert shown.line.startswith("1 picture in 48 s by Replicate · your own RTX 4090 is getting warm · ready in")
    assert shown.caption == "a lighthouse at dusk · seed 7 · 3.1 s · $0.003 · Replicate"
    assert shown.bar is not None
    assert shown.stages
    assert Action.KEEP not in actions(shown)


def test_it_says_so_when_the_machine_is_warm_and_then_it_can_be_kept() -> None:
    shown = draw(job(bridged(is_ready=True), after=-60), telling(session=session()))

    assert shown.line.endswith("by Replicate · your own RTX 4090 is warm until 14:40")
    assert "warm until" not in shown.caption
    assert shown.bar is None
    assert Action.KEEP in actions(shown)


def test_while_no_machine_is_found_it_is_said_to_be_looked_for() -> None:
    assert card(bridged(machine=None, stages=(), eta=None)).line.endswith("your own GPU is being looked for")


def test_failure_is_a_sentence_and_what_to_do_next() -> None:
    failure = Failure(key="unknown_lora", values={"name": "b0throps2", "closest": "b0throps"})

    shown = card(Failed(failure=failure))

    assert shown.line == shown.error == 'The LoRA "b0throps2" does not exist. Did you mean b0throps?'
    assert actions(shown) == [Action.EDIT, Action.AGAIN, Action.DETAILS]


def test_cancelled_says_when_and_what_it_cost() -> None:
    assert card(Cancelled(cost=MicroUsd(4_000))).line == "Cancelled at 0:48 · cost $0.004"
    assert card(Cancelled(cost=MicroUsd(0))).line == "Cancelled at 0:48"


def test_edit_brings_back_what_was_typed() -> None:
    edit = next(button for button in card(succeeded()).buttons if button.action is Action.EDIT)

    assert edit.command == "/imagine a lighthouse at dusk"


def test_a_job_of_a_workflow_that_is_gone_cannot_be_edited() -> None:
    assert Action.EDIT not in actions(draw(job(succeeded()), telling(workflows=())))


# Nothing moves backwards.


def test_an_older_version_never_replaces_a_newer_one() -> None:
    older, newer = job(cold()), job(running())
    shown = draw(newer, telling())

    assert draw(older, telling(), shown) is shown


def test_an_end_is_the_end() -> None:
    over = card(succeeded())

    assert card(running(), previous=over) is over


def test_between_two_machines_the_card_does_not_go_back_to_the_queue() -> None:
    before = card(cold(done=1, total=2))

    between = card(queued(waiting_for="vanished"), previous=before)

    assert between.state is CardState.COLD_START
    assert between.line == "The machine vanished; looking for another one"
    assert between.stages == before.stages


def test_the_bar_of_one_machine_only_grows() -> None:
    before = card(cold(done=2, total=4))

    assert card(cold(done=1, total=4), previous=before).bar == before.bar


def test_another_machine_begins_anew_and_says_so() -> None:
    before = card(cold(done=2, total=4))
    trouble = Trouble(reason=EndReason.HOST_LOST, step=Step.MODELS)

    shown = card(cold(Step.BOOT, attempt=2, trouble=trouble), previous=before)

    assert before.bar is not None
    assert shown.bar is not None
    assert shown.bar.share < before.bar.share
    assert shown.attempt == 2


def test_a_search_that_failed_is_no_machine_and_may_begin_anew() -> None:
    failed = replace(stages(Step.PROVISION)[0], state=StageState.FAILED)
    trouble = Trouble(reason=EndReason.NO_OFFER, step=Step.PROVISION)
    before = card(cold(stages=(failed,), trouble=trouble))

    again = card(cold(Step.PROVISION, trouble=trouble), previous=before)

    assert again.line.startswith("No suitable GPU is on offer; trying again · ready in")
    assert again.stages[0].state is StageState.RUNNING


def test_a_machine_that_is_lost_while_painting_is_told_as_a_cold_start() -> None:
    before = card(running())

    assert card(cold(), previous=before).state is CardState.COLD_START


def test_what_is_spent_stays_spent() -> None:
    before = card(cold(), cost=MicroUsd(6_000))

    assert card(running(), previous=before).cost == 6_000
    assert "so far $0.006" in card(cold(), previous=before, cost=MicroUsd(100)).details


def test_a_step_that_is_done_stays_done() -> None:
    before = card(cold(Step.SMOKE))

    after = card(cold(Step.BOOT), previous=before)

    assert [stage.state for stage in after.stages][:3] == [StageState.DONE] * 3


STATUSES = st.one_of(
    st.builds(queued, st.integers(1, 3), waiting_for=st.sampled_from(["", "machine", "vanished"])),
    st.builds(cold, st.sampled_from(STEPS)),
    st.builds(running, st.integers(0, 4)),
    st.just(succeeded()),
    st.builds(Cancelled, cost=st.just(MicroUsd(0))),
)


@given(st.lists(STATUSES, min_size=1, max_size=12))
def test_whatever_happens_no_bar_shrinks_and_no_end_is_taken_back(course: list[Status]) -> None:
    """With one machine all along, a card goes forward only."""
    shown: Card | None = None
    for status in course:
        before, shown = shown, card(status, previous=shown)
        if before is None:
            continue
        again = before.state is CardState.RUNNING and shown.state is CardState.COLD_START
        assert again or RANK[shown.state] >= RANK[before.state]
        assert not before.is_over or shown is before or shown.is_over
        if before.state is shown.state and before.bar and shown.bar:
            assert shown.bar.share >= before.bar.share


@pytest.mark.parametrize("running_step", [Step.BOOT, Step.SSH])
def test_a_step_without_bytes_is_named(running_step: Step) -> None:
    shown = card(cold(running_step))

    assert shown.bar is not None
    assert shown.bar.text in {"starting", "SSH"}


def test_a_cold_start_without_steps_has_no_bar() -> None:
    assert card(cold(stages=(), machine=None)).bar is None
