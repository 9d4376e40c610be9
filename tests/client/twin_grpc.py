"""The twin over gRPC."""

# ruff: noqa: N802 - gRPC names its methods so

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightServicer, add_PawsightServicer_to_server
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

    from tests.client.twin import Stand, Twin


class GrpcTwin(PawsightServicer):
    def __init__(self, stand: Stand) -> None:
        self.stand = stand

    def Predict(self, request: pb.PredictRequest, context: Any) -> pb.PredictResponse:
        with self._asked(request, context) as twin:
            return _predicted(twin.classify(request.images[0]))
        raise AssertionError

    def PredictStream(
        self, request_iterator: Iterator[pb.PredictStreamRequest], context: Any
    ) -> Iterator[pb.PredictStreamResponse]:
        with self._asked(pb.PredictRequest(), context) as twin:
            for request in request_iterator:
                try:
                    if request.model not in {"", *twin.models}:
                        raise MODEL_NOT_FOUND
                    label = twin.classify(request.image)
                except Failure as failure:
                    if not failure.code:
                        raise
                    error = pb.Error(
                        error=failure.sentence, code=failure.code, request_id="request-1"
                    )
                    yield pb.PredictStreamResponse(id=request.id, error=error)
                else:
                    yield pb.PredictStreamResponse(id=request.id, response=_predicted(label))

    def Explain(self, request: pb.ExplainRequest, context: Any) -> pb.ExplainResponse:
        with self._asked(request, context) as twin:
            label = twin.classify(request.images[0])
            explanations = [
                _explanation(request, layer, target, label)
                for layer in (request.layer or LAYER["name"]).split(",")
                for target in (request.target or label).split(",")
            ]
            predicted = _predicted(label)
            return pb.ExplainResponse(
                model=predicted.model,
                version=predicted.version,
                predictions=predicted.predictions,
                explanations=explanations,
                sheets=[SHEET] if request.sheet else [],
                digest=predicted.digest,
                request_id=predicted.request_id,
            )
        raise AssertionError

    def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        return pb.ListModelsResponse(models=[_model(name) for name in self.stand.twin.models])

    def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.Model:
        with self._asked(request, context):
            return _model(request.model)
        raise AssertionError

    def GetFilters(self, request: pb.GetFiltersRequest, context: Any) -> pb.Filters:
        with self._asked(request, context):
            return pb.Filters(png=b"PNG")
        raise AssertionError

    @contextlib.contextmanager
    def _asked(self, request: Any, context: Any) -> Iterator[Twin]:
        twin = self.stand.twin
        headers = dict(context.invocation_metadata())
        options = (
            {
                "method": request.method,
                "layer": request.layer,
                "target": request.target,
                "channels": ",".join(map(str, request.channels)),
                "top": str(request.top or ""),
                "colormap": request.colormap,
                "samples": str(request.samples or ""),
                "seed": str(request.seed or ""),
            }
            if isinstance(request, pb.ExplainRequest)
            else {}
        )
        twin.seen.append(
            {
                "model": request.model,
                "version": request.version,
                "timeout_s": context.time_remaining(),
                "authorization": headers.get("authorization"),
                **options,
            }
        )
        try:
            if request.model not in {"", *twin.models}:
                raise MODEL_NOT_FOUND
            yield twin
        except Failure as failure:
            if failure.code:
                told = [("pawsight-code", failure.code), ("x-request-id", "request-1")]
                if failure.retry_after:
                    told.append(("retry-after", failure.retry_after))
                context.set_trailing_metadata(tuple(told))
            context.abort(failure.grpc, failure.sentence)


def _explanation(request: pb.ExplainRequest, layer: str, target: str, label: str) -> pb.Explanation:
    values = pb.Map(height=2, width=2, values=[value for row in MAP for value in row])
    drawn = request.rendering == pb.RENDERING_PNG and not request.sheet
    explanation = pb.Explanation(
        method=request.method,
        layer=layer,
        evidence=True,
        overlay_png=OVERLAY if drawn else b"",
        digest=DIGEST,
        weights_sha256=WEIGHTS,
        precision="fp32",
    )
    if request.method == "activations":
        for channel in request.channels or [7]:
            explanation.channels.add(channel=channel, mean=0.5625, max=1.5, zeros=0.25, map=values)
    else:
        explanation.target = target
        explanation.probability = PROBABILITIES[label][target]
        explanation.map.CopyFrom(values)
    if request.faithfulness:
        explanation.faithfulness.CopyFrom(
            pb.Faithfulness(
                deletion=pb.Curve(area=0.25, probabilities=[1, 0.5]),
                insertion=pb.Curve(area=0.75, probabilities=[0.5, 1]),
            )
        )
    return explanation


def _predicted(label: str) -> pb.PredictResponse:
    probabilities = PROBABILITIES[label]
    return pb.PredictResponse(
        model=MODEL,
        version="3",
        predictions=[
            pb.Prediction(label=label, score=probabilities[label], probabilities=probabilities)
        ],
        digest=DIGEST,
        request_id="request-1",
    )


def _model(name: str) -> pb.Model:
    model = pb.Model(name=name, version="3", classes=["cat", "dog"], state="READY", methods=METHODS)
    model.layers.add(**LAYER)
    model.manifest.CopyFrom(ParseDict(MANIFEST, Struct()))
    return model


@contextlib.contextmanager
def serve_grpc(stand: Stand) -> Iterator[int]:
    """Serve over gRPC on a free port of the loopback."""
    server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
    add_PawsightServicer_to_server(GrpcTwin(stand), server)
    bound = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield bound
    finally:
        server.stop(grace=0).wait(timeout=10)
