"""
Checking a graph, the order of its nodes, and what makes two nodes equal.

The errors' types, texts and fields are the wire format of ComfyUI 0.3.64 (`tests/data/comfyui`): adapters read them.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.comfyui.definitions import Definitions, InputDefinition

Graph = dict[str, dict[str, Any]]
"""Node id -> `{"class_type", "inputs"}`; an input is a value or a link `[node id, slot]`."""
MOST_OPTIONS_TOLD = 20
ANYTHING = "*"
"""An input of this type takes whatever another node gives."""
NUMBERS: Mapping[str, Callable[[Any], int | float]] = {"INT": int, "FLOAT": float}


class PromptRefused(Exception):
    """Nothing of the graph can run; `body` is the answer that goes with status 400."""

    def __init__(self, kind: str, message: str, details: str, node_errors: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        error = {"type": kind, "message": message, "details": details, "extra_info": {}}
        self.body = {"error": error, "node_errors": node_errors or {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    outputs: tuple[str, ...]
    """Output nodes that will run."""
    node_errors: dict[str, Any]
    """Why the others will not."""


def links(node: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Inputs that come from other nodes."""
    return {name: (str(value[0]), int(value[1])) for name, value in node["inputs"].items() if is_link(value)}


def is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)


def check_graph(graph: Any, definitions: Definitions) -> Accepted:
    """
    Decide which output nodes may run, and turn numbers that came as text into numbers.

    Raises:
        PromptRefused: None may.

    """
    if not isinstance(graph, dict):
        raise PromptRefused("no_prompt", "No prompt provided", "No prompt provided")
    _check_classes(graph, definitions)
    outputs = [node_id for node_id, node in graph.items() if definitions.is_output(node["class_type"])]
    if not outputs:
        raise PromptRefused("prompt_no_outputs", "Prompt has no outputs", "")
    validation = _Validation(graph, definitions)
    good = tuple(node_id for node_id in outputs if validation.node_is_good(node_id))
    node_errors = validation.node_errors([node_id for node_id in outputs if node_id not in good])
    if not good:
        own = [error for node_id in outputs for error in validation.errors[node_id]]
        details = "\n".join(f"{error['message']}: {error['details']}" for error in own)
        raise PromptRefused(
            "prompt_outputs_failed_validation", "Prompt outputs failed validation", details, node_errors
        )
    return Accepted(outputs=good, node_errors=node_errors)


def _check_classes(graph: dict[str, Any], definitions: Definitions) -> None:
    for node_id, node in graph.items():
        where = f"Node ID '#{node_id}'"
        if not isinstance(node, dict) or "class_type" not in node:
            message = "Cannot execute because a node is missing the class_type property."
            raise PromptRefused("invalid_prompt", message, where)
        if node["class_type"] not in definitions:
            message = f"Cannot execute because node {node['class_type']} does not exist."
            raise PromptRefused("invalid_prompt", message, where)
        node.setdefault("inputs", {})


