"""The interface of a method of explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.explanations.results import Maps
    from pawsight_serving.repository.manifest import Manifest

T = TypeVar("T")


class Passes(Protocol):
    """Runs passes for one request, on one version and within one deadline."""

    async def run(
        self, graph: str, images: NDArray[np.uint8], outputs: Sequence[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Run a graph on a batch; see `Engine.infer`."""

    async def work(self, task: Callable[[], T]) -> T:
        """Return what `task` returns; it runs in a thread and leaves the event loop free."""


@dataclass(frozen=True, slots=True)
class MethodResult:
    """The maps that a method made.

    Attributes:
        probabilities: float32 [batch, classes], of the pass that the maps are of.
        maps: for each picture its maps, by layer, then by target.
    """

    probabilities: NDArray[np.float32]
    maps: Sequence[Sequence[Maps]]


class Method(Protocol):
    """A method with the checked options of one request; nothing has run yet."""

    @property
    def graph(self) -> str:
        """The cheapest graph that has what is needed."""

    @property
    def values_per_picture(self) -> int:
        """Float32 values that are held at once for each picture."""

    @property
    def shapes(self) -> Sequence[tuple[int, ...]]:
        """Shapes of a picture's explanations: [height, width] of a class map.

        Of activation maps it is [channels, height, width].
        """

    async def explain(self, images: NDArray[np.uint8], passes: Passes) -> MethodResult:
        """Return the maps of pictures, uint8 [batch, height, width, 3] in the model's size."""


class MethodKind(Protocol):
    """A method without a request's options."""

    def offered(self, manifest: Manifest) -> bool:
        """Return whether the model's graphs have what the method needs."""

    def ask(self, manifest: Manifest, query: Query) -> Method:
        """Check the options.

        Raises:
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
        """
