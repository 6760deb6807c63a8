"""
What a person can set in a graph, guessed by its nodes and their wiring. Pure; the operator has the last word.

Names of nodes and inputs are ComfyUI's own (its ``nodes.py`` and ``comfy_extras``).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.domain.workflows import NO_LORA, Graph, Parameter, ParameterKind, Target

SHAPES = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9")
LARGEST_SEED = 2**53 - 1
"""Whole in every JSON reader."""

TEXTS = ("text", "prompt", "clip_l", "t5xxl", "text_g", "text_l", "value", "string")
POSITIVE, NEGATIVE = ("positive", "conditioning"), ("negative",)
FOLDERS = {
    "ckpt_name": "checkpoints",
    "unet_name": "unet",
    "vae_name": "vae",
    "clip_name": "clip",
    "clip_name1": "clip",
    "clip_name2": "clip",
    "clip_name3": "clip",
    "lora_name": "loras",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "model_name": "upscale_models",
}
"""Where ComfyUI looks for what stands in a loader's input, below its ``models`` folder."""

PLAIN_LORA = "LoraLoaderModelOnly"
_FILE = re.compile(r".+\.(safetensors|sft|ckpt|pt|pth|bin|gguf)", re.IGNORECASE)
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """
    Attributes:
        models: Paths below ComfyUI's ``models`` folder, in the order of the graph.
        lora: The one of them that a person may replace by another; empty if there is none.
        unknown: What could not be guessed, a sentence each.
    """

    parameters: tuple[Parameter, ...]
    models: tuple[str, ...]
    lora: str
    unknown: tuple[str, ...]


def guess(graph: Graph) -> Guess:
    """Look *graph* over."""
    return _Look(graph).guess()


