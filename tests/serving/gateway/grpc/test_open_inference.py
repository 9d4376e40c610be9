from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import (
    GRPCInferenceServiceStub,
    add_GRPCInferenceServiceServicer_to_server,
)

from pawsight_serving.addresses import Address
from pawsight_serving.errors import EngineUnavailable, ExplainerUnavailable, RepositoryInvalid
from pawsight_serving.gateway.grpc.open_inference import SERVICE, OpenInferenceServicer
from pawsight_serving.rpc.server import RpcServer
from tests.serving.fakes import SIDE, FakeEngine, picture
from tests.serving.grpc_client import trailing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pawsight_serving.gateway.metrics import Metrics
    from pawsight_serving.gateway.open_inference.core import OpenInference
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.readiness import Readiness
    from tests.serving.gateway.conftest import FakeSidecar

RED, BLUE = picture("red"), picture("blue")


@pytest.fixture
async def channel(
    open_inference: OpenInference, observer: Observer
) -> AsyncIterator[grpc.aio.Channel]:
    servicer = OpenInferenceServicer(
        open_inference, observer, timeout_s=5, stream_requests_at_once=2
    )
    add = partial(add_GRPCInferenceServiceServicer_to_server, servicer)
    server = RpcServer({SERVICE: add}, 20_000)
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        yield channel
    await server.stop(0)


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Any:
    return GRPCInferenceServiceStub(channel)


def request(*pictures: bytes, **fields: Any) -> oip.ModelInferRequest:
    contents = oip.InferTensorContents(bytes_contents=pictures)
    given = oip.ModelInferRequest.InferInputTensor(
        name="image", datatype="BYTES", shape=[len(pictures)], contents=contents
    )
    return oip.ModelInferRequest(**{"model_name": "tiny", "inputs": [given], **fields})


def element(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def probabilities(response: oip.ModelInferResponse) -> Any:
    names = [output.name for output in response.outputs]
    place = names.index("probabilities")
    values = np.frombuffer(response.raw_output_contents[place], "<f4")
    return values.reshape(response.outputs[place].shape)


def test_the_service_is_the_protocols() -> None:
    assert SERVICE == "inference.GRPCInferenceService"


async def test_reflection_knows_the_service(channel: grpc.aio.Channel) -> None:
    ask = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    call = ask(iter([reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)]))
    response = await call.read()
    assert isinstance(response, reflection_pb2.ServerReflectionResponse)
    (file, *_) = response.file_descriptor_response.file_descriptor_proto
    assert b"GRPCInferenceService" in file
    call.cancel()


async def test_typed_pictures(stub: Any) -> None:
    response = await stub.ModelInfer(request(RED, BLUE, id="mine"))
    assert probabilities(response).argmax(axis=1).tolist() == [1, 0]
    assert (response.model_name, response.model_version, response.id) == ("tiny", "1", "mine")
    assert response.outputs[0].parameters["digest"].string_param == "sha256:" + "a" * 64


async def test_raw_pictures(stub: Any) -> None:
    given = oip.ModelInferRequest.InferInputTensor(name="image", datatype="BYTES", shape=[2])
    raw = element(BLUE) + element(RED)
    response = await stub.ModelInfer(request(inputs=[given], raw_input_contents=[raw]))
    assert probabilities(response).argmax(axis=1).tolist() == [0, 1]


async def test_typed_pixels(stub: Any) -> None:
    contents = oip.InferTensorContents(uint_contents=[255, 0, 0] * SIDE * SIDE)
    given = oip.ModelInferRequest.InferInputTensor(
        name="image", datatype="UINT8", shape=[1, SIDE, SIDE, 3], contents=contents
    )
    response = await stub.ModelInfer(request(inputs=[given]))
    assert probabilities(response).argmax(axis=1).tolist() == [1]


