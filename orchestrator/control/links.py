"""
Open connections to our machines: one SSH connection and one ComfyUI socket each.

The provisioner opens the first, the runner uses both. Nothing here must last: whatever is lost is opened again.
"""

import asyncio
import logging
from datetime import timedelta

from orchestrator.domain.errors import ComfyUnavailable, HostUnreachable, OrchestratorError
from orchestrator.domain.ids import InstanceId
from orchestrator.domain.instance import Instance
from orchestrator.ports.comfy import Comfy, ComfyConnector
from orchestrator.ports.host import Host, HostConnector

log = logging.getLogger(__name__)


class Links:
    """The connections by instance. Every method may be called from any task."""

    def __init__(
        self, *, hosts: HostConnector, comfies: ComfyConnector, group: asyncio.TaskGroup, connect_limit: timedelta
    ) -> None:
        self._hosts = hosts
        self._comfies = comfies
        self._group = group
        self._limit = connect_limit
        self._open_hosts: dict[InstanceId, Host] = {}
        self._open_comfies: dict[InstanceId, asyncio.Future[Comfy]] = {}
        self._keepers: dict[InstanceId, asyncio.Task[None]] = {}
        self._locks: dict[InstanceId, asyncio.Lock] = {}

    async def host(self, instance: Instance) -> Host:
        """
        The SSH connection to *instance*, opened if there is none.

        Raises:
            HostUnreachable: One try was made and failed.
        """
        async with self._locks.setdefault(instance.id, asyncio.Lock()):
            host = self._open_hosts.get(instance.id)
            if host is not None and host.is_open:
                return host
            if instance.address is None:
                raise HostUnreachable(f"instance {instance.id} has no address yet")
            host = await self._hosts.connect(instance.address, host_key=instance.host_key, limit=self._limit)
            self._open_hosts[instance.id] = host
            return host

    async def comfy(self, instance: Instance) -> Comfy:
        """
        The ComfyUI of *instance* through its tunnel.

        Raises:
            HostUnreachable: SSH does not get through.
            ComfyUnavailable: SSH does, ComfyUI does not answer.
        """
        ready = self._open_comfies.get(instance.id)
        if ready is None:
            ready = self._open_comfies[instance.id] = asyncio.get_running_loop().create_future()
            self._keepers[instance.id] = self._group.create_task(
                self._keep_comfy(instance, ready), name=f"link:{instance.id}"
            )
        try:
            async with asyncio.timeout(self._limit.total_seconds()):
                return await asyncio.shield(ready)
        except TimeoutError:
            raise ComfyUnavailable(f"ComfyUI of instance {instance.id} did not answer in time") from None

    async def _keep_comfy(self, instance: Instance, ready: asyncio.Future[Comfy]) -> None:
        """Own the socket from its opening to its end: a context must be left by the task that entered it."""
        try:
            host = await self.host(instance)
            tunnel = await host.tunnel(instance.comfyui_port)
            async with self._comfies.connect(tunnel) as comfy:
                ready.set_result(comfy)
                await host.wait_closed()
        except OrchestratorError as error:
            if not ready.done():
                ready.set_exception(error)
            log.info("link to instance %s ended: %s", instance.id, error)
        except Exception as error:
            if ready.done():
                log.exception("link to instance %s ended in a way that we did not expect", instance.id)
            else:
                ready.set_exception(error)  # to whoever asked: here it would end every other task, too
        finally:
            if not ready.done():
                ready.set_exception(HostUnreachable(f"the link to instance {instance.id} was dropped"))
            ready.exception()  # whoever asked has been told; nobody asking is no fault
            if self._open_comfies.get(instance.id) is ready:
                self._forget_comfy(instance.id)

    async def drop(self, instance: InstanceId) -> None:
        """Close what is open to *instance*; the next call opens it anew."""
        if keeper := self._forget_comfy(instance):
            keeper.cancel()
        if host := self._open_hosts.pop(instance, None):
            await host.close()
        self._locks.pop(instance, None)

    def _forget_comfy(self, instance: InstanceId) -> asyncio.Task[None] | None:
        """From now on nobody is given the socket that is, or is about to be, closed."""
        self._open_comfies.pop(instance, None)
        return self._keepers.pop(instance, None)

    async def close(self) -> None:
        for instance in sorted(self._open_hosts | self._keepers):
            await self.drop(instance)
