"""What a person asked for is held against the manifest and filled into the graph."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.errors import GraphRejected, RequestError
from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.job import Value
from orchestrator.domain.offer import Requirements
from orchestrator.domain.workflows import (
    NO_LORA,
    ModelFile,
    Parameter,
    ParameterKind,
    Runtime,
    Target,
    Workflow,
    are_whole,
    check_values,
    closest,
    fill,
    in_load_order,
)

SEED = 2**53 - 1


def parameter(name: str, kind: ParameterKind, target: str = "", **rest: object) -> Parameter:
    node, _, key = target.partition(".")
    targets = (Target(node=node, input=key),) if target else ()
    return replace(Parameter(name=name, kind=kind, title=name.title(), targets=targets), **rest)  # type: ignore[arg-type]


def lora(name: str) -> ModelFile:
    return ModelFile(path=f"loras/{name}.safetensors", size_bytes=1, sha256=None, urls=("http://127.0.0.1/",))


WORKFLOW = Workflow(
    name=WorkflowName("test"),
    title="Test",
    description="A test.",
    graph={
        "unet": {"class_type": "UNETLoader", "inputs": {"unet_name": "u.safetensors"}},
        "lora": {"class_type": "LoraLoaderModelOnly", "inputs": {"model": ["unet", 0], "lora_name": "", "strength": 1}},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"text": ""}},
        "latent": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 1, "height": 1}},
        "sampler": {
            "class_type": "KSampler",
            "inputs": {"model": ["lora", 0], "seed": 0, "steps": 4, "text": ["text", 0]},
        },
    },
    parameters=(
        parameter("prompt", ParameterKind.TEXT, "text.text", maximum=20),
        parameter("negative", ParameterKind.TEXT, default=""),
        parameter("aspect", ParameterKind.CHOICE, default="1:1", choices=("1:1", "16:9")),
        parameter("width", ParameterKind.INTEGER, "latent.width", minimum=64, maximum=2048, step=16),
        parameter("height", ParameterKind.INTEGER, "latent.height", minimum=64, maximum=2048, step=16),
        parameter("seed", ParameterKind.INTEGER, "sampler.seed", minimum=0, maximum=2**53 - 1),
        parameter("steps", ParameterKind.INTEGER, "sampler.steps", default=4, minimum=1, maximum=50),
        parameter("change", ParameterKind.NUMBER, default=0.6, minimum=0.1, maximum=1.0),
        parameter(
            "lora", ParameterKind.LORA, "lora.lora_name", default=NO_LORA, bypass=Target(node="lora", input="model")
        ),
        parameter("strength", ParameterKind.NUMBER, "lora.strength", default=1.0, minimum=-2, maximum=2),
    ),
    models=(),
    loras={"ink": lora("ink"), "neon": lora("neon")},
    requirements=Requirements(vram_mib=1, disk_gib=1),
    runtime=Runtime(image="image", start="comfyui", install=None),
)  # fmt: skip


def checked(**given_values: Value) -> dict[str, Value]:
    return check_values(WORKFLOW, {"prompt": "a cat", **given_values}, seed=SEED)


def refused(**given_values: Value) -> RequestError:
    with pytest.raises(RequestError) as error:
        checked(**given_values)
    return error.value


def test_what_nobody_said_is_filled_in() -> None:
    assert checked() == {
        "prompt": "a cat",
        "negative": "",
        "aspect": "1:1",
        "width": 1024,
        "height": 1024,
        "seed": SEED,
        "steps": 4,
        "change": 0.6,
        "lora": NO_LORA,
        "strength": 1.0,
    }


def test_the_size_follows_the_aspect() -> None:
    values = checked(aspect="16:9")

    assert (values["width"], values["height"]) == (1360, 768)


def test_a_size_that_was_said_wins() -> None:
    values = checked(aspect="16:9", width=512, height="768")

    assert (values["width"], values["height"]) == (512, 768)


def test_one_side_and_the_aspect_give_the_other() -> None:
    assert checked(aspect="16:9", width=1280)["height"] == 720


def test_a_side_that_follows_keeps_to_the_limits_too() -> None:
    error = refused(aspect="16:9", height=2048)

    assert (error.key, error.values["name"]) == ("out_of_range", "width")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "width": st.sampled_from([512, 1024]),
            "aspect": st.sampled_from(["1:1", "16:9"]),
            "steps": st.integers(1, 50),
            "seed": st.integers(0, 2**53 - 1),
            "change": st.floats(0.1, 1.0),
            "lora": st.sampled_from([NO_LORA, "ink"]),
        },
    )
)
def test_checking_what_was_checked_changes_nothing(given_values: dict[str, Value]) -> None:
    """The values of an old job can be asked for again."""
    once = checked(**given_values)

    assert check_values(WORKFLOW, once, seed=1) == once


@pytest.mark.parametrize(
    ("given_values", "key", "name"),
    [
        ({"prompt": "   "}, "missing_parameter", "prompt"),
        ({"prompt": "x" * 21}, "too_long", "prompt"),
        ({"steps": 0}, "out_of_range", "steps"),
        ({"steps": "51"}, "out_of_range", "steps"),
        ({"steps": "many"}, "not_a_number", "steps"),
        ({"steps": 2.5}, "not_a_whole_number", "steps"),
        ({"steps": "nan"}, "out_of_range", "steps"),
        ({"steps": "-inf"}, "out_of_range", "steps"),
        ({"seed": 10**400}, "not_a_number", "seed"),
        ({"seed": 2**53}, "out_of_range", "seed"),
        ({"seed": -1}, "out_of_range", "seed"),
        ({"width": 1000}, "not_a_multiple", "width"),
        ({"width": 4096}, "out_of_range", "width"),
        ({"change": 0}, "out_of_range", "change"),
        ({"aspect": "5:4"}, "not_a_choice", "aspect"),
    ],
)
def test_each_mistake_is_named_with_its_parameter(given_values: dict[str, Value], key: str, name: str) -> None:
    error = refused(**given_values)

    assert (error.key, error.values["name"]) == (key, name)


def test_limits_are_told_in_full() -> None:
    assert refused(seed=2**60).values["allowed"] == f"0 to {2**53 - 1}"


def test_an_unknown_parameter_is_answered_with_the_closest_one() -> None:
    error = refused(stepps=4)

    assert (error.key, error.values["closest"]) == ("unknown_parameter", "steps")


def test_an_unknown_lora_is_answered_with_the_closest_one() -> None:
    error = refused(lora="inc")

    assert (error.key, error.values["closest"], error.values["known"]) == ("unknown_lora", "ink", "ink, neon")


def test_nothing_is_close_to_nonsense() -> None:
    assert not closest("qqqqqq", ["ink", "neon"])


def test_values_land_in_their_inputs() -> None:
    graph = fill(WORKFLOW, checked(lora="ink", strength=0.8, seed=7))

    assert graph["text"]["inputs"]["text"] == "a cat"
    assert graph["sampler"]["inputs"] == {"model": ["lora", 0], "seed": 7, "steps": 4, "text": ["text", 0]}
    assert graph["lora"]["inputs"] == {"model": ["unet", 0], "lora_name": "ink.safetensors", "strength": 0.8}


def test_without_a_lora_its_node_is_taken_out() -> None:
    graph = fill(WORKFLOW, checked())

    assert "lora" not in graph
    assert graph["sampler"]["inputs"]["model"] == ["unet", 0]


def test_filling_leaves_the_workflow_as_it_is() -> None:
    before = repr(WORKFLOW.graph)

    fill(WORKFLOW, checked())

    assert repr(WORKFLOW.graph) == before


def test_a_job_older_than_its_manifest_gets_the_defaults() -> None:
    graph = fill(WORKFLOW, {"prompt": "a cat", "seed": 3})

    assert graph["sampler"]["inputs"]["steps"] == 4
    assert graph["latent"]["inputs"] == {"width": 1, "height": 1}


def test_a_job_with_a_lora_that_is_gone_says_so() -> None:
    with pytest.raises(GraphRejected, match="no longer offered"):
        fill(WORKFLOW, {**checked(), "lora": "gone"})


def test_the_picture_to_start_from_is_no_value_but_lands_in_the_graph() -> None:
    picture = parameter("image", ParameterKind.IMAGE, "text.text")
    workflow = replace(WORKFLOW, parameters=(*WORKFLOW.parameters[1:], picture))

    assert workflow.takes_image
    assert "image" not in check_values(workflow, {}, seed=1)
    assert fill(workflow, check_values(workflow, {}, seed=1), image="a.png")["text"]["inputs"]["text"] == "a.png"


def test_text_encoders_are_fetched_before_everything_else() -> None:
    files = [ModelFile(path=f"{folder}/m", size_bytes=1, sha256=None, urls=()) for folder in ("unet", "clip", "vae")]

    assert [file.path for file in in_load_order(files)] == ["clip/m", "unet/m", "vae/m"]


@pytest.mark.parametrize(
    ("size", "chunk", "chunks", "fit"),
    [
        (100_000, 32768, 4, True),
        (98_304, 32768, 3, True),
        (100_000, 32768, 3, False),
        (100_000, 50_000, 2, False),
        (100_000, 0, 0, True),
        (100_000, 32768, 0, False),
    ],
)
def test_chunks_make_up_the_file_or_are_none(size: int, chunk: int, chunks: int, *, fit: bool) -> None:
    assert are_whole(size, chunk, ["0" * 64] * chunks) is fit


def test_files_are_models_first_and_then_loras_by_name() -> None:
    model = ModelFile(path="unet/u.safetensors", size_bytes=1, sha256=None, urls=())

    files = replace(WORKFLOW, models=(model,)).files

    assert [file.path for file in files] == ["unet/u.safetensors", "loras/ink.safetensors", "loras/neon.safetensors"]
