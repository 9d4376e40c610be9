"""The settings, read from flags and `PAWSIGHT_*` variables: one field, one sentence each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from pawsight_serving.addresses import Address, collector_url
from pawsight_serving.process.processors import usable_processors

DEFAULT_REPOSITORY: Final = Path("model_repository")
MAX_JSON_DEPTH: Final = 32
MAX_NUMBERS: Final = 2_000_000
"""Numbers that are read or written one by one, as in JSON: more hold up every other request."""


# As browsers send it, without a path: another one matches no page (RFC 6454, 6.2).
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]+")

LogFormat = Literal["text", "json"]
HostPort = Annotated[Address, BeforeValidator(Address.parse), PlainSerializer(str)]


class SharedSettings(BaseModel):
    """Settings that gateway and explainer share: the models, and the limits of a request.

    A gateway hands them to the explainer that it starts; one that runs by itself has its own.
    """

    # Infinity and NaN are numbers to Python, and would not reach the sidecar as JSON.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    repository: Path | None = Field(
        None, description=f"Folder of the model repository [default: {DEFAULT_REPOSITORY}]."
    )
    triton: HostPort | None = Field(
        None,
        description="gRPC address of a Triton server to run the models, instead of this process.",
    )
    repository_poll_s: PositiveFloat = Field(
        2.0, description="Seconds between looks for new versions in the repository."
    )
    version_grace_s: PositiveFloat = Field(
        30.0,
        description="Seconds for which a withdrawn version still answers requests that name it.",
    )
    engine_threads: PositiveInt = Field(
        default_factory=usable_processors,
        description="Inference calls that run at once in this process "
        "[default: one per usable core].",
    )
    engine_cores: Literal["all", "one"] = Field(
        "all", description="Cores for each call: all of them, shared, or one of its own."
    )
    engine_batch: PositiveInt | None = Field(
        None,
        description="Largest batch formed of single pictures that wait "
        "[default: 8 where OpenVINO runs them, 6 elsewhere].",
    )
    default_model: str = Field(
        "cats_dogs_vgg16", description="Model that answers requests that name none."
    )
    timeout_s: PositiveFloat = Field(
        30.0, description="Seconds that a request may take, unless its caller asks for less."
    )
    max_picture_bytes: PositiveInt = Field(
        10 * 1024 * 1024, description="Maximum bytes of one encoded picture."
    )
    max_picture_pixels: PositiveInt = Field(
        50_000_000, description="Maximum pixels of one picture, checked before it is decoded."
    )
    max_request_bytes: PositiveInt = Field(
        64 * 1024 * 1024, description="Maximum bytes of one request."
    )
    max_pictures: PositiveInt = Field(64, description="Maximum pictures in one request.")
    max_explanations_in_flight: PositiveInt = Field(
        64, description="Maximum explanations in flight; more are refused at once."
    )
    max_in_flight_bytes: PositiveInt = Field(
        256 * 1024 * 1024,
        description="Maximum bytes of the bodies of all requests in flight, together.",
    )
    decode_threads: PositiveInt = Field(
        default_factory=lambda: max(2, usable_processors()),
        description="Threads that decode pictures [default: one per usable core, at least 2].",
    )
    render_threads: PositiveInt = Field(
        default_factory=usable_processors,
        description="Threads that draw overlays and grids [default: one per usable core].",
    )
    max_overlay_side: PositiveInt = Field(
        1024, description="Maximum pixels of an overlay's longer side."
    )
    explanations_at_once: PositiveInt = Field(
        default_factory=lambda: max(2, usable_processors()),
        description="Explanations computed at once; others wait "
        "[default: one per usable core, at least 2].",
    )
    max_explanation_bytes: PositiveInt = Field(
        256 * 1024 * 1024,
        description="Maximum bytes of maps and drawings that one explanation may hold at once.",
    )
    probe_interval_s: PositiveFloat = Field(
        2.0, description="Seconds between checks that the engine still answers."
    )
    probe_timeout_s: PositiveFloat = Field(
        2.0, description="Seconds after which an unanswered check has failed."
    )
    log_format: LogFormat = Field(
        "text", description="Format of the log: text, or json with one object per line."
    )
    trace_endpoint: str | None = Field(
        None,
        description="OTLP address to send traces to, such as http://localhost:4317; without it, "
        "there are none.",
    )
    shutdown_grace_s: PositiveFloat = Field(
        10.0, description="Seconds that requests in flight get to finish after a signal to stop."
    )

    @field_validator("trace_endpoint")
    @classmethod
    def _collector(cls, endpoint: str | None) -> str | None:
        return endpoint if endpoint is None else collector_url(endpoint)

    @model_validator(mode="after")
    def _one_engine(self) -> Self:
        if self.repository is not None and self.triton is not None:
            raise ValueError("give either a repository or a Triton, not both")
        return self

    @model_validator(mode="after")
    def _one_request_fits(self) -> Self:
        if self.max_in_flight_bytes < self.max_request_bytes:
            raise ValueError("max-in-flight-bytes must be at least max-request-bytes")
        return self

    @property
    def repository_or_default(self) -> Path | None:
        """The folder to load models from; None where Triton serves them."""
        return None if self.triton else self.repository or DEFAULT_REPOSITORY


class GatewaySettings(SharedSettings):
    """Settings of `pawsight serve`."""

    http: HostPort = Field(Address("127.0.0.1", 8080), description="Address to serve HTTP on.")
    grpc: HostPort = Field(Address("127.0.0.1", 50051), description="Address to serve gRPC on.")
    workers: PositiveInt = Field(
        1, description="Gateway processes that share the ports; one is enough with Triton or a GPU."
    )
    explainer: HostPort | None = Field(
        None,
        description="Address of a running explainer; without it, one is started and supervised.",
    )
    max_in_flight: PositiveInt = Field(
        512,
        description="Maximum predictions in flight; more are refused at once, as are those that "
        "would be answered after their deadline.",
    )
    stream_pictures_at_once: PositiveInt = Field(
        8, description="Requests of one gRPC stream that are processed at once."
    )
    max_answer_bytes: PositiveInt = Field(
        64 * 1024 * 1024,
        description="Maximum bytes of the tensors in one answer of the Open Inference Protocol.",
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate for both ports; without it, no TLS."
    )
    tls_key: Path | None = Field(None, description="PEM file with the certificate's private key.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file with the authorities that must have signed callers' certificates.",
    )
    api_keys: Path | None = Field(
        None,
        description="File of the accepted API keys, one NAME:SHA256 per line; edits take "
        "effect within seconds.",
    )
    cors_origins: str = Field(
        "", description="Origins, separated by spaces, whose pages may call from a browser."
    )
    max_connections: PositiveInt = Field(
        1024, description="Maximum HTTP connections, and gRPC calls, open at once."
    )
    max_header_bytes: PositiveInt = Field(
        16 * 1024, description="Maximum bytes of a request's headers, or a call's metadata."
    )
    max_json_depth: PositiveInt = Field(
        MAX_JSON_DEPTH,
        le=1024,
        description="Maximum nesting depth of a JSON body.",
    )
    header_timeout_s: PositiveFloat = Field(
        10.0, description="Seconds that a caller may take to send a request's headers."
    )
    body_timeout_s: PositiveFloat = Field(
        20.0,
        description="Seconds that a caller may take to send a request's body, or a call's message.",
    )
    idle_timeout_s: PositiveFloat = Field(
        300.0,
        description="Seconds after which a gRPC stream without a request, a gRPC connection "
        "without a call, or a connection or call whose answer is not read, is closed.",
    )
    audit: Path | None = Field(
        None, description="File to record every prediction in, with its picture's hash."
    )
    audit_max_bytes: PositiveInt = Field(
        1024 * 1024 * 1024, description="Maximum bytes of that file."
    )
    explainer_start_s: PositiveFloat = Field(
        15.0, description="Seconds to wait for the explainer before serving without it."
    )

    @model_validator(mode="after")
    def _an_address_each(self) -> Self:
        # Of port 0, each takes a free one.
        if self.http == self.grpc and self.http.port:
            raise ValueError("give http and grpc an address each, not the same one")
        return self

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("give tls-certificate and tls-key together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls-client-ca needs tls-certificate and tls-key")
        return self

    @model_validator(mode="after")
    def _origins(self) -> Self:
        for origin in self.cors_origins.split():
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"cors-origins are a scheme and a host, such as https://example.org, or *, "
                    f"and not {origin!r}"
                )
        return self

    @property
    def encrypts(self) -> bool:
        """Whether the ports speak TLS."""
        return self.tls_certificate is not None

    def for_sidecar(self) -> ExplainerSettings:
        """Return the settings of an explainer beside this gateway, on a free port."""
        shared = self.model_dump(include=set(SharedSettings.model_fields))
        return ExplainerSettings(**shared, grpc=Address("127.0.0.1", 0))


class ExplainerSettings(SharedSettings):
    """Settings of `pawsight explainer`."""

    grpc: HostPort = Field(Address("127.0.0.1", 50052), description="Address to serve gRPC on.")
