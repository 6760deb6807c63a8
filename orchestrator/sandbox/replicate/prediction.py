"""One order and its course."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

NSFW = "All generated images contained NSFW content. Try running it again with a different prompt."
ENDS = frozenset({"succeeded", "failed", "canceled", "aborted"})


@dataclass(slots=True, kw_only=True)
class Prediction:
    """
    One order, as one can look at it.

    Attributes:
        origin: The address at which its person reached us; its links begin with it.
        pictures: What is behind the links of its output.
        is_listed: Whether the list of orders shows it.
        shown: Set whenever there is something new to see: output or an end.
    """

    id: str
    model: str
    input: Mapping[str, Any]
    origin: str
    created_at: datetime
    deadline: datetime | None = None
    status: str = "starting"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    logs: str = ""
    pictures: Sequence[bytes] = ()
    form: str = "png"
    has_output: bool = False
    data_removed: bool = False
    is_listed: bool = True
    shown: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        return self.status in ENDS

    def begin(self, now: datetime) -> None:
        self.status, self.started_at = "processing", now

    def show(self, pictures: Sequence[bytes]) -> None:
        """The output is there, whatever the status says."""
        self.pictures, self.has_output = pictures, True
        self.shown.set()

    def end(self, status: str, now: datetime, error: str | None = None) -> None:
        """Move to an end; silent when it is over."""
        if not self.is_over:
            self.status, self.completed_at, self.error = status, now, error
        self.shown.set()

    def forget(self) -> None:
        """Delete what was ordered and made, as is done an hour after the end."""
        self.pictures, self.has_output, self.data_removed = (), False, True
        self.input, self.logs = {}, ""

    def as_json(self) -> dict[str, Any]:
        """What the API shows of it: the types of replicate/replicate-python-beta (48e138a)."""
        here = f"{self.origin}/v1/predictions/{self.id}"
        shown: dict[str, Any] = {
            "id": self.id,
            "model": self.model,
            "version": "hidden",
            "input": dict(self.input),
            "logs": self.logs,
            "output": self._links() if self.has_output else None,
            "data_removed": self.data_removed,
            "error": self.error,
            "status": self.status,
            "created_at": _text(self.created_at),
            "started_at": _text(self.started_at),
            "completed_at": _text(self.completed_at),
            "urls": {"get": here, "cancel": f"{here}/cancel", "web": f"{self.origin}/p/{self.id}"},
            "metrics": self._metrics(),
        }
        return shown | ({} if self.deadline is None else {"deadline": _text(self.deadline)})

    def _links(self) -> list[str]:
        return [f"{self.origin}/files/{self.id}/out-{index}.{self.form}" for index in range(len(self.pictures))]

    def _metrics(self) -> dict[str, float]:
        if self.started_at is None or self.completed_at is None:
            return {}
        return {
            "predict_time": (self.completed_at - self.started_at).total_seconds(),
            "total_time": (self.completed_at - self.created_at).total_seconds(),
            "image_count": len(self.pictures),
        }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
