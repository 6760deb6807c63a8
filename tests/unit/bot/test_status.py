"""What ``/status`` says of clouds and managed APIs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.service.status import bridge_line, cloud_line
from orchestrator.api import BridgeState, BridgeView, CloudView, MicroUsd

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLOUD = CloudView(name="vast", problem="", unknown_machines=0, checked_at=NOW - timedelta(seconds=3), has_good_key=True)
SEEN = "unknown machines 0, seen 3 s ago"


@pytest.mark.parametrize(
    ("cloud", "line"),
    [
        (CLOUD, f"vast: answers · key good · {SEEN}"),
        (
            replace(CLOUD, balance=MicroUsd(12_340_000), runway=timedelta(hours=36)),
            f"vast: answers · key good · $12.34 left, enough for 36 h 00 · {SEEN}",
        ),
        (replace(CLOUD, balance=MicroUsd(5_000_000)), f"vast: answers · key good · $5.00 left · {SEEN}"),
        (
            replace(CLOUD, problem="vast: 429", limited_until=NOW + timedelta(seconds=17)),
            f"vast: vast: 429 · key good · may not be asked for 17 s · {SEEN}",
        ),
        (
            replace(CLOUD, last_error="vast: 502", failed_at=NOW - timedelta(minutes=4), limited_until=NOW),
            f"vast: answers · key good · last error 4:00 ago: vast: 502 · {SEEN}",
        ),
        (
            replace(CLOUD, problem="vast: no money", has_good_key=False),
            f"vast: vast: no money · key or account refused · {SEEN}",
        ),
    ],
)
def test_a_cloud_says_how_it_is(cloud: CloudView, line: str) -> None:
    assert cloud_line(cloud, NOW) == line


def test_an_api_says_whether_it_serves_us_and_why_not() -> None:
    serving = BridgeView(name="replicate", title="Replicate", state=BridgeState.SERVES, why="")
    off = replace(serving, state=BridgeState.OFF, why="its key is refused")

    assert [bridge_line(serving), bridge_line(off)] == [
        "Replicate: serves us",
        "Replicate: switched off, its key is refused",
    ]
