"""``glowplug simulate`` on a log of a few requests: what it prints, draws and refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli.commands import app
from orchestrator.cli.simulate import USUAL
from orchestrator.sim.replay_report import Bounds, Figures

HEADER = "requested_at,user_id,platform\n"
ROWS = (
    "2026-01-01T10:00:00Z,ada,discord\n",
    "2026-01-01T10:01:00Z,ada,discord\n",
    "2026-01-01T10:02:00Z,ada,discord\n",
    "2026-01-01T10:10:30Z,ada,discord\n",
    "2026-01-02T11:00:00Z,bob,telegram\n",
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv"
    path.write_text(HEADER + "".join(ROWS), encoding="utf-8")
    return path


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def figures_of(*arguments: object) -> dict[str, Any]:
    done = simulate(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--policy", "cheapest"), "There is no policy 'cheapest'; choose"),
        (("--policy", "bridge-only", "--bridge", "none"), "bridge-only needs a bridge"),
        (("--gpu-usd-hour", "nan"), "Invalid value for '--gpu-usd-hour'"),
        (("--cold-start-s", "inf"), "Invalid value for '--cold-start-s'"),
        (("--bridge-usd", "-1"), "Invalid value for '--bridge-usd'"),
        (("--images-per-request", "0"), "Invalid value for '--images-per-request'"),
        (("--faults", "typo"), "Invalid value for '--faults'"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_a_sentence(log: Path, arguments: tuple[str, ...], sentence: str) -> None:
    refused = simulate(log, *arguments)

    assert refused.exit_code == 2
    assert sentence in " ".join(refused.output.replace("│", " ").split())


def test_a_log_without_a_request_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "empty.csv"
    log.write_text(HEADER, encoding="utf-8")

    refused = simulate(log)

    assert refused.exit_code == 1
    assert "empty.csv has no request in it." in refused.output.replace("\n", "")
    assert simulate(tmp_path / "none.csv").exit_code == 1


def test_the_chart_has_a_point_for_each_policy_and_names_its_log(tmp_path: Path) -> None:
    from orchestrator.cli.simulate_charts import charted  # noqa: PLC0415 - slow to load

    bounds = Bounds(hindsight=1.0, informed=2.0, best_fixed=2.0, best_fixed_rule="fixed(2,300,180)")
    free = Figures(
        name="auto",
        gpu_usd_month=0.0,
        bridge_usd_month=0.0,
        cold_starts_month=0.0,
        first_p50=None,
        first_p95=None,
        wait_p50=None,
        wait_p99=None,
        lost_jobs=0,
        orphans=0,
    )

    (axes,) = charted((free, free), bounds, "a$b_c$.csv").axes

    legend = axes.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert [text.split(":")[0] for text in texts] == [
        "best fixed afterwards,\nfixed(2,300,180)",
        "informed",
        "hindsight",
        "auto",
        "auto",
    ]
    assert "a\\$b_c\\$.csv" in axes.get_title(loc="left")


def test_every_policy_is_replayed_beside_the_bounds(log: Path, tmp_path: Path) -> None:
    found = figures_of(log, "--charts", tmp_path / "charts")

    assert [policy["name"] for policy in found["policies"]] == list(USUAL)
    assert found["days"] == 1
    assert found["hindsight_usd_month"] <= found["informed_usd_month"] <= found["best_fixed_usd_month"]
    for policy in found["policies"]:
        assert policy["total_usd_month"] == pytest.approx(
            policy["gpu_usd_month"] + policy["bridge_usd_month"], abs=1e-3
        )
        assert (policy["lost_jobs"], policy["orphans"]) == (0, 0)
    assert found["terms"]["cold_start_s"] == 491.6
    assert (tmp_path / "charts" / "cost-over-wait.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_figures(log: Path) -> None:
    arguments = (log, "--policy", "auto", "--faults", "market", "--seed", 7)

    assert figures_of(*arguments) == figures_of(*arguments)


def test_without_a_bridge_nothing_is_paid_for_one(log: Path) -> None:
    found = figures_of(log, "--bridge", "none", "--policy", "first-user", "--policy", "auto")

    assert [policy["bridge_usd_month"] for policy in found["policies"]] == [0, 0]
    assert found["best_fixed_rule"].startswith("fixed(1,")
    assert found["terms"]["bridge_usd"] is None


def test_people_get_a_table_with_the_bounds(log: Path) -> None:
    done = simulate(log, "--policy", "bridge-only")

    assert done.exit_code == 0
    assert "small.csv: 5 requests in 1 days" in done.output
    assert all(name in done.output for name in ("bridge-only", "best fixed", "informed", "hindsight"))
