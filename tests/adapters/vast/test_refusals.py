"""Each way in which the cloud is known to say no, through the whole adapter."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.adapters.clouds.vast.answers import Answer, asked_wait
from orchestrator.adapters.clouds.vast.cloud import VastCloud
from orchestrator.domain import errors
from orchestrator.domain.errors import CloudError, LaunchUncertain, RateLimited
from orchestrator.domain.ids import CloudRef
from tests.adapters.vast.scripted import Reply, ScriptedVast, recorded
from tests.contract.cloud_suite import KEY, NEEDS, ORDER

REF = CloudRef("31415926")


async def _launch(cloud: VastCloud) -> object:
    return await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)


CALLS: Mapping[str, Callable[[VastCloud], Awaitable[object]]] = {
    "search": lambda cloud: cloud.offers(NEEDS),
    "launch": _launch,
    "list": lambda cloud: cloud.rentals(),
    "show": lambda cloud: cloud.rental(REF),
    "terminate": lambda cloud: cloud.terminate(REF),
    "account": lambda cloud: cloud.account(),
}


def _reply(row: Mapping[str, Any]) -> Reply:
    body = row["text"].encode() if "text" in row else row["body"]
    return Reply(status=row["status"], body=body, headers=row.get("headers", {}))


@pytest.mark.parametrize("row", recorded("refusals"), ids=lambda row: row["name"])
async def test_each_refusal_has_its_error(vast: ScriptedVast, cloud: VastCloud, row: Mapping[str, Any]) -> None:
    vast.stock(1)
    vast.script(row["on"], _reply(row))

    with pytest.raises(CloudError) as raised:
        await CALLS[row["on"]](cloud)

    assert type(raised.value).__name__ in {row["error"], "AnswerLost", "AnswerUnreadable"}
    assert isinstance(raised.value, getattr(errors, row["error"]))
    if isinstance(raised.value, RateLimited):
        assert raised.value.retry_after == timedelta(seconds=row["retry_after"])
    if isinstance(raised.value, LaunchUncertain):
        assert raised.value.ref == row.get("ref")


@pytest.mark.parametrize("code", ["no_such_instance", "not_found"])
@pytest.mark.parametrize("status", [404, 400, 410])
async def test_only_a_code_says_that_a_machine_is_gone(
    vast: ScriptedVast, cloud: VastCloud, code: str, status: int
) -> None:
    gone = Reply(status=status, body={"success": False, "error": code, "msg": "no such instance"})
    vast.always(gone, "show", "terminate")

    assert await cloud.rental(REF) is None
    assert not await cloud.terminate(REF)


async def test_refusals_in_a_row_are_answered_with_more_patience(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.script("account", *[Reply(status=429, body=b"API requests too frequent")] * 3, Reply(body={"credit": 1.0}))
    vast.script("account", Reply(status=429, body=b"API requests too frequent"))

    waits = []
    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            await cloud.account()
        waits.append(refused.value.retry_after.total_seconds())
    await cloud.account()
    with pytest.raises(RateLimited) as again:
        await cloud.account()

    assert waits == [1.0, 1.5, 2.25]
    assert again.value.retry_after.total_seconds() == 1.0


async def test_words_of_the_cloud_are_cut_to_one_safe_line(vast: ScriptedVast, cloud: VastCloud) -> None:
    secret = "ab12" * 16
    message = f"line one\nBearer {secret} \x1b[31m api {secret} " + "x" * 500
    vast.script("account", Reply(status=400, body={"error": "odd", "msg": message, "api_key": secret}))

    with pytest.raises(CloudError) as raised:
        await cloud.account()

    said = str(raised.value)
    assert said.startswith("vast: account: 400 odd: line one [hidden]")
    assert secret not in said
    assert said.isprintable()
    assert len(said) < 300


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Aug 2026 99:00:00 GMT"])
def test_a_quota_without_a_date_is_asked_again_in_an_hour(date: str | None) -> None:
    """Without the cloud's own clock its hour of reset says nothing."""
    headers = {"X-RateLimit-Reset": "1786406400", **({} if date is None else {"Date": date})}

    assert asked_wait(Answer(status=429, headers=headers, text="", body={"error": "search_quota_exceeded"})) == 3600
