"""Replicate's own client, `replicate` 1.0.7, unmodified, gets along with our server."""

from orchestrator.sandbox.replicate import Trouble
from tests.contract.replicate_stage import KEY, ReplicateStage
from tests.peers import run_peer

SCRIPT = """
import json, os, urllib.request, replicate
from replicate.exceptions import ModelError, ReplicateError

url, key = os.environ["URL"], os.environ["KEY"]
client = replicate.Client(api_token=key, base_url=url)
client.poll_interval = 0.02
model = "black-forest-labs/flux-schnell"
size = {"megapixels": "0.25", "output_format": "png"}
said = {"model": client.models.get(model).id}

stuck = client.models.predictions.create(model, input={"prompt": "never begun"})
stuck.cancel()
said["stuck"] = stuck.status

try:
    client.run(model, input={"prompt": "what the filter takes"}, wait=False)
except ModelError as error:
    said["filtered"] = error.prediction.error

held = client.models.predictions.create(model, input={"prompt": "a fox", "seed": 1, **size}, wait=True)
said["held"] = [held.status, len(held.output)]

waited = client.predictions.create(model=model, input={"prompt": "a fox", "seed": 2, **size})
waited.wait()
said["waited"] = [waited.status, client.predictions.get(waited.id).output == waited.output]

lora = {"lora_weights": "https://a.example/l.safetensors"}
(link,) = client.run(model + "-lora", input={"prompt": "a fox", **lora, **size})  # it would fetch https by itself
said["picture"] = urllib.request.urlopen(link).read()[:4].hex()

first = client.predictions.list()
second = client.predictions.list(cursor=first.next)
said["listed"] = [it.input["prompt"] for it in [*first, *second]]
said["pages"] = [len(first), len(second), second.next]

stranger = replicate.Client(api_token="r8_x", base_url=url)
for name, it, given in (("key", stranger, {}), ("input", client, {"seed": "x"})):
    try:
        it.models.predictions.create(model, input={"prompt": "a fox", **given})
    except ReplicateError as error:
        said[name] = [error.status, error.title]
print(json.dumps(said))
"""


async def test_it_orders_waits_lists_cancels_and_is_refused(stage: ReplicateStage) -> None:
    stage.account.page = 3
    stage.account.troubles.strike(Trouble.STUCK, times=1)
    stage.account.troubles.strike(Trouble.FILTERED, times=1)

    said = await run_peer(SCRIPT, env={"URL": stage.url, "KEY": KEY})

    assert said.pop("filtered").startswith("All generated images contained NSFW content")
    assert said == {
        "model": "black-forest-labs/flux-schnell",
        "stuck": "canceled",
        "held": ["succeeded", 1],
        "waited": ["succeeded", True],
        "picture": "89504e47",
        "listed": ["a fox", "a fox", "a fox", "what the filter takes", "never begun"],
        "pages": [3, 2, None],
        "key": [401, "Unauthenticated"],
        "input": [422, "Input validation failed"],
    }
    assert await stage.charged() == 2 * 3000 + 20_000
