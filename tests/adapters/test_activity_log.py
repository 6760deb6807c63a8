"""Logs of requests as people have them."""

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.activity_log import MOST_CHARS, NAMED, Remarks, read_log
from orchestrator.domain.activity import Request
from orchestrator.domain.errors import LogProblem

HEADER = "requested_at,user_id,platform"
FIRST = "2026-03-02T12:00:00Z,ada,discord"
SECOND = "2026-03-02T12:01:00+00:00,bob,telegram"
BOTH = [
    Request(at=datetime(2026, 3, 2, 12, tzinfo=UTC), user="ada", platform="discord"),
    Request(at=datetime(2026, 3, 2, 12, 1, tzinfo=UTC), user="bob", platform="telegram"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.csv"


def read(path: Path, *lines: str, end: str = "\n") -> tuple[list[Request], Remarks]:
    path.write_bytes(end.join(lines).encode("utf-8", "surrogateescape"))
    remarks = Remarks()
    return list(read_log(path, remarks)), remarks


@pytest.mark.parametrize(
    "lines",
    [
        (HEADER, FIRST, SECOND),
        ("\ufeff" + HEADER, FIRST, SECOND, ""),
        (HEADER, "", FIRST, "  ", SECOND, "", ""),
        (FIRST, SECOND),
        ('"Requested_At","user_id","platform"', '"2026-03-02T12:00:00Z","ada","discord"', SECOND),
        (
            "platform,prompt,user_id,requested_at",
            "discord,,ada,2026-03-02T12:00:00",
            'telegram,"a, ""b""",bob,2026-03-02T13:01+01:00',
        ),
        (HEADER + ",prompt", FIRST + ',"over', "", 'two lines"', SECOND + ',"said ""no"""'),
    ],
    ids=["plain", "BOM", "empty lines", "no header", "quoted", "other columns and zones", "a value over several lines"],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_log_is_read_however_it_was_written(path: Path, lines: tuple[str, ...], end: str) -> None:
    requests, remarks = read(path, *lines, end=end)

    assert requests == BOTH
    assert remarks == Remarks()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("yesterday,ada,discord", "requested_at 'yesterday' is no time of ISO 8601"),
        (",ada,discord", "no requested_at"),
        ("2026-03-02T12:00:30Z,,discord", "no user_id"),
        ("2026-03-02T12:00:30Z", "too few columns (1)"),
        ('2026-03-02T12:00:30Z,"ada,discord', "a quote is not closed"),
        ('2026-03-02T12:00:30Z,ada,discord,"a cat', "a quote is not closed"),
        ("0001-01-01T00:00:00+23:00,ada,discord", "requested_at '0001-01-01T00:00:00+23:00' is no time of ISO 8601"),
        ("\udcff\udcfe,ada,discord", "requested_at '\ufffd\ufffd' is no time of ISO 8601"),
        ("x" * (3 * MOST_CHARS), "too few columns (1)"),
    ],
)
def test_a_broken_row_is_named_by_its_line_and_costs_no_other(path: Path, row: str, why: str) -> None:
    requests, remarks = read(path, HEADER + ",prompt", "", FIRST, row, SECOND)

    assert requests == BOTH
    assert (remarks.skipped, remarks.about_skipped) == (1, [f"line 4: {why}"])


def test_the_first_ten_broken_rows_are_named_and_all_are_counted(path: Path) -> None:
    requests, remarks = read(path, HEADER, *["broken"] * 25, FIRST)

    assert len(requests) == 1
    assert (remarks.skipped, len(remarks.about_skipped)) == (25, NAMED)


def test_rows_that_go_back_in_time_are_read_and_named(path: Path) -> None:
    requests, remarks = read(path, HEADER, SECOND, FIRST)

    assert requests == BOTH[::-1]
    assert (remarks.late, remarks.about_late) == (1, ["line 3"])


@pytest.mark.parametrize("lines", [(), ("id,time,who", "1,2,3"), ("requested_at;user_id", "2026-03-02T12:00:00Z;ada")])
def test_a_file_without_the_columns_is_one_sentence(path: Path, lines: tuple[str, ...]) -> None:
    with pytest.raises(LogProblem, match=r"^.*log.csv is no log of requests: it needs the columns .*\.$"):
        read(path, *lines)


def test_a_file_that_is_not_there_is_one_sentence(path: Path) -> None:
    with pytest.raises(LogProblem, match="cannot be read: No such file"):
        list(read_log(path, Remarks()))


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=8))
def test_no_line_is_fatal_once_the_header_was_read(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"

    requests, remarks = read(path, HEADER, FIRST, *(line.replace("\r", "").replace("\n", "") for line in lines))

    assert requests[0] == BOTH[0]
    assert len(requests) + remarks.skipped <= 1 + len(lines)


def test_memory_does_not_grow_with_the_file(path: Path) -> None:
    short, long = (_peak_bytes(path, rows) for rows in (2_000, 20_000))

    assert long < 1.1 * short


def _peak_bytes(path: Path, rows: int) -> int:
    path.write_text(HEADER + "\n" + f"{FIRST}\nbroken\n" * rows)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_log(path, Remarks())) == rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
