"""Machines of ours in SQL, with the steps of their cold starts."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from orchestrator.adapters.database.database import Rows, Statement, Transaction
from orchestrator.adapters.database.instance_rows import (
    INSTANCE_COLUMNS,
    instance_row,
    link_from,
    outcome_from,
    read_instance,
    read_stage,
    stage_row,
)
from orchestrator.adapters.database.moves import Chronicle
from orchestrator.adapters.database.rows import to_micros
from orchestrator.adapters.database.statements import change_row, compare_and_set, insert_into, record
from orchestrator.domain.ids import CloudName, CloudRef, InstanceId, LaunchKey, SessionId
from orchestrator.domain.instance import BLAMELESS, EndReason, Instance, InstanceState
from orchestrator.domain.policy.memory import Outcome
from orchestrator.domain.policy.wire import INSTALL, Link, StartTimes
from orchestrator.domain.stages import Stage, Step
from orchestrator.ports.clock import Clock
from orchestrator.ports.store import Details, Instances

INSERT = insert_into("instance", INSTANCE_COLUMNS)
UPDATE = compare_and_set("instance", INSTANCE_COLUMNS)
_INSTALL = ", ".join(f"'{step}'" for step in sorted(INSTALL))
GET = "SELECT * FROM instance WHERE id = :id"
LIVE = "SELECT * FROM instance WHERE state <> 'TERMINATED'"
OVER = "SELECT * FROM instance WHERE state = 'TERMINATED'"
OF_CLOUD = """
    SELECT * FROM instance
    WHERE cloud = :cloud AND state NOT IN ('PLANNED', 'TERMINATED')
    ORDER BY created_at, id
"""
OF_SESSION = """
    SELECT * FROM instance
    WHERE session_id = :session AND state <> 'TERMINATED'
    ORDER BY created_at, id
"""
GIVEN_UP_LAST = """
    SELECT * FROM instance
    WHERE session_id = :session AND end_reason IS NOT NULL AND state IN ('TERMINATING', 'TERMINATED')
    ORDER BY COALESCE(ended_at, state_since) DESC, id DESC LIMIT 1
"""
ORDERED_AND_GIVEN_UP = """
    SELECT * FROM instance
    WHERE session_id = :session AND ordered_at IS NOT NULL AND given_up_at >= :since
    ORDER BY given_up_at, id
"""
BY_LAUNCH_KEY = "SELECT * FROM instance WHERE launch_key = :key"
BY_REF = "SELECT * FROM instance WHERE cloud = :cloud AND ref = :ref ORDER BY created_at, id"
GIVEN_UP_SINCE = """
    SELECT cloud, machine, host, end_reason, proved_at, COALESCE(ended_at, state_since) AS at FROM instance
    WHERE end_reason IS NOT NULL AND machine IS NOT NULL AND state_since >= :since
    ORDER BY state_since DESC, id DESC LIMIT :limit
"""
LINKS = """
    SELECT instance.cloud, instance.machine, instance.host, instance.offer, stage.ended_at, stage.rate_bps
    FROM stage JOIN instance ON instance.id = stage.instance_id
    WHERE stage.rate_bps > 0 AND stage.ended_at >= :since AND instance.offer IS NOT NULL
    ORDER BY stage.ended_at DESC, stage.instance_id DESC, stage.step DESC LIMIT :limit
"""
SETTLED = """
    SELECT id FROM instance
    WHERE ordered_at IS NOT NULL AND COALESCE(proved_at, given_up_at) > 0
    ORDER BY COALESCE(proved_at, given_up_at) DESC, id DESC LIMIT :limit
"""
STAGES = "SELECT * FROM stage WHERE instance_id = :instance"
RECORD_STAGE = """
    INSERT INTO stage (instance_id, step, state, started_at, ended_at, bytes_done, bytes_total, rate_bps)
    VALUES (:instance_id, :step, :state, :started_at, :ended_at, :bytes_done, :bytes_total, :rate_bps)
    ON CONFLICT (instance_id, step) DO UPDATE SET
        state = excluded.state, started_at = excluded.started_at, ended_at = excluded.ended_at,
        bytes_done = excluded.bytes_done, bytes_total = excluded.bytes_total, rate_bps = excluded.rate_bps
"""
COLD_STARTS = """
    SELECT ready_at - ordered_at AS micros FROM instance
    WHERE cloud = :cloud AND ready_at IS NOT NULL
    ORDER BY ready_at DESC, id DESC LIMIT :limit
"""
STAGE_TIMES = """
    SELECT stage.step, stage.ended_at - stage.started_at AS micros
    FROM (
        SELECT id, ready_at FROM instance
        WHERE cloud = :cloud AND ready_at IS NOT NULL
        ORDER BY ready_at DESC, id DESC LIMIT :limit
    ) AS ready
    JOIN stage ON stage.instance_id = ready.id
    WHERE stage.state = 'done' AND stage.ended_at IS NOT NULL AND stage.started_at IS NOT NULL
    ORDER BY ready.ready_at DESC, ready.id DESC, stage.step
"""
START_TIMES = f"""
    SELECT ready.ready_at - ready.ordered_at AS total,
        MAX(CASE WHEN stage.step = 'models' THEN stage.ended_at - stage.started_at END) AS models,
        MAX(CASE WHEN stage.step IN ({_INSTALL}) THEN stage.ended_at END)
            - MIN(CASE WHEN stage.step IN ({_INSTALL}) THEN stage.started_at END) AS install
    FROM (
        SELECT id, ordered_at, ready_at FROM instance
        WHERE cloud = :cloud AND ready_at IS NOT NULL
        ORDER BY ready_at DESC, id DESC LIMIT :limit
    ) AS ready
    JOIN stage ON stage.instance_id = ready.id
    WHERE stage.state = 'done' AND ready.ordered_at IS NOT NULL
    GROUP BY ready.id
