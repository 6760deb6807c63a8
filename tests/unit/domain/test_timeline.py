"""What a picture waited for, and how even the steps are, reckoned by hand."""

import pytest

from orchestrator.domain.timeline import Span, Timeline, by_step, usual


def span(step: str, start: float, end: float, moved: int = 0, *, is_done: bool = True) -> Span:
    return Span(step=step, started_s=start, seconds=end - start, moved=moved, is_done=is_done)


def a_run(models_s: float = 20.0, *, torch_s: float = 5.0) -> Timeline:
    """Models and PyTorch side by side from second 10 on; a second later the picture is painted for three."""
    models, torch = 10 + models_s, 10 + torch_s
    ready = max(models, torch)
    spans = (
        span("boot", 0, 10),
        span("models", 10, models, 200_000_000),
        span("torch", 10, torch),
        span("generation", ready + 1, ready + 4),
    )
    return Timeline(spans=spans, total_s=ready + 4, made=True)


def a_lost_run(*spans: Span) -> Timeline:
    return Timeline(spans=spans, total_s=max((each.ended_s for each in spans), default=1.0), made=False)


def test_of_steps_side_by_side_the_picture_waited_for_the_later_one() -> None:
    assert a_run(20, torch_s=5).waited_for() == {"boot", "models", "generation"}
    assert a_run(20, torch_s=30).waited_for() == {"boot", "torch", "generation"}


def test_a_step_that_was_noted_a_little_late_was_still_waited_for() -> None:
    late = Timeline(spans=(span("ssh", 0, 4), span("boot", 4, 10.2), span("agent", 10, 12)), total_s=12, made=True)

    assert late.waited_for() == {"ssh", "boot", "agent"}


def test_a_step_that_goes_on_beside_the_next_one_was_not_waited_for() -> None:
    run = Timeline(spans=(span("boot", 0, 4), span("clone", 4, 9), span("agent", 4.1, 12)), total_s=12, made=True)

    assert run.waited_for() == {"boot", "agent"}


def test_what_came_before_the_machine_is_a_step_where_it_took_time() -> None:
    after_another = Timeline(spans=(span("boot", 60, 70), span("generation", 70, 72)), total_s=72, made=True)

    assert after_another.with_before()[0] == span("before", 0, 60)
    assert after_another.waited_for() == {"before", "boot", "generation"}
    assert a_run().with_before() == a_run().spans


def test_a_lost_run_waited_for_no_picture_and_ended_in_the_step_that_had_begun_last() -> None:
    lost = a_lost_run(span("boot", 0, 4), span("comfyui", 4, 9, is_done=False), span("models", 4, 9, 7, is_done=False))

    assert (lost.ended_in, lost.waited_for()) == ("models", frozenset())
    assert a_lost_run(span("boot", 0, 4), span("ssh", 4, 5)).ended_in == "ssh"
    assert a_lost_run().ended_in is None
    assert a_run().ended_in is None


def test_of_steps_that_began_as_one_a_lost_run_ended_in_the_later_one_whichever_was_noted_first() -> None:
    """Who vanishes while ComfyUI starts and the models come is said to vanish in the models each time."""
    for comfyui_s, models_s in ((4.002, 4.0), (4.0, 4.002)):
        comfyui = span("comfyui", comfyui_s, 9, is_done=False)
        lost = a_lost_run(span("boot", 0, 4), comfyui, span("models", models_s, 9, 7, is_done=False))

        assert lost.ended_in == "models"


def test_a_run_ended_in_the_step_that_failed_whatever_ran_beside_it() -> None:
    """ComfyUI fell over: the models, begun later, were only given up with it."""
    comfyui = Span(step="comfyui", started_s=4, seconds=5, is_done=False, has_failed=True)
    lost = a_lost_run(span("boot", 0, 4), comfyui, span("models", 6, 9, 7, is_done=False))

    assert lost.ended_in == "comfyui"


def test_a_run_did_not_end_in_a_step_that_only_saves_time() -> None:
    models = span("models", 4, 9, 7, is_done=False)

    assert a_lost_run(models, span("encode", 7, 9, is_done=False)).ended_in == "models"
    assert a_lost_run(span("encode", 7, 9, is_done=False)).ended_in == "encode"


def test_a_speed_needs_bytes_and_time() -> None:
    assert span("models", 1, 5, 200_000_000).mb_s == pytest.approx(50)
    assert span("boot", 1, 5).mb_s is None
    assert span("models", 1, 1, 7).mb_s is None


def test_over_all_runs_each_step_has_its_median_its_spread_and_its_speed() -> None:
    figures = {each.step: each for each in by_step([a_run(10), a_run(20), a_run(40), a_run(10, torch_s=15)])}

    models = figures["models"]
    assert (models.runs, models.started_s, models.median_s, models.moved) == (4, 10, 15, 200_000_000)
    assert models.spread_s == pytest.approx(25 - 10)
    assert models.variation == pytest.approx(14.142 / 20, abs=1e-4)
    assert models.mb_s == pytest.approx((20 + 10) / 2)
    assert (models.waited_for, figures["torch"].waited_for, figures["boot"].waited_for) == (3, 1, 4)
    assert (figures["boot"].moved, figures["boot"].mb_s, figures["boot"].variation) == (0, None, 0)
    assert list(figures) == ["boot", "torch", "models", "generation"]


def test_the_step_that_a_run_ended_in_counts_for_no_median() -> None:
    lost = a_lost_run(span("boot", 0, 30), span("models", 30, 500, 9, is_done=False))

    figures = {each.step: each for each in by_step([a_run(), lost])}

    assert (figures["boot"].runs, figures["boot"].median_s, figures["boot"].waited_for) == (2, 20, 1)
    assert (figures["models"].runs, figures["models"].median_s) == (1, 20)
    assert (figures["models"].spread_s, figures["models"].variation) == (None, None)


def test_the_usual_run_is_the_median_of_those_with_a_picture_else_the_longest() -> None:
    lost, longer = a_lost_run(span("boot", 0, 9)), a_lost_run(span("boot", 0, 99))

    assert usual([a_run(30), longer, a_run(10), a_run(20)]) == a_run(20)
    assert usual([lost, longer, a_lost_run()]) == longer
    assert usual([a_lost_run()]) is None
    assert by_step([]) == ()
