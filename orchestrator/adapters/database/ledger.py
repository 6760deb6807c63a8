"""Money in SQL."""

from datetime import UTC, datetime, timedelta

from orchestrator.adapters.database.database import Statement, Transaction
from orchestrator.adapters.database.rows import booking_row, to_micros
from orchestrator.adapters.database.statements import insert_into
from orchestrator.domain.ids import UserId
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.spend import Spent
from orchestrator.domain.session import Session
from orchestrator.ports.store import Booking, DayCost, Ledger

BOOK = insert_into("booking", ("at", "user_id", "cloud", "instance_id", "job_id", "amount"))
ADD_TO_DAY = """
    INSERT INTO booked_day (day, user_id, cloud, amount) VALUES (:day, :user_id, :cloud, :amount)
    ON CONFLICT (day, user_id, cloud) DO UPDATE SET amount = booked_day.amount + excluded.amount
"""
BOOKED = """
    SELECT
        COALESCE(SUM(CASE WHEN user_id = :user AND day >= :day THEN amount ELSE 0 END), 0) AS person_day,
        COALESCE(SUM(CASE WHEN day >= :day THEN amount ELSE 0 END), 0) AS day,
        COALESCE(SUM(CASE WHEN day >= :month THEN amount ELSE 0 END), 0) AS month
    FROM booked_day WHERE day >= :first
"""
RESERVED = """
    SELECT
        COALESCE(SUM(CASE WHEN user_id = :user THEN reserved - booked ELSE 0 END), 0) AS of_person,
        COALESCE(SUM(reserved - booked), 0) AS of_all
    FROM instance WHERE state <> 'TERMINATED' AND reserved > booked
"""
TOTAL = "SELECT COALESCE(SUM(amount), 0) AS amount FROM booking WHERE at >= :since AND at < :until"
BY_DAY = "SELECT day, cloud, user_id, amount FROM booked_day WHERE day >= :since ORDER BY day, cloud, user_id"
PICTURES = "SELECT COALESCE(SUM(image_count), 0) AS pictures FROM job WHERE state = 'SUCCEEDED' AND ended_at >= :since"

_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)

BRIDGED = """
    SELECT COALESCE(SUM(booking.amount), 0) AS amount FROM (
        SELECT id, session_id FROM job
        WHERE user_id = :user AND forgotten_at IS NULL
        ORDER BY submitted_at DESC, id DESC LIMIT :limit
    ) AS newest
    JOIN booking ON booking.job_id = newest.id
    WHERE newest.session_id = :session AND booking.job_id IS NOT NULL
"""


class SqlLedger(Ledger):
    def __init__(self, transaction: Transaction) -> None:
        self._sql = transaction

    async def book(self, booking: Booking) -> None:
        row = booking_row(booking)
        await self._sql.run(
            Statement(sql=BOOK, parameters=row),
            Statement(sql=ADD_TO_DAY, parameters=row | {"day": _day_number(booking.at)}),
        )

    async def spent(self, user: UserId, *, day: datetime, month: datetime) -> Spent:
        since = {"day": _day_number(day), "month": _day_number(month), "first": _day_number(min(day, month))}
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
        rows = await self._sql.rows(TOTAL, since=to_micros(since), until=to_micros(until))
        return MicroUsd(rows[0]["amount"])

    async def by_day(self, since: datetime) -> tuple[DayCost, ...]:
        rows = await self._sql.rows(BY_DAY, since=_day_number(since))
        return tuple(
            DayCost(
                day=(_FIRST_DAY + row["day"] * _DAY).date().isoformat(),
                cloud=row["cloud"],
                user=UserId(row["user_id"]),
                amount=MicroUsd(row["amount"]),
            )
            for row in rows
        )

    async def bridged(self, session: Session, *, of_last: int) -> MicroUsd:
        rows = await self._sql.rows(BRIDGED, user=session.user, session=session.id, limit=of_last)
        return MicroUsd(int(rows[0]["amount"]))

    async def pictures(self, since: datetime) -> int:
        return int((await self._sql.rows(PICTURES, since=to_micros(since)))[0]["pictures"])


def _day_number(at: datetime) -> int:
    """The UTC day that holds *at*, counted from 1970."""
    return (at - _FIRST_DAY) // _DAY
