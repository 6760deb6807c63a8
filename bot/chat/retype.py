"""What to type to ask for the same once more: the way back from values to a prompt with options. Pure."""

import math
from collections.abc import Mapping

from bot.chat import braces
from bot.chat.flags import QUOTES, looks_like_a_flag
from orchestrator.api import NO_LORA, Parameter, ParameterKind, Value, WorkflowCard

_SIDES = frozenset({"width", "height"})
_MEGAPIXEL = 1024 * 1024


def typed_again(values: Mapping[str, Value], card: WorkflowCard, *, default: WorkflowCard) -> str:
    """
    Write *values* of *card* as a prompt with options; what is as by default is left out.

    Args:
        default: The workflow that is used where none is named.
    """
    parts = [str(values.get("prompt", ""))]
    parts += [] if card.name == default.name else [f"--workflow {card.name}"]
    parts += _size(values)
    told = [parameter for parameter in card.parameters if parameter.flag and _is_told(parameter, values)]
    told.sort(key=lambda parameter: parameter.kind is ParameterKind.TEXT)
    parts += [f"--{parameter.flag} {_retyped(values[parameter.name])}" for parameter in told]
    return braces.escaped(" ".join(parts))


def _size(values: Mapping[str, Value]) -> list[str]:
    if values.keys() >= _SIDES and not follows_aspect(values):
        return [f"--size {values['width']}x{values['height']}"]
    return []


def follows_aspect(values: Mapping[str, Value]) -> bool:
    """Whether width and height are what the aspect alone makes of them: its shape, about a megapixel."""
    across, _, down = str(values.get("aspect", "")).partition(":")
    if not (values.keys() >= _SIDES and across.isdecimal() and down.isdecimal() and int(across) and int(down)):
        return False
    width, height = float(values["width"]), float(values["height"])
    shape = abs(math.log(width / height * int(down) / int(across)))
    return shape < 0.03 and abs(math.log(width * height / _MEGAPIXEL)) < 0.1


def _is_told(parameter: Parameter, values: Mapping[str, Value]) -> bool:
    value = values.get(parameter.name)
    if value is None or value == parameter.default:
        return False
    match parameter.name:
        case "width" | "height":
            return not values.keys() >= _SIDES
        case "aspect":
            return not values.keys() >= _SIDES or follows_aspect(values)
        case "strength":
            return values.get("lora", NO_LORA) != NO_LORA
        case _:
            return True


def _retyped(value: Value) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    is_plain = text and not (set(text) & {" ", *QUOTES}) and not looks_like_a_flag(text)
    return text if is_plain or '"' in text else f'"{text}"'
