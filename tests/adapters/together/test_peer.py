"""Together's own client, unmodified, is served by the fake as by the real thing.

Its ``models.list`` lists models of a project of one's own by now; the bare list of all is asked for by its path.
"""

from tests.contract.together_stage import KEY, TogetherStage
from tests.peers import run_peer

SCRIPT = """
import base64, json, os, urllib.error, urllib.request
from together import AuthenticationError, BadRequestError, Together

url = os.environ["URL"]
client = Together(api_key=os.environ["KEY"], base_url=url, max_retries=0)
models = [model["id"] for model in client.get("/v1/models", cast_to=object)]
order = {"model": "black-forest-labs/FLUX.1-schnell", "prompt": "a fox", "width": 256, "height": 256, "steps": 4}
inline = client.images.generate(**order, n=2, seed=7, response_format="base64", output_format="png").data
linked = client.images.generate(**order, seed=7, response_format="url").data[0].url

def fetched(agent):
    try:
        with urllib.request.urlopen(urllib.request.Request(linked, headers={"User-Agent": agent})) as answer:
            return answer.read()[:3].hex()
    except urllib.error.HTTPError as error:
        return error.code

def refused(key, **wish):
    try:
        Together(api_key=key, base_url=url, max_retries=0).images.generate(**{**order, **wish})
    except (AuthenticationError, BadRequestError) as error:
        return error.status_code

print(json.dumps({
    "models": models,
    "pictures": [base64.b64decode(each.b64_json)[:4].hex() for each in inline],
    "link": [fetched("a browser"), fetched("")],
    "refused": [refused("another"), refused(os.environ["KEY"], width=100)],
}))
"""


async def test_the_vendors_client_lists_models_and_makes_pictures(stage: TogetherStage) -> None:
    seen = await run_peer(SCRIPT, env={"URL": stage.url, "KEY": KEY})

    assert "black-forest-labs/FLUX.1-schnell" in seen["models"]
    assert seen["pictures"] == ["89504e47", "89504e47"]
    assert seen["link"] == ["ffd8ff", 403]
    assert seen["refused"] == [401, 400]
    assert stage.office.orders == 3
