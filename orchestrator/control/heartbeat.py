"""
Tells each machine that we are still there; one that hears nothing for too long ends itself.

The switch on the machine is a process of its own (see the cloud's adapter): what is written here is one small file,
over the connection that is open anyway. A switch that was killed is started again by the next heartbeat.
"""

import asyncio
import logging
from datetime import timedelta

from orchestrator.control.links import Links
from orchestrator.control.loop import Workers
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import HostUnreachable
from orchestrator.domain.ids import InstanceId
from orchestrator.domain.instance import Instance, InstanceState

log = logging.getLogger(__name__)

FED = InstanceState.PREPARING, InstanceState.READY, InstanceState.DRAINING
"""Before, nobody can log in; after, its end is wanted, and the switch may help."""

BEATS = 10
"""In the silence that is allowed: some may be lost."""

LIMIT = timedelta(seconds=10)

STALE = timedelta(minutes=2)
"""Machines are booked each minute while one lives."""

FEED = """
state="${GLOWPLUG_ROOT:-$HOME}/glowplug"
umask 077
mkdir -p "$state" && touch "$state/heartbeat" || exit 1
[ -e "$state/guard.sh" ] || { echo none; exit 0; }
grep -qs guard.sh "/proc/$(cat "$state/guard.pid" 2>/dev/null)/cmdline" && { echo on; exit 0; }
$(command -v setsid || command -v nohup) sh "$state/guard.sh" "$state" < /dev/null > /dev/null 2>&1 &
echo restarted
"""
"""The number of a process may be another's by now, so its name is looked at, too."""


class Heartbeat:
    """The loop's step: one worker a machine, for one heartbeat."""

    def __init__(self, shared: Shared, *, links: Links, group: asyncio.TaskGroup) -> None:
        self._shared = shared
        self._links = links
        self._workers = Workers("heartbeat", group, wakeup=shared.wakeups.heartbeat, keys="instance")
        self._due: dict[InstanceId, float] = {}

    async def step(self) -> timedelta | None:
        """Feed every machine that is due."""
        async with self._shared.store.reading() as books:
            fed = await books.instances.in_states(*FED)
            painting = {job.instance for job in await books.jobs.running()}
        can_end = self._can_end_machines()
        reachable = [
            instance for instance in fed if instance.host_key is not None and (can_end or instance.id in painting)
        ]
        alive = {instance.id for instance in reachable}
        self._due = {machine: at for machine, at in self._due.items() if machine in alive}
        now = asyncio.get_running_loop().time()
        for instance in reachable:
            if self._due.get(instance.id, now) <= now:
                self._workers.ensure(instance.id, lambda i=instance: self._feed(i))  # type: ignore[misc]
        if not fed:
            return None
        soon = now + self._every.total_seconds() / 4  # one that cannot be reached yet may be by then
        soonest = soon if len(reachable) < len(fed) else min(self._due.get(each.id, soon) for each in reachable)
        return timedelta(seconds=max(soonest - now, 1.0))

    def _can_end_machines(self) -> bool:
        """
        Whether the books take anything in: an end has to be written down before it is ordered.

        On a disk that stays full nobody ends idle machines, so they are left to their switches; one that paints is
        not, for its picture is to be fetched when there is room.
        """
        booked_at = self._shared.board.booked_at
        silent = self._shared.limits.dead_man + STALE
        return booked_at is None or asyncio.get_running_loop().time() - booked_at < silent.total_seconds()

    @property
    def _every(self) -> timedelta:
        return self._shared.limits.dead_man / BEATS

    async def _feed(self, instance: Instance) -> None:
        """Send one; a machine that cannot be reached is somebody else's trouble, and its switch goes on counting."""
        self._due[instance.id] = asyncio.get_running_loop().time() + self._every.total_seconds() / 4
        try:
            host = await self._links.host(instance)
            done = await host.run(FEED, limit=LIMIT)
        except HostUnreachable as error:
            log.debug("no heartbeat to instance %s: %s", instance.id, error)
            return
        if done.status == 0:
            self._shared.board.note_heard(instance.id, self._shared.clock.now())
            self._due[instance.id] = asyncio.get_running_loop().time() + self._every.total_seconds()
        self._note(instance, done.stdout.split()[-1:])

    def _note(self, instance: Instance, said: list[str]) -> None:
        if said == ["restarted"]:
            log.warning("the dead-man's switch of instance %s had ended and was started again", instance.id)
        elif said != ["on"] and self._shared.board.note_unguarded(instance.id):
            log.info("instance %s has no dead-man's switch; only the reconciler ends it", instance.id)
