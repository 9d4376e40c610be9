"""Do maps change when the model forgets what it has learnt?

Adebayo et al., "Sanity Checks for Saliency Maps", 2018: layer by layer from the top, weights are
replaced by chance. A map that stays as it was shows the picture, not what the model knows of it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import numpy_helper

from pawsight_export.checks.likeness import rank_correlation
from pawsight_export.errors import ExportError
from pawsight_export.explain_check.checked_model import CheckedModel
from pawsight_export.publishing.staging import stage_graph, stage_manifest
from pawsight_serving.repository.directory import graph_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_CONV_DIMENSIONS: Final = 4
"""Of a convolution's weights; a dense layer's have two."""


def cascade(
    checked: CheckedModel, method: str, pictures: NDArray[np.uint8]
) -> Iterator[tuple[str, float]]:
    """Yield each layer, from the top, and how alike maps still are once it is random too.

    Args:
        checked: in fp32, so that its weights stand in the graphs as they are.
        method: of explanation; of the last layer, for the class that `checked` predicts.
        pictures: to explain, uint8 [N, H, W, 3].

    Yields:
        The layer's name, and the mean rank correlation with the maps of the model as it is.

    Raises:
        ExportError: the weights are not in the graph as they are.
    """
    labels = checked.probabilities(pictures).argmax(axis=1)
    places = np.arange(len(pictures))
    before = checked.maps(method, pictures)[places, labels]
    graphs = {
        name: onnx.load(graph_path(checked.repository, checked.manifest, name))
        for name in checked.manifest.graphs
    }
    chance = np.random.default_rng(0)
    for layer in _layers_from_the_top(checked):
        _randomise(list(graphs.values()), layer, chance)
        with tempfile.TemporaryDirectory(prefix="pawsight-explain-check-") as folder:
            staged = _stage(Path(folder), checked, graphs)
            after = staged.maps(method, pictures)[places, labels]
        alike = [rank_correlation(a, b) for a, b in zip(before, after, strict=True)]
        yield layer.rpartition(".")[2], float(np.mean(alike))


def _layers_from_the_top(checked: CheckedModel) -> list[str]:
    manifest = checked.manifest
    weights = {
        each.name: each.dims
        for each in onnx.load(
            graph_path(checked.repository, manifest, manifest.explain_name)
        ).graph.initializer
    }
    head = sorted(name for name in weights if name.startswith("head.") and ".weight" in name)
    names = [*(f"features.{layer.name}.weight" for layer in manifest.conv_layers), *head]
    if not head or not weights.keys() >= set(names) or manifest.precision != "fp32":
        raise ExportError(
            f"{manifest.name} version {manifest.version} does not hold its weights as float32; "
            "check the randomisation of a version in fp32."
        )
    return [name.removesuffix(".weight") for name in reversed(names)]


def _randomise(models: Sequence[onnx.ModelProto], layer: str, chance: np.random.Generator) -> None:
    """Replace a layer's weights in all graphs alike, by normal ones of the same spread."""
    drawn: NDArray[np.float32] | None = None
    for model in models:
        tensors = {each.name: each for each in model.graph.initializer}
        weights = numpy_helper.to_array(tensors[f"{layer}.weight"])
        if drawn is None:
            drawn = chance.normal(0, weights.std(), weights.shape).astype(np.float32)
        for tensor in model.graph.initializer:
            # The exporter has folded a weight of another shape where the graph wants it so.
            values = numpy_helper.to_array(tensor)
            for form in (np.ravel, _turned):
                if np.array_equal(values.ravel(), form(weights).ravel()):
                    replaced = np.ascontiguousarray(form(drawn)).reshape(values.shape)
                    tensor.CopyFrom(numpy_helper.from_array(replaced, tensor.name))
                    break
        _refresh_channel_weights(model, weights, drawn)


def _turned(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a convolution's kernels as the way back has them, and other weights as they are."""
    return (
        weights.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        if weights.ndim == _CONV_DIMENSIONS
        else weights
    )


def _refresh_channel_weights(
    model: onnx.ModelProto,
    weights: NDArray[np.float32],
    drawn: NDArray[np.float32],
) -> None:
    """Follow in what `HotGraph` made of its hidden layer's weights: their sums by channel."""
    for tensor in model.graph.initializer:
        if tensor.name != "channel_weights":
            continue
        sums = numpy_helper.to_array(tensor)
        if sums.shape[0] != weights.shape[0] or weights.ndim != 2:
            return
        old = weights.reshape(*sums.shape, -1).sum(2)
        new = drawn.reshape(*sums.shape, -1).sum(2)
        scale = np.float32((sums * old).sum() / (old * old).sum())
        tensor.CopyFrom(numpy_helper.from_array((new * scale).astype(np.float32), tensor.name))


def _stage(folder: Path, checked: CheckedModel, graphs: dict[str, onnx.ModelProto]) -> CheckedModel:
    manifest = checked.manifest
    staged = {
        name: stage_graph(folder, name, manifest.version, model) for name, model in graphs.items()
    }
    random = manifest.model_copy(update={"graphs": staged})
    stage_manifest(folder, random)
    return CheckedModel(folder, random)
