"""The endpoints under `/v2`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import (
    EngineUnavailable,
    ExplainerUnavailable,
    ImageTooLarge,
    MediaTypeUnsupported,
    RequestError,
)
from pawsight_serving.gateway.http.answers import Json
from pawsight_serving.gateway.http.bodies import RAW, media_type_of, off_the_loop, read_body
from pawsight_serving.gateway.http.disconnects import CancelOnDisconnect
from pawsight_serving.gateway.http.json_bodies import read_json
from pawsight_serving.gateway.http.open_inference.answers import infer_answer
from pawsight_serving.gateway.http.open_inference.requests import HEADER_LENGTH, read_request
from pawsight_serving.gateway.http.options import open_call, without_options
from pawsight_serving.gateway.http.routing import Route
from pawsight_serving.gateway.open_inference import descriptions

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pawsight_serving.gateway.open_inference.core import OpenInference
    from pawsight_serving.repository.graphs import ServedGraph
    from pawsight_serving.settings import GatewaySettings


_MAX_INDEX_BYTES: Final = 1024
_INDEX_FORM: Final = 'an empty body or {"ready": true}'


class OpenInferenceEndpoints:
    """The Open Inference Protocol over HTTP.

    Args:
        inference: the core.
        settings: the limits of bodies and time.
    """

    def __init__(self, inference: OpenInference, settings: GatewaySettings) -> None:
        self._inference = inference
        self._settings = settings

    def routes(self) -> list[Route]:
        """Return every route, those of a model with and without a version."""
        return [
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/v2/repository/index", self.index, methods=["POST"]),
            Route("/v2/models/stats", self.statistics),
            *(
                route
                for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
                for route in (
                    Route(model, self.model),
                    Route(f"{model}/ready", self.model_ready),
                    Route(f"{model}/config", self.config),
                    Route(f"{model}/stats", self.statistics),
                    Route(f"{model}/infer", self.infer, methods=["POST"]),
                )
            ),
        ]

    @without_options
    async def server(self, request: Request) -> Json:  # noqa: ARG002
        """Describe the server."""
        return Json(descriptions.server_metadata())

    async def live(self, request: Request) -> Json:  # noqa: ARG002
        """Say that the process is alive."""
        return Json({"live": True})

    async def ready(self, request: Request) -> Json:  # noqa: ARG002
        """Say whether every model has just answered a real inference."""
        if not self._inference.ready:
            raise EngineUnavailable("The models do not answer now; try again in a moment.")
        return Json({"ready": True})

    @without_options
    async def model(self, request: Request) -> Json:
        """Describe a model's versions, input and outputs."""
        graph = self._graph(request)
        return Json(descriptions.model_metadata(graph, self._inference.graphs(graph.name)))

    @without_options
    async def model_ready(self, request: Request) -> Json:
        """Say whether one model answers."""
        graph = self._graph(request)
        if not await self._inference.graph_ready(graph):
            down = EngineUnavailable if graph.hot else ExplainerUnavailable
            raise down(f"{graph.name} does not answer now; try again in a moment.")
        return Json({"name": graph.name, "ready": True})

    @without_options
    async def config(self, request: Request) -> Json:
        """Describe a model as Triton does."""
        return Json(descriptions.model_config(self._graph(request), self._inference.max_pictures))

    @without_options
    async def statistics(self, request: Request) -> Json:
        """Say how often models ran, and for how long."""
        graphs = self._inference.graphs(*_named(request))
        return Json(descriptions.model_statistics(graphs, self._inference.statistics))

    @without_options
    async def index(self, request: Request) -> Json:
        """List the models, or those that answer."""
        call = open_call(request, self._settings.timeout_s)
        async with call.deadline.enforced():
            try:
                body = await read_body(request, _MAX_INDEX_BYTES)
            except ImageTooLarge as error:
                raise RequestError(
                    f"The body is not a valid index request; send {_INDEX_FORM}."
                ) from error
            ready_only = _ready_only(body, self._settings.max_json_depth)
            index = await descriptions.repository_index(self._inference, ready_only=ready_only)
        return Json(index)

    @without_options
    async def infer(self, request: Request) -> Response:
        """Run a model."""
        call = open_call(request, self._settings.timeout_s)
        if (media_type := media_type_of(request)) not in {RAW, "application/json"}:
            raise MediaTypeUnsupported(
                f"The media type {media_type!r} is not supported; send application/json, or "
                f"application/octet-stream and {HEADER_LENGTH}."
            )
        # A crowd is turned away before its bodies are read.
        with self._inference.place(self._graph(request), call.deadline) as place:
            async with call.deadline.enforced(), CancelOnDisconnect(request) as leaving:
                body = await read_body(request, self._settings.max_request_bytes, place)
                leaving.watch()
                asked = await off_the_loop(
                    partial(
                        read_request,
                        body,
                        request.headers.get(HEADER_LENGTH),
                        *_named(request),
                        self._settings.max_json_depth,
                    ),
                    len(body),
                )
                answered = await self._inference.infer(asked.asked, call)
        return infer_answer(answered, asked)

    def _graph(self, request: Request) -> ServedGraph:
        return self._inference.graph(*_named(request))


def _named(request: Request) -> tuple[str, str]:
    return request.path_params.get("name", ""), request.path_params.get("version", "")


def _ready_only(body: bytes, max_json_depth: int) -> bool:
    document = read_json(body or b"{}", max_json_depth, _MAX_INDEX_BYTES, _INDEX_FORM)
    ready = document.get("ready", False) if isinstance(document, dict) else None
    if not isinstance(ready, bool):
        raise RequestError(f"The body has no known field; send {_INDEX_FORM}.")
    return ready
