"""
Logs of requests as CSV files: ``requested_at`` (ISO 8601; UTC unless it says otherwise), ``user_id``, ``platform``.

Read line by line, so that a file of any length takes no memory, and a broken line costs that line alone. Further
columns are ignored, whatever is in them; they may go on over several lines. ``glowplug activity``, ``simulate`` and
``compare`` read logs through this.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from orchestrator.domain.activity import Request
from orchestrator.domain.errors import LogProblem

AT, USER, PLATFORM = "requested_at", "user_id", "platform"
COLUMNS = AT, USER, PLATFORM

MOST_CHARS = 64 * 1024
"""A longer line is no row."""

MOST_LINES = 200
"""So many lines are looked at for the end of a quoted value."""

NAMED = 10
"""So many rows are named by their line; the others are counted."""

_SHOWN = 40


@dataclass(slots=True, kw_only=True)
class Remarks:
    """
    What was noticed while a log was read.

    Attributes:
        skipped: Rows that could not be read; the first few are described, by line.
        late: Rows that stand behind a later one; they were read, and the first few are named.
    """

    skipped: int = 0
    late: int = 0
    about_skipped: list[str] = field(default_factory=list)
    about_late: list[str] = field(default_factory=list)

    def skip(self, line: int, why: str) -> None:
        self.skipped += 1
        if self.skipped <= NAMED:
            self.about_skipped.append(f"line {line}: {why}")

    def came_late(self, line: int) -> None:
        self.late += 1
        if self.late <= NAMED:
            self.about_late.append(f"line {line}")


class _RowProblem(Exception):
    """A row that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where the columns stand; *platform* may be missing."""

    at: int
    user: int
    platform: int | None

    @property
    def last(self) -> int:
        return max(self.at, self.user, -1 if self.platform is None else self.platform)


def read_log(path: Path, remarks: Remarks) -> Iterator[Request]:
    """
    The requests of a log in the order of its lines; what cannot be read is noted in *remarks*.

    The file is closed when the last request was taken, or the iterator is.

    Raises:
        LogProblem: There is no such file, it cannot be read, or it has not the columns.
    """
    try:
        # An undecodable byte is a wrong value in its row, no reason to stop; universal newlines take CRLF along.
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            yield from _requests(path, _Lines(file), remarks)
    except OSError as error:
        raise LogProblem(f"{path} cannot be read: {error.strerror or error}.") from error


def _requests(path: Path, lines: "_Lines", remarks: Remarks) -> Iterator[Request]:
    places = _header(path, lines)
    latest: datetime | None = None
    for number, line in lines:
        try:
            request = _request(_cells(line, lines, places), places)
        except _RowProblem as problem:
            remarks.skip(number, str(problem))
            continue
        if latest is not None and request.at < latest:
            remarks.came_late(number)
        else:
            latest = request.at
        yield request


def _header(path: Path, lines: "_Lines") -> _Places:
    """Where the columns stand: as the first line says, or in their order where that is a row already."""
    number, line = next(lines, (0, ""))
    names = [name.strip().strip('"').casefold() for name in line.split(",")]
    if AT in names and USER in names:
        platform = names.index(PLATFORM) if PLATFORM in names else None
        return _Places(at=names.index(AT), user=names.index(USER), platform=platform)
    places = _Places(at=0, user=1, platform=2)
    with suppress(_RowProblem):
        _request(_split(line), places)
        lines.put_back((number, line))
        return places
    has = "it is empty" if not line else f"its first line is {_quoted(line)}"
    raise LogProblem(
        f"{path} is no log of requests: it needs the columns {AT} and {USER}, and may have {PLATFORM}; {has}."
    )


def _request(cells: Sequence[str], places: _Places) -> Request:
    if len(cells) <= max(places.at, places.user):
        raise _RowProblem(f"too few columns ({len(cells)})")
    user = cells[places.user].strip()
    if not user:
        raise _RowProblem(f"no {USER}")
    platform = places.platform
    return Request(
        at=_moment(cells[places.at].strip()),
        user=user,
        platform="" if platform is None or platform >= len(cells) else cells[platform].strip(),
    )


def _moment(text: str) -> datetime:
    if not text:
        raise _RowProblem(f"no {AT}")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is UTC:
            return moment
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _RowProblem(f"{AT} {_quoted(text)} is no time of ISO 8601") from None


def _cells(line: str, lines: "_Lines", places: _Places) -> Sequence[str]:
    """
    The values of a row. One that is ignored may go on over the next lines.

    A quote that is opened in a value of ours, or never closed, is an error in this line and takes no other along.
    """
    if '"' not in line:
        return line.split(",")
    start = _split(line)
    if _is_closed(line):
        return start
    if len(start) - 1 <= places.last:
        raise _RowProblem("a quote is not closed")
    return _split(lines.joined(line, until=_is_closed, unless=lambda following: _is_row(following, places)))


def _is_row(line: str, places: _Places) -> bool:
    try:
        _request(line.split(","), places)
    except _RowProblem:
        return False
    return True


def _is_closed(text: str) -> bool:
    """Whether a further comma would begin another value, and not go on with a quoted one."""
    return len(_split(text + ",")) > len(_split(text))


def _split(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error as error:
        raise _RowProblem(str(error)) from None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


class _Lines:
    """The lines of a file with their numbers, without the empty ones; what was read can be put back."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._number = 0
        self._waiting: deque[tuple[int, str]] = deque()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return self

    def __next__(self) -> tuple[int, str]:
        while True:
            number, line = self._waiting.popleft() if self._waiting else self._read()
            if line.strip():
                return number, line

    def put_back(self, *lines: tuple[int, str]) -> None:
        self._waiting.extendleft(reversed(lines))

    def joined(self, line: str, *, until: Callable[[str], bool], unless: Callable[[str], bool]) -> str:
        """
        *line* and those after it, until they make a whole.

        Raises:
            _RowProblem: They do not, or one of them is a row by itself; they will be read again.
        """
        taken: list[tuple[int, str]] = []
        text = line
        while len(taken) < MOST_LINES and len(text) < MOST_CHARS:
            try:
                taken.append(self._waiting.popleft() if self._waiting else self._read())
            except StopIteration:
                break
            if unless(taken[-1][1]):
                break
            text += "\n" + taken[-1][1]
            if until(text):
                return text
        self.put_back(*taken)
        raise _RowProblem("a quote is not closed")

    def _read(self) -> tuple[int, str]:
        """The next line; of one that is too long as much as shows that."""
        line = self._file.readline(MOST_CHARS)
        if not line:
            raise StopIteration
        self._number += 1
        part = line
        while len(part) == MOST_CHARS and not part.endswith("\n"):
            part = self._file.readline(MOST_CHARS)
        return self._number, line.removesuffix("\n")
