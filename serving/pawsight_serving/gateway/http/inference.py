"""`:predict` and `:explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.http.answers import Json, explain_answer, predict_answer
from pawsight_serving.gateway.http.bodies import read_pictures
from pawsight_serving.gateway.http.leaving import Leaving
from pawsight_serving.gateway.http.options import ExplainOptions, open_call, wants_png

if TYPE_CHECKING:
    from starlette.requests import Request

    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.settings import GatewaySettings


class InferenceEndpoints:
    """The endpoints that take pictures.

    Args:
        gateway: the core.
        settings: the limits of bodies and time.
    """

    def __init__(self, gateway: Gateway, settings: GatewaySettings) -> None:
        self._gateway = gateway
        self._settings = settings

    async def predict(self, request: Request) -> Response:
        """Classify one or more pictures."""
        call = open_call(request, self._settings.timeout_s)
        # A crowd is turned away before its bodies are read.
        with self._gateway.admission.place() as place:
            async with call.deadline.enforced(), Leaving(request) as leaving:
                pictures = await read_pictures(request, self._settings, place)
                leaving.watch()
                predicted = await self._gateway.predict(*_model(request), pictures, call.deadline)
        return Json(predict_answer(predicted, call.request_id))

    async def explain(self, request: Request) -> Response:
        """Classify pictures and say why: values as JSON, or one picture's drawing as PNG."""
        call = open_call(request, self._settings.timeout_s)
        options = ExplainOptions.of(request)
        png = wants_png(request)
        with self._gateway.explain_admission.place() as place:
            async with call.deadline.enforced(), Leaving(request) as leaving:
                pictures = await read_pictures(request, self._settings, place)
                leaving.watch()
                if png and len(pictures) > 1:
                    raise OptionInvalid(
                        "A PNG shows one picture; send one, or ask for application/json."
                    )
                asked = options.message(*_model(request), pictures, draw=png or options.overlay)
                response = await self._gateway.explain(asked, call)
        if png:
            return Response(response.explanations[0].overlay_png, media_type="image/png")
        classes = self._gateway.model(response.model, response.version).classes
        return Json(explain_answer(response, classes))


def _model(request: Request) -> tuple[str, str]:
    return request.path_params["name"], request.path_params.get("version", "")
