"""What may be ordered by REST v2, and what is said to an order that may not."""

import json
import re
from typing import Any

from aiohttp import web

from orchestrator.sandbox.runpod.catalog import TIERS
from orchestrator.sandbox.runpod.pods import Problem, Row, Wish

LARGEST = 102_400
MOST_VARIABLES = 50
TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "image": (str,),
    "args": (str,),
    "disk": (int,),
    "env": (dict,),
    "ports": (list,),
    "registry": (str, type(None)),
    "cloud": (str,),
    "gpu": (dict,),
    "cpu": (dict,),
    "dataCenterIds": (list,),
    "globalNetworking": (bool,),
    "mounts": (dict,),
    "startJupyter": (bool,),
    "startSsh": (bool,),
    "templateId": (str,),
}
GPU_TYPES: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "count": (int,),
    "allowedCudaVersions": (list,),
    "minCudaVersion": (str,),
}
MOUNT_TYPES: dict[str, tuple[type, ...]] = {"persistent": (dict,), "network": (list,)}
VOLUME_TYPES: dict[str, tuple[type, ...]] = {"volumeId": (str,), "path": (str,)}
_PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*){1,16}")
_VERSION = re.compile(r"\d+\.\d+")


async def read_wish(request: web.Request) -> Wish:
    """
    Read an order as strictly as the real one does: what it does not know is refused.

    Raises:
        Problem: 413, 422 for what breaks the schema, 400 for what breaks a rule beyond it.
    """
    text = await request.text()
    if len(text) > LARGEST:
        raise Problem(413, f"request body exceeds {LARGEST} bytes")
    body = _object(text)
    errors = [*_faults("$", body, TYPES), *_faults("$.gpu", body.get("gpu", {}), GPU_TYPES)]
    errors += [f"$: missing property '{name}'" for name in ("name", "image") if not body.get(name)]
    errors += _mount_faults(body.get("mounts", {}))
    env = body.get("env", {})
    if isinstance(env, dict):
        errors += [f"$.env.{name}: not a string" for name, value in env.items() if not isinstance(value, str)]
    version = body.get("gpu", {}).get("minCudaVersion") if isinstance(body.get("gpu"), dict) else None
    if isinstance(version, str) and not _VERSION.fullmatch(version):
        errors.append("$.gpu.minCudaVersion: does not match pattern")
    if errors:
        raise Problem(422, "request body does not match the schema", *errors)
    return _wish(body)


def _wish(body: Row) -> Wish:
    gpu = body.get("gpu")
    if gpu is None or "cpu" in body:
        raise Problem(400, "exactly one of gpu or cpu must be set")
    if "disk" not in body and "templateId" not in body:  # seen by third parties; the schema lets it be left out
        raise Problem(400, "You must either provide a template id or pod configuration parameters")
    if body.get("cloud", "SECURE") not in TIERS:
        raise Problem(422, "request body does not match the schema", "$.cloud: not one of the allowed values")
    if "minCudaVersion" in gpu and "allowedCudaVersions" in gpu:
        raise Problem(400, "minCudaVersion and allowedCudaVersions exclude one another")
    if len(body.get("env", {})) > MOST_VARIABLES:
        raise Problem(400, f"no more than {MOST_VARIABLES} environment variables")
    mounted = _mounted(body)
    allowed = [float(version) for version in gpu.get("allowedCudaVersions", ())]
    return Wish(
        name=body["name"],
        image=body["image"],
        gpu=gpu.get("id", ""),
        tiers=(body.get("cloud", "SECURE"),),
        disk_gb=body["disk"],
        env=body.get("env", {}),
        ports=tuple(body.get("ports", ())),
        args=body.get("args", ""),
        min_cuda=float(gpu.get("minCudaVersion", min(allowed, default=0.0))),
        data_centers=tuple(body.get("dataCenterIds", ())),
        volume=mounted.get("volumeId", ""),
        mount_path=mounted.get("path", ""),
    )


def _mounted(body: Row) -> Row:
    """The one network volume that a pod is to have; empty for none."""
    mounts = body.get("mounts", {})
    if "network" in mounts and "persistent" in mounts:
        raise Problem(400, "mounts.persistent and mounts.network exclude one another")
    mounted = dict(next(iter(mounts.get("network", ())), {}))
    if mounted and not _PATH.fullmatch(mounted["path"]):
        raise Problem(400, "the mount path must be an absolute one")
    return mounted


def _mount_faults(mounts: Any) -> list[str]:
    errors = _faults("$.mounts", mounts, MOUNT_TYPES)
    network = [] if errors else mounts.get("network", [])
    for place, entry in enumerate(network):
        errors += _faults(f"$.mounts.network[{place}]", entry, VOLUME_TYPES)
        errors += [f"$.mounts.network: missing property '{name}'" for name in VOLUME_TYPES if name not in (entry or {})]
    return [*errors, *(["$.mounts.network: more than 1 item"] if len(network) > 1 else [])]


def read_action(text: str) -> str:
    """
    Read what a pod is told to do.

    Raises:
        Problem: Nothing that it can.
    """
    action = _object(text).get("action")
    if action not in {"start", "stop", "restart", "terminate"}:
        raise Problem(422, "request body does not match the schema", "$.action: not one of the allowed values")
    return str(action)


def _object(text: str) -> Row:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Problem(422, "request body does not match the schema", "$: not an object")
    return body


def _faults(where: str, body: Any, known: dict[str, tuple[type, ...]]) -> list[str]:
    if not isinstance(body, dict):
        return [f"{where}: not an object"]
    unknown = [f"{where}: additional properties '{name}' not allowed" for name in body if name not in known]
    wrong = [
        f"{where}.{name}: wrong type" for name, types in known.items() if name in body and type(body[name]) not in types
    ]
    return [*unknown, *wrong]
