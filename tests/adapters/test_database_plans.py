"""A thousand sessions are not scanned: how SQLite finds the rows of each query that loops ask often."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from orchestrator.adapters.database import instances, jobs, keeping, ledger, notices, people, sessions, store
from orchestrator.adapters.database.store import open_store_inline
from tests.contract.samples import HandClock

SEARCHES = re.compile(r"\s*(SELECT|UPDATE|DELETE|INSERT[^;]*\bSELECT)")


def statements() -> Iterator[tuple[str, str]]:
    """Every statement that looks for rows, by its name; those of a list carry their place in it."""
    for module in (jobs, sessions, instances, ledger, notices, people, keeping, store):
        for name, value in vars(module).items():
            parts = {"": value} if isinstance(value, str) else {}
            parts |= {f"[{place}]": part for place, part in enumerate(value)} if isinstance(value, tuple) else {}
            for place, text in parts.items():
                if name.isupper() and SEARCHES.match(str(text)):
                    yield f"{module.__name__.rpartition('.')[2]}.{name}{place}", text


QUERIES = dict(statements())
ONE_ROW = "SCAN CONSTANT ROW"

WHOLE_INDEX = {
    "jobs.RUNNING": "job_running",
    "jobs.BRIDGEABLE": "job_queued",
    "jobs.BEHIND": "job_queued",
    "jobs.COUNT": "job_unfinished_of_user",
    "jobs.COUNT_IMAGES": "newest",  # as many jobs as its inner query has chosen
    "ledger.BRIDGED": "newest",  # the same
    "sessions.NOT_CLOSED": "session_not_closed",
    "sessions.BUSY": "job_unfinished",
    "sessions.BRIDGED": "session_bridged",
    "instances.LIVE": "instance_reserved",
    "instances.STAGE_TIMES": "ready",  # the few machines that its inner query has chosen
    "instances.START_TIMES": "ready",  # the same
    "ledger.RESERVED": "instance_reserved",
    "keeping.SOURCES": "job_unfinished_of_user",
    "notices.UNACKNOWLEDGED": "notice_untold",
}
"""Queries whose answer is everything in a partial index, which holds just the rows that matter."""

SORTED = {
    "jobs.NEXT_JOBS",  # the free machines that have a job
    "jobs.THEIR_INSTANCES",
    "instances.GIVEN_UP_LAST",  # the machines of one session
    "instances.GIVEN_UP_SINCE",  # ties of one microsecond
    "instances.STAGE_TIMES",
    "instances.START_TIMES",
    "ledger.BY_DAY",  # one day's rows
}
"""Queries that sort a few rows themselves."""


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    async with open_store_inline(tmp_path / "books.db", HandClock()):
        pass
    opened = sqlite3.connect(tmp_path / "books.db")
    yield opened
    opened.close()


def plan(connection: sqlite3.Connection, query: str) -> list[str]:
    parameters = dict.fromkeys(re.findall(r":(\w+)", query), 1)
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", parameters)]


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_searches_by_an_index(connection: sqlite3.Connection, name: str) -> None:
    scans = [step for step in plan(connection, QUERIES[name]) if step.startswith("SCAN") and step != ONE_ROW]

    allowed = WHOLE_INDEX.get(name)
    assert all(allowed is not None and re.search(rf"\b{allowed}$", step) for step in scans)


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_finds_its_rows_in_their_order(connection: sqlite3.Connection, name: str) -> None:
    sorts = [step for step in plan(connection, QUERIES[name]) if "TEMP B-TREE" in step]

    assert not sorts or name in SORTED


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("jobs.UNFINISHED", "job_unfinished (session_id=?)"),
        ("jobs.COUNT_OF_USER", "job_unfinished_of_user (user_id=? AND state=?)"),
        ("jobs.NEXT_JOBS", "job_next (session_id=?)"),
        ("jobs.NEXT_JOBS", "job_running_on (instance_id=?)"),
        ("jobs.BRIDGEABLE", "instance_ready (session_id=? AND state=?)"),
        ("jobs.BEHIND", "instance_ready (session_id=? AND state=?)"),
        ("jobs.PAGE", "job_newest ((submitted_at,id)<(?,?))"),
        ("jobs.PAGE_OF_USER", "job_newest_of_user (user_id=? AND (submitted_at,id)<(?,?))"),
        ("jobs.ASKED", "job_newest ((submitted_at,id)>(?,?))"),
        ("jobs.UNACKNOWLEDGED", "job_untold (ended_at>?)"),
        ("sessions.ACTIVE_OF", "session_active (user_id=?)"),
        ("sessions.DUE", "session_due (due_at<?)"),
        ("instances.OF_SESSION", "instance_live (session_id=?)"),
        ("instances.ORDERED_AND_GIVEN_UP", "instance_lost (session_id=? AND given_up_at>?)"),
        ("instances.OF_CLOUD", "instance_of_cloud (cloud=?)"),
        ("instances.BY_REF", "instance_ref (cloud=? AND ref=?)"),
        ("instances.GIVEN_UP_SINCE", "instance_mark (state_since>?)"),
        ("instances.LINKS", "stage_link (ended_at>?)"),
        ("ledger.BOOKED", "PRIMARY KEY (day>?)"),
        ("ledger.TOTAL", "booking_at (at>? AND at<?)"),
    ],
)
async def test_a_query_uses_the_index_made_for_it(connection: sqlite3.Connection, name: str, index: str) -> None:
    """A wider index would do too, and read a person's whole history."""
    assert any(step.endswith(index) for step in plan(connection, QUERIES[name]))
