"""Whoever has the sandbox's key makes trouble in the other vendors' APIs that it serves."""

from collections.abc import Mapping

import pytest

from tests.component.sandbox.renter import Answer, Renter

OUT_OF_ORDER: Mapping[str, tuple[str, str]] = {
    "lambda": ("out_of_order", "/api/v1/instances"),
    "modal": ("out_of_order", "/"),
    "replicate": ("out_of_order", "/v1/predictions"),
    "runpod": ("out-of-order", "/v2/pods"),
    "runpod_public": ("out-of-order", "/v2/black-forest-labs-flux-1-schnell/health"),
    "runpod_serverless": ("out-of-order", "/v2/mine/health"),
    "together": ("out_of_order", "/v1/models"),
}
"""Of each API the word for it, and what costs nothing to ask."""


async def strike(renter: Renter, **body: object) -> Answer:
    return await renter.call("POST", "/sandbox/troubles", body)


async def statuses(renter: Renter) -> dict[str, int]:
    """Ask each of them once."""
    apis = (await renter.call("GET", "/sandbox/apis")).body
    keys = {"Authorization": f"Bearer {renter.key}", "Modal-Key": renter.key, "Modal-Secret": renter.key}
    found = {}
    for name, url in (apis["clouds"] | apis["bridges"]).items():
        async with renter.http.get(url + OUT_OF_ORDER[name][1], headers=keys) as answer:
            found[name] = answer.status
    return found


async def test_every_other_api_can_be_put_out_of_order_until_all_is_well_again(renter: Renter) -> None:
    for name, (trouble, _) in OUT_OF_ORDER.items():
        answer = await strike(renter, api=name, trouble=trouble, times=None)
        assert answer.status == 200, answer.text

    assert set(await statuses(renter)) == set(OUT_OF_ORDER)
    assert all(status >= 500 for status in (await statuses(renter)).values())

    await renter.call("DELETE", "/sandbox/troubles")
    assert set((await statuses(renter)).values()) == {200}


async def test_a_trouble_strikes_once_or_as_often_as_is_said(renter: Renter) -> None:
    await strike(renter, api="replicate", trouble="out_of_order")
    await strike(renter, api="together", trouble="out_of_order", times=2)

    seen = [await statuses(renter) for _ in range(3)]

    assert [each["replicate"] for each in seen] == [500, 200, 200]
    assert [each["together"] for each in seen] == [500, 500, 200]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"api": "typo", "trouble": "filtered"}, "replicate"),
        ({"trouble": "filtered"}, "together"),
        ({"api": "replicate", "trouble": "typo"}, "filtered"),
        ({"api": "replicate", "trouble": ["filtered"]}, "filtered"),
        ({"api": "replicate", "trouble": "filtered", "times": 0}, "whole number"),
        ({"api": "replicate", "trouble": "filtered", "times": True}, "whole number"),
    ],
)
async def test_what_nobody_knows_is_refused_with_what_is_known(
    renter: Renter, body: Mapping[str, object], words: str
) -> None:
    answer = await strike(renter, **body)

    assert answer.status == 400
    assert words in answer.body["msg"]


async def test_a_stranger_makes_no_trouble(renter: Renter) -> None:
    body = {"api": "replicate", "trouble": "out_of_order"}

    answer = await renter.call("POST", "/sandbox/troubles", body, key="wrong")

    assert answer.body["error"] == "auth_error"
    assert (await statuses(renter))["replicate"] == 200
