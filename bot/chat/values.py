"""One typed value of one parameter: read, and held against what the workflow allows. Pure."""

import re

from orchestrator.api import NO_LORA, Parameter, ParameterKind, RequestError, Value, WorkflowCard, closest

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})")
_SIZE = re.compile(r"([0-9]{1,6})(?:[xX*\u00d7]([0-9]{1,6}))?")


def flag_of(parameter: Parameter) -> str:
    """What a person calls it: its option, or the name of the prompt."""
    return f"--{parameter.flag}" if parameter.flag else f"The {parameter.name}"


def read_value(parameter: Parameter, raw: str) -> Value:
    """
    Read *raw* as a value of *parameter*.

    Raises:
        RequestError: It is none; the error says what is allowed.
    """
    match parameter.kind:
        case ParameterKind.INTEGER:
            return _in_range(parameter, raw, _integer(parameter, raw))
        case ParameterKind.NUMBER:
            return _in_range(parameter, raw, _number(parameter, raw))
        case ParameterKind.CHOICE:
            return _choice(parameter, raw)
        case _:
            return raw


def read_lora(card: WorkflowCard, raw: str) -> tuple[str, float | None]:
    """
    Read ``NAME`` or ``NAME:0.8``.

    Raises:
        RequestError: There is no such LoRA, or its strength is no number.
    """
    names = {name.lower(): name for name in (NO_LORA, *card.loras)}
    if raw.lower() in names:
        return names[raw.lower()], None
    name, colon, strength = raw.rpartition(":")
    if colon and name.lower() in names:
        if not _NUMBER.fullmatch(strength):
            raise RequestError("not_a_number", name="The strength after the LoRA's name", value=strength)
        return names[name.lower()], float(strength)
    wanted = name if colon and _NUMBER.fullmatch(strength) else raw
    known = ", ".join(card.loras)
    raise RequestError("unknown_lora", name=wanted, closest=closest(wanted.lower(), list(card.loras)), known=known)


def read_size(raw: str) -> tuple[str, str]:
    """
    Read ``1024x768``; one number alone is a square.

    Raises:
        RequestError: It is neither.
    """
    size = _SIZE.fullmatch(raw)
    if size is None:
        raise RequestError("bad_size", value=raw)
    return size[1], size[2] or size[1]


def _integer(parameter: Parameter, raw: str) -> int:
    if _INTEGER.fullmatch(raw):
        return int(raw)
    key = "not_a_whole_number" if _NUMBER.fullmatch(raw) else "not_a_number"
    raise RequestError(key, name=flag_of(parameter), value=raw, allowed=_allowed(parameter))


def _number(parameter: Parameter, raw: str) -> float:
    if not _NUMBER.fullmatch(raw):
        raise RequestError("not_a_number", name=flag_of(parameter), value=raw, allowed=_allowed(parameter))
    return float(raw)


def _in_range(parameter: Parameter, raw: str, number: float) -> Value:
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise RequestError("out_of_range", name=flag_of(parameter), value=raw, allowed=_allowed(parameter))
    if parameter.step and abs(number / parameter.step - round(number / parameter.step)) > 1e-6:
        raise RequestError("not_a_multiple", name=flag_of(parameter), value=raw, step=parameter.step)
    return number


def _allowed(parameter: Parameter) -> str:
    low, high = parameter.minimum, parameter.maximum
    return "a number" if low is None or high is None else f"{low:.16g} to {high:.16g}"


def _choice(parameter: Parameter, raw: str) -> str:
    choices = {choice.lower(): choice for choice in parameter.choices}
    wanted = raw.lower()
    for candidate in (wanted, re.sub(r"[x/\u00d7]", ":", wanted)):
        if candidate in choices:
            return choices[candidate]
    allowed = ", ".join(parameter.choices)
    meant = closest(wanted, list(parameter.choices))
    raise RequestError("not_a_choice", name=flag_of(parameter), value=raw, allowed=allowed, closest=meant)
