"""Pictures in memory against the rules of ``blobs_suite``."""

import pytest

from orchestrator.sim.blobs import SimBlobs
from tests.contract.blobs_suite import BlobsContract, Subject


class TestSimBlobs(BlobsContract):
    @pytest.fixture
    def subject(self) -> Subject:
        is_full = False

        def set_full(full: bool) -> None:
            nonlocal is_full
            is_full = full

        return Subject(blobs=SimBlobs(lambda: is_full), set_full=set_full)
