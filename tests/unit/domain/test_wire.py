"""How long a machine should take, from links that were measured, and which offer is taken because of it."""

import math
import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ids import CloudName, HostId, MachineId
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour, micro_usd_per_hour
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.domain.policy.memory import HALF_LIFE, WINDOW, Memory
from orchestrator.domain.policy.placement import Wait, rank_offers, session_price
from orchestrator.domain.policy.wire import FASTEST, HONEST, SLOWEST, USUAL_MBPS, Forecast, Link, StartTimes, Wire
from tests.unit.domain.test_policies import NOW, VAST, an_offer

NEEDS = Requirements(vram_mib=24_000, disk_gib=60)
OTHER = CloudName("other")
FILES = 33_000_000_000
MB, GBIT = 1e6, 1000.0
AN_HOUR = timedelta(hours=1)
WAIT = micro_usd_per_hour(0.30)


def link(
    name: str, mb_s: float, *, ago: timedelta = AN_HOUR, host: str = "", cloud: CloudName = VAST, mbps: float = GBIT
) -> Link:
    """Of the machine that the offer of that *name* is for."""
    host_id = HostId(host or f"h-{name}")
    machine = MachineId(f"m-{name}")
    return Link(cloud=cloud, machine=machine, host=host_id, at=NOW - ago, bps=mb_s * MB, advertised_mbps=mbps)


def forecast(offer: Offer, *links: Link, starts: Iterable[StartTimes] = (), size: int = FILES) -> Forecast:
    return Wire(links, {offer.cloud: tuple(starts)}, NOW).forecast(offer, size)


def ranked(*offers: Offer, links: Iterable[Link] = (), worth: MicroUsdPerHour = WAIT) -> list[str]:
    wait = Wait(wire=Wire(links, {}, NOW), size_of=lambda _: FILES, price=worth)
    best = rank_offers(offers, NEEDS, outcomes=(), taken=(), max_price=micro_usd_per_hour(0.8), now=NOW, wait=wait)
    return [offer.id for offer in best]


# Which offer is taken.


def test_a_machine_ten_percent_dearer_with_three_times_the_link_is_taken() -> None:
    slow, fast = an_offer("slow", 0.30, inet_down_mbps=GBIT), an_offer("fast", 0.33, inet_down_mbps=3 * GBIT)

    assert ranked(slow, fast) == ["fast", "slow"]


def test_so_it_is_when_both_advertise_the_same_and_one_was_measured() -> None:
    offers = an_offer("slow", 0.30), an_offer("fast", 0.33)

    assert ranked(*offers, links=(link("slow", 50), link("fast", 150))) == ["fast", "slow"]


def test_a_machine_measured_at_ten_megabytes_last_hour_is_avoided_whatever_it_advertises() -> None:
    slow, other = an_offer("slow", 0.30, inet_down_mbps=GBIT), an_offer("other", 0.40, inet_down_mbps=GBIT)

    assert ranked(slow, other) == ["slow", "other"]
    assert ranked(slow, other, links=(link("slow", 10),)) == ["other", "slow"]


def test_without_any_history_the_cheaper_of_two_like_machines_is_taken() -> None:
    assert ranked(an_offer("b", 0.31), an_offer("a", 0.30)) == ["a", "b"]


def test_of_two_at_one_price_and_one_speed_the_more_reliable_is_taken_and_then_the_first_by_name() -> None:
    offers = an_offer("c", 0.3), an_offer("b", 0.3), an_offer("a", 0.3, reliability=0.9)

    assert ranked(*offers) == ["b", "c", "a"]


def test_the_worth_of_waiting_decides_how_much_dearer_a_faster_machine_may_be() -> None:
    slow, fast = an_offer("slow", 0.20), an_offer("fast", 0.35, inet_down_mbps=3 * GBIT)

    assert ranked(slow, fast, worth=MicroUsdPerHour(0)) == ["slow", "fast"]
    assert ranked(slow, fast, worth=micro_usd_per_hour(2)) == ["fast", "slow"]


def test_while_it_downloads_a_machine_costs_so_that_a_faster_link_pays_though_waiting_is_worth_nothing() -> None:
    slow, fast = an_offer("slow", 0.30), an_offer("fast", 0.33, inet_down_mbps=3 * GBIT)

    assert ranked(slow, fast, worth=MicroUsdPerHour(0)) == ["fast", "slow"]


