from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2

from pawsight_serving.rpc.reflection import add_reflection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVICE = "pawsight.v1.Pawsight"


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    add_reflection((SERVICE,), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def asked(
    channel: grpc.aio.Channel, version: str, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    ask = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    call = ask(iter([request]), timeout=10)
    response = await call.read()
    assert isinstance(response, reflection_pb2.ServerReflectionResponse)
    call.cancel()
    return response


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_services_are_listed_and_each_can_be_described(
    channel: grpc.aio.Channel, version: str
) -> None:
    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    listed = (await asked(channel, version, listing)).list_services_response.service
    assert SERVICE in {service.name for service in listed}
    for service in listed:
        question = reflection_pb2.ServerReflectionRequest(file_containing_symbol=service.name)
        found = (await asked(channel, version, question)).file_descriptor_response
        files = [FileDescriptorProto.FromString(each) for each in found.file_descriptor_proto]
        described = {f"{file.package}.{each.name}" for file in files for each in file.service}
        assert service.name in described


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_a_method_is_found_by_its_name(channel: grpc.aio.Channel, version: str) -> None:
    symbol = f"{SERVICE}.Predict"
    question = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    found = (await asked(channel, version, question)).file_descriptor_response
    names = [FileDescriptorProto.FromString(each).name for each in found.file_descriptor_proto]
    assert "pawsight_proto/v1/pawsight.proto" in names


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.parametrize("symbol", ["no.such.Service", f"{SERVICE}.NoMethod", "Nothing", ""])
async def test_an_unknown_symbol_is_said_to_be_unknown(
    channel: grpc.aio.Channel, version: str, symbol: str
) -> None:
    question = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    error = (await asked(channel, version, question)).error_response
    assert error.error_code == grpc.StatusCode.NOT_FOUND.value[0]