class _Look:
    def __init__(self, graph: Graph) -> None:
        self._graph = {key: node for key, node in graph.items() if "." not in key}
        self._unknown = [f"node {key}: its id has a dot; rename it to have it set" for key in graph if "." in key]

    def guess(self) -> Guess:
        parameters = (*self._words(), *self._size(), *self._numbers(), *self._lora(), *self._picture())
        models = tuple(dict.fromkeys(self._models()))
        lora = next((p for p in parameters if p.kind is ParameterKind.LORA), None)
        if not any(node["class_type"].startswith(("SaveImage", "PreviewImage")) for node in self._graph.values()):
            self._say("save: no node saves a picture; add a SaveImage to the graph")
        return Guess(
            parameters=parameters,
            models=models,
            lora=self._file(lora.targets[0]) if lora else "",
            unknown=tuple(self._unknown),
        )

    def _say(self, sentence: str) -> None:
        self._unknown.append(sentence)

    # Words.

    def _words(self) -> Iterator[Parameter]:
        wanted = self._texts_behind(POSITIVE)
        unwanted = tuple(target for target in self._texts_behind(NEGATIVE) if target not in wanted)
        if wanted:
            yield _text("prompt", "What to paint", wanted, flag="", default=None, most=4000)
        else:
            self._say("prompt: no text leads to a sampler's positive side; add the parameter")
        if unwanted:
            yield _text("negative", "What to leave out", unwanted, flag="no", default="", most=2000)

    def _texts_behind(self, inputs: tuple[str, ...]) -> tuple[Target, ...]:
        """Every text from which one of *inputs* is made, however far back; of a sampler or what guides it."""
        other = NEGATIVE if inputs is POSITIVE else POSITIVE  # a ControlNet takes both sides, and passes them on
        ends = [
            node["inputs"][name]
            for node in self._graph.values()
            for name in inputs
            if _is_sampling(node) and _is_link(node["inputs"].get(name))
        ]
        seen: dict[str, None] = {}
        while ends:
            key = str(ends.pop()[0])
            if key not in seen and key in self._graph:
                seen[key] = None
                links = self._graph[key]["inputs"].items()
                ends += [value for name, value in links if _is_link(value) and name not in other]
        found = [
            Target(node=key, input=name)
            for key in self._graph
            if key in seen
            for name in TEXTS
            if isinstance(self._graph[key]["inputs"].get(name), str)
        ]
        return tuple(found)

    # Numbers.

    def _size(self) -> Iterator[Parameter]:
        sides = {side: self._literals(side, _is_canvas) for side in ("width", "height")}
        if not all(sides.values()):
            self._say("size: no empty latent with a width and a height; add the parameters if it can be chosen")
            return
        yield Parameter(
            name="aspect", kind=ParameterKind.CHOICE, title="Shape", flag="ar", default="1:1", choices=SHAPES
        )
        for side, targets in sides.items():
            yield _integer(side, side.capitalize(), targets, flag=side, bounds=(64, 2048), step=16)
        others = [key for key, node in self._graph.items() if not _is_canvas(node) and "width" in node["inputs"]]
        if others:
            self._say(f"size: {_nodes(others)} has a width as well; add it to the targets if it has to follow")

    def _numbers(self) -> Iterator[Parameter]:
        seeds = (*self._literals("seed", _is_any), *self._literals("noise_seed", _is_any))
        if seeds:
            yield _integer("seed", "Seed", seeds, flag="seed", bounds=(0, LARGEST_SEED))
        else:
            self._say("seed: no node has one as a number; add the parameter")
        steps = self._literals("steps", _is_any)
        if steps:
            yield _integer("steps", "Steps", steps, flag="steps", bounds=(1, 100), default=int(self._value(steps[0])))
        else:
            self._say("steps: no node has them as a number; add the parameter if they can be chosen")
        batch = self._literals("batch_size", _is_canvas) or self._literals("amount", _repeats)
        if batch:
            yield _integer("count", "Pictures", batch, flag="n", bounds=(1, 10), default=1)
        else:
            self._say("count: no node says how many pictures are made at once; add the parameter if it can be chosen")

    def _literals(self, name: str, fits: Any) -> tuple[Target, ...]:
        """Every whole number called *name* in a node that fits."""
        return tuple(
            Target(node=key, input=name)
            for key, node in self._graph.items()
            if fits(node) and type(node["inputs"].get(name)) is int
        )

    def _value(self, target: Target) -> Any:
        return self._graph[target.node]["inputs"][target.input]

    # Files.

    def _lora(self) -> Iterator[Parameter]:
        loaders = [key for key, node in self._graph.items() if isinstance(node["inputs"].get("lora_name"), str)]
        if len(loaders) != 1:
            if loaders:
                self._say(f"lora: {_nodes(loaders)} load one each; they stay as they are, unless you add a parameter")
            return
        key = loaders[0]
        if self._graph[key]["class_type"] != PLAIN_LORA:
            self._say(f"lora: node {key} also changes the text encoder; use {PLAIN_LORA} to have it chosen")
            return
        file, strength = Target(node=key, input="lora_name"), Target(node=key, input="strength_model")
        if not self._path(key, "loras", self._value(file)):
            return
        yield Parameter(
            name="lora",
            kind=ParameterKind.LORA,
            title="LoRA",
            flag="lora",
            default=NO_LORA,
            targets=(file,),
            bypass=Target(node=key, input="model"),
        )
        if isinstance(self._graph[key]["inputs"].get("strength_model"), int | float):
            yield Parameter(
                name="strength",
                kind=ParameterKind.NUMBER,
                title="Strength of the LoRA",
                flag="strength",
                default=1.0,
                minimum=-2,
                maximum=2,
                targets=(strength,),
            )

    def _picture(self) -> Iterator[Parameter]:
        loaders = [key for key, node in self._graph.items() if node["class_type"] == "LoadImage"]
        if len(loaders) == 1:
            target = Target(node=loaders[0], input="image")
            yield Parameter(
                name="image", kind=ParameterKind.IMAGE, title="The picture to start from", targets=(target,)
            )
        elif loaders:
            self._say(f"picture: {_nodes(loaders)} load one each; a request brings one, so choose")

    def _models(self) -> Iterator[str]:
        for key, node in self._graph.items():
            for name, value in node["inputs"].items():
                if not isinstance(value, str) or not _FILE.fullmatch(value):
                    continue
                folder = "clip_vision" if node["class_type"] == "CLIPVisionLoader" else FOLDERS.get(name)
                if folder is None:
                    self._say(f"model: node {key} loads {value} from a folder that is not known; add it")
                elif path := self._path(key, folder, value):
                    yield path

    def _path(self, key: str, folder: str, value: str) -> str:
        if _PATH.fullmatch(value):
            return f"{folder}/{value}"
        self._say(f"model: node {key} loads {value!r}; rename the file to letters, digits, dots, dashes")
        return ""

    def _file(self, target: Target) -> str:
        return f"loras/{self._value(target)}"


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int)


def _is_sampling(node: dict[str, Any]) -> bool:
    return any(word in node["class_type"] for word in ("Sampler", "Guider", "Detailer"))


def _is_canvas(node: dict[str, Any]) -> bool:
    kind = str(node["class_type"])
    return kind.startswith("Empty") or kind == "ModelSamplingFlux"


def _repeats(node: dict[str, Any]) -> bool:
    return bool(node["class_type"] == "RepeatLatentBatch")


def _is_any(_: dict[str, Any]) -> bool:
    return True


def _nodes(keys: Iterable[str]) -> str:
    return "node " + " and ".join(keys)


def _text(
    name: str, title: str, targets: tuple[Target, ...], *, flag: str, default: str | None, most: int
) -> Parameter:
    kind = ParameterKind.TEXT
    return Parameter(name=name, kind=kind, title=title, flag=flag, default=default, maximum=most, targets=targets)


def _integer(
    name: str,
    title: str,
    targets: tuple[Target, ...],
    *,
    flag: str,
    bounds: tuple[int, int],
    default: int | None = None,
    step: int = 0,
) -> Parameter:
    return Parameter(
        name=name,
        kind=ParameterKind.INTEGER,
        title=title,
        flag=flag,
        default=default,
        minimum=bounds[0],
        maximum=bounds[1],
        step=step,
        targets=targets,
    )
