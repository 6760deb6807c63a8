"""Our SSH key in the account: found, added, and found again where somebody was faster."""

from dataclasses import replace

import pytest

from orchestrator.adapters.clouds.lambda_labs import asking
from orchestrator.adapters.clouds.lambda_labs.cloud import LambdaCloud
from orchestrator.domain.errors import CloudProtocolError
from tests.adapters.lambda_labs.conftest import OpenLambda
from tests.adapters.lambda_labs.serving import Lambda
from tests.contract.cloud_suite import KEY, NEEDS, ORDER, OTHER_KEY

PLAIN = asking.plain_key(ORDER)


def names(server: Lambda) -> list[str]:
    return [key.name for key in server.account.keys.values()]


async def test_a_key_is_added_once_under_a_name_made_of_it(server: Lambda, cloud: LambdaCloud) -> None:
    one, two = (await cloud.offers(NEEDS))[:2]

    await cloud.launch(one, KEY, ORDER)
    await cloud.launch(two, OTHER_KEY, replace(ORDER, ssh_public_key=f"{PLAIN} another comment"))

    assert names(server) == [asking.key_body(PLAIN)["name"]]
    assert {row["ssh_key_names"][0] for row in server.account.rows()} == set(names(server))


async def test_a_key_that_is_there_is_used_under_its_name(server: Lambda, cloud: LambdaCloud) -> None:
    server.account.add_key("laptop", ORDER.ssh_public_key)

    await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    assert names(server) == ["laptop"]


async def test_a_name_that_another_life_of_ours_took_meanwhile_is_looked_up(
    server: Lambda, cloud: LambdaCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = cloud._listed_keys
    looks = 0

    async def late() -> dict[str, str]:
        nonlocal looks
        looks += 1
        found = await asked()
        if looks == 1:
            server.account.add_key(str(asking.key_body(PLAIN)["name"]), PLAIN)
        return found

    monkeypatch.setattr(cloud, "_listed_keys", late)

    await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    assert looks == 2
    assert len(names(server)) == 1


async def test_a_name_that_holds_another_key_is_an_error(server: Lambda, cloud: LambdaCloud) -> None:
    foreign = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdsb3dwbHVnIGNvbnRyYWN0IHN1aXRlIGtleS4uLi4v"
    server.account.add_key(str(asking.key_body(PLAIN)["name"]), foreign)

    with pytest.raises(CloudProtocolError, match="name already exists"):
        await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    assert server.account.arrived == 0


async def test_a_key_that_somebody_removed_is_added_again(server: Lambda, open_lambda: OpenLambda) -> None:
    cloud = open_lambda()
    one, two = (await cloud.offers(NEEDS))[:2]
    await cloud.launch(one, KEY, ORDER)
    server.account.keys.clear()

    with pytest.raises(Exception, match="does-not-exist"):
        await cloud.launch(two, OTHER_KEY, ORDER)

    assert await cloud.launch(two, OTHER_KEY, ORDER)
    assert len(names(server)) == 1


def test_what_is_no_key_is_not_sent() -> None:
    with pytest.raises(ValueError, match="not a public key"):
        asking.plain_key(replace(ORDER, ssh_public_key="-----BEGIN"))
