"""RunPod's own client, unmodified, finds what it expects: PyPI ``runpod`` 1.12."""

import json

from orchestrator.domain.workflows import fill
from tests.adapters.runpod_serverless.service import ENDPOINT, KEY, Service
from tests.contract.inference_suite import JOB, WORKFLOW
from tests.peers import run_peer

SCRIPT = """
import json, os
import runpod

runpod.api_key = os.environ["KEY"]
runpod.endpoint_url_base = os.environ["URL"] + "/v2"
endpoint = runpod.Endpoint(os.environ["ENDPOINT"])
graph = json.loads(os.environ["GRAPH"])

painted = endpoint.run({"input": {"workflow": graph}})
output = painted.output(timeout=20)
at_once = endpoint.run_sync({"input": {"workflow": graph}}, timeout=20)
public = runpod.Endpoint("black-forest-labs-flux-1-schnell").run_sync(
    {"input": {"prompt": "a fox", "width": 256, "height": 256}}, timeout=20
)
cancelled = endpoint.run({"input": {"workflow": graph}})
answer = cancelled.cancel()
try:
    runpod.Endpoint(os.environ["ENDPOINT"], api_key="rpa_nobody").health()
    refused = ""
except RuntimeError as error:
    refused = str(error)
print(json.dumps({
    "status": painted.status(),
    "types": [image["type"] for image in output["images"]],
    "at_once": len(at_once["images"]),
    "public": sorted(public),
    "answer": answer["status"],
    "cancelled": cancelled.status(),
    "health": endpoint.health(),
    "purged": endpoint.purge_queue(),
    "refused": refused,
}))
"""


async def test_their_client_runs_follows_cancels_and_asks_how_the_workers_are(service: Service) -> None:
    env = {"KEY": KEY, "URL": service.url, "ENDPOINT": ENDPOINT, "GRAPH": json.dumps(fill(WORKFLOW, JOB.values))}

    told = await run_peer(SCRIPT, env=env)

    assert told["status"] == "COMPLETED"
    assert (told["types"], told["at_once"]) == (["base64"], 1)
    assert told["public"] == ["cost", "image_url"]
    assert told["answer"] in {"CANCELLED", "COMPLETED"}
    assert told["cancelled"] == told["answer"]
    assert set(told["health"]) == {"jobs", "workers"}
    assert told["purged"] == {"removed": 0, "status": "completed"}
    assert "401" in told["refused"] or "nauthorized" in told["refused"]
