"""ComfyUI's errors become one sentence for the person, or tell that another machine may do better."""

from typing import Any

import pytest

from orchestrator.adapters.comfyui.complaints import failure_of, quoted, rejection_of
from orchestrator.domain.errors import ComfyError, ComfyUnavailable, GraphRejected, OutOfVram
from tests.adapters.comfyui.conftest import Replay
from tests.adapters.comfyui.replay import recorded_graph
from tests.adapters.comfyui.test_replay import PROMPT, ignore

RECORDED = {
    "missing_model": 'The model "nope.safetensors" (unet_name of UNETLoader) is not on this machine; '
    "there are flux1-schnell.safetensors.",
    "missing_input": "The graph gives its node EmptyImage no batch_size; set it there. (2 more mistakes in the graph.)",
    "missing_node": "The node NoSuchNode is not installed on this machine; install it or change the workflow.",
    "bad_value": "height must be at least 1, not 0. (1 more mistake in the graph.)",
    "no_output": "The graph puts no picture out; give it a SaveImage node.",
}


@pytest.mark.parametrize("name", sorted(RECORDED))
async def test_each_recorded_refusal_has_its_sentence(replay: Replay, name: str) -> None:
    async with replay(name) as (comfy, server):
        with pytest.raises(GraphRejected) as refused:
            await comfy.paint(recorded_graph(name), PROMPT, on_progress=ignore)

    assert RECORDED[name] == refused.value.sentence
    assert server.painted == []


def refusal(kind: str, node: str, **extra: Any) -> dict[str, Any]:
    """A 400 as ComfyUI words it, with one error of one node."""
    details = extra.pop("details", extra.get("input_name", ""))
    error = {"type": kind, "message": kind, "details": details, "extra_info": extra}
    return {
        "error": {"type": "prompt_outputs_failed_validation", "message": "", "details": "", "extra_info": {}},
        "node_errors": {"n": {"errors": [error], "class_type": node}},
    }


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            refusal(
                "value_not_in_list",
                "LoraLoaderModelOnly",
                input_name="lora_name",
                input_config=[["ink.safetensors", "neon.safetensors"], {}],
                received_value="inc.safetensors",
            ),
            'The LoRA "inc.safetensors" is not on this machine; there are ink.safetensors, neon.safetensors.',
        ),
        (
            refusal(
                "value_not_in_list",
                "LoraLoaderModelOnly",
                input_name="lora_name",
                input_config=[[], {}],
                received_value="inc.safetensors",
            ),
            'The LoRA "inc.safetensors" is not on this machine; no other is there.',
        ),
        (
            refusal("value_not_in_list", "KSampler", input_name="scheduler", input_config=None, received_value="odd"),
            'scheduler cannot be "odd"; there are others.',
        ),
        (
            refusal("value_not_in_list", "X", input_name="mode", input_config=[["a", "b"]], received_value="c"),
            'mode cannot be "c"; it may be a, b.',
        ),
        (
            refusal(
                "value_bigger_than_max", "KSampler", input_name="cfg", input_config=["FLOAT", {"max": 100.0}],
                received_value=101,
            ),
            "cfg must be at most 100.0, not 101.",
        ),
        (
            refusal("invalid_input_type", "KSampler", input_name="seed", received_value="seven"),
            'seed of the node KSampler cannot be "seven".',
        ),
        (
            refusal("custom_validation_failed", "LoadImage", details="image - Invalid image file: a.png"),
            "The picture to start from is not on this machine (image - Invalid image file: a.png); send it again.",
        ),
        (
            refusal("return_type_mismatch", "KSampler", input_name="model", details="model, CLIP is not MODEL"),
            "The graph joins model of its node KSampler to something else: model, CLIP is not MODEL.",
        ),
        (
            refusal("never_heard_of", "KSampler", details="some detail"),
            "The node KSampler of the graph is refused: never_heard_of (some detail).",
        ),
        ({"error": "no prompt", "node_errors": []}, "ComfyUI refuses the graph: no prompt"),
        (
            {"error": {"type": "missing_node_type", "message": "Node type 'Foo Bar' not found", "details": ""}},
            "The node Foo Bar is not installed on this machine; install it or change the workflow.",
        ),
    ],
)  # fmt: skip
def test_a_refusal_names_what_to_change(answer: dict[str, Any], sentence: str) -> None:
    error = rejection_of(answer)

    assert isinstance(error, GraphRejected)
    assert sentence == error.sentence


@pytest.mark.parametrize("answer", [None, [], {}, "no", {"node_errors": {}}])
def test_a_refusal_without_a_reason_is_not_blamed_on_the_graph(answer: object) -> None:
    assert isinstance(rejection_of(answer), ComfyUnavailable)


@pytest.mark.parametrize("node_errors", [[], {"n": 1}, {"n": {"errors": 7}}, {"n": {"errors": [1]}}])
def test_a_refusal_of_an_odd_shape_is_still_a_sentence(node_errors: object) -> None:
    error = rejection_of({"error": {"message": "Prompt outputs failed validation"}, "node_errors": node_errors})

    assert str(error) == "ComfyUI refuses the graph: Prompt outputs failed validation"


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("torch.OutOfMemoryError", "Allocation on device 0 would exceed allowed memory. (out of memory)", OutOfVram),
        ("torch.cuda.OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB", OutOfVram),
        ("RuntimeError", "CUDA error: out of memory", OutOfVram),
        ("MemoryError", "", ComfyUnavailable),
        ("RuntimeError", "CUDA error: device-side assert triggered", ComfyUnavailable),
        ("torch.AcceleratorError", "CUDA error: no kernel image is available", ComfyUnavailable),
        ("RuntimeError", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", ComfyUnavailable),
        ("safetensors_rust.SafetensorError", "Error while deserializing header: HeaderTooLarge", ComfyUnavailable),
        ("FileNotFoundError", "Model in folder 'vae' with filename 'ae.safetensors' not found.", ComfyUnavailable),
        ("OSError", "[Errno 5] Input/output error", ComfyUnavailable),
        ("ConnectionResetError", "", ComfyUnavailable),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (77x768 and 4096x3072)", GraphRejected),
        ("ValueError", "invalid literal", GraphRejected),
        ("KeyError", "'samples'", GraphRejected),
    ],
)
def test_a_failed_run_says_who_may_do_better(kind: str, message: str, expected: type[ComfyError]) -> None:
    error = failure_of({"node_type": "KSampler", "exception_type": kind, "exception_message": message})

    assert type(error) is expected


def test_what_a_stranger_says_fits_in_one_line() -> None:
    words = quoted("a\nb\x1b[31m\u202e" + "x" * 1000)

    assert words.startswith("a b [31m x")
    assert len(words) == 120
