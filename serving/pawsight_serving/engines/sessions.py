"""One graph in ONNX Runtime: for a caller who is alone, and for many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import onnxruntime as ort

from pawsight_serving.engines.processors import usable_processors
from pawsight_serving.engines.providers import GPU_PROVIDERS, Threads, choose_providers
from pawsight_serving.errors import EngineUnavailable, OptionInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Sessions = Literal["both", "latency", "throughput"]
"""Whom a graph is held for: "both" holds it twice."""

_WARM_UP_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Sharing:
    """How calls share the processor.

    Attributes:
        calls: that run at a time.
        sessions: "latency" gives every call all processors; "throughput" gives each call one, so
            that none waits for another; "both" takes the first for a call that is alone and the
            second for calls beside others, and holds the weights twice.
        processors: to share.
    """

    calls: int = field(default_factory=usable_processors)
    sessions: Sessions = "both"
    processors: int = field(default_factory=usable_processors)

    @property
    def lone(self) -> Threads:
        """All processors for one call."""
        return Threads(1, self.processors)

    @property
    def crowd(self) -> Threads:
        """One processor for each call."""
        return Threads(min(self.calls, self.processors), 1)


class GraphSession:
    """A loaded graph that has answered once.

    Args:
        model: the ONNX file's bytes.
        precision: of its arithmetic.
        input_size: height and width.
        sharing: how calls share the processor.

    Raises:
        EngineUnavailable: ONNX Runtime cannot load or run it, or its answers are not finite.
    """

    def __init__(
        self, model: bytes, precision: str, input_size: tuple[int, int], sharing: Sharing
    ) -> None:
        self._lone: ort.InferenceSession | None = None
        self._crowd: ort.InferenceSession | None = None
        first = sharing.crowd if sharing.sessions == "throughput" else sharing.lone
        try:
            self._lone = self._crowd = _open(model, precision, first)
            self.providers: tuple[str, ...] = tuple(self._lone.get_providers())
            if sharing.sessions == "both" and self._gains_from_two(sharing):
                self._crowd = _open(model, precision, sharing.crowd)
            for session in {id(each): each for each in (self._lone, self._crowd)}.values():
                _warm_up(session, input_size)
        except EngineUnavailable:
            raise
        except Exception as error:
            raise EngineUnavailable(
                "ONNX Runtime cannot load or run it; export the model again."
            ) from error

    def run(
        self, images: NDArray[np.uint8], outputs: Sequence[str], *, alone: bool
    ) -> list[NDArray[np.float32]]:
        """Return outputs of a batch; `alone` where no other call is under way.

        Raises:
            OptionInvalid: the graph does not take such images or has no such output.
        """
        session = self._lone if alone else self._crowd
        if session is None:
            raise EngineUnavailable("The graph is not loaded.")
        try:
            results: list[NDArray[np.float32]] = session.run(list(outputs), {"image": images})
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise OptionInvalid(
                "The graph does not take these pictures or has no such output."
            ) from error
        return results

    def _gains_from_two(self, sharing: Sharing) -> bool:
        return sharing.crowd.streams > 1 and self.providers[0] not in GPU_PROVIDERS


def _open(model: bytes, precision: str, threads: Threads) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # A number that is set also keeps ONNX Runtime from binding its threads to cores.
    options.intra_op_num_threads = threads.each
    # A pool that spins between calls takes the core that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if precision == "fp32":
        # Weights that lie packed in the file are unpacked once, here, and not at every call.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    providers = choose_providers(ort.get_available_providers(), precision, threads)
    return ort.InferenceSession(model, options, providers=providers)


def _warm_up(session: ort.InferenceSession, input_size: tuple[int, int]) -> None:
    shape = (1, *input_size, 3)
    noise = np.random.default_rng(_WARM_UP_SEED).integers(0, 256, shape, np.uint8)
    for image in (np.zeros(shape, np.uint8), noise):
        if not all(np.isfinite(values).all() for values in session.run(None, {"image": image})):
            raise EngineUnavailable(
                "Its answers are not finite numbers; export the model again from a sound run."
            )
