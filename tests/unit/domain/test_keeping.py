"""Which pictures are no longer kept: pure."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ids import ImageKey, JobId
from orchestrator.domain.policy.keeping import Farewell, Keep, Kept, to_drop

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEEP = Keep(span=timedelta(days=90), size=100)
NOTHING: frozenset[ImageKey] = frozenset()


def made(name: str, *images: str, days_ago: float) -> Kept:
    return Kept(
        job=JobId(name), ended_at=NOW - timedelta(days=days_ago), images=frozenset(ImageKey(key) for key in images)
    )


def gone(jobs: str, files: str = "") -> Farewell:
    return Farewell(jobs=tuple(JobId(job) for job in jobs), files=tuple(ImageKey(key) for key in files))


def dropped(*kept: Kept, size: int = 10, needed: frozenset[ImageKey] = NOTHING, limit: int = 9) -> Farewell:
    sizes = {key: size for each in kept for key in each.images}
    return to_drop(kept, sizes, KEEP, needed=needed, now=NOW, limit=limit)


def test_what_is_too_old_goes() -> None:
    assert dropped(made("a", "1", days_ago=90.1), made("b", "2", days_ago=90)) == gone("a", "1")


def test_what_is_too_much_goes_oldest_first_until_the_rest_fits() -> None:
    assert dropped(
        made("a", "1", days_ago=3), made("b", "2", "3", days_ago=2), made("c", "4", days_ago=1), size=40
    ) == (gone("ab", "123"))


def test_a_picture_that_another_request_shares_stays_as_long_as_that_does() -> None:
    assert dropped(made("a", "1", days_ago=100), made("b", "1", days_ago=1)) == gone("a")


def test_what_somebody_waits_for_stays_however_old_it_is() -> None:
    old, older = made("a", "1", days_ago=100), made("b", "2", days_ago=99)

    assert dropped(old, older, needed=frozenset({ImageKey("1")})) == gone("b", "2")


def test_a_step_is_bounded() -> None:
    many = [made(str(number), str(number), days_ago=200 - number) for number in range(50)]

    assert len(dropped(*many, limit=7).jobs) == 7


@given(st.lists(st.tuples(st.floats(0, 200), st.sets(st.sampled_from("abcdef"), min_size=1)), max_size=8))
def test_no_file_goes_that_a_remaining_request_has(asked: list[tuple[float, set[str]]]) -> None:
    kept = [made(f"job{place}", *images, days_ago=age) for place, (age, images) in enumerate(asked)]
    kept.sort(key=lambda each: each.ended_at)

    farewell = dropped(*kept, size=30)

    left = [each for each in kept if each.job not in farewell.jobs]
    assert not {key for each in left for key in each.images} & set(farewell.files)
    assert sum(30 for _ in {key for each in left for key in each.images}) <= KEEP.size
    assert all(NOW - each.ended_at <= KEEP.span for each in left)
