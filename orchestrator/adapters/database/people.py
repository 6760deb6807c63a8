"""What people keep, in SQL."""

import json
from datetime import datetime

from orchestrator.adapters.database.database import Rows, Statement, Transaction
from orchestrator.adapters.database.profiles import choices_of, profile_from
from orchestrator.adapters.database.rows import to_micros
from orchestrator.domain.ids import ImageKey, UserId
from orchestrator.domain.people import LINK_FOR, Preset, Profile
from orchestrator.ports.store import People

PRESETS = "SELECT name, options FROM preset WHERE user_id = :user ORDER BY name"
PUT_PRESET = """
    INSERT INTO preset (user_id, name, options) VALUES (:user, :name, :options)
    ON CONFLICT (user_id, name) DO UPDATE SET options = excluded.options
"""
REMOVE_PRESET = "DELETE FROM preset WHERE user_id = :user AND name = :name RETURNING name"
BLOCKED = "SELECT word FROM blocked_word WHERE place = :place ORDER BY word"
BLOCK = "INSERT INTO blocked_word (place, word) VALUES (:place, :word) ON CONFLICT (place, word) DO NOTHING"
ALLOW = "DELETE FROM blocked_word WHERE place = :place AND word = :word RETURNING word"
PLACE_SETTING = "SELECT value FROM place_setting WHERE place = :place AND name = :name"
SET_PLACE_SETTING = """
    INSERT INTO place_setting (place, name, value) VALUES (:place, :name, :value)
    ON CONFLICT (place, name) DO UPDATE SET value = excluded.value
"""
CLAIM = "INSERT INTO claim (name, at) VALUES (:name, :at) ON CONFLICT (name) DO NOTHING RETURNING name"
FORGET_CLAIMS = "DELETE FROM claim WHERE at < :since"
IMAGES = "SELECT images FROM job WHERE user_id = :user AND image_count > 0"
# Two people who ask for the same with the same seed share a picture's bytes. Read once, when somebody is forgotten.
IMAGES_OF_OTHERS = """
    SELECT images FROM job WHERE state = 'SUCCEEDED' AND ended_at >= :first AND user_id <> :user
"""
FORGET_JOBS = """
    UPDATE job SET
        parameters = '{}', images = '[]', source = NULL, failure = NULL, origin = '', own_lora = NULL,
        idempotency_key = 'forgotten:' || id, forgotten_at = :at,
        acknowledged_at = COALESCE(acknowledged_at, :at), version = version + 1
    WHERE user_id = :user AND forgotten_at IS NULL AND state NOT IN ('QUEUED', 'RUNNING')
    RETURNING id
"""
FORGET_EVENTS = """
    UPDATE event SET details = '{}'
    WHERE subject IN (SELECT id FROM job WHERE user_id = :user)
"""
FORGET_PRESETS = "DELETE FROM preset WHERE user_id = :user"
FORGET_PERSON = (
    "DELETE FROM account_name WHERE account = :user",
    "DELETE FROM account_name WHERE account IN (SELECT account FROM account WHERE user_id = :user)",
    "DELETE FROM account WHERE user_id = :user",
    "DELETE FROM link_code WHERE user_id = :user",
    "DELETE FROM profile WHERE user_id = :user",
    "DELETE FROM lora WHERE user_id = :user",
    "DELETE FROM notice WHERE user_id = :user",
)
PERSON_OF = "SELECT user_id FROM account WHERE account = :account"
ACCOUNTS_OF = "SELECT account FROM account WHERE user_id = :user ORDER BY account"
NAME_OF = "SELECT name FROM account_name WHERE account = :account"
PUT_NAME = """
    INSERT INTO account_name (account, name, folded) VALUES (:account, :name, :folded)
    ON CONFLICT (account) DO UPDATE SET name = excluded.name, folded = excluded.folded
"""
CALLED = "SELECT account FROM account_name WHERE folded = :folded ORDER BY account LIMIT :limit"
DROP_CODE = "DELETE FROM link_code WHERE user_id = :user"
DROP_EXPIRED = "DELETE FROM link_code WHERE expires_at < :now"
PUT_CODE = "INSERT INTO link_code (code_hash, user_id, expires_at) VALUES (:code_hash, :user, :expires_at)"
TAKE_CODE = "DELETE FROM link_code WHERE code_hash = :code_hash RETURNING user_id, expires_at"
UNLINK = "DELETE FROM account WHERE account = :account RETURNING account"
PROFILE = "SELECT choices FROM profile WHERE user_id = :user"
PUT_PROFILE = """
    INSERT INTO profile (user_id, choices) VALUES (:user, :choices)
    ON CONFLICT (user_id) DO UPDATE SET choices = excluded.choices
"""
# With a new version of each row: whoever read one before the join cannot write the old name back.
JOIN = (
    "UPDATE account SET user_id = :to WHERE user_id = :joining",
    "INSERT INTO account (account, user_id, linked_at) VALUES (:joining, :to, :at)",
    "UPDATE job SET user_id = :to, version = version + 1 WHERE user_id = :joining",
    "UPDATE session SET user_id = :to, version = version + 1 WHERE user_id = :joining",
    "UPDATE instance SET user_id = :to, version = version + 1 WHERE user_id = :joining",
    "UPDATE booking SET user_id = :to WHERE user_id = :joining",
    """
    INSERT INTO booked_day (day, user_id, cloud, amount)
    SELECT day, :to, cloud, amount FROM booked_day WHERE user_id = :joining
    ON CONFLICT (day, user_id, cloud) DO UPDATE SET amount = booked_day.amount + excluded.amount
    """,
    "DELETE FROM booked_day WHERE user_id = :joining",
    """
    INSERT INTO preset (user_id, name, options)
    SELECT :to, name, options FROM preset WHERE user_id = :joining
    ON CONFLICT (user_id, name) DO NOTHING
    """,
    "DELETE FROM preset WHERE user_id = :joining",
    """
    INSERT INTO lora (user_id, name, url, size_bytes, sha256, strength, triggers)
    SELECT :to, name, url, size_bytes, sha256, strength, triggers FROM lora WHERE user_id = :joining
    ON CONFLICT (user_id, name) DO NOTHING
    """,
    "DELETE FROM lora WHERE user_id = :joining",
    "UPDATE notice SET user_id = :to WHERE user_id = :joining",
    "DELETE FROM profile WHERE user_id = :joining",
    "DELETE FROM link_code WHERE user_id = :joining",
)


