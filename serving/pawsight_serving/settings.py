"""What can be set, from flags and `PAWSIGHT_*` variables: one field, one sentence each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from pawsight_serving.addresses import Address

DEFAULT_REPOSITORY: Final = Path("model_repository")


HostPort = Annotated[Address, BeforeValidator(Address.parse), PlainSerializer(str)]


class EngineSettings(BaseModel):
    """What gateway and explainer share: where the models are, and what a picture may weigh."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: Path | None = Field(
        None, description=f"Folder of the model repository [default: {DEFAULT_REPOSITORY}]."
    )
    triton: HostPort | None = Field(
        None, description="gRPC address of a Triton that runs the models, instead of this process."
    )
    default_model: str = Field(
        "cats_dogs_vgg16", description="Model that answers requests which name none."
    )
    timeout_s: PositiveFloat = Field(
        30.0, description="How long a request may take where its caller does not ask for less."
    )
    max_picture_bytes: PositiveInt = Field(
        10 * 1024 * 1024, description="Bytes that one encoded picture may have."
    )
    max_picture_pixels: PositiveInt = Field(
        50_000_000, description="Pixels that one picture may have, by its header."
    )
    max_request_bytes: PositiveInt = Field(
        64 * 1024 * 1024, description="Bytes that one request of several pictures may have."
    )
    max_pictures: PositiveInt = Field(64, description="Pictures that one request may hold.")
    max_in_flight: PositiveInt = Field(
        64, description="Requests in flight at once; more are refused at once."
    )
    decode_threads: PositiveInt = Field(
        default_factory=lambda: max(2, os.cpu_count() or 1),
        description="Threads that decode pictures [default: one a core].",
    )
    probe_interval_s: PositiveFloat = Field(
        1.0, description="Time between two checks that the engine still answers."
    )
    probe_timeout_s: PositiveFloat = Field(
        2.0, description="Time after which a check that was not answered has failed."
    )
    shutdown_grace_s: PositiveFloat = Field(
        10.0, description="How long requests under way may take after a signal to stop."
    )

    @model_validator(mode="after")
    def _one_engine(self) -> Self:
        if self.repository is not None and self.triton is not None:
            raise ValueError("give either a repository or a Triton, not both")
        return self

    @property
    def repository_or_default(self) -> Path | None:
        """The folder to load models from; None where Triton serves them."""
        return None if self.triton else self.repository or DEFAULT_REPOSITORY


class GatewaySettings(EngineSettings):
    """Settings of `pawsight serve`."""

    http: HostPort = Field(Address("127.0.0.1", 8080), description="Address of HTTP.")
    grpc: HostPort = Field(Address("127.0.0.1", 50051), description="Address of gRPC.")
    explainer: HostPort | None = Field(
        None,
        description="Address of a running explainer; without it, one is started and supervised.",
    )
    stream_pictures_at_once: PositiveInt = Field(
        8, description="Requests of one gRPC stream that are worked on at once."
    )
    max_answer_bytes: PositiveInt = Field(
        64 * 1024 * 1024,
        description="Bytes that the tensors of one answer may have, over the Open Inference "
        "Protocol.",
    )
    explainer_start_s: PositiveFloat = Field(
        15.0, description="How long to wait for the explainer before serving without it."
    )

    def for_sidecar(self) -> ExplainerSettings:
        """Return the settings of an explainer beside this gateway, on a free port."""
        shared = self.model_dump(include=set(EngineSettings.model_fields))
        return ExplainerSettings(**shared, grpc=Address("127.0.0.1", 0))


class ExplainerSettings(EngineSettings):
    """Settings of `pawsight explainer`."""

    grpc: HostPort = Field(Address("127.0.0.1", 50052), description="Address of gRPC.")
    render_threads: PositiveInt = Field(
        default_factory=lambda: max(1, os.cpu_count() or 1),
        description="Threads that draw overlays and grids [default: one a core].",
    )
    max_overlay_side: PositiveInt = Field(
        1024, description="Pixels that an overlay's longer side may have."
    )
    explanations_at_once: PositiveInt = Field(
        default_factory=lambda: max(2, os.cpu_count() or 1),
        description="Explanations that are worked on at once; others wait [default: one a core].",
    )
    max_explanation_bytes: PositiveInt = Field(
        128 * 1024 * 1024, description="Bytes of maps that one explanation may hold at once."
    )
