"""Nodes that need more than their inputs: files, time, progress, the painter."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, UnidentifiedImageError

from orchestrator.sandbox.comfyui.folders import (
    BrokenModelError,
    Folders,
    OutsideError,
    SavedPicture,
    check_safetensors,
)
from orchestrator.sandbox.comfyui.plain_nodes import PLAIN_NODES
from orchestrator.sandbox.comfyui.png import encode_png, with_texts
from orchestrator.sandbox.comfyui.values import (
    Clip,
    Conditioning,
    Guider,
    Inputs,
    Latent,
    Model,
    NodeFailed,
    Noise,
    Pictures,
    Result,
    Sigmas,
    Vae,
    check_memory,
)
from orchestrator.sandbox.painter.brief import Brief, Picture, Style
from orchestrator.sandbox.painter.paint import paint

SLOW_PLAIN_NODES = frozenset({"ImageScale", "ImageScaleBy", "ImageUpscaleWithModel", "LatentUpscaleBy"})


class Turn(Protocol):
    """What a node may ask of the run that it is part of."""

    @property
    def folders(self) -> Folders: ...

    @property
    def sampling_s(self) -> float:
        """How long sampling takes at least."""

    @property
    def metadata(self) -> dict[str, str]:
        """Text chunks for saved pictures."""

    def progress(self, value: int, most: int) -> None:
        """
        Tell how far this node is.

        Raises:
            Interrupted: Stop here.

        """

    async def load(self, file: Path, size: int) -> None:
        """Take the time that reading *size* bytes of weights takes, once for each file."""

    def sampling_starts(self) -> None:
        """
        Have the fault that was ordered for this run, if any.

        Raises:
            NodeFailed: It was running out of memory.

        """

    def die_if_told(self) -> None:
        """End the process, if that is the fault that was ordered."""


async def run_node(class_type: str, turn: Turn, inputs: Inputs) -> Result:
    """
    Do what a node of this class does.

    Raises:
        NodeFailed: It cannot.

        Interrupted: It was asked to stop on the way.

    """
    if class_type in NODES:
        return await NODES[class_type](turn, inputs)
    if class_type in SLOW_PLAIN_NODES:
        return await asyncio.to_thread(PLAIN_NODES[class_type], inputs)
    return PLAIN_NODES[class_type](inputs)


async def _load(turn: Turn, kind: str, *names: str) -> None:
    for name in names:
        try:
            file = turn.folders.model(kind, name)
            size = check_safetensors(file)
        except BrokenModelError as error:
            kind_name = "FileNotFoundError" if "not found" in str(error) else "safetensors_rust.SafetensorError"
            raise NodeFailed(kind_name, str(error)) from error
        await turn.load(file, size)


async def _unet_loader(turn: Turn, inputs: Inputs) -> Result:
    await _load(turn, "diffusion_models", inputs.text("unet_name"))
    return Result((Model(),))


async def _dual_clip_loader(turn: Turn, inputs: Inputs) -> Result:
    await _load(turn, "text_encoders", inputs.text("clip_name1"), inputs.text("clip_name2"))
    return Result((Clip(),))


async def _vae_loader(turn: Turn, inputs: Inputs) -> Result:
    if inputs.text("vae_name") != "pixel_space":
        await _load(turn, "vae", inputs.text("vae_name"))
    return Result((Vae(),))


async def _checkpoint_loader(turn: Turn, inputs: Inputs) -> Result:
    await _load(turn, "checkpoints", inputs.text("ckpt_name"))
    return Result((Model(), Clip(), Vae()))


async def _upscale_model_loader(turn: Turn, inputs: Inputs) -> Result:
    await _load(turn, "upscale_models", inputs.text("model_name"))
    return Result((Model(),))


async def _lora_loader(turn: Turn, inputs: Inputs) -> Result:
    await _load(turn, "loras", inputs.text("lora_name"))
    model = inputs.of(Model, "model")
    style = Style(name=Path(inputs.text("lora_name")).stem, strength=inputs.number("strength_model"))
    outputs = (
        replace(model, styles=(*model.styles, style)),
        *([inputs.values["clip"]] if "clip" in inputs.values else []),
    )
    return Result(outputs)


async def _load_image(turn: Turn, inputs: Inputs) -> Result:
    file = turn.folders.picture("input", "", inputs.text("image"))
    try:
        picture = await asyncio.to_thread(_read_picture, file)
    except (UnidentifiedImageError, OSError) as error:
        raise NodeFailed("PIL.UnidentifiedImageError", f"cannot identify image file '{file.name}'") from error
    return Result((Pictures((picture,)), None))


def _read_picture(file: Path) -> Picture:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


async def _ksampler(turn: Turn, inputs: Inputs) -> Result:
    latent = inputs.of(Latent, "latent_image")
    brief = Brief(
        prompt=inputs.of(Conditioning, "positive").text,
        negative=inputs.of(Conditioning, "negative").text,
        seed=inputs.integer("seed"),
        width=latent.width,
        height=latent.height,
        styles=inputs.of(Model, "model").styles,
        change=inputs.number("denoise"),
    )
    return Result((await _sample(turn, brief, latent, inputs.integer("steps")),))


async def _sampler_custom(turn: Turn, inputs: Inputs) -> Result:
    latent, guider, sigmas = (
        inputs.of(Latent, "latent_image"),
        inputs.of(Guider, "guider"),
        inputs.of(Sigmas, "sigmas"),
    )
    brief = Brief(
        prompt=guider.conditioning.text,
        negative="",
        seed=inputs.of(Noise, "noise").seed,
        width=latent.width,
        height=latent.height,
        styles=guider.model.styles,
        change=sigmas.denoise,
    )
    return Result((await _sample(turn, brief, latent, sigmas.steps),) * 2)


async def _sample(turn: Turn, brief: Brief, latent: Latent, steps: int) -> Latent:
    """Paint in a thread, and let the steps pass meanwhile: a run takes the longer of the two."""
    check_memory(latent.width, latent.height, latent.count)
    turn.sampling_starts()
    started = time.monotonic()
    painting = asyncio.get_running_loop().run_in_executor(None, _paint_all, brief, latent)
    for step in range(1, steps):
        await asyncio.sleep(started + turn.sampling_s * step / steps - time.monotonic())
        turn.progress(step, steps)
    painted = await painting
    await asyncio.sleep(started + turn.sampling_s - time.monotonic())
    turn.progress(steps, steps)
    return painted


def _paint_all(brief: Brief, latent: Latent) -> Latent:
    """Paint and encode; both are slow, and there is time to pass anyway."""
    sources = latent.pictures or (None,) * latent.count
    painted = tuple(paint(replace(brief, seed=brief.seed + index, source=it)) for index, it in enumerate(sources))
    return replace(latent, pictures=painted, encoded=tuple(encode_png(picture) for picture in painted))


async def _save_image(turn: Turn, inputs: Inputs) -> Result:
    return await _write(turn, inputs, "output", inputs.text("filename_prefix"))


async def _preview_image(turn: Turn, inputs: Inputs) -> Result:
    return await _write(turn, inputs, "temp", "ComfyUI_temp")


async def _write(turn: Turn, inputs: Inputs, kind: str, prefix: str) -> Result:
    turn.die_if_told()
    try:
        saved = await asyncio.to_thread(_write_all, turn, inputs.of(Pictures, "images"), kind, prefix)
    except OutsideError as error:
        raise NodeFailed("Exception", f"Saving image outside the output folder is not allowed: {error}") from error
    except OSError as error:
        raise NodeFailed("OSError", str(error)) from error
    return Result((), {"images": [place.as_json() for place in saved]})


def _write_all(turn: Turn, pictures: Pictures, kind: str, prefix: str) -> list[SavedPicture]:
    encoded = pictures.encoded or tuple(encode_png(picture) for picture in pictures.pictures)
    places = turn.folders.free_places(kind, prefix, len(encoded))
    for place, content in zip(places, encoded, strict=True):
        file = turn.folders.picture(kind, place.subfolder, place.filename)
        file.write_bytes(with_texts(content, turn.metadata))
    return places


Node = Callable[[Turn, Inputs], Awaitable[Result]]
NODES: dict[str, Node] = {
    "UNETLoader": _unet_loader,
    "DualCLIPLoader": _dual_clip_loader,
    "VAELoader": _vae_loader,
    "CheckpointLoaderSimple": _checkpoint_loader,
    "UpscaleModelLoader": _upscale_model_loader,
    "LoraLoaderModelOnly": _lora_loader,
    "LoraLoader": _lora_loader,
    "LoadImage": _load_image,
    "KSampler": _ksampler,
    "SamplerCustomAdvanced": _sampler_custom,
    "SaveImage": _save_image,
    "PreviewImage": _preview_image,
}
