"""What each node takes and gives: `definitions.json`, in the form of ComfyUI 0.3.64's `/object_info`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.sandbox.comfyui.folders import Folders

FILE_INPUTS = {
    "unet_name": "diffusion_models",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "vae_name": "vae",
    "lora_name": "loras",
    "ckpt_name": "checkpoints",
    "model_name": "upscale_models",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDefinition:
    name: str
    type: str
    """`INT`, `FLOAT`, `STRING`, `COMBO`, or the name of what another node gives."""
    options: tuple[Any, ...]
    """What a COMBO may be: words, and the files that are there now."""
    limits: dict[str, Any]
    required: bool

    def config(self) -> list[Any]:
        """Describe this input in the words of a validation error."""
        return [list(self.options) if self.type == "COMBO" else self.type, self.limits]


class Definitions:
    """The nodes that the sandbox knows. Lists of files are read from the disk at every question."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        text = Path(__file__).with_name("definitions.json").read_bytes()
        self._nodes: dict[str, dict[str, Any]] = json.loads(text)

    def __contains__(self, class_type: object) -> bool:
        return class_type in self._nodes

    def is_output(self, class_type: str) -> bool:
        return bool(self._nodes[class_type]["output_node"])

    def output_types(self, class_type: str) -> list[str]:
        return list(self._nodes[class_type]["output"])

    def inputs(self, class_type: str) -> tuple[InputDefinition, ...]:
        declared = self._nodes[class_type]["input"]
        return tuple(
            self._input(name, spec, required=group == "required")
            for group in ("required", "optional")
            for name, spec in declared.get(group, {}).items()
        )

    def object_info(self, class_type: str | None = None) -> dict[str, Any]:
        """Answer `/object_info` (all nodes) or `/object_info/<node>`; an unknown node is an empty answer."""
        wanted = self._nodes.keys() if class_type is None else {class_type} & self._nodes.keys()
        return {name: self._with_files(self._nodes[name]) for name in wanted}

    def _input(self, name: str, spec: list[Any], *, required: bool) -> InputDefinition:
        limits = dict(spec[1]) if len(spec) > 1 else {}
        words = spec[0] if isinstance(spec[0], list) else limits.get("options")
        return InputDefinition(
            name=name,
            type=spec[0] if words is None else "COMBO",
            options=() if words is None else (*self._files(name, limits), *words),
            limits=limits,
            required=required,
        )

    def _files(self, name: str, limits: dict[str, Any]) -> list[str]:
        if limits.get("image_upload"):
            return self._folders.input_names()
        return self._folders.model_names(FILE_INPUTS[name]) if name in FILE_INPUTS else []

    def _with_files(self, node: dict[str, Any]) -> dict[str, Any]:
        groups = {
            group: inputs if group == "hidden" else {name: self._spec(name, spec) for name, spec in inputs.items()}
            for group, inputs in node["input"].items()
        }
        return {**node, "input": groups}

    def _spec(self, name: str, spec: list[Any]) -> list[Any]:
        limits = spec[1] if len(spec) > 1 else {}
        files = self._files(name, limits)
        if isinstance(spec[0], list):
            return [[*files, *spec[0]], *spec[1:]]
        if "options" in limits:
            return [spec[0], {**limits, "options": [*files, *limits["options"]]}]
        return spec
