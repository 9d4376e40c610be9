"""Explanations that the gateway makes itself: those whose maps the prediction's graph gives.

Such an explanation costs nearly two predictions in the sidecar, and one here. But predictions come
first: while there are any, explanations go to the sidecar's process. While the sidecar is down the
gateway makes none either, so that explanations are one service that is up or down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pawsight_serving.explanations.composition import explained_by, explanations_of
from pawsight_serving.explanations.passes import EnginePasses
from pawsight_serving.messages.explanations import explain_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_proto.v1.pawsight_pb2 import ExplainResponse
    from pawsight_serving.explanations.methods.protocol import Method
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.gateway.resources import Resources
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.calls import Call
    from pawsight_serving.threads.thread_pool import ThreadPool

QUIET_S: Final = 0.25


class InlineExplanations:
    """Explains with the maps that the hot graph gives beside its prediction.

    Args:
        resources: what the gateway serves with.
        workers: the threads to compute maps in.
    """

    def __init__(self, resources: Resources, workers: ThreadPool) -> None:
        self._engine = resources.engine
        self._decoder = resources.decoder
        self._workers = workers
        self._predictions = resources.admission
        self._explanations = resources.explain_admission

    def has(self, manifest: Manifest, name: str, query: Query, method: Method) -> bool:
        """Return whether one pass of the hot graph has the answer, and nothing is to be drawn."""
        plain = query.drawing is None and not query.faithfulness
        return plain and name == "grad-cam" and method.graph == manifest.name

    def keeps_nobody_waiting(self) -> bool:
        """Return whether no prediction is being served; an idle stream does not count.

        A caller who asks for a prediction and an explanation in turn is not kept waiting either.
        """
        return self._predictions.idle_s() > QUIET_S or (
            self._predictions.served == 0 and self._explanations.in_flight <= 1
        )

    async def answer(
        self,
        manifest: Manifest,
        name: str,
        method: Method,
        pictures: Sequence[bytes],
        call: Call,
        *,
        tensors: bool,
    ) -> ExplainResponse:
        """Return the answer that the sidecar would give; see `Gateway.explain`.

        Args:
            manifest: of the version that explains.
            name: the method's.
            method: the method, its options checked.
            pictures: the encoded pictures.
            call: the request's id and deadline.
            tensors: whether the values come as tensors, not as maps.
        """
        self._engine.check_reachable()
        images = await self._decoder.decode(pictures, manifest.input_size, call.deadline)
        passes = EnginePasses(self._engine, self._workers, manifest.version, call.deadline)
        found = await method.explain(images, passes)
        explanations = explanations_of(manifest, found)
        explained = explained_by(name, manifest, method.graph, found, explanations)
        return explain_response(explained, call.request_id, tensors=tensors)
