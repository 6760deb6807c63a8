"""Whether a machine is what was ordered and will do, before anything is put on it."""

from dataclasses import dataclass

from orchestrator.control.machine_agent import Answer, count_of, printable
from orchestrator.domain.errors import PreparationFailed
from orchestrator.domain.gpu import cuda_of, has_vram, is_same_gpu
from orchestrator.domain.stages import Step

ADMITTED_SHARE = 0.5
"""Of the downloads' floor: a short sample on a few connections shows less of a link than the whole download does."""

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    gpu: str
    vram_mib: int


def check_gpu(ordered: Ordered, seen: Answer) -> None:
    found, vram = printable(seen.get("gpu", "")), count_of(seen, "vram_mib")
    if not is_same_gpu(ordered.gpu, found) or not has_vram(ordered.vram_mib, vram):
        said = f"ordered {ordered.gpu} with {ordered.vram_mib} MiB, found {found or 'none'} with {vram} MiB"
        raise PreparationFailed(said, step=Step.AGENT, code="wrong_gpu")


def check_driver(cuda: float, seen: Answer) -> None:
    """A driver that does not say what it is, is for the smoke picture to judge."""
    driver = printable(seen.get("driver", ""))
    knows = cuda_of(driver)
    if knows is not None and knows < cuda:
        said = f"driver {driver} knows CUDA {knows or 'of old'}, the workflow needs {cuda}"
        raise PreparationFailed(said, step=Step.AGENT, code="old_driver")


def check_space(seen: Answer, *, spare: int) -> int:
    """Whether what is missing fits, and *spare* bytes beside it; the bytes that are free beyond that."""
    free, missing = count_of(seen, "disk_free"), count_of(seen, "missing")
    if free < missing + spare:
        said = f"{free // MIB} MiB free, {missing // MIB} MiB to fetch"
        raise PreparationFailed(said, step=Step.AGENT, code="disk_full")
    return free - missing - spare


def check_disk(seen: Answer, *, floor_bps: int) -> None:
    if _is_slow(seen, "disk_bps", floor_bps):
        raise PreparationFailed(f"disk: {count_of(seen, 'disk_bps')} bytes/s", step=Step.AGENT, code="disk_broken")


def check_link(seen: Answer, *, floor_bps: int) -> None:
    if has_slow_link(seen, floor_bps=floor_bps):
        said = f"link: {count_of(seen, 'link_bps')} bytes/s {printable(seen.get('link_problem', ''))}"
        raise PreparationFailed(said, step=Step.AGENT, code="too_slow")


def link_of(seen: Answer) -> int:
    """Bytes a second, as its link was measured; 0 where nothing came because the mirrors refused."""
    return count_of(seen, "link_bps") or (0 if seen.get("link_problem") else 1)


def has_slow_link(seen: Answer, *, floor_bps: int) -> bool:
    return _is_slow(seen, "link_bps", floor_bps)


def _is_slow(seen: Answer, name: str, floor_bps: int) -> bool:
    """Whether it was measured and is below what downloads need: they are written as fast as they come."""
    return name in seen and count_of(seen, name) < floor_bps * ADMITTED_SHARE
