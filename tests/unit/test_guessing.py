"""What is guessed of a graph that comes from ComfyUI."""

import json
from pathlib import Path

from orchestrator.domain.guessing import Guess, guess
from orchestrator.domain.workflows import Graph, ParameterKind

WORKFLOWS = Path(__file__).parents[2] / "orchestrator" / "workflows"


def shipped(name: str) -> Graph:
    graph: Graph = json.loads((WORKFLOWS / name / "graph.json").read_text())
    return graph


def targets(guessed: Guess) -> dict[str, list[str]]:
    return {p.name: [f"{target.node}.{target.input}" for target in p.targets] for p in guessed.parameters}


def test_a_plain_graph_leaves_no_question() -> None:
    guessed = guess(shipped("flux-schnell-lora"))

    assert guessed.unknown == ()
    assert targets(guessed) == {
        "prompt": ["positive.text"],
        "negative": ["negative.text"],
        "aspect": [],
        "width": ["latent.width"],
        "height": ["latent.height"],
        "seed": ["sampler.seed"],
        "steps": ["sampler.steps"],
        "count": ["latent.batch_size"],
        "lora": ["lora.lora_name"],
        "strength": ["lora.strength_model"],
    }
    assert guessed.lora == "loras/b0throps.safetensors"
    assert set(guessed.models) > {"unet/flux1-schnell.safetensors", "clip/t5xxl_fp16.safetensors", "vae/ae.safetensors"}


def test_a_picture_to_start_from_is_found_and_its_size_is_asked_about() -> None:
    guessed = guess(shipped("flux-schnell-img2img"))

    assert targets(guessed)["image"] == ["picture.image"]
    assert [sentence.partition(":")[0] for sentence in guessed.unknown] == ["size", "count"]


def test_words_and_numbers_of_the_newer_samplers_are_found_by_their_wires() -> None:
    graph: Graph = {
        "1": {"class_type": "RandomNoise", "inputs": {"noise_seed": 5}},
        "2": {"class_type": "BasicGuider", "inputs": {"model": ["9", 0], "conditioning": ["3", 0]}},
        "3": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["4", 0]}},
        "4": {"class_type": "CLIPTextEncodeFlux", "inputs": {"clip_l": "a fox", "t5xxl": "a fox", "clip": ["8", 0]}},
        "5": {"class_type": "BasicScheduler", "inputs": {"steps": 20, "model": ["9", 0]}},
        "6": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {"noise": ["1", 0], "guider": ["2", 0], "sigmas": ["5", 0]},
        },
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0]}},
    }

    found = targets(guess(graph))

    assert found["prompt"] == ["4.clip_l", "4.t5xxl"]
    assert (found["seed"], found["steps"]) == (["1.noise_seed"], ["5.steps"])


def test_both_sides_of_a_controlnet_are_told_apart() -> None:
    graph = shipped("flux-schnell-lora")
    sides = {"positive": ["positive", 0], "negative": ["negative", 0]}
    graph["control"] = {"class_type": "ControlNetApplyAdvanced", "inputs": sides}
    graph["sampler"]["inputs"] |= {"positive": ["control", 0], "negative": ["control", 1]}

    found = targets(guess(graph))

    assert (found["prompt"], found["negative"]) == (["positive.text"], ["negative.text"])


def test_what_cannot_be_guessed_is_named() -> None:
    graph: Graph = {
        "1": {"class_type": "LoraLoader", "inputs": {"lora_name": "ink.safetensors", "model": ["2", 0]}},
        "2": {"class_type": "SomeLoader", "inputs": {"thing": "odd.safetensors", "unet_name": "a b.safetensors"}},
        "a.b": {"class_type": "KSampler", "inputs": {}},
    }

    guessed = guess(graph)

    assert not [p for p in guessed.parameters if p.kind is ParameterKind.LORA]
    about = [sentence.partition(":")[0] for sentence in guessed.unknown]
    assert about == [
        "node a.b",
        "prompt",
        "size",
        "seed",
        "steps",
        "count",
        "lora",
        "model",
        "model",
        "save",
    ]
