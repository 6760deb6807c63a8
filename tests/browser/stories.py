"""Cards in each state, as the bot sends them: what the page has to show."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

Card = dict[str, Any]

BEGIN = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
PROMPT = "a lighthouse at dusk"
STEPS = ("provision", "boot", "ssh", "agent", "comfyui", "models", "smoke")
_revisions = count(1)


def card(state: str, *, id: str = "job-1", at: int = 0, **changes: Any) -> Card:  # noqa: A002 - the JSON's own word
    """A card of *state*, asked for *at* seconds after the beginning; the newest one that exists."""
    view = VIEWS[state] | changes.pop("view", {})
    ended = state in {"succeeded", "failed", "cancelled"}
    plain: Card = {
        "id": id,
        "user": "you",
        "state": state,
        "stages": [],
        "eta_s": None,
        "cost_usd": 0,
        "images": [],
        "seed": 7,
        "served_by": None,
        "error": None,
        "created_at": (BEGIN + timedelta(seconds=at)).isoformat(),
        "ended_at": (BEGIN + timedelta(seconds=at + 14)).isoformat() if ended else None,
        "revision": next(_revisions),
        "view": {"line": "", "detail": [], "bar": None, "buttons": [], "prompt": PROMPT, "caption": ""} | view,
    }
    return plain | STATES[state] | changes


def stages(running: str | None, seconds: float = 4.2, *, failed: bool = False) -> list[dict[str, Any]]:
    """The steps of a cold start that has come to *running*; None when all are done."""
    measured = (0.8, 9.4, 2.1, 0.6, 6.3, 31.0, 3.4)
    at = STEPS.index(running) if running else len(STEPS)
    now = "failed" if failed else "running"
    states = ["done" if i < at else now if i == at else "waiting" for i in range(len(STEPS))]
    times = [measured[i] if i < at else seconds if i == at else None for i in range(len(STEPS))]
    return [{"name": n, "state": s, "seconds": t} for n, s, t in zip(STEPS, states, times, strict=True)]


def buttons(*actions: str, job: str = "job-1") -> list[dict[str, str]]:
    return [{"action": a, "label": LABELS[a], "command": COMMANDS[a].format(job=job)} for a in actions]


LABELS = {
    "cancel": "Cancel",
    "again": "Again",
    "vary": "Vary",
    "edit": "Edit",
    "keep": "Keep 30 min · $0.17",
    "release": "Release",
    "details": "Details",
}
COMMANDS = {
    "cancel": "/cancel {job}",
    "again": "/again {job}",
    "vary": "/vary {job}",
    "edit": "/imagine a lighthouse at dusk --seed 7",
    "keep": "/keep 30",
    "release": "/release",
    "details": "/details {job}",
}
CAPTION = f"{PROMPT} · 1024\N{MULTIPLICATION SIGN}1024 · seed 7"
VIEWS: dict[str, dict[str, Any]] = {
    "queued": {
        "line": "You are second in your own queue · about 40 s",
        "caption": CAPTION,
        "buttons": buttons("cancel"),
    },
    "cold_start": {
        "line": "Warming up a GPU for you · ready in 2-4 min",
        "bar": {"share": 0.36, "text": "models 12.4 of 34.5 GB, 310 MB/s"},
        "detail": ["rented RTX 4090, $0.34/h, Sweden", "so far $0.006"],
        "caption": CAPTION,
        "buttons": buttons("cancel"),
    },
    "running": {
        "line": "Painting 3 of 4 · about 6 s",
        "bar": {"share": 0.7, "text": "step 14 of 20"},
        "caption": CAPTION,
        "buttons": buttons("cancel"),
    },
    "succeeded": {
        "line": "Done in 14 s",
        "caption": f"{PROMPT} · seed 7 · 14 s · $0.0013 · your RTX 4090, warm until 14:52",
        "buttons": buttons("again", "vary", "edit", "keep", "release", "details"),
    },
    "failed": {
        "line": 'The LoRA "b0throps2" does not exist. Did you mean b0throps?',
        "detail": ["Nothing was rented and nothing was spent."],
        "buttons": buttons("edit"),
    },
    "cancelled": {
        "line": "Cancelled at 0:48 · cost $0.004",
        "caption": CAPTION,
        "buttons": buttons("again", "edit"),
    },
}
STATES: dict[str, dict[str, Any]] = {
    "queued": {"eta_s": [30, 50]},
    "cold_start": {"eta_s": [108, 212], "cost_usd": 0.006, "stages": stages("models")},
    "running": {"eta_s": [5, 8], "cost_usd": 0.0011, "stages": stages(None)},
    "succeeded": {"images": ["square-1"], "cost_usd": 0.0013, "served_by": "your RTX 4090", "stages": stages(None)},
    "failed": {"error": 'The LoRA "b0throps2" does not exist. Did you mean b0throps?'},
    "cancelled": {"cost_usd": 0.004},
}

TROUBLE: dict[str, Any] = {
    "line": "The machine vanished while loading; starting another (machine 2) · ready in 3-5 min",
    "detail": ["nothing is lost: same prompt, same seed", "rented RTX 3090, $0.21/h, Czechia", "so far $0.009"],
    "bar": None,
}


def session(now: float, **changes: Any) -> dict[str, Any]:
    """A warm machine with most of its ten minutes left."""
    plain = {
        "state": "warm",
        "machine": "RTX 4090, Sweden",
        "usd_hour": 0.34,
        "since": now - 1260,
        "warm_until": now + 512,
        "images": 6,
        "cost_usd": 0.119,
        "keep_usd_30min": 0.17,
    }
    return plain | changes


def _parameter(name: str, kind: str, title: str, **changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"default": None, "minimum": None, "maximum": None, "choices": [], "flag": name}
    return {"name": name, "kind": kind, "title": title} | plain | changes


def _workflow(name: str, title: str, *, takes_image: bool = False) -> dict[str, Any]:
    return {"name": name, "title": title, "description": "", "parameters": [], "loras": [], "takes_image": takes_image}


WORKFLOWS: list[dict[str, Any]] = [
    {
        "name": "flux-schnell-lora",
        "title": "Flux schnell",
        "description": "Text to picture in four steps, with an optional LoRA.",
        "parameters": [
            _parameter("prompt", "text", "Prompt", flag=""),
            _parameter("seed", "integer", "Seed", minimum=0, maximum=2**53),
            _parameter("steps", "integer", "Steps", default=4, minimum=1, maximum=12),
            _parameter("count", "integer", "Pictures", flag="n", default=1, minimum=1, maximum=10),
            _parameter(
                "aspect", "choice", "Aspect", flag="ar", default="1:1", choices=["1:1", "3:2", "2:3", "16:9", "9:16"]
            ),
            _parameter("lora", "lora", "LoRA", default="none"),
        ],
        "loras": ["b0throps", "inkwash", "polaroid"],
    },
    _workflow("flux-dev", "Flux dev"),
    _workflow("flux-schnell-img2img", "Vary", takes_image=True),
]
