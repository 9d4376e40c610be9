"""One graph in ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import onnxruntime as ort

from pawsight_serving.engines.fixed_sizes import FixedSizes
from pawsight_serving.engines.usable_providers import usable_providers
from pawsight_serving.errors import EngineUnavailable, OptionInvalid
from pawsight_serving.execution_providers import (
    GPU_PROVIDERS,
    OPENVINO_PROVIDER,
    Threads,
    choose_providers,
)
from pawsight_serving.processors import usable_processors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Cores = Literal["all", "one"]
"""What a call gets of the processor."""

Outputs = dict[str, "NDArray[np.float32]"]

_WARM_UP_SEED: Final = 0
_LARGEST_IN_OPENVINO: Final = 4
_LARGEST_ELSEWHERE: Final = 6


@dataclass(frozen=True, slots=True)
class Sharing:
    """How calls share the processor.

    Attributes:
        calls: that run at a time.
        cores: "all" gives each call all of them, "one" a core of its own.
        largest_batch: single pictures of calls that wait, run in one batch at the most; None leaves
            it to what runs the graph.
        processors: to share.
        gpu: whether a GPU runs the calls where there is one.
        warm_batches: whether loading runs the largest batch once; the first takes twice the time.
    """

    calls: int = field(default_factory=usable_processors)
    cores: Cores = "all"
    largest_batch: int | None = None
    processors: int = field(default_factory=usable_processors)
    gpu: bool = True
    warm_batches: bool = True

    @property
    def threads(self) -> Threads:
        """How a session is threaded."""
        if self.cores == "all":
            return Threads(1, self.processors)
        return Threads(min(self.calls, self.processors), 1)


class GraphSession:
    """A loaded graph that has answered.

    Args:
        model: the ONNX file's bytes.
        precision: of its arithmetic.
        input_size: height and width.
        sharing: how calls share the processor.

    Attributes:
        output_names: what the graph gives.
        batch_sizes: numbers of pictures that it should run in one go, in rising order.
        providers: ONNX Runtime's execution providers that run it, the first one first.

    Raises:
        EngineUnavailable: ONNX Runtime cannot load or run it, or its answers are not finite.
    """

    def __init__(
        self, model: bytes, precision: str, input_size: tuple[int, int], sharing: Sharing
    ) -> None:
        try:
            session = _open(model, precision, sharing)
            self._session: ort.InferenceSession | FixedSizes = session
            provider = session.get_providers()[0]
            self.batch_sizes = _batch_sizes(provider, sharing.largest_batch)
            largest = self.batch_sizes[-1]
            warmed = largest if sharing.warm_batches else 1
            if provider in GPU_PROVIDERS:
                others = {} if largest == 1 else {largest: _open(model, precision, sharing)}
                self._session = FixedSizes({1: session, **others})
                warmed = largest
            _warm_up(self._session, warmed, input_size)
        except EngineUnavailable:
            raise
        except Exception as error:
            raise EngineUnavailable(
                "ONNX Runtime cannot load or run it; export the model again."
            ) from error
        self.providers: tuple[str, ...] = tuple(session.get_providers())
        self.output_names = tuple(each.name for each in session.get_outputs())

    def gives(self, outputs: Sequence[str]) -> bool:
        """Return whether the graph has all these outputs."""
        return set(outputs) <= set(self.output_names)

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


def _batch_sizes(provider: str, largest: int | None) -> Sequence[int]:
    """Return how many pictures to run in one go.

    OpenVINO keeps what it has prepared for each size that it met, which is 3 MiB for the shipped
    VGG16, and 10 to 13 on a processor with AMX.
    """
    if provider == OPENVINO_PROVIDER:
        return sorted({1, largest or _LARGEST_IN_OPENVINO})
    return range(1, (largest or _LARGEST_ELSEWHERE) + 1)


def _open(model: bytes, precision: str, sharing: Sharing) -> ort.InferenceSession:
    threads = sharing.threads
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # A number that is set also keeps ONNX Runtime from binding its threads to cores.
    options.intra_op_num_threads = threads.each
    # A pool that spins between calls takes the core that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # ONNX Runtime's own arena keeps twice what the largest batch took, which pays where every
    # call takes the same.
    options.enable_cpu_mem_arena = sharing.largest_batch == 1
    if precision == "fp32":
        # Weights that lie packed in the file are unpacked once, here, and not at every call.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    usable = [each for each in usable_providers() if sharing.gpu or each not in GPU_PROVIDERS]
    providers = choose_providers(usable, precision, threads)
    return ort.InferenceSession(model, options, providers=providers)


def _warm_up(
    session: ort.InferenceSession | FixedSizes, batch: int, input_size: tuple[int, int]
) -> None:
    """Run a flat picture, whose own range nothing can be divided by, and a batch of noise."""
    shape = (batch, *input_size, 3)
    noise = np.random.default_rng(_WARM_UP_SEED).integers(0, 256, shape, np.uint8)
    for images in (np.zeros_like(noise[:1]), noise):
        if not all(np.isfinite(values).all() for values in session.run(None, {"image": images})):
            raise EngineUnavailable(
                "Its answers are not finite numbers; export the model again from a sound run."
            )
