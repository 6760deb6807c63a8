"""The two models, as far as orders are held against them: replicate/cog-flux, predict.py, 51e81e0."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODELS: Mapping[str, float] = {
    "black-forest-labs/flux-schnell": 0.003,
    "black-forest-labs/flux-schnell-lora": 0.02,
}
"""Dollars a picture."""

SIDES: Mapping[str, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "21:9": (1536, 640),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "3:4": (896, 1152),
    "4:3": (1152, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}
"""Width and height at one megapixel."""

COMMON: Mapping[str, Any] = {
    "prompt": {"type": "string", "title": "Prompt"},
    "aspect_ratio": {"type": "string", "enum": list(SIDES), "default": "1:1"},
    "num_outputs": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1},
    "num_inference_steps": {"type": "integer", "minimum": 1, "maximum": 4, "default": 4},
    "seed": {"type": "integer"},
    "output_format": {"type": "string", "enum": ["webp", "jpg", "png"], "default": "webp"},
    "output_quality": {"type": "integer", "minimum": 0, "maximum": 100, "default": 80},
    "disable_safety_checker": {"type": "boolean", "default": False},
    "go_fast": {"type": "boolean", "default": True},
    "megapixels": {"type": "string", "enum": ["1", "0.25"], "default": "1"},
}
LORA: Mapping[str, Any] = {
    "lora_weights": {"type": "string"},
    "lora_scale": {"type": "number", "minimum": -1, "maximum": 3, "default": 1},
}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be painted. Attributes: form: As Pillow names it."""

    prompt: str
    seed: int
    width: int
    height: int
    count: int
    form: str


def inputs_of(model: str) -> Mapping[str, Any]:
    """The properties that its input may have, as JSON schema."""
    return {**COMMON, **LORA} if model.endswith("-lora") else COMMON


def faults_of(model: str, given: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with an input."""
    properties = inputs_of(model)
    faults = [] if "prompt" in given else ["input: prompt is required"]
    for name, value in given.items():
        if name in properties and (fault := _fault(properties[name], value)):
            faults.append(f"input.{name}: {fault}")
    return faults


def _fault(schema: Mapping[str, Any], value: object) -> str:
    kind = schema["type"]
    if not isinstance(value, _KINDS[kind]) or isinstance(value, bool) is not (kind == "boolean"):
        return f"Invalid type. Expected: {kind}"
    if isinstance(value, str) and not value.isascii() and not _is_text(value):
        return "Not valid UTF-8"
    if "enum" in schema and value not in schema["enum"]:
        return f"Must be one of {schema['enum']}"
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"Must be from {schema['minimum']} to {schema['maximum']}"
    return ""


def _is_text(value: str) -> bool:
    """Half a surrogate pair can be written in JSON, and nothing can be painted from it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def task_of(given: Mapping[str, Any]) -> Task:
    """Fill in the defaults of a checked input."""
    asked = {name: given.get(name, schema.get("default")) for name, schema in COMMON.items()}
    width, height = SIDES[asked["aspect_ratio"]]
    part = 2 if asked["megapixels"] == "0.25" else 1
    return Task(
        prompt=asked["prompt"],
        seed=asked["seed"] or 0,
        width=width // part,
        height=height // part,
        count=asked["num_outputs"],
        form={"jpg": "JPEG"}.get(asked["output_format"], asked["output_format"].upper()),
    )
