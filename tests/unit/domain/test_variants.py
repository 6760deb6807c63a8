"""Which variant a machine gets: the best that fits its memory and comes in time."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.app import WORKFLOWS
from orchestrator.domain.offer import Requirements
from orchestrator.domain.policy.variants import LONGEST_EXTRA, Pin, allowed, choose, link_of, moved, searches
from orchestrator.domain.workflows import ModelFile, Variant, Workflow
from tests.contract.samples import an_offer

FLUX = next(workflow for workflow in read_workflows(WORKFLOWS) if workflow.name == "flux-schnell-lora")
LARGE, SMALL = 24_564, 16_380
FAST, SLOW = 300e6, 60e6


def chosen(vram_mib: int, link_bps: float, pin: Pin = Pin.AUTO) -> str | None:
    found = choose(FLUX, vram_mib, link_bps, pin)
    return None if found is None else found.variant


def test_a_large_card_on_a_fast_link_gets_full_quality() -> None:
    assert chosen(LARGE, FAST) == ""


def test_a_link_that_nobody_knows_is_no_reason_for_lighter_files() -> None:
    assert chosen(LARGE, 0) == ""


def test_a_slow_link_gets_the_lightest_and_one_between_what_lies_between() -> None:
    assert chosen(LARGE, SLOW) == "fp8"
    assert chosen(LARGE, 150e6) == "fp8-text"


def test_full_files_are_worth_exactly_so_much_waiting() -> None:
    most = (moved(FLUX) - moved(FLUX.as_variant("fp8"))) / LONGEST_EXTRA.total_seconds()

    assert chosen(LARGE, most * 1.001) == ""
    assert chosen(LARGE, most * 0.999) == "fp8-text"


@pytest.mark.parametrize("link_bps", [0, SLOW, FAST])
def test_a_card_of_16_gb_gets_what_fits_it_and_a_smaller_one_nothing(link_bps: float) -> None:
    assert chosen(SMALL, link_bps) == "fp8"
    assert chosen(12_288, link_bps) is None


def test_an_operator_can_pin_it() -> None:
    assert chosen(LARGE, SLOW, Pin.FULL) == ""
    assert chosen(SMALL, SLOW, Pin.FULL) is None
    assert chosen(LARGE, FAST, Pin.LIGHT) == "fp8"


def test_full_quality_is_looked_for_before_what_needs_less_memory() -> None:
    assert [asked.vram_mib for asked in searches(FLUX, Pin.AUTO)] == [22 * 1024, 16 * 1024]
    assert [asked.vram_mib for asked in searches(FLUX, Pin.FULL)] == [22 * 1024]
    assert [asked.vram_mib for asked in searches(FLUX, Pin.LIGHT)] == [16 * 1024]


def test_a_workflow_without_variants_is_always_itself() -> None:
    plain = replace(FLUX, variants=())

    assert [choose(plain, LARGE, SLOW, pin) for pin in Pin] == [plain] * 3
    assert choose(plain, SMALL, 0) is None


def test_a_link_counts_at_half_of_what_is_advertised() -> None:
    assert link_of(an_offer(inet_down_mbps=800), Requirements(vram_mib=1, disk_gib=1)) == 50e6


def test_a_cloud_that_repeats_what_it_was_asked_for_and_a_folder_that_has_the_files_say_nothing_of_a_link() -> None:
    asked = FLUX.requirements

    assert link_of(an_offer(inet_down_mbps=float(asked.inet_down_mbps)), asked) == 0
    assert link_of(an_offer(inet_down_mbps=0), Requirements(vram_mib=1, disk_gib=1)) == 0
    assert link_of(an_offer(volume="/lambda/nfs/models"), asked) == 0


def workflow(sizes: Sequence[tuple[int, int]]) -> Workflow:
    """One with these amounts of memory (MiB) and bytes, the heaviest first."""
    (vram, size), *lighter = sizes
    variants = tuple(
        Variant(name=f"v{number}", title="", graph={}, models=_file(size), requirements=_needs(vram))
        for number, (vram, size) in enumerate(lighter)
    )
    return replace(FLUX, loras={}, models=_file(size), requirements=_needs(vram), variants=variants)


def _file(size: int) -> tuple[ModelFile, ...]:
    return (ModelFile(path="unet/a", size_bytes=size, sha256=None, urls=()),)


def _needs(vram_mib: int) -> Requirements:
    return Requirements(vram_mib=vram_mib, disk_gib=1)


memory = st.integers(1, 100_000)
links = st.just(0.0) | st.floats(1, 1e10)


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    count = draw(st.integers(1, 4))
    most = draw(st.lists(memory, min_size=count, max_size=count))
    sizes = draw(st.lists(st.integers(1, 10**12), min_size=count, max_size=count, unique=True))
    return workflow(list(zip(sorted(most, reverse=True), sorted(sizes, reverse=True), strict=True)))


def place(of: Workflow, vram_mib: int, link_bps: float) -> int:
    """How far down the list the choice stands; where nothing fits, below all."""
    every = [each.variant for each in allowed(of, Pin.AUTO)]
    found = choose(of, vram_mib, link_bps)
    return len(every) if found is None else every.index(found.variant)


@given(workflows(), memory, memory, links, links)
def test_more_memory_or_a_faster_link_never_gives_a_lighter_variant(
    of: Workflow, vram: int, more_vram: int, link: float, faster: float
) -> None:
    assume(vram <= more_vram)
    assume(0 < link <= faster or faster == 0)

    assert place(of, more_vram, link) <= place(of, vram, link)
    assert place(of, vram, faster) <= place(of, vram, link)


@given(workflows(), memory, links)
def test_what_is_chosen_fits_and_comes_in_time(of: Workflow, vram: int, link: float) -> None:
    found = choose(of, vram, link)
    fitting = [each for each in allowed(of, Pin.AUTO) if place(each, vram, 0) < len(allowed(each, Pin.AUTO))]

    assert (found is None) <= (not fitting or place(of, vram, 0) == len(allowed(of, Pin.AUTO)))
    if found is not None and link:
        assert moved(found) - moved(allowed(of, Pin.LIGHT)[0]) <= link * LONGEST_EXTRA.total_seconds() + 1
