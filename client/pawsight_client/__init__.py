"""The Pawsight SDK: ask a gateway what a picture shows, and why.

from pawsight_client import Client

with Client("http://localhost:8080") as client:
    print(client.predict("cat.jpg").label)
    client.explain("cat.jpg").save("overlay.png")
"""

from pawsight_client._async_client import AsyncClient
from pawsight_client._choices import Colormap, Method
from pawsight_client._client import Client
from pawsight_client._errors import (
    AnswerInvalid,
    CertificateUntrusted,
    ClientClosed,
    DeadlineExceeded,
    DependencyMissing,
    EngineUnavailable,
    ExplainerUnavailable,
    ImageInvalid,
    ImageMissing,
    ImageTooLarge,
    ImageUnreadable,
    InternalError,
    LayerUnknown,
    MediaTypeUnsupported,
    ModelNotFound,
    NotFound,
    OptionInvalid,
    Overloaded,
    PawsightError,
    RequestError,
    RouteNotFound,
    ServerUnreachable,
    TargetUnknown,
    Unauthenticated,
    Unavailable,
    VersionNotFound,
)
from pawsight_client._pictures import Picture
from pawsight_client._results import (
    Channel,
    Curve,
    Explanation,
    Faithfulness,
    Layer,
    Map,
    Model,
    Prediction,
)
from pawsight_client._tls import Tls

__all__ = [
    "AnswerInvalid",
    "AsyncClient",
    "CertificateUntrusted",
    "Channel",
    "Client",
    "ClientClosed",
    "Colormap",
    "Curve",
    "DeadlineExceeded",
    "DependencyMissing",
    "EngineUnavailable",
    "ExplainerUnavailable",
    "Explanation",
    "Faithfulness",
    "ImageInvalid",
    "ImageMissing",
    "ImageTooLarge",
    "ImageUnreadable",
    "InternalError",
    "Layer",
    "LayerUnknown",
    "Map",
    "MediaTypeUnsupported",
    "Method",
    "Model",
    "ModelNotFound",
    "NotFound",
    "OptionInvalid",
    "Overloaded",
    "PawsightError",
    "Picture",
    "Prediction",
    "RequestError",
    "RouteNotFound",
    "ServerUnreachable",
    "TargetUnknown",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "VersionNotFound",
]
