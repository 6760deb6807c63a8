"""``glowplug bench cold-start`` from handmade runs: what programs and people read, and the chart's file."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.api import Failed, Succeeded
from orchestrator.cli.bench_report import Bench
from orchestrator.cli.bench_tables import WIDTH, run_table, show, steps_table
from orchestrator.cli.commands import app
from orchestrator.cli.trial import Trial
from orchestrator.domain.job import Failure, Served
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.domain.timeline import Timeline
from orchestrator.domain.verdict import Criteria
from tests.component.bot.fake_orchestrator import BEGIN
from tests.contract.samples import seconds
from tests.unit.bot.samples import cold, job

SVG = "{http://www.w3.org/2000/svg}"


def stage(step: Step, start: float, end: float | None, moved: int = 0) -> Stage:
    """Without an end it runs, and will have moved twice as much."""
    return Stage(
        step=step,
        state=StageState.RUNNING if end is None else StageState.DONE,
        started_at=BEGIN + seconds(start),
        ended_at=None if end is None else BEGIN + seconds(end),
        bytes_done=moved,
        bytes_total=moved if end is not None else 2 * moved,
    )


def made(models_s: float = 20.0) -> Trial:
    ready = 10 + models_s
    stages = (
        stage(Step.BOOT, 0, 10),
        stage(Step.COMFYUI, 10, 15),
        stage(Step.MODELS, 10, ready, 200_000_000),
        Stage(step=Step.SMOKE, state=StageState.WAITING),
    )
    status = Succeeded(images=(), served=Served(by="your RTX 4090", seconds=3.0, cost=MicroUsd(900)))
    view = job(status, after=ready + 3, stages=stages, cost=MicroUsd(2000))
    return Trial(view=view, cold_start=None, total_s=ready + 3)


def lost() -> Trial:
    """Its machine vanished at 25 s, while the models came."""
    stages = (stage(Step.BOOT, 0, 10), stage(Step.COMFYUI, 10, None), stage(Step.MODELS, 10, None, 30_000_000))
    failed = Failed(failure=Failure(key="no_machine", values={"reason": "vanished"}))
    seen = replace(cold(Step.MODELS), stages=stages)
    return Trial(view=job(failed, after=25, stages=()), cold_start=seen, total_s=25)


def bench(*trials: Trial) -> Bench:
    return Bench(trials=trials, criteria=Criteria(), left=0)


def drawn(trials: Sequence[Trial], path: Path) -> bytes:
    from orchestrator.cli.bench_charts import draw  # noqa: PLC0415 - slow to load

    draw([trial.timeline() for trial in trials], path, "the $moon")
    return path.read_bytes()


def test_programs_read_when_each_step_began_and_what_was_waited_for() -> None:
    report = bench(made()).report()

    (run,) = report["runs"]
    assert run["steps"] == [
        {"step": "boot", "seconds": 10.0, "bytes": 0, "started_s": 0.0},
        {"step": "comfyui", "seconds": 5.0, "bytes": 0, "started_s": 10.0},
        {"step": "models", "seconds": 20.0, "bytes": 200_000_000, "started_s": 10.0},
        {"step": "generation", "seconds": 3.0, "bytes": 0, "started_s": 30.0},
    ]
    assert (run["waited_for"], run["ended_in"]) == (["boot", "models", "generation"], None)
    assert report["by_step"][2] == {
        "step": "models",
        "runs": 1,
        "started_s": 10.0,
        "median_s": 20.0,
        "spread_s": None,
        "variation": None,
        "mb_s": 10.0,
        "waited_for": 1,
        "bytes": 200_000_000,
    }


def test_programs_read_in_which_step_a_run_ended_with_the_bytes_until_then() -> None:
    report = bench(made(), lost()).report()

    run = report["runs"][1]
    assert (run["failure"], run["ended_in"], run["waited_for"]) == ("vanished", "models", [])
    assert run["steps"][-1] == {"step": "models", "seconds": 15.0, "bytes": 30_000_000, "started_s": 10.0}
    assert {row["step"]: row["runs"] for row in report["by_step"]} == {
        "boot": 2,
        "comfyui": 1,
        "models": 1,
        "generation": 1,
    }


def test_a_step_that_failed_is_where_the_run_ended_though_another_ran_on() -> None:
    trial = lost()
    assert trial.cold_start is not None
    boot, comfyui, models = trial.cold_start.stages
    fallen = replace(comfyui, state=StageState.FAILED, ended_at=BEGIN + seconds(25))
    seen = replace(trial.cold_start, stages=(boot, fallen, models))

    (run,) = bench(replace(trial, cold_start=seen)).report()["runs"]

    assert run["ended_in"] == "comfyui"


def test_people_read_tables_that_fit_a_hundred_columns() -> None:
    big = replace(made(), total_s=12345.6)
    text = StringIO()
    console = Console(file=text, width=WIDTH)
    runs = tuple(trial.timeline() for trial in (made(), made(25), lost(), big))

    console.print(run_table(made().timeline()), run_table(lost().timeline()), steps_table(runs))

    lines = [line.split() for line in text.getvalue().splitlines()]
    assert ["models", "10.0", "30.0", "20.0", "200.0", "10.0", "*"] in lines
    assert ["models", "10.0", "25.0", "15.0", "30.0", "2.0", "ended", "here"] in lines
    assert ["models", "3", "10.0", "20.0", "2.5", "13%", "200.0", "10.0", "*", "3", "of", "3"] in lines


def test_people_read_where_a_run_ended_and_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    show(bench(made(), lost()))

    said = capsys.readouterr().out
    assert "vanished in models" in said
    assert "1 of 2 made their picture: not for people who wait" in said
    assert max(map(len, said.splitlines())) <= WIDTH


def test_a_chart_as_svg_has_the_steps_as_texts_and_is_the_same_each_time(tmp_path: Path) -> None:
    trials = [made(), lost(), made(25)]
    first = drawn(trials, tmp_path / "a.svg")

    texts = {"".join(text.itertext()).strip() for text in ET.fromstring(first).iter(f"{SVG}text")}  # noqa: S314  (ours)
    assert texts >= {"boot", "comfyui", "models", "generation", "a run ended here", "20.0 s: 200.0 MB at 10.0 MB/s"}
    assert any(text.startswith("Cold start on the $moon: 3 runs, 2 made a picture") for text in texts)
    assert drawn(trials, tmp_path / "b.svg") == first


def test_a_chart_as_png_is_1200_by_700_and_says_in_words_what_it_shows(tmp_path: Path) -> None:
    picture = drawn([made()], tmp_path / "a.PNG")

    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (1200, 700)
    assert b"models from 10.0 s to 30.0 s" in picture


@pytest.mark.parametrize(
    ("trials", "coloured"),
    [((lost(),), ["models"]), ((made(), lost()), []), ((made(),), [])],
    ids=["lost alone", "beside one that made its picture", "none lost"],
)
def test_the_usual_run_is_thick_and_a_lost_one_is_red_where_it_ended(
    trials: tuple[Trial, ...], coloured: list[str]
) -> None:
    from matplotlib.colors import to_hex  # noqa: PLC0415 - slow to load

    from orchestrator.cli.bench_charts import LOST, THICK, charted  # noqa: PLC0415 - slow to load

    (axes,) = charted([trial.timeline() for trial in trials], "vast").axes

    names = [label.get_text() for label in axes.get_yticklabels()]
    bars: list[Any] = [bar for container in axes.containers for bar in container]
    thick = [bar for bar in bars if bar.get_height() == pytest.approx(THICK)]
    red = [names[round(bar.get_y() + THICK / 2)] for bar in thick if to_hex(bar.get_facecolor()) == LOST]
    assert names == ["boot", "comfyui", "models", *(["generation"] if made() in trials else [])]
    assert red == coloured


def test_runs_without_a_step_cannot_be_drawn() -> None:
    from orchestrator.cli.bench_charts import charted  # noqa: PLC0415 - slow to load

    with pytest.raises(ValueError, match="no run came to its first step"):
        charted([Timeline(spans=(), total_s=1.0, made=False)], "vast")


@pytest.mark.parametrize(
    ("chart", "sentence"), [("steps.gif", "A chart is PNG or SVG"), ("none/steps.svg", "There is no folder")]
)
def test_a_chart_that_could_not_be_written_is_refused_before_anything_is_rented(
    tmp_path: Path, chart: str, sentence: str
) -> None:
    refused = CliRunner().invoke(app, ["bench", "cold-start", "--chart", str(tmp_path / chart)])

    assert refused.exit_code == 2
    assert sentence in refused.output
