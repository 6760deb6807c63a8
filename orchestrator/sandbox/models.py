"""The sandbox's model files: real safetensors of a few megabytes, under the names that the first workflows ask for."""

import hashlib
import json
import os
import random
import struct
from dataclasses import asdict, dataclass
from pathlib import Path

STAMP = ".models.json"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    path: str
    """Below ComfyUI's `models` folder, such as `unet/flux1-schnell.safetensors`."""
    size: int
    """Bytes of the whole file, header included."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    path: str
    dtype: str
    data_bytes: int
    tensors: tuple[str, ...]


RECIPES = (
    _Recipe(
        path="unet/flux1-schnell.safetensors",
        dtype="BF16",
        data_bytes=6 * MIB,
        tensors=("img_in.weight", "txt_in.weight", "double_blocks.0.img_attn.qkv.weight", "final_layer.linear.weight"),
    ),
    _Recipe(
        path="clip/t5xxl_fp16.safetensors",
        dtype="F16",
        data_bytes=7 * MIB // 2,
        tensors=("shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"),
    ),
    _Recipe(
        path="clip/t5xxl_fp8_e4m3fn.safetensors",
        dtype="F8_E4M3",
        data_bytes=7 * MIB // 4,
        tensors=("shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"),
    ),
    _Recipe(
        path="checkpoints/flux1-schnell-fp8.safetensors",
        dtype="F8_E4M3",
        data_bytes=5 * MIB,
        tensors=(
            "model.diffusion_model.img_in.weight",
            "text_encoders.t5xxl.transformer.shared.weight",
            "text_encoders.clip_l.transformer.text_model.embeddings.token_embedding.weight",
            "vae.decoder.conv_out.weight",
        ),
    ),
    _Recipe(
        path="clip/clip_l.safetensors",
        dtype="F16",
        data_bytes=400 * 1024,
        tensors=("text_model.embeddings.token_embedding.weight",),
    ),
    _Recipe(
        path="vae/ae.safetensors",
        dtype="F32",
        data_bytes=500 * 1024,
        tensors=("encoder.conv_in.weight", "decoder.conv_out.weight"),
    ),
    *(
        _Recipe(
            path=f"loras/{name}.safetensors",
            dtype="BF16",
            data_bytes=kib * 1024,
            tensors=("lora_unet_double_blocks_0.lora_down.weight", "lora_unet_double_blocks_0.lora_up.weight"),
        )
        for name, kib in (("b0throps", 500), ("ink", 300), ("neon", 300), ("watercolour", 300))
    ),
)
ELEMENT_BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1}


def make_models(folder: Path) -> tuple[ModelFile, ...]:
    """
    Write the model files below *folder*, or find them there, and say what they are.

    The bytes are the same on every computer. A file appears under its name only when it is whole,
    so several processes may call this for one folder. Costs about 0.1 s the first time.
    """
    stamped = _stamped(folder)
    if stamped is not None:
        return stamped
    made = tuple(_write(folder, recipe) for recipe in RECIPES)
    _replace(folder / STAMP, json.dumps([asdict(model) for model in made], indent=1).encode())
    return made


def safetensors_bytes(recipe: _Recipe) -> bytes:
    """Build the file: length of the header (8 bytes, little endian), the header as JSON, the tensors' data."""
    element = ELEMENT_BYTES[recipe.dtype]
    per_tensor = recipe.data_bytes // len(recipe.tensors) // (64 * element) * (64 * element)
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    for index, name in enumerate(recipe.tensors):
        header[name] = {
            "dtype": recipe.dtype,
            "shape": [per_tensor // element // 64, 64],
            "data_offsets": [index * per_tensor, (index + 1) * per_tensor],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = random.Random(recipe.path).randbytes(per_tensor * len(recipe.tensors))
    return struct.pack("<Q", len(text)) + text + data


def _stamped(folder: Path) -> tuple[ModelFile, ...] | None:
    try:
        entries = json.loads((folder / STAMP).read_bytes())
        known = tuple(ModelFile(**entry) for entry in entries)
        whole = all(_is_intact(folder / model.path, model) for model in known)
    except (OSError, ValueError, TypeError):
        return None
    return known if whole and [model.path for model in known] == [recipe.path for recipe in RECIPES] else None


def _is_intact(file: Path, model: ModelFile) -> bool:
    return file.stat().st_size == model.size and hashlib.sha256(file.read_bytes()).hexdigest() == model.sha256


def _write(folder: Path, recipe: _Recipe) -> ModelFile:
    content = safetensors_bytes(recipe)
    _replace(folder / recipe.path, content)
    return ModelFile(path=recipe.path, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _replace(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.part")
    unfinished.write_bytes(content)
    unfinished.replace(file)
