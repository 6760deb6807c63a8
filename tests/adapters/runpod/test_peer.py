"""RunPod's own client, unmodified, against the sandbox's RunPod: GraphQL, which is all it speaks of pods."""

from tests.adapters.runpod.world import KEY, World
from tests.peers import run_peer

SCRIPT = """
import json, time, runpod
runpod.api_key = {key!r}
gpus = runpod.get_gpus()
gpu = runpod.get_gpu("NVIDIA GeForce RTX 4090")
args = dict(image_name="example/comfyui:1", gpu_type_id=gpu["id"], container_disk_in_gb=20, ports="22/tcp")
made = runpod.create_pod("by-peer", env={{"FOO": "bar"}}, **args)
until = time.monotonic() + 20
while not (pod := runpod.get_pod(made["id"]))["runtime"] and time.monotonic() < until:
    time.sleep(0.02)
listed = runpod.get_pods()
stopped = runpod.stop_pod(made["id"])
resumed = runpod.resume_pod(made["id"], 1)
runpod.terminate_pod(made["id"])
refused = []
def attempt(call, *args, **named):
    try:
        call(*args, **named)
    except Exception as error:
        refused.append([type(error).__name__, str(error)])
attempt(runpod.terminate_pod, made["id"])
attempt(runpod.create_pod, "x", **{{**args, "gpu_type_id": "none"}})
runpod.api_key = "wrong"
attempt(runpod.get_pods)
print(json.dumps(dict(
    gpus=gpus, gpu=gpu, made=made, pod=pod, listed=listed, stopped=stopped, resumed=resumed,
    refused=refused,
)))
"""


async def test_the_vendors_own_client_rents_a_pod_and_ends_it(runpod: World) -> None:
    said = await run_peer(SCRIPT.format(key=KEY), env={"RUNPOD_API_BASE_URL": runpod.url})

    assert {"id": "NVIDIA GeForce RTX 4090", "displayName": "RTX 4090", "memoryInGb": 24} in said["gpus"]
    assert said["gpu"]["securePrice"] > said["gpu"]["communityPrice"] > 0
    assert said["made"]["imageName"] == "example/comfyui:1"
    assert said["made"]["env"] == ["FOO=bar"]
    assert [pod["name"] for pod in said["listed"]] == ["by-peer"]
    assert said["pod"]["runtime"]["ports"][0]["privatePort"] == 22
    assert said["pod"]["costPerHr"] == said["gpu"]["securePrice"]
    assert (said["stopped"]["desiredStatus"], said["resumed"]["desiredStatus"]) == ("EXITED", "RUNNING")
    assert [kind for kind, _ in said["refused"]] == ["QueryError", "ValueError", "AuthenticationError"]
    assert said["refused"][0][1] == "pod not found to terminate"
    await runpod.until_gone(said["made"]["id"])
