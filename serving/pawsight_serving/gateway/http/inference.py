"""`:predict` and `:explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.http.answers import Json, explain_answer, predict_answer
from pawsight_serving.gateway.http.bodies import read_pictures
from pawsight_serving.gateway.http.options import ExplainOptions, open_call, wants_png
from pawsight_serving.gateway.http.schemas import (
    PICTURES_BODY,
    ExplainAnswer,
    PredictAnswer,
    failures,
)

if TYPE_CHECKING:
    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.settings import GatewaySettings

_FAILURES = failures(400, 404, 413, 415, 429, 500, 503, 504)


def inference_routes(gateway: Gateway, settings: GatewaySettings) -> APIRouter:
    """Return the routes that take pictures."""
    routes = APIRouter(tags=["inference"])

    @routes.post(
        "/v1/models/{name}:predict",
        responses={200: {"model": PredictAnswer}, **_FAILURES},
        response_class=Json,
        openapi_extra=PICTURES_BODY,
    )
    async def predict(name: str, request: Request) -> Response:
        """Classify one or more pictures; predictions keep the pictures' order."""
        call = open_call(request, settings.timeout_s)
        # A crowd is turned away before its bodies are read.
        gateway.admission.check()
        async with call.deadline.enforced():
            pictures = await read_pictures(request, settings)
            predicted = await gateway.predict(name, "", pictures, call.deadline)
        return Json(predict_answer(predicted, call.request_id))

    @routes.post(
        "/v1/models/{name}:explain",
        responses={
            200: {"model": ExplainAnswer, "content": {"image/png": {}}},
            **_FAILURES,
        },
        response_class=Json,
        openapi_extra=PICTURES_BODY,
    )
    async def explain(
        name: str, request: Request, options: Annotated[ExplainOptions, Query()]
    ) -> Response:
        """Classify pictures and say why.

        JSON holds the values; `Accept: image/png` gives the overlay, or the grid of activation
        maps, of one picture.
        """
        call = open_call(request, settings.timeout_s)
        gateway.explain_admission.check()
        png = wants_png(request)
        async with call.deadline.enforced():
            pictures = await read_pictures(request, settings)
            if png and len(pictures) > 1:
                raise OptionInvalid(
                    "A PNG shows one picture; send one, or ask for application/json."
                )
            response = await gateway.explain(
                options.request(name, pictures, draw=png or options.overlay), call
            )
        if png:
            return Response(response.explanations[0].overlay_png, media_type="image/png")
        return Json(
            explain_answer(response, gateway.model(response.model, response.version).classes)
        )

    return routes
