"""The twin over HTTP."""

from __future__ import annotations

import base64
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.client.twin import (
    DIGEST,
    LAYER,
    MANIFEST,
    MAP,
    METHODS,
    MODEL,
    MODEL_NOT_FOUND,
    OVERLAY,
    PROBABILITIES,
    SHEET,
    WEIGHTS,
    Failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from tests.client.twin import Stand, Twin

OPTIONS = ("method", "layer", "target", "channels", "top", "colormap", "samples", "seed")


class HttpTwin:
    def __init__(self, stand: Stand) -> None:
        self.stand = stand

    def application(self) -> Starlette:
        routes = [Route("/v1/models", self.models), Route("/v1/models/{name}", self.model)]
        for name in ("{name}", "{name}/versions/{version}"):
            path = f"/v1/models/{name}"
            routes.append(Route(f"{path}:predict", self.predict, methods=["POST"]))
            routes.append(Route(f"{path}:explain", self.explain, methods=["POST"]))
        return Starlette(routes=routes, exception_handlers={Failure: _failed})

    async def predict(self, request: Request) -> Response:
        twin = self._asked(request)
        label = await run_in_threadpool(twin.classify, await request.body())
        return JSONResponse(_predicted(label))

    async def explain(self, request: Request) -> Response:
        twin = self._asked(request)
        query = request.query_params
        label = await run_in_threadpool(twin.classify, await request.body())
        answer = {
            **_predicted(label),
            "explanations": [
                _explanation(query, layer, target, label)
                for layer in (query.get("layer") or LAYER["name"]).split(",")
                for target in (query.get("target") or label).split(",")
            ],
        }
        if query.get("sheet") == "true":
            answer["sheets"] = [base64.b64encode(SHEET).decode()]
        return JSONResponse(answer)

    async def models(self, request: Request) -> Response:
        return JSONResponse({"models": [_model(name) for name in self.stand.twin.models]})

    async def model(self, request: Request) -> Response:
        self._asked(request)
        return JSONResponse(_model(request.path_params["name"]))

    def _asked(self, request: Request) -> Twin:
        twin = self.stand.twin
        if request.path_params["name"] not in twin.models:
            raise MODEL_NOT_FOUND
        timeout = request.headers.get("x-request-timeout")
        twin.seen.append(
            {
                "model": request.path_params.get("name", ""),
                "version": request.path_params.get("version", ""),
                "timeout_s": float(timeout) if timeout else None,
                "authorization": request.headers.get("authorization"),
                **{name: request.query_params.get(name, "") for name in OPTIONS},
            }
        )
        return twin


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, Failure)
    headers = {"Retry-After": error.retry_after} if error.retry_after else {}
    content = (
        {"error": error.sentence, "code": error.code, "request_id": "request-1"}
        if error.code
        else "<html>a proxy</html>"
    )
    return JSONResponse(content, error.http, headers)


def _explanation(query: QueryParams, layer: str, target: str, label: str) -> dict[str, Any]:
    explanation: dict[str, Any] = {
        "method": query["method"],
        "layer": layer,
        "height": 2,
        "width": 2,
        "evidence": True,
        "digest": DIGEST,
        "weights_sha256": WEIGHTS,
        "precision": "fp32",
    }
    if query["method"] == "activations":
        explanation["channels"] = [
            {"channel": int(channel), "mean": 0.5625, "max": 1.5, "zeros": 0.25, "map": MAP}
            for channel in query.get("channels", "7").split(",")
        ]
    else:
        probability = PROBABILITIES[label][target]
        explanation |= {"target": target, "map": MAP, "probability": probability}
    if query.get("faithfulness") == "true":
        explanation["faithfulness"] = {
            "deletion": {"area": 0.25, "probabilities": [1, 0.5]},
            "insertion": {"area": 0.75, "probabilities": [0.5, 1]},
        }
    if query.get("overlay") != "false" and query.get("sheet") != "true":
        explanation["overlay_png"] = base64.b64encode(OVERLAY).decode()
    return explanation


def _predicted(label: str) -> dict[str, Any]:
    probabilities = PROBABILITIES[label]
    return {
        "model": MODEL,
        "version": "3",
        "predictions": [
            {"label": label, "score": probabilities[label], "probabilities": probabilities}
        ],
        "digest": DIGEST,
        "request_id": "request-1",
    }


def _model(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "ready": True,
        "version": "3",
        "classes": ["cat", "dog"],
        "layers": [LAYER],
        "state": "READY",
        "manifest": MANIFEST,
        "methods": METHODS,
    }


@contextlib.contextmanager
def serve_http(stand: Stand) -> Iterator[int]:
    """Serve over HTTP on a free port of the loopback."""
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            started.set()

    config = uvicorn.Config(
        HttpTwin(stand).application(), port=0, log_level="error", lifespan="off"
    )
    server = Server(config)
    thread = threading.Thread(target=server.run, name="twin-http")
    thread.start()
    try:
        assert started.wait(timeout=10)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(timeout=10)