def test_a_machine_whose_volume_has_the_files_downloads_nothing() -> None:
    wired, mounted = an_offer("wired", 0.30), an_offer("mounted", 0.34, volume="/lambda/nfs/models")

    assert ranked(wired, mounted) == ["mounted", "wired"]
    assert forecast(mounted).size == 0


def test_a_cloud_that_charges_for_bytes_costs_that_much_more() -> None:
    offer = an_offer("a", 0.30)
    billed = replace(offer, tariff=Tariff(running=offer.tariff.running, per_gib_down=MicroUsd(10_000)))
    wait = Wait(wire=Wire((), {}, NOW), size_of=lambda _: 10 * 2**30, price=WAIT)
    memory = Memory((), NOW)

    dearer = session_price(billed, memory, wait) - session_price(offer, memory, wait)

    assert dearer == pytest.approx(100_000 / memory.untried(VAST))


# What is believed of a link.


def test_advertised_speeds_are_taken_for_optimistic() -> None:
    assert HONEST / 2 < forecast(an_offer("a", 0.3)).link_bps / (GBIT / 8 * MB) < HONEST


def test_a_cloud_that_does_not_say_counts_as_usual() -> None:
    silent, usual = an_offer("a", 0.3, inet_down_mbps=0.0), an_offer("a", 0.3, inet_down_mbps=USUAL_MBPS)

    assert forecast(silent) == forecast(usual)


def test_a_clouds_measured_links_say_how_honest_its_figures_are() -> None:
    honest = tuple(link(f"x{n}", 120) for n in range(20))
    boasting = tuple(link(f"x{n}", 12) for n in range(20))
    fresh = an_offer("fresh", 0.3)

    assert forecast(fresh, *honest).link_bps > 75 * MB > 1.5 * forecast(fresh).link_bps
    assert forecast(fresh, *boasting).link_bps < 16 * MB
    assert forecast(replace(fresh, cloud=OTHER), *boasting) == forecast(replace(fresh, cloud=OTHER))


def test_a_hosts_other_machines_say_more_than_its_cloud() -> None:
    seen = link("sibling", 10, host="home")

    at_home = forecast(an_offer("a", 0.3, host=HostId("home")), seen)
    elsewhere = forecast(an_offer("a", 0.3), seen)

    assert at_home.link_bps < 0.6 * elsewhere.link_bps


def test_a_machines_own_link_says_most() -> None:
    assert forecast(an_offer("a", 0.3), link("a", 10)).link_bps == pytest.approx(10 * MB, rel=0.3)
    assert forecast(an_offer("a", 0.3), link("a", 200)).link_bps == pytest.approx(200 * MB, rel=0.3)


def test_one_that_was_measured_often_is_surer_than_one_that_was_measured_once() -> None:
    once = forecast(an_offer("a", 0.3), link("a", 62.5))
    often = forecast(an_offer("a", 0.3), *(link("a", 62.5) for _ in range(9)))

    assert once.cold_s > often.cold_s > forecast(an_offer("a", 0.3), size=0).cold_s


@given(st.timedeltas(timedelta(), WINDOW), st.timedeltas(HALF_LIFE / 4, WINDOW))
def test_a_measured_link_fades(ago: timedelta, later: timedelta) -> None:
    offer = an_offer("a", 0.3)

    just, before = forecast(offer, link("a", 5, ago=ago)), forecast(offer, link("a", 5, ago=ago + later))

    assert just.link_bps < before.link_bps < forecast(offer).link_bps


@pytest.mark.parametrize("mb_s", [0.0, 1e-9, 1e9])
def test_an_absurd_speed_teaches_no_more_than_the_slowest_or_fastest_link_there_is(mb_s: float) -> None:
    bound = (SLOWEST if mb_s < 1 else FASTEST) / MB

    assert forecast(an_offer("a", 0.3), link("a", mb_s)) == forecast(an_offer("a", 0.3), link("a", bound))


links_of_few = st.lists(
    st.builds(
        link,
        st.sampled_from("abcd"),
        st.floats(1, 900),
        ago=st.timedeltas(timedelta(), WINDOW),
        host=st.sampled_from(["", "shared"]),
        cloud=st.sampled_from([VAST, OTHER]),
        mbps=st.sampled_from([0.0, 300.0, 1000.0, 5000.0]),
    ),
    max_size=15,
)


@given(links_of_few, st.randoms(use_true_random=False))
def test_the_order_in_which_links_are_told_changes_nothing(links: list[Link], dice: random.Random) -> None:
    told = forecast(an_offer("a", 0.3), *links)
    shuffled = forecast(an_offer("a", 0.3), *dice.sample(links, len(links)))

    assert shuffled.cold_s == pytest.approx(told.cold_s)


