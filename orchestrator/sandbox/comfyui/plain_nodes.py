"""Nodes whose result hangs on their inputs alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from orchestrator.sandbox.comfyui.values import (
    Clip,
    Conditioning,
    Guider,
    Inputs,
    Latent,
    Model,
    Noise,
    Pictures,
    Result,
    Sigmas,
    check_memory,
)
from orchestrator.sandbox.painter.brief import Picture


def _pass_model(inputs: Inputs) -> Result:
    return Result((inputs.of(Model, "model"),))


def _text_encode(inputs: Inputs) -> Result:
    inputs.of(Clip, "clip")
    return Result((Conditioning(text=inputs.text("text")),))


def _pass_conditioning(inputs: Inputs) -> Result:
    return Result((inputs.of(Conditioning, "conditioning"),))


def _zero_out(inputs: Inputs) -> Result:
    inputs.of(Conditioning, "conditioning")
    return Result((Conditioning(text=""),))


def _empty_latent(inputs: Inputs) -> Result:
    width, height, count = (inputs.integer(name) for name in ("width", "height", "batch_size"))
    return Result((Latent(width=width, height=height, count=count),))


def _empty_image(inputs: Inputs) -> Result:
    width, height, count = (inputs.integer(name) for name in ("width", "height", "batch_size"))
    check_memory(width, height, count)
    colour = np.frombuffer(inputs.integer("color").to_bytes(3, "big"), dtype=np.uint8)
    return Result((Pictures((np.broadcast_to(colour, (height, width, 3)),) * count),))


def _vae_encode(inputs: Inputs) -> Result:
    pictures = inputs.of(Pictures, "pixels").pictures
    height, width = (side // 8 * 8 for side in pictures[0].shape[:2])
    cut = tuple(picture[:height, :width] for picture in pictures)
    return Result((Latent(width=width, height=height, count=len(cut), pictures=cut),))


def _vae_decode(inputs: Inputs) -> Result:
    latent = inputs.of(Latent, "samples")
    blank = np.full((latent.height, latent.width, 3), 127, dtype=np.uint8)
    return Result((Pictures(latent.pictures or (blank,) * latent.count, latent.encoded),))


def _resized(pictures: tuple[Picture, ...], width: int, height: int) -> tuple[Picture, ...]:
    size = (max(1, width), max(1, height))
    return tuple(np.asarray(Image.fromarray(it).resize(size, Image.Resampling.LANCZOS)) for it in pictures)


def _image_scale(inputs: Inputs) -> Result:
    pictures = inputs.of(Pictures, "image").pictures
    height, width = pictures[0].shape[:2]
    wanted_width, wanted_height = inputs.integer("width"), inputs.integer("height")
    wanted_width = wanted_width or max(1, round(width * wanted_height / height))
    wanted_height = wanted_height or max(1, round(height * wanted_width / width))
    if inputs.text("crop") == "center":
        pictures = tuple(_cropped(picture, wanted_width / wanted_height) for picture in pictures)
    return Result((Pictures(_resized(pictures, wanted_width, wanted_height)),))


def _cropped(picture: Picture, aspect: float) -> Picture:
    height, width = picture.shape[:2]
    if width > height * aspect:
        kept = round(height * aspect)
        return picture[:, (width - kept) // 2 :][:, :kept]
    kept = round(width / aspect)
    return picture[(height - kept) // 2 :][:kept]


def _image_scale_by(inputs: Inputs) -> Result:
    pictures, factor = inputs.of(Pictures, "image").pictures, inputs.values.get("scale_by", 4)
    height, width = pictures[0].shape[:2]
    return Result((Pictures(_resized(pictures, round(width * factor), round(height * factor))),))


def _latent_upscale_by(inputs: Inputs) -> Result:
    latent, factor = inputs.of(Latent, "samples"), inputs.number("scale_by")
    width, height = (round(side * factor / 8) * 8 for side in (latent.width, latent.height))
    pictures = _resized(latent.pictures, width, height)
    return Result((replace(latent, width=width, height=height, pictures=pictures, encoded=()),))


def _random_noise(inputs: Inputs) -> Result:
    return Result((Noise(inputs.integer("noise_seed")),))


def _sampler_select(inputs: Inputs) -> Result:
    return Result((inputs.text("sampler_name"),))


def _basic_scheduler(inputs: Inputs) -> Result:
    return Result((Sigmas(inputs.integer("steps"), inputs.number("denoise")),))


def _basic_guider(inputs: Inputs) -> Result:
    return Result((Guider(inputs.of(Model, "model"), inputs.of(Conditioning, "conditioning")),))


def _preview_any(inputs: Inputs) -> Result:
    return Result((), {"text": [str(inputs.of(object, "source"))[:200]]})


PlainNode = Callable[[Inputs], Result]
PLAIN_NODES: dict[str, PlainNode] = {
    "ModelSamplingFlux": _pass_model,
    "CLIPTextEncode": _text_encode,
    "FluxGuidance": _pass_conditioning,
    "ConditioningZeroOut": _zero_out,
    "EmptyLatentImage": _empty_latent,
    "EmptySD3LatentImage": _empty_latent,
    "EmptyImage": _empty_image,
    "PreviewAny": _preview_any,
    "VAEEncode": _vae_encode,
    "VAEDecode": _vae_decode,
    "ImageScale": _image_scale,
    "ImageScaleBy": _image_scale_by,
    "ImageUpscaleWithModel": _image_scale_by,
    "LatentUpscaleBy": _latent_upscale_by,
    "RandomNoise": _random_noise,
    "KSamplerSelect": _sampler_select,
    "BasicScheduler": _basic_scheduler,
    "BasicGuider": _basic_guider,
}
