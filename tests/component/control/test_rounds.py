"""Which cloud is listed when: none because of what happens at another."""

from datetime import timedelta

from orchestrator.control.board import Board, CloudHealth
from orchestrator.control.rounds import Rounds
from orchestrator.control.shared import Limits
from orchestrator.domain.ids import CloudName
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from tests.contract.samples import NOW, VAST, an_instance

OTHER = CloudName("other")
QUIET = timedelta(minutes=5)


def both_listed_at_zero() -> tuple[Rounds, Board]:
    board = Board()
    rounds = Rounds(Limits(quiet_look_every=QUIET), board, [VAST, OTHER])
    for name in (VAST, OTHER):
        rounds.end(name, 0.0)
        board.put_cloud(name, CloudHealth(listed_at=NOW))
    return rounds, board


def a_machine(state: InstanceState, reason: EndReason | None = None) -> Instance:
    return an_instance("there", cloud=VAST, state=state, end_reason=reason)


def test_each_is_listed_at_once_at_the_start() -> None:
    rounds = Rounds(Limits(), Board(), [VAST, OTHER])
    rounds.look([], is_wanted=False)

    assert rounds.due(0.0) == [OTHER, VAST]


def test_where_a_machine_is_to_go_the_cloud_is_listed_soon_and_no_other_one() -> None:
    rounds, _ = both_listed_at_zero()
    rounds.look([a_machine(InstanceState.TERMINATING, EndReason.IDLE)], is_wanted=False)

    assert rounds.wait(0.5) == timedelta(seconds=1.5)
    assert (rounds.due(1.9), rounds.due(2.0), rounds.due(60.0)) == ([], [VAST], [OTHER, VAST])


def test_one_that_may_be_in_use_elsewhere_hurries_nobody() -> None:
    rounds, _ = both_listed_at_zero()
    rounds.look([a_machine(InstanceState.TERMINATING, EndReason.LEFT_BEHIND)], is_wanted=False)

    assert rounds.due(59.9) == []


def test_a_doubt_is_answered_by_one_listing() -> None:
    rounds, board = both_listed_at_zero()
    board.doubt(VAST)
    rounds.look([a_machine(InstanceState.READY)], is_wanted=False)
    assert rounds.due(2.0) == [VAST]

    board.trust(VAST)
    rounds.end(VAST, 2.0)
    rounds.look([a_machine(InstanceState.READY)], is_wanted=False)
    assert rounds.due(59.9) == []


def test_while_somebody_waits_a_cloud_that_was_never_listed_is_asked_again_soon() -> None:
    rounds, board = both_listed_at_zero()
    board.put_cloud(OTHER, CloudHealth())
    rounds.look([], is_wanted=True)
    assert rounds.due(2.0) == [OTHER]

    rounds.look([], is_wanted=False)
    assert rounds.due(60.0) == []


def test_in_quiet_they_are_listed_less_often() -> None:
    rounds, _ = both_listed_at_zero()
    rounds.look([], is_wanted=False)

    assert rounds.wait(0.0) == QUIET


def test_without_clouds_there_is_nothing_to_wait_for() -> None:
    assert Rounds(Limits(), Board(), []).wait(0.0) is None
