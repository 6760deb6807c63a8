"""As much GraphQL as the sandbox understands."""

import pytest

from orchestrator.sandbox.runpod.graphql import GraphqlError, parse, shaped


def test_a_mutation_is_read_with_its_arguments() -> None:
    (field,) = parse(
        'mutation M { podStop(input: {podId: "a\\"b", env: [{key: "K", value: "V"}], tier: ALL, n: -1.5}) { id } }'
    )

    assert field.name == "podStop"
    assert field.arguments == {"input": {"podId": 'a"b', "env": [{"key": "K", "value": "V"}], "tier": "ALL", "n": -1.5}}
    assert [inner.name for inner in field.fields] == ["id"]


def test_only_what_was_asked_for_is_answered() -> None:
    (field,) = parse("{myself{id pods{name}}}")

    told = shaped({"id": 1, "email": "a", "pods": [{"name": "x", "id": 2}]}, field.fields)

    assert told == {"id": 1, "pods": [{"name": "x"}]}


@pytest.mark.parametrize(
    "query",
    ["", "{", "{a}}", "{a(b)}", '{a(b:"\\q")}', "{a(b:[1}", "query", "{a", "%", "{" * 100, "{a(b:" + "[" * 100],
)
def test_what_is_no_query_is_refused(query: str) -> None:
    with pytest.raises(GraphqlError):
        parse(query)


def test_an_unknown_field_is_refused() -> None:
    (field,) = parse("{myself{nonsense}}")

    with pytest.raises(GraphqlError, match="nonsense"):
        shaped({"id": 1}, field.fields)
