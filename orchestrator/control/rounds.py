"""
When each cloud is listed: every minute, and as soon as may be where a machine is to go or what we know is in doubt.

What happens at one cloud is no reason to list another: each has limits of its own on how often it may be asked.
"""

import math
from collections.abc import Iterable
from datetime import timedelta

from orchestrator.control.board import Board
from orchestrator.control.shared import Limits
from orchestrator.domain.ids import CloudName
from orchestrator.domain.instance import Instance, InstanceState

ENDING = timedelta(seconds=2)
"""Between two listings of a cloud while a machine is to go there; adapters space calls further where they must."""


class Rounds:
    """Says which clouds are due, on the loop's clock."""

    def __init__(self, limits: Limits, board: Board, clouds: Iterable[CloudName]) -> None:
        self._limits = limits
        self._board = board
        self._last = dict.fromkeys(sorted(clouds), -math.inf)
        self._every = dict.fromkeys(self._last, timedelta())

    def look(self, live: Iterable[Instance], *, is_wanted: bool) -> None:
        """
        Take in what the books say now.

        Args:
            live: Machines that are ordered and not proved gone.
            is_wanted: Whether somebody waits for a machine, which none may be ordered for before a cloud was listed.
        """
        rows = list(live)
        urgent = {row.cloud for row in rows if row.state is InstanceState.TERMINATING and not row.is_left_alone}
        usual = self._limits.look_every if rows or is_wanted else self._limits.quiet_look_every
        for name in self._every:
            is_unknown = is_wanted and self._board.cloud(name).listed_at is None
            is_urgent = name in urgent or is_unknown or self._board.is_doubted(name)
            self._every[name] = ENDING if is_urgent else usual

    def due(self, now: float) -> list[CloudName]:
        return [name for name, every in self._every.items() if now - self._last[name] >= every.total_seconds()]

    def end(self, name: CloudName, now: float) -> None:
        """One that takes long to answer is left in peace for as long as another."""
        self._last[name] = now

    def wait(self, now: float) -> timedelta | None:
        """Until the next one is due, unless something happens; None where there are no clouds."""
        ats = [self._last[name] + every.total_seconds() for name, every in self._every.items()]
        return timedelta(seconds=max(min(ats) - now, 0.0)) if ats else None
