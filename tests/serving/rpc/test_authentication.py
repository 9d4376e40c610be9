from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import (
    PawsightServicer,
    PawsightStub,
    add_PawsightServicer_to_server,
)
from pawsight_serving.addresses import Address
from pawsight_serving.observability.observation import Observer
from pawsight_serving.rpc.methods import unary
from pawsight_serving.rpc.server import RpcServer, ServerOptions
from pawsight_serving.security.api_keys import ApiKeys, make_key
from tests.serving.grpc_client import trailing
from tests.serving.heard import Heard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pawsight_proto.v1.pawsight_pb2_grpc import PawsightAsyncStub
    from pawsight_serving.requests.calls import Call

KEY, LINE = make_key("alice")


class Servicer(PawsightServicer):
    timeout_s = 10.0

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    @unary
    async def Predict(self, request: pb.PredictRequest, call: Call) -> pb.PredictResponse:  # noqa: N802
        return pb.PredictResponse(model=request.model)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def stub(tmp_path: Path, heard: Heard) -> AsyncIterator[PawsightAsyncStub]:
    file = tmp_path / "keys"
    file.write_text(LINE)
    observer = Observer(heard)
    add = partial(add_PawsightServicer_to_server, Servicer(observer))  # type: ignore[abstract]
    options = ServerOptions(keys=ApiKeys.read(file), observer=observer)
    server = RpcServer({"pawsight.v1.Pawsight": add}, 1 << 20, options)
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        yield PawsightStub(channel)
    await server.stop(0)


@pytest.mark.parametrize("header", [("x-api-key", KEY), ("authorization", f"Bearer {KEY}")])
async def test_a_call_is_told_of_with_the_name_of_its_key(
    stub: PawsightAsyncStub, heard: Heard, header: tuple[str, str]
) -> None:
    assert (await stub.Predict(pb.PredictRequest(model="a"), metadata=(header,))).model == "a"
    (told,) = heard.requests
    assert (told.protocol, told.method, told.caller) == ("grpc", "predict", "alice")


async def test_a_call_without_a_key_is_told_of_by_its_id(
    stub: PawsightAsyncStub, heard: Heard
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Predict(pb.PredictRequest(), metadata=(("x-request-id", "mine"),))
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert trailing(raised.value)["x-request-id"] == "mine"
    (told,) = heard.requests
    assert (told.protocol, told.request_id, told.code) == ("grpc", "mine", "UNAUTHENTICATED")
