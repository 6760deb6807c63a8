"""Names of cards, as clouds and drivers write them."""

import pytest

from orchestrator.domain.gpu import cuda_of, has_vram, is_same_gpu


@pytest.mark.parametrize(
    ("ordered", "found"),
    [
        ("RTX 4090", "NVIDIA GeForce RTX 4090"),
        ("RTX 4090", "NVIDIA RTX 4090"),
        ("RTX_4090", "NVIDIA GeForce RTX 4090"),
        ("A100 SXM4", "NVIDIA A100-SXM4-80GB"),
        ("A100 PCIE", "NVIDIA A100 80GB PCIe"),
        ("H100 SXM", "NVIDIA H100 80GB HBM3"),
        ("RTX 6000Ada", "NVIDIA RTX 6000 Ada Generation"),
        ("RTX 4070S Ti", "NVIDIA GeForce RTX 4070 Ti SUPER"),
        ("gpu_1x_a10", "NVIDIA A10"),
        ("NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 3090"),
        ("Titan V", "NVIDIA TITAN V"),
    ],
)
def test_same_card_under_two_names(ordered: str, found: str) -> None:
    assert is_same_gpu(ordered, found)


@pytest.mark.parametrize(
    ("ordered", "found"),
    [
        ("RTX 4090", "NVIDIA GeForce RTX 3060"),
        ("RTX 4090", ""),
        ("A100 SXM4", "NVIDIA A10"),
        ("RTX 6000Ada", "NVIDIA RTX A6000"),
        ("RTX A6000", "NVIDIA RTX 6000 Ada Generation"),
        ("Titan V", "NVIDIA TITAN RTX"),
    ],
)
def test_another_card_is_told_apart(ordered: str, found: str) -> None:
    assert not is_same_gpu(ordered, found)


def test_memory_may_be_a_little_less_than_promised() -> None:
    assert has_vram(24576, 24564)
    assert not has_vram(24576, 12288)


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("550.54.15", 12.4),
        ("570.172.08", 12.8),
        ("572.16", 12.8),
        ("599.01", 13.0),
        ("535.86.05", 12.2),
        ("470.82", 0.0),
        ("", None),
        ("[N/A]", None),
        ("1e9", None),
    ],
)
def test_a_driver_knows_the_cuda_of_its_branch(driver: str, cuda: float | None) -> None:
    assert cuda_of(driver) == cuda
