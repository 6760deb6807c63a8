"""The three tables of moves: whole, leading to an end, obeyed, and drawn in the docs as they are."""

from enum import StrEnum
from itertools import product

import pytest

from orchestrator.domain import instance, job, session
from orchestrator.domain.errors import IllegalTransitionError
from orchestrator.domain.instance import EndReason, InstanceState
from orchestrator.domain.job import JobState
from orchestrator.domain.session import SessionState
from tests.contract.samples import NOW, a_job, a_session, an_instance, seconds
from tests.draw_states import DOCUMENT, MACHINES, Machine, draw_all, meanings

LATER = NOW + seconds(5)
each_machine = pytest.mark.parametrize("machine", MACHINES, ids=[machine.title for machine in MACHINES])


def reachable(machine: Machine, start: StrEnum) -> set[StrEnum]:
    seen: set[StrEnum] = set()
    todo = [start]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            todo += machine.moves[state]
    return seen


@each_machine
class TestTables:
    def test_the_table_covers_all_states(self, machine: Machine) -> None:
        assert set(machine.moves) == set(machine.states)
        assert set().union(*machine.moves.values()) <= set(machine.states)

    def test_every_state_can_be_reached_from_the_first(self, machine: Machine) -> None:
        first = next(iter(machine.states))

        assert reachable(machine, first) == set(machine.states)

    def test_every_state_reaches_an_end(self, machine: Machine) -> None:
        ends = {state for state, after in machine.moves.items() if not after}

        assert ends
        for state in machine.states:
            assert reachable(machine, state) & ends

    def test_no_state_leads_to_itself(self, machine: Machine) -> None:
        assert not [state for state, after in machine.moves.items() if state in after]

    def test_every_state_says_what_it_means(self, machine: Machine) -> None:
        assert list(meanings(machine.states)) == list(machine.states)


class TestMoves:
    @pytest.mark.parametrize(("before", "after"), list(product(InstanceState, InstanceState)))
    def test_an_instance_moves_along_its_table_only(self, before: InstanceState, after: InstanceState) -> None:
        machine = an_instance(state=before)

        if after in instance.NEXT[before]:
            moved = machine.moved_to(after, LATER)
            assert (moved.state, moved.state_since) == (after, LATER)
        else:
            with pytest.raises(IllegalTransitionError, match=f"i1: {before} -> {after}"):
                machine.moved_to(after, LATER)

    @pytest.mark.parametrize(("before", "after"), list(product(SessionState, SessionState)))
    def test_a_session_moves_along_its_table_only(self, before: SessionState, after: SessionState) -> None:
        if after in session.NEXT[before]:
            assert a_session(state=before).moved_to(after).state is after
        else:
            with pytest.raises(IllegalTransitionError, match=f"s1: {before} -> {after}"):
                a_session(state=before).moved_to(after)

    @pytest.mark.parametrize(("before", "after"), list(product(JobState, JobState)))
    def test_a_job_moves_along_its_table_only(self, before: JobState, after: JobState) -> None:
        if after in job.NEXT[before]:
            moved = a_job(state=before).moved_to(after, LATER)
            assert moved.state is after
            assert moved.ended_at == (LATER if moved.is_over else None)
        else:
            with pytest.raises(IllegalTransitionError, match=f"j1: {before} -> {after}"):
                a_job(state=before).moved_to(after, LATER)

    def test_what_was_never_ordered_ends_at_once(self) -> None:
        ended = an_instance().ending(EndReason.NOT_NEEDED, LATER)

        assert (ended.state, ended.end_reason, ended.ended_at) == (
            InstanceState.TERMINATED,
            EndReason.NOT_NEEDED,
            LATER,
        )

    @pytest.mark.parametrize("state", sorted(instance.ORDERED - {InstanceState.TERMINATING}))
    def test_what_may_cost_money_must_be_proved_gone(self, state: InstanceState) -> None:
        ended = an_instance(state=state).ending(EndReason.VANISHED, LATER)

        assert (ended.state, ended.ended_at) == (InstanceState.TERMINATING, None)


def test_the_drawings_in_the_docs_are_the_tables() -> None:
    """When this fails, run ``make states`` and look at what has changed."""
    assert DOCUMENT.read_text("utf-8") == draw_all()
