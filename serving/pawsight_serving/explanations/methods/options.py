"""Options that several methods take, checked against the manifest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import LayerUnknown, OptionInvalid
from pawsight_serving.explanations.results import INPUT, ClassMap
from pawsight_serving.repository.catalogue import check_target, find_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.repository.manifest import Layer, Manifest

    Values = NDArray[np.float32]

ALL: Final = "all"


def layers_of(manifest: Manifest, query: Query, *, conv_only: bool) -> tuple[Layer, ...]:
    """Return the layers that a query names, "all" of them in their order.

    Raises:
        LayerUnknown: no such layer, or a pooling layer where `conv_only`.
        OptionInvalid: a layer is named twice, or "all" is not alone.
    """
    if query.layer == ALL:
        return manifest.conv_layers if conv_only else manifest.layers
    names = query.layer.split(",")
    if query.layer and "" in names:
        raise OptionInvalid("Write the layers with one comma between each, as conv1,conv3.")
    _refuse_all_among(names, [layer.name for layer in manifest.layers], "layer")
    _refuse_twice(names, "layer")
    return tuple(find_layer(manifest, name, conv_only=conv_only) for name in names)


@dataclass(frozen=True, slots=True)
class Targets:
    """The classes to explain, by name; an empty one is the predicted class."""

    names: tuple[str, ...]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, manifest: Manifest, query: Query) -> Targets:
        """Return the targets that a query names.

        Raises:
            TargetUnknown, OptionInvalid: no such class, one is named twice, or "all" is not alone.
        """
        if query.target == ALL:
            return cls(manifest.classes, manifest.classes)
        names = query.target.split(",")
        _refuse_all_among(names, manifest.classes, "target")
        if query.target:
            for name in names:
                check_target(manifest, name)
        _refuse_twice(names, "target")
        return cls(tuple(names), manifest.classes)

    def shapes(self, sizes: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        """Return the shapes of one picture's maps, as `maps` orders them.

        Args:
            sizes: (height, width) of each layer's map.
        """
        return tuple(size for size in sizes for _ in self.names)

    def maps(
        self, layers: Mapping[str, Callable[[int], Values]], probabilities: Values
    ) -> list[ClassMap]:
        """Return one picture's maps by layer, then by target.

        Args:
            layers: name to what makes the map of a class, by the class's index.
            probabilities: the picture's, [classes].
        """
        predicted = self.classes[int(probabilities.argmax())]
        targets = [name or predicted for name in self.names]
        return [
            ClassMap(layer, target, make(self.classes.index(target)))
            for layer, make in layers.items()
            for target in targets
        ]


def refuse(query: Query, method: str, *options: str) -> None:
    """Raise `OptionInvalid` where an option is given that the method does not take."""
    for option in options:
        if getattr(query, option):
            raise OptionInvalid(f"Leave out `{option}`; the method {method} does not take it.")


def refuse_layer(query: Query) -> None:
    """Raise `LayerUnknown` where a method that looks at the picture itself is given a layer."""
    if query.layer not in {"", INPUT, ALL}:
        raise LayerUnknown(query.layer, (INPUT,))


def samples_of(query: Query, default: int, most: int) -> int:
    """Return how many passes are asked for.

    Raises:
        OptionInvalid: more than `most`.
    """
    if query.samples > most:
        raise OptionInvalid(f"Ask for at most {most} `samples`.")
    return query.samples or default


def explains(manifest: Manifest, outputs: Iterable[str]) -> bool:
    """Return whether the `_explain` graph has all of these outputs."""
    return manifest.graphs[manifest.explain_name].outputs.keys() >= set(outputs)


def values_in(manifest: Manifest, graph: str, outputs: Iterable[str]) -> int:
    """Return how many values a picture's outputs have."""
    shapes = manifest.graphs[graph].outputs
    return sum(math.prod(shapes[output]) for output in outputs)


def _refuse_twice(names: Sequence[str], option: str) -> None:
    if len(set(names)) < len(names):
        raise OptionInvalid(f"Name each {option} once.")


def _refuse_all_among(names: Sequence[str], known: Sequence[str], option: str) -> None:
    if ALL in names and ALL not in known:
        raise OptionInvalid(f"{ALL!r} means every {option}; give it alone, or name those wanted.")