class SqlPeople(People):
    def __init__(self, transaction: Transaction) -> None:
        self._sql = transaction

    async def presets(self, user: UserId) -> tuple[Preset, ...]:
        rows = await self._sql.rows(PRESETS, user=user)
        return tuple(Preset(name=row["name"], options=row["options"]) for row in rows)

    async def put_preset(self, user: UserId, preset: Preset) -> None:
        await self._sql.rows(PUT_PRESET, user=user, name=preset.name, options=preset.options)

    async def remove_preset(self, user: UserId, name: str) -> bool:
        return bool(await self._sql.rows(REMOVE_PRESET, user=user, name=name))

    async def blocked_words(self, place: str) -> tuple[str, ...]:
        return tuple(row["word"] for row in await self._sql.rows(BLOCKED, place=place))

    async def block_word(self, place: str, word: str) -> None:
        await self._sql.rows(BLOCK, place=place, word=word)

    async def allow_word(self, place: str, word: str) -> bool:
        return bool(await self._sql.rows(ALLOW, place=place, word=word))

    async def place_setting(self, place: str, name: str) -> str:
        rows = await self._sql.rows(PLACE_SETTING, place=place, name=name)
        return str(rows[0]["value"]) if rows else ""

    async def set_place_setting(self, place: str, name: str, value: str) -> None:
        await self._sql.rows(SET_PLACE_SETTING, place=place, name=name, value=value)

    async def person_of(self, account: UserId) -> UserId:
        rows = await self._sql.rows(PERSON_OF, account=account)
        return UserId(rows[0]["user_id"]) if rows else account

    async def accounts_of(self, user: UserId) -> tuple[UserId, ...]:
        return tuple(UserId(row["account"]) for row in await self._sql.rows(ACCOUNTS_OF, user=user))

    async def name_of(self, account: UserId) -> str:
        rows = await self._sql.rows(NAME_OF, account=account)
        return str(rows[0]["name"]) if rows else ""

    async def put_name(self, account: UserId, name: str) -> None:
        await self._sql.rows(PUT_NAME, account=account, name=name, folded=name.casefold())

    async def called(self, name: str, limit: int) -> tuple[UserId, ...]:
        rows = await self._sql.rows(CALLED, folded=name.casefold(), limit=limit)
        return tuple(UserId(row["account"]) for row in rows)

    async def put_link_code(self, user: UserId, code_hash: str, expires_at: datetime) -> None:
        put: dict[str, str | int] = {"code_hash": code_hash, "user": user, "expires_at": to_micros(expires_at)}
        await self._sql.run(
            Statement(sql=DROP_CODE, parameters={"user": user}),
            Statement(sql=DROP_EXPIRED, parameters={"now": to_micros(expires_at - LINK_FOR)}),
            Statement(sql=PUT_CODE, parameters=put),
        )

    async def take_link_code(self, code_hash: str, now: datetime) -> UserId | None:
        rows = await self._sql.rows(TAKE_CODE, code_hash=code_hash)
        good = [row for row in rows if row["expires_at"] >= to_micros(now)]
        return UserId(good[0]["user_id"]) if good else None

    async def join(self, joining: UserId, to: UserId, at: datetime) -> None:
        parameters: dict[str, str | int] = {"joining": joining, "to": to, "at": to_micros(at)}
        for sql in JOIN:
            used = {name: value for name, value in parameters.items() if f":{name}" in sql}
            await self._sql.run(Statement(sql=sql, parameters=used))

    async def unlink(self, account: UserId) -> bool:
        return bool(await self._sql.rows(UNLINK, account=account))

    async def profile(self, user: UserId) -> Profile:
        rows = await self._sql.rows(PROFILE, user=user)
        return profile_from(rows[0]["choices"]) if rows else Profile()

    async def put_profile(self, user: UserId, profile: Profile) -> None:
        await self._sql.rows(PUT_PROFILE, user=user, choices=choices_of(profile))

    async def claim(self, name: str, at: datetime, *, since: datetime) -> bool:
        _, taken = await self._sql.run(
            Statement(sql=FORGET_CLAIMS, parameters={"since": to_micros(since)}),
            Statement(sql=CLAIM, parameters={"name": name, "at": to_micros(at)}),
        )
        return bool(taken)

    async def pictures(self, user: UserId) -> tuple[ImageKey, ...]:
        own, others = await self._sql.run(
            Statement(sql=IMAGES, parameters={"user": user}),
            Statement(sql=IMAGES_OF_OTHERS, parameters={"user": user, "first": 0}),
        )
        return tuple(sorted(_keys(own) - _keys(others)))

    async def forget(self, user: UserId, at: datetime) -> int:
        parameters = {"user": user}
        jobs, *_ = await self._sql.run(
            Statement(sql=FORGET_JOBS, parameters=parameters | {"at": to_micros(at)}),
            Statement(sql=FORGET_EVENTS, parameters=parameters),
            Statement(sql=FORGET_PRESETS, parameters=parameters),
            *(Statement(sql=sql, parameters=parameters) for sql in FORGET_PERSON),
        )
        return len(jobs)


def _keys(rows: Rows) -> set[ImageKey]:
    return {ImageKey(key) for row in rows for key in json.loads(row["images"])}