class _Validation:
    """One look at a graph: each node is checked once, from the outputs upwards."""

    def __init__(self, graph: Graph, definitions: Definitions) -> None:
        self.errors: dict[str, list[dict[str, Any]]] = {}
        self._good: dict[str, bool] = {}
        self._graph = graph
        self._definitions = definitions

    def node_is_good(self, node_id: str) -> bool:
        """Check a node and all that it needs. A node above it may be the bad one: then it has no error of its own."""
        if node_id not in self._good:
            self._good[node_id] = False  # what a cycle finds here
            self.errors[node_id] = []
            node = self._graph[node_id]
            checked = [self._input_is_good(node_id, it) for it in self._definitions.inputs(node["class_type"])]
            self._good[node_id] = all(checked)
        return self._good[node_id]

    def node_errors(self, bad_outputs: list[str]) -> dict[str, Any]:
        return {
            node_id: {
                "errors": errors,
                "dependent_outputs": [output for output in bad_outputs if node_id in self._above(output)],
                "class_type": self._graph[node_id]["class_type"],
            }
            for node_id, errors in self.errors.items()
            if errors
        }

    def _above(self, node_id: str) -> set[str]:
        seen = {node_id}
        waiting = [node_id]
        while waiting:
            sources = {source for source, _ in links(self._graph[waiting.pop()]).values()}
            waiting += sorted((sources & self._graph.keys()) - seen)
            seen |= sources
        return seen

    def _input_is_good(self, node_id: str, definition: InputDefinition) -> bool:
        inputs = self._graph[node_id]["inputs"]
        if definition.name not in inputs:
            if definition.required:
                extra = {"input_name": definition.name}
                self._report(node_id, "required_input_missing", "Required input is missing", definition.name, extra)
            return not definition.required
        if isinstance(inputs[definition.name], list):
            return self._link_is_good(node_id, definition, inputs[definition.name])
        return self._value_is_good(node_id, definition, inputs)

    def _link_is_good(self, node_id: str, definition: InputDefinition, value: list[Any]) -> bool:
        extra = {"input_name": definition.name, "input_config": definition.config()}
        if not is_link(value):
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            return self._report(
                node_id, "bad_linked_input", message, definition.name, {**extra, "received_value": value}
            )
        source, slot = str(value[0]), int(value[1])
        if source not in self._graph:
            details = {**extra, "exception_message": f"'{source}'", "exception_type": "KeyError", "linked_node": value}
            message = "Exception when validating inner node"
            return self._report(node_id, "exception_during_inner_validation", message, f"'{source}'", details)
        given = self._definitions.output_types(self._graph[source]["class_type"])
        received = given[slot] if 0 <= slot < len(given) else "nothing"
        if definition.type not in {received, ANYTHING}:
            details_text = f"{definition.name}, received_type({received}) mismatch input_type({definition.type})"
            details = {**extra, "received_type": received, "linked_node": value}
            message = "Return type mismatch between linked nodes"
            return self._report(node_id, "return_type_mismatch", message, details_text, details)
        return self.node_is_good(source)

    def _value_is_good(self, node_id: str, definition: InputDefinition, inputs: dict[str, Any]) -> bool:
        value = inputs[definition.name]
        convert = NUMBERS.get(definition.type)
        if convert is not None:
            try:
                value = inputs[definition.name] = convert(value)
            except (TypeError, ValueError) as error:
                return self._not_a_number(node_id, definition, value, error)
            return self._number_is_good(node_id, definition, value)
        if definition.type == "STRING":
            inputs[definition.name] = str(value)
        if definition.type == "COMBO" and value not in definition.options:
            return self._not_an_option(node_id, definition, value)
        return True

    def _not_a_number(self, node_id: str, definition: InputDefinition, value: Any, error: Exception) -> bool:
        extra = {
            "input_name": definition.name,
            "input_config": definition.config(),
            "received_value": value,
            "exception_message": str(error),
        }
        message = f"Failed to convert an input value to a {definition.type} value"
        return self._report(node_id, "invalid_input_type", message, f"{definition.name}, {value}, {error}", extra)

    def _number_is_good(self, node_id: str, definition: InputDefinition, value: float) -> bool:
        extra = {
            "input_name": definition.name,
            "input_config": definition.config(),
            "received_value": value,
        }
        least, most = definition.limits.get("min", value), definition.limits.get("max", value)
        if value < least:
            message = f"Value {value} smaller than min of {least}"
            return self._report(node_id, "value_smaller_than_min", message, definition.name, extra)
        if value > most:
            message = f"Value {value} bigger than max of {most}"
            return self._report(node_id, "value_bigger_than_max", message, definition.name, extra)
        return True

    def _not_an_option(self, node_id: str, definition: InputDefinition, value: Any) -> bool:
        is_long = len(definition.options) > MOST_OPTIONS_TOLD
        extra = {
            "input_name": definition.name,
            "input_config": None if is_long else definition.config(),
            "received_value": value,
        }
        if definition.limits.get("image_upload"):
            details = f"{definition.name} - Invalid image file: {value}"
            message = "Custom validation failed for node"
            return self._report(node_id, "custom_validation_failed", message, details, extra)
        known = f"(list of length {len(definition.options)})" if is_long else str(list(definition.options))
        details = f"{definition.name}: '{value}' not in {known}"
        return self._report(node_id, "value_not_in_list", "Value not in list", details, extra)

    def _report(self, node_id: str, kind: str, message: str, details: str, extra_info: dict[str, Any]) -> bool:
        error = {"type": kind, "message": message, "details": details, "extra_info": extra_info}
        self.errors[node_id].append(error)
        return False


def execution_order(graph: Graph, outputs: Collection[str], cached: Collection[str]) -> list[str]:
    """
    Order the nodes that *outputs* need, without those in *cached* (outputs excepted: they tell their old result).

    The same order as the real server's: nodes are found upwards from the outputs, last link first, and the first
    found that waits for nothing goes next.

    Raises:
        PromptRefused: The graph has a cycle.

    """
    found: dict[str, set[str]] = {}
    waiting = list(outputs)
    while waiting:
        node_id = waiting.pop()
        if node_id in found:
            continue
        needs = [] if node_id in cached else [source for source, _ in links(graph[node_id]).values()]
        found[node_id] = {source for source in needs if source not in cached}
        waiting += [source for source in needs if source not in cached]
    order: list[str] = []
    while len(order) < len(found):
        ready = next((it for it in found if it not in order and found[it] <= set(order)), None)
        if ready is None:
            raise PromptRefused("dependency_cycle", "The graph has a cycle", ", ".join(sorted(found)))
        order.append(ready)
    return order


def signatures(graph: Graph, marks: Mapping[str, str]) -> dict[str, str]:
    """
    Give each node a text that is equal for nodes with equal results: class, values, and the same of all above it.

    Args:
        marks: What else a node's result hangs on, such as the digest of the picture that it loads.

    """
    known: dict[str, str] = {}

    def sign(node_id: str, below: tuple[str, ...]) -> str:
        if node_id not in known and node_id in graph and node_id not in below:
            node = graph[node_id]
            sources = {name: [sign(it, (*below, node_id)), slot] for name, (it, slot) in links(node).items()}
            parts = [node["class_type"], sorted({**node["inputs"], **sources}.items()), marks.get(node_id)]
            known[node_id] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return known.get(node_id, "")

    for node_id in graph:
        sign(node_id, ())
    return known
