"""Names of cards, as clouds and drivers write them."""

import pytest

from orchestrator.domain.gpu import capability_of, cuda_of, has_vram, is_same_gpu


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


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("NVIDIA GeForce RTX 5090", 12.0),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 12.0),
        ("NVIDIA B200", 10.0),
        ("NVIDIA H100 80GB HBM3", 9.0),
        ("NVIDIA H200", 9.0),
        ("RTX 4090", 8.9),
        ("NVIDIA RTX 5000 Ada Generation", 8.9),
        ("NVIDIA RTX 4000 SFF Ada Generation", 8.9),
        ("NVIDIA L40S", 8.9),
        ("NVIDIA L4", 8.9),
        ("NVIDIA GeForce RTX 3080 Ti", 8.6),
        ("NVIDIA RTX A6000", 8.6),
        ("NVIDIA A40", 8.6),
        ("NVIDIA A10", 8.6),
        ("NVIDIA A100-SXM4-80GB", 8.0),
        ("Tesla V100-PCIE-16GB", 7.0),
        ("Quadro RTX 5000", 7.5),
        ("Tesla P40", 6.1),
        ("AMD Instinct MI300X OAM", 0.0),
    ],
)
def test_a_cards_generation_is_known_by_its_name(name: str, capability: float) -> None:
    assert capability_of(name) == capability
