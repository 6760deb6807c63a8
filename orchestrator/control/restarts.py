"""
Starts the ComfyUI of a warm machine again, in place and once in the machine's life. Called by the runner alone.

What was begun is written down first: after a crash of ours the same restart is gone on with, not done twice.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.control.links import Links
from orchestrator.control.machine_agent import count_of, start_agent
from orchestrator.control.preparation import AGENT_AHEAD
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import OrchestratorError, PreparationFailed
from orchestrator.domain.ids import InstanceId, PromptId
from orchestrator.domain.instance import Instance
from orchestrator.domain.policy.mending import reason_of
from orchestrator.domain.stages import Step
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.store import Books

log = logging.getLogger(__name__)

FACT = "comfyui_restarts"
DONE = "done"


class Restarts:
    """Keeps nothing but what the books hold."""

    def __init__(self, shared: Shared, *, links: Links, agent_source: bytes, limits: PrepareLimits) -> None:
        self._shared = shared
        self._links = links
        self._agent_source = agent_source
        self._limits = limits

    async def begin(self, instance: Instance, cause: PromptId, error: OrchestratorError) -> bool:
        """
        Write down that it is to be started again because of *error*; False when it was before.

        Args:
            cause: The attempt that failed. Another one may go on with what a crash of ours has left unfinished.
        """
        why = str(reason_of(error))
        async with self._shared.store.writing() as books:
            current = await books.instances.get(instance.id)
            known = await _known(books)
            if current is None or current.is_over or known.get(instance.id) == DONE:
                return False
            kept = {name: how for name, how in known.items() if await _is_alive(books, InstanceId(name))}
            await books.set_fact(FACT, json.dumps({**kept, instance.id: cause}))
            details = {"why": why, "error": str(error)[:200], "prompt": cause}
            await books.instances.change(current, current, reason="starting ComfyUI again", details=details)
        log.warning("instance %s: starting ComfyUI again: %s (%s)", instance.id, why, error)
        return True

    async def restart(self, instance: Instance, workflow: Workflow, cause: PromptId) -> None:
        """
        End ComfyUI and start it; its port is another one afterwards.

        Raises:
            PreparationFailed: It does not come up again, or the agent does not.
            HostUnreachable: The connection broke; call again.
        """
        request = {
            "op": "restart",
            "start": workflow.runtime.start,
            "limit_s": (self._limits.comfyui - min(AGENT_AHEAD, self._limits.comfyui / 2)).total_seconds(),
            "cause": cause,
        }
        limit = self._limits.agent + self._limits.comfyui
        try:
            async with asyncio.timeout(limit.total_seconds()):
                agent = await start_agent(await self._links.host(instance), self._agent_source, self._limits.agent)
                answer = await agent.work(Step.COMFYUI, request, _ignore)
        except TimeoutError:
            raise _failed(f"not started again after {limit.total_seconds():.0f} s", "timed_out") from None
        port = count_of(answer, "port")
        if not 0 < port < 2**16:
            raise _failed(f"port {port} is none", "agent_failed")
        await self._note(instance, port)
        await self._links.drop(instance.id)

    async def _note(self, instance: Instance, port: int) -> None:
        async with self._shared.store.writing() as books:
            await books.set_fact(FACT, json.dumps({**await _known(books), instance.id: DONE}))
            current = await books.instances.get(instance.id)
            if current is not None:
                moved = replace(current, comfyui_port=port)
                await books.instances.change(current, moved, reason="started ComfyUI again", details={"port": port})


async def _known(books: Books) -> Mapping[str, str]:
    """By machine: the attempt for which it is being started again, or that it was."""
    known: Mapping[str, str] = json.loads(await books.fact(FACT) or "{}")
    return known


async def _is_alive(books: Books, name: InstanceId) -> bool:
    instance = await books.instances.get(name)
    return instance is not None and not instance.is_over


async def _ignore(_: object) -> None:
    pass


def _failed(message: str, code: str) -> PreparationFailed:
    return PreparationFailed(message, step=Step.COMFYUI, code=code)
