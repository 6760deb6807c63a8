"""The JSON of ComfyUI's answers, parsed at the edge."""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from orchestrator.domain.errors import ComfyUnavailable
from orchestrator.domain.ids import PromptId
from orchestrator.ports.comfy import ServerStats

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRef:
    """Where ComfyUI keeps a picture; what ``/view`` is asked with."""

    filename: str
    subfolder: str
    type: str
    """``output`` for what SaveImage kept, ``temp`` for what PreviewImage showed."""


class QueueAnswer(BaseModel):
    queue_running: list[list[Any]]
    queue_pending: list[list[Any]]

    def has(self, prompt: PromptId) -> bool:
        return self.is_running(prompt) or self._is_in(prompt, self.queue_pending)

    def is_running(self, prompt: PromptId) -> bool:
        return self._is_in(prompt, self.queue_running)

    @staticmethod
    def _is_in(prompt: PromptId, entries: list[list[Any]]) -> bool:
        # An entry is [number, prompt id, graph, extra data, output nodes].
        return any(len(entry) > 1 and entry[1] == prompt for entry in entries)


class _Status(BaseModel):
    status_str: str = ""
    completed: bool = False
    messages: list[tuple[str, dict[str, Any]]] = []


class HistoryEntry(BaseModel):
    outputs: dict[str, Any] = {}
    status: _Status | None = None


class UploadAnswer(BaseModel):
    name: str = Field(min_length=1, max_length=255)
    subfolder: str = Field(default="", max_length=255)

    def as_input(self) -> str:
        return f"{self.subfolder}/{self.name}" if self.subfolder else self.name


class _System(BaseModel):
    comfyui_version: str


class _Device(BaseModel):
    name: str
    vram_total: int


class StatsAnswer(BaseModel):
    system: _System
    devices: list[_Device] = Field(min_length=1)

    def value(self) -> ServerStats:
        first = self.devices[0]
        return ServerStats(version=self.system.comfyui_version, device=first.name, vram_total_bytes=first.vram_total)


def as_json(content: bytes | str, what: str) -> Any:
    """Read JSON from a stranger.

    Raises:
        ComfyUnavailable: It is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ComfyUnavailable(f"{what} is not JSON") from error


def parsed(model: type[Answer], value: object, what: str) -> Answer:
    """Hold an answer against its model.

    Raises:
        ComfyUnavailable: Names the field that is wrong.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "answer"
        raise ComfyUnavailable(f"{what} is not understood: {place}: {first['msg']}") from error


def history_entry(value: object, prompt: PromptId) -> HistoryEntry | None:
    """What ``/history/<id>`` says of a prompt; None when it knows nothing (yet)."""
    if not isinstance(value, dict):
        raise ComfyUnavailable("the history is not understood")
    return parsed(HistoryEntry, value[prompt], "the history") if prompt in value else None


def picture_refs(output: object) -> list[PictureRef]:
    """The pictures among what a node put out; whatever else it put out is not for us."""
    images = output.get("images") if isinstance(output, dict) else None
    if not isinstance(images, list):
        return []
    return [ref for ref in map(_ref, images) if ref is not None]


def _ref(image: object) -> PictureRef | None:
    if not isinstance(image, dict):
        return None
    words = {key: image.get(key, "") for key in ("filename", "subfolder", "type")}
    if not all(isinstance(word, str) and len(word) < 1024 for word in words.values()):
        return None
    return PictureRef(**words) if words["type"] in {"output", "temp"} else None
