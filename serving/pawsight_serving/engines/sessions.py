"""One graph in ONNX Runtime."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np
import onnxruntime as ort

from pawsight_serving.engines.opening import batch_sizes, open_graph
from pawsight_serving.errors import EngineUnavailable, OptionInvalid
from pawsight_serving.execution_providers import GPU_PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.engines.opening import Session
    from pawsight_serving.engines.sharing import Sharing

Outputs = dict[str, "NDArray[np.float32]"]

_WARM_UP_SEED: Final = 0


class GraphSession:
    """A loaded graph that has answered.

    Args:
        model: the ONNX file's bytes.
        precision: of its arithmetic.
        input_size: height and width.
        sharing: how calls share the processor.
        in_parts: as `open_graph`.

    Attributes:
        output_names: what the graph gives.
        batch_sizes: numbers of pictures that it should run in one go, in rising order.
        providers: ONNX Runtime's execution providers that run it, the first one first.

    Raises:
        EngineUnavailable: ONNX Runtime cannot load or run it, or its answers are not finite.
    """

    def __init__(
        self,
        model: bytes,
        precision: str,
        input_size: tuple[int, int],
        sharing: Sharing,
        *,
        in_parts: bool = False,
    ) -> None:
        try:
            session = open_graph(model, precision, sharing, in_parts=in_parts)
            provider = session.get_providers()[0]
            self.batch_sizes = batch_sizes(provider, sharing.largest_batch)
            warms_batches = sharing.warm_batches or provider in GPU_PROVIDERS
            noise = _noise(self.batch_sizes[-1] if warms_batches else 1, input_size)
            # An `_explain` graph holds the hot one's net, which meets a flat picture; its own
            # passes are as long as several of that.
            _warm_up(session, [noise] if in_parts else [np.zeros_like(noise[:1]), noise])
        except EngineUnavailable:
            raise
        except Exception as error:
            raise EngineUnavailable(
                "ONNX Runtime cannot load or run it; export the model again."
            ) from error
        self._session = session
        self.providers: tuple[str, ...] = tuple(session.get_providers())
        self._shapes = {each.name: each.shape[1:] for each in session.get_outputs()}
        self.output_names = tuple(self._shapes)

    def gives(self, outputs: Sequence[str]) -> bool:
        """Return whether the graph has all these outputs."""
        return set(outputs) <= set(self.output_names)

    def has_shapes(self, outputs: Mapping[str, Sequence[int]]) -> bool:
        """Return whether the graph has outputs of these shapes, without the batch."""
        return all(
            name in self._shapes
            and len(self._shapes[name]) == len(shape)
            # A dimension that the file does not say is a name, or nothing.
            and all(
                said == length or not isinstance(said, int)
                for said, length in zip(self._shapes[name], shape, strict=True)
            )
            for name, shape in outputs.items()
        )

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> Outputs:
        """Return outputs of a batch, by name.

        Raises:
            OptionInvalid: the graph does not take such images or has no such output.
        """
        try:
            results = self._session.run(list(outputs), {"image": images})
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise OptionInvalid(
                "The graph does not take these pictures or has no such output."
            ) from error
        return dict(zip(outputs, results, strict=True))

    def run_each(self, batches: Sequence[NDArray[np.uint8]]) -> list[Outputs | Exception]:
        """Return all outputs of each of several batches, or what is wrong with it."""
        if len(batches) == 1:
            return [self._run_alone(batches[0])]
        try:
            outputs = self.run(np.concatenate(batches), self.output_names)
        except Exception:  # noqa: BLE001 - whose fault it is shows when each is run alone
            return [self._run_alone(each) for each in batches]
        ends = list(accumulate(map(len, batches)))
        return [
            {name: values[end - len(batch) : end] for name, values in outputs.items()}
            for batch, end in zip(batches, ends, strict=True)
        ]

    def _run_alone(self, images: NDArray[np.uint8]) -> Outputs | Exception:
        try:
            return self.run(images, self.output_names)
        except Exception as error:  # noqa: BLE001 - it is the caller's
            return error


def _noise(batch: int, input_size: tuple[int, int]) -> NDArray[np.uint8]:
    shape = (batch, *input_size, 3)
    return np.random.default_rng(_WARM_UP_SEED).integers(0, 256, shape, np.uint8)


def _warm_up(session: Session, batches: Sequence[NDArray[np.uint8]]) -> None:
    """Run batches: noise, and a flat picture, whose own range nothing can be divided by."""
    for images in batches:
        if not all(np.isfinite(values).all() for values in session.run(None, {"image": images})):
            raise EngineUnavailable(
                "Its answers are not finite numbers; export the model again from a sound run."
            )