@given(links_of_few, st.floats(1, 900), st.floats(1.01, 10))
def test_a_faster_measured_link_never_makes_a_machine_take_longer(
    links: list[Link], mb_s: float, factor: float
) -> None:
    slower = forecast(an_offer("a", 0.3), *links, link("a", mb_s))
    faster = forecast(an_offer("a", 0.3), *links, link("a", mb_s * factor))

    assert faster.cold_s <= slower.cold_s + 1e-6
    assert faster.link_bps > slower.link_bps


@given(
    links=links_of_few,
    mb_s=st.floats(5, 400),
    factor=st.floats(1.01, 5),
    rivals=st.lists(st.tuples(st.floats(0.05, 0.75), st.floats(100, 9000)), max_size=5),
    usd=st.floats(0.05, 0.75),
    likes=st.integers(0, 3),
)
def test_a_faster_measured_link_never_makes_an_offer_rank_lower(
    *,
    links: list[Link],
    mb_s: float,
    factor: float,
    rivals: list[tuple[float, float]],
    usd: float,
    likes: int,
) -> None:
    """
    Neither among like offers of its own cloud nor beside any of another.

    A dearer one of its own cloud may still gain more from it: that cloud's figures are believed the more.
    """
    others = [an_offer(f"r{n}", at, cloud=OTHER, inet_down_mbps=mbps) for n, (at, mbps) in enumerate(rivals)]
    alike = [an_offer(f"like{n}", usd) for n in range(likes)]
    offers = [an_offer("e", usd), *alike, *others]

    before = ranked(*offers, links=(*links, link("e", mb_s)))
    after = ranked(*offers, links=(*links, link("e", mb_s * factor)))

    assert after.index("e") <= before.index("e")


# What is expected of a cold start.


def test_a_download_is_waited_for_only_as_far_as_it_takes_longer_than_the_install() -> None:
    starts = (StartTimes(total=200, models=10, install=120),) * 3
    fast = an_offer("a", 0.3, inet_down_mbps=90_000.0)

    assert forecast(fast, starts=starts).cold_s == pytest.approx(200, abs=1)
    assert forecast(an_offer("a", 0.3), starts=starts).cold_s > 600


def test_what_is_around_download_and_install_is_the_clouds_median() -> None:
    starts = [StartTimes(total=60.0 + n, models=20, install=n) for n in (10, 10, 200)]

    assert forecast(an_offer("a", 0.3), starts=starts, size=0).cold_s == 50 + 10


def test_fewer_than_a_few_cold_starts_say_nothing() -> None:
    starts = [StartTimes(total=1, models=0, install=0)] * 2

    assert forecast(an_offer("a", 0.3), starts=starts) == forecast(an_offer("a", 0.3))


def test_with_neither_history_nor_download_it_takes_what_was_guessed_for_a_real_cloud() -> None:
    assert 120 < forecast(an_offer("a", 0.3), size=0).cold_s < 240


def test_the_mean_time_is_longer_than_the_time_at_the_median_speed() -> None:
    at_median = FILES / (HONEST * GBIT / 8 * MB)
    around = forecast(an_offer("a", 0.3), size=0).cold_s

    assert forecast(an_offer("a", 0.3)).cold_s - around > at_median - 105 > 0


@given(st.floats(100, 20_000), st.integers(10**6, 10**11), st.floats(1, 900))
def test_every_forecast_is_a_finite_number_of_seconds(mbps: float, size: int, mb_s: float) -> None:
    told = forecast(an_offer("a", 0.3, inet_down_mbps=mbps), link("a", mb_s), size=size)

    assert math.isfinite(told.cold_s)
    assert told.cold_s >= forecast(an_offer("a", 0.3), size=0).cold_s - 1e-6


def test_a_start_that_installed_longer_than_it_downloaded_is_no_longer_around() -> None:
    assert StartTimes(total=100, models=20, install=60).around == 40
    assert StartTimes(total=100, models=90, install=20).around == 10
    assert StartTimes(total=10, models=90, install=20).around == 0


def test_the_forecast_says_itself_in_words() -> None:
    told = Forecast(cold_s=411.6, link_bps=63e6, size=FILES)

    assert str(told) == "ready in about 412 s, 33.0 GB at about 63 MB/s"
    assert str(replace(told, size=0)) == "ready in about 412 s, nothing to fetch"
