from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest
from PIL import Image

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import ExplainerStub, add_ExplainerServicer_to_server
from pawsight_serving.addresses import Address
from pawsight_serving.explainer.servicer import SERVICE, ExplainerServicer
from pawsight_serving.messages.tensors import read_tensor
from pawsight_serving.rpc.server import RpcServer
from tests.serving.fakes import SIDE, picture
from tests.serving.grpc_client import trailing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pawsight_proto.v1.pawsight_pb2_grpc import ExplainerAsyncStub
    from pawsight_serving.explainer.core import Explainer
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.explanations.results import Explained
    from pawsight_serving.requests.deadlines import Deadline

RED = picture("red")


@pytest.fixture
async def stub(explainer: Explainer) -> AsyncIterator[ExplainerAsyncStub]:
    servicer = ExplainerServicer(explainer, timeout_s=5)
    server = RpcServer({SERVICE: partial(add_ExplainerServicer_to_server, servicer)}, 1 << 20)
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        yield ExplainerStub(channel)
    await server.stop(0)


def test_the_service_is_the_contracts() -> None:
    assert SERVICE == "pawsight.v1.Explainer"


async def test_grad_cam(stub: ExplainerAsyncStub) -> None:
    request = pb.ExplainRequest(images=[RED], rendering=pb.RENDERING_PNG)
    response = await stub.Explain(request, metadata=(("x-request-id", "mine"),))
    assert (response.model, response.version, response.request_id) == ("tiny", "1", "mine")
    assert response.predictions[0].label == "dog"
    (explanation,) = response.explanations
    assert (explanation.method, explanation.layer, explanation.target) == (
        "grad-cam",
        "conv2",
        "dog",
    )
    assert (explanation.map.height, explanation.map.width) == (2, 2)
    assert list(explanation.map.values) == [1, 1, 1, 1]
    assert explanation.evidence
    assert explanation.digest == response.digest == "sha256:" + "a" * 64
    assert Image.open(io.BytesIO(explanation.overlay_png)).size == (32, 24)


async def test_activations(stub: ExplainerAsyncStub) -> None:
    request = pb.ExplainRequest(images=[RED], method="activations", layer="conv1", channels=[5, 0])
    (explanation,) = (await stub.Explain(request)).explanations
    assert not explanation.HasField("map")
    assert [(c.channel, c.mean, c.max) for c in explanation.channels] == [(5, 5, 5), (0, 0, 0)]
    assert list(explanation.channels[0].map.values) == [5] * 16
    assert explanation.overlay_png == b""


async def test_a_bad_option_keeps_its_code(stub: ExplainerAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Explain(pb.ExplainRequest(images=[RED], target="mouse"))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert trailing(raised.value)["pawsight-code"] == "TARGET_UNKNOWN"


async def test_outputs_as_tensors_in_the_order_asked_for(stub: ExplainerAsyncStub) -> None:
    names = ["gradcam:conv1", "probabilities"]
    request = pb.InferRequest(
        graph="tiny_explain", pixels=bytes(2 * SIDE * SIDE * 3), outputs=names
    )
    response = await stub.Infer(request, metadata=(("x-request-id", "mine"),))
    assert [tensor.name for tensor in response.tensors] == names
    assert [tuple(tensor.shape) for tensor in response.tensors] == [(2, 2, 4, 4), (2, 2)]
    assert read_tensor(response.tensors[1]).tolist() == [[0.5, 0.5]] * 2
    assert (response.digest, response.request_id) == ("sha256:" + "b" * 64, "mine")


async def test_metrics_are_told_as_text(stub: ExplainerAsyncStub) -> None:
    metrics = await stub.GetMetrics(pb.GetMetricsRequest())
    assert b"pawsight_explainer_in_flight 0.0" in metrics.text


async def test_pictures_are_taken_out_of_their_message_once(
    stub: ExplainerAsyncStub, explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look into a message's field copies a picture; of a list it does not."""
    given: list[Sequence[bytes]] = []
    explain = explainer.explain

    async def seen(query: Query, pictures: Sequence[bytes], deadline: Deadline) -> Explained:
        given.append(pictures)
        return await explain(query, pictures, deadline)

    monkeypatch.setattr(explainer, "explain", seen)
    await stub.Explain(pb.ExplainRequest(images=[RED]))
    assert type(given[0]) is list
