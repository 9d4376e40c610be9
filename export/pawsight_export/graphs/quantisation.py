"""int8: convolutions, pools and dense layers quantised statically, with scales from real pictures.

The nodes are QuantizeLinear and DequantizeLinear around float operators, weights by channel and all
symmetric: the one form that ONNX Runtime, OpenVINO and TensorRT each take for their int8 kernels.
Biases stay in float, as TensorRT wants them. Grad-CAM's few products stay in float too.
"""

from __future__ import annotations

import io
import logging
import math
import tempfile
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Final

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_export.graphs.calibration import Method

_METHODS: Final[dict[Method, CalibrationMethod]] = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
# Without ReLU among them a convolution and its ReLU would no longer be one kernel.
_QUANTISED: Final = ("Conv", "MaxPool", "Relu", "Gemm")
_PERCENTILE: Final = 99.99
_BATCH: Final = 8
# Every map of so many pictures is in memory at once: 30 MB a picture for VGG16.
_PICTURES_AT_ONCE: Final = 32


def quantise(
    model: onnx.ModelProto, pictures: NDArray[np.uint8], method: Method
) -> onnx.ModelProto:
    """Return the int8 form of a float graph.

    Args:
        model: takes `image`, uint8 [N, H, W, 3].
        pictures: to find the range of every map by, uint8 [M, H, W, 3]: training pictures.
        method: how the range follows from what was seen: all of it, all but the outermost
            0.01 %, or as much as loses the least information.
    """
    with tempfile.TemporaryDirectory(prefix="pawsight-int8-") as folder, _quiet():
        # As files: given a model in memory, the quantiser moves its weights elsewhere.
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Reader(pictures),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTISED),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            # Seven bits: two products of eight-bit weights overflow the sixteen bits that
            # processors without VNNI add them in.
            reduce_range=True,
            calibrate_method=_METHODS[method],
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "CalibPercentile": _PERCENTILE,
                "CalibStridedMinMax": _PICTURES_AT_ONCE,
            },
        )
        quantised = onnx.load(target)
    quantised.producer_name = model.producer_name
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out pictures in batches; the calibrator asks for one range of them after another."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self._pictures = pictures
        self.set_range(0, len(pictures))

    def __len__(self) -> int:
        """Return how many there are, rounded up: the calibrator takes whole ranges alone."""
        return -(-len(self._pictures) // _PICTURES_AT_ONCE) * _PICTURES_AT_ONCE

    def set_range(self, start_index: int, end_index: int) -> None:
        """Hand out the pictures from `start_index` to before `end_index`."""
        self._chosen = self._pictures[start_index:end_index]
        # Batches of one size: the calibrator makes one array of a range's.
        self._step = math.gcd(len(self._chosen), _BATCH) or 1
        self._starts = iter(range(0, len(self._chosen), self._step))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next batch; None after the last."""
        start = next(self._starts, None)
        return None if start is None else {"image": self._chosen[start : start + self._step]}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser: what it prints, and its advice to prepare what needs none."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(before)
