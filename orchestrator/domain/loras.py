"""LoRAs that people add themselves: what is known of one, and what its name and its link may be. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from orchestrator.domain.errors import RequestError
from orchestrator.domain.ids import UserId
from orchestrator.domain.job import OwnLora
from orchestrator.domain.workflows import NO_LORA

EVERYBODY = UserId("")
"""Whose a LoRA is that an admin shares."""

MOST_LORAS = 30
"""Of one person, and of everybody together: what still fits a list that is read in a chat."""

LARGEST = 2 * 2**30
"""Bytes of one file; LoRAs of the largest models in use have about 1.2 GB."""

LONGEST_TRIGGERS = 200
LONGEST_URL = 2048
KEYS = frozenset({"token", "api_key", "apikey", "api-key", "key", "access_token"})
"""What sites call an account's key in a link. It would be given to every rented machine."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,23}")
_LINK = re.compile(r"https?://[^\s\"'<>\\]+")
_HOLDS_A_PAGE = re.compile(r"(/[^/]+/[^/]+)/blob/(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLora:
    """
    What a person wants to add.

    Attributes:
        strength: Used where a request says none.
        triggers: Words that make it work, put before each prompt.
    """

    name: str
    url: str
    strength: float = 1.0
    triggers: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraFile:
    """
    A file that was read to its end and is a LoRA.

    Attributes:
        url: Where it was read from, redirects not followed.
    """

    url: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedLora:
    """A LoRA that its person, or everybody, can name in a request."""

    name: str
    file: LoraFile
    strength: float
    triggers: str
    is_shared: bool

    @property
    def path(self) -> str:
        """Below ComfyUI's ``models`` folder: other bytes of the same name are another file there."""
        return f"loras/{self.file.sha256[:16]}-{self.name}.safetensors"

    def for_job(self) -> OwnLora:
        return OwnLora(
            name=self.name,
            path=self.path,
            url=self.file.url,
            size_bytes=self.file.size_bytes,
            sha256=self.file.sha256,
            triggers=self.triggers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """How far a machine is with the LoRA of the job that it is about to paint, in bytes."""

    name: str
    done: int
    of: int


def check_name(name: str) -> None:
    """
    Look whether *name* can be typed in a request and be a part of a file's name.

    Raises:
        RequestError: It cannot.
    """
    if not _NAME.fullmatch(name) or name == NO_LORA:
        raise RequestError("bad_lora_name", name=name)


def direct_link(url: str) -> str:
    """
    Where the file itself is: of a page of Hugging Face (``/blob/``) its download (``/resolve/``), else *url*.

    Raises:
        RequestError: It is no link, or carries somebody's key.
    """
    if len(url) > LONGEST_URL or not _LINK.fullmatch(url):
        raise RequestError("bad_lora_link")
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        raise RequestError("bad_lora_link") from None
    if not parts.hostname or not has_port:
        raise RequestError("bad_lora_link")
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if "@" in parts.netloc or names & KEYS:
        raise RequestError("lora_link_has_key")
    page = _HOLDS_A_PAGE.fullmatch(parts.path) if parts.hostname in {"huggingface.co", "hf.co"} else None
    path = f"{page[1]}/resolve/{page[2]}" if page else parts.path
    return parts._replace(path=path, fragment="").geturl()
