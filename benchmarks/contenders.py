"""Who takes part in `engines.py`: PyTorch and ONNX Runtime, on what this machine has."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any, Final

import onnx
import onnxruntime as ort
import torch

from benchmarks.gradcam_cost import without_grad_cam
from pawsight_export.graphs.graphs import HotGraph
from pawsight_export.graphs.onnx_graph import to_onnx
from pawsight_serving.engines.usable_providers import usable_providers
from pawsight_serving.execution_providers import wanted_providers
from pawsight_serving.process.processors import usable_processors
from pawsight_serving.repository.directory import read_graph
from pawsight_training.architectures import build
from pawsight_training.runs.run import load_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest
    from pawsight_training.architectures import ConvNet

    Runner = Callable[[NDArray[np.uint8]], object]
    """Answers for pictures uint8 [N, H, W, 3]."""

OUTPUTS: Final = ("probabilities", "gradcam")
SHORT: Final = {
    "CPUExecutionProvider": "CPU",
    "OpenVINOExecutionProvider": "OpenVINO",
    "CUDAExecutionProvider": "CUDA",
    "TensorrtExecutionProvider": "TensorRT",
}


def net_of(manifest: Manifest, run: Path | None) -> ConvNet:
    """Return a model's net in PyTorch: of a run, or with random weights, which cost the same."""
    if run is not None:
        return load_run(run).model().eval()
    torch.manual_seed(0)
    return build(manifest.architecture, len(manifest.classes), manifest.input_size).eval()


def pytorch(net: ConvNet, size: tuple[int, int]) -> Iterator[tuple[str, bool, Runner]]:
    """Yield PyTorch's contenders: name, whether Grad-CAM is in the answer, and what runs it."""
    kinds = [("cpu", "fp32")]
    if torch.cuda.is_available():
        kinds += [("cuda", "fp32"), ("cuda", "fp16")]
    for device, precision in kinds:
        # A copy: `to` moves a module's own weights.
        graph = HotGraph(copy.deepcopy(net), size).eval().to(device)
        for compiled, with_maps in itertools.product((False, True), repeat=2):
            module: Any = graph if with_maps else _Probabilities(graph)
            if compiled:
                module = torch.compile(module)
            name = f"torch {'compiled' if compiled else 'eager'} {precision} {device}"
            yield name, with_maps, _torch_runner(module, device, precision)


def onnxruntime_of(graph: onnx.ModelProto, precision: str) -> Iterator[tuple[str, bool, Runner]]:
    """Yield ONNX Runtime's contenders for a graph, one an execution provider, as `pytorch` does."""
    available = usable_providers()
    for provider, options in wanted_providers("int8"):
        if provider not in available:
            continue
        for with_maps in (False, True):
            part = graph if with_maps else without_grad_cam(graph)
            session = _session(part.SerializeToString(), [(provider, options)])
            if session.get_providers()[0] != provider:
                # It said in the log why it is not here, such as a missing CUDA.
                continue
            yield f"ORT {precision} {SHORT[provider]}", with_maps, session_runner(session)


def fp32_graph(net: ConvNet, size: tuple[int, int]) -> onnx.ModelProto:
    """Return the net's hot graph as an export writes it."""
    hot = HotGraph(net, size)
    return to_onnx(hot, hot.output_names, size)


def published_graph(repository: Path, manifest: Manifest) -> onnx.ModelProto:
    """Return a published hot graph."""
    return onnx.load_from_string(read_graph(repository, manifest, manifest.name))


def session_runner(session: ort.InferenceSession) -> Runner:
    """Return what asks a session for all its outputs."""
    return lambda images: session.run(None, {"image": images})


class _Probabilities(torch.nn.Module):
    """The prediction alone."""

    def __init__(self, graph: HotGraph) -> None:
        super().__init__()
        self._graph = graph

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits [N, L]."""
        graph = self._graph
        return graph._head(graph.features(graph._pixels(image)))[1]


def _torch_runner(module: Any, device: str, precision: str) -> Runner:
    dtype = torch.float16 if precision == "fp16" else torch.float32

    def run(images: NDArray[np.uint8]) -> object:
        with torch.inference_mode(), torch.autocast(device, dtype, enabled=precision == "fp16"):
            answer = module(torch.from_numpy(images).to(device))
        outputs = answer if isinstance(answer, tuple) else (answer,)
        return [output.cpu() for output in outputs]

    return run


def _session(model: bytes, providers: list[Any]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # Without a number ONNX Runtime binds threads to all cores, also to those that are not ours.
    options.intra_op_num_threads = usable_processors()
    return ort.InferenceSession(model, options, providers=providers)
