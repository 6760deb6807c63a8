"""Rules that an adapter is exempt from are not run for it; its stage says why, beside the list."""

import importlib
import importlib.util
from collections.abc import Collection

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    exempt = [item for item in items if _is_exempt(item)]
    if exempt:
        config.hook.pytest_deselected(items=exempt)
        items[:] = [item for item in items if item not in exempt]


def _is_exempt(item: pytest.Item) -> bool:
    """A class of rules may have a list of its own; else the subject has one."""
    callspec = getattr(item, "callspec", None)
    params = {} if callspec is None else callspec.params
    exempt = getattr(getattr(item, "cls", None), "exempt", None) or _list_of(params.get("subject"))
    return getattr(item, "originalname", None) in exempt or params.get("trouble") in exempt


def _list_of(subject: object) -> Collection[str]:
    """What the stage of *subject* cannot show: ``<subject>_stage.py`` has one class that says so."""
    name = f"tests.contract.{subject}_stage"
    if not isinstance(subject, str) or importlib.util.find_spec(name) is None:
        return ()
    stages = [vars(it) for it in vars(importlib.import_module(name)).values() if isinstance(it, type)]
    return next((stage["exempt"] for stage in stages if "exempt" in stage), ())
