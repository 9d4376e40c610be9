"""`config.pbtxt`, built from Triton's own protobuf messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

if TYPE_CHECKING:
    from pawsight_serving.repository.manifest import Manifest

LABELS_FILE: Final = "labels.txt"
_MAX_BATCH: Final = 32
# Every layer's maps of one VGG16 picture are 50 MB of floats.
_MAX_EXPLAIN_BATCH: Final = 4


def model_config(manifest: Manifest, graph: str) -> str:
    """Return the text of a graph's `config.pbtxt`.

    Batches form from what waits, without a delay: a lone caller is never held back.

    Args:
        manifest: of the version that is published.
        graph: NAME or NAME_explain.
    """
    is_hot = graph == manifest.name
    config = triton.ModelConfig(
        name=graph,
        platform="onnxruntime_onnx",
        max_batch_size=_MAX_BATCH if is_hot else _MAX_EXPLAIN_BATCH,
        input=[
            triton.ModelInput(
                name="image", data_type=triton.TYPE_UINT8, dims=[*manifest.input_size, 3]
            )
        ],
        output=[
            triton.ModelOutput(
                name=name,
                data_type=triton.TYPE_FP32,
                dims=shape,
                label_filename=LABELS_FILE if name == "probabilities" else "",
            )
            for name, shape in manifest.graphs[graph].outputs.items()
        ],
        version_policy=triton.ModelVersionPolicy(all=triton.ModelVersionPolicy.All()),
        instance_group=[triton.ModelInstanceGroup(kind=triton.ModelInstanceGroup.KIND_AUTO)],
        dynamic_batching=triton.ModelDynamicBatching(max_queue_delay_microseconds=0),
    )
    return text_format.MessageToString(config)
