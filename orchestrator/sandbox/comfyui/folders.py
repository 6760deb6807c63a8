"""The folders below ComfyUI's base directory: model files that it finds, pictures that it takes and gives."""

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path

MODEL_SUFFIXES = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".bin", ".pth", ".pkl"})
MODEL_FOLDERS = {
    "diffusion_models": ("unet", "diffusion_models"),
    "text_encoders": ("text_encoders", "clip"),
    "vae": ("vae",),
    "loras": ("loras",),
    "checkpoints": ("checkpoints",),
    "upscale_models": ("upscale_models",),
}
PICTURE_TYPES = ("input", "output", "temp")


class BrokenModelError(Exception):
    """A model file is there, but no loader can read it. Its text is what the real loader says."""


class OutsideError(Exception):
    """A path points out of the folder in which it should stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPicture:
    filename: str
    subfolder: str
    type: str

    def as_json(self) -> dict[str, str]:
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.type}


@dataclass(frozen=True, slots=True)
class Folders:
    base: Path

    def model_names(self, kind: str) -> list[str]:
        """List the files of one kind, new ones included at once: the disk is read each time."""
        roots = [self.base / "models" / name for name in MODEL_FOLDERS[kind]]
        found = {
            str(file.relative_to(root))
            for root in roots
            for file in root.rglob("*")
            if file.suffix in MODEL_SUFFIXES and file.is_file()
        }
        return sorted(found)

    def model(self, kind: str, name: str) -> Path:
        """
        Find one model file.

        Raises:
            BrokenModelError: It was there when the prompt was checked, and is gone.

        """
        for folder in MODEL_FOLDERS[kind]:
            file = self.base / "models" / folder / name
            if file.is_file():
                return file
        raise BrokenModelError(f"Model in folder '{kind}' with filename '{name}' not found.")

    def input_names(self) -> list[str]:
        root = self.pictures("input")
        return sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())

    def pictures(self, kind: str) -> Path:
        """Folder of pictures of one type: `input`, `output` or `temp`."""
        folder = self.base / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def picture(self, kind: str, subfolder: str, filename: str) -> Path:
        """
        Where a picture is, or would be.

        Raises:
            OutsideError: The names lead out of the folder.

        """
        root = self.pictures(kind).resolve()
        file = (root / subfolder / filename).resolve()
        if not file.is_relative_to(root):
            raise OutsideError(f"{subfolder}/{filename} is not in {kind}")
        return file

    def free_places(self, kind: str, prefix: str, count: int) -> list[SavedPicture]:
        """Choose the next free `<prefix>_00001_.png`, as the real server counts them."""
        subfolder, _, stem = prefix.rpartition("/")
        folder = self.picture(kind, subfolder, "x").parent
        folder.mkdir(parents=True, exist_ok=True)
        pattern = re.compile(re.escape(stem) + r"_(\d+)_.*\.png")
        taken = [int(match.group(1)) for file in folder.iterdir() if (match := pattern.fullmatch(file.name))]
        first = max(taken, default=0) + 1
        return [
            SavedPicture(filename=f"{stem}_{number:05}_.png", subfolder=subfolder, type=kind)
            for number in range(first, first + count)
        ]

    def keep_upload(self, kind: str, subfolder: str, filename: str, content: bytes, *, overwrite: bool) -> str:
        """Store an uploaded picture and say under which name: an equal one is shared, another one is numbered."""
        wanted = Path(filename)
        place = self.picture(kind, subfolder, filename)
        place.parent.mkdir(parents=True, exist_ok=True)
        number = 0
        while place.exists() and not overwrite and _digest(place.read_bytes()) != _digest(content):
            number += 1
            place = place.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
        place.write_bytes(content)
        return place.name


def check_safetensors(file: Path) -> int:
    """
    Read a model file's header as a loader does, and give the file's size in bytes.

    Raises:
        BrokenModelError: Header or data are incomplete.

    """
    if file.suffix not in {".safetensors", ".sft"}:
        return file.stat().st_size
    size = file.stat().st_size
    with file.open("rb") as source:
        start = source.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == len(b"8 bytes.") else 0
        if not 0 < length <= size - 8:
            raise BrokenModelError("Error while deserializing header: invalid header length")
        header = source.read(length)
    ends = [int(end) for end in re.findall(rb'"data_offsets":\s*\[\d+,\s*(\d+)\]', header)]
    if not header.startswith(b"{") or not ends:
        raise BrokenModelError("Error while deserializing header: invalid JSON in header")
    if max(ends) != size - 8 - length:
        raise BrokenModelError("Error while deserializing header: incomplete metadata, file not fully covered")
    return size


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
