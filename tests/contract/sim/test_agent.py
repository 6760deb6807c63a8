"""What our agent does in memory where no suite asks: a LoRA that is fetched onto a machine with models."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from orchestrator.ports.host import Host
from orchestrator.sim.host import SimHosts
from orchestrator.sim.lora_files import DEAD
from tests.contract.cloud_suite import launched
from tests.contract.sim.stage import Certain, SimStage

MODELS = {"path": "unet/a", "size": 10**9, "urls": ["https://a.example/a"]}
LORA = {"path": "loras/ink", "size": 3 * 10**8, "urls": ["https://a.example/ink"]}


async def a_host() -> Host:
    stage = SimStage(hosts=20)
    ref = await launched(stage)
    await stage.until_running(ref)
    rental, machine = await stage.cloud.rental(ref), stage.account.machines[ref]
    assert rental is not None
    assert rental.address is not None
    hosts = SimHosts(lambda _: machine, Certain())
    return await hosts.connect(rental.address, host_key=None, limit=timedelta(seconds=10))


async def last(host: Host, file: Mapping[str, Any]) -> dict[str, Any]:
    asked = json.dumps({"op": "fetch", "files": [file]}).encode()
    async with host.converse("exec python3 agent.py call", stdin=asked) as lines:
        said = [json.loads(line) async for line in lines]
    answer: dict[str, Any] = said[-1]
    return answer


async def test_a_lora_is_fetched_once_after_the_models() -> None:
    host = await a_host()

    assert (await last(host, MODELS))["bytes"] == MODELS["size"]
    assert (await last(host, LORA))["bytes"] == LORA["size"]
    assert (await last(host, LORA))["bytes"] == 0
    assert (await last(host, MODELS))["bytes"] == MODELS["size"], "as it says of models that are there"


async def test_one_whose_link_is_dead_fails_alone() -> None:
    host = await a_host()
    await last(host, MODELS)

    assert (await last(host, LORA | {"urls": [f"https://{DEAD}.example/ink"]}))["code"] == "no_progress"
    assert (await last(host, LORA))["event"] == "done"