"""  # noqa: S608 - names of steps

_NOT_THE_MACHINE = BLAMELESS | {
    EndReason.ACCOUNT,
    EndReason.NO_OFFER,
    EndReason.OFFER_GONE,
    EndReason.CLOUD_UNAVAILABLE,
    EndReason.LAUNCH_LOST,
}
"""Ends that speak against nobody, against the cloud or against us, but not against that machine."""

_ORDER = {step: place for place, step in enumerate(Step)}


class SqlInstances(Instances):
    def __init__(self, transaction: Transaction, clock: Clock) -> None:
        self._sql = transaction
        self._chronicle = Chronicle("instance", clock)

    async def add(self, instance: Instance, *, reason: str) -> None:
        event = self._chronicle.began(instance, reason)
        await self._sql.run(Statement(sql=INSERT, parameters=instance_row(instance)), record(event))

    async def get(self, instance: InstanceId) -> Instance | None:
        return _first(await self._sql.rows(GET, id=instance))

    async def change(
        self, before: Instance, after: Instance, *, reason: str, details: Details | None = None
    ) -> Instance:
        row = instance_row(after) | {"version": before.version}
        event = self._chronicle.moved(before, after, reason, details)
        written = await change_row(self._sql, Statement(sql=UPDATE, parameters=row, must_match=True), event)
        return replace(after, version=written["version"])

    async def in_states(self, *states: InstanceState) -> tuple[Instance, ...]:
        rows = await self._sql.rows(LIVE)  # few, and quicker than a search for each state
        if InstanceState.TERMINATED in states:
            rows = [*rows, *await self._sql.rows(OVER)]
        found = [read_instance(row) for row in rows if row["state"] in states]
        return tuple(sorted(found, key=lambda instance: (instance.created_at, instance.id)))

    async def of_cloud(self, cloud: CloudName) -> tuple[Instance, ...]:
        return _all(await self._sql.rows(OF_CLOUD, cloud=cloud))

    async def by_launch_key(self, key: LaunchKey) -> Instance | None:
        return _first(await self._sql.rows(BY_LAUNCH_KEY, key=key))

    async def by_ref(self, cloud: CloudName, ref: CloudRef) -> tuple[Instance, ...]:
        return _all(await self._sql.rows(BY_REF, cloud=cloud, ref=ref))

    async def given_up(self, session: SessionId, since: datetime) -> tuple[Instance, ...]:
        return _all(await self._sql.rows(ORDERED_AND_GIVEN_UP, session=session, since=to_micros(since)))

    async def outcomes(self, since: datetime, limit: int) -> tuple[Outcome, ...]:
        rows = await self._sql.rows(GIVEN_UP_SINCE, since=to_micros(since), limit=limit)
        failed = [row["end_reason"] not in _NOT_THE_MACHINE for row in rows]
        return tuple(
            outcome_from(row, worked=not has_failed)
            for row, has_failed in zip(rows, failed, strict=True)
            if has_failed or row["proved_at"] is not None
        )

    async def links(self, since: datetime, limit: int) -> tuple[Link, ...]:
        return tuple(link_from(row) for row in await self._sql.rows(LINKS, since=to_micros(since), limit=limit))

    async def settled(self, limit: int) -> tuple[InstanceId, ...]:
        return tuple(InstanceId(row["id"]) for row in await self._sql.rows(SETTLED, limit=limit))

    async def stages(self, instance: InstanceId) -> tuple[Stage, ...]:
        found = [read_stage(row) for row in await self._sql.rows(STAGES, instance=instance)]
        return tuple(sorted(found, key=lambda stage: _ORDER[stage.step]))

    async def record_stage(self, instance: InstanceId, stage: Stage) -> None:
        await self._sql.run(Statement(sql=RECORD_STAGE, parameters=stage_row(instance, stage)))

    async def cold_starts(self, cloud: CloudName, limit: int) -> tuple[float, ...]:
        rows = await self._sql.rows(COLD_STARTS, cloud=cloud, limit=limit)
        return tuple(row["micros"] / 1_000_000 for row in rows)

    async def stage_seconds(self, cloud: CloudName, limit: int) -> Mapping[str, tuple[float, ...]]:
        """Of each step, the newest machine's time first."""
        seconds: defaultdict[str, list[float]] = defaultdict(list)
        for row in await self._sql.rows(STAGE_TIMES, cloud=cloud, limit=limit):
            seconds[row["step"]].append(row["micros"] / 1_000_000)
        return {step: tuple(times) for step, times in seconds.items()}

    async def start_times(self, cloud: CloudName, limit: int) -> tuple[StartTimes, ...]:
        rows = await self._sql.rows(START_TIMES, cloud=cloud, limit=limit)
        return tuple(
            StartTimes(
                total=row["total"] / 1_000_000,
                models=(row["models"] or 0) / 1_000_000,
                install=(row["install"] or 0) / 1_000_000,
            )
            for row in rows
        )


def _first(rows: Rows) -> Instance | None:
    return read_instance(rows[0]) if rows else None


def _all(rows: Rows) -> tuple[Instance, ...]:
    return tuple(read_instance(row) for row in rows)
