"""An ONNX graph in parts: each computes what its outputs need and no part before it has made.

ONNX Runtime computes a graph whole, whichever outputs are asked for. Of parts, as many are run as
the outputs asked for need; together they hold the weights once and compute the very same values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pawsight_serving.engines.onnx_outline import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

_BACKWARD: Final = ("gradcam:", "gradient:")
"""Beginnings of the names of outputs, each of which wants a pass that goes back further."""


@dataclass(frozen=True, slots=True)
class GraphPart:
    """One part of a graph, a graph itself.

    Attributes:
        model: the ONNX file's bytes.
        inputs: names of what it takes: the graph's own inputs, and values of parts before it.
        outputs: names of what it gives: outputs of the graph, and what later parts take.
    """

    model: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def output_names(model: bytes) -> list[str]:
    """Return the names of a graph's outputs, in their order."""
    return [each.name for each in Model.FromString(model).graph.output]


def explain_parts(model: bytes) -> list[GraphPart]:
    """Return an `_explain` graph's parts: forward, back as Grad-CAM needs it, and the rest.

    Raises:
        google.protobuf.message.DecodeError: it is no ONNX file.
    """
    names = output_names(model)
    cams, gradients = ([name for name in names if name.startswith(each)] for each in _BACKWARD)
    forward = [name for name in names if name not in {*cams, *gradients}]
    return graph_parts(model, [group for group in (forward, cams, gradients) if group])


def graph_parts(model: bytes, groups: Sequence[Collection[str]]) -> list[GraphPart]:
    """Cut a graph into one part for each group of its outputs.

    It stays whole where its file does not say the type of a value that one part would take from
    another.

    Args:
        model: the ONNX file's bytes; no node of the graph holds a graph of its own.
        groups: the names of outputs, those that are wanted without the others first.
    """
    graph = Model.FromString(model).graph
    cut = _Cut(graph, groups)
    parts = [
        _part(model, graph, cut.nodes(part), cut.inputs(part), cut.outputs(part))
        for part in range(len(groups))
    ]
    if None in parts:
        inputs = tuple(each.name for each in graph.input)
        return [GraphPart(model, inputs, tuple(output_names(model)))]
    return [each for each in parts if each is not None]


class _Cut:
    """Which node goes where."""

    def __init__(self, graph: Any, groups: Sequence[Collection[str]]) -> None:
        self._groups = groups
        self._taken = [list(node.input) for node in graph.node]
        self._made = [list(node.output) for node in graph.node]
        self._maker = {name: node for node, names in enumerate(self._made) for name in names}
        self._weights = {each.name for each in graph.initializer}
        self._fixed = self._fixed_nodes({each.name for each in graph.input})
        owner: dict[int, int] = {}
        for part, outputs in enumerate(groups):
            for node in self._needed(outputs):
                owner.setdefault(node, part)
        self._owned = [
            [node for node in owner if owner[node] == part and node not in self._fixed]
            for part in range(len(groups))
        ]

    def nodes(self, part: int) -> list[int]:
        """Return the numbers of a part's nodes, in the graph's order.

        What depends on weights alone goes wherever it is used.
        """
        return sorted(
            {*self._owned[part], *self._needed(filter(self._is_fixed, self._takes(part)))}
        )

    def inputs(self, part: int) -> list[str]:
        """Return the names of what a part takes."""
        taken = self._takes(part) - self._makes(part)
        return sorted(name for name in taken if not self._is_fixed(name))

    def outputs(self, part: int) -> list[str]:
        """Return the names of what a part gives."""
        own = self._groups[part]
        later = (self._takes(other) for other in range(part + 1, len(self._groups)))
        return [*own, *sorted(set().union(*later) & self._makes(part) - set(own))]

    def _takes(self, part: int) -> set[str]:
        return {name for node in self._owned[part] for name in self._taken[node] if name}

    def _makes(self, part: int) -> set[str]:
        return {name for node in self._owned[part] for name in self._made[node]}

    def _is_fixed(self, name: str) -> bool:
        return name in self._weights or self._maker.get(name) in self._fixed

    def _fixed_nodes(self, given: set[str]) -> set[int]:
        """Return the numbers of the nodes that depend on none of these inputs."""
        fixed = set()
        for node, taken in enumerate(self._taken):
            if given.isdisjoint(taken):
                fixed.add(node)
            else:
                given.update(self._made[node])
        return fixed

    def _needed(self, names: Iterable[str]) -> set[int]:
        """Return the numbers of the nodes that values come from."""
        found: set[int] = set()
        waiting = list(names)
        while waiting:
            node = self._maker.get(waiting.pop())
            if node is not None and node not in found:
                found.add(node)
                waiting += self._taken[node]
        return found


def _part(
    model: bytes, graph: Any, nodes: list[int], inputs: list[str], outputs: list[str]
) -> GraphPart | None:
    """Return the part of these nodes; None where the type of what it takes or gives is unknown."""
    types: Mapping[str, Any] = {
        each.name: each for each in (*graph.input, *graph.value_info, *graph.output)
    }
    if not types.keys() >= {*inputs, *outputs}:
        return None
    part = Model.FromString(model)
    # What is not the part's is taken out: to copy what is would copy its weights.
    _keep(part.graph.node, set(nodes).__contains__)
    used = {name for node in part.graph.node for name in node.input}
    _keep(part.graph.initializer, lambda number: graph.initializer[number].name in used)
    for field, names in (("input", inputs), ("output", outputs), ("value_info", [])):
        part.graph.ClearField(field)
        getattr(part.graph, field).extend(types[name] for name in names)
    return GraphPart(part.SerializeToString(), tuple(inputs), tuple(outputs))


def _keep(messages: Any, wanted: Callable[[int], bool]) -> None:
    """Take out of repeated messages those whose number is not wanted."""
    for number in reversed(range(len(messages))):
        if not wanted(number):
            del messages[number]
