"""What owners may write of their machines, and what they are told when it cannot be read."""

import pytest

from orchestrator.adapters.clouds.static.hosts import StaticHost, parse_hosts
from orchestrator.domain.instance import Address


def test_every_way_to_write_a_machine_is_read() -> None:
    hosts = parse_hosts(
        " root@10.0.0.5:22=RTX 3090, box.lan=NVIDIA GeForce RTX 4090 ,"
        "me@[fd00::5]:2222=Odd Card 48 GB,a=RTX 4090 48GiB,"
    )

    assert [(host.name, host.address.user, host.gpu, host.vram_mib // 1024) for host in hosts.values()] == [
        ("10.0.0.5:22", "root", "RTX 3090", 24),
        ("box.lan:22", "root", "NVIDIA GeForce RTX 4090", 24),
        ("[fd00::5]:2222", "me", "Odd Card", 48),
        ("a:22", "root", "RTX 4090", 48),
    ]
    assert hosts["[fd00::5]:2222"] == StaticHost(
        name="[fd00::5]:2222",
        address=Address(host="fd00::5", port=2222, user="me"),
        gpu="Odd Card",
        vram_mib=48 * 1024,
    )


@pytest.mark.parametrize(
    "entry",
    ["10.0.0.5", "=RTX 3090", "box:0=RTX 3090", "box:70000=RTX 3090", "a b=RTX 3090", "../x=T4", "box=", "x@=T4"],
)
def test_what_cannot_be_read_is_told_with_an_example(entry: str) -> None:
    with pytest.raises(
        ValueError, match=r"GLOWPLUG_STATIC_HOSTS: '.*' cannot be read; write it such as root@10"
    ) as told:
        parse_hosts(f"fine=RTX 3090,{entry}")

    assert repr(entry) in str(told.value)


def test_a_card_that_nobody_knows_needs_its_memory() -> None:
    with pytest.raises(
        ValueError, match="'Odd Card' has is not known here; write it behind the name, such as Odd Card 24GB"
    ):
        parse_hosts("box=Odd Card")


def test_a_machine_is_named_once() -> None:
    with pytest.raises(ValueError, match="box:22 is there twice"):
        parse_hosts("root@box=RTX 3090, me@box:22=RTX 3090")


def test_no_machine_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="names no machine"):
        parse_hosts(" , ")
