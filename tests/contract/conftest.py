"""Rules that an adapter is exempt from are not run for it; its stage says why, beside the list."""

import pytest

from tests.contract.comfy_endpoint_stage import ComfyEndpointStage
from tests.contract.lambda_stage import LambdaStage
from tests.contract.modal_stage import ModalStage
from tests.contract.runpod_serverless_stage import RunPodServerlessStage
from tests.contract.runpod_stage import RunPodStage
from tests.contract.sandbox_stage import SandboxStage
from tests.contract.static_stage import StaticStage
from tests.contract.together_stage import TogetherStage
from tests.contract.vast_stage import VastStage

EXEMPT = {
    "comfy_endpoint": ComfyEndpointStage.exempt,
    "runpod_serverless": RunPodServerlessStage.exempt,
    "runpod": RunPodStage.exempt,
    "lambda": LambdaStage.exempt,
    "modal": ModalStage.exempt,
    "sandbox": SandboxStage.exempt,
    "static": StaticStage.exempt,
    "together": TogetherStage.exempt,
    "vast": VastStage.exempt,
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    exempt = [item for item in items if _is_exempt(item)]
    if exempt:
        config.hook.pytest_deselected(items=exempt)
        items[:] = [item for item in items if item not in exempt]


def _is_exempt(item: pytest.Item) -> bool:
    """A class of rules may have a list of its own; else the subject has one."""
    callspec = getattr(item, "callspec", None)
    params = {} if callspec is None else callspec.params
    exempt = getattr(getattr(item, "cls", None), "exempt", None) or EXEMPT.get(params.get("subject", ""), {})
    return getattr(item, "originalname", None) in exempt or params.get("trouble") in exempt
