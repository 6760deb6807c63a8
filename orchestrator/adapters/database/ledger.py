"""Money in SQL."""

from datetime import datetime, timedelta

from orchestrator.adapters.database.database import Statement, Transaction
from orchestrator.adapters.database.rows import booking_row, from_micros, to_micros
from orchestrator.adapters.database.statements import insert_into
from orchestrator.domain.ids import UserId
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.spend import Spent
from orchestrator.ports.store import Booking, DayCost, Ledger

BOOK = insert_into("booking", ("at", "user_id", "cloud", "instance_id", "job_id", "amount"))
BOOKED = """
    SELECT
        COALESCE(SUM(CASE WHEN user_id = :user AND at >= :day THEN amount ELSE 0 END), 0) AS person_day,
        COALESCE(SUM(CASE WHEN at >= :day THEN amount ELSE 0 END), 0) AS day,
        COALESCE(SUM(CASE WHEN at >= :month THEN amount ELSE 0 END), 0) AS month
    FROM booking WHERE at >= :first
"""
RESERVED = """
    SELECT
        COALESCE(SUM(CASE WHEN user_id = :user THEN reserved - booked ELSE 0 END), 0) AS of_person,
        COALESCE(SUM(reserved - booked), 0) AS of_all
    FROM instance WHERE state <> 'TERMINATED' AND reserved > booked
"""
TOTAL = "SELECT COALESCE(SUM(amount), 0) AS amount FROM booking WHERE at >= :since AND at < :until"
BY_DAY = """
    SELECT at / :day AS day, cloud, user_id, SUM(amount) AS amount
    FROM booking WHERE at >= :since
    GROUP BY at / :day, cloud, user_id
    ORDER BY day, cloud, user_id
"""
PICTURES = "SELECT COALESCE(SUM(image_count), 0) AS pictures FROM job WHERE state = 'SUCCEEDED' AND ended_at >= :since"

_DAY_MICROS = timedelta(days=1) // timedelta(microseconds=1)


class SqlLedger(Ledger):
    def __init__(self, transaction: Transaction) -> None:
        self._sql = transaction

    async def book(self, booking: Booking) -> None:
        await self._sql.run(Statement(sql=BOOK, parameters=booking_row(booking)))

    async def spent(self, user: UserId, *, day: datetime, month: datetime) -> Spent:
        since = {"day": to_micros(day), "month": to_micros(month), "first": to_micros(min(day, month))}
        (booked,), (reserved,) = await self._sql.run(
            Statement(sql=BOOKED, parameters={"user": user, **since}),
            Statement(sql=RESERVED, parameters={"user": user}),
        )
        return Spent(
            person_day=MicroUsd(booked["person_day"] + reserved["of_person"]),
            day=MicroUsd(booked["day"] + reserved["of_all"]),
            month=MicroUsd(booked["month"] + reserved["of_all"]),
        )

    async def total(self, since: datetime, until: datetime) -> MicroUsd:
        """Booked from *since* on and before *until*."""
        rows = await self._sql.rows(TOTAL, since=to_micros(since), until=to_micros(until))
        return MicroUsd(rows[0]["amount"])

    async def by_day(self, since: datetime) -> tuple[DayCost, ...]:
        rows = await self._sql.rows(BY_DAY, day=_DAY_MICROS, since=to_micros(since))
        return tuple(
            DayCost(
                day=from_micros(row["day"] * _DAY_MICROS).date().isoformat(),
                cloud=row["cloud"],
                user=UserId(row["user_id"]),
                amount=MicroUsd(row["amount"]),
            )
            for row in rows
        )

    async def pictures(self, since: datetime) -> int:
        return int((await self._sql.rows(PICTURES, since=to_micros(since)))[0]["pictures"])
