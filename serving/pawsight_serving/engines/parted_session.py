"""A graph that is computed no further than the outputs asked for need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime as ort

from pawsight_serving.engines.graph_parts import explain_parts, output_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


class PartedSession:
    """Stands in for an `InferenceSession` of an `_explain` graph on the processor.

    Args:
        model: the ONNX file's bytes.
        open_session: returns a session of a part.
    """

    def __init__(self, model: bytes, open_session: Callable[[bytes], ort.InferenceSession]) -> None:
        self._outputs = output_names(model)
        # Without the parts' files, which are as large as the model's.
        self._parts = [
            (open_session(part.model), part.inputs, part.outputs) for part in explain_parts(model)
        ]

    def get_providers(self) -> Sequence[str]:
        """Return the execution providers, as `InferenceSession` does."""
        return list(self._parts[0][0].get_providers())

    def get_outputs(self) -> list[ort.NodeArg]:
        """Return what the graph gives, as `InferenceSession` does."""
        found = {each.name: each for session, *_ in self._parts for each in session.get_outputs()}
        return [found[name] for name in self._outputs]

    def run(
        self, outputs: Sequence[str] | None, inputs: Mapping[str, NDArray[np.uint8]]
    ) -> list[NDArray[np.float32]]:
        """Return outputs of a batch, as `InferenceSession.run` does; None means all."""
        wanted = self._outputs if outputs is None else outputs
        values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in inputs.items()}
        for number, (session, takes, gives) in enumerate(self._parts, 1):
            missing = [name for name in wanted if name not in values]
            is_last = number == len(self._parts) or set(missing) <= set(gives)
            names = missing if is_last else gives
            feeds = {name: values[name] for name in takes}
            values.update(zip(names, session.run_with_ort_values(names, feeds), strict=True))
            if is_last:
                break
        return [values[name].numpy() for name in wanted]
