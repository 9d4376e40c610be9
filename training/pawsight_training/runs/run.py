"""The run folder: what a training leaves behind.

RUN/
├── weights.safetensors   the best weights on `validation`
├── README.md             the model card, with the figures beside it (*.png)
├── history.csv           one row an epoch
├── checkpoints/          to resume from
├── tensorboard/          the figures of every epoch, as TensorBoard reads them
└── manifest.json         written last: a folder without it is not a finished run
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from pawsight_serving.repository.manifest import Preprocessing
from pawsight_serving.repository.writing import replace_file
from pawsight_training.architectures import ConvNet, build
from pawsight_training.errors import RunInvalid
from pawsight_training.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "weights.safetensors"
HISTORY: Final = "history.csv"
CHECKPOINTS: Final = "checkpoints"
TENSORBOARD: Final = "tensorboard"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSummary(_Frozen):
    """Which pictures a run saw: names, never paths."""

    sources: tuple[str, ...]
    counts: dict[str, dict[str, int]] = Field(description="Split to class to pictures.")
    digests: dict[str, str] = Field(description="Split to sha256 over its files and labels.")
    skipped: tuple[str, ...] = ()
    held_out: bool = Field(default=False, description="Validation was taken from train.")


class RunManifest(_Frozen):
    """What a finished run says of itself."""

    schema_version: Literal[1] = 1
    created: datetime
    recipe_name: str
    recipe: Recipe
    architecture: str
    classes: tuple[str, ...]
    input_size: tuple[int, int] = Field(description="Height and width, in pixels.")
    preprocessing: Preprocessing
    seed: int
    precision: str
    data: DataSummary
    epochs_trained: int
    best_epoch: int = Field(description="The epoch whose weights were kept, from 1.")
    metrics: dict[str, dict[str, float]] = Field(description="Split to figures.")
    initial_weights: dict[str, str] | None = Field(
        default=None, description="Name and sha256 of the weights that it started from."
    )
    weights_sha256: str
    stored_precision: Literal["float32", "float16"] = Field(
        default="float32", description="Of the weights' file; the net computes in float32."
    )
    parameters: int
    trainable_parameters: int
    duration_s: float
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run on disk."""

    path: Path
    manifest: RunManifest

    def model(self) -> ConvNet:
        """Return the net with the run's weights, on the CPU, in eval mode.

        Raises:
            RunInvalid: the weights are not those of the manifest, or of another net than it says.
        """
        net = build(
            self.manifest.architecture, len(self.manifest.classes), self.manifest.input_size
        )
        weights = _read_weights(self.path / WEIGHTS, self.manifest.weights_sha256)
        try:
            net.load_state_dict(weights)
        except RuntimeError as error:
            raise RunInvalid(
                f"The weights in {self.path} do not fit the architecture, the classes and the "
                "input size that its manifest names; restore the manifest, or train it again."
            ) from error
        return net.eval()


def load_run(path: Path) -> Run:
    """Return the finished run in a folder.

    Raises:
        RunInvalid: no run there, an unfinished one, or a damaged one.
    """
    try:
        data = (path / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if is_begun(path):
            raise RunInvalid(f"The run {path} is unfinished; go on with --resume.") from error
        raise RunInvalid(
            f"There is no run in {path}; give a folder that `pawsight train` wrote."
        ) from error
    except OSError as error:
        raise RunInvalid(
            f"The run {path} cannot be read ({error.strerror}); mend that, then try again."
        ) from error
    try:
        manifest = RunManifest.model_validate_json(data)
    except ValidationError as error:
        raise RunInvalid(
            f"The manifest of the run {path} cannot be read; train it again with this version."
        ) from error
    return Run(path, manifest)


def is_begun(path: Path) -> bool:
    """Return whether a training has written into the folder, finished or not."""
    # The second is there from the first step on, the first only when an epoch has ended.
    return is_finished(path) or any((path / name).is_dir() for name in (CHECKPOINTS, TENSORBOARD))


def is_finished(path: Path) -> bool:
    """Return whether the folder holds a finished run."""
    return (path / MANIFEST).is_file()


def write_weights(path: Path, net: ConvNet) -> str:
    """Write the net's weights into the run folder and return their sha256."""
    tensors: dict[str, Tensor] = {
        name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()
    }
    data = save(tensors)
    # On the disk before the manifest is, or a crash of the machine leaves a manifest without them.
    replace_file(path / WEIGHTS, data)
    return hashlib.sha256(data).hexdigest()


def write_manifest(path: Path, manifest: RunManifest) -> None:
    """Finish the run: the manifest appears whole or not at all."""
    replace_file(path / MANIFEST, f"{manifest.model_dump_json(indent=2)}\n".encode())


def _read_weights(path: Path, sha256: str) -> dict[str, Tensor]:
    damaged = RunInvalid(
        f"The weights in {path.parent} are not those of its manifest; restore or train them again."
    )
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise damaged
        return load_file(path)
    except (FileNotFoundError, SafetensorError) as error:
        raise damaged from error
    except OSError as error:
        raise RunInvalid(
            f"The weights in {path.parent} cannot be read ({error.strerror}); mend that, then try "
            "again."
        ) from error
