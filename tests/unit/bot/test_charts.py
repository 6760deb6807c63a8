"""Charts: what is added up, and that a picture comes of it."""

import io
from datetime import UTC, date, datetime

import pytest
from PIL import Image

from bot.adapters.charts import OTHERS, bars_of, cost_chart, shadow_chart
from orchestrator.api import CostReport, CostRow, MicroUsd, ShadowLedger, ShadowRow, UserId


def report(*rows: tuple[str, str, str, float], days: int = 3) -> CostReport:
    """A report until 2026-03-03; each row is a day, a cloud, a user and dollars."""
    made = tuple(
        CostRow(day=day, cloud=cloud, user=UserId(user), amount=MicroUsd(round(usd * 1e6)))
        for day, cloud, user, usd in rows
    )
    total = MicroUsd(sum(row.amount for row in made))
    return CostReport(
        days=days, until="2026-03-03", total=total, by_day=(), by_cloud=(), by_user=(), rows=made, images=0
    )


def test_each_day_has_a_bar_also_where_nothing_was_spent() -> None:
    spent = report(("2026-03-01", "vast", "web:ada", 1), ("2026-03-03", "vast", "web:bob", 2))

    bars = bars_of(spent, lambda row: row.cloud)

    assert bars.starts == (date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3))
    assert bars.series == {"vast": [1.0, 0.0, 2.0]}


def test_the_largest_come_first_and_the_smallest_are_added_up() -> None:
    spent = report(*(("2026-03-02", "vast", f"web:{number}", number) for number in range(1, 10)))

    bars = bars_of(spent, lambda row: row.user)

    assert list(bars.series) == [f"web:{number}" for number in (9, 8, 7, 6, 5, 4)] + [OTHERS]
    assert bars.series[OTHERS] == [0.0, 6.0, 0.0]


@pytest.mark.parametrize(("days", "bars"), [(1, 1), (62, 62), (63, 9), (366, 53), (3660, 131)])
def test_long_times_are_shown_in_longer_stretches(days: int, bars: int) -> None:
    spent = report(("2026-03-03", "vast", "web:ada", 1), days=days)

    drawn = bars_of(spent, lambda row: row.cloud)

    assert len(drawn.starts) == bars
    assert drawn.series["vast"][-1] == 1.0


@pytest.mark.parametrize("user", ["web:ada", "web:_hidden", "web:$x$ \\frac", "web:\u65e5\u672c"])
async def test_a_chart_is_a_picture_whatever_people_are_called(user: str) -> None:
    picture = await cost_chart(report(("2026-03-02", "vast", user, 0.12)))

    assert Image.open(io.BytesIO(picture)).format == "PNG"


async def test_what_policies_would_have_cost_is_a_picture_too() -> None:
    names = "auto", "best fixed rule in hindsight fixed(2,300,180)"
    rows = tuple(ShadowRow(name=name, cost=MicroUsd(1_200_000), difference=MicroUsd(0)) for name in names)
    since = datetime(2026, 3, 1, tzinfo=UTC)

    picture = await shadow_chart(ShadowLedger(since=since, requests=214, booked=MicroUsd(0), rows=rows))

    assert Image.open(io.BytesIO(picture)).format == "PNG"
