"""What the worker image is built from: pinned, the same as the manifests say, and all there."""

import re

import pytest
from packaging.requirements import Requirement

from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.app import WORKFLOWS
from orchestrator.domain.workflows import Install, Workflow
from tests.adapters.worker_image.recipe import (
    COMFYUI_NEEDS,
    FOLDER,
    brought,
    hashes,
    of,
    pinned,
    reaches_the_builder,
    steps,
    version_of,
)

TORCH = pinned(FOLDER / "torch.txt")
LOCK = pinned(FOLDER / "requirements.lock")


@pytest.fixture(params=read_workflows(WORKFLOWS), ids=lambda workflow: workflow.name)
def workflow(request: pytest.FixtureRequest) -> Workflow:
    found: Workflow = request.param
    return found


@pytest.fixture
def install(workflow: Workflow) -> Install:
    assert workflow.runtime.install is not None
    return workflow.runtime.install


def test_it_starts_from_one_exact_image(workflow: Workflow) -> None:
    (base,) = of("FROM")

    tag = base.partition("@")[0].rpartition(":")[2]
    assert re.search(r"\d+\.\d+\.\d+", tag)
    assert re.search(r"@sha256:[0-9a-f]{64}$", base)
    assert base.partition("@")[0] == workflow.runtime.image  # hosts that ran it have its layers
    assert f"cuda{workflow.requirements.cuda}" in tag
    assert f":{version_of(TORCH['torch'])}-" in base


def test_comfyui_is_the_one_of_the_manifests(install: Install) -> None:
    (source,) = of("ADD")
    (checks,) = [text for text in of("RUN") if "comfyui_version.py" in text]

    assert re.fullmatch(re.escape(install.repository) + r"\.git#[0-9a-f]{40} /opt/comfyui", source)
    assert f'__version__ = "{install.commit.removeprefix("v")}"' in checks
    assert f"comfyui-{install.commit}-torch-{version_of(TORCH['torch'])}" in " ".join(of("LABEL"))


def test_pytorch_is_one_that_the_manifests_accept(install: Install) -> None:
    for wanted in map(Requirement, install.torch):
        assert version_of(TORCH[wanted.name]) in wanted.specifier


def test_the_command_is_the_one_that_the_manifests_start(workflow: Workflow) -> None:
    (copied,) = of("COPY")

    assert copied.endswith(f" {workflow.runtime.start} /usr/local/bin/{workflow.runtime.start}")


def test_every_requirement_has_one_version_and_a_checksum() -> None:
    assert set(hashes()) == set(LOCK)
    assert min(hashes().values()) > 0
    assert all(version_of(each) for each in LOCK.values())


def test_the_lock_has_all_that_comfyui_needs_beside_pytorch() -> None:
    there = TORCH | LOCK
    needs = pinned(COMFYUI_NEEDS)

    assert len(needs) > 20
    assert {name for name, need in needs.items() if version_of(there[name]) not in need.specifier} == set()


def test_pytorch_and_its_libraries_are_left_to_the_base_image() -> None:
    assert not [name for name in LOCK if name in {*TORCH, "triton"} or name.startswith("nvidia-")]


def test_all_that_is_brought_is_there_and_nothing_else_is_sent() -> None:
    assert set(brought()) == {"comfyui", "requirements.lock", "torch.txt"}
    assert all((FOLDER / name).is_file() and reaches_the_builder(name) for name in brought())
    assert not [file.name for file in FOLDER.iterdir() if reaches_the_builder(file.name) != (file.name in brought())]


def test_what_is_large_and_stable_comes_first() -> None:
    words = [step.word for step in steps() if step.word in {"FROM", "RUN", "ADD", "COPY"}]

    assert words == ["FROM", "RUN", "RUN", "ADD", "RUN", "COPY", "RUN"]


def test_no_machine_gets_the_host_keys_of_another() -> None:
    (installs,) = [text for text in of("RUN") if "openssh-server" in text]

    assert installs.index("openssh-server") < installs.index("rm -f /etc/ssh/ssh_host_*")


def test_every_step_stops_at_the_first_thing_that_fails() -> None:
    assert all("set -eu;" in text for text in of("RUN"))


@pytest.mark.parametrize(
    "kept_out",
    ["/var/lib/apt/lists/*", "/var/cache/apt/*", "/var/cache/ldconfig/aux-cache", "/var/log/apt", "/var/log/dpkg.log"],
)
def test_no_cache_and_no_log_stays_in_it(kept_out: str) -> None:
    (installs,) = [text for text in of("RUN") if "apt-get" in text]

    assert kept_out in installs.rpartition("rm -rf")[2].split()
    assert "snapshot.ubuntu.com/ubuntu/$UBUNTU_SNAPSHOT" in installs
    assert "DEBIAN_FRONTEND=noninteractive" in installs


def test_packages_come_by_their_checksums_without_bytecode_of_that_moment() -> None:
    (installs,) = [text for text in of("RUN") if "requirements.lock" in text]

    for option in ("--no-cache-dir", "--no-compile", "--no-deps", "--require-hashes"):
        assert option in installs.split()
    assert "ARG SOURCE_DATE_EPOCH=0" in [f"{step.word} {step.text}" for step in steps()]
    assert any("--invalidation-mode unchecked-hash" in text for text in of("RUN"))
