"""``glowplug activity`` as people and programs call it: the first user's numbers from a log with his statistics."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from orchestrator.adapters.database.store import open_store
from orchestrator.cli.commands import app
from tests.contract.samples import NOW, HandClock, a_job, a_session, seconds

LOG = "tests/data/generations_90d.csv"


def glowplug(*args: str) -> Result:
    result = CliRunner().invoke(app, ["activity", *args])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    result = glowplug(LOG, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_the_first_users_numbers(report: dict[str, Any]) -> None:
    assert (report["total"], report["days"], round(report["per_day"])) == (5817, 90, 65)
    assert (report["busiest_weekday"], report["weekdays"]["Monday"]) == ("Monday", 1299)
    assert (report["peak_hours_utc"], report["dead_zone_utc"]) == ([18, 21], [4, 9])
    assert (report["bursts"]["count"], report["bursts"]["max"]) == (338, 588)
    assert report["bursts"]["mean"] == pytest.approx(15.4, abs=0.05)
    assert 0.6 <= report["median_interval_min"] <= 0.7


def test_the_first_users_people(report: dict[str, Any]) -> None:
    counts = [user["count"] for user in report["users"]]
    shares = [user["share"] for user in report["users"]]

    assert (counts[0], counts[1], sum(counts[2:])) == (3812, 1075, 930)
    assert (round(shares[0], 2), round(shares[1], 2), round(sum(shares[2:]), 2)) == (0.66, 0.18, 0.16)


def test_the_keys_are_those_of_the_contract(report: dict[str, Any]) -> None:
    contract = "total per_day busiest_weekday weekdays hours_utc peak_hours_utc dead_zone_utc users bursts"

    assert {*contract.split(), "median_interval_min"} <= report.keys()
    assert len(report["hours_utc"]) == 24
    assert sum(report["hours_utc"]) == sum(report["weekdays"].values()) == report["total"]
    assert set(report["users"][0]) == {"user", "count", "share"}
    assert set(report["bursts"]) == {"count", "mean", "max"}


def test_the_first_users_scenarios_beside_their_replay(report: dict[str, Any]) -> None:
    estimates = [(s["estimate_usd_month"]["low"], s["estimate_usd_month"]["high"]) for s in report["scenarios"]]
    reactive = report["scenarios"][-1]

    assert [(round(low), round(high)) for low, high in estimates] == [
        (216, 216), (144, 144), (108, 108), (54, 54), (18, 25)
    ]  # fmt: skip
    assert [round(s["served"], 2) for s in report["scenarios"]] == [1.0, 0.95, 0.86, 0.61, 1.0]
    assert (round(reactive["usd_month"]), round(reactive["failing_usd_month"])) == (31, 57)
    assert reactive["first_image_p50_s"] == 506


def test_people_read_tables() -> None:
    text = glowplug(LOG, "--bridge-usd", "0.003").stdout

    for words in ("5,817 requests in 90 days", "Busiest from 18:00 to 21:00 UTC", "338 bursts", "18-25", "API, $"):
        assert words in text


def test_broken_rows_are_named_and_the_others_counted(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rows = ["2026-03-02T12:00:00Z,ada,[bold]", "2026-03-02T11:00:00Z,[red]bob,web", *["broken"] * 12]
    log.write_text("\n".join(["requested_at,user_id,platform", *rows]))

    as_json, shown = glowplug(str(log), "--json"), glowplug(str(log))

    assert (json.loads(as_json.stdout)["total"], json.loads(as_json.stdout)["skipped"]) == (2, 12)
    assert "skipped line 4: too few columns (1)\n" in as_json.stderr
    assert "skipped 12 rows in all" in as_json.stderr
    assert "rows that stand behind a later one: 1 (line 3)" in as_json.stderr
    assert "[red]bob" in shown.stdout


def test_a_log_without_requests_is_no_error(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("requested_at,user_id,platform\n")

    assert json.loads(glowplug(str(log), "--json").stdout)["total"] == 0
    assert "no request" in glowplug(str(log)).stdout


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOWPLUG_DATA", str(tmp_path))
    refused = [glowplug(), glowplug(LOG, "--database"), glowplug(str(tmp_path / "no.csv")), glowplug("--database")]

    assert [(result.exit_code, result.stderr.count("\n"), result.stdout) for result in refused] == [
        (2, 1, ""), (2, 1, ""), (1, 1, ""), (1, 1, "")
    ]  # fmt: skip


def test_the_bots_own_database_is_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        async with open_store(tmp_path / "glowplug.sqlite3", HandClock()) as store, store.writing() as books:
            await books.sessions.add(a_session(), reason="test")
            for number in range(4):
                job = a_job(f"j{number}", submitted_at=NOW + seconds(60 * number), idempotency_key=f"k{number}")
                await books.jobs.add(job, reason="test")

    asyncio.run(fill())
    monkeypatch.setenv("GLOWPLUG_DATA", str(tmp_path))

    found = json.loads(glowplug("--database", "--json").stdout)

    assert (found["total"], found["bursts"]["max"], found["median_interval_min"]) == (4, 4, 1.0)
    assert found["users"] == [{"user": "web:ada", "count": 4, "share": 1.0}]


def test_charts_are_pictures(tmp_path: Path) -> None:
    glowplug(LOG, "--json", "--charts", str(tmp_path / "new" / "folder"))

    pictures = sorted((tmp_path / "new" / "folder").iterdir())
    assert [path.name for path in pictures] == ["bursts.png", "days.png", "hours.png", "users.png", "weekdays.png"]
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width >= 800


def test_matplotlib_is_not_loaded_before_charts_are_asked_for() -> None:
    code = "import sys, orchestrator.cli.commands; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
