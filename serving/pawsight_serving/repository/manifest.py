"""What a published model version says of itself: `NAME/VERSION/manifest.json`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

EXPLAIN_SUFFIX = "_explain"
PYTHON_FILE = "model.py"
"""What Triton's Python backend runs; it lies beside the graph."""
_FEWEST_CLASSES: Final = 2
# A picture of this side takes 50 MB: a damaged number must not take all of a machine's memory.
_LARGEST_SIDE: Final = 4096
_Side = Annotated[int, Field(ge=1, le=_LARGEST_SIDE)]
# What Triton's configuration can say.
_Length = Annotated[int, Field(ge=0, lt=2**63)]
# It becomes part of a path.
_FileName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Layer(_Frozen):
    """A layer whose activation map the `_explain` graph gives, as Keras names it."""

    name: _FileName
    kind: Literal["conv", "pool"]
    channels: int
    height: int
    width: int


class Preprocessing(_Frozen):
    """What happens to pixels 0 to 255 inside the graph: `(pixel - mean) / std`, by channel."""

    colour: Literal["RGB"] = "RGB"
    resize: Literal["squash, bilinear, antialiased"] = "squash, bilinear, antialiased"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Graph(_Frozen):
    """One file that an engine runs."""

    file: _FileName
    sha256: str
    outputs: dict[str, tuple[_Length, ...]] = Field(
        description="Shape of each output without the batch dimension."
    )
    files: dict[str, str] = Field(
        default_factory=dict, description="sha256 of what else lies beside it, such as model.py."
    )


class Manifest(_Frozen):
    """One version of one model: where it came from, what it is, how well it does."""

    schema_version: Literal[1] = 1
    name: str
    version: str
    created: datetime
    architecture: str
    classes: tuple[str, ...]
    input_size: tuple[_Side, _Side] = Field(description="Height and width of the input, in pixels.")
    preprocessing: Preprocessing
    layers: tuple[Layer, ...]
    precision: Literal["fp32", "fp16", "int8"]
    engine: Literal["onnxruntime", "openvino", "tensorrt", "python"]
    weights_sha256: str
    graphs: dict[str, Graph] = Field(description="Graph name (NAME, NAME_explain) to its file.")
    filters: dict[str, str] = Field(
        default_factory=dict,
        description="Layer to the sha256 of the grid of pictures that its filters respond to.",
    )
    metrics: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Data set to figures, such as accuracy."
    )
    parity: dict[str, float] = Field(
        default_factory=dict,
        description="Check to its largest deviation. As all figures, of the graphs that were "
        "exported; TensorRT's plans are built from these and not measured.",
    )
    agreement: dict[str, float] = Field(
        default_factory=dict,
        description="How far a graph below fp32 agrees with the float32 model, on test pictures.",
    )
    calibration: dict[str, str | int | float] | None = None
    training_run: dict[str, str | int | float] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.graphs.keys() != {self.name, self.explain_name}:
            raise ValueError(f"it is not of the graphs {self.name} and {self.explain_name}")
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < _FEWEST_CLASSES:
            raise ValueError("its classes are not several, each named once")
        if not self.conv_layers:
            raise ValueError("it names no convolutional layer")
        for graph, published in self.graphs.items():
            if published.outputs.get("probabilities") != (len(self.classes),):
                raise ValueError(f"{graph} has not one probability for each of its classes")
        return self

    @property
    def explain_name(self) -> str:
        """Name of the graph that holds every layer."""
        return self.name + EXPLAIN_SUFFIX

    @property
    def digest(self) -> str:
        """Digest of the hot graph, as answers carry it."""
        return self.graph_digest(self.name)

    @property
    def conv_layers(self) -> tuple[Layer, ...]:
        """The convolutional layers in order: those that Grad-CAM applies to."""
        return tuple(layer for layer in self.layers if layer.kind == "conv")

    def arithmetic(self, graph: str) -> Literal["fp32", "fp16", "int8"]:
        """Return what a graph computes in: `NAME_explain` in float32, whatever its weights are."""
        return self.precision if graph == self.name else "fp32"

    def graph_digest(self, graph: str) -> str:
        """Return "sha256:…" of the graph of that name."""
        return f"sha256:{self.graphs[graph].sha256}"
