"""Who may use the bot."""

import pytest

from bot.chat.access import Access
from bot.chat.texts import sentence
from orchestrator.api import RequestError


def test_nobody_may_by_default() -> None:
    with pytest.raises(RequestError) as refused:
        Access(contact="@ada").check("7", "guild", frozenset({"role"}))

    said = sentence(refused.value.key, refused.value.values)
    assert said == "You are not on the list of those who may use this bot here; ask @ada to add 7."


@pytest.mark.parametrize(
    "access",
    [
        Access(users=frozenset({"7"})),
        Access(places=frozenset({"guild"})),
        Access(roles=frozenset({"role"})),
        Access(admins=frozenset({"7"})),
        Access(admins=frozenset({"role"})),
    ],
)
def test_whoever_is_named_may(access: Access) -> None:
    access.check("7", "guild", frozenset({"role"}))


def test_a_listed_group_lets_nobody_in_elsewhere() -> None:
    access = Access(places=frozenset({"guild"}))

    with pytest.raises(RequestError):
        access.check("7", "", frozenset())


def test_admins_are_named_by_themselves_or_by_a_role() -> None:
    access = Access(users=frozenset({"7"}), admins=frozenset({"8", "crew"}))

    assert access.is_admin("8")
    assert access.is_admin("9", frozenset({"crew"}))
    assert not access.is_admin("7")
