"""What many worlds have shown is added up as it says."""

import json
import subprocess
import sys

import pytest

from orchestrator.domain.money import MicroUsd
from orchestrator.faults import Fault, WorldFault
from orchestrator.sim.invariants import Violation
from orchestrator.sim.world import Result
from tests.simulation.report import Report, summary, told_failure


def result(seed: int, *faults: str, bill: int = 0, waits: tuple[float, ...] = (), fails: bool = False) -> Result:
    broken = (Violation(invariant="leak", at=60.0, text="machine 7 is nobody's"),) if fails else ()
    return Result(
        seed=seed,
        violations=broken,
        log=tuple(f"line {number}" for number in range(40)),
        faults=faults,
        struck=dict.fromkeys(faults, 2),
        jobs={"SUCCEEDED": 3, "FAILED": 1, "refused": 1},
        hours=6.5,
        lives=2,
        steps=9,
        machines=4,
        bill=MicroUsd(bill),
        bridged=MicroUsd(bill // 10),
        ledger=MicroUsd(bill + bill // 10),
        people=3,
        requests=5,
        waits=waits,
        quiet_s=7200.0,
    )


def report_of(*results: Result) -> Report:
    report = Report()
    for each in results:
        report.add(each, cpu_s=1.5)
    return report


def test_what_a_fault_costs_is_the_difference_to_worlds_without_it() -> None:
    report = report_of(
        result(1, "slow-link", bill=3_000_000, waits=(100.0, 300.0)),
        result(2, bill=1_000_000, waits=(50.0,)),
        result(3, bill=2_000_000, waits=(70.0,)),
    )

    (row,) = [row for row in report.rows() if row.fault == "slow-link"]
    assert (row.worlds, row.struck, row.usd, row.wait_s) == (1, 2, 1.5, 140.0)


def test_nothing_is_said_about_the_cost_of_a_fault_that_all_worlds_have() -> None:
    (row,) = [row for row in report_of(result(1, "crash", bill=5)).rows() if row.fault == "crash"]

    assert (row.usd, row.wait_s) == (None, None)


def test_faults_that_no_world_drew_are_named() -> None:
    missing = report_of(result(1, "crash")).never_drawn()

    assert sorted([*missing, "crash"]) == sorted(map(str, (*Fault, *WorldFault)))
    assert "never drawn: ssh-never-opens" in summary(report_of(result(1, "crash")), wall_s=1.0)


def test_totals_add_up_jobs_machines_lives_and_money() -> None:
    totals = report_of(result(1, bill=1_500_000), result(2, fails=True)).totals(wall_s=9.0)

    assert totals["worlds"] == 2
    assert totals["jobs"] == 8
    assert totals["told_failures"] == 2
    assert totals["machines"] == 8
    assert totals["ended_early"] == 2
    assert (totals["machines_usd"], totals["bridges_usd"]) == (1.5, 0.15)
    assert totals["billed_usd"] == totals["booked_usd"] == 1.65
    assert (totals["violations"], totals["bad_worlds"]) == (1, 1)
    assert totals["cpu_s_per_world"] == 1.5


def test_a_failing_world_says_how_to_replay_it() -> None:
    told = told_failure(result(17, "crash", fails=True))

    assert "leak at 60.000 s: machine 7 is nobody's" in told
    assert "line 39" in told
    assert "line 24\n" not in told
    assert told.endswith("make simulate SEED=17")


@pytest.mark.timeout(200)
def test_the_command_ends_in_one_json_line() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--first", "3", "--seeds", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180)

    said = json.loads(done.stdout)
    assert (said["worlds"], said["violations"]) == (1, 0)
    assert {row["fault"] for row in said["faults"]} == {*map(str, Fault), *map(str, WorldFault)}
