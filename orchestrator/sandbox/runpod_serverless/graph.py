"""What a graph in ComfyUI's API format asks for, as far as a painter needs to know; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SIDE = 1024


class Refused(Exception):
    """What worker-comfyui answers to a graph that ComfyUI does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    prompt: str
    width: int
    height: int
    seed: int
    count: int = 1


def wish_of(workflow: Any, images: Any) -> Wish:
    """
    Find the sampler, and from there the words and the size.

    Raises:
        Refused: There is none, or a picture that it loads has not been sent along.
    """
    graph = workflow if isinstance(workflow, Mapping) else {}
    sampler = _node(graph, "KSampler")
    if sampler is None or _node(graph, "SaveImage") is None:
        raise Refused("Workflow validation failed: Prompt has no outputs")
    _check_pictures(graph, images)
    inputs = sampler["inputs"]
    sized = _behind(graph, inputs.get("latent_image"), "width")
    return Wish(
        prompt=str(_behind(graph, inputs.get("positive"), "text").get("text", "")),
        width=int(sized.get("width", SIDE)),
        height=int(sized.get("height", SIDE)),
        seed=int(inputs.get("seed", 0)),
        count=int(sized.get("batch_size", 1)),
    )


def _node(graph: Mapping[str, Any], kind: str) -> Any:
    return next((node for node in graph.values() if node.get("class_type") == kind), None)


def _check_pictures(graph: Mapping[str, Any], images: Any) -> None:
    sent = {image.get("name") for image in images or ()}
    for name, node in graph.items():
        picture = node["inputs"].get("image")
        if node.get("class_type") == "LoadImage" and picture not in sent:
            raise Refused(
                f"Workflow validation failed:\n• Node {name} (image): Custom validation failed for node: "
                f"image - Invalid image file: {picture}"
            )


def _behind(graph: Mapping[str, Any], link: Any, wanted: str) -> Mapping[str, Any]:
    """The inputs of the first node at or behind *link* that has the *wanted* one."""
    if not isinstance(link, list) or link[0] not in graph:
        return {}
    inputs: Mapping[str, Any] = graph[link[0]]["inputs"]
    if wanted in inputs:
        return inputs
    found = (_behind(graph, each, wanted) for each in inputs.values())
    return next((each for each in found if each), {})
