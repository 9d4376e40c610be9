"""A graph on a GPU, asked for batches of few sizes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnxruntime as ort
    from numpy.typing import NDArray


class FixedSizes:
    """Runs batches of any size in sessions that see one size each.

    At each change of size cuDNN looks for its algorithms anew: a session that took what comes would
    do little else. Batches are cut into the largest size, and what is left is filled up with black
    pictures, whose answers are dropped.

    Args:
        sessions: of the same graph, by the size of their batches.
    """

    def __init__(self, sessions: Mapping[int, ort.InferenceSession]) -> None:
        self._sessions = dict(sorted(sessions.items()))
        self._largest = max(sessions)

    def run(
        self, outputs: Sequence[str] | None, inputs: Mapping[str, NDArray[np.uint8]]
    ) -> list[NDArray[np.float32]]:
        """Return outputs of a batch, as `InferenceSession.run` does; None means all."""
        images = inputs["image"]
        parts = [
            self._run(outputs, images[start : start + self._largest])
            for start in range(0, max(1, len(images)), self._largest)
        ]
        return [np.concatenate(values) for values in zip(*parts, strict=True)]

    def get_providers(self) -> Sequence[str]:
        """Return the execution providers, as `InferenceSession` does."""
        return list(self._sessions[self._largest].get_providers())

    def get_outputs(self) -> Sequence[ort.NodeArg]:
        """Return what the graph gives, as `InferenceSession` does."""
        return list(self._sessions[self._largest].get_outputs())

    def _run(
        self, outputs: Sequence[str] | None, images: NDArray[np.uint8]
    ) -> list[NDArray[np.float32]]:
        size = next(size for size in self._sessions if size >= len(images))
        black = np.zeros((size - len(images), *images.shape[1:]), images.dtype)
        results = self._sessions[size].run(outputs, {"image": np.concatenate([images, black])})
        return [values[: len(images)] for values in results]
