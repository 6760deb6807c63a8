"""
The beginning of a safetensors file, and whether that is a LoRA. Pure.

Format: eight bytes with the header's length, little endian; the header, a JSON object of tensors by name with their
``data_offsets`` after it; the data. Source: the format's own description in https://github.com/huggingface/safetensors.
"""

import json
from typing import Any

from orchestrator.domain.errors import RequestError

LENGTH_BYTES = 8
LONGEST_HEADER = 4 * 1024 * 1024
"""Bytes. A LoRA's thousand tensors take about 150 kB; trainers add their settings and tags to that."""

MARKS = ("lora_up", "lora_down", "lora_A", "lora_B")
"""What the tensors of a LoRA are called by the trainers in use (kohya's and Hugging Face's)."""


def header_length(first: bytes) -> int:
    """
    Read the first eight bytes.

    Raises:
        RequestError: No header of a LoRA is so long: it is some other file.
    """
    length = int.from_bytes(first, "little")
    if len(first) != LENGTH_BYTES or not 2 <= length <= LONGEST_HEADER:
        raise RequestError("not_safetensors")
    return length


def file_size(header: bytes) -> int:
    """
    Read the header of a LoRA: bytes of the whole file.

    Raises:
        RequestError: It is no header, or that of another kind of model.
    """
    try:
        tensors: Any = json.loads(header)
    except (ValueError, RecursionError):
        raise RequestError("not_safetensors") from None
    if not isinstance(tensors, dict):
        raise RequestError("not_safetensors")
    named = {name: tensor for name, tensor in tensors.items() if name != "__metadata__"}
    ends = [_end(tensor) for tensor in named.values()]
    if not any(mark in name for name in named for mark in MARKS):
        raise RequestError("not_a_lora")
    return LENGTH_BYTES + len(header) + max(ends)


def _end(tensor: Any) -> int:
    match tensor:
        case {"data_offsets": [int(begin), int(end)]} if 0 <= begin <= end < 2**53:
            return end
        case _:
            raise RequestError("not_safetensors")
