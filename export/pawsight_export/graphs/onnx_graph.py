"""Modules to ONNX: the one file that knows `torch.onnx`."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, cast

import onnx
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BATCH = "batch"


def to_onnx(
    graph: torch.nn.Module, output_names: Sequence[str], input_size: tuple[int, int]
) -> onnx.ModelProto:
    """Return the ONNX model of a graph, with a dynamic batch and checked by ONNX.

    Args:
        graph: takes uint8 [N, H, W, 3] and gives one tensor for each of `output_names`.
        output_names: the outputs' names, in order.
        input_size: height and width in pixels.
    """
    # Two pictures: a batch of one would be taken for a constant.
    example = torch.zeros(2, *input_size, 3, dtype=torch.uint8)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        _interruptible(),
    ):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim(BATCH)},),
            input_names=["image"],
            output_names=list(output_names),
            verbose=False,
        )
    model = cast("torch.onnx.ONNXProgram", program).model_proto
    model.producer_name = "pawsight"
    for node in model.graph.node:
        # PyTorch notes the line of source that each came from, with the folders of this machine.
        del node.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return model


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end PyTorch's export, whose own handlers may fail on its way and hide it."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            cause = cause.__cause__ or cause.__context__
        raise
