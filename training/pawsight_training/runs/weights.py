"""Weights to start from: ImageNet's, a file's or a run's, as the tensors of a `ConvNet`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pawsight_training.architectures.vgg16 import BLOCKS, MEAN, STD
from pawsight_training.errors import WeightsInvalid
from pawsight_training.runs.run import load_run

IMAGENET: Final = "imagenet"
# Keras carries Caffe's weights: mean colours alone are taken off, and channels come as BGR.
KERAS_MEAN: Final = (123.68, 116.779, 103.939)
KERAS_STD: Final = (1.0, 1.0, 1.0)
CONVS: Final = tuple(
    f"block{block}_conv{number}"
    for block, widths in enumerate(BLOCKS, start=1)
    for number in range(1, len(widths) + 1)
)


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Tensors by their names in a `ConvNet`, with or without those of the head.

    Attributes:
        source: what to call them: "imagenet", or the name of the file or run.
        sha256: of the file that they came from.
    """

    source: str
    sha256: str
    tensors: Mapping[str, Tensor]

    @property
    def has_head(self) -> bool:
        """Whether the dense layers are among them."""
        return any(name.startswith("head.") for name in self.tensors)


def read_weights(source: str) -> Weights:
    """Read weights from where `--weights` says.

    Args:
        source: "imagenet" (torchvision's, downloaded once); a run folder; or a file: a
            state dict of torchvision's VGG16 or of a `ConvNet` as .pth, .pt or .safetensors, or
            Keras' VGG16 without top as .h5.

    Raises:
        WeightsInvalid: missing, damaged, or of another net.
        RunInvalid: the folder holds no finished run.
    """
    if source == IMAGENET:
        return _read_file(_download(), IMAGENET)
    path = Path(source)
    if path.is_dir():
        run = load_run(path)
        return Weights(path.name, run.manifest.weights_sha256, run.model().state_dict())
    if not path.is_file():
        raise WeightsInvalid(
            f"There are no weights {source}; give 'imagenet', a weights file or a run folder."
        )
    return _read_file(path, path.name)


def _download() -> Path:
    # It takes seconds to import, and other weights need none of it.
    from torchvision.models import VGG16_Weights

    url: str = VGG16_Weights.IMAGENET1K_V1.url
    name = url.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # torchvision's file names end in the first digits of their sha256.
            digits = Path(name).stem.rpartition("-")[2]
            torch.hub.download_url_to_file(url, str(path), hash_prefix=digits)
        except OSError as error:
            raise WeightsInvalid(
                f"ImageNet's weights cannot be downloaded here; fetch {url} on a machine that "
                f"can, and put it at {path}, or give the file with --weights."
            ) from error
        except RuntimeError as error:
            raise WeightsInvalid(
                f"What came from {url} is not ImageNet's weights: its digest is another. "
                "Try again, from a network that changes nothing on the way."
            ) from error
    return path


def _read_file(path: Path, source: str) -> Weights:
    try:
        if path.suffix in {".h5", ".hdf5"}:
            tensors = _from_keras(path)
        elif path.suffix == ".safetensors":
            tensors = _from_state(load_file(path), path)
        else:
            tensors = _from_state(_unpickled(path), path)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise _unreadable(path) from error
    return Weights(source, hashlib.sha256(path.read_bytes()).hexdigest(), tensors)


def _unpickled(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Bytes that are no pickle raise whatever they happen to spell.
        raise _unreadable(path) from error


def _from_state(state: object, path: Path) -> dict[str, Tensor]:
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    ):
        raise _another_net(path)
    if "normalise.mean" in state:
        return dict(state)
    numbered = {
        (int(match[1]), match[2]): tensor
        for name, tensor in state.items()
        if (match := re.fullmatch(r"features\.(\d+)\.(weight|bias)", name))
    }
    convs = sorted({number for number, _ in numbered})
    if len(convs) != len(CONVS) or len(numbered) != 2 * len(CONVS):
        raise _another_net(path)
    return _normalised(MEAN, STD) | {
        f"features.{name}.{kind}": numbered[number, kind]
        for number, name in zip(convs, CONVS, strict=True)
        for kind in ("weight", "bias")
    }


def _from_keras(path: Path) -> dict[str, Tensor]:
    tensors = _normalised(KERAS_MEAN, KERAS_STD)
    with h5py.File(path) as file:
        for name in CONVS:
            arrays: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
            if name not in file:
                raise _another_net(path)
            file[name].visititems(
                lambda _, item, found=arrays: (
                    found.append(np.asarray(item)) if isinstance(item, h5py.Dataset) else None
                )
            )
            shapes = {array.ndim: array for array in arrays}
            if set(shapes) != {1, 4}:
                raise _another_net(path)
            kernel = shapes[4].transpose(3, 2, 0, 1)
            if name == CONVS[0]:
                kernel = kernel[:, ::-1]
            tensors[f"features.{name}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel))
            tensors[f"features.{name}.bias"] = torch.from_numpy(shapes[1])
    return tensors


def _normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> dict[str, Tensor]:
    return {
        "normalise.mean": torch.tensor(mean).reshape(3, 1, 1),
        "normalise.std": torch.tensor(std).reshape(3, 1, 1),
    }


def _unreadable(path: Path) -> WeightsInvalid:
    return WeightsInvalid(
        f"The weights {path} cannot be read; they must be a whole .safetensors, .pth or .h5."
    )


def _another_net(path: Path) -> WeightsInvalid:
    return WeightsInvalid(
        f"The weights {path} are of another net, not of VGG16; give VGG16's, or a run of that net."
    )
