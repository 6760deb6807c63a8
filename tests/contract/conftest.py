"""Rules that an adapter is exempt from are not run for it; its stage says why, beside the list."""

import pytest

from tests.contract.sandbox_stage import SandboxStage
from tests.contract.vast_stage import VastStage

EXEMPT = {"sandbox": SandboxStage.exempt, "vast": VastStage.exempt}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    exempt = [item for item in items if _is_exempt(item)]
    if exempt:
        config.hook.pytest_deselected(items=exempt)
        items[:] = [item for item in items if item not in exempt]


def _is_exempt(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    if callspec is None or callspec.params.get("subject") not in EXEMPT:
        return False
    rules = (getattr(item, "originalname", None), callspec.params.get("trouble"))
    return any(rule in EXEMPT[callspec.params["subject"]] for rule in rules)
