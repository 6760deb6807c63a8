"""What the messages say about one prompt, whatever order they come in."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.comfyui.course import Course
from orchestrator.adapters.comfyui.wire import HistoryEntry
from orchestrator.domain.errors import AttemptInterrupted, ComfyUnavailable
from orchestrator.ports.comfy import Painting
from tests.adapters.comfyui.replay import recorded_graph, recording

GRAPH = recorded_graph("flux_lora_first")
MESSAGES = [entry["ws"] for entry in recording("flux_lora_first") if "ws" in entry]


def course(graph: dict[str, dict[str, Any]] | None = None) -> Course:
    return Course(graph or GRAPH, most_pictures=3)


def images(*names: str, kind: str = "output") -> dict[str, Any]:
    return {"images": [{"filename": name, "subfolder": "", "type": kind} for name in names]}


@given(st.lists(st.sampled_from(MESSAGES)))
def test_progress_never_falls_whatever_comes(messages: list[dict[str, Any]]) -> None:
    one, last = course(), Painting(done=0, total=0)

    for message in messages:
        one.take(message["type"], message["data"])
        now = one.painting
        assert last.done <= now.done <= now.total
        assert last.total <= now.total
        last = now


@given(
    st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5),
    st.sampled_from(["progress", "progress_state", "executed", "executing", "execution_error", "new_in_2030"]),
)
def test_nonsense_in_a_message_is_survived(value: object, kind: str) -> None:
    one = course()

    one.take(kind, dict.fromkeys(("node", "value", "max", "nodes", "output", "exception_type"), value))
    one.take("progress_state", {"nodes": {"sampler": value}})

    assert one.painting.done <= one.painting.total


def test_steps_of_two_samplers_add_up() -> None:
    graph = {key: {"class_type": "KSampler", "inputs": {"steps": steps}} for key, steps in (("base", 4), ("again", 6))}
    one = course(graph)

    one.take("progress", {"node": "base", "value": 4, "max": 4})
    one.take("progress", {"node": "again", "value": 1, "max": 6})

    assert one.painting == Painting(done=5, total=10)


def test_steps_of_a_scheduler_apart_from_its_sampler_are_counted_once() -> None:
    graph = {
        "schedule": {"class_type": "BasicScheduler", "inputs": {"steps": 8}},
        "sample": {"class_type": "SamplerCustomAdvanced", "inputs": {}},
    }
    one = course(graph)

    one.take("progress", {"node": "sample", "value": 2, "max": 8})

    assert one.painting == Painting(done=2, total=8)


def test_what_was_saved_counts_before_what_was_shown() -> None:
    one = course()

    one.take("executed", {"output": images("preview.png", kind="temp")})
    assert not one.pictures
    one.take("executed", {"output": images("a.png", "b.png")})

    assert [ref.filename for ref in one.pictures] == ["a.png", "b.png"]


def test_what_was_only_shown_counts_in_the_end() -> None:
    one = course()

    one.take("executed", {"output": images("preview.png", kind="temp")})
    one.take("execution_success", {})

    assert [ref.filename for ref in one.pictures] == ["preview.png"]


def test_a_flood_of_pictures_is_cut_off() -> None:
    one = course()

    one.take("executed", {"output": images(*(f"{number}.png" for number in range(1000)))})

    assert len(one.pictures) == 3


def test_the_first_ending_counts() -> None:
    one = course()

    one.take("execution_interrupted", {})
    one.take("executing", {"node": None})
    one.take("execution_success", {})

    assert isinstance(one.failure, AttemptInterrupted)


def test_the_history_of_a_failed_prompt_tells_how_it_failed() -> None:
    recorded = recording("interrupted")[-1]["response"]
    one = course()

    one.take_history(HistoryEntry.model_validate(next(iter(recorded.values()))))

    assert isinstance(one.failure, AttemptInterrupted)


def test_a_history_that_says_only_error_blames_the_server() -> None:
    one = course()

    one.take_history(HistoryEntry.model_validate({"status": {"status_str": "error"}}))

    assert isinstance(one.failure, ComfyUnavailable)
