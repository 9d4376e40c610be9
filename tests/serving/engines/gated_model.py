"""A model for Triton's Python backend that answers when a file says so; see `GatedModel`.

The text of this file goes to the backend with the name of the gate's folder filled in.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

GATE = Path("GATE")
BOUND_S = 30.0


class TritonPythonModel:
    def execute(self, requests: list[object]) -> list[object]:
        """Say which pictures came, wait for the gate, and answer zeros."""
        levels = [int(self._image(request).max()) for request in requests]
        if any(levels):
            with (GATE / "executed").open("a") as executed:
                executed.write(f"{levels}\n")
            deadline_s = time.monotonic() + BOUND_S
            while not (GATE / "open").exists() and time.monotonic() < deadline_s:
                time.sleep(0.005)
            if (GATE / "broken").exists():
                raise RuntimeError("the text of a library, with a path: /secret")
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor("probabilities", np.zeros((len(self._image(r)), 2), np.float32))]
            )
            for r in requests
        ]

    def _image(self, request: object) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
        image = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()
        return image
