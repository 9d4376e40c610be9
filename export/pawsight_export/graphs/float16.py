"""fp16: a float graph in half precision, as GPUs compute fastest."""

from __future__ import annotations

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float16 form of a float graph; its outputs stay float32.

    Args:
        model: takes `image`, uint8 [N, H, W, 3].
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    halved: onnx.ModelProto = convert_float_to_float16(copy, keep_io_types=True)
    onnx.checker.check_model(halved, full_check=True)
    return halved
