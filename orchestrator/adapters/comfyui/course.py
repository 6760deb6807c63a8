"""What ComfyUI's messages say about one prompt so far. No I/O: fed by the socket and by the history."""

from collections.abc import Mapping
from typing import Any

from orchestrator.adapters.comfyui.complaints import failure_of
from orchestrator.adapters.comfyui.wire import HistoryEntry, PictureRef, picture_refs
from orchestrator.domain.errors import AttemptInterrupted, ComfyError, ComfyUnavailable
from orchestrator.domain.workflows import Graph
from orchestrator.ports.comfy import Painting

MOST_STEPS = 1_000_000


class Course:
    """
    One prompt on its way.

    A message may come twice, late or not at all; the first ending that is told counts.

    Attributes:
        has_begun: ComfyUI has said something about it.
        is_over: It ended, well or badly.
        failure: How it ended badly.
    """

    def __init__(self, graph: Graph, *, most_pictures: int) -> None:
        self.has_begun = False
        self.is_over = False
        self.failure: ComfyError | None = None
        self._most_pictures = most_pictures
        self._pictures: dict[PictureRef, None] = {}
        self._declared = _declared_steps(graph)
        self._counted = _sampler_nodes(graph) or frozenset(graph)
        self._steps: dict[str, tuple[int, int]] = {}
        self._painting = Painting(done=0, total=self._declared)

    @property
    def painting(self) -> Painting:
        """Sampler steps; neither number ever falls."""
        return self._painting

    @property
    def pictures(self) -> tuple[PictureRef, ...]:
        """What to fetch as far as is known: what was saved; what was only shown, if nothing was saved."""
        saved = tuple(ref for ref in self._pictures if ref.type == "output")
        return saved or (tuple(self._pictures) if self.is_over else ())

    def take(self, kind: str, data: Mapping[str, Any]) -> None:
        """Note one message; kinds that nobody here needs change nothing."""
        self.has_begun = True
        match kind:
            case "progress":
                self._step(data.get("node"), data)
            case "progress_state":
                nodes = data.get("nodes")
                for node, state in nodes.items() if isinstance(nodes, dict) else ():
                    self._step(node, state)
            case "executed":
                self._put_out(data.get("output"))
            case "execution_success":
                self._succeed()
            case "executing" if data.get("node") is None:
                self._succeed()
            case "execution_error":
                self.fail(failure_of(data))
            case "execution_interrupted":
                self.fail(AttemptInterrupted("the prompt was interrupted"))
            case _:
                pass

    def take_history(self, entry: HistoryEntry) -> None:
        """Note what the history says, which has only prompts that are over."""
        for output in entry.outputs.values():
            self._put_out(output)
        for kind, data in entry.status.messages if entry.status else ():
            self.take(kind, data)
        if entry.status is not None and entry.status.status_str == "error":
            self.fail(ComfyUnavailable("the prompt failed, and ComfyUI does not say how"))
        self._succeed()

    def fail(self, failure: ComfyError) -> None:
        if not self.is_over:
            self.failure = failure
        self.is_over = True

    def _succeed(self) -> None:
        if not self.is_over:
            self._painting = Painting(done=self._painting.total, total=self._painting.total)
        self.is_over = True

    def _put_out(self, output: object) -> None:
        for ref in picture_refs(output):
            if len(self._pictures) < self._most_pictures:
                self._pictures[ref] = None

    def _step(self, node: object, state: object) -> None:
        if not isinstance(node, str) or node not in self._counted or not isinstance(state, Mapping):
            return
        value, most = _whole(state.get("value")), _whole(state.get("max"))
        known_value, known_most = self._steps.get(node, (0, 0))
        self._steps[node] = (max(value, known_value), max(most, known_most))
        total = max(self._declared, sum(most for _, most in self._steps.values()), self._painting.total)
        done = min(total, sum(min(value, most) for value, most in self._steps.values()))
        self._painting = Painting(done=max(done, self._painting.done), total=total)


def _whole(number: object) -> int:
    return int(min(max(number, 0), MOST_STEPS)) if isinstance(number, int | float) and number == number else 0  # noqa: PLR0124 - not a NaN


def _declared_steps(graph: Graph) -> int:
    """How many steps the graph says it takes, so that the total is known before the first one."""
    told = [node["inputs"].get("steps") for node in graph.values()]
    return sum(steps for steps in told if isinstance(steps, int) and 0 < steps <= MOST_STEPS)


def _sampler_nodes(graph: Graph) -> frozenset[str]:
    return frozenset(key for key, node in graph.items() if "Sampler" in node["class_type"])
