"""`config.pbtxt`, built from Triton's own protobuf messages: what Triton and its clients read.

Triton hands its clients a model's configuration but no file of the repository, so the manifest of
every version stands in the parameters of the hot graph's configuration, under `manifest:VERSION`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

# Before tritonclient: libraries of its in C load NumPy otherwise, and where Ctrl-C breaks that off,
# they print a traceback and raise another error.
import numpy  # noqa: F401, ICN001
from google.protobuf import text_format
from pydantic import ValidationError
from tritonclient.grpc import model_config_pb2 as triton

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.manifest import Manifest
from pawsight_serving.repository.triton_backends import choose_backend, set_parameters
from pawsight_serving.repository.version_policy import MANIFEST_PARAMETER, policy_of

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG_FILE: Final = "config.pbtxt"
LABELS_FILE: Final = "labels.txt"
MAX_BATCH: Final = 32
# Every layer's maps of one VGG16 picture are 50 MB of floats.
MAX_EXPLAIN_BATCH: Final = 4
# Triton sends off a batch of a preferred size although more wait: with smaller ones among them,
# those would be the rule (ADR 24).
_PREFERRED_BATCHES: Final = (8, 16, 32, 64)


def model_config(versions: Sequence[Manifest], graph: str) -> triton.ModelConfig:
    """Return the configuration of a graph for all its versions.

    Batches form from what waits, without a delay: a lone caller is never held back. There is no
    queue policy, for the same reason: with a bound or a timeout in it Triton's batcher misses the
    moment when an instance comes free, and requests wait half a second (ADR 19). The gateway
    bounds what is in flight, and a caller who leaves is cancelled in the queue.

    Args:
        versions: the manifests of every version of one model, newest last.
        graph: NAME or NAME_explain.
    """
    newest = versions[-1]
    is_hot = graph == newest.name
    largest = MAX_BATCH if is_hot else MAX_EXPLAIN_BATCH
    dims = [*newest.input_size, 3]
    config = triton.ModelConfig(
        name=graph,
        max_batch_size=largest,
        input=[triton.ModelInput(name="image", data_type=triton.TYPE_UINT8, dims=dims)],
        output=[
            triton.ModelOutput(
                name=name,
                data_type=triton.TYPE_FP32,
                dims=shape,
                label_filename=LABELS_FILE if name == "probabilities" else "",
            )
            for name, shape in newest.graphs[graph].outputs.items()
        ],
        version_policy=policy_of([each.version for each in versions]),
        instance_group=[
            triton.ModelInstanceGroup(count=1, kind=triton.ModelInstanceGroup.KIND_AUTO)
        ],
        dynamic_batching=triton.ModelDynamicBatching(
            preferred_batch_size=preferred_batches(largest),
            max_queue_delay_microseconds=0,
        ),
        model_warmup=[_warmup(size, dims) for size in ((1, largest) if is_hot else (1,))],
        response_cache=triton.ModelResponseCache(enable=False),
    )
    if is_hot:
        manifests = {
            f"{MANIFEST_PARAMETER}:{each.version}": each.model_dump_json() for each in versions
        }
        set_parameters(config, manifests)
    choose_backend(config, versions)
    return config


def preferred_batches(largest: int) -> list[int]:
    """Return the sizes of batch that Triton sends off at once, in rising order."""
    return [*(size for size in _PREFERRED_BATCHES if size < largest), largest]


def labels_text(classes: Sequence[str]) -> str:
    """Return the text of `labels.txt`, by which Triton names the classes."""
    return "".join(f"{label}\n" for label in classes)


def configured_manifests(config: triton.ModelConfig) -> list[Manifest]:
    """Return the manifests that a configuration carries, newest last; none in a foreign model's.

    Raises:
        RepositoryInvalid: a manifest cannot be read.
    """
    try:
        manifests = [
            Manifest.model_validate_json(parameter.string_value)
            for name, parameter in config.parameters.items()
            if name.startswith(f"{MANIFEST_PARAMETER}:")
        ]
    except ValidationError as error:
        raise RepositoryInvalid(
            f"The manifest in the configuration of {config.name} cannot be read; "
            "export the model again."
        ) from error
    return sorted(manifests, key=lambda manifest: int(manifest.version))


def write_config(config: triton.ModelConfig) -> str:
    """Return the text of `config.pbtxt`."""
    return text_format.MessageToString(config)


def read_config(text: str, graph: str) -> triton.ModelConfig:
    """Return the configuration in the text of a graph's `config.pbtxt`.

    Raises:
        RepositoryInvalid: it is none, or says nothing, as a full disk leaves a file.
    """
    try:
        config = text_format.Parse(text, triton.ModelConfig())
        if not config.ByteSize():
            raise text_format.ParseError("it is empty")
        return config
    except text_format.ParseError as error:
        raise RepositoryInvalid(
            f"The configuration of {graph} cannot be read; export the model again."
        ) from error


def _warmup(batch_size: int, dims: Sequence[int]) -> triton.ModelWarmup:
    image = triton.ModelWarmup.Input(data_type=triton.TYPE_UINT8, dims=dims, zero_data=True)
    return triton.ModelWarmup(
        name=f"batch of {batch_size}", batch_size=batch_size, inputs={"image": image}
    )
