"""What travels along a graph's links. Nothing is a model: loaders hand on names, encoders hand on words."""

from dataclasses import dataclass
from typing import Any, TypeVar

from orchestrator.sandbox.painter.brief import Picture, Style

T = TypeVar("T")
MOST_PIXELS = 64 * 1024 * 1024


class NodeFailed(Exception):
    """A node ended the run; `type` is the exception's name on the real server."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Interrupted(Exception):
    """Somebody asked this run to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    styles: tuple[Style, ...] = ()


@dataclass(frozen=True, slots=True)
class Clip:
    pass


@dataclass(frozen=True, slots=True)
class Vae:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    width: int
    height: int
    count: int
    pictures: tuple[Picture, ...] = ()
    """Empty before the first sampling."""
    encoded: tuple[bytes, ...] = ()
    """The same pictures as PNG, where the sampler had the time to make them."""


@dataclass(frozen=True, slots=True)
class Pictures:
    pictures: tuple[Picture, ...]
    encoded: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Guider:
    model: Model
    conditioning: Conditioning


@dataclass(frozen=True, slots=True)
class Sigmas:
    steps: int
    denoise: float


@dataclass(frozen=True, slots=True)
class Noise:
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    outputs: tuple[Any, ...]
    ui: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    values: dict[str, Any]

    def of(self, kind: type[T], name: str) -> T:
        value = self.values[name]
        if not isinstance(value, kind):
            raise NodeFailed("TypeError", f"{name} is {type(value).__name__}, not {kind.__name__}")
        return value

    def text(self, name: str) -> str:
        return str(self.values[name])

    def integer(self, name: str) -> int:
        return int(self.values[name])

    def number(self, name: str) -> float:
        return float(self.values[name])


def check_memory(width: int, height: int, count: int) -> None:
    if width * height * count > MOST_PIXELS:
        raise out_of_memory()


def out_of_memory() -> NodeFailed:
    """What the real server reports when the card is too small."""
    return NodeFailed(
        "torch.OutOfMemoryError",
        "Allocation on device \nThis error means you ran out of memory on your GPU.",
    )
