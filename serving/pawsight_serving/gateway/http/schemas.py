"""The shapes of bodies and answers, for the OpenAPI document alone: nothing is parsed by them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema


class ErrorAnswer(BaseModel):
    """Every answer to a request that failed."""

    error: str = Field(description="One sentence that says what to do.")
    code: str = Field(description="What kind of error it is, for programs.")
    request_id: str


class PredictionAnswer(BaseModel):
    """One picture's prediction."""

    label: str
    score: float = Field(description="Probability of the label, 0 to 1.")
    probabilities: dict[str, float] = Field(description="Class to probability; they sum to 1.")


class PredictAnswer(BaseModel):
    """Predictions, in the order of the pictures."""

    model: str
    version: str
    predictions: list[PredictionAnswer]
    digest: str = Field(description='"sha256:…" of the graph that answered.')
    request_id: str


class ChannelAnswer(BaseModel):
    """One channel of an activation map."""

    channel: int
    mean: float
    max: float
    zeros: float = Field(description="Share of zeros, 0 to 1.")
    map: list[list[float]] = Field(description="Rows of values, raw scale.")


class CurveAnswer(BaseModel):
    """The class's probability after each twentieth of the pixels."""

    area: float = Field(description="Area under the curve, over shares of pixels from 0 to 1.")
    probabilities: list[float]


class FaithfulnessAnswer(BaseModel):
    """How much a prediction depends on the pixels that a map points at (Petsiuk et al. 2018)."""

    deletion: CurveAnswer = Field(description="Pixels taken away: a small area is good.")
    insertion: CurveAnswer = Field(description="Pixels put in: a large area is good.")


class ExplanationAnswer(BaseModel):
    """One map of evidence: `target` and `map`; or a layer's `channels`, of activations."""

    method: str
    layer: str
    target: str = ""
    height: int
    width: int
    map: list[list[float]] = Field([], description="Rows of values, raw scale, never below zero.")
    channels: list[ChannelAnswer] = []
    evidence: bool = Field(description="False where the map is all zeros.")
    overlay_png: str = Field("", description="The overlay or the grid of maps, PNG in base64.")
    digest: str = Field(description='"sha256:…" of the graph that the map is of.')
    weights_sha256: str = Field(
        description="sha256 of the training run's weights that the graph was made of, before any "
        "rounding."
    )
    precision: str = Field(
        description="What that graph computes in: fp32, fp16 or int8. Layers that the prediction's "
        "own graph does not have come from one that computes in fp32."
    )
    probability: float | SkipJsonSchema[None] = Field(
        None, description="Of the target, by the pass that gave the map; not of activations."
    )
    faithfulness: FaithfulnessAnswer | SkipJsonSchema[None] = Field(
        None, description="Where it was asked for and the map holds evidence."
    )


class ExplainAnswer(PredictAnswer):
    """Predictions and their explanations, of the same pass."""

    explanations: list[ExplanationAnswer] = Field(
        description="For each picture, for each layer, for each target, in their order."
    )
    sheets: list[str] = Field([], description="One for each picture, PNG in base64.")


class LayerAnswer(BaseModel):
    """A layer that has activation maps; `conv` layers have Grad-CAM too."""

    name: str
    kind: str
    channels: int
    height: int
    width: int


class ModelAnswer(BaseModel):
    """A served model."""

    name: str
    ready: bool
    version: str
    state: str = Field(description="READY or UNAVAILABLE.")
    default: bool = Field(description="Whether it answers requests that name no model.")
    classes: list[str]
    layers: list[LayerAnswer]
    methods: list[str] = Field(description="Methods of explanation that it offers.")
    manifest: dict[str, Any] = Field(description="The manifest as it was published.")


class ModelsAnswer(BaseModel):
    """All served models."""

    models: list[ModelAnswer]


class StatusAnswer(BaseModel):
    """The state of the server."""

    status: str
