"""Finds the graph that a request names, and the graph that has an output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.repository.catalogue import find_model, newest
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ServedGraph:
    """One graph of a model version, served as a model of its own: `NAME` or `NAME_explain`."""

    manifest: Manifest
    name: str

    @property
    def hot(self) -> bool:
        """Whether this is the graph of the predictions, `NAME`."""
        return self.name == self.manifest.name

    @property
    def outputs(self) -> Mapping[str, tuple[int, ...]]:
        """Its outputs' shapes without the batch dimension, by name."""
        return self.manifest.graphs[self.name].outputs

    def sources(self, outputs: Iterable[str]) -> list[tuple[ServedGraph, list[str]]]:
        """Return which graph gives which outputs: this one first, then `NAME_explain`.

        Raises:
            OptionInvalid: an output that neither has.
        """
        explain = ServedGraph(self.manifest, self.manifest.explain_name)
        own: list[str] = []
        others: list[str] = []
        for output in outputs:
            if output not in self.outputs and output not in explain.outputs:
                known = ", ".join({**self.outputs, **explain.outputs})
                raise OptionInvalid(f"Output {output!r} is not one of: {known}.")
            (own if output in self.outputs else others).append(output)
        return [(graph, names) for graph, names in ((self, own), (explain, others)) if names]


@dataclass(frozen=True, slots=True)
class Outputs:
    """A graph's outputs by name, float32, batch first; and the graph's digest."""

    values: Mapping[str, NDArray[np.float32]]
    digest: str


def find_graph(
    manifests: Sequence[Manifest],
    name: str,
    version: str = "",
    *,
    default: str = "",
    broken: Collection[str] = (),
) -> ServedGraph:
    """Return the graph that a request means.

    Args:
        manifests: what is loaded, newest last within a name.
        name: `NAME` or `NAME_explain`; empty means `default`.
        version: empty means the newest.
        default: name of the default model.
        broken: models that cannot be loaded.

    Raises:
        ModelNotFound, VersionNotFound, EngineUnavailable, OptionInvalid: as `find_model`.
    """
    model = name.removesuffix(EXPLAIN_SUFFIX)
    if model not in {*newest(manifests), *broken}:
        model = name
    manifest = find_model(manifests, model, version, default=default, broken=broken)
    return ServedGraph(manifest, name or manifest.name)


def every_graph(manifests: Sequence[Manifest]) -> list[ServedGraph]:
    """Return every graph of every version."""
    return [ServedGraph(manifest, name) for manifest in manifests for name in manifest.graphs]
