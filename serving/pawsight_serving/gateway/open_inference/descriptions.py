"""Descriptions of the server and its models, in the protocol's own JSON.

The fields are named as in the messages of `inference.GRPCInferenceService`, so that both
protocols say the same.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from pawsight_serving.gateway.open_inference.image import IMAGE
from pawsight_serving.gateway.open_inference.tensors import FP32, UINT8

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pawsight_serving.gateway.open_inference.core import OpenInference
    from pawsight_serving.gateway.open_inference.statistics import Statistics
    from pawsight_serving.repository.graphs import ServedGraph

Json = dict[str, Any]

# Triton's names for what runs a model.
_PLATFORMS: Final = {
    "onnxruntime": "onnxruntime_onnx",
    "openvino": "openvino",
    "tensorrt": "tensorrt_plan",
    "python": "python",
}


def server_metadata() -> Json:
    """Describe the server."""
    return {
        "name": "pawsight",
        "version": version("pawsight"),
        "extensions": [
            "binary_tensor_data",
            "classification",
            "model_configuration",
            "statistics",
        ],
    }


def model_metadata(graph: ServedGraph, versions: Iterable[ServedGraph]) -> Json:
    """Describe a graph, which has all these versions: its input and its own outputs."""
    return {
        "name": graph.name,
        "versions": [each.manifest.version for each in versions],
        "platform": _PLATFORMS[graph.manifest.engine],
        "inputs": [
            {"name": IMAGE, "datatype": UINT8, "shape": [-1, *graph.manifest.input_size, 3]}
        ],
        "outputs": [
            {"name": name, "datatype": FP32, "shape": [-1, *shape]}
            for name, shape in graph.outputs.items()
        ],
    }


def model_config(graph: ServedGraph, max_batch_size: int) -> Json:
    """Describe a graph as Triton's `ModelConfig` does."""
    return {
        "name": graph.name,
        "platform": _PLATFORMS[graph.manifest.engine],
        "max_batch_size": max_batch_size,
        "input": [
            {
                "name": IMAGE,
                "data_type": f"TYPE_{UINT8}",
                "dims": [*graph.manifest.input_size, 3],
            }
        ],
        "output": [
            {"name": name, "data_type": f"TYPE_{FP32}", "dims": list(shape)}
            for name, shape in graph.outputs.items()
        ],
    }


def model_statistics(graphs: Iterable[ServedGraph], statistics: Statistics) -> Json:
    """Return how often each graph ran, and for how long."""
    return {"model_stats": [_statistics(graph, statistics) for graph in graphs]}


async def repository_index(inference: OpenInference, *, ready_only: bool) -> list[Json]:
    """List every graph of every version, or those that answer; the sidecar is asked once a model.

    Models that are broken on disk are listed too, without a version, and with what is wrong.
    """
    graphs = inference.graphs()
    index = []
    for graph, ready in zip(graphs, await inference.graphs_ready(graphs), strict=True):
        if ready or not ready_only:
            index.append(
                {
                    "name": graph.name,
                    "version": graph.manifest.version,
                    "state": "READY" if ready else "UNAVAILABLE",
                    "reason": "" if ready else "It does not answer now.",
                }
            )
    if not ready_only:
        index += [
            {"name": name, "version": "", "state": "UNAVAILABLE", "reason": str(fault)}
            for name, fault in inference.faults().items()
        ]
    return index


def _statistics(graph: ServedGraph, statistics: Statistics) -> Json:
    of_graph = statistics.of(graph.name, graph.manifest.version)
    success = asdict(of_graph.success)
    # Triton's perf_analyzer takes a version without counts here for one that never ran.
    untimed = {"count": of_graph.success.count, "ns": 0}
    return {
        "name": graph.name,
        "version": graph.manifest.version,
        "last_inference": of_graph.last_ms,
        "inference_count": of_graph.pictures,
        "execution_count": of_graph.success.count,
        "inference_stats": {
            "success": success,
            "fail": asdict(of_graph.fail),
            "queue": untimed,
            "compute_input": untimed,
            "compute_infer": success,
            "compute_output": untimed,
            "cache_hit": {"count": 0, "ns": 0},
            "cache_miss": {"count": 0, "ns": 0},
        },
        "batch_stats": [],
    }