async def test_the_default_model_answers_where_none_is_named(stub: Any) -> None:
    response = await stub.ModelInfer(request(RED, model_name=""))
    assert response.model_name == "tiny"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (request(), "INVALID_ARGUMENT", "IMAGE_MISSING"),
        (request(inputs=[]), "INVALID_ARGUMENT", "IMAGE_MISSING"),
        (request(b"x"), "INVALID_ARGUMENT", "IMAGE_INVALID"),
        (request(b"x" * 10_001), "INVALID_ARGUMENT", "IMAGE_TOO_LARGE"),
        (request(RED, raw_input_contents=[b"", b""]), "INVALID_ARGUMENT", "REQUEST_INVALID"),
        (request(RED, raw_input_contents=[b"\x09"]), "INVALID_ARGUMENT", "REQUEST_INVALID"),
        (
            request(outputs=[oip.ModelInferRequest.InferRequestedOutputTensor(name="x")]),
            "INVALID_ARGUMENT",
            "OPTION_INVALID",
        ),
        (request(RED, model_name="x"), "NOT_FOUND", "MODEL_NOT_FOUND"),
        (request(RED, model_version="9"), "NOT_FOUND", "VERSION_NOT_FOUND"),
    ],
)
async def test_the_callers_errors_are_the_contracts(
    stub: Any, request_: oip.ModelInferRequest, status: str, code: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(request_)
    assert raised.value.code() is grpc.StatusCode[status]
    assert trailing(raised.value)["pawsight-code"] == code


async def test_what_is_down_is_unavailable_and_says_when_to_come_back(
    stub: Any, engine: FakeEngine, sidecar: FakeSidecar
) -> None:
    engine.failure = EngineUnavailable("Down.")
    sidecar.failure = ExplainerUnavailable("Down.")
    for model in ("tiny", "tiny_explain"):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.ModelInfer(request(RED, model_name=model))
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert trailing(raised.value)["retry-after"] == "1"


async def test_the_transports_own_limit_is_resource_exhausted(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(request(b"x" * 20_001))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_deadline_that_passes(stub: Any, engine: FakeEngine) -> None:
    engine.may_answer.clear()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(request(RED), timeout=0.1)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_streams_answers_keep_order_and_ids_and_fail_alone(
    stub: Any, engine: FakeEngine
) -> None:
    pictures = {"1": RED, "2": b"nonsense", "3": BLUE}
    call = stub.ModelStreamInfer(request(data, id=number) for number, data in pictures.items())
    one, two, three = [response async for response in call]
    assert [each.infer_response.id for each in (one, two, three)] == ["1", "2", "3"]
    assert probabilities(one.infer_response).argmax() == 1
    assert probabilities(three.infer_response).argmax() == 0
    assert (one.error_message, three.error_message) == ("", "")
    failed = two.infer_response.parameters["request_id"].string_param
    assert failed == dict(await call.trailing_metadata())["x-request-id"]
    assert "not a readable picture" in two.error_message
    assert two.infer_response.parameters["code"].string_param == "IMAGE_INVALID"


async def test_each_request_of_a_stream_has_the_servers_time_and_no_more(
    open_inference: OpenInference, observer: Observer, engine: FakeEngine
) -> None:
    engine.may_answer.clear()
    servicer = OpenInferenceServicer(
        open_inference, observer, timeout_s=0.1, stream_requests_at_once=1
    )
    server = RpcServer(
        {SERVICE: partial(add_GRPCInferenceServiceServicer_to_server, servicer)}, 99_999
    )
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        call = GRPCInferenceServiceStub(channel).ModelStreamInfer(
            iter([request(RED, id="late"), request(b"nonsense", id="bad")])
        )
        late, bad = [each.infer_response async for each in call]
    await server.stop(0)
    assert (late.id, late.parameters["code"].string_param) == ("late", "DEADLINE_EXCEEDED")
    assert (bad.id, bad.parameters["code"].string_param) == ("bad", "IMAGE_INVALID")


async def test_each_answer_of_a_stream_is_its_requests_last(stub: Any) -> None:
    (streamed,) = [each async for each in stub.ModelStreamInfer(iter([request(RED)]))]
    assert streamed.infer_response.parameters["triton_final_response"].bool_param
    assert "triton_final_response" not in (await stub.ModelInfer(request(RED))).parameters


async def test_an_unforeseen_failure_in_a_stream_tells_nothing(
    stub: Any, engine: FakeEngine
) -> None:
    engine.failure = ZeroDivisionError("a secret")
    (response,) = [each async for each in stub.ModelStreamInfer(iter([request(RED)]))]
    assert response.infer_response.parameters["code"].string_param == "INTERNAL"
    assert "secret" not in response.error_message


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("RepositoryModelLoad", oip.RepositoryModelLoadRequest(model_name="tiny")),
        ("RepositoryModelUnload", oip.RepositoryModelUnloadRequest(model_name="tiny")),
        ("SystemSharedMemoryStatus", oip.SystemSharedMemoryStatusRequest()),
        ("SystemSharedMemoryRegister", oip.SystemSharedMemoryRegisterRequest()),
        ("SystemSharedMemoryUnregister", oip.SystemSharedMemoryUnregisterRequest()),
        ("CudaSharedMemoryStatus", oip.CudaSharedMemoryStatusRequest()),
        ("CudaSharedMemoryRegister", oip.CudaSharedMemoryRegisterRequest()),
        ("CudaSharedMemoryUnregister", oip.CudaSharedMemoryUnregisterRequest()),
        ("TraceSetting", oip.TraceSettingRequest()),
        ("LogSettings", oip.LogSettingsRequest()),
    ],
)
async def test_what_is_not_offered_is_unimplemented_and_no_fault(
    stub: Any, metrics: Metrics, method: str, request_: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await getattr(stub, method)(request_)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "instead" in (raised.value.details() or "")
    assert trailing(raised.value)["pawsight-code"] == "ROUTE_NOT_FOUND"
    assert len(trailing(raised.value)["x-request-id"]) == 32
    assert "Traceback" not in caplog.text
    assert 'code="ROUTE_NOT_FOUND"' in metrics.exposition().decode()


async def test_the_index_can_be_of_what_answers(
    stub: Any, sidecar: FakeSidecar, readiness: Readiness
) -> None:
    sidecar.alive = False
    index = await stub.RepositoryIndex(oip.RepositoryIndexRequest(ready=True))
    assert [model.name for model in index.models] == ["tiny"]
    await readiness.stop()
    index = await stub.RepositoryIndex(oip.RepositoryIndexRequest())
    assert {model.state for model in index.models} == {"UNAVAILABLE"}
    assert not (await stub.ServerReady(oip.ServerReadyRequest())).ready
    assert not (await stub.ModelReady(oip.ModelReadyRequest(name="tiny"))).ready
    assert (await stub.ServerLive(oip.ServerLiveRequest())).live


async def test_a_broken_model_is_not_ready(stub: Any, engine: FakeEngine) -> None:
    engine.unserved["broken"] = RepositoryInvalid("The graph broken version 1 is missing.")
    for name in ("broken", "broken_explain"):
        assert not (await stub.ModelReady(oip.ModelReadyRequest(name=name))).ready
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelMetadata(oip.ModelMetadataRequest(name="broken"))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_metadata_of_an_unknown_model(stub: Any) -> None:
    for ask in (
        stub.ModelMetadata(oip.ModelMetadataRequest(name="x")),
        stub.ModelConfig(oip.ModelConfigRequest(name="x")),
        stub.ModelStatistics(oip.ModelStatisticsRequest(name="x")),
        stub.ModelReady(oip.ModelReadyRequest(name="x")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await ask
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("place", ["inputs", "outputs"])
async def test_shared_memory_is_refused(stub: Any, place: str) -> None:
    asked = request(RED, outputs=[{"name": "probabilities"}])
    getattr(asked, place)[0].parameters["shared_memory_region"].string_param = "mine"
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(asked)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Shared memory is not offered; leave its parameters out" in (
        raised.value.details() or ""
    )


async def test_the_strongest_classes_come_as_texts(stub: Any) -> None:
    asked = request(RED, outputs=[{"name": "probabilities"}, {"name": "gradcam"}])
    asked.outputs[0].parameters["classification"].int64_param = 1
    response = await stub.ModelInfer(asked)
    assert [output.datatype for output in response.outputs] == ["BYTES", "FP32"]
    assert list(response.outputs[0].shape) == [1, 1]
    assert response.raw_output_contents[0].endswith(b":1:dog")


async def test_no_classes_are_the_probabilities_themselves(stub: Any) -> None:
    asked = request(RED, outputs=[{"name": "probabilities"}])
    asked.outputs[0].parameters["classification"].int64_param = 0
    (output,) = (await stub.ModelInfer(asked)).outputs
    assert output.datatype == "FP32"


@pytest.mark.parametrize(("output", "count"), [("probabilities", -1), ("gradcam", 1)])
async def test_what_has_no_classes_is_refused(stub: Any, output: str, count: int) -> None:
    asked = request(RED, outputs=[{"name": output}])
    asked.outputs[0].parameters["classification"].int64_param = count
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(asked)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Classification answers the output probabilities alone" in (raised.value.details() or "")


@pytest.mark.parametrize("count", [{"string_param": "1"}, {"bool_param": True}, {}])
async def test_a_number_of_classes_of_another_kind_is_refused(
    stub: Any, count: dict[str, Any]
) -> None:
    asked = request(RED, outputs=[{"name": "probabilities"}])
    asked.outputs[0].parameters["classification"].MergeFrom(oip.InferParameter(**count))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(asked)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "int64_param" in (raised.value.details() or "")


async def test_data_that_comes_twice_is_refused(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(request(RED, raw_input_contents=[element(BLUE)]))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "send them once" in (raised.value.details() or "")


async def test_data_in_two_typed_fields_is_refused(stub: Any) -> None:
    contents = {"uint_contents": [255, 0, 0] * SIDE * SIDE, "int_contents": [0]}
    given = oip.ModelInferRequest.InferInputTensor(
        name="image", datatype="UINT8", shape=[1, SIDE, SIDE, 3], contents=contents
    )
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(request(inputs=[given]))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "send them once" in (raised.value.details() or "")


@pytest.mark.parametrize(
    ("datatype", "contents", "wanted"),
    [("UINT8", {"int_contents": [0]}, "uint"), ("BYTES", {"uint_contents": [0]}, "bytes")],
)
async def test_data_in_another_datatypes_field_is_refused(
    stub: Any, datatype: str, contents: Any, wanted: str
) -> None:
    given = oip.ModelInferRequest.InferInputTensor(
        name="image", datatype=datatype, shape=[1], contents=contents
    )
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(request(inputs=[given]))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"send them in {wanted}_contents" in (raised.value.details() or "")


@pytest.mark.parametrize(("what", "most"), [("inputs", 16), ("outputs", 256)])
async def test_as_many_inputs_and_outputs_as_over_http(stub: Any, what: str, most: int) -> None:
    many = request(RED)
    kinds = {
        "inputs": oip.ModelInferRequest.InferInputTensor,
        "outputs": oip.ModelInferRequest.InferRequestedOutputTensor,
    }
    getattr(many, what).extend([kinds[what](name="probabilities")] * (most + 1))
    many.raw_input_contents.extend([b""] * (len(many.inputs) - len(many.raw_input_contents)))
    for tensor in many.inputs:
        tensor.ClearField("contents")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelInfer(many)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"more than {most} {what}; send fewer" in (raised.value.details() or "")


async def test_a_name_of_any_length_keeps_its_status(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ModelMetadata(oip.ModelMetadataRequest(name="\N{CAT FACE}" * 4_000))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert "the models are: tiny" in (raised.value.details() or "")
