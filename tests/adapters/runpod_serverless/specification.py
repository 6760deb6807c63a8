"""
RunPod's job API as its pages describe it: no specification of it is published.

docs.runpod.io/serverless/endpoints: send-requests (orders and policy), operation-reference (answers), job-states;
docs.runpod.io/public-endpoints/models/flux-schnell; README of github.com/runpod-workers/worker-comfyui 5.8.5. Read in
2026-08.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.specifications import faults_of

LONGEST_FAULT = 300

WORD = {"type": "string", "minLength": 1}
COUNTS = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
MILLISECONDS = {"type": "integer", "minimum": 0}
STATES = ["IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]

POLICY = {
    "type": "object",
    "properties": {
        "executionTimeout": {"type": "integer", "minimum": 5_000, "maximum": 604_800_000},
        "ttl": {"type": "integer", "minimum": 10_000, "maximum": 604_800_000},
        "lowPriority": {"type": "boolean"},
    },
    "additionalProperties": False,
}
NODE = {"type": "object", "required": ["class_type", "inputs"]}
COMFY_INPUT = {
    "type": "object",
    "required": ["workflow"],
    "properties": {
        "workflow": {"type": "object", "minProperties": 1, "additionalProperties": NODE},
        "images": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "image"],
                "properties": {"name": WORD, "image": WORD},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
SIDE = {"type": "integer", "minimum": 256, "maximum": 1536, "multipleOf": 64}
PUBLIC_INPUT = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        "prompt": WORD,
        "negative_prompt": WORD,
        "width": SIDE,
        "height": SIDE,
        "num_inference_steps": {"type": "integer", "minimum": 1, "maximum": 8},
        "guidance": {"type": "number"},
        "seed": {"type": "integer", "minimum": -1},
        "image_format": {"enum": ["jpeg", "png"]},
    },
    "additionalProperties": False,
}
IMAGE = {
    "type": "object",
    "required": ["filename", "type", "data"],
    "properties": {"filename": WORD, "type": {"enum": ["base64", "s3_url"]}, "data": WORD},
}
COMFY_OUTPUT = {
    "anyOf": [
        {
            "required": ["images"],
            "properties": {
                "images": {"type": "array", "items": IMAGE},
                "errors": {"type": "array", "items": WORD},
                "status": {"const": "success_no_images"},
            },
            "additionalProperties": False,
        },
        {"required": ["message", "status"], "properties": {"message": WORD, "status": WORD}},  # before 5.0
        {"required": ["details"], "properties": {"details": {"type": "array", "items": WORD}}},  # beside an error
    ]
}
PUBLIC_OUTPUT = {
    "type": "object",
    "required": ["image_url", "cost"],
    "properties": {"image_url": WORD, "cost": {"type": "number"}},
}
STATE = {
    "type": "object",
    "required": ["id", "status"],
    "properties": {
        "id": WORD,
        "status": WORD,
        "delayTime": MILLISECONDS,
        "executionTime": MILLISECONDS,
        "workerId": WORD,
        "error": WORD,
        "output": {"anyOf": [COMFY_OUTPUT, PUBLIC_OUTPUT]},
    },
    "additionalProperties": False,
    "if": {"properties": {"status": {"const": "FAILED"}}},
    "then": {"required": ["error"]},
}
ANSWERS: Mapping[str, Any] = {
    "run": {
        "type": "object",
        "required": ["id", "status"],
        "properties": {"id": WORD, "status": {"enum": STATES}},
        "additionalProperties": False,
    },
    "runsync": STATE,
    "status": STATE,
    "cancel": {
        "type": "object",
        "required": ["id", "status"],
        "properties": {"id": WORD, "status": {"enum": STATES}},
        "additionalProperties": False,
    },
    "health": {"type": "object", "required": ["jobs", "workers"], "properties": {"jobs": COUNTS, "workers": COUNTS}},
    "purge-queue": {
        "type": "object",
        "required": ["removed", "status"],
        "properties": {"removed": {"type": "integer"}, "status": {"const": "completed"}},
    },
}
STATUSES = frozenset({200, 400, 401, 404, 429, 500})
DEVIATIONS: Mapping[int, str] = {402: "what an empty account gets is written nowhere; this is the usual code"}


def order(given: Any) -> Any:
    return {
        "type": "object",
        "required": ["input"],
        "properties": {"input": given, "policy": POLICY, "webhook": WORD, "s3Config": {"type": "object"}},
        "additionalProperties": False,
    }


@dataclass(slots=True)
class Witness:
    """
    Reads along, and notes what the pages do not allow.

    Attributes:
        garbles: What is sent just now is meant to be no JSON.
    """

    faults: list[str] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    garbles: bool = False

    @web.middleware
    async def listen(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not request.path.startswith("/v2/"):
            return await handler(request)
        endpoint, operation = request.path.split("/")[2:4]
        if operation in {"run", "runsync"}:
            body = json.loads(await request.read())
            self.orders.append(body)
            self._hold(f"{operation} order", order(PUBLIC_INPUT if "-flux-" in endpoint else COMFY_INPUT), body)
        response = await handler(request)
        self._note(operation, response)
        return response

    def _note(self, operation: str, response: web.StreamResponse) -> None:
        if response.status not in STATUSES | DEVIATIONS.keys():
            self.faults.append(f"{operation} answers {response.status}")
        if response.status == 200 and not self.garbles and isinstance(response, web.Response):
            self._hold(operation, ANSWERS[operation], json.loads(response.text or ""))

    def _hold(self, what: str, schema: Any, value: Any) -> None:
        self.faults += [f"{what}: {fault}"[:LONGEST_FAULT] for fault in faults_of(schema, value)]
