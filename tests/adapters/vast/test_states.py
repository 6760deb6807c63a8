import pytest

from orchestrator.adapters.clouds.vast.states import Status, state_of
from orchestrator.ports.cloud import RentalState

BOOT_ERROR = "Error response from daemon: OCI runtime create failed: runc create failed"
STARTING, RUNNING, FAILED, LOST = (
    RentalState.STARTING,
    RentalState.RUNNING,
    RentalState.FAILED,
    RentalState.LOST,
)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status(), STARTING),
        (Status(actual="created"), STARTING),
        (Status(actual="loading", message="a1b2: Pulling fs layer"), STARTING),
        (Status(actual="scheduling"), STARTING),
        (Status(actual="something new"), STARTING),
        (Status(actual="stopped", intended="running"), STARTING),
        (Status(actual="running", message="success, running x/ssh"), RUNNING),
        (Status(actual="running", message="earlier error, then success"), RUNNING),
        (Status(actual="running", intended="running", current="running", following="stopped"), RUNNING),
        (Status(actual="exited"), FAILED),
        (Status(actual="frozen"), FAILED),
        (Status(actual="stopped", intended="stopped"), FAILED),
        (Status(actual="unknown"), FAILED),
        (Status(actual="offline"), FAILED),
        (Status(actual="created", message=BOOT_ERROR), FAILED),
        (Status(actual="loading", message="Permission denied"), FAILED),
        (Status(message="docker_build() failed"), FAILED),
        (Status(actual="running", intended="stopped", current="stopped", following="stopped"), FAILED),
        (Status(intended="stopped", current="stopped", following="stopped"), FAILED),
        (Status(actual="unknown", has_ports=True), LOST),
        (Status(actual="offline", message="success, running x/ssh"), LOST),
        (Status(actual="rebooting"), LOST),
    ],
)
def test_each_status_has_one_state(status: Status, state: RentalState) -> None:
    assert state_of(status) is state
