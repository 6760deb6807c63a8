"""Which managed APIs there are: one line each. Called by the composition root, which knows the keys."""

from collections.abc import Mapping
from typing import Protocol

import aiohttp

from orchestrator.adapters.inference.comfy_endpoint import comfy_endpoint
from orchestrator.adapters.inference.modal.api import modal
from orchestrator.adapters.inference.replicate import replicate
from orchestrator.adapters.inference.runpod_serverless import runpod_public, runpod_serverless
from orchestrator.adapters.inference.together.api import together
from orchestrator.ports.inference import Access, InferenceApi


class OpenApi(Protocol):
    """What an API's folder offers to the registry."""

    def __call__(self, access: Access, *, session: aiohttp.ClientSession) -> InferenceApi:
        """Build the adapter; nothing is sent. The session is shared, and closed by whoever opened it."""
        ...


APIS: Mapping[str, OpenApi] = {
    "comfy_endpoint": lambda access, *, session: comfy_endpoint(access.url or "", access.key),  # noqa: ARG005 - it opens its own
    "replicate": lambda access, *, session: replicate(access.url, access.key, session),
    "runpod_public": lambda access, *, session: runpod_public(access.url, access.key, session),
    "runpod_serverless": lambda access, *, session: runpod_serverless(access.url, access.endpoint, access.key, session),
    "modal": lambda access, *, session: modal(access.url or "", access.key, access.secret, session=session),
    "together": lambda access, *, session: together(access.key, session=session, url=access.url),
}
