"""Machines of one's own as a stage of the contract suite: two hundred names, and a folder for their leases."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from orchestrator.adapters.clouds.static.cloud import StaticCloud
from orchestrator.adapters.system import SystemClock
from orchestrator.domain.ids import CloudRef
from orchestrator.domain.instance import Address
from orchestrator.ports.cloud import CloudProvider
from tests.contract.cloud_suite import Trouble

HOSTS = ", ".join(f"me@box-{number}:22=RTX 3090" for number in range(200))
NO_BILL = "nobody sends a bill for a machine of one's own"
NO_WIRE = "nothing is asked over a wire that could lose, spoil or delay an answer"


async def _nothing_runs_there(_: Address) -> None:
    pass


class StaticStage:
    """One owner. Out of order is a folder that cannot be used."""

    exempt: Mapping[str, str] = {
        "test_the_card_is_paid_for_and_the_disk_beside_it": NO_BILL,
        "test_more_disk_costs_more": NO_BILL,
        "test_the_balance_is_told": NO_BILL,
        "test_without_money_an_order_is_a_problem_of_the_account": NO_BILL,
        "test_a_refused_key_is_a_problem_of_the_account": "there is no account, and no key to it but SSH's",
        "test_an_address_appears_only_when_the_machine_runs": "it runs before it is lent",
        "test_an_order_that_gets_no_answer_in_time_is_uncertain": NO_WIRE,
        "test_a_read_without_an_answer_in_time_is_unavailable": NO_WIRE,
        "test_too_often_says_when_to_ask_again": "one's own disk may be asked as often as one likes",
        Trouble.TOO_OFTEN: "one's own disk may be asked as often as one likes",
        Trouble.LIST_SHORT: "a folder does not count",
        Trouble.LIST_NULL: "the same",
        Trouble.LIST_ENDLESS: "a folder has no pages",
        **dict.fromkeys(
            [
                Trouble.ANSWER_LOST,
                Trouble.ANSWER_CUT,
                Trouble.ANSWER_GARBLED,
                Trouble.ANSWER_EMPTY,
                Trouble.ANSWER_5XX,
                Trouble.SILENT,
                Trouble.TOO_LONG,
                Trouble.GARBLED,
            ],
            NO_WIRE,
        ),
    }
    retry_after = timedelta()
    secrets: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self._leases = folder / "static"
        self._aside = folder / "aside"
        self.cloud: CloudProvider = StaticCloud(
            hosts=HOSTS, folder=folder, clock=SystemClock(), part=_nothing_runs_there
        )
        self.intruder: CloudProvider = self.cloud

    async def until_running(self, ref: CloudRef) -> None:
        """It always does."""

    async def until_unlisted(self, ref: CloudRef) -> None:
        """It is gone at once."""

    async def vanish(self, ref: CloudRef) -> None:
        """Somebody cleared up by hand."""
        (self._leases / f"{ref.partition('#')[0]}.json").unlink()

    async def spend_everything(self) -> None:
        raise AssertionError(NO_BILL)

    async def orders_received(self) -> int:
        raise AssertionError(NO_WIRE)

    async def strike(self, trouble: Trouble) -> None:
        if trouble is Trouble.LIST_MALFORMED:
            (self._leases / "box-199:22.json").write_text('{"label": "glow')
            return
        assert trouble is Trouble.OUT_OF_ORDER
        if self._leases.exists():
            self._leases.rename(self._aside)
        self._leases.write_text("a file where the folder should be")

    async def recover(self) -> None:
        self._leases.unlink()
        if self._aside.exists():
            self._aside.rename(self._leases)


@asynccontextmanager
async def static_stage() -> AsyncIterator[StaticStage]:
    with tempfile.TemporaryDirectory() as folder:
        yield StaticStage(Path(folder))
