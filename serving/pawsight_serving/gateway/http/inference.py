"""`:predict` and `:explain`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from starlette.responses import Response

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.gateway.http.answers import Json, explain_answer, predict_answer
from pawsight_serving.gateway.http.bodies import read_pictures
from pawsight_serving.gateway.http.disconnects import CancelOnDisconnect
from pawsight_serving.gateway.http.media_types import NPY, wanted_media_type
from pawsight_serving.gateway.http.options import ExplainOptions, open_call, without_options
from pawsight_serving.messages.tensors import read_tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from starlette.requests import Request

    from pawsight_proto.v1 import pawsight_pb2 as pb
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

    @without_options
    async def predict(self, request: Request) -> Response:
        """Classify one or more pictures."""
        call = open_call(request, self._settings.timeout_s)
        self._check_served(request)
        # A crowd is turned away before its bodies are read.
        with self._gateway.admission.place(deadline=call.deadline) as place:
            async with call.deadline.enforced(), CancelOnDisconnect(request) as leaving:
                pictures = await read_pictures(request, self._settings, place)
                leaving.watch()
                predicted = await self._gateway.predict(*_model(request), pictures, call.deadline)
        return Json(predict_answer(predicted, call.request_id))

    async def explain(self, request: Request) -> Response:
        """Classify pictures and say why: as JSON, or of one picture a drawing or raw values."""
        call = open_call(request, self._settings.timeout_s)
        options = ExplainOptions.of(request)
        wanted = wanted_media_type(request)
        self._check_served(request)
        with self._gateway.explain_admission.place() as place:
            async with call.deadline.enforced(), CancelOnDisconnect(request) as leaving:
                pictures = await read_pictures(request, self._settings, place)
                leaving.watch()
                if wanted != "application/json" and len(pictures) > 1:
                    raise OptionInvalid(
                        f"{wanted} is for one picture; send one, or ask for application/json."
                    )
                query = options.query(*_model(request), wanted)
                # Before the sidecar answers: it may be ahead with a version that is not here yet.
                manifest = self._gateway.model(query.model, query.version)
                if wanted == NPY:
                    _, method = find_method(manifest, query)
                    _check_one_size(method.shapes)
                response = await self._gateway.explain(query, pictures, call, tensors=True)
        if wanted == NPY:
            return _raw(response)
        if wanted != "application/json":
            drawing = (
                response.sheets[0] if response.sheets else response.explanations[0].overlay_png
            )
            return Response(drawing, media_type=wanted)
        query.check_values(each.tensor.shape for each in response.explanations)
        return Json(explain_answer(response, manifest.classes))

    def _check_served(self, request: Request) -> None:
        """Refuse what is not served before a body is sent for it."""
        self._gateway.model(*_model(request))


def _model(request: Request) -> tuple[str, str]:
    return request.path_params["name"], request.path_params.get("version", "")


def _raw(response: pb.ExplainResponse) -> Response:
    """Return one picture's values in NumPy's file format, several explanations along a first axis.

    Raises:
        OptionInvalid: as `_check_one_size`; the sidecar may have answered with another version.
    """
    maps: list[NDArray[Any]] = [read_tensor(each.tensor) for each in response.explanations]
    _check_one_size(each.shape for each in maps)
    file = io.BytesIO()
    np.save(file, maps[0] if len(maps) == 1 else np.stack(maps))
    explanations = response.explanations
    channels = ",".join(str(channel.channel) for channel in explanations[0].channels)
    headers = {
        "x-pawsight-digest": response.digest,
        "x-pawsight-layer": _names(each.layer for each in explanations),
        "x-pawsight-target": _names(each.target for each in explanations),
        "x-pawsight-channels": channels,
    }
    return Response(
        file.getvalue(),
        media_type=NPY,
        headers={name: value for name, value in headers.items() if value},
    )


def _check_one_size(shapes: Iterable[tuple[int, ...]]) -> None:
    """Raise `OptionInvalid` where maps have several sizes, which do not fit one array."""
    if len(set(shapes)) > 1:
        raise OptionInvalid(f"{NPY} is for maps of one size; ask for one layer at a time.")


def _names(names: Iterable[str]) -> str:
    """Return each name once, for a header: percent-encoded UTF-8 (RFC 3986), with commas between.

    A header takes few characters besides ASCII's, and a name may have any.
    """
    return ",".join(quote(name, safe="") for name in dict.fromkeys(names))
