"""
Our agent on one machine, over SSH: brought up, and asked to work. Called by the preparer alone.

Everything that it says comes from a machine that we do not trust: it is parsed, bounded and never believed to be text
for a terminal.
"""

import json
import re
import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from orchestrator.domain.errors import PreparationFailed
from orchestrator.domain.stages import Step
from orchestrator.ports.host import Host

ROOT_MARK = "glowplug-root:"
START = f"""
set -e
root="${{GLOWPLUG_ROOT:-$HOME}}"
umask 077
mkdir -p "$root/glowplug"
cat > "$root/glowplug/agent.py.$$"
mv "$root/glowplug/agent.py.$$" "$root/glowplug/agent.py"
echo "{ROOT_MARK}$root"
exec python3 "$root/glowplug/agent.py" start --root "$root"
"""
GONE = "agent_gone"
"""The agent has ended, or was ended, in the middle of its work: start it again and ask again."""

MODELS_FOLDER = "comfyui/models"
"""Below the agent's root."""

MOST_FETCHED = 3
"""A machine says how much it has downloaded, and tariffs bill it: so many times the files, and no more, is believed."""

MOST_DETAIL = 300
LONGEST_NAME = 200
MOST_LINES = 100_000
"""Ten times what a download of 45 minutes says. A machine that talks on only keeps our processor busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    How far a download is.

    Attributes:
        file: The first one that is not there yet, in the order in which they were asked for.
    """

    bytes_done: int
    bytes_total: int
    rate_bps: int
    file: str = ""

    def with_more(self, count: int) -> "Progress":
        """With so many bytes beside it that have come by the same link."""
        return replace(self, bytes_done=self.bytes_done + count, bytes_total=self.bytes_total + count)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMoved:
    """The agent has begun or ended one step of a longer work."""

    step: Step
    is_done: bool


Event = Progress | StepMoved
Request = Mapping[str, object]
Answer = Mapping[str, Any]
OnEvent = Callable[[Event], Awaitable[None]]


class MachineAgent:
    """The agent of one machine; built by :func:`start_agent`."""

    def __init__(self, host: Host, root: str) -> None:
        self._host = host
        self._command = f"exec python3 {shlex.quote(f'{root}/glowplug/agent.py')} call --root {shlex.quote(root)}"

    async def work(self, step: Step, request: Request, on_event: OnEvent) -> Answer:
        """
        Have *request* worked on until it is done; joins the same work when it is under way already.

        Losing the connection or cancelling this ends the asking, not the work.

        Raises:
            PreparationFailed: With the agent's own code, or ``agent_gone``.
            HostUnreachable: The connection broke.
        """
        asked = json.dumps(request).encode() + b"\n"
        said_lines = 0
        async with self._host.converse(self._command, stdin=asked) as lines:
            async for line in lines:
                said_lines += 1
                if said_lines > MOST_LINES:
                    raise PreparationFailed("the agent talks without end", step=step, code="agent_failed")
                said = _parsed(step, line)
                match said.get("event"):
                    case "done":
                        return said
                    case "failed":
                        raise _failure(step, said)
                    case _:
                        event = _event(said)
                        if event is not None:
                            await on_event(event)
        raise PreparationFailed("the agent ended in the middle of its work", step=step, code=GONE)


async def start_agent(host: Host, source: bytes, limit: timedelta) -> MachineAgent:
    """
    Put the agent onto the machine and have it run; one that runs already in this version is kept.

    Raises:
        PreparationFailed: The machine cannot run it.
        HostUnreachable: The connection broke.
    """
    done = await host.run(START, stdin=source, limit=limit)
    roots = [line.removeprefix(ROOT_MARK) for line in done.stdout.splitlines() if line.startswith(ROOT_MARK)]
    if done.status != 0 or not roots:
        full = "No space left" in done.stderr or "File too large" in done.stderr
        code = "disk_full" if full else "no_python" if done.status == 127 else "agent_failed"
        raise PreparationFailed(
            f"status {done.status}: {printable(done.stderr or done.stdout)}", step=Step.AGENT, code=code
        )
    return MachineAgent(host, roots[-1])


def printable(text: object) -> str:
    """What a machine said, short and without anything that moves a cursor."""
    flat = "".join(char if char.isprintable() else " " for char in str(text)[-4 * MOST_DETAIL :])
    return " ".join(flat.split())[-MOST_DETAIL:]


def count_of(said: Answer, name: str) -> int:
    """A number of bytes that a machine claims; anything else reads as 0."""
    value = said.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def _parsed(step: Step, line: str) -> Answer:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise PreparationFailed(f"the agent said {printable(line)!r}", step=step, code="agent_failed")
    return said


def _failure(step: Step, said: Answer) -> PreparationFailed:
    code = said.get("code")
    known = isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code)
    return PreparationFailed(printable(said.get("detail", "")), step=step, code=str(code) if known else "agent_failed")


def _event(said: Answer) -> Event | None:
    match said:
        case {"event": "progress"}:
            return Progress(
                bytes_done=count_of(said, "bytes"),
                bytes_total=count_of(said, "total"),
                rate_bps=count_of(said, "rate"),
                file=str(said.get("file", ""))[:LONGEST_NAME],
            )
        case {"event": "step", "step": str(name), "state": str(state)} if name in set(Step):
            return StepMoved(step=Step(name), is_done=state == "done")
        case _:
            return None  # a newer agent may say more
