"""What a method of explanation is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.explainer.explanations import Maps


class Method(Protocol):
    """One request's question to one model, its options checked; nothing has run yet."""

    @property
    def graph(self) -> str:
        """The cheapest graph that has what is needed."""

    @property
    def output(self) -> str:
        """The graph's output to read beside `probabilities`."""

    def read(self, values: NDArray[np.float32], label: str) -> Maps:
        """Return one picture's maps.

        Args:
            values: the picture's share of `output`, without the batch dimension.
            label: the predicted class.
        """
